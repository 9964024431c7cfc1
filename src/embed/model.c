/* Opening encoder models, part by part as they arrive; see MODEL.md. */
#include "model.h"
#include "kernel/exact.h"
#include <string.h>

/* Carves aligned pieces out of the caller's memory; with base null it only adds up, so size and layout cannot differ.
 */
typedef struct {
    uint8_t *base;
    size_t used;
} arena;

static void *carve(arena *a, size_t bytes) {
    void *p = a->base ? a->base + a->used : 0;
    a->used += (bytes + 63) & ~(size_t)63;
    return p;
}

static uint32_t group_of(const sr_model_meta *k) {
    return k->layer_coding == SR_CODING_Q8_BLOCKS ? SR_MATMUL_FINE_GROUP : SR_MATMUL_GROUP;
}

static void carve_matrix(arena *a, sr_matrix *w, uint32_t rows, uint32_t cols, const sr_model_meta *k) {
    int exact = k->layer_coding == SR_CODING_F32;
    w->rows = rows;
    w->cols = cols;
    w->exact = exact ? carve(a, (size_t)rows * cols * 4) : 0;
    w->strip_bytes = (size_t)cols / SR_MATMUL_BLOCK *
                     (k->layer_coding == SR_CODING_Q4 ? SR_MATMUL_NIBBLES_BLOCK : SR_MATMUL_BYTES_BLOCK);
    w->packed = exact ? 0 : carve(a, rows / SR_MATMUL_STRIP * w->strip_bytes);
    w->scale = exact ? 0 : carve(a, (size_t)rows * sr_matmul_groups(cols, group_of(k)) * 4);
    w->bias = carve(a, (size_t)rows * 4);
}

static size_t attention_bias_count(const sr_model_meta *k) {
    return k->attention_bias_reach ? (size_t)k->heads * (2 * (size_t)k->attention_bias_reach - 1) : 0;
}

static size_t lay_out(sr_model *m, uint8_t *mem) {
    const sr_model_meta *k = &m->meta;
    arena a = {mem, 0};
    carve(&a, sizeof *m);
    m->tokenizer_mem = carve(&a, sr_trie_bytes(k->node_count));
    m->tokenizer.scores = carve(&a, (size_t)k->piece_count * 4);
    m->tokenizer.map_from = carve(&a, sr_map_bytes(k->map_count, k->map_outputs));
    m->codebooks = carve(&a, k->embedding_coding == SR_CODING_PQ ? (size_t)256 * k->dim * 4 : 0);
    m->embedding_norm = carve(&a, (size_t)k->dim * 8);
    m->positions = carve(&a, (size_t)k->max_tokens * k->dim * 4);
    m->attention_bias = carve(&a, attention_bias_count(k) * 4);
    m->row_scratch = carve(&a, SR_MODEL_MAX_FFN * 4);
    for (uint32_t l = 0; l < k->layers; l++) {
        carve_matrix(&a, &m->layer[l].qkv, 3 * k->dim, k->dim, k);
        carve_matrix(&a, &m->layer[l].out, k->dim, k->dim, k);
        carve_matrix(&a, &m->layer[l].up, k->ffn_dim, k->dim, k);
        carve_matrix(&a, &m->layer[l].down, k->dim, k->ffn_dim, k);
        m->layer[l].attention_norm = carve(&a, (size_t)k->dim * 8);
        m->layer[l].output_norm = carve(&a, (size_t)k->dim * 8);
    }
    return a.used;
}

static int is_known(const sr_section *s, const sr_model_meta *k) {
    switch ((int)s->kind) {
    case SR_MODEL_META:
    case SR_MODEL_VOCAB:
    case SR_MODEL_SCORES:
    case SR_MODEL_MAP:
    case SR_MODEL_EMBEDDING:
    case SR_MODEL_EMBEDDING_NORM:
    case SR_MODEL_POSITIONS:
        return s->index == 0;
    case SR_MODEL_CODEBOOKS: /* only where they are read, and so verified */
        return s->index == 0 && k->embedding_coding == SR_CODING_PQ;
    case SR_MODEL_ATTENTION_BIAS:
        return s->index == 0 && k->attention_bias_reach;
    case SR_MODEL_LAYER:
        return s->index >= 1 && s->index <= k->layers;
    default:
        return s->kind >= 0x80000000u;
    }
}

static uint64_t layer_bytes(const sr_model_meta *k) {
    uint64_t narrow = sr_coding_row_bytes(k->layer_coding, k->dim, 0),
             wide = sr_coding_row_bytes(k->layer_coding, k->ffn_dim, 0);
    return narrow * (4ull * k->dim + k->ffn_dim) + wide * k->dim + 4 * (9ull * k->dim + k->ffn_dim);
}

/* Finds a section that must be there with exactly these bytes. */
static int find_exact(const sr_model *m, int kind, uint32_t index, uint64_t bytes, sr_section *s) {
    if (sr_container_find(&m->file, (uint32_t)kind, index, s) < 0 || s->bytes != bytes) return SR_E_FORMAT;
    return 0;
}

/* Header, table and META; what stands in them against each other. Fills m->meta and m->file. */
static int read_head(sr_model *m, const void *file, size_t available) {
    sr_section s;
    int e = sr_container_open(file, available, "SRM1", 1, &m->file);
    if (e < 0) return e;
    if (sr_container_find(&m->file, SR_MODEL_META, 0, &s) < 0) return SR_E_FORMAT;
    if (s.bytes != SR_MODEL_META_BYTES) return SR_E_FORMAT;
    if ((e = sr_container_verify(&m->file, &s, available)) < 0) return e == SR_E_INCOMPLETE ? SR_E_TRUNCATED : e;
    const sr_model_meta *k = &m->meta;
    if ((e = sr_model_meta_load(&m->meta, (const uint8_t *)file + s.offset, s.bytes)) < 0) return e;
    for (uint32_t i = 0; i < m->file.section_count; i++) {
        sr_container_section(&m->file, i, &s);
        if (!is_known(&s, k)) return SR_E_UNSUPPORTED;
    }
    if (sr_container_find(&m->file, SR_MODEL_VOCAB, 0, &s) < 0 || s.bytes > 1u << 28 || k->node_count - 1 > s.bytes)
        return SR_E_FORMAT;
    if (sr_container_find(&m->file, SR_MODEL_MAP, 0, &s) < 0 || s.bytes > 1u << 24) return SR_E_FORMAT;
    uint64_t row = sr_coding_row_bytes(k->embedding_coding, k->dim, k->subspaces);
    if ((e = find_exact(m, SR_MODEL_SCORES, 0, sr_scores_bytes(k->score_coding, k->piece_count), &s)) < 0 ||
        (e = find_exact(m, SR_MODEL_EMBEDDING, 0, k->piece_count * row, &s)) < 0 ||
        (e = find_exact(m, SR_MODEL_EMBEDDING_NORM, 0, (uint64_t)k->dim * 8, &s)) < 0 ||
        (e = find_exact(
             m, SR_MODEL_POSITIONS, 0,
             ((uint64_t)k->max_tokens + k->position_offset) * sr_coding_row_bytes(k->position_coding, k->dim, 0), &s)) <
            0)
        return e;
    if (k->embedding_coding == SR_CODING_PQ &&
        (e = find_exact(m, SR_MODEL_CODEBOOKS, 0, (uint64_t)512 * k->dim, &s)) < 0)
        return e;
    if (k->attention_bias_reach && (e = find_exact(m, SR_MODEL_ATTENTION_BIAS, 0, attention_bias_count(k) * 4, &s)) < 0)
        return e;
    for (uint32_t l = 1; l <= k->layers; l++)
        if ((e = find_exact(m, SR_MODEL_LAYER, l, layer_bytes(k), &s)) < 0) return e;
    return 0;
}

int64_t sr_model_bytes(const void *file, size_t available_bytes) {
    sr_model m;
    if (!file) return SR_E_ARGUMENT;
    memset(&m, 0, sizeof m);
    int e = read_head(&m, file, available_bytes);
    return e < 0 ? e : (int64_t)lay_out(&m, 0);
}

int sr_model_open(void *mem, size_t mem_bytes, const void *file, size_t available_bytes, sr_model **out) {
    if (!mem || !file || !out) return SR_E_ARGUMENT;
    if ((uintptr_t)mem % 64 || mem_bytes < sizeof(sr_model)) return SR_E_MEMORY;
    sr_model *m = mem;
    memset(m, 0, sizeof *m);
    int e = read_head(m, file, available_bytes);
    if (e < 0) return e;
    if (lay_out(m, 0) > mem_bytes) return SR_E_MEMORY;
    lay_out(m, mem);
    m->kernels = sr_matmul_best();
    m->products = m->meta.layer_coding == SR_CODING_Q4 ? m->kernels->nibbles : m->kernels->bytes;
    m->group = group_of(&m->meta);
    m->ready = -1;
    e = sr_model_extend(m, available_bytes);
    if (e < 0 && e != SR_E_INCOMPLETE) return e;
    *out = m;
    return 0;
}

static int read_floats(const uint8_t *in, size_t count, float *out) {
    return sr_coding_row(SR_CODING_F32, in, (uint32_t)count, out);
}

static int verified(const sr_model *m, int kind, uint32_t index, const uint8_t **data, sr_section *s) {
    if (sr_container_find(&m->file, (uint32_t)kind, index, s) < 0) return SR_E_FORMAT;
    int e = sr_container_verify(&m->file, s, m->available);
    *data = m->file.file + s->offset;
    return e < 0 ? e : 0;
}

static int read_scores(sr_model *m, const uint8_t *in) {
    const sr_model_meta *k = &m->meta;
    float *scores = (float *)(uintptr_t)m->tokenizer.scores; /* ours; const to all others */
    return sr_scores_read(k->score_coding, k->score_low, k->score_step, in, k->piece_count, scores);
}

/* Everything before layer 1. */
static int read_first_part(sr_model *m) {
    static const int kinds[] = {SR_MODEL_VOCAB,          SR_MODEL_SCORES,    SR_MODEL_MAP,
                                SR_MODEL_EMBEDDING,      SR_MODEL_POSITIONS, SR_MODEL_EMBEDDING_NORM,
                                SR_MODEL_ATTENTION_BIAS, SR_MODEL_CODEBOOKS};
    const sr_model_meta *k = &m->meta;
    sr_section s;
    const uint8_t *p;
    int e;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) /* all there? then hash and read */
        if (sr_container_find(&m->file, (uint32_t)kinds[i], 0, &s) >= 0 &&
            (s.offset > m->available || s.bytes > m->available - s.offset))
            return SR_E_INCOMPLETE;
    sr_tokenizer *t = &m->tokenizer;
    if ((e = verified(m, SR_MODEL_VOCAB, 0, &p, &s)) < 0) return e;
    const uint32_t hidden[] = {k->begin, k->end, k->unknown, k->pad, k->mask};
    if ((e = sr_trie_build(&t->trie, m->tokenizer_mem, p, s.bytes, k->piece_count, k->node_count, hidden, 5)) < 0)
        return e;
    if ((e = verified(m, SR_MODEL_SCORES, 0, &p, &s)) < 0 || (e = read_scores(m, p)) < 0) return e;
    if ((e = verified(m, SR_MODEL_MAP, 0, &p, &s)) < 0) return e;
    void *map_mem = (void *)(uintptr_t)t->map_from;
    if ((e = sr_map_read(t, map_mem, p, s.bytes, k->map_count, k->map_outputs)) < 0) return e;
    t->unknown_score = k->unknown_score;
    t->begin = k->begin, t->end = k->end, t->unknown = k->unknown;
    t->flags = sr_model_flags(k);
    if ((e = verified(m, SR_MODEL_EMBEDDING, 0, &m->embedding, &s)) < 0) return e;
    m->embedding_row_bytes = sr_coding_row_bytes(k->embedding_coding, k->dim, k->subspaces);
    if ((e = verified(m, SR_MODEL_POSITIONS, 0, &p, &s)) < 0) return e;
    size_t row_bytes = sr_coding_row_bytes(k->position_coding, k->dim, 0);
    for (uint32_t i = 0; i < k->max_tokens; i++)
        if ((e = sr_coding_row(k->position_coding, p + (i + (size_t)k->position_offset) * row_bytes, k->dim,
                               m->positions + (size_t)i * k->dim)) < 0)
            return e;
    if ((e = verified(m, SR_MODEL_EMBEDDING_NORM, 0, &p, &s)) < 0 ||
        (e = read_floats(p, 2 * k->dim, m->embedding_norm)) < 0)
        return e;
    if (k->embedding_coding == SR_CODING_PQ) {
        if ((e = verified(m, SR_MODEL_CODEBOOKS, 0, &p, &s)) < 0) return e;
        for (size_t i = 0; i < (size_t)256 * k->dim; i++) {
            uint16_t h = (uint16_t)(p[2 * i] | p[2 * i + 1] << 8);
            if ((h & 0x7c00) == 0x7c00) return SR_E_NAN;
            m->codebooks[i] = sr_half_to_float(h);
        }
    }
    if (k->attention_bias_reach && ((e = verified(m, SR_MODEL_ATTENTION_BIAS, 0, &p, &s)) < 0 ||
                                    (e = read_floats(p, attention_bias_count(k), m->attention_bias)) < 0))
        return e;
    return 0;
}

static uint8_t *packed_row(const sr_matrix *w, uint32_t row) {
    return w->packed + row / SR_MATMUL_STRIP * w->strip_bytes + row % SR_MATMUL_STRIP * 4;
}

/* One stored row of blocks of 4 bits, in the kernels' order. The weights stay as they are; a block's scale becomes a
 * multiple of its group's, which is the largest one's 4095th part. */
static int pack_nibbles(sr_matrix *w, uint32_t r, const uint8_t *row) {
    enum { BLOCKS = SR_MATMUL_GROUP / SR_MATMUL_BLOCK, BLOCK_BYTES = 18 };
    uint8_t *out = packed_row(w, r);
    uint32_t blocks = w->cols / SR_MATMUL_BLOCK;
    for (uint32_t from = 0, g = 0; from < blocks; from += BLOCKS, g++) {
        uint32_t count = blocks - from < BLOCKS ? blocks - from : BLOCKS;
        float scale[BLOCKS], peak = 0;
        for (uint32_t b = 0; b < count; b++) {
            uint16_t half = (uint16_t)(row[b * BLOCK_BYTES] | row[b * BLOCK_BYTES + 1] << 8);
            if ((half & 0x7c00) == 0x7c00) return SR_E_NAN;
            scale[b] = sr_half_to_float(half);
            float size = scale[b] < 0 ? -scale[b] : scale[b];
            if (size > peak) peak = size;
        }
        w->scale[(size_t)g * w->rows + r] = peak / SR_MATMUL_MULTIPLIER;
        for (uint32_t b = 0; b < count; b++, row += BLOCK_BYTES, out += SR_MATMUL_NIBBLES_BLOCK) {
            for (uint32_t c = 0; c < 16; c += 4) { /* byte c: column c low, column c + 16 high */
                uint32_t four, mask = 0x0f0f0f0f, low, high;
                memcpy(&four, row + 2 + c, 4);
                low = four & mask, high = four >> 4 & mask;
                memcpy(out + c * SR_MATMUL_STRIP, &low, 4);
                memcpy(out + (c + 16) * SR_MATMUL_STRIP, &high, 4);
            }
            int16_t m = (int16_t)(peak > 0 ? sr_roundf(scale[b] / peak * SR_MATMUL_MULTIPLIER) : 0), twice[2] = {m, m};
            memcpy(out + SR_MATMUL_BYTES_BLOCK, twice, 4);
        }
    }
    return 0;
}

/* One row to 7 bits with a scale a group, in the kernels' order. */
static void pack_bytes(const sr_matmul_kernels *kernels, uint32_t group, sr_matrix *w, uint32_t r, const float *row) {
    uint8_t *out = packed_row(w, r);
    for (uint32_t from = 0, g = 0; from < w->cols; from += group, g++) {
        uint32_t to = w->cols - from < group ? w->cols : from + group;
        float peak = kernels->peak(row + from, to - from);
        float inverse = peak > 1e-30f && peak < 1e30f ? 63.0f / peak : 0;
        w->scale[(size_t)g * w->rows + r] = inverse > 0 ? peak / 63.0f : 0;
        uint8_t bytes[SR_MATMUL_GROUP];
        for (uint32_t c = 0; c < to - from; c++) {
            float v = row[from + c] * inverse + 12582912.0f; /* rounds half to even */
            uint32_t bits;
            memcpy(&bits, &v, 4);
            bytes[c] = (uint8_t)(bits - 0x4b400000 + 64);
        }
        for (uint32_t c = from; c < to; c += 4) memcpy(out + (size_t)c * 16, bytes + (c - from), 4);
    }
}

static void pack_floats(sr_matrix *w, uint32_t r, const float *row) {
    float *out = w->exact + (size_t)(r & ~15u) * w->cols + (r & 15);
    for (uint32_t c = 0; c < w->cols; c++) out[(size_t)c * SR_MATMUL_STRIP] = row[c];
}

static int read_matrix(sr_model *m, const uint8_t **p, sr_matrix *w, uint32_t first_row, uint32_t rows) {
    uint32_t coding = m->meta.layer_coding;
    size_t row_bytes = sr_coding_row_bytes(coding, w->cols, 0);
    for (uint32_t r = first_row; r < first_row + rows; r++, *p += row_bytes) {
        int e = coding == SR_CODING_Q4 ? pack_nibbles(w, r, *p) : sr_coding_row(coding, *p, w->cols, m->row_scratch);
        if (e < 0) return e;
        if (coding == SR_CODING_F32)
            pack_floats(w, r, m->row_scratch);
        else if (coding != SR_CODING_Q4)
            pack_bytes(m->kernels, m->group, w, r, m->row_scratch);
    }
    return 0;
}

static int read_layer(sr_model *m, uint32_t number) {
    sr_layer *y = &m->layer[number - 1];
    uint32_t dim = m->meta.dim, ffn = m->meta.ffn_dim;
    sr_section s;
    const uint8_t *p;
    int e = verified(m, SR_MODEL_LAYER, number, &p, &s);
    if (e < 0) return e;
    for (uint32_t i = 0; i < 3; i++)
        if ((e = read_matrix(m, &p, &y->qkv, i * dim, dim)) < 0) return e;
    if ((e = read_matrix(m, &p, &y->out, 0, dim)) < 0 || (e = read_matrix(m, &p, &y->up, 0, ffn)) < 0 ||
        (e = read_matrix(m, &p, &y->down, 0, dim)) < 0)
        return e;
    float *const to[] = {y->qkv.bias, y->out.bias, y->attention_norm, y->up.bias, y->down.bias, y->output_norm};
    const uint32_t count[] = {3 * dim, dim, 2 * dim, ffn, dim, 2 * dim};
    for (int i = 0; i < 6; i++) {
        if ((e = read_floats(p, count[i], to[i])) < 0) return e;
        p += (size_t)count[i] * 4;
    }
    return 0;
}

int sr_model_extend(sr_model *m, size_t available_bytes) {
    if (!m) return SR_E_ARGUMENT;
    m->available = available_bytes < m->file.total_bytes ? available_bytes : (size_t)m->file.total_bytes;
    if (m->ready < 0) {
        int e = read_first_part(m);
        if (e < 0) return e;
        m->ready = 0;
    }
    while (m->ready < (int32_t)m->meta.layers) {
        int e = read_layer(m, (uint32_t)m->ready + 1);
        if (e == SR_E_INCOMPLETE) break;
        if (e < 0) return e;
        m->ready++;
    }
    if (!m->whole && m->available == m->file.total_bytes) {
        sr_section s;
        int e = sr_container_verify_optional(&m->file, m->available);
        if (e < 0) return e;
        if (sr_container_find(&m->file, (uint32_t)SR_MODEL_PIECE_IDS, 0, &s) >= 0) {
            if (s.bytes != (uint64_t)m->meta.piece_count * 3) return SR_E_FORMAT;
            m->piece_ids = m->file.file + s.offset;
        }
        m->whole = 1;
    }
    return m->ready;
}

int sr_model_info_get(const sr_model *m, sr_model_info *out) {
    if (!m || !out) return SR_E_ARGUMENT;
    const sr_model_meta *k = &m->meta;
    *out = (sr_model_info){.id = {k->id, k->id_bytes},
                           .prefix = {k->prefix, k->prefix_bytes},
                           .content = m->file.content,
                           .dim = k->dim,
                           .layers = k->layers,
                           .heads = k->heads,
                           .ffn_dim = k->ffn_dim,
                           .vocab = k->piece_count,
                           .max_tokens = k->max_tokens,
                           .layers_ready = m->ready < 0 ? 0xffffffffu : (uint32_t)m->ready,
                           .pooling = k->pooling};
    return 0;
}

void sr_model_embedding(const sr_model *m, uint32_t piece, float *out) {
    const sr_model_meta *k = &m->meta;
    const uint8_t *row = m->embedding + piece * m->embedding_row_bytes;
    if (k->embedding_coding != SR_CODING_PQ) {
        sr_coding_row(k->embedding_coding, row, k->dim, out);
        return;
    }
    uint32_t width = k->dim / k->subspaces;
    const float *book = m->codebooks;
    /* copies of a constant size are a few moves; calling memcpy took most of exit 0's time */
#define COPY(n)                                                                                                        \
    case n:                                                                                                            \
        for (uint32_t s = 0; s < k->subspaces; s++, out += n, book += 256 * n) memcpy(out, book + row[s] * n, n * 4);  \
        return;
    switch (width) {
        COPY(4)
        COPY(6)
        COPY(8)
    default:
        for (uint32_t s = 0; s < k->subspaces; s++, out += width, book += (size_t)256 * width)
            memcpy(out, book + (size_t)row[s] * width, width * sizeof(float));
    }
#undef COPY
}

int sr_model_whitening(const sr_model *m, uint32_t layer, float *mean, float *map) {
    if (!m) return SR_E_ARGUMENT;
    uint32_t dim = m->meta.dim;
    sr_section s;
    if (sr_container_find(&m->file, (uint32_t)SR_MODEL_WHITENING, layer, &s) < 0) return 0;
    const uint8_t *p;
    int e = verified(m, SR_MODEL_WHITENING, layer, &p, &s);
    if (e < 0) return e;
    uint32_t rows = s.bytes < 4 ? 0 : sr_load32(p);
    if (!rows || rows > dim || s.bytes != sr_whitening_bytes(dim, rows)) return SR_E_FORMAT;
    p += 4;
    if (mean && (e = read_floats(p, dim, mean)) < 0) return e;
    p += (size_t)dim * 4;
    for (uint32_t r = 0; map && r < rows; r++, p += sr_coding_row_bytes(SR_CODING_Q8, dim, 0))
        if ((e = sr_coding_row(SR_CODING_Q8, p, dim, map + (size_t)r * dim)) < 0) return e;
    return (int)rows;
}

uint32_t sr_model_upstream_id(const sr_model *m, uint32_t piece) {
    if (!m->piece_ids || piece >= m->meta.piece_count) return piece;
    const uint8_t *p = m->piece_ids + (size_t)piece * 3;
    return (uint32_t)(p[0] | p[1] << 8 | p[2] << 16);
}

size_t sr_model_piece_text(const sr_model *m, uint32_t piece, char out[SR_MAX_PIECE_BYTES + 1]) {
    sr_section s;
    sr_vocab_cursor c;
    if (m->ready < 0 || sr_container_find(&m->file, SR_MODEL_VOCAB, 0, &s) < 0) return 0;
    sr_vocab_begin(&c, m->file.file + s.offset, s.bytes);
    for (uint32_t i = 0; sr_vocab_next(&c); i++)
        if (i == piece) {
            memcpy(out, c.text, c.bytes);
            out[c.bytes] = 0;
            return c.bytes;
        }
    return 0;
}
