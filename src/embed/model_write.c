/* Writing .srm files; see model_write.h and MODEL.md. */
#include "model_write.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const sr_source_model *source;
    uint32_t *order; /* kept pieces (upstream numbers), sorted by text */
    uint32_t count;
} kept;

static const sr_source_model *sort_source; /* qsort has no context; writing is not re-entrant */

static int by_text(const void *a, const void *b) {
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    const uint32_t *at = sort_source->text_offset;
    size_t n = at[i + 1] - at[i], m = at[k + 1] - at[k];
    int c = memcmp(sort_source->text + at[i], sort_source->text + at[k], n < m ? n : m);
    return c ? c : (n > m) - (n < m);
}

static int choose_pieces(kept *k, const sr_source_model *s, const sr_write_options *o) {
    const uint32_t control[] = {s->meta.begin, s->meta.end, s->meta.unknown, s->meta.pad, s->meta.mask};
    k->source = s;
    k->order = malloc(((size_t)s->piece_count + 1) * sizeof *k->order);
    if (!k->order) return SR_E_MEMORY;
    for (uint32_t i = 0; i < s->piece_count; i++) {
        size_t bytes = s->text_offset[i + 1] - s->text_offset[i];
        int wanted = !o->keep || o->keep[i];
        for (int c = 0; c < 5; c++) wanted |= control[c] == i;
        if (wanted && bytes > 0 && bytes <= SR_MAX_PIECE_BYTES) k->order[k->count++] = i;
    }
    sort_source = s;
    qsort(k->order, k->count, sizeof *k->order, by_text);
    for (uint32_t i = 1; i < k->count; i++)
        if (by_text(&k->order[i - 1], &k->order[i]) == 0) return SR_E_ARGUMENT; /* twice the same piece */
    return 0;
}

static uint32_t new_id(const kept *k, uint32_t upstream) {
    for (uint32_t i = 0; i < k->count; i++)
        if (k->order[i] == upstream) return i;
    return (uint32_t)SR_NO_PIECE;
}

static int source_row(const sr_source_matrix *w, uint32_t row, float *out) {
    if (w->q4) return sr_coding_row(SR_CODING_Q4, w->q4 + (size_t)row * (w->cols / 32) * 18, w->cols, out);
    return sr_coding_row(SR_CODING_F32, (const uint8_t *)(w->f32 + (size_t)row * w->cols), w->cols, out);
}

static void store_float(uint8_t *p, float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    sr_store32(p, u);
}

static float round_even(float x) {
    return (x + 12582912.0f) - 12582912.0f;
}

/* Codes one row. Blocks of 4 bits: the scale is the number of largest size, over -8, which then is exact. */
static void code_row(uint32_t coding, const float *x, uint32_t cols, uint8_t *out) {
    if (coding == SR_CODING_F32) {
        for (uint32_t i = 0; i < cols; i++) store_float(out + (size_t)i * 4, x[i]);
    } else if (coding == SR_CODING_Q4) {
        for (uint32_t b = 0; b < cols; b += 32, out += 18) {
            float peak = 0, at_peak = 0;
            for (uint32_t i = b; i < b + 32; i++) {
                float a = x[i] < 0 ? -x[i] : x[i];
                if (a > peak) peak = a, at_peak = x[i];
            }
            uint16_t half = sr_float_to_half(at_peak / -8.0f);
            float scale = sr_half_to_float(half), inverse = scale != 0 ? 1.0f / scale : 0;
            out[0] = (uint8_t)half, out[1] = (uint8_t)(half >> 8);
            for (uint32_t j = 0; j < 16; j++) {
                int q[2];
                for (uint32_t h = 0; h < 2; h++) {
                    float v = round_even(x[b + j + 16 * h] * inverse);
                    q[h] = v < -8 ? 0 : v > 7 ? 15 : (int)v + 8;
                }
                out[2 + j] = (uint8_t)(q[0] | q[1] << 4);
            }
        }
    } else if (coding == SR_CODING_Q8_BLOCKS) {
        for (uint32_t b = 0; b < cols; b += 32, out += 34) {
            float peak = 0;
            for (uint32_t i = b; i < b + 32; i++) {
                float a = x[i] < 0 ? -x[i] : x[i];
                if (a > peak) peak = a;
            }
            uint16_t half = sr_float_to_half(peak / 127.0f);
            float scale = sr_half_to_float(half), inverse = scale != 0 ? 1.0f / scale : 0;
            out[0] = (uint8_t)half, out[1] = (uint8_t)(half >> 8);
            for (uint32_t j = 0; j < 32; j++) {
                float v = round_even(x[b + j] * inverse);
                out[2 + j] = (uint8_t)(int8_t)(v > 127 ? 127 : v < -127 ? -127 : (int)v);
            }
        }
    } else {
        float peak = 0;
        for (uint32_t i = 0; i < cols; i++) {
            float a = x[i] < 0 ? -x[i] : x[i];
            if (a > peak) peak = a;
        }
        float scale = peak / 127.0f, inverse = peak > 1e-30f ? 127.0f / peak : 0;
        store_float(out, inverse > 0 ? scale : 0);
        for (uint32_t i = 0; i < cols; i++) out[4 + i] = (uint8_t)(int8_t)(int)round_even(x[i] * inverse);
    }
}

static int put_matrix(uint8_t **at, const sr_source_matrix *w, uint32_t coding, float *scratch) {
    size_t bytes = sr_coding_row_bytes(coding, w->cols, 0);
    for (uint32_t r = 0; r < w->rows; r++, *at += bytes) {
        int e = source_row(w, r, scratch);
        if (e < 0) return e;
        if (w->q4 && coding == SR_CODING_Q4)
            memcpy(*at, w->q4 + r * bytes, bytes); /* never quantised twice */
        else
            code_row(coding, scratch, w->cols, *at);
    }
    return 0;
}

static void put_floats(uint8_t **at, const float *x, size_t count) {
    for (size_t i = 0; i < count; i++, *at += 4) store_float(*at, x[i]);
}

static int put_layer(uint8_t *at, const sr_source_layer *y, const sr_model_meta *m, float *scratch) {
    const sr_source_matrix *const matrices[] = {&y->q, &y->k, &y->v, &y->out, &y->up, &y->down};
    for (int i = 0; i < 6; i++) {
        int e = put_matrix(&at, matrices[i], m->layer_coding, scratch);
        if (e < 0) return e;
    }
    put_floats(&at, y->q_bias, m->dim);
    put_floats(&at, y->k_bias, m->dim);
    put_floats(&at, y->v_bias, m->dim);
    put_floats(&at, y->out_bias, m->dim);
    put_floats(&at, y->attention_gain, m->dim);
    put_floats(&at, y->attention_shift, m->dim);
    put_floats(&at, y->up_bias, m->ffn_dim);
    put_floats(&at, y->down_bias, m->dim);
    put_floats(&at, y->output_gain, m->dim);
    put_floats(&at, y->output_shift, m->dim);
    return 0;
}

/* Vocabulary stream; counts its nodes. */
static size_t put_vocab(const kept *k, uint8_t *out, uint32_t *nodes) {
    const sr_source_model *s = k->source;
    const uint8_t *previous = 0;
    size_t previous_bytes = 0, n = 0;
    *nodes = 1;
    for (uint32_t i = 0; i < k->count; i++) {
        const uint8_t *text = s->text + s->text_offset[k->order[i]];
        size_t bytes = s->text_offset[k->order[i] + 1] - s->text_offset[k->order[i]];
        n += sr_vocab_append(out + n, previous, previous_bytes, text, bytes, nodes);
        previous = text, previous_bytes = bytes;
    }
    return n;
}

static void put_scores(const kept *k, sr_model_meta *m, uint8_t *out) {
    float low = 0, high = -1e30f;
    for (uint32_t i = 0; i < k->count; i++) {
        float v = k->source->scores[k->order[i]];
        if (v < low) low = v;
        if (v > high) high = v;
    }
    float top = m->score_coding == SR_SCORES_U8 ? 255.0f : 65535.0f;
    m->score_low = low;
    m->score_step = (high - low) / top;
    for (uint32_t i = 0; i < k->count; i++) {
        float v = k->source->scores[k->order[i]];
        if (m->score_coding == SR_SCORES_F32) {
            store_float(out + (size_t)i * 4, v);
            continue;
        }
        uint32_t code = m->score_step > 0 ? (uint32_t)((v - low) / m->score_step + 0.5f) : 0;
        if (code > (uint32_t)top) code = (uint32_t)top;
        if (m->score_coding == SR_SCORES_U8)
            out[i] = (uint8_t)code;
        else
            out[2 * (size_t)i] = (uint8_t)code, out[2 * (size_t)i + 1] = (uint8_t)(code >> 8);
    }
}

static int put_embedding(const kept *k, const sr_write_options *o, const sr_model_meta *m, uint8_t *table,
                         uint8_t *books, float *scratch) {
    const sr_source_matrix *w = &k->source->embedding;
    size_t bytes = sr_coding_row_bytes(m->embedding_coding, m->dim, m->subspaces);
    if (m->embedding_coding != SR_CODING_PQ) {
        for (uint32_t i = 0; i < k->count; i++, table += bytes) {
            int e = source_row(w, k->order[i], scratch);
            if (e < 0) return e;
            if (w->q4 && m->embedding_coding == SR_CODING_Q4)
                memcpy(table, w->q4 + k->order[i] * bytes, bytes);
            else
                code_row(m->embedding_coding, scratch, m->dim, table);
        }
        return 0;
    }
    float *rows = malloc((size_t)k->count * m->dim * sizeof *rows),
          *weights = malloc((size_t)k->count * sizeof *weights);
    float *trained = malloc((size_t)256 * m->dim * sizeof *trained);
    int e = rows && weights && trained ? 0 : SR_E_MEMORY;
    for (uint32_t i = 0; i < k->count && e == 0; i++) {
        e = source_row(w, k->order[i], rows + (size_t)i * m->dim);
        weights[i] = o->piece_weight ? o->piece_weight[k->order[i]] : 1.0f;
    }
    if (e == 0) e = sr_pq_train(rows, weights, k->count, m->dim, m->subspaces, trained, table, o->progress);
    for (size_t i = 0; e == 0 && i < (size_t)256 * m->dim; i++) {
        uint16_t h = sr_float_to_half(trained[i]);
        books[2 * i] = (uint8_t)h, books[2 * i + 1] = (uint8_t)(h >> 8);
    }
    free(rows);
    free(weights);
    free(trained);
    return e;
}

static int all_finite(const sr_source_model *s, uint32_t layers) {
    const uint32_t dim = s->meta.dim;
    float sum = 0;
#define CHECK_ALL(p, n)                                                                                                \
    for (size_t i = 0; i < (size_t)(n); i++) sum += (p)[i] * 0.0f
    CHECK_ALL(s->embedding_gain, dim);
    CHECK_ALL(s->embedding_shift, dim);
    CHECK_ALL(s->positions, ((size_t)s->meta.max_tokens + s->meta.position_offset) * dim);
    CHECK_ALL(s->scores, s->piece_count);
    for (uint32_t l = 0; l < layers; l++) {
        const sr_source_layer *y = &s->layer[l];
        CHECK_ALL(y->q_bias, dim);
        CHECK_ALL(y->k_bias, dim);
        CHECK_ALL(y->v_bias, dim);
        CHECK_ALL(y->out_bias, dim);
        CHECK_ALL(y->up_bias, s->meta.ffn_dim);
        CHECK_ALL(y->down_bias, dim);
        CHECK_ALL(y->attention_gain, dim);
        CHECK_ALL(y->attention_shift, dim);
        CHECK_ALL(y->output_gain, dim);
        CHECK_ALL(y->output_shift, dim);
    }
#undef CHECK_ALL
    return sum == 0.0f;
}

static const sr_source_whitening *whitening_of(const sr_write_options *o, uint32_t layer) {
    const sr_source_whitening *w = o->whitenings;
    while (w->layer != layer) w++;
    return w;
}

static void put_whitening(uint8_t *p, const sr_source_whitening *w, uint32_t dim) {
    sr_store32(p, w->rows);
    p += 4;
    put_floats(&p, w->mean, dim);
    for (uint32_t r = 0; r < w->rows; r++, p += sr_coding_row_bytes(SR_CODING_Q8, dim, 0))
        code_row(SR_CODING_Q8, w->map + (size_t)r * dim, dim, p);
}

/* Each for another layer that is written, finite, and no larger than a map may be. */
static int whitenings_are_good(const sr_write_options *o, uint32_t dim) {
    for (uint32_t i = 0; i < o->whitening_count; i++) {
        const sr_source_whitening *w = &o->whitenings[i];
        float sum = 0;
        if (w->layer > o->layers || w->rows < SR_MIN_DIM || w->rows > dim) return SR_E_ARGUMENT;
        for (uint32_t j = 0; j < i; j++)
            if (o->whitenings[j].layer == w->layer) return SR_E_ARGUMENT;
        for (uint32_t d = 0; d < dim; d++) sum += w->mean[d] * 0.0f;
        for (size_t d = 0; d < (size_t)w->rows * dim; d++) sum += w->map[d] * 0.0f;
        if (sum != 0.0f) return SR_E_NAN;
    }
    return 0;
}

static int64_t write_kept(const kept *k, const sr_write_options *o, uint8_t **out) {
    const sr_source_model *s = k->source;
    sr_model_meta m = s->meta;
    const uint32_t none = (uint32_t)SR_NO_PIECE;
    m.layers = o->layers;
    m.piece_count = k->count;
    m.upstream_pieces = s->piece_count;
    m.begin = new_id(k, m.begin), m.end = new_id(k, m.end), m.unknown = new_id(k, m.unknown);
    m.pad = m.pad == none ? none : new_id(k, m.pad);
    m.mask = m.mask == none ? none : new_id(k, m.mask);
    m.embedding_coding = o->embedding_coding;
    m.subspaces = o->embedding_coding == SR_CODING_PQ ? o->subspaces : 0;
    m.position_coding = o->position_coding, m.layer_coding = o->layer_coding, m.score_coding = o->score_coding;
    m.unknown_score = 0;
    for (uint32_t i = 0; i < s->piece_count;
         i++) /* upstream's rule: 10 below the least likely piece of the whole vocabulary */
        if (s->scores[i] < m.unknown_score) m.unknown_score = s->scores[i];
    m.unknown_score -= 10.0f;

    size_t text_cap = (size_t)s->text_offset[s->piece_count] + 2 * (size_t)k->count + 16;
    uint8_t *vocab = malloc(text_cap);
    float *scratch = malloc((SR_MODEL_MAX_FFN + SR_MODEL_MAX_WIDTH) * sizeof *scratch);
    uint8_t *file = 0;
    if (!vocab || !scratch) goto memory;
    size_t vocab_bytes = put_vocab(k, vocab, &m.node_count);

    sr_section list[16 + 2 * SR_MODEL_MAX_LAYERS];
    uint32_t n = 0;
#define SECTION(kind_, index_, bytes_) list[n++] = (sr_section){(uint32_t)(kind_), index_, 0, bytes_, 0}
    SECTION(SR_MODEL_META, 0, SR_MODEL_META_BYTES);
    SECTION(SR_MODEL_VOCAB, 0, vocab_bytes);
    SECTION(SR_MODEL_SCORES, 0, sr_scores_bytes(m.score_coding, k->count));
    SECTION(SR_MODEL_MAP, 0, s->map_bytes);
    if (m.embedding_coding == SR_CODING_PQ) SECTION(SR_MODEL_CODEBOOKS, 0, (uint64_t)512 * m.dim);
    SECTION(SR_MODEL_EMBEDDING, 0, (uint64_t)k->count * sr_coding_row_bytes(m.embedding_coding, m.dim, m.subspaces));
    SECTION(SR_MODEL_EMBEDDING_NORM, 0, (uint64_t)m.dim * 8);
    uint32_t position_rows = m.max_tokens + m.position_offset;
    SECTION(SR_MODEL_POSITIONS, 0, (uint64_t)position_rows * sr_coding_row_bytes(m.position_coding, m.dim, 0));
    uint64_t bias_count = m.attention_bias_reach ? (uint64_t)m.heads * (2 * m.attention_bias_reach - 1) : 0;
    if (bias_count) SECTION(SR_MODEL_ATTENTION_BIAS, 0, bias_count * 4);
    uint64_t layer_bytes = sr_coding_row_bytes(m.layer_coding, m.dim, 0) * (4ull * m.dim + m.ffn_dim) +
                           sr_coding_row_bytes(m.layer_coding, m.ffn_dim, 0) * (uint64_t)m.dim +
                           4 * (9ull * m.dim + m.ffn_dim);
    for (uint32_t l = 1; l <= m.layers; l++) SECTION(SR_MODEL_LAYER, l, layer_bytes);
    if (o->with_ids) SECTION(SR_MODEL_PIECE_IDS, 0, (uint64_t)k->count * 3);
    for (uint32_t i = 0; i < o->whitening_count; i++)
        SECTION(SR_MODEL_WHITENING, o->whitenings[i].layer, sr_whitening_bytes(m.dim, o->whitenings[i].rows));
#undef SECTION
    uint64_t total = sr_container_layout(list, n);
    file = calloc(1, total);
    if (!file) goto memory;

    uint8_t *meta_at = 0, *books_at = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *p = file + list[i].offset;
        int e = 0;
        switch ((int)list[i].kind) {
        case SR_MODEL_META:
            meta_at = p;
            break;
        case SR_MODEL_VOCAB:
            memcpy(p, vocab, vocab_bytes);
            break;
        case SR_MODEL_SCORES:
            put_scores(k, &m, p);
            break;
        case SR_MODEL_MAP:
            memcpy(p, s->map, s->map_bytes);
            break;
        case SR_MODEL_CODEBOOKS:
            books_at = p;
            break;
        case SR_MODEL_EMBEDDING:
            e = put_embedding(k, o, &m, p, books_at, scratch);
            break;
        case SR_MODEL_EMBEDDING_NORM:
            put_floats(&p, s->embedding_gain, m.dim);
            put_floats(&p, s->embedding_shift, m.dim);
            break;
        case SR_MODEL_POSITIONS:
            for (uint32_t r = 0; r < position_rows; r++, p += sr_coding_row_bytes(m.position_coding, m.dim, 0))
                code_row(m.position_coding, s->positions + (size_t)r * m.dim, m.dim, p);
            break;
        case SR_MODEL_ATTENTION_BIAS:
            put_floats(&p, s->attention_bias, bias_count);
            break;
        case SR_MODEL_LAYER:
            e = put_layer(p, &s->layer[list[i].index - 1], &m, scratch);
            break;
        case SR_MODEL_WHITENING:
            put_whitening(p, whitening_of(o, list[i].index), m.dim);
            break;
        default:
            for (uint32_t r = 0; r < k->count; r++, p += 3) {
                p[0] = (uint8_t)k->order[r], p[1] = (uint8_t)(k->order[r] >> 8), p[2] = (uint8_t)(k->order[r] >> 16);
            }
        }
        if (e < 0) {
            free(vocab), free(scratch), free(file);
            return e;
        }
    }
    sr_model_meta_store(meta_at, &m);
    sr_container_seal(file, list, n, "SRM1", 1);
    free(vocab), free(scratch);
    *out = file;
    return (int64_t)total;
memory:
    free(vocab), free(scratch), free(file);
    return SR_E_MEMORY;
}

int64_t sr_model_write(const sr_source_model *source, const sr_write_options *options, uint8_t **out) {
    if (!source || !options || !out || options->layers > source->meta.layers) return SR_E_ARGUMENT;
    if (!all_finite(source, options->layers)) return SR_E_NAN;
    int64_t e = whitenings_are_good(options, source->meta.dim);
    if (e < 0) return e;
    kept k = {0};
    e = choose_pieces(&k, source, options);
    if (e == 0) e = write_kept(&k, options, out);
    free(k.order);
    return e;
}
