/* Near duplicates, by letters and by meaning. */
#include "program/corpus.h"
#include "program/eval_space.h"
#include "program/parallel.h"
#include "program/srv.h"
#include <stdlib.h>
#include <string.h>

/* ---- by letters: sets of runs of five characters ----------------------------------------------------------------- */

typedef struct {
    uint32_t *items; /* sorted, distinct */
    size_t count;
    uint64_t folded; /* hash of the whole text without case, space and punctuation */
} shingles;

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static shingles shingles_of(const char *text) {
    size_t bytes = strlen(text), n = 0;
    uint8_t *folded = memory(bytes + 6);
    for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
        if (*p >= 'A' && *p <= 'Z')
            folded[n++] = *p + 32;
        else if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p >= 0x80)
            folded[n++] = *p;
    }
    shingles s = {memory((n + 1) * sizeof *s.items), 0, n ? srv_hash((char *)folded, n) : 0};
    for (size_t i = 0; i + 5 <= n; i++) s.items[s.count++] = (uint32_t)srv_hash((char *)folded + i, 5);
    if (s.count) qsort(s.items, s.count, sizeof *s.items, by_number);
    size_t kept = 0;
    for (size_t i = 0; i < s.count; i++)
        if (!kept || s.items[kept - 1] != s.items[i]) s.items[kept++] = s.items[i];
    s.count = kept;
    free(folded);
    return s;
}

static double jaccard(const shingles *a, const shingles *b) {
    size_t i = 0, j = 0, both = 0;
    while (i < a->count && j < b->count) {
        if (a->items[i] == b->items[j])
            both++, i++, j++;
        else if (a->items[i] < b->items[j])
            i++;
        else
            j++;
    }
    size_t all = a->count + b->count - both;
    return all ? (double)both / (double)all : 0;
}

typedef struct {
    const corpus *c;
    const shingles *s;
    double limit;
    uint32_t *like; /* [count] row + 1 of an earlier row that is like it */
} text_job;

static void text_one(void *context, int thread, size_t i) {
    (void)thread;
    text_job *t = context;
    const labelled *l = &t->c->prompts;
    const shingles *a = &t->s[i];
    for (size_t j = 0; j < i && !t->like[i]; j++) {
        const shingles *b = &t->s[j];
        bool same = a->folded && a->folded == b->folded; /* in any language */
        double least = (double)(a->count < b->count ? a->count : b->count);
        double most = (double)(a->count < b->count ? b->count : a->count);
        if (!same && least >= t->limit * most && least > 0 && !strcmp(l->rows[i].lang, l->rows[j].lang))
            same = jaccard(a, b) >= t->limit;
        if (same) t->like[i] = (uint32_t)j + 1;
    }
}

static const char *place(const labelled *l, size_t row) {
    static char texts[4][300];
    static int turn;
    char *out = texts[turn++ % 4];
    snprintf(out, sizeof texts[0], "%s:%u", l->files[l->rows[row].file], l->rows[row].line);
    return out;
}

void corpus_near_texts(corpus *c, double limit) {
    size_t n = c->prompts.count;
    shingles *s = memory((n + 1) * sizeof *s);
    text_job t = {c, s, limit, memory((n + 1) * sizeof *t.like)};
    for (size_t i = 0; i < n; i++) s[i] = shingles_of(c->prompts.rows[i].text);
    parallel_for(n, 0, NULL, text_one, &t);
    for (size_t i = 0; i < n; i++)
        if (t.like[i])
            corpus_problem(c, i, "nearly the text of %s: %s", place(&c->prompts, t.like[i] - 1),
                           labelled_short(c->prompts.rows[t.like[i] - 1].text, 60));
    for (size_t i = 0; i < n; i++) free(s[i].items);
    free(s), free(t.like);
}

/* ---- by meaning ----------------------------------------------------------------------------------------------------
 */

enum { BLOCK = 512 };

/* Formulas, number rows and bare code look alike to the model whatever they ask; letters are compared for those. */
static bool is_prose(const char *text) {
    size_t letters = 0, others = 0;
    for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p >= 0xc0;
        letters += letter, others += !letter && *p > ' ' && *p < 0x80;
    }
    return letters > 2 * others && letters > 12;
}

void corpus_near_vectors(corpus *c, const float *rows, size_t dim, double limit, int threads) {
    size_t n = c->prompts.count;
    for (size_t first = 0; first < n; first += BLOCK) {
        size_t count = n - first < BLOCK ? n - first : BLOCK;
        float *similar = space_similarities(rows + first * dim, count, rows, first + count, dim, threads, NULL);
        for (size_t i = 0; i < count; i++) {
            const float *s = similar + i * (first + count);
            size_t best = n;
            if (!is_prose(c->prompts.rows[first + i].text)) continue;
            for (size_t j = 0; j < first + i; j++)
                if ((double)s[j] >= limit && (best == n || s[j] > s[best])) best = j;
            if (best < n)
                corpus_problem(c, first + i, "nearly the meaning (%.3f) of %s: %s", (double)s[best],
                               place(&c->prompts, best), labelled_short(c->prompts.rows[best].text, 60));
        }
        free(similar);
    }
}

size_t corpus_paraphrases(const corpus *c, const float *rows, const labelled *others, const float *other_rows,
                          size_t dim, double limit, int threads) {
    size_t found = 0, n = c->prompts.count;
    for (size_t first = 0; first < others->count; first += BLOCK) {
        size_t count = others->count - first < BLOCK ? others->count - first : BLOCK;
        float *similar = space_similarities(other_rows + first * dim, count, rows, n, dim, threads, NULL);
        for (size_t i = 0; i < count; i++) {
            size_t best = 0;
            for (size_t j = 1; j < n; j++)
                if (similar[i * n + j] > similar[i * n + best]) best = j;
            if ((double)similar[i * n + best] < limit) continue;
            found++;
            /* never the evaluation prompt's text: whoever reads this may be writing the corpus */
            printf("evaluation prompt %s is near (%.3f) %s: %s\n", others->rows[first + i].id,
                   (double)similar[i * n + best], place(&c->prompts, best),
                   labelled_short(c->prompts.rows[best].text, 60));
        }
        free(similar);
    }
    return found;
}
