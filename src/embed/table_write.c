/* Writing piece tables; see table.h and MODEL.md. */
#include "table.h"
#include <stdlib.h>
#include <string.h>

static void store_float(uint8_t *p, float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    sr_store32(p, u);
}

/* 256 values from `top` down, each 15/16 of the one before, the last 0: a piece costs one byte, and is off by at most 3
 * %, which for a scale the row's numbers make up for. */
static void value_steps(float top, float values[256]) {
    values[0] = top;
    for (int i = 1; i < 255; i++) values[i] = values[i - 1] * 0.9375f;
    values[255] = 0;
}

/* The least value that is at least x (so that a row's numbers never pass 127); nearest = 1: the nearest. */
static uint8_t value_code(const float values[256], float x, int nearest) {
    if (!(x > 0)) return 255;
    int i = 0;
    while (i < 253 && values[i + 1] >= x) i++;
    if (nearest && i < 254 && x - values[i + 1] < values[i] - x) i++;
    return (uint8_t)i;
}

static float row_peak(const float *row, uint32_t dim) {
    float peak = 0;
    for (uint32_t d = 0; d < dim; d++) {
        float a = row[d] < 0 ? -row[d] : row[d];
        if (a > peak) peak = a;
    }
    return peak;
}

typedef struct {
    const sr_table_source *source;
    uint32_t *order, count; /* kept pieces by the model's number, ascending: so by text too */
} kept;

static uint32_t new_id(const kept *k, uint32_t piece) {
    for (uint32_t i = 0; i < k->count; i++)
        if (k->order[i] == piece) return i;
    return 0xffffffffu;
}

static size_t put_vocab(const kept *k, const sr_section *from, uint8_t *out, uint32_t *nodes) {
    sr_vocab_cursor c;
    uint8_t previous[SR_MAX_PIECE_BYTES + 1];
    uint32_t previous_bytes = 0, piece = 0, done = 0;
    size_t n = 0;
    *nodes = 1;
    sr_vocab_begin(&c, k->source->model->file.file + from->offset, from->bytes);
    for (; sr_vocab_next(&c) && done < k->count; piece++) {
        if (k->order[done] != piece) continue;
        n += sr_vocab_append(out + n, done ? previous : 0, previous_bytes, c.text, c.bytes, nodes);
        memcpy(previous, c.text, c.bytes);
        previous_bytes = c.bytes;
        done++;
    }
    return n;
}

static void put_rows(const kept *k, uint8_t *rows, uint8_t *scales) {
    const sr_table_source *s = k->source;
    float values[256], top = 0;
    for (uint32_t i = 0; i < k->count; i++) {
        float peak = row_peak(s->rows + (size_t)k->order[i] * s->dim, s->dim);
        if (peak > top) top = peak;
    }
    value_steps(s->step > 0 ? s->step : top / 127.0f, values);
    for (int i = 0; i < 256; i++) store_float(scales + 4 * i, values[i]);
    for (uint32_t i = 0; i < k->count; i++) {
        const float *row = s->rows + (size_t)k->order[i] * s->dim;
        uint8_t code = s->step > 0 ? 0 : value_code(values, row_peak(row, s->dim) / 127.0f, 0);
        scales[1024 + i] = code;
        float inverse = values[code] > 1e-30f ? 1.0f / values[code] : 0;
        for (uint32_t d = 0; d < s->dim; d++) {
            float v = (row[d] * inverse + 12582912.0f) - 12582912.0f;
            rows[(size_t)i * s->dim + d] = (uint8_t)(int8_t)(v > 127 ? 127 : v < -127 ? -127 : (int)v);
        }
    }
}

static void put_weights(const kept *k, uint8_t *out) {
    const float *w = k->source->weights;
    float values[256], top = 0;
    for (uint32_t i = 0; i < k->count; i++)
        if (w[k->order[i]] > top) top = w[k->order[i]];
    value_steps(top, values);
    for (int i = 0; i < 256; i++) store_float(out + 4 * i, values[i]);
    for (uint32_t i = 0; i < k->count; i++) out[1024 + i] = value_code(values, w[k->order[i]], 1);
}

static void put_scores(const kept *k, float *low, float *step, uint8_t *out) {
    const float *scores = k->source->model->tokenizer.scores;
    float high = -1e30f;
    *low = 0;
    for (uint32_t i = 0; i < k->count; i++) {
        float v = scores[k->order[i]];
        if (v < *low) *low = v;
        if (v > high) high = v;
    }
    *step = (high - *low) / 255.0f;
    for (uint32_t i = 0; i < k->count; i++) {
        float v = *step > 0 ? (scores[k->order[i]] - *low) / *step + 0.5f : 0;
        out[i] = (uint8_t)(v > 255 ? 255 : v);
    }
}

static int64_t write_kept(const kept *k, uint8_t **out) {
    const sr_table_source *s = k->source;
    const sr_model_meta *m = &s->model->meta;
    sr_section vocab, map, list[8];
    uint32_t n = 0, nodes;
    if (sr_container_find(&s->model->file, SR_MODEL_VOCAB, 0, &vocab) < 0 ||
        sr_container_find(&s->model->file, SR_MODEL_MAP, 0, &map) < 0)
        return SR_E_ARGUMENT;
    uint8_t *text = malloc((size_t)k->count * (SR_MAX_PIECE_BYTES + 2));
    if (!text) return SR_E_MEMORY;
    size_t text_bytes = put_vocab(k, &vocab, text, &nodes);
    const uint64_t bytes[] = {0,
                              SR_TABLE_META_BYTES,
                              text_bytes,
                              k->count,
                              map.bytes,
                              (uint64_t)k->count * s->dim,
                              1024 + (uint64_t)k->count,
                              1024 + (uint64_t)k->count};
    for (uint32_t kind = SR_TABLE_META; kind <= (s->weights ? SR_TABLE_WEIGHTS : SR_TABLE_SCALES); kind++)
        list[n++] = (sr_section){kind, 0, 0, bytes[kind], 0};
    uint64_t total = sr_container_layout(list, n);
    uint8_t *file = calloc(1, total);
    if (!file) {
        free(text);
        return SR_E_MEMORY;
    }
    uint8_t *p = file + list[0].offset;
    float low, step;
    memcpy(file + list[1].offset, text, text_bytes);
    put_scores(k, &low, &step, file + list[2].offset);
    memcpy(file + list[3].offset, s->model->file.file + map.offset, map.bytes);
    put_rows(k, file + list[4].offset, file + list[5].offset);
    if (s->weights) put_weights(k, file + list[6].offset);
    const uint32_t head[] = {s->dim,
                             k->count,
                             nodes,
                             m->map_count,
                             m->map_outputs,
                             SR_SCORES_U8,
                             sr_model_flags(m),
                             new_id(k, m->begin),
                             new_id(k, m->end),
                             new_id(k, m->unknown),
                             new_id(k, m->pad),
                             new_id(k, m->mask)};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) sr_store32(p + 4 * i, head[i]);
    store_float(p + 48, low), store_float(p + 52, step), store_float(p + 56, m->unknown_score);
    sr_container_seal(file, list, n, "SRT1", 1); /* no prefix: "query: " would say the same of every text */
    free(text);
    *out = file;
    return (int64_t)total;
}

int64_t sr_table_write(const sr_table_source *s, uint8_t **out) {
    if (!s || !out || !s->model || !s->rows || s->model->ready < 0) return SR_E_ARGUMENT;
    if (s->dim < SR_TABLE_MIN_DIM || s->dim > SR_TABLE_MAX_DIM || s->dim % 8) return SR_E_ARGUMENT;
    const sr_model_meta *m = &s->model->meta;
    kept k = {s, malloc((size_t)m->piece_count * sizeof(uint32_t)), 0};
    if (!k.order) return SR_E_MEMORY;
    int64_t e = 0;
    for (uint32_t i = 0; i < m->piece_count; i++) {
        if (s->keep && !s->keep[i] && i != m->begin && i != m->end && i != m->unknown) continue;
        k.order[k.count++] = i;
        for (uint32_t d = 0; d < s->dim; d++)
            if (s->rows[(size_t)i * s->dim + d] - s->rows[(size_t)i * s->dim + d] != 0) e = SR_E_NAN;
        if (s->weights && !(s->weights[i] >= 0 && s->weights[i] - s->weights[i] == 0)) e = SR_E_NAN;
    }
    if (e == 0) e = write_kept(&k, out);
    free(k.order);
    return e;
}
