/* Ways to spoil a prompt: what each changes, and what it leaves alone. */
#include "program/spoil.h"
#include "test.h"

static const char text[] = "Wie würde ich den Ärger mit Łukasz, пожалуйста, schnellstens beilegen können?";

static char *spoilt(const char *words, const char *lang, uint64_t seed) {
    const spoil_way *way = spoil_ways;
    while (way->words && !strstr(way->words, words)) way++;
    CHECK(way->words);
    stats_rng random = {seed};
    return way->apply(&(spoil_prompt){text, lang, "Logic & Science"}, &random);
}

static size_t words_of(const char *s) {
    size_t n = 0;
    for (; *s; s += strcspn(s, " \n"), s += strspn(s, " \n")) n++;
    return n;
}

TEST(one_word_in_ten_gets_an_error_in_its_inside) {
    size_t changed = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        char *out = spoilt("typing errors", "de", seed), *again = spoilt("typing errors", "de", seed);
        CHECK(!strcmp(out, again)); /* the same seed, the same error */
        CHECK_INT(words_of(out), words_of(text));
        size_t differ = 0;
        const char *a = text, *b = out;
        while (*a && *b) { /* word by word: at most one in ten, and their first bytes stay */
            size_t n = strcspn(a, " "), m = strcspn(b, " ");
            differ += n != m || memcmp(a, b, n) != 0;
            CHECK_INT(*a, *b);
            a += n + (a[n] == ' '), b += m + (b[m] == ' ');
        }
        CHECK(differ <= 2);
        changed += differ > 0;
        free(out), free(again);
    }
    CHECK(changed >= 40); /* two equal letters may have been swapped */
}

TEST(cases_and_accents_go_in_every_script) {
    char *out = spoilt("lower case", "de", 1);
    CHECK(!strcmp(out, "wie würde ich den ärger mit łukasz, пожалуйста, schnellstens beilegen können?"));
    free(out), out = spoilt("capitals", "de", 1);
    CHECK(!strcmp(out, "WIE WÜRDE ICH DEN ÄRGER MIT ŁUKASZ, ПОЖАЛУЙСТА, SCHNELLSTENS BEILEGEN KÖNNEN?"));
    free(out), out = spoilt("accents", "de", 1); /* the bar of Ł is no accent: it stays */
    CHECK(!strcmp(out, "Wie wurde ich den Arger mit Łukasz, пожалуиста, schnellstens beilegen konnen?"));
    free(out);
}

TEST(what_stands_around_it_leaves_the_prompt_whole) {
    static const char *const ways[] = {"greeting", "English", "another route", "pasted before", "pasted after"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (uint64_t seed = 1; seed <= 9; seed++) {
            char *out = spoilt(ways[i], "de", seed);
            CHECK(strstr(out, text) && strlen(out) > strlen(text));
            free(out);
        }
    }
    char *out = spoilt("greeting", "de", 1);
    CHECK(!strncmp(out, "Hallo", 5));
    free(out), out = spoilt("greeting", "tr", 1); /* a language without manners of its own */
    CHECK(!strncmp(out, "Hi", 2));
    free(out), out = spoilt("another route", "de", 1);
    CHECK(strstr(out, "Logic & Science"));
    free(out), out = spoilt("pasted after", "de", 1);
    CHECK(!strncmp(out, text, strlen(text))), CHECK(words_of(out) > 2000);
    free(out), out = spoilt("pasted before", "de", 1);
    CHECK(!strcmp(out + strlen(out) - strlen(text), text));
    free(out);
}

TEST_MAIN()
