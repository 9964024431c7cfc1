/* The statistics of eval, sweep and profile. Every random draw comes from a seed, so reruns agree to the last digit. */
#ifndef SR_EVAL_STATS_H
#define SR_EVAL_STATS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SplitMix64 (Steele, Lea, Flood 2014): state += 0x9e3779b97f4a7c15, then mixed. */
typedef struct {
    uint64_t state;
} stats_rng;
uint32_t stats_below(stats_rng *r, uint32_t n); /* the high 32 bits, times n, shifted right by 32: 0..n-1 */
/* First k of a Fisher-Yates shuffle of items[n]. */
void stats_shuffle(stats_rng *r, uint32_t *items, uint32_t n, uint32_t k);

typedef struct {
    double value, low, high; /* 95 % interval: the 2.5th and 97.5th of 100 resamples' percentiles */
} stats_interval;

enum { STATS_RESAMPLES = 2000 };
/* The mean over classes of each class's ratio of sums, numerator[i] / denominator[i] over its units i, with a
 * percentile bootstrap over groups: a resample draws as many groups as there are, with replacement, and takes all units
 * of each; classes that it misses do not count. class_of may be null: one class. group[i] < group_count; groups without
 * units are left out, the others numbered as they appear. */
stats_interval stats_bootstrap(const double *numerator, const double *denominator, const uint32_t *class_of,
                               uint32_t class_count, const uint32_t *group, size_t count, uint32_t group_count,
                               uint64_t seed);
/* Mean of values with a Student interval: for means over repeated draws. */
stats_interval stats_mean(const double *values, size_t count);

/* Two-sided exact McNemar test: b and c are how often only one of the two was right. */
double stats_mcnemar(size_t b, size_t c);

/* Area under the ROC curve of score[i] for positive[i]; ties count half. NaN when one class is missing. */
double stats_auroc(const double *score, const bool *positive, size_t count);

/* Expected calibration error in ten bins of equal width; bins may be null, else bins[10] gets count, confidence, right.
 */
typedef struct {
    size_t count;
    double confidence, right; /* sums */
} stats_bin;
double stats_ece(const double *confidence, const bool *right, size_t count, stats_bin bins[10]);

double stats_quantile(double *values, size_t count, double q); /* sorts values; linear between ranks */
#endif
