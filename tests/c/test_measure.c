/* Statistics, labelled prompts, vocabulary levels and heads. */
#include "program/eval_space.h"
#include "program/eval_stats.h"
#include "program/labelled.h"
#include "program/profile_head.h"
#include "program/sweep_text.h"
#include "test.h"
#include <unistd.h>

TEST(mcnemar_is_the_exact_binomial_test) {
    CHECK_NEAR(stats_mcnemar(0, 0), 1, 0);
    CHECK_NEAR(stats_mcnemar(5, 5), 1, 1e-12);
    CHECK_NEAR(stats_mcnemar(0, 5), 0.0625, 1e-12);
    CHECK_NEAR(stats_mcnemar(5, 0), 0.0625, 1e-12);
    CHECK_NEAR(stats_mcnemar(1, 9), 22.0 / 1024, 1e-12);
    CHECK(stats_mcnemar(400, 600) < 1e-9);
}

TEST(auroc_counts_pairs_and_ties_as_half) {
    double score[] = {0.9, 0.5, 0.5, 0.1};
    bool positive[] = {true, true, false, false};
    CHECK_NEAR(stats_auroc(score, positive, 4), 3.5 / 4, 1e-12);
    bool all[] = {true, true, true, true};
    CHECK(isnan(stats_auroc(score, all, 4)));
}

TEST(calibration_error_is_zero_for_honest_confidence) {
    double confidence[20];
    bool right[20];
    for (int i = 0; i < 20; i++) confidence[i] = i < 10 ? 0.85 : 0.25, right[i] = i < 10 ? i < 8 : i < 13;
    CHECK_NEAR(stats_ece(confidence, right, 20, NULL), 0.05, 1e-12);
    CHECK(isnan(stats_ece(confidence, right, 0, NULL)));
}

TEST(bootstrap_is_repeatable_and_covers_the_truth) {
    enum { N = 400 };
    double up[N], one[N];
    uint32_t group[N];
    stats_rng r = {11};
    int covered = 0;
    for (int trial = 0; trial < 40; trial++) {
        for (uint32_t i = 0; i < N; i++) up[i] = stats_below(&r, 10) < 7, one[i] = 1, group[i] = i;
        stats_interval a = stats_bootstrap(up, one, NULL, 1, group, N, N, 1);
        stats_interval b = stats_bootstrap(up, one, NULL, 1, group, N, N, 1);
        CHECK(a.low == b.low && a.high == b.high);
        covered += a.low <= 0.7 && 0.7 <= a.high;
    }
    CHECK(covered >= 34); /* 95 % of 40 is 38 */
}

TEST(shuffles_draw_without_replacement_and_evenly) {
    uint32_t seen[10] = {0}, items[10];
    stats_rng r = {3};
    for (int t = 0; t < 10000; t++) {
        uint32_t used = 0;
        for (uint32_t i = 0; i < 10; i++) items[i] = i;
        stats_shuffle(&r, items, 10, 3);
        for (int i = 0; i < 3; i++) used |= 1u << items[i], seen[items[i]]++;
        CHECK_INT(__builtin_popcount(used), 3);
    }
    for (int i = 0; i < 10; i++) CHECK_NEAR(seen[i], 3000, 200);
}

/* A JSONL in a temporary file, read. */
static labelled read_text(const char *text) {
    char path[] = "/tmp/smartrouter-test-XXXXXX", *paths[] = {path};
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    fputs(text, f);
    fclose(f);
    labelled l;
    CHECK(labelled_read(paths, 1, &(labelled_options){0}, &l));
    unlink(path);
    return l;
}

TEST(versions_are_tied_by_the_id_without_its_language) {
    labelled l = read_text("{\"id\": \"vic-fr-68\", \"text\": \"a\", \"lang\": \"fr\"}\n"
                           "{\"id\": \"vic-de-68\", \"text\": \"b\", \"lang\": \"de\"}\n"
                           "{\"id\": \"de-general-chat-03\", \"text\": \"c\", \"lang\": \"de\"}\n"
                           "{\"id\": \"vic-de-68\", \"text\": \"d\", \"lang\": \"de\", \"group\": \"mine\"}\n"
                           "{\"id\": \"wv-dessert-1\", \"text\": \"e\", \"lang\": \"de\"}\n");
    static const char *const groups[] = {"vic-68", "vic-68", "de-general-chat-03", "mine", "wv-dessert-1"};
    for (size_t i = 0; i < l.count; i++)
        if (strcmp(l.rows[i].group, groups[i]) != 0) FAIL("%s, not %s", l.rows[i].group, groups[i]);
    labelled_free(&l);
}

TEST(rare_words_count_as_complex_in_every_language_alike) {
    char text[20000] = "";
    for (int lang = 0; lang < 2; lang++)
        for (int i = 0; i < 30; i++)
            sprintf(text + strlen(text), "{\"id\": \"%d-%d\", \"lang\": \"l%d\", \"text\": \"%s\"}\n", lang, i, lang,
                    i < 20  ? (lang ? "ein Haus und ein Haus" : "the house and the house")
                    : i % 2 ? "q\xc3\xbcx zw\xc5\x82j vrk"
                            : "zxqv jkpw");
    labelled l = read_text(text);
    uint8_t level[60];
    float bits[60];
    sweep_complexity(&l, level, bits);
    for (int i = 0; i < 60; i++) {
        CHECK_INT(level[i] == 2, i % 30 >= 20);
        CHECK(bits[i] > 0 && isfinite(bits[i]));
    }
    labelled_free(&l);
}

TEST(words_are_counted_between_white_space) {
    CHECK_INT((long long)labelled_words(""), 0);
    CHECK_INT((long long)labelled_words("  one\ttwo\n three. "), 3);
    CHECK(!strcmp(labelled_short("a\n\n b \xc3\xa9\xc3\xa9", 5), "a b \xc3\xa9\xe2\x80\xa6"));
    CHECK(!strcmp(labelled_short("ab", 5), "ab"));
}

TEST(a_head_separates_what_is_separable) {
    enum { N = 300, DIM = 16, CLASSES = 3 };
    static float rows[N * DIM];
    uint32_t labels[N], best[N];
    for (size_t i = 0; i < N; i++) {
        labels[i] = (uint32_t)(i % CLASSES);
        for (size_t d = 0; d < DIM; d++) rows[i * DIM + d] = test_random_f32() + (d == labels[i] ? 3 : 0);
    }
    space_unit(rows, N, DIM, 1);
    head h = head_fit(rows, labels, N, DIM, CLASSES, 1, 2), again = head_fit(rows, labels, N, DIM, CLASSES, 1, 1);
    CHECK(!memcmp(h.weights, again.weights, sizeof(float) * CLASSES * DIM));
    head_apply(&h, rows, N, 2, best, NULL);
    int right = 0;
    for (size_t i = 0; i < N; i++) right += best[i] == labels[i];
    CHECK(right >= N - 3);
    head_free(&h), head_free(&again);
}

TEST(similarities_are_dots_of_unit_rows) {
    enum { A = 19, B = 33, DIM = 7 };
    float a[A * DIM], b[B * DIM];
    for (int i = 0; i < A * DIM; i++) a[i] = test_random_f32();
    for (int i = 0; i < B * DIM; i++) b[i] = test_random_f32();
    space_unit(a, A, DIM, 1), space_unit(b, B, DIM, 1);
    float *s = space_similarities(a, A, b, B, DIM, 2, NULL);
    for (int i = 0; i < A; i++) {
        for (int j = 0; j < B; j++) {
            double sum = 0;
            for (int d = 0; d < DIM; d++) sum += (double)a[i * DIM + d] * (double)b[j * DIM + d];
            CHECK_NEAR(s[i * B + j], sum, 1e-6);
        }
    }
    free(s);
}

TEST_MAIN()
