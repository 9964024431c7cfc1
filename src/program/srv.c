/* Reads and writes vector files. */
#include "program/srv.h"
#include "container.h"
#include "embed/model.h"
#include "program/cli.h"
#include "program/json.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KIND_META = 1, KIND_STRINGS, KIND_ROWS, KIND_VECTORS, META_BYTES = 64, ROW_BYTES = 16, VERSION = 1 };

uint64_t srv_hash(const char *text, size_t bytes) {
    uint64_t h = sr_hash64(text, bytes);
    return h ? h : 1;
}

static bool same_text(sr_text a, sr_text b) {
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

bool srv_same_pin(const srv_pin *a, const srv_pin *b) {
    return same_text(a->model_id, b->model_id) && same_text(a->prefix, b->prefix) && a->content == b->content &&
           a->embedder == b->embedder && a->layer == b->layer && a->pooling == b->pooling && a->dim == b->dim;
}

const char *srv_pin_text(const srv_pin *p) {
    static char texts[4][512];
    static int turn;
    char *out = texts[turn++ % 4], exit[32] = "", content[64] = "";
    if (p->embedder == SR_EMBEDDER_ENCODER) snprintf(exit, sizeof exit, " exit %u", p->layer);
    if (p->content) snprintf(content, sizeof content, ", content %016llx", (unsigned long long)p->content);
    snprintf(out, sizeof texts[0], "%.*s%s%s (%u dimensions%s%s%.*s%s)", (int)p->model_id.bytes, p->model_id.data, exit,
             p->embedder == SR_EMBEDDER_TABLE ? " piece table" : "", p->dim, content,
             p->prefix.bytes ? ", prefix \"" : "", (int)p->prefix.bytes, p->prefix.data ? p->prefix.data : "",
             p->prefix.bytes ? "\"" : "");
    return out;
}

/* ---- reading -------------------------------------------------------------------------------------------------- */

sr_text srv_id(const srv_file *f, size_t row) {
    const uint8_t *r = f->rows + row * ROW_BYTES;
    return (sr_text){f->strings + sr_load32(r), sr_load32(r + 4)};
}

uint64_t srv_text_hash(const srv_file *f, size_t row) {
    return sr_load64(f->rows + row * ROW_BYTES + 8);
}

void srv_vector(const srv_file *f, size_t row, float *out) {
    size_t dim = f->pin.dim;
    if (!f->is_f16) {
        memcpy(out, f->vectors + row * dim * 4, dim * 4);
        return;
    }
    const uint8_t *p = f->vectors + row * dim * 2;
    for (size_t i = 0; i < dim; i++) out[i] = sr_half_to_float((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
}

static bool string_at(const sr_section *strings, const uint8_t *file, const uint8_t *place, sr_text *out) {
    uint32_t offset = sr_load32(place), bytes = sr_load32(place + 4);
    if (offset > strings->bytes || bytes > strings->bytes - offset) return false;
    *out = (sr_text){(const char *)file + strings->offset + offset, bytes};
    return true;
}

static int check(srv_file *f) {
    const uint8_t *file = f->file.data;
    sr_container c;
    int rc = sr_container_open(file, f->file.bytes, "SRV1", VERSION, &c);
    if (rc < 0) return rc;
    if (f->file.bytes != c.total_bytes) return f->file.bytes < c.total_bytes ? SR_E_TRUNCATED : SR_E_FORMAT;
    sr_section meta, strings, rows, vectors;
    if (sr_container_find(&c, KIND_META, 0, &meta) < 0 || sr_container_find(&c, KIND_STRINGS, 0, &strings) < 0 ||
        sr_container_find(&c, KIND_ROWS, 0, &rows) < 0 || sr_container_find(&c, KIND_VECTORS, 0, &vectors) < 0)
        return SR_E_FORMAT;
    for (uint32_t i = 0; i < c.section_count; i++) {
        sr_section s;
        sr_container_section(&c, i, &s);
        if (s.kind > KIND_VECTORS && !(s.kind & 0x80000000u)) return SR_E_UNSUPPORTED;
        if ((rc = sr_container_verify(&c, &s, f->file.bytes)) < 0) return rc;
    }
    if (meta.bytes != META_BYTES) return SR_E_FORMAT;
    const uint8_t *m = file + meta.offset;
    srv_pin *p = &f->pin;
    uint32_t count = sr_load32(m), flags = sr_load32(m + 20);
    p->dim = sr_load32(m + 4), p->embedder = sr_load32(m + 8), p->layer = sr_load32(m + 12);
    p->pooling = sr_load32(m + 16), p->content = sr_load64(m + 24);
    if (count > SRV_MAX_ROWS || p->dim < SR_MIN_DIM || p->dim > SR_MAX_DIM) return SR_E_LIMIT;
    if (flags > 1 || p->embedder > SR_EMBEDDER_EXTERNAL || p->pooling > SR_POOL_NONE || p->layer > SR_MAX_EXITS)
        return SR_E_FORMAT;
    f->count = count, f->is_f16 = flags & 1, f->content = c.content;
    if (rows.bytes != (uint64_t)count * ROW_BYTES) return SR_E_FORMAT;
    if (vectors.bytes != (uint64_t)count * p->dim * (f->is_f16 ? 2 : 4)) return SR_E_FORMAT;
    if (!string_at(&strings, file, m + 32, &p->model_id) || !string_at(&strings, file, m + 40, &p->prefix))
        return SR_E_FORMAT;
    if (p->model_id.bytes < 1 || p->model_id.bytes > 255) return SR_E_FORMAT;
    f->rows = file + rows.offset, f->vectors = file + vectors.offset;
    f->strings = (const char *)file + strings.offset;
    if (!sr_utf8_valid(f->strings, (size_t)strings.bytes)) return SR_E_UTF8;
    sr_text unused;
    for (size_t i = 0; i < count; i++)
        if (!string_at(&strings, file, f->rows + i * ROW_BYTES, &unused)) return SR_E_FORMAT;
    for (size_t i = 0, n = (size_t)count * p->dim; i < n; i++) {
        float v;
        if (f->is_f16)
            v = sr_half_to_float((uint16_t)(f->vectors[2 * i] | f->vectors[2 * i + 1] << 8));
        else
            memcpy(&v, f->vectors + 4 * i, 4);
        if (!isfinite(v)) return SR_E_NAN;
    }
    return SR_OK;
}

static uint64_t id_hash(sr_text id) {
    return sr_hash64(id.data, id.bytes);
}

static void index_rows(srv_file *f) {
    f->slots = 16;
    while (f->slots < f->count * 2) f->slots *= 2;
    f->by_hash = memory(f->slots * sizeof *f->by_hash);
    f->by_id = memory(f->slots * sizeof *f->by_id);
    for (size_t i = 0; i < f->count; i++) {
        uint64_t h = srv_text_hash(f, i);
        sr_text id = srv_id(f, i);
        uint32_t *table = h ? f->by_hash : f->by_id;
        size_t at = (size_t)(h ? h : id_hash(id)) & (f->slots - 1);
        for (; table[at]; at = (at + 1) & (f->slots - 1))
            if (h ? srv_text_hash(f, table[at] - 1) == h : same_text(srv_id(f, table[at] - 1), id)) break;
        if (!table[at]) table[at] = (uint32_t)i + 1;
    }
}

size_t srv_find(const srv_file *f, uint64_t text_hash, sr_text id) {
    for (size_t at = (size_t)text_hash & (f->slots - 1); text_hash && f->by_hash[at]; at = (at + 1) & (f->slots - 1))
        if (srv_text_hash(f, f->by_hash[at] - 1) == text_hash) return f->by_hash[at] - 1;
    for (size_t at = (size_t)id_hash(id) & (f->slots - 1); f->by_id[at]; at = (at + 1) & (f->slots - 1))
        if (same_text(srv_id(f, f->by_id[at] - 1), id)) return f->by_id[at] - 1;
    return SRV_NONE;
}

bool srv_read(const char *path, srv_file *out) {
    memset(out, 0, sizeof *out);
    if (!file_read(path, &out->file)) return false;
    int rc = check(out);
    if (rc < 0) {
        cli_error("%s: %s (%s); a .srv file of vectors is wanted, as embed and import write it", path,
                  sr_error_text(rc), sr_error_name(rc));
        srv_free(out);
        return false;
    }
    index_rows(out);
    return true;
}

void srv_free(srv_file *f) {
    free(f->by_hash), free(f->by_id);
    file_free(&f->file);
    memset(f, 0, sizeof *f);
}

/* ---- writing -------------------------------------------------------------------------------------------------- */

bool srv_save(const char *path, const srv_write *w) {
    const srv_pin *p = &w->pin;
    if (w->count > SRV_MAX_ROWS) return cli_error("%s: more than %d rows", path, SRV_MAX_ROWS), false;
    uint64_t text_bytes = p->model_id.bytes + p->prefix.bytes;
    for (size_t i = 0; i < w->count; i++) text_bytes += w->ids[i].bytes;
    if (text_bytes > UINT32_MAX) return cli_error("%s: the ids are too long", path), false;
    size_t number = w->is_f16 ? 2 : 4;
    sr_section s[] = {{KIND_META, 0, 0, META_BYTES, 0},
                      {KIND_STRINGS, 0, 0, text_bytes, 0},
                      {KIND_ROWS, 0, 0, (uint64_t)w->count * ROW_BYTES, 0},
                      {KIND_VECTORS, 0, 0, (uint64_t)w->count * p->dim * number, 0}};
    size_t total = (size_t)sr_container_layout(s, 4);
    uint8_t *file = memory(total), *m = file + s[0].offset, *rows = file + s[2].offset, *v = file + s[3].offset;
    char *strings = (char *)file + s[1].offset;
    uint32_t at = 0;
    sr_store32(m, (uint32_t)w->count), sr_store32(m + 4, p->dim), sr_store32(m + 8, p->embedder);
    sr_store32(m + 12, p->layer), sr_store32(m + 16, p->pooling), sr_store32(m + 20, w->is_f16);
    sr_store64(m + 24, p->content);
#define PUT(text, place)                                                                                               \
    do {                                                                                                               \
        if ((text).bytes) memcpy(strings + at, (text).data, (text).bytes);                                             \
        sr_store32((place), at), sr_store32((place) + 4, (uint32_t)(text).bytes);                                      \
        at += (uint32_t)(text).bytes;                                                                                  \
    } while (0)
    PUT(p->model_id, m + 32);
    PUT(p->prefix, m + 40);
    for (size_t i = 0; i < w->count; i++) {
        PUT(w->ids[i], rows + i * ROW_BYTES);
        sr_store64(rows + i * ROW_BYTES + 8, w->hashes ? w->hashes[i] : 0);
    }
    bool fine = true;
    for (size_t i = 0, n = w->count * p->dim; i < n; i++) {
        float value = w->vectors[i];
        if (!isfinite(value) || (w->is_f16 && fabsf(value) > 65504)) {
            sr_text id = w->ids[i / p->dim];
            cli_error("%s: row %.*s holds %s", path, (int)id.bytes, id.data,
                      isfinite(value) ? "a number too large for f16" : "a NaN or an infinity");
            fine = false;
            break;
        }
        if (w->is_f16) {
            uint16_t h = sr_float_to_half(value);
            v[2 * i] = (uint8_t)h, v[2 * i + 1] = (uint8_t)(h >> 8);
        } else {
            memcpy(v + 4 * i, &value, 4);
        }
    }
    if (fine) {
        sr_container_seal(file, s, 4, "SRV1", VERSION);
        fine = file_write(path, file, total);
    }
    free(file);
    return fine;
}
