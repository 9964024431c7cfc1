/* Texts in capitals. Vocabularies hold few pieces in capitals, so that such a text falls into fragments that say
 * little; models whose tokenizer_flags ask for it read it in small letters instead.
 */
#include "tokenizer_stream.h"

enum { FEWEST_CAPITALS = 5, CAPITALS_A_SMALL_LETTER = 4 };

/* Pairs of a capital and its small letter, alternating; from: a capital. */
static int in_pairs(uint32_t code, uint32_t from, uint32_t to) {
    return code >= from && code <= to && (code - from) % 2 == 0;
}

uint32_t sr_small_letter(uint32_t c, uint32_t next) {
    if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
    if (c >= 0xc0 && c <= 0xde) return c == 0xd7 ? c : c + 32;
    if (c == 0x130) return 'i';
    if (c == 0x178) return 0xff;
    if (in_pairs(c, 0x100, 0x136) || in_pairs(c, 0x139, 0x147) || in_pairs(c, 0x14a, 0x176) ||
        in_pairs(c, 0x179, 0x17d) || in_pairs(c, 0x1cd, 0x1db) || in_pairs(c, 0x200, 0x21e) || c == 0x490)
        return c + 1;
    if (c == 0x386) return 0x3ac;
    if (c >= 0x388 && c <= 0x38a) return c + 37;
    if (c == 0x38c) return 0x3cc;
    if (c == 0x38e || c == 0x38f) return c + 63;
    if (c == 0x3a3 && !(next >= 0x370 && next < 0x400)) return 0x3c2; /* sigma at the end of a word */
    if (c >= 0x391 && c <= 0x3ab && c != 0x3a2) return c + 32;
    if (c >= 0x400 && c <= 0x40f) return c + 80;
    if (c >= 0x410 && c <= 0x42f) return c + 32;
    return c == 0x1e9e ? 0xdf : c;
}

static int is_small(uint32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 0xdf && c <= 0xff && c != 0xf7) || (c >= 0x3ac && c <= 0x3ce) ||
           (c >= 0x430 && c <= 0x45f);
}

int sr_is_in_capitals(const char *text, size_t bytes) {
    const uint8_t *p = (const uint8_t *)text;
    size_t capitals = 0, small = 0;
    for (size_t i = 0; i < bytes && small <= bytes / (CAPITALS_A_SMALL_LETTER + 1);) { /* most texts tell early */
        uint32_t code;
        i += sr_utf8_get(p + i, bytes - i, &code);
        small += is_small(code) != 0;
        capitals += sr_small_letter(code, 0) != code;
    }
    return capitals >= FEWEST_CAPITALS && capitals >= CAPITALS_A_SMALL_LETTER * small;
}
