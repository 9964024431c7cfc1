/* Sweeps: how should utterances be written? Routes are drawn from a pool of prompts again and again, each time by one
 * setting of length, sentence length, vocabulary, languages; the test prompts are routed by each draw. */
#ifndef SR_SWEEP_H
#define SR_SWEEP_H
#include "program/eval_space.h"
#include "program/eval_stats.h"

enum { SWEEP_BANDS = 5, SWEEP_LEVELS = 3, SWEEP_AGGREGATIONS = 7, SWEEP_ANY = 255 };
extern const char *const sweep_band_names[SWEEP_BANDS];       /* words: under 4, 4-7, 8-14, 15-32, over 32 */
extern const char *const sweep_level_names[SWEEP_LEVELS];     /* low, middle, high */
extern const uint32_t sweep_aggregations[SWEEP_AGGREGATIONS]; /* 1 (max), 2, 3, 5, 8, 16, 0 (mean of all) */

typedef struct {
    labelled pool, tests;
    const char **routes;
    uint32_t route_count;
    int32_t fallback; /* -1: none */
    uint32_t *pool_route, *test_route, *pool_lang, *test_lang;
    uint8_t *pool_band, *pool_level;
    const char **langs;
    uint32_t lang_count;
    int32_t english; /* index among langs, -1 */
    /* Leaving out: tests stand in order of their fold; a fold's tests never meet pool rows of the same value. */
    uint32_t fold_count, *fold_start; /* [fold_count + 1] */
    int32_t *pool_fold;               /* -1: belongs to none of the tests' values */
    float *similar;                   /* [pool][tests] */
    size_t *test_order;               /* position -> row of tests */
    float *pool_rows, *test_rows;     /* unit rows in the space, tests in order; when kept */
    size_t dim;
} sweep_data;

/* What is drawn. SWEEP_ANY: not restricted. languages 0: all; 1..: that many, drawn anew; -1: English only. */
typedef struct {
    uint32_t length;
    uint8_t band, level;
    int32_t languages;
    bool thresholds; /* also try thresholds and margins */
} sweep_setting;

enum { SWEEP_TAUS = 11, SWEEP_MARGINS = 11 };
/* One draw's outcome by aggregation. */
typedef struct {
    double accuracy[SWEEP_AGGREGATIONS], balanced[SWEEP_AGGREGATIONS];
    double seen[SWEEP_AGGREGATIONS], unseen[SWEEP_AGGREGATIONS]; /* tests in a language of the list, and not; NaN */
    double *recall;                                              /* [SWEEP_AGGREGATIONS][route_count] */
    double drawn; /* utterances a route, mean: fewer than asked when the pool is short */
    /* with thresholds, mean of the top 5: by quantile of score and of margin */
    double tau[SWEEP_TAUS], margin[SWEEP_MARGINS];
    double grid_accuracy[SWEEP_TAUS][SWEEP_MARGINS]; /* what misses goes to the fallback */
    double grid_coverage[SWEEP_TAUS][SWEEP_MARGINS],
        grid_answered[SWEEP_TAUS][SWEEP_MARGINS]; /* answered, and right of these */
} sweep_outcome;

typedef struct {
    float *top;                             /* [routes][16][tests] */
    float *sum;                             /* [routes][tests] */
    uint32_t *candidates, *chosen, *counts; /* of one fold */
    double *scratch;
} sweep_work;

sweep_work sweep_work_new(const sweep_data *d);
void sweep_work_free(sweep_work *w);
void sweep_draw(const sweep_data *d, const sweep_setting *s, uint64_t seed, sweep_work *w, sweep_outcome *out);
#endif
