/* What the tokenizers share: pieces going out, the last ones of a long text in a ring. */
#ifndef SR_TOKENIZER_STREAM_H
#define SR_TOKENIZER_STREAM_H
#include "tokenizer.h"

typedef struct {
    const sr_tokenizer *t;
    sr_tokenizer_work *work;
    sr_known_words *known;
    uint32_t *ids;
    size_t cap, head, total; /* total: pieces so far; from cap on, ids[head..cap) is a ring of the last ones */
    size_t word_bytes;       /* unigram, 0: at the start of the text, no word begun */
    int after_space;         /* unigram: the last code point was a space: the word so far is U+2581 alone */
    size_t characters;       /* WordPiece: of the word so far */
    int lower;               /* capitals of the text are read as small letters */
} sr_stream;

static inline void sr_stream_emit(sr_stream *s, uint32_t id) {
    size_t at = s->total++;
    if (at >= s->cap) {
        if (s->head == s->cap) return;
        at = s->head + (at - s->head) % (s->cap - s->head);
    }
    s->ids[at] = id;
}

/* UTF-8 of a code point; returns its bytes, 1 to 4. */
static inline size_t sr_utf8_put(uint32_t c, uint8_t b[4]) {
    if (c < 0x80) {
        b[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        b[0] = (uint8_t)(0xc0 | c >> 6), b[1] = (uint8_t)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        b[0] = (uint8_t)(0xe0 | c >> 12), b[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f)), b[2] = (uint8_t)(0x80 | (c & 0x3f));
        return 3;
    }
    b[0] = (uint8_t)(0xf0 | c >> 18), b[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    b[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f)), b[3] = (uint8_t)(0x80 | (c & 0x3f));
    return 4;
}

/* One code point from n > 0 bytes; returns how many it took. Invalid bytes give U+FFFD, one for each maximal part of a
 * sequence, as browsers decode. */
size_t sr_utf8_get(const uint8_t *p, size_t n, uint32_t *code);

/* Is a text written in capitals? Titles and abbreviations among small letters are not. */
int sr_is_in_capitals(const char *text, size_t bytes);
/* A capital's small letter, of Latin, Greek and Cyrillic script; others as they are. `next`: the code point after it.
 */
uint32_t sr_small_letter(uint32_t code, uint32_t next);

/* One normalised code point, and the end of a word. */
void sr_wordpiece_put(sr_stream *s, uint32_t code);
void sr_wordpiece_flush(sr_stream *s);
#endif
