/* Bootstrap, McNemar, ROC and calibration. */
#include "program/eval_stats.h"
#include "program/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t next(stats_rng *r) {
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t stats_below(stats_rng *r, uint32_t n) {
    return (uint32_t)((next(r) >> 32) * n >> 32);
}

void stats_shuffle(stats_rng *r, uint32_t *items, uint32_t n, uint32_t k) {
    for (uint32_t i = 0; i < k && i + 1 < n; i++) {
        uint32_t j = i + stats_below(r, n - i), t = items[i];
        items[i] = items[j], items[j] = t;
    }
}

static int rising(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double stats_quantile(double *values, size_t count, double q) {
    if (!count) return NAN;
    qsort(values, count, sizeof *values, rising);
    double at = q * (double)(count - 1);
    size_t low = (size_t)at;
    return low + 1 < count ? values[low] + (at - (double)low) * (values[low + 1] - values[low]) : values[count - 1];
}

static double mean_ratio(const double *sums, uint32_t classes) {
    double sum = 0;
    uint32_t seen = 0;
    for (uint32_t c = 0; c < classes; c++)
        if (sums[2 * c + 1] > 0) sum += sums[2 * c] / sums[2 * c + 1], seen++;
    return seen ? sum / seen : NAN;
}

stats_interval stats_bootstrap(const double *numerator, const double *denominator, const uint32_t *class_of,
                               uint32_t class_count, const uint32_t *group, size_t count, uint32_t group_count,
                               uint64_t seed) {
    if (!class_of) class_count = 1;
    uint32_t *slot = memory((group_count + 1) * sizeof *slot), groups = 0; /* group -> its number + 1 */
    double *sums = memory(2 * (size_t)class_count * sizeof *sums);
    size_t *start = memory((count + 2) * sizeof *start), *units = memory((count + 1) * sizeof *units);
    for (size_t i = 0; i < count; i++) {
        if (!slot[group[i]]) slot[group[i]] = ++groups;
        start[slot[group[i]] + 1]++;
    }
    for (uint32_t g = 2; g < groups + 2; g++) start[g] += start[g - 1]; /* start[g]: where number g's units begin */
    for (size_t i = 0; i < count; i++) units[start[slot[group[i]]]++] = i;
    /* now start[g] is the end of number g's units, and start[g - 1] their beginning */
#define ADD(i)                                                                                                         \
    do {                                                                                                               \
        uint32_t c_ = class_of ? class_of[i] : 0;                                                                      \
        sums[2 * c_] += numerator[i], sums[2 * c_ + 1] += denominator[i];                                              \
    } while (0)
    for (size_t i = 0; i < count; i++) ADD(i);
    stats_interval out = {mean_ratio(sums, class_count), NAN, NAN};
    double *values = memory(STATS_RESAMPLES * sizeof *values);
    size_t n = 0;
    stats_rng r = {seed};
    for (int b = 0; b < STATS_RESAMPLES && groups; b++) {
        memset(sums, 0, 2 * (size_t)class_count * sizeof *sums);
        for (uint32_t i = 0; i < groups; i++) {
            uint32_t g = 1 + stats_below(&r, groups);
            for (size_t u = start[g - 1]; u < start[g]; u++) ADD(units[u]);
        }
#undef ADD
        double value = mean_ratio(sums, class_count);
        if (!isnan(value)) values[n++] = value;
    }
    if (n) out.low = stats_quantile(values, n, 0.025), out.high = stats_quantile(values, n, 0.975);
    free(values), free(units), free(start), free(sums), free(slot);
    return out;
}

/* 97.5th percentile of Student's t by degrees of freedom; above 30 the expansion is right to three digits. */
static double student(size_t degrees) {
    static const double t[] = {0,     12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                               2.201, 2.179,  2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080,
                               2.074, 2.069,  2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
    return degrees <= 30 ? t[degrees] : 1.95996 + 2.3723 / (double)degrees + 2.822 / (double)degrees / (double)degrees;
}

stats_interval stats_mean(const double *values, size_t count) {
    if (!count) return (stats_interval){NAN, NAN, NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    double mean = sum / (double)count;
    if (count == 1) return (stats_interval){mean, mean, mean};
    for (size_t i = 0; i < count; i++) squares += (values[i] - mean) * (values[i] - mean);
    double half = student(count - 1) * sqrt(squares / (double)(count - 1) / (double)count);
    return (stats_interval){mean, mean - half, mean + half};
}

double stats_mcnemar(size_t b, size_t c) {
    size_t n = b + c, least = b < c ? b : c;
    if (!n) return 1;
    double sum = 0, log_half = -log(2) * (double)n;
    for (size_t i = 0; i <= least; i++)
        sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) + log_half);
    return sum * 2 < 1 ? sum * 2 : 1;
}

typedef struct {
    double score;
    bool positive;
} scored;
static int by_score(const void *a, const void *b) {
    return rising(&((const scored *)a)->score, &((const scored *)b)->score);
}

double stats_auroc(const double *score, const bool *positive, size_t count) {
    scored *s = memory(count * sizeof *s);
    double pairs = 0, negatives_below = 0;
    size_t positives = 0;
    for (size_t i = 0; i < count; i++) s[i] = (scored){score[i], positive[i]}, positives += positive[i];
    if (count) qsort(s, count, sizeof *s, by_score);
    for (size_t i = 0; i < count;) {
        size_t end = i, up = 0;
        for (; end < count && s[end].score == s[i].score; end++) up += s[end].positive;
        double down = (double)(end - i - up);
        pairs += (double)up * (negatives_below + down / 2);
        negatives_below += down;
        i = end;
    }
    free(s);
    return pairs / ((double)positives * (double)(count - positives));
}

double stats_ece(const double *confidence, const bool *right, size_t count, stats_bin bins[10]) {
    stats_bin own[10];
    if (!bins) bins = own;
    memset(bins, 0, 10 * sizeof *bins);
    for (size_t i = 0; i < count; i++) {
        int b = (int)(confidence[i] * 10);
        b = b < 0 ? 0 : b > 9 ? 9 : b;
        bins[b].count++, bins[b].confidence += confidence[i], bins[b].right += right[i];
    }
    double error = 0;
    for (int b = 0; b < 10; b++) error += fabs(bins[b].confidence - bins[b].right);
    return count ? error / (double)count : NAN;
}
