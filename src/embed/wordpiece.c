/* WordPiece, as BERT uses it: words are taken apart from the left, the longest piece first.
 *
 * What is a space, a mark, a letter of the other case or a sign that stands alone is all in the model's map: a sign "!"
 * is mapped to " ! ", which splits words where BERT's pre-tokenizer does, so that no tables of Unicode are needed here.
 * Only what would make the map large is done by rule: ideographs stand alone, Hangul syllables are taken apart.
 */
#include "wordpiece.h"
#include "tokenizer_stream.h"
#include <string.h>

int sr_is_ideograph(uint32_t c) {
    static const uint32_t ranges[][2] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xf900, 0xfaff},
                                         {0x20000, 0x2a6df}, {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f},
                                         {0x2b920, 0x2ceaf}, {0x2f800, 0x2fa1f}};
    for (size_t i = 0; c >= 0x3400 && i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1]) return 1;
    return 0;
}

void sr_wordpiece_flush(sr_stream *s) {
    const sr_tokenizer *t = s->t;
    sr_tokenizer_work *w = s->work;
    size_t n = s->word_bytes, characters = s->characters, count = 0;
    s->word_bytes = s->characters = 0;
    if (n == 0) return;
    if (characters > SR_WORDPIECE_MAX_CHARACTERS) {
        sr_stream_emit(s, t->unknown);
        return;
    }
    uint32_t sharp = sr_trie_child(&t->trie, 0, '#'), inside = sharp ? sr_trie_child(&t->trie, sharp, '#') : 0;
    for (size_t at = 0; at < n;) {
        uint32_t node = at ? inside : 0, found = 0;
        size_t end = at;
        for (size_t i = at; i < n && (node || at == 0); i++) {
            node = sr_trie_child(&t->trie, node, w->word[i]);
            if (node == 0) break;
            uint32_t piece = sr_trie_piece(&t->trie, node);
            if (piece) found = piece, end = i + 1;
        }
        if (!found) { /* the whole word is unknown then */
            sr_stream_emit(s, t->unknown);
            return;
        }
        w->path[count++] = found - 1;
        at = end;
    }
    for (size_t i = 0; i < count; i++) sr_stream_emit(s, w->path[i]);
}

static void put_letter(sr_stream *s, uint32_t code) {
    /* of a word that is too long, the length is all that matters */
    if (s->characters++ < SR_WORDPIECE_MAX_CHARACTERS)
        s->word_bytes += sr_utf8_put(code, s->work->word + s->word_bytes);
}

void sr_wordpiece_put(sr_stream *s, uint32_t code) {
    if (code == 0x20) {
        sr_wordpiece_flush(s);
    } else if (s->t->flags & SR_TOKENIZER_SPACE_IDEOGRAPHS && sr_is_ideograph(code)) {
        sr_wordpiece_flush(s);
        put_letter(s, code);
        sr_wordpiece_flush(s);
    } else if (s->t->flags & SR_TOKENIZER_SPLIT_HANGUL && code >= 0xac00 && code < 0xac00 + 11172) {
        uint32_t i = code - 0xac00;
        put_letter(s, 0x1100 + i / 588);
        put_letter(s, 0x1161 + i % 588 / 28);
        if (i % 28) put_letter(s, 0x11a7 + i % 28);
    } else
        put_letter(s, code);
}
