/* Text to piece ids: SentencePiece's unigram model as XLM-RoBERTa uses it, or WordPiece as BERT does (wordpiece.c).
 *
 * Unigram:
 * Bytes -> code points (invalid UTF-8: U+FFFD) -> normalisation map, a code point at a time -> letters take the marks
 * after them (compose.h) -> runs of spaces become one -> each space, and the start of the text, becomes U+2581 -> words
 * begin at U+2581 -> exact Viterbi a word.
 * No piece holds U+2581 but at its start, so the best path of a text is the best paths of its words: words are done
 * one by one, in a fixed amount of memory, for texts of any length, in linear time.
 * A word over SR_WORD_BYTES bytes (a text without spaces) is cut where a piece of its best path ends.
 */
#ifndef SR_TOKENIZER_H
#define SR_TOKENIZER_H
#include "vocab.h"

enum { SR_WORD_BYTES = 1024, SR_WORDPIECE_MAX_CHARACTERS = 100 };

/* tokenizer_flags */
enum {
    SR_TOKENIZER_FUSE_UNKNOWN = 1,     /* unigram: neighbouring unknown characters are one piece */
    SR_TOKENIZER_SPACE_IDEOGRAPHS = 2, /* WordPiece: each ideograph is a word */
    SR_TOKENIZER_SPLIT_HANGUL = 4,     /* WordPiece: syllables become their letters, as decomposition has it */
    SR_TOKENIZER_WORDPIECE_WORDS = 8,  /* WordPiece rather than unigram; in a model META's `tokenizer` says so */
    SR_TOKENIZER_TRIM = 16,            /* unigram: spaces at the end of a text are no word */
    SR_TOKENIZER_READ_CAPITALS = 32,   /* a text in capitals is read as if it were in small letters (capitals.c) */
    SR_TOKENIZER_AS_TYPED = 64         /* unigram: a letter and the mark after it are not composed */
};
/* Are these flags of a kind of tokenizer that there is? */
static inline int sr_tokenizer_flags_good(uint32_t flags) {
    uint32_t all = flags & SR_TOKENIZER_WORDPIECE_WORDS
                       ? SR_TOKENIZER_WORDPIECE_WORDS | SR_TOKENIZER_SPACE_IDEOGRAPHS | SR_TOKENIZER_SPLIT_HANGUL
                       : SR_TOKENIZER_FUSE_UNKNOWN | SR_TOKENIZER_TRIM | SR_TOKENIZER_AS_TYPED;
    return (flags & ~(all | SR_TOKENIZER_READ_CAPITALS)) == 0;
}

typedef struct {
    sr_trie trie;
    const float *scores; /* log probability by piece */
    float unknown_score;
    uint32_t begin, end, unknown; /* piece ids; 0xffffffff: none */
    uint32_t flags;
    uint32_t map_count;
    const uint32_t *map_from;  /* sorted code points */
    const uint32_t *map_start; /* map_count + 1 offsets into map_to */
    const uint32_t *map_to;
    const uint8_t *map_bits; /* one bit a code point below SR_MAP_BITS: is it in the map? */
} sr_tokenizer;

enum { SR_MAP_BITS = 0x20000, SR_MAX_MAP = 1 << 17, SR_MAX_MAP_OUTPUTS = 1 << 18 };

typedef struct {
    double best[SR_WORD_BYTES + 1];
    uint32_t piece[SR_WORD_BYTES + 1];
    uint32_t path[SR_WORD_BYTES + 1];
    uint16_t from[SR_WORD_BYTES + 1];
    uint8_t word[SR_WORD_BYTES];
} sr_tokenizer_work;

/* Words met before, and their pieces: a word's best path depends on nothing else. Of prompts in twenty languages, 16384
 * places know 80 % of the words, 2048 places 62 %. A page's memory is dearer, and its user writes in one language or
 * two. All zero before its first use, and with one tokenizer from then on. */
enum {
#if defined(__wasm__)
    SR_KNOWN_SETS = 1024,
#else
    SR_KNOWN_SETS = 8192,
#endif
    SR_KNOWN_BYTES = 32,
    SR_KNOWN_PIECES = 7
};

typedef struct {
    uint64_t text[SR_KNOWN_BYTES / 8]; /* zero-padded */
    uint16_t bytes, count;             /* bytes 0: nothing here */
    uint32_t piece[SR_KNOWN_PIECES];
} sr_known_word;

typedef struct {
    sr_known_word word[SR_KNOWN_SETS][2]; /* of a set, the one asked for last comes first */
} sr_known_words;

/* How scores are stored: f32, or whole numbers of steps above the lowest. */
enum { SR_SCORES_F32 = 0, SR_SCORES_U16 = 1, SR_SCORES_U8 = 2 };
size_t sr_scores_bytes(uint32_t coding, uint32_t count);
/* SR_E_NAN when a score is not finite. */
int sr_scores_read(uint32_t coding, float low, float step, const uint8_t *in, uint32_t count, float *out);

/* Bytes of the map's arrays, 4-byte aligned. */
size_t sr_map_bytes(uint32_t count, uint32_t outputs);
/* Decodes a NORMALISER section into mem. SR_E_FORMAT when it is not sorted, cut, or names no code point. */
int sr_map_read(sr_tokenizer *t, void *mem, const uint8_t *stream, size_t bytes, uint32_t count, uint32_t outputs);
/* Appends one entry; previous is the code point before, or 0. Returns bytes written, at most 6 + 5 * outputs. */
size_t sr_map_append(uint8_t *out, uint32_t previous, uint32_t from, const uint32_t *to, uint32_t outputs);

/* Pieces of prefix + text, without <s> and </s>. Returns how many were kept, at most cap; of a longer text the first
 * `head` and the last cap - head pieces. *total (may be null) gets the number before cutting. known may be null: the
 * pieces are the same, the time is not. */
size_t sr_tokenize(const sr_tokenizer *t, sr_tokenizer_work *work, sr_known_words *known, const char *prefix,
                   size_t prefix_bytes, const char *text, size_t text_bytes, uint32_t *ids, size_t cap, size_t head,
                   size_t *total);
#endif
