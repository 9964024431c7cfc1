/* Reading piece tables; see table.h and MODEL.md. */
#include "table.h"
#include <string.h>

struct sr_table {
    uint32_t dim, piece_count;
    uint64_t content;
    sr_tokenizer tokenizer;
    float scale[256], weight[256];
    const int8_t *rows;
    const uint8_t *scale_of, *weight_of; /* weight_of null: all weigh 1 */
    const sr_matmul_kernels *kernels;
    uint32_t prefix_bytes;
    char prefix[SR_TABLE_PREFIX_BYTES];
};

typedef struct {
    uint32_t ids[SR_MAX_TOKENS];
    sr_tokenizer_work tokenizer;
} table_work;

enum {
    HEAD_PIECES = 48,
    TAIL_PIECES = 78
}; /* of a long text: a request stands at the start or the end of what is pasted */

typedef struct {
    sr_container file;
    uint32_t dim, piece_count, node_count, map_count, map_outputs, score_coding, flags;
    uint32_t control[5]; /* begin, end, unknown, pad, mask */
    float score_low, score_step, unknown_score;
    uint32_t prefix_bytes;
    const uint8_t *prefix;
} table_head;

static float load_float(const uint8_t *p) {
    uint32_t u = sr_load32(p);
    float f;
    memcpy(&f, &u, 4);
    return f;
}
static int is_finite(float f) {
    return f - f == 0;
}

static int section(const table_head *h, size_t file_bytes, uint32_t kind, uint64_t bytes, int any_size,
                   const uint8_t **data, size_t *size) {
    sr_section s;
    if (sr_container_find(&h->file, kind, 0, &s) < 0) return SR_E_FORMAT;
    if (!any_size && s.bytes != bytes) return SR_E_FORMAT;
    int e = sr_container_verify(&h->file, &s, file_bytes);
    if (e < 0) return e == SR_E_INCOMPLETE ? SR_E_TRUNCATED : e;
    *data = h->file.file + s.offset;
    if (size) *size = s.bytes;
    return 0;
}

static int read_head(table_head *h, const void *file, size_t file_bytes) {
    const uint8_t *p;
    sr_section s;
    int e = sr_container_open(file, file_bytes, "SRT1", 1, &h->file);
    if (e < 0) return e;
    if (file_bytes < h->file.total_bytes) return SR_E_TRUNCATED;
    for (uint32_t i = 0; i < h->file.section_count; i++) {
        sr_container_section(&h->file, i, &s);
        if (s.kind < 0x80000000u && (s.kind < SR_TABLE_META || s.kind > SR_TABLE_WEIGHTS || s.index))
            return SR_E_UNSUPPORTED;
    }
    if ((e = section(h, file_bytes, SR_TABLE_META, SR_TABLE_META_BYTES, 0, &p, 0)) < 0) return e;
    h->dim = sr_load32(p), h->piece_count = sr_load32(p + 4), h->node_count = sr_load32(p + 8);
    h->map_count = sr_load32(p + 12), h->map_outputs = sr_load32(p + 16), h->score_coding = sr_load32(p + 20);
    h->flags = sr_load32(p + 24);
    for (int i = 0; i < 5; i++) h->control[i] = sr_load32(p + 28 + 4 * i);
    h->score_low = load_float(p + 48), h->score_step = load_float(p + 52), h->unknown_score = load_float(p + 56);
    h->prefix_bytes = sr_load32(p + 60), h->prefix = p + 64;
    for (int i = 104; i < SR_TABLE_META_BYTES; i++)
        if (p[i]) return SR_E_FORMAT;
    if (h->dim < SR_TABLE_MIN_DIM || h->dim > SR_TABLE_MAX_DIM || h->dim % 8) return SR_E_FORMAT;
    if (h->piece_count == 0 || h->node_count == 0 || h->control[2] >= h->piece_count) return SR_E_FORMAT;
    if (h->piece_count > SR_MAX_PIECES || h->node_count > 1u << 24 || h->map_count > SR_MAX_MAP ||
        h->map_outputs > SR_MAX_MAP_OUTPUTS)
        return SR_E_LIMIT;
    if (h->node_count - 1 > h->file.total_bytes || h->piece_count > h->file.total_bytes ||
        h->map_count > h->file.total_bytes || h->map_outputs > h->file.total_bytes)
        return SR_E_FORMAT;
    if (h->score_coding > SR_SCORES_U8 || !sr_tokenizer_flags_good(h->flags)) return SR_E_UNSUPPORTED;
    if (!is_finite(h->score_low) || !is_finite(h->score_step) || !is_finite(h->unknown_score)) return SR_E_NAN;
    return h->prefix_bytes > SR_TABLE_PREFIX_BYTES ? SR_E_FORMAT : 0;
}

static size_t align64(size_t n) {
    return (n + 63) & ~(size_t)63;
}

static size_t table_bytes(const table_head *h) {
    return align64(sizeof(sr_table)) + align64(sr_trie_bytes(h->node_count)) + align64((size_t)h->piece_count * 4) +
           align64(sr_map_bytes(h->map_count, h->map_outputs));
}

int64_t sr_table_bytes(const void *file, size_t file_bytes) {
    table_head h;
    if (!file) return SR_E_ARGUMENT;
    int e = read_head(&h, file, file_bytes);
    return e < 0 ? e : (int64_t)table_bytes(&h);
}

/* 256 numbers and, for each piece, which of them. */
static int read_coded(const table_head *h, size_t file_bytes, uint32_t kind, float *values, const uint8_t **of) {
    const uint8_t *p;
    int e = section(h, file_bytes, kind, 1024 + (uint64_t)h->piece_count, 0, &p, 0);
    if (e < 0) return e;
    for (int i = 0; i < 256; i++) {
        values[i] = load_float(p + 4 * i);
        if (!is_finite(values[i])) return SR_E_NAN;
        if (values[i] < 0) return SR_E_FORMAT;
    }
    *of = p + 1024;
    return 0;
}

int sr_table_open(void *mem, size_t mem_bytes, const void *file, size_t file_bytes, const sr_table **out) {
    table_head h;
    const uint8_t *p;
    size_t n;
    sr_section s;
    if (!mem || !file || !out) return SR_E_ARGUMENT;
    int e = read_head(&h, file, file_bytes);
    if (e < 0) return e;
    if ((uintptr_t)mem % 64 || mem_bytes < table_bytes(&h)) return SR_E_MEMORY;
    sr_table *t = mem;
    memset(t, 0, sizeof *t);
    uint8_t *trie = (uint8_t *)mem + align64(sizeof *t), *scores = trie + align64(sr_trie_bytes(h.node_count));
    uint8_t *map = scores + align64((size_t)h.piece_count * 4);
    t->dim = h.dim, t->piece_count = h.piece_count, t->content = h.file.content;
    t->kernels = sr_matmul_best();
    t->prefix_bytes = h.prefix_bytes;
    memcpy(t->prefix, h.prefix, SR_TABLE_PREFIX_BYTES);
    if ((e = section(&h, file_bytes, SR_TABLE_VOCAB, 0, 1, &p, &n)) < 0 ||
        (e = sr_trie_build(&t->tokenizer.trie, trie, p, n, h.piece_count, h.node_count, h.control, 5)) < 0)
        return e;
    if ((e = section(&h, file_bytes, SR_TABLE_SCORES, sr_scores_bytes(h.score_coding, h.piece_count), 0, &p, 0)) < 0 ||
        (e = sr_scores_read(h.score_coding, h.score_low, h.score_step, p, h.piece_count, (float *)(void *)scores)) < 0)
        return e;
    if ((e = section(&h, file_bytes, SR_TABLE_MAP, 0, 1, &p, &n)) < 0 ||
        (e = sr_map_read(&t->tokenizer, map, p, n, h.map_count, h.map_outputs)) < 0)
        return e;
    t->tokenizer.scores = (const float *)(const void *)scores;
    t->tokenizer.unknown_score = h.unknown_score;
    t->tokenizer.begin = h.control[0], t->tokenizer.end = h.control[1], t->tokenizer.unknown = h.control[2];
    t->tokenizer.flags = h.flags;
    if ((e = section(&h, file_bytes, SR_TABLE_ROWS, (uint64_t)h.piece_count * h.dim, 0, &p, 0)) < 0) return e;
    t->rows = (const int8_t *)p;
    if ((e = read_coded(&h, file_bytes, SR_TABLE_SCALES, t->scale, &t->scale_of)) < 0) return e;
    if (sr_container_find(&h.file, SR_TABLE_WEIGHTS, 0, &s) >= 0 &&
        (e = read_coded(&h, file_bytes, SR_TABLE_WEIGHTS, t->weight, &t->weight_of)) < 0)
        return e;
    if ((e = sr_container_verify_optional(&h.file, file_bytes)) < 0) return e;
    *out = t;
    return 0;
}

uint32_t sr_table_dim(const sr_table *t) {
    return t ? t->dim : 0;
}
uint64_t sr_table_content(const sr_table *t) {
    return t ? t->content : 0;
}
size_t sr_table_work_bytes(const sr_table *t) {
    (void)t;
    return sizeof(table_work);
}

static size_t cut(const sr_table *t, const char *text, size_t bytes, table_work *w, sr_known_words *known) {
    return sr_tokenize(&t->tokenizer, &w->tokenizer, known, t->prefix, t->prefix_bytes, text, bytes, w->ids,
                       HEAD_PIECES + TAIL_PIECES, HEAD_PIECES, 0);
}

int sr_table_pieces(const sr_table *t, const char *text, size_t bytes, void *work, size_t work_bytes, uint32_t *ids,
                    size_t cap) {
    if (!t || (!text && bytes) || !work || (!ids && cap)) return SR_E_ARGUMENT;
    if ((uintptr_t)work % 8 || work_bytes < sizeof(table_work)) return SR_E_MEMORY;
    table_work *w = work;
    size_t n = cut(t, text, bytes, w, 0);
    if (n > cap) n = cap;
    memcpy(ids, w->ids, n * sizeof *ids);
    return (int)n;
}

int sr_table_embed(const sr_table *t, const char *text, size_t bytes, void *work, size_t work_bytes, float *vector) {
    return sr_table_embed_known(t, text, bytes, work, work_bytes, 0, vector);
}

int sr_table_embed_known(const sr_table *t, const char *text, size_t bytes, void *work, size_t work_bytes,
                         sr_known_words *known, float *vector) {
    if (!t || (!text && bytes) || !work || !vector) return SR_E_ARGUMENT;
    if ((uintptr_t)work % 8 || work_bytes < sizeof(table_work)) return SR_E_MEMORY;
    table_work *w = work;
    float sum[SR_TABLE_MAX_DIM] = {0};
    size_t n = cut(t, text, bytes, w, known);
    for (size_t i = 0; i < n; i++) {
        uint32_t id = w->ids[i];
        const int8_t *row = t->rows + (size_t)id * t->dim;
        float scale = t->scale[t->scale_of[id]];
        if (t->weight_of) scale *= t->weight[t->weight_of[id]];
        for (uint32_t d = 0; d < t->dim; d += 8) /* by eights, so that compilers make vectors of it */
            for (uint32_t k = d; k < d + 8; k++) sum[k] += (float)row[k] * scale;
    }
    /* the mean's division by the sum of weights falls away: the vector is made unit length */
    if (!t->kernels->unit(sum, t->dim)) return SR_E_ZERO;
    memcpy(vector, sum, t->dim * sizeof(float));
    return 0;
}
