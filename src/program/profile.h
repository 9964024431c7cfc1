/* Profiles of embedders: routing, and standard benchmarks. */
#ifndef SR_PROFILE_H
#define SR_PROFILE_H
#include "program/sweep_load.h"

/* {"utterances", "raw", "mapped": {"1", "4", "16", "64"}, "prototype", "head", "head_16", "head_64", "routes",
 * "head_routes", "similarity", "raw_similarity"} of d's vectors, which must have been kept. "utterances" is about the
 * pool's mean; raw is plain cosine; mapped is through a map fitted on the pool (absent when pool rows are left out for
 * some tests: it would have seen them). */
cJSON *profile_routing(const sweep_data *d, const srv_set *set, int seeds, uint64_t seed, int threads);
/* {"bytes", "ms", "pieces", "layers"}: what the encoder at `path` takes up, and what a prompt takes of the processor,
 * median of some of the tests, one thread. Null, with a message, when it is not the set's. */
cJSON *profile_cost(const char *path, const srv_set *set, const labelled *tests);

/* A benchmark with train and test rows: k-shot and full; null (no message) when the set lacks its vectors. */
typedef struct {
    labelled train, test; /* test includes out-of-scope rows */
    const char **labels;
    uint32_t label_count;
    uint32_t *train_label;
} benchmark;
bool benchmark_read(benchmark *b, char *path, uint32_t one_in);
void benchmark_free(benchmark *b);
/* At most k rows of each label (0: all), drawn, in order of their labels; returns how many. */
size_t benchmark_draw(const benchmark *b, uint32_t k, stats_rng *r, uint32_t *rows);
int32_t *benchmark_truth(const benchmark *b); /* label of each test, -1 out of scope; memory from memory() */
/* shots: draws of that many rows a label (0: none). */
cJSON *profile_benchmark(const benchmark *b, const srv_set *set, uint32_t shots, int seeds, uint64_t seed, int threads);

/* Of answers to tests: accuracy within scope; where there are tests out of scope (truth -1), how well the score tells
 * them apart, else NaN: area under the ROC curve, and the share caught where 5 % of the others are lost. */
typedef struct {
    double accuracy, auroc, recall;
} profile_outcome;
profile_outcome profile_outcome_of(const int32_t *truth, const uint32_t *best, const double *score, size_t count);
/* Means of draws, as member `name` of `to`, which is returned. */
enum { PROFILE_MAX_DRAWS = 64 };
cJSON *profile_add_outcomes(cJSON *to, const char *name, const profile_outcome *o, size_t count);

/* Published figures: mean over tasks of a model in mteb-classification.csv; null when it is not there. */
cJSON *profile_mteb(const char *path, const char *model, size_t model_bytes);
#endif
