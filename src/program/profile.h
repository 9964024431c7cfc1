/* Profiles of embedders: routing, and standard benchmarks. */
#ifndef SR_PROFILE_H
#define SR_PROFILE_H
#include "program/sweep_load.h"

/* {"utterances": {"1", "4", "16", "64"}, "prototype", "head", "head_16", "head_64", "routes", "similarity"} of d's
 * vectors, which must have been kept. */
cJSON *profile_routing(const sweep_data *d, int seeds, uint64_t seed, int threads);

/* A benchmark with train and test rows: k-shot and full; null (no message) when the set lacks its vectors. */
typedef struct {
    labelled train, test; /* test includes out-of-scope rows */
    const char **labels;
    uint32_t label_count;
    uint32_t *train_label;
} benchmark;
bool benchmark_read(benchmark *b, char *path);
void benchmark_free(benchmark *b);
/* shots: draws of that many rows a label (0: none). */
cJSON *profile_benchmark(const benchmark *b, const srv_set *set, uint32_t shots, int seeds, uint64_t seed, int threads);

/* Published figures: mean over tasks of a model in mteb-classification.csv; null when it is not there. */
cJSON *profile_mteb(const char *path, const char *model, size_t model_bytes);
#endif
