/* Text to pieces: the small vocabulary's ids by hand, the real one's against upstream's (tests/golden/e5-pieces.txt).
 */
#include "embed/compose.h"
#include "embed/tokenizer_stream.h"
#include "models.h"
#ifndef __wasm__
#include <utf8proc.h>
#endif

/* Upstream numbers of a text's pieces, without <s> and </s>, as "1 2 3". */
static const char *ids_of(opened *o, const char *text, size_t bytes) {
    static char out[8192];
    uint32_t ids[SR_MAX_TOKENS];
    int n = sr_encoder_start(o->encoder, text, bytes);
    CHECK(n >= 2 && sr_encoder_pieces(o->encoder, ids, SR_MAX_TOKENS) == n);
    CHECK(n < 2 || sr_model_upstream_id(o->model, ids[0]) == 0);
    CHECK(n < 2 || sr_model_upstream_id(o->model, ids[n - 1]) == 2);
    size_t at = 0;
    out[0] = 0;
    for (int i = 1; i + 1 < n; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, "%s%u", i > 1 ? " " : "",
                               sr_model_upstream_id(o->model, ids[i]));
    return out;
}

static void expect(opened *o, const char *text, const char *ids) {
    const char *got = ids_of(o, text, strlen(text));
    if (strcmp(got, ids) != 0) FAIL("'%s' gives %s, not %s", text, got, ids);
}

TEST(finds_the_most_likely_pieces) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    expect(&o, "abc", "15");
    expect(&o, "abcd", "15 8");        /* -9 -6 against -7 -9 and -4 -9 -6 */
    expect(&o, "c de", "4 7 4 17");    /* words begin with U+2581 */
    expect(&o, "d\xc3\xa9", "4 8 10"); /* two bytes, one piece */
    close_model(&o);
}

TEST(collapses_spaces_and_applies_the_map) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    expect(&o, "", "");
    expect(&o, "  c", "4 7");
    expect(&o, "c \t  c ", "4 7 4 7 4"); /* a space at the end is a word of its own, as upstream */
    expect(&o,
           "c\x01"
           "d",
           "4 16");
    expect(&o, "\xe2\x91\xa0", "4 11");
    close_model(&o);
}

TEST(fuses_unknown_characters_and_never_takes_control_pieces_from_text) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    expect(&o, "zzz\xf0\x9f\x98\x80", "4 3");
    expect(&o, "zc", "4 3 7");
    expect(&o, "<s>", "4 3");
    expect(&o, "<mask>c", "4 3 5 3 7"); /* only its a is a piece */
    close_model(&o);
}

TEST(reads_texts_in_capitals_in_small_letters_where_the_model_asks_for_it) {
    sr_write_options w = model_options();
    sr_source_model source = model_source();
    source.meta.tokenizer_flags |= SR_TOKENIZER_READ_CAPITALS;
    uint8_t *file = NULL;
    opened o;
    int64_t bytes = sr_model_write(&source, &w, &file);
    CHECK(bytes > 0 && open_bytes(&o, file, (size_t)bytes) == 0);
    expect(&o, "ABCD ABC", "15 8 15");
    expect(&o, "ABCD\xc3\x89", "15 8 10"); /* an accent, too */
    expect(&o, "ABC", "4 3");              /* too short to tell from an abbreviation */
    close_model(&o);
    o = open_small(&w);
    expect(&o, "ABCD ABC", "4 3 4 3");
    close_model(&o);
}

TEST(tells_capitals_from_titles_and_abbreviations) {
    static const char *const capitals[] = {
        "WARUM GEHT DAS NICHT", "\xce\x93\xce\x99\xce\x91\xce\xa4\xce\x99 \xce\x8c\xce\xa7\xce\x99;",
        "\xd0\x94\xd0\x9e\xd0\x9f\xd0\x9e\xd0\x9c\xd0\x9e\xd0\x96\xd0\x98!!!", "PLEASE HELP, 3rd TIME NOW"};
    static const char *const other[] = {"", "NASA", "What Is SQL?", "RAM: how much do I need", "12345 67890"};
    for (size_t i = 0; i < sizeof capitals / sizeof *capitals; i++)
        CHECK(sr_is_in_capitals(capitals[i], strlen(capitals[i])));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) CHECK(!sr_is_in_capitals(other[i], strlen(other[i])));
    CHECK_INT(sr_small_letter(0x3a3, 0x3b1), 0x3c3);
    CHECK_INT(sr_small_letter(0x3a3, ' '), 0x3c2);
#ifndef __wasm__
    for (uint32_t c = 1; c < 0x250; c++) /* what is not known stays; what is changed, is right */
        if (sr_small_letter(c, 0) != c && c != 0x130)
            CHECK_INT(sr_small_letter(c, 0), (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    for (uint32_t c = 'A'; c < 0x430; c++)
        if ((c < 0x180 || c >= 0x386) && c != 0x130 && c != 0x3a3 && !(c >= 0x3cf && c < 0x400))
            CHECK_INT(sr_small_letter(c, 0), (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
#endif
}

TEST(replaces_invalid_utf8) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    /* U+FFFD is a space in this map: one for each maximal part */
    const char *bad[] = {"c\xffqc", "c\xc3qc", "c\xe2\x82qc", "c\xed\xa0\x80qc", "c\xf8\x88\x80\x80qc", "c\xc0\x80qc"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) expect(&o, bad[i], "4 7 4 20 7");
    expect(&o, "c\xe2\x82", "4 7 4");
    close_model(&o);
}

TEST(keeps_head_and_tail_of_a_long_text) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    char text[400];
    for (int i = 0; i < 100; i++) memcpy(text + 2 * i, i < 70 ? "d " : "c ", 2);
    uint32_t ids[SR_MAX_TOKENS];
    CHECK_INT(sr_encoder_start(o.encoder, text, 199), MODEL_TOKENS);
    CHECK_INT(sr_encoder_pieces(o.encoder, ids, SR_MAX_TOKENS), MODEL_TOKENS);
    for (int i = 0; i < 62; i++) /* 40 from the start, 22 from the end, each word two pieces */
        CHECK_INT(sr_model_upstream_id(o.model, ids[1 + i]), i % 2 == 0 ? 4 : i < 40 ? 8 : 7);
    close_model(&o);
}

TEST(takes_a_megabyte_without_spaces_and_one_of_spaces) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    size_t n = 1 << 20;
    char *text = malloc(n);
    memset(text, 'c', n);
    CHECK_INT(sr_encoder_start(o.encoder, text, n), MODEL_TOKENS);
    memset(text, ' ', n);
    CHECK_INT(sr_encoder_start(o.encoder, text, n), 3);
    memset(text, 0xff, n);
    CHECK(sr_encoder_start(o.encoder, text, n) > 0);
    for (size_t i = 0; i < n; i++) text[i] = (char)test_random();
    CHECK(sr_encoder_start(o.encoder, text, n) > 0);
    free(text);
    close_model(&o);
}

TEST(cuts_a_long_word_where_its_pieces_end) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    sr_tokenizer_work *work = malloc(sizeof *work);
    uint32_t ids[4096];
    char text[6000];
    for (int i = 0; i < 6000; i++) text[i] = "bcdea"[i % 5];
    size_t total, n = sr_tokenize(&o.model->tokenizer, work, 0, "", 0, text, sizeof text, ids, 4096, 4096, &total),
                  bytes = 0;
    char piece[SR_MAX_PIECE_BYTES + 1];
    CHECK_INT((long long)n, (long long)total);
    for (size_t i = 1; i < n; i++) {
        size_t m = sr_model_piece_text(o.model, ids[i], piece);
        CHECK(memcmp(text + bytes, piece, m) == 0);
        bytes += m;
    }
    CHECK_INT((long long)bytes, 6000);
    free(work);
    close_model(&o);
}

TEST(knows_words_again_by_every_byte) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    sr_tokenizer_work *work = malloc(sizeof *work);
    sr_known_words *known = calloc(1, sizeof *known);
    static uint32_t ids[4096], again[4096];
    char text[400];
    for (int round = 0; round < 20000; round++) {
        /* words of up to 40 bytes, zero bytes among them, of which many differ in one byte alone */
        size_t bytes = test_random() % 400;
        for (size_t i = 0; i < bytes; i++) text[i] = "abcd  cde\0z\xc3\xa9"[test_random() % 13];
        size_t n = sr_tokenize(&o.model->tokenizer, work, 0, "", 0, text, bytes, ids, 4096, 4096, 0),
               m = sr_tokenize(&o.model->tokenizer, work, known, "", 0, text, bytes, again, 4096, 4096, 0);
        if (n != m || memcmp(ids, again, n * sizeof *ids) != 0) {
            FAIL("round %d: %zu pieces, known words give %zu, or others", round, n, m);
            break;
        }
    }
    int full = 0;
    for (size_t i = 0; i < SR_KNOWN_SETS; i++) full += known->word[i][0].bytes && known->word[i][1].bytes;
    CHECK(full > 100); /* so words were put away, and had to make room */
    free(known), free(work);
    close_model(&o);
}

TEST(letters_take_the_marks_after_them) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    expect(&o, "e\xcc\x81", "4 10");          /* e, U+0301 */
    expect(&o, "ce\xcc\x81q", "4 7 10 20");   /* in a word */
    expect(&o, "d\xcc\x81", "4 8 3");         /* no such letter: the mark stays, and is unknown */
    expect(&o, "\xc3\xa9\xcc\x81", "4 10 3"); /* one that has a mark already takes no other */
    expect(&o, "e\x01\xcc\x81", "4 9 3");     /* what vanishes still stands between */
    expect(&o, "e\xcc", "4 9 4");             /* cut in the middle of the mark: U+FFFD, here a space */
    close_model(&o);
    sr_source_model s = model_source();
    s.meta.tokenizer_flags |= SR_TOKENIZER_AS_TYPED;
    uint8_t *file;
    int64_t bytes = sr_model_write(&s, &w, &file);
    CHECK_INT(open_bytes(&o, file, (size_t)bytes), 0);
    expect(&o, "e\xcc\x81", "4 9 3");
    close_model(&o);
}

#if !defined(__wasm__) /* reads files, and has libutf8proc */
/* The last step of a canonical decomposition: all but the last part composed again. */
static int two_parts(int32_t c, int32_t pair[2]) {
    int32_t parts[8];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(c, parts, 8, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &boundary);
    if (n < 2 || n > 8) return 0;
    pair[1] = parts[n - 1];
    return utf8proc_normalize_utf32(parts, n - 1, UTF8PROC_STABLE | UTF8PROC_COMPOSE) == 1 && (pair[0] = parts[0], 1);
}

TEST(composes_as_unicode_does) {
    int count = 0;
    for (int32_t c = 0; c < 0x10000; c++) {
        if (c >= 0xd800 && c < 0xe000) continue;
        int32_t all[8], pair[2];
        int boundary = 0;
        /* what stays itself in NFC and has parts in NFD */
        utf8proc_ssize_t n = utf8proc_decompose_char(c, all, 8, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE, &boundary);
        n = n > 8 ? 0 : utf8proc_normalize_utf32(all, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        int composed = n == 1 && all[0] == c && two_parts(c, pair);
        CHECK_INT(sr_is_composition((uint32_t)c), composed);
        if (composed) CHECK_INT(sr_compose((uint32_t)pair[0], (uint32_t)pair[1]), c);
        count += composed;
    }
    CHECK(count > 12000);
    CHECK_INT(sr_compose('e', 'e'), 0);
    CHECK_INT(sr_compose(0, 0x301), 0);
    CHECK_INT(sr_compose(0xac01, 0x11a8), 0);
}

static opened real_model(void) {
    opened o = {0};
    size_t bytes = 0;
    uint8_t *file = read_test_file("build/model/parity.srm", &bytes);
    if (!file || open_bytes(&o, file, bytes) < 0) FAIL("build/model/parity.srm does not open: make model");
    return o;
}

/* Each line: ids, a tab, the text after "query: ". */
static void compare(opened *o, const char *path, int least) {
    size_t n = 0;
    uint8_t *lines = read_test_file(path, &n);
    int count = 0;
    CHECK(lines && o->encoder);
    if (!lines || !o->encoder) return;
    for (char *p = (char *)lines, *end = p + n; p < end; count++) {
        char *tab = memchr(p, '\t', (size_t)(end - p)), *stop = memchr(p, '\n', (size_t)(end - p));
        if (!tab || !stop || tab > stop) break;
        *tab = *stop = 0;
        const char *got = ids_of(o, tab + 1, (size_t)(stop - tab - 1));
        if (strcmp(got, p) != 0) FAIL("'%s' gives %s, not %s", tab + 1, got, p);
        p = stop + 1;
    }
    CHECK(count >= least);
    free(lines);
}

/* Made with the Python package tokenizers from the same vocabulary. */
TEST(gives_upstream_ids_in_fifteen_languages) {
    opened o = real_model();
    compare(&o, "tests/golden/e5-pieces.txt", 30);
    close_model(&o);
}

/* Random strings of pieces, letters of the European scripts and others with marks, decomposed words, controls, signs,
 * unassigned code points. Made with the Python package sentencepiece and its map nmt_nfkc, which is the vocabulary's;
 * runs of a character, where paths tie, and texts that end in a space with the package tokenizers. */
TEST(gives_upstream_ids_of_random_strings) {
    opened o = real_model();
    compare(&o, "tests/golden/e5-random-pieces.txt", 300);
    close_model(&o);
}
#endif
TEST_MAIN()
