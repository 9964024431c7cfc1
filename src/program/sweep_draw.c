/* One draw of utterances, and how it routes the test prompts. */
#include "program/files.h"
#include "program/sweep.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 16 }; /* similarities kept a route and test, falling */
const uint32_t sweep_aggregations[SWEEP_AGGREGATIONS] = {1, 2, 3, 5, 8, 16, 0};
enum { TOP_5 = 3 };

sweep_work sweep_work_new(const sweep_data *d) {
    size_t tests = d->tests.count, routes = d->route_count;
    return (sweep_work){.top = memory(routes * DEPTH * tests * sizeof(float)),
                        .sum = memory(routes * tests * sizeof(float)),
                        .candidates = memory((d->pool.count + 1) * sizeof(uint32_t)),
                        .chosen = memory((d->pool.count + 1) * sizeof(uint32_t)),
                        .counts = memory(routes * sizeof(uint32_t)),
                        .scratch = memory((4 * tests + 2 * routes + 16) * sizeof(double))};
}

void sweep_work_free(sweep_work *w) {
    free(w->top), free(w->sum), free(w->candidates), free(w->chosen), free(w->counts), free(w->scratch);
}

/* Puts v[n] into the sorted columns top[depth][stride]. Without branches, so that the compiler makes vectors of it. */
static void insert(float *restrict top, size_t stride, size_t depth, const float *restrict v, size_t n) {
    enum { CHUNK = 256 };
    float rest[CHUNK];
    for (size_t first = 0; first < n; first += CHUNK) {
        size_t m = n - first < CHUNK ? n - first : CHUNK;
        memcpy(rest, v + first, m * sizeof *rest);
        for (size_t k = 0; k < depth; k++) {
            float *row = top + k * stride + first;
            for (size_t i = 0; i < m; i++) {
                float a = row[i], b = rest[i];
                row[i] = a > b ? a : b, rest[i] = a > b ? b : a;
            }
        }
    }
}

static bool fits(const sweep_data *d, const sweep_setting *s, uint32_t row, uint32_t route, const uint8_t *lang_in) {
    return d->pool_route[row] == route && (s->band == SWEEP_ANY || d->pool_band[row] == s->band) &&
           (s->level == SWEEP_ANY || d->pool_level[row] == s->level) && (!lang_in || lang_in[d->pool_lang[row]]);
}

/* Scores of one fold into w->top and w->sum; returns utterances drawn. */
static size_t score_fold(const sweep_data *d, const sweep_setting *s, uint32_t fold, const uint8_t *lang_in,
                         stats_rng *r, sweep_work *w) {
    size_t stride = d->tests.count, first = d->fold_start[fold], n = d->fold_start[fold + 1] - first, drawn = 0;
    for (uint32_t route = 0; route < d->route_count; route++) {
        uint32_t candidates = 0;
        for (uint32_t u = 0; u < d->pool.count; u++)
            if (d->pool_fold[u] != (int32_t)fold && fits(d, s, u, route, lang_in)) w->candidates[candidates++] = u;
        uint32_t count = candidates < s->length ? candidates : s->length;
        stats_shuffle(r, w->candidates, candidates, count);
        float *top = w->top + route * DEPTH * stride + first, *sum = w->sum + route * stride + first;
        for (size_t k = 0; k < DEPTH; k++)
            for (size_t i = 0; i < n; i++) top[k * stride + i] = -2;
        memset(sum, 0, n * sizeof *sum);
        for (uint32_t c = 0; c < count; c++) {
            const float *v = d->similar + (size_t)w->candidates[c] * stride + first;
            size_t depth = c + 1 < DEPTH ? c + 1 : DEPTH; /* the columns below are still empty */
            insert(top, stride, depth, v, n);
            for (size_t i = 0; i < n; i++) sum[i] += v[i];
        }
        w->counts[route] = count;
        drawn += count;
    }
    return drawn;
}

/* A route's score for a test, by aggregation; -2 without utterances. */
static double score_of(const sweep_data *d, const sweep_work *w, uint32_t route, size_t test, uint32_t k) {
    size_t stride = d->tests.count;
    uint32_t count = w->counts[route];
    if (!count) return -2;
    if (k == 0) return (double)w->sum[route * stride + test] / count;
    double sum = 0;
    uint32_t n = k < count ? k : count;
    for (uint32_t i = 0; i < n; i++) sum += (double)w->top[(route * DEPTH + i) * stride + test];
    return sum / n;
}

typedef struct {
    double right, seen_right;
} tally;

/* What falls short of a quantile of the scores, or of the margins, goes to the fallback. */
static void threshold_grid(const sweep_data *d, sweep_outcome *out, double *score, double *margin, const double *right,
                           const double *fallback_right) {
    size_t n = d->tests.count;
    double *sorted = memory(n * sizeof *sorted);
    for (int t = 0; t < SWEEP_TAUS; t++) {
        memcpy(sorted, score, n * sizeof *sorted);
        out->tau[t] = t ? stats_quantile(sorted, n, 0.05 * t) : -2;
        memcpy(sorted, margin, n * sizeof *sorted);
        out->margin[t] = t ? stats_quantile(sorted, n, 0.05 * t) : 0;
    }
    for (int t = 0; t < SWEEP_TAUS; t++) {
        for (int g = 0; g < SWEEP_MARGINS; g++) {
            double sum = 0, answered = 0, answered_right = 0;
            for (size_t i = 0; i < n; i++) {
                bool answers = score[i] >= out->tau[t] && margin[i] >= out->margin[g];
                sum += answers ? right[i] : fallback_right[i];
                answered += answers, answered_right += answers ? right[i] : 0;
            }
            out->grid_accuracy[t][g] = sum / (double)n;
            out->grid_coverage[t][g] = answered / (double)n;
            out->grid_answered[t][g] = answered > 0 ? answered_right / answered : NAN;
        }
    }
    free(sorted);
}

void sweep_draw(const sweep_data *d, const sweep_setting *s, uint64_t seed, sweep_work *w, sweep_outcome *out) {
    stats_rng r = {seed};
    size_t tests = d->tests.count, drawn = 0;
    uint8_t *lang_in = s->languages ? memory(d->lang_count) : NULL;
    if (s->languages < 0) {
        if (d->english >= 0) lang_in[d->english] = 1;
    } else if (s->languages > 0) {
        uint32_t *order = memory(d->lang_count * sizeof *order), m = (uint32_t)s->languages;
        for (uint32_t i = 0; i < d->lang_count; i++) order[i] = i;
        if (m > d->lang_count) m = d->lang_count;
        stats_shuffle(&r, order, d->lang_count, m);
        for (uint32_t i = 0; i < m; i++) lang_in[order[i]] = 1;
        free(order);
    }
    double *score = w->scratch, *margin = score + tests, *right5 = margin + tests, *fallback_right = right5 + tests;
    double *of_route = fallback_right + tests, seen_count = 0;
    memset(of_route, 0, d->route_count * sizeof *of_route);
    memset(out->recall, 0, SWEEP_AGGREGATIONS * d->route_count * sizeof *out->recall);
    tally t[SWEEP_AGGREGATIONS] = {{0}};
    for (uint32_t fold = 0; fold < d->fold_count; fold++) {
        drawn += score_fold(d, s, fold, lang_in, &r, w);
        for (size_t i = d->fold_start[fold]; i < d->fold_start[fold + 1]; i++) {
            uint32_t truth = d->test_route[i];
            bool seen = !lang_in || (d->test_lang[i] < d->lang_count && lang_in[d->test_lang[i]]);
            seen_count += seen, of_route[truth]++;
            fallback_right[i] = (int32_t)truth == d->fallback;
            for (int a = 0; a < SWEEP_AGGREGATIONS; a++) {
                double best = -3, second = -3;
                uint32_t route = 0;
                for (uint32_t c = 0; c < d->route_count; c++) {
                    double v = score_of(d, w, c, i, sweep_aggregations[a]);
                    if (v > best)
                        second = best, best = v, route = c;
                    else if (v > second)
                        second = v;
                }
                bool right = route == truth;
                t[a].right += right, t[a].seen_right += right && seen;
                out->recall[(size_t)a * d->route_count + truth] += right;
                if (a == TOP_5) score[i] = best, margin[i] = best - second, right5[i] = right;
            }
        }
    }
    for (int a = 0; a < SWEEP_AGGREGATIONS; a++) {
        double balanced = 0;
        uint32_t present = 0;
        for (uint32_t c = 0; c < d->route_count; c++) {
            double *recall = &out->recall[(size_t)a * d->route_count + c];
            *recall = of_route[c] > 0 ? *recall / of_route[c] : NAN;
            if (of_route[c] > 0) balanced += *recall, present++;
        }
        out->accuracy[a] = t[a].right / (double)tests, out->balanced[a] = balanced / present;
        out->seen[a] = seen_count > 0 ? t[a].seen_right / seen_count : NAN;
        double unseen = (double)tests - seen_count;
        out->unseen[a] = unseen > 0 ? (t[a].right - t[a].seen_right) / unseen : NAN;
    }
    out->drawn = (double)drawn / d->route_count / d->fold_count;
    if (s->thresholds) threshold_grid(d, out, score, margin, right5, fallback_right);
    free(lang_in);
}
