/* Normalisation maps for models made from folders: one code point to none or more. */
#include "embed/wordpiece.h"
#include "program/model_source.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MAX_OUTPUTS = 255 };

typedef struct {
    sr_model_source *source;
    uint8_t *out;
    size_t room;
    uint32_t previous;
} map_writer;

static int begin(map_writer *w, sr_model_source *s) {
    *w = (map_writer){.source = s, .room = 1 << 21};
    w->out = sr_source_own(s, w->room);
    s->model.map = w->out;
    return w->out ? 0 : SR_E_MEMORY;
}

static int append(map_writer *w, uint32_t from, const uint32_t *to, uint32_t n) {
    sr_source_model *m = &w->source->model;
    if (n > MAX_OUTPUTS || m->map_bytes + 6 + 5 * (size_t)n > w->room || m->meta.map_count >= SR_MAX_MAP ||
        m->meta.map_outputs + n > SR_MAX_MAP_OUTPUTS)
        return SR_E_LIMIT;
    m->map_bytes += sr_map_append(w->out + m->map_bytes, w->previous, from, to, n);
    w->previous = from;
    m->meta.map_count++;
    m->meta.map_outputs += n;
    return 0;
}

static int is_surrogate(uint32_t c) {
    return c >= 0xd800 && c < 0xe000;
}

/* ---- BERT ------------------------------------------------------------------------------------------------------- */

static int is_space(uint32_t c) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return c == '\t' || c == '\n' || c == '\r' || k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL ||
           k == UTF8PROC_CATEGORY_ZP;
}

/* What BERT takes for control: control, format and private use. Unassigned code points are not. */
static int is_removed(uint32_t c) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return c == 0xfffd || k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO;
}

static int is_punctuation(uint32_t c) {
    if (c < 0x80) return (c > 0x20 && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7f);
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

/* One code point through all of BERT's steps. None of them looks at its neighbours: what decomposition would reorder,
 * marks that take no room, is stripped. */
static uint32_t bert_outputs(uint32_t c, const sr_bert_steps *b, uint32_t *out) {
    utf8proc_int32_t parts[32];
    int boundary = 0;
    utf8proc_ssize_t n = 1;
    uint32_t count = 0;
    parts[0] = (utf8proc_int32_t)c;
    if (b->clean && !(c == '\t' || c == '\n' || c == '\r') && is_removed(c)) return 0;
    if (b->clean && is_space(c)) parts[0] = ' ';
    if (b->strip_accents) n = utf8proc_decompose_char(parts[0], parts, 32, UTF8PROC_DECOMPOSE, &boundary);
    if (n < 1 || n > 32) n = 1, parts[0] = (utf8proc_int32_t)c;
    int alone = b->ideographs && sr_is_ideograph(c);
    if (alone) out[count++] = ' ';
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        uint32_t p = (uint32_t)parts[i];
        if (b->strip_accents && utf8proc_category(parts[i]) == UTF8PROC_CATEGORY_MN) continue;
        uint32_t lower = b->lower ? (uint32_t)utf8proc_tolower((utf8proc_int32_t)p) : p;
        if (is_punctuation(lower)) out[count++] = ' ';
        out[count++] = is_space(lower) ? ' ' : lower;
        if (b->lower && p == 0x130) out[count++] = 0x307; /* the one letter whose lower case is two */
        if (is_punctuation(lower)) out[count++] = ' ';
    }
    if (alone) out[count++] = ' ';
    return count;
}

int sr_source_bert_map(sr_model_source *s, const sr_bert_steps *b) {
    map_writer w;
    int e = begin(&w, s);
    s->model.meta.tokenizer_flags = (b->ideographs ? SR_TOKENIZER_SPACE_IDEOGRAPHS : 0) |
                                    (b->strip_accents ? (uint32_t)SR_TOKENIZER_SPLIT_HANGUL : 0);
    for (uint32_t c = 0; c < 0xf0000 && e == 0; c++) { /* private planes would take a megabyte and are in no text */
        if (is_surrogate(c) || (c >= 0xac00 && c < 0xac00 + 11172)) continue;
        uint32_t out[128], n = bert_outputs(c, b, out);
        if (n == 1 && out[0] == c) continue;
        if (n == 3 && out[1] == c && out[0] == ' ' && out[2] == ' ' && b->ideographs && sr_is_ideograph(c)) continue;
        e = append(&w, c, out, n);
    }
    return e;
}

/* ---- SentencePiece's precompiled map -------------------------------------------------------------------------- */

static int base64_value(char c) {
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static int64_t base64_decode(const char *text, uint8_t *out) {
    uint32_t bits = 0, held = 0;
    int64_t n = 0;
    for (; *text && *text != '='; text++) {
        int v = base64_value(*text);
        if (v < 0) return -1;
        bits = (bits << 6 | (uint32_t)v) & 0xffffff;
        if ((held += 6) >= 8) out[n++] = (uint8_t)(bits >> (held -= 8));
    }
    return n;
}

typedef struct {
    const uint8_t *units, *text;
    uint32_t unit_count;
    size_t text_bytes;
} charsmap;

/* Looks up exactly these bytes in the double-array trie; returns where their text begins, or -1. */
static int64_t charsmap_find(const charsmap *m, const uint8_t *key, size_t n) {
    uint32_t at = 0, unit = sr_load32(m->units);
    for (size_t i = 0;; i++) {
        at ^= unit >> 10 << ((unit & 512) >> 6);
        if (i == n) break;
        at ^= key[i];
        if (at >= m->unit_count) return -1;
        unit = sr_load32(m->units + (size_t)at * 4);
        if ((unit & 0x800000ff) != key[i]) return -1;
    }
    if (!(unit >> 8 & 1) || at >= m->unit_count) return -1;
    return sr_load32(m->units + (size_t)at * 4) & 0x7fffffff;
}

static int charsmap_outputs(const charsmap *m, size_t at, uint32_t *out, uint32_t *count) {
    *count = 0;
    for (;;) {
        if (at >= m->text_bytes) return SR_E_FORMAT;
        if (m->text[at] == 0) return 0;
        utf8proc_int32_t c;
        utf8proc_ssize_t used = utf8proc_iterate(m->text + at, (utf8proc_ssize_t)(m->text_bytes - at), &c);
        if (used <= 0 || *count == MAX_OUTPUTS) return SR_E_FORMAT;
        out[(*count)++] = (uint32_t)c;
        at += (size_t)used;
    }
}

int sr_source_precompiled_map(sr_model_source *s, const char *base64) {
    map_writer w;
    size_t room = strlen(base64) / 4 * 3 + 4;
    uint8_t *data = sr_source_own(s, room);
    int e = begin(&w, s);
    if (!data) return SR_E_MEMORY;
    if (e < 0) return e;
    int64_t bytes = base64_decode(base64, data);
    if (bytes < 8) return SR_E_FORMAT;
    uint32_t trie_bytes = sr_load32(data);
    if (trie_bytes % 4 || trie_bytes < 4 || trie_bytes > (uint64_t)bytes - 4) return SR_E_FORMAT;
    charsmap m = {data + 4, data + 4 + trie_bytes, trie_bytes / 4, (size_t)bytes - 4 - trie_bytes};
    /* of its sequences, one tells: a map that composes one letter composes all */
    if (charsmap_find(&m, (const uint8_t *)"e\xcc\x81", 3) < 0) s->model.meta.tokenizer_flags |= SR_TOKENIZER_AS_TYPED;
    for (uint32_t c = 1; c < 0x110000 && e == 0; c++) {
        if (is_surrogate(c)) continue;
        uint8_t key[4];
        uint32_t out[MAX_OUTPUTS], n;
        utf8proc_ssize_t key_bytes = utf8proc_encode_char((utf8proc_int32_t)c, key);
        int64_t at = charsmap_find(&m, key, (size_t)key_bytes);
        if (at < 0) continue;
        if ((e = charsmap_outputs(&m, (size_t)at, out, &n)) < 0) break;
        if (!(n == 1 && out[0] == c)) e = append(&w, c, out, n);
    }
    return e;
}
