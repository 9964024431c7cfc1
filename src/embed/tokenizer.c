/* The unigram tokenizer, and what all share: bytes to code points, the map. See tokenizer.h. */
#include "compose.h"
#include "container.h"
#include "tokenizer_stream.h"
#include <string.h>

/* ---- normalisation map ------------------------------------------------------------------------------------- */

static size_t put_varint(uint8_t *out, uint32_t v) {
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) out[n++] = (uint8_t)(v | 0x80);
    out[n++] = (uint8_t)v;
    return n;
}

static int get_varint(const uint8_t **at, const uint8_t *end, uint32_t *v) {
    uint32_t value = 0;
    for (int shift = 0; shift <= 21 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint32_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *v = value;
            return 1;
        }
    }
    return 0;
}

size_t sr_map_bytes(uint32_t count, uint32_t outputs) {
    return ((size_t)count * 2 + 1 + outputs) * 4 + SR_MAP_BITS / 8;
}

size_t sr_map_append(uint8_t *out, uint32_t previous, uint32_t from, const uint32_t *to, uint32_t outputs) {
    size_t n = put_varint(out, from - previous);
    out[n++] = (uint8_t)outputs;
    for (uint32_t i = 0; i < outputs; i++) n += put_varint(out + n, to[i]);
    return n;
}

static int is_scalar_value(uint32_t c) {
    return c < 0xd800 || (c >= 0xe000 && c < 0x110000);
}

int sr_map_read(sr_tokenizer *t, void *mem, const uint8_t *stream, size_t bytes, uint32_t count, uint32_t outputs) {
    uint32_t *from = mem, *start = from + count, *to = start + count + 1;
    uint8_t *bits = (uint8_t *)(to + outputs);
    const uint8_t *at = stream, *end = stream + bytes;
    uint32_t code = 0, done = 0;
    memset(bits, 0, SR_MAP_BITS / 8);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t step, n;
        if (!get_varint(&at, end, &step) || (step == 0 && i > 0) || at == end) return SR_E_FORMAT;
        code += step;
        n = *at++;
        if (!is_scalar_value(code) || n > outputs - done) return SR_E_FORMAT;
        from[i] = code;
        start[i] = done;
        for (uint32_t k = 0; k < n; k++, done++)
            if (!get_varint(&at, end, &to[done]) || !is_scalar_value(to[done])) return SR_E_FORMAT;
        if (code < SR_MAP_BITS) bits[code >> 3] |= (uint8_t)(1 << (code & 7));
    }
    start[count] = done;
    if (at != end || done != outputs) return SR_E_FORMAT;
    t->map_count = count;
    t->map_from = from;
    t->map_start = start;
    t->map_to = to;
    t->map_bits = bits;
    return 0;
}

/* Index in the map, or -1. Most code points are not in it: one bit says so. */
static int64_t find_in_map(const sr_tokenizer *t, uint32_t code) {
    if (code < SR_MAP_BITS && !(t->map_bits[code >> 3] >> (code & 7) & 1)) return -1;
    uint32_t low = 0, high = t->map_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (t->map_from[mid] < code)
            low = mid + 1;
        else
            high = mid;
    }
    return low < t->map_count && t->map_from[low] == code ? (int64_t)low : -1;
}

/* ---- scores -------------------------------------------------------------------------------------------------- */

size_t sr_scores_bytes(uint32_t coding, uint32_t count) {
    return (size_t)count * (coding == SR_SCORES_F32 ? 4 : coding == SR_SCORES_U16 ? 2 : 1);
}

int sr_scores_read(uint32_t coding, float low, float step, const uint8_t *in, uint32_t count, float *out) {
    for (uint32_t i = 0; i < count; i++) {
        if (coding == SR_SCORES_F32) {
            uint32_t u = sr_load32(in + (size_t)i * 4);
            if ((u & 0x7f800000) == 0x7f800000) return SR_E_NAN;
            memcpy(&out[i], &u, 4);
        } else {
            uint32_t u = coding == SR_SCORES_U8 ? in[i] : (uint32_t)(in[2 * (size_t)i] | in[2 * (size_t)i + 1] << 8);
            out[i] = low + step * (float)u;
        }
    }
    return 0;
}

/* ---- words --------------------------------------------------------------------------------------------------- */

static size_t character_bytes(uint8_t lead) {
    return lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static void reverse(uint32_t *a, size_t n) {
    for (size_t i = 0, j = n; i + 1 < j; i++) {
        uint32_t x = a[i];
        a[i] = a[--j];
        a[j] = x;
    }
}

/* Best path over word[0..n). Emits the pieces whose end is at most keep, at least one, *pieces of them, which stand in
 * path, too; returns where they end. Ties: the path whose last piece is longest wins, as upstream. */
static size_t word_pieces(sr_stream *s, size_t n, size_t keep, size_t *pieces) {
    const sr_tokenizer *t = s->t;
    sr_tokenizer_work *w = s->work;
    const double impossible = -1e300;
    for (size_t i = 1; i <= n; i++) w->best[i] = impossible;
    w->best[0] = 0;
    for (size_t i = 0; i < n; i++) {
        if (w->best[i] == impossible) continue;
        double base = w->best[i];
        uint32_t node = 0;
        for (size_t j = i; j < n;) {
            node = sr_trie_child(&t->trie, node, w->word[j++]);
            if (node == 0) break;
            uint32_t piece = sr_trie_piece(&t->trie, node);
            if (piece == 0) continue;
            double score = base + (double)t->scores[piece - 1];
            if (score > w->best[j]) {
                w->best[j] = score;
                w->piece[j] = piece - 1;
                w->from[j] = (uint16_t)i;
            }
        }
        size_t j = i + character_bytes(w->word[i]);
        if (j > n) j = n;
        double score = base + (double)t->unknown_score;
        if (score > w->best[j]) {
            w->best[j] = score;
            w->piece[j] = t->unknown;
            w->from[j] = (uint16_t)i;
        }
    }
    size_t count = 0, end = 0, kept = 0;
    for (size_t i = n; i > 0; i = w->from[i]) {
        if (i > keep && w->from[i] > 0) continue;
        if (count == 0) end = i;
        w->path[count++] = w->piece[i];
    }
    reverse(w->path, count);
    for (size_t i = 0; i < count; i++) {
        int again = i && w->path[i] == t->unknown && w->path[i - 1] == t->unknown;
        if (!(again && t->flags & SR_TOKENIZER_FUSE_UNKNOWN)) w->path[kept++] = w->path[i];
    }
    for (size_t i = 0; i < kept; i++) sr_stream_emit(s, w->path[i]);
    *pieces = kept;
    return end;
}

static sr_known_word *known_set(sr_known_words *known, const uint64_t text[SR_KNOWN_BYTES / 8]) {
    uint64_t h = 0;
    for (size_t i = 0; i < SR_KNOWN_BYTES / 8; i++) h = (h ^ h >> 32 ^ text[i]) * 0x9e3779b97f4a7c15u;
    return known->word[h >> 32 & (SR_KNOWN_SETS - 1)];
}

static int is_known(const sr_known_word *k, const uint64_t text[SR_KNOWN_BYTES / 8], size_t n) {
    uint64_t other = 0;
    for (size_t i = 0; i < SR_KNOWN_BYTES / 8; i++) other |= k->text[i] ^ text[i];
    return k->bytes == n && other == 0;
}

static void flush_word(sr_stream *s) {
    size_t n = s->word_bytes, pieces;
    s->word_bytes = 0;
    if (n == 0) return;
    if (!s->known || n > SR_KNOWN_BYTES) {
        word_pieces(s, n, n, &pieces);
        return;
    }
    uint64_t text[SR_KNOWN_BYTES / 8] = {0};
    memcpy(text, s->work->word, n);
    sr_known_word *k = known_set(s->known, text);
    if (!is_known(k, text, n)) {
        sr_known_word last = k[1];
        k[1] = k[0];
        if (is_known(&last, text, n)) {
            k[0] = last;
        } else {
            k->bytes = 0;
            word_pieces(s, n, n, &pieces);
            if (pieces > SR_KNOWN_PIECES) return;
            k->bytes = (uint16_t)n, k->count = (uint16_t)pieces;
            memcpy(k->text, text, sizeof text);
            memcpy(k->piece, s->work->path, pieces * sizeof *k->piece);
            return;
        }
    }
    for (size_t i = 0; i < k->count; i++) sr_stream_emit(s, k->piece[i]);
}

static void put_bytes(sr_stream *s, const uint8_t *bytes, size_t n) {
    if (s->word_bytes + n > SR_WORD_BYTES) {
        /* paths have long met this far back, so the pieces kept are those of the whole word */
        size_t pieces, done = word_pieces(s, s->word_bytes, SR_WORD_BYTES - 256, &pieces);
        memmove(s->work->word, s->work->word + done, s->word_bytes - done);
        s->word_bytes -= done;
    }
    memcpy(s->work->word + s->word_bytes, bytes, n);
    s->word_bytes += n;
}

static void begin_word(sr_stream *s) {
    flush_word(s);
    put_bytes(s, (const uint8_t *)"\xe2\x96\x81", 3);
}

static void put_code(sr_stream *s, uint32_t c) {
    if (s->t->flags & SR_TOKENIZER_WORDPIECE_WORDS) {
        sr_wordpiece_put(s, c);
        return;
    }
    if (c == 0x20) {
        if (!s->after_space) begin_word(s);
        s->after_space = 1;
        return;
    }
    if (s->word_bytes == 0 && s->total == 0) begin_word(s);
    s->after_space = 0;
    uint8_t b[4];
    put_bytes(s, b, sr_utf8_put(c, b));
}

size_t sr_utf8_get(const uint8_t *p, size_t n, uint32_t *code) {
    uint8_t a = p[0], low = 0x80, high = 0xbf;
    size_t more;
    uint32_t c;
    *code = 0xfffd;
    if (a < 0x80) {
        *code = a;
        return 1;
    }
    if (a >= 0xc2 && a <= 0xdf)
        more = 1, c = a & 0x1f;
    else if (a >= 0xe0 && a <= 0xef) {
        more = 2, c = a & 0x0f;
        if (a == 0xe0) low = 0xa0;
        if (a == 0xed) high = 0x9f;
    } else if (a >= 0xf0 && a <= 0xf4) {
        more = 3, c = a & 0x07;
        if (a == 0xf0) low = 0x90;
        if (a == 0xf4) high = 0x8f;
    } else
        return 1;
    for (size_t i = 1; i <= more; i++) {
        if (i >= n || p[i] < low || p[i] > high) return i;
        low = 0x80, high = 0xbf;
        c = c << 6 | (p[i] & 0x3f);
    }
    *code = c;
    return more + 1;
}

/* What a code point becomes; *alone is room for one that becomes itself. */
static size_t mapped(const sr_tokenizer *t, uint32_t code, const uint32_t **to, uint32_t *alone) {
    int64_t m = find_in_map(t, code);
    *alone = code;
    *to = m < 0 ? alone : t->map_to + t->map_start[m];
    return m < 0 ? 1 : t->map_start[m + 1] - t->map_start[m];
}

/* Takes the marks at p[0..n) into the letter before them, one after the other up to the first that does not go in.
 * As SentencePiece's map has it, a letter that was typed with a mark in it takes no other. Returns the bytes taken. */
static size_t compose_marks(const sr_tokenizer *t, const uint8_t *p, size_t n, uint32_t *letter) {
    size_t done = 0;
    while (done < n && p[done] >= 0xcc) { /* U+0300 begins with this byte */
        const uint32_t *to;
        uint32_t code, alone, both;
        size_t bytes = sr_utf8_get(p + done, n - done, &code);
        if (mapped(t, code, &to, &alone) != 1 || !(both = sr_compose(*letter, *to))) break;
        if (done == 0 && sr_is_composition(*letter)) break;
        *letter = both;
        done += bytes;
    }
    return done;
}

static void put_text(sr_stream *s, const char *text, size_t bytes) {
    const uint8_t *p = (const uint8_t *)text;
    const sr_tokenizer *t = s->t;
    int is_unigram = !(t->flags & SR_TOKENIZER_WORDPIECE_WORDS);
    int composes = is_unigram && !(t->flags & SR_TOKENIZER_AS_TYPED);
    for (size_t i = 0; i < bytes;) {
        const uint32_t *to;
        uint32_t code = p[i], alone;
        /* most bytes: ASCII that the map leaves alone, inside a word, with no mark after it */
        if (is_unigram && !s->lower && code > 0x20 && code < 0x80 && !(t->map_bits[code >> 3] >> (code & 7) & 1) &&
            s->word_bytes && s->word_bytes < SR_WORD_BYTES && (i + 1 == bytes || p[i + 1] < 0xcc)) {
            s->work->word[s->word_bytes++] = (uint8_t)code;
            s->after_space = 0;
            i++;
            continue;
        }
        i += sr_utf8_get(p + i, bytes - i, &code);
        if (s->lower) {
            uint32_t next = 0;
            if (i < bytes) sr_utf8_get(p + i, bytes - i, &next);
            code = sr_small_letter(code, next);
        }
        size_t n = mapped(t, code, &to, &alone);
        if (n == 1 && composes) {
            alone = *to, to = &alone;
            i += compose_marks(t, p + i, bytes - i, &alone);
        }
        for (size_t k = 0; k < n; k++) put_code(s, to[k]);
    }
}

size_t sr_tokenize(const sr_tokenizer *t, sr_tokenizer_work *work, sr_known_words *known, const char *prefix,
                   size_t prefix_bytes, const char *text, size_t text_bytes, uint32_t *ids, size_t cap, size_t head,
                   size_t *total) {
    sr_stream s = {.t = t, .work = work, .known = known, .ids = ids, .cap = cap, .head = head < cap ? head : cap};
    put_text(&s, prefix, prefix_bytes);
    s.lower = t->flags & SR_TOKENIZER_READ_CAPITALS && sr_is_in_capitals(text, text_bytes);
    put_text(&s, text, text_bytes);
    if (t->flags & SR_TOKENIZER_WORDPIECE_WORDS)
        sr_wordpiece_flush(&s);
    else if (!(t->flags & SR_TOKENIZER_TRIM && s.after_space))
        flush_word(&s);
    if (total) *total = s.total;
    if (s.total <= cap) return s.total;
    /* the ring of last pieces, turned so that the oldest comes first */
    size_t tail = cap - s.head;
    if (tail) {
        size_t oldest = (s.total - s.head) % tail;
        uint32_t *ring = ids + s.head;
        reverse(ring, oldest);
        reverse(ring + oldest, tail - oldest);
        reverse(ring, tail);
    }
    return cap;
}
