/* The encoder: pieces to hidden states, layer by layer, with a vector to be had after each. Method in MODEL.md.
 *
 * Tokens go through products TOKEN_BLOCK at a time and a strip of rows at a time, so that the integers of a strip are
 * scaled, biased and activated while they are in the first-level cache; the widest array is a block's activations
 * after the first product of the feed-forward part.
 */
#include "model.h"
#include <string.h>

/* Where there is no SIMD nobody gains from many tokens at a time, and a step of theirs would be long. */
#if defined(__wasm__) && !defined(__wasm_simd128__)
enum { TOKEN_BLOCK = 8 };
#else
enum { TOKEN_BLOCK = 32 };
#endif

struct sr_encoder {
    const sr_model *model;
    uint32_t tokens, padded; /* padded: to a multiple of 8 */
    int32_t layer;           /* the states are those after this layer; -1: nothing started */
    uint32_t step;           /* of the next layer: how many were made */
    uint32_t *ids;
    float *states;     /* [token][dim] */
    float *q, *v;      /* [token][dim]; contexts replace q */
    float *keys;       /* [dim][padded], so a head's keys are [head_dim][padded] */
    float *wide;       /* [TOKEN_BLOCK][ffn_dim], or [TOKEN_BLOCK][dim] */
    int8_t *quantised; /* [TOKEN_BLOCK][ffn_dim] */
    float *exact;      /* the same, unquantised, for layers in f32 */
    int32_t *strip;    /* [group][token][SR_MATMUL_STRIP] */
    float *scores;
    float token_scale[TOKEN_BLOCK * SR_MATMUL_MAX_GROUPS]; /* [token][group] */
    int16_t *start;                                        /* [token][block][2]: what sums start from */
    sr_tokenizer_work *work;
};

static size_t lay_out(sr_encoder *e, const sr_model *m, uint8_t *base) {
    const sr_model_meta *k = &m->meta;
    size_t used = 0, tokens = (k->max_tokens + 7) & ~7u;
#define CARVE(field, bytes)                                                                                            \
    do {                                                                                                               \
        e->field = base ? (void *)(base + used) : 0;                                                                   \
        used += ((bytes) + 63) & ~(size_t)63;                                                                          \
    } while (0)
    used = (sizeof *e + 63) & ~(size_t)63;
    CARVE(ids, tokens * 4);
    CARVE(states, tokens * k->dim * 4);
    CARVE(q, tokens * k->dim * 4);
    CARVE(v, tokens * k->dim * 4);
    CARVE(keys, tokens * k->dim * 4);
    size_t width = k->ffn_dim > 3 * k->dim ? k->ffn_dim : 3 * k->dim;
    CARVE(wide, (size_t)TOKEN_BLOCK * width * 4);
    int is_exact = k->layer_coding == SR_CODING_F32;
    CARVE(quantised, is_exact ? 0 : (size_t)TOKEN_BLOCK * width);
    CARVE(start, is_exact ? 0 : (size_t)TOKEN_BLOCK * width / SR_MATMUL_BLOCK * 2 * sizeof *e->start);
    CARVE(exact, is_exact ? (size_t)TOKEN_BLOCK * width * 4 : 0);
    CARVE(strip,
          sr_matmul_groups(k->ffn_dim > k->dim ? k->ffn_dim : k->dim, m->group) * TOKEN_BLOCK * SR_MATMUL_STRIP * 4);
    CARVE(scores, 2 * tokens * 4);
    CARVE(work, sizeof(sr_tokenizer_work));
#undef CARVE
    return used;
}

int64_t sr_encoder_bytes(const sr_model *m) {
    sr_encoder e;
    if (!m) return SR_E_ARGUMENT;
    return (int64_t)lay_out(&e, m, 0);
}

int sr_encoder_open(void *mem, size_t mem_bytes, const sr_model *m, sr_encoder **out) {
    if (!mem || !m || !out) return SR_E_ARGUMENT;
    sr_encoder sizes;
    if ((uintptr_t)mem % 64 || mem_bytes < lay_out(&sizes, m, 0)) return SR_E_MEMORY;
    sr_encoder *e = mem;
    memset(e, 0, sizeof *e);
    lay_out(e, m, mem);
    e->model = m;
    e->layer = -1;
    *out = e;
    return 0;
}

int sr_encoder_start(sr_encoder *e, const char *text, size_t bytes) {
    if (!e || (!text && bytes)) return SR_E_ARGUMENT;
    const sr_model *m = e->model;
    const sr_model_meta *k = &m->meta;
    e->layer = -1;
    if (m->ready < 0) return SR_E_INCOMPLETE;
    e->ids[0] = k->begin;
    size_t n = sr_tokenize(&m->tokenizer, e->work, 0, k->prefix, k->prefix_bytes, text, bytes, e->ids + 1,
                           k->max_tokens - 2, k->head_pieces, 0);
    e->ids[n + 1] = k->end;
    e->tokens = (uint32_t)n + 2;
    e->padded = (e->tokens + 7) & ~7u;
    for (uint32_t t = 0; t < e->tokens; t++) {
        float *x = e->states + (size_t)t * k->dim;
        sr_model_embedding(m, e->ids[t], x);
        m->kernels->norm(x, m->positions + (size_t)t * k->dim, m->embedding_norm, m->embedding_norm + k->dim, k->dim,
                         k->norm_epsilon);
    }
    e->layer = 0, e->step = 0;
    return (int)e->tokens;
}

int sr_encoder_pieces(const sr_encoder *e, uint32_t *ids, size_t cap) {
    if (!e || (!ids && cap)) return SR_E_ARGUMENT;
    if (e->layer < 0) return 0;
    memcpy(ids, e->ids, (cap < e->tokens ? cap : e->tokens) * sizeof *ids);
    return (int)e->tokens;
}

const float *sr_encoder_states(const sr_encoder *e, uint32_t *tokens) {
    *tokens = e->tokens;
    return e->states;
}

static void quantise(sr_encoder *e, const float *x, size_t tokens, size_t width) {
    if (e->model->meta.layer_coding == SR_CODING_F32) {
        memcpy(e->exact, x, tokens * width * sizeof *x); /* copied, since y may take x's place */
        return;
    }
    size_t groups = sr_matmul_groups(width, e->model->group);
    for (size_t t = 0; t < tokens; t++)
        e->model->kernels->quantise(x + t * width, width, e->model->group, e->quantised + t * width,
                                    e->token_scale + t * groups, e->start + t * (width / SR_MATMUL_BLOCK) * 2);
}

/* y[t * stride + r] = quantised (or exact) tokens times rows first .. first + rows of w; activation: -1 none. */
static void multiply(sr_encoder *e, const sr_matrix *w, uint32_t first, uint32_t rows, size_t tokens, int activation,
                     float *y, size_t stride) {
    const sr_matmul_kernels *k = e->model->kernels;
    for (uint32_t r = first; r < first + rows; r += SR_MATMUL_STRIP, y += SR_MATMUL_STRIP) {
        if (w->exact) {
            k->exact(e->exact, tokens, w->exact + (size_t)r * w->cols, w->cols, w->bias + r, activation, y, stride);
            continue;
        }
        e->model->products(e->quantised, e->start, tokens, w->packed + r / SR_MATMUL_STRIP * w->strip_bytes, w->cols,
                           e->model->group, e->strip);
        k->finish(e->strip, tokens, sr_matmul_groups(w->cols, e->model->group), e->token_scale, w->scale + r, w->rows,
                  w->bias + r, activation, y, stride);
    }
}

/* The relative bias of one head, by distance s - t from -(tokens - 1) on; the file holds it for every distance, so that
 * nobody need know how its buckets were made. */
static const float *relative_bias(const sr_encoder *e, uint32_t head) {
    size_t reach = e->model->meta.attention_bias_reach;
    return reach ? e->model->attention_bias + head * (2 * reach - 1) + (reach - e->tokens) : 0;
}

/* First step of a block of tokens: its queries, keys and values. */
static void project_block(sr_encoder *e, const sr_layer *y, size_t t, size_t n) {
    uint32_t width = e->model->meta.dim;
    size_t dim = width, padded = e->padded;
    quantise(e, e->states + t * dim, n, dim);
    multiply(e, &y->qkv, 0, width, n, -1, e->q + t * dim, dim);
    multiply(e, &y->qkv, 2 * width, width, n, -1, e->v + t * dim, dim);
    multiply(e, &y->qkv, width, width, n, -1, e->wide, dim);
    for (size_t d = 0; d < dim; d++) {
        float *key = e->keys + d * padded;
        for (size_t i = 0; i < n; i++) key[t + i] = e->wide[i * dim + d];
        for (size_t i = e->tokens; i < padded; i++) key[i] = 0;
    }
}

/* Second step, when every block has had its first: attention, and what follows it. */
static void finish_block(sr_encoder *e, const sr_layer *y, size_t t, size_t n) {
    const sr_model_meta *k = &e->model->meta;
    const sr_matmul_kernels *f = e->model->kernels;
    size_t dim = k->dim, head_dim = dim / k->heads, padded = e->padded;
    for (uint32_t h = 0; h < k->heads; h++) {
        size_t at = h * head_dim;
        f->attend(e->q + at, t, n, e->keys + at * padded, e->v + at, e->tokens, dim, padded, head_dim,
                  relative_bias(e, h), e->scores);
    }
    float *x = e->states + t * dim;
    quantise(e, e->q + t * dim, n, dim);
    multiply(e, &y->out, 0, k->dim, n, -1, e->wide, dim);
    for (size_t i = 0; i < n; i++)
        f->norm(x + i * dim, e->wide + i * dim, y->attention_norm, y->attention_norm + dim, dim, k->norm_epsilon);
    quantise(e, x, n, dim);
    multiply(e, &y->up, 0, k->ffn_dim, n, (int)k->activation, e->wide, k->ffn_dim);
    quantise(e, e->wide, n, k->ffn_dim);
    multiply(e, &y->down, 0, k->dim, n, -1, e->wide, dim);
    for (size_t i = 0; i < n; i++)
        f->norm(x + i * dim, e->wide + i * dim, y->output_norm, y->output_norm + dim, dim, k->norm_epsilon);
}

int sr_encoder_step(sr_encoder *e, uint32_t layer) {
    if (!e || e->layer < 0) return SR_E_ARGUMENT;
    const sr_model *m = e->model;
    if (layer > m->meta.layers || (int32_t)layer < e->layer) return SR_E_EXIT;
    if ((int32_t)layer > m->ready) return SR_E_INCOMPLETE;
    if ((int32_t)layer == e->layer) return e->step ? SR_E_EXIT : 0; /* the states have gone on in part */
    uint32_t blocks = (e->tokens + TOKEN_BLOCK - 1) / TOKEN_BLOCK;
    size_t t = (size_t)(e->step % blocks) * TOKEN_BLOCK, left = e->tokens - t;
    (e->step < blocks ? project_block : finish_block)(e, &m->layer[e->layer], t,
                                                      left < TOKEN_BLOCK ? left : TOKEN_BLOCK);
    if (++e->step == 2 * blocks) e->layer++, e->step = 0;
    return e->layer < (int32_t)layer;
}

static int pool(const sr_encoder *e, float *vector) {
    const sr_model_meta *k = &e->model->meta;
    size_t dim = k->dim;
    memcpy(vector, e->states, dim * sizeof(float));
    if (k->pooling == SR_POOL_MEAN)
        for (uint32_t t = 1; t < e->tokens; t++) e->model->kernels->add(vector, e->states + t * dim, dim);
    else if (k->pooling == SR_POOL_MAX)
        for (uint32_t t = 1; t < e->tokens; t++)
            for (size_t i = 0; i < dim; i++)
                if (e->states[t * dim + i] > vector[i]) vector[i] = e->states[t * dim + i];
    /* the mean's division by the token count falls away: the vector is made unit length */
    return e->model->kernels->unit(vector, dim) ? 0 : SR_E_NAN;
}

int sr_encoder_advance(sr_encoder *e, uint32_t layer, float *vector) {
    if (!vector) return SR_E_ARGUMENT;
    int more;
    while ((more = sr_encoder_step(e, layer)) > 0) {
    }
    return more < 0 ? more : pool(e, vector);
}
