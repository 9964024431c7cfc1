/* How well an embedder routes: utterances drawn from the pool, prototypes, heads; similarities right and wrong. */
#include "program/eval_data.h"
#include "program/parallel.h"
#include "program/profile.h"
#include "program/profile_head.h"
#include "program/profile_spaces.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNTS = 4, TOP_5 = 3, HISTOGRAM = 48 };
static const uint32_t counts[COUNTS] = {1, 4, 16, 64};

typedef struct {
    const sweep_data *d;
    int seeds;
    uint64_t seed;
    sweep_work *work;
    double *accuracy; /* [COUNTS][seeds] */
    double *recall;   /* [COUNTS][seeds][routes] */
} drawing;

static void draw_one(void *context, int thread, size_t i) {
    drawing *g = context;
    sweep_setting s = {counts[i / (size_t)g->seeds], SWEEP_ANY, SWEEP_ANY, 0, false};
    sweep_outcome *o = memory(sizeof *o);
    o->recall = memory(SWEEP_AGGREGATIONS * g->d->route_count * sizeof *o->recall);
    sweep_draw(g->d, &s, g->seed + i % (size_t)g->seeds, &g->work[thread], o);
    g->accuracy[i] = o->accuracy[TOP_5];
    memcpy(g->recall + i * g->d->route_count, o->recall + TOP_5 * g->d->route_count,
           g->d->route_count * sizeof *o->recall);
    free(o->recall), free(o);
}

static cJSON *drawn_utterances(const sweep_data *d, int seeds, uint64_t seed, int threads) {
    size_t tasks = COUNTS * (size_t)seeds;
    threads = parallel_threads(threads, tasks);
    drawing g = {d,
                 seeds,
                 seed,
                 memory((size_t)threads * sizeof *g.work),
                 memory(tasks * sizeof *g.accuracy),
                 memory(tasks * d->route_count * sizeof *g.recall)};
    for (int t = 0; t < threads; t++) g.work[t] = sweep_work_new(d);
    parallel_for(tasks, threads, NULL, draw_one, &g);
    cJSON *o = cJSON_CreateObject();
    for (int c = 0; c < COUNTS; c++) {
        char name[16];
        snprintf(name, sizeof name, "%u", counts[c]);
        cJSON *one = eval_interval_json(stats_mean(g.accuracy + c * seeds, (size_t)seeds)),
              *routes = cJSON_AddObjectToObject(one, "routes");
        for (uint32_t r = 0; r < d->route_count; r++) {
            double sum = 0;
            for (int s = 0; s < seeds; s++) sum += g.recall[(size_t)(c * seeds + s) * d->route_count + r];
            cJSON_AddItemToObject(routes, d->routes[r], json_float(sum / seeds));
        }
        cJSON_AddItemToObject(o, name, one);
    }
    for (int t = 0; t < threads; t++) sweep_work_free(&g.work[t]);
    free(g.work), free(g.accuracy), free(g.recall);
    return o;
}

/* Rows of the pool that a fold may see, at most `most` a route (0: all). */
static size_t visible(const sweep_data *d, uint32_t fold, uint32_t most, stats_rng *r, uint32_t *out) {
    size_t n = 0;
    for (uint32_t route = 0; route < d->route_count; route++) {
        uint32_t *mine = out + n, count = 0;
        for (uint32_t u = 0; u < d->pool.count; u++)
            if (d->pool_route[u] == route && d->pool_fold[u] != (int32_t)fold) mine[count++] = u;
        uint32_t kept = most && count > most ? most : count;
        if (kept < count) stats_shuffle(r, mine, count, kept);
        n += kept;
    }
    return n;
}

/* Classifies all tests, fold by fold, by prototypes or a head; right[tests]. */
static double by_rows(const sweep_data *d, bool use_head, uint32_t most, uint64_t seed, int threads, bool *right) {
    uint32_t *rows = memory((d->pool.count + 1) * sizeof *rows), *labels = memory((d->pool.count + 1) * sizeof *labels);
    uint32_t *best = memory((d->tests.count + 1) * sizeof *best);
    stats_rng r = {seed};
    size_t dim = d->dim, sum = 0;
    for (uint32_t fold = 0; fold < d->fold_count; fold++) {
        size_t first = d->fold_start[fold], n = d->fold_start[fold + 1] - first,
               count = visible(d, fold, most, &r, rows);
        const float *tests = d->test_rows + first * dim;
        if (use_head) {
            float *x = memory((count + 1) * dim * sizeof *x);
            for (size_t i = 0; i < count; i++) {
                memcpy(x + i * dim, d->pool_rows + rows[i] * dim, dim * sizeof *x);
                labels[i] = d->pool_route[rows[i]];
            }
            head h = head_fit(x, labels, count, dim, d->route_count, seed, threads);
            head_apply(&h, tests, n, threads, best + first, NULL);
            head_free(&h), free(x);
        } else {
            float *means = memory(d->route_count * dim * sizeof *means);
            for (size_t i = 0; i < count; i++)
                for (size_t k = 0; k < dim; k++)
                    means[d->pool_route[rows[i]] * dim + k] += d->pool_rows[rows[i] * dim + k];
            space_unit(means, d->route_count, dim, 1);
            float *similar = space_similarities(tests, n, means, d->route_count, dim, threads, NULL);
            for (size_t i = 0; i < n; i++) {
                const float *s = similar + i * d->route_count;
                best[first + i] = 0;
                for (uint32_t c = 1; c < d->route_count; c++)
                    if (s[c] > s[best[first + i]]) best[first + i] = c;
            }
            free(means), free(similar);
        }
    }
    for (size_t i = 0; i < d->tests.count; i++) right[i] = best[i] == d->test_route[i], sum += right[i];
    free(rows), free(labels), free(best);
    return (double)sum / (double)d->tests.count;
}

/* Of a figure over all tests, the interval comes from resampling groups of tests. */
static cJSON *tested(const sweep_data *d, const bool *right, const uint32_t *group, uint32_t group_count,
                     uint64_t seed) {
    size_t n = d->tests.count;
    double *up = memory((n + 1) * sizeof *up), *one = memory((n + 1) * sizeof *one);
    for (size_t i = 0; i < n; i++) up[i] = right[i], one[i] = 1;
    cJSON *o = eval_interval_json(stats_bootstrap(up, one, NULL, 1, group, n, group_count, seed));
    free(up), free(one);
    return o;
}

static cJSON *recalls(const sweep_data *d, const bool *right) {
    cJSON *o = cJSON_CreateObject();
    for (uint32_t c = 0; c < d->route_count; c++) {
        double sum = 0, all = 0;
        for (size_t i = 0; i < d->tests.count; i++)
            if (d->test_route[i] == c) all++, sum += right[i];
        cJSON_AddItemToObject(o, d->routes[c], json_float(all > 0 ? sum / all : NAN));
    }
    return o;
}

/* ---- similarities ------------------------------------------------------------------------------------------------ */

typedef struct {
    const sweep_data *d;
    double *right, *wrong; /* [tests] mean of the 5 nearest in the right route; best such mean among the others */
    uint32_t *nearest;
} similarity_job;

static void similarity_one(void *context, int thread, size_t i) {
    (void)thread;
    similarity_job *j = context;
    const sweep_data *d = j->d;
    uint32_t fold = 0;
    while (i >= d->fold_start[fold + 1]) fold++;
    float *top = memory(d->route_count * 5 * sizeof *top);
    uint32_t *n = memory(d->route_count * sizeof *n);
    for (size_t u = 0; u < d->pool.count; u++) {
        if (d->pool_fold[u] == (int32_t)fold) continue;
        float v = d->similar[u * d->tests.count + i], *t = top + d->pool_route[u] * 5;
        uint32_t *count = &n[d->pool_route[u]], at = *count;
        if (at == 5 && v <= t[4]) continue;
        if (at == 5)
            at = 4;
        else
            ++*count;
        for (; at && v > t[at - 1]; at--) t[at] = t[at - 1];
        t[at] = v;
    }
    j->right[i] = j->wrong[i] = -1;
    double best = -2;
    for (uint32_t c = 0; c < d->route_count; c++) {
        double sum = 0;
        for (uint32_t k = 0; k < n[c]; k++) sum += (double)top[c * 5 + k];
        double score = n[c] ? sum / n[c] : -1;
        if (score > best) best = score, j->nearest[i] = c;
        if (c == d->test_route[i])
            j->right[i] = score;
        else if (score > j->wrong[i])
            j->wrong[i] = score;
    }
    free(top), free(n);
}

static cJSON *quantiles(const double *values, size_t count) {
    static const double q[] = {0.05, 0.25, 0.5, 0.75, 0.95};
    double *copy = memory((count + 1) * sizeof *copy), out[5];
    memcpy(copy, values, count * sizeof *copy);
    for (int i = 0; i < 5; i++) out[i] = stats_quantile(copy, count, q[i]);
    free(copy);
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < 5; i++) cJSON_AddItemToArray(list, json_float(out[i]));
    return list;
}

static cJSON *histogram(const double *values, size_t count) { /* shares, from -0.2 to 1 */
    double bins[HISTOGRAM] = {0};
    for (size_t i = 0; i < count; i++) {
        int b = (int)((values[i] + 0.2) / 1.2 * HISTOGRAM);
        bins[b < 0 ? 0 : b >= HISTOGRAM ? HISTOGRAM - 1 : b] += 1 / (double)count;
    }
    cJSON *list = cJSON_CreateArray();
    for (int b = 0; b < HISTOGRAM; b++) cJSON_AddItemToArray(list, json_float(bins[b]));
    return list;
}

static cJSON *similarity_json(const sweep_data *d, const similarity_job *j, int32_t route) {
    size_t n = 0;
    double *right = memory((d->tests.count + 1) * sizeof *right), *wrong = memory((d->tests.count + 1) * sizeof *wrong);
    for (size_t i = 0; i < d->tests.count; i++)
        if (route < 0 || d->test_route[i] == (uint32_t)route) right[n] = j->right[i], wrong[n++] = j->wrong[i];
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "route", route < 0 ? "all" : d->routes[route]);
    cJSON_AddNumberToObject(o, "count", (double)n);
    if (n) {
        double *all = memory(2 * n * sizeof *all);
        bool *positive = memory(2 * n);
        for (size_t i = 0; i < n; i++) all[i] = right[i], all[n + i] = wrong[i], positive[i] = true;
        cJSON_AddItemToObject(o, "auroc", json_float(stats_auroc(all, positive, 2 * n)));
        cJSON_AddItemToObject(o, "right_quantiles", quantiles(right, n));
        cJSON_AddItemToObject(o, "wrong_quantiles", quantiles(wrong, n));
        cJSON_AddItemToObject(o, "right_histogram", histogram(right, n));
        cJSON_AddItemToObject(o, "wrong_histogram", histogram(wrong, n));
        free(all), free(positive);
    }
    free(right), free(wrong);
    return o;
}

static cJSON *similarities(const sweep_data *d, const similarity_job *j) {
    cJSON *list = cJSON_CreateArray();
    for (int32_t c = -1; c < (int32_t)d->route_count; c++) cJSON_AddItemToArray(list, similarity_json(d, j, c));
    return list;
}

static similarity_job compare(const sweep_data *d, int threads) {
    size_t n = d->tests.count + 1;
    similarity_job j = {d, memory(n * sizeof *j.right), memory(n * sizeof *j.wrong), memory(n * sizeof *j.nearest)};
    parallel_for(d->tests.count, threads, NULL, similarity_one, &j);
    return j;
}

static void compared(similarity_job *j) {
    free(j->right), free(j->wrong), free(j->nearest);
}

/* ---- the same in other spaces ---------------------------------------------------------------------------------------
 */

/* d with other similarities: of pool and tests[.][dim]. */
static sweep_data in_space(const sweep_data *d, const float *pool, const float *tests, size_t dim, int threads) {
    sweep_data other = *d;
    other.similar = space_similarities(pool, d->pool.count, tests, d->tests.count, dim, threads, NULL);
    return other;
}

static void add_raw_and_mapped(const sweep_data *d, const srv_set *set, int seeds, uint64_t seed, int threads,
                               cJSON *to) {
    size_t dim = set->files[0].pin.dim, row_dim;
    float *pool = srv_set_vectors(set, &d->pool, true), *by_row = srv_set_vectors(set, &d->tests, true), *p, *t;
    float *tests = memory((d->tests.count + 1) * dim * sizeof *tests);
    for (size_t i = 0; i < d->tests.count; i++)
        memcpy(tests + i * dim, by_row + d->test_order[i] * dim, dim * sizeof *tests);
    sweep_data raw = in_space(d, pool, tests, dim, threads);
    cJSON_AddItemToObject(to, "raw", drawn_utterances(&raw, seeds, seed, threads));
    similarity_job j = compare(&raw, threads);
    cJSON_AddItemToObject(to, "raw_similarity", similarities(&raw, &j));
    compared(&j), free(raw.similar);
    bool seen = false;
    for (size_t i = 0; i < d->pool.count; i++) seen = seen || d->pool_fold[i] >= 0;
    if (!seen &&
        spaces_map(pool, d->pool_route, d->pool.count, d->route_count, tests, d->tests.count, dim, &p, &t, &row_dim)) {
        sweep_data mapped = in_space(d, p, t, row_dim, threads);
        cJSON_AddItemToObject(to, "mapped", drawn_utterances(&mapped, seeds, seed, threads));
        free(mapped.similar), free(p), free(t);
    }
    free(pool), free(by_row), free(tests);
}

cJSON *profile_routing(const sweep_data *d, const srv_set *set, int seeds, uint64_t seed, int threads) {
    enum { HEAD_DRAWS = 5 };
    size_t n = d->tests.count;
    cJSON *o = cJSON_CreateObject();
    bool *right = memory(n + 1);
    uint32_t *by_row = memory((n + 1) * sizeof *by_row), *group = memory((n + 1) * sizeof *group);
    uint32_t group_count = eval_groups(&d->tests, by_row);
    for (size_t i = 0; i < n; i++) group[i] = by_row[d->test_order[i]];
    cJSON_AddNumberToObject(o, "tests", (double)n);
    cJSON_AddNumberToObject(o, "pool", (double)d->pool.count);
    cJSON_AddItemToObject(o, "utterances", drawn_utterances(d, seeds, seed, threads));

    similarity_job j = compare(d, threads);
    for (size_t i = 0; i < n; i++) right[i] = j.nearest[i] == d->test_route[i];
    cJSON_AddItemToObject(o, "all_utterances", tested(d, right, group, group_count, seed));
    cJSON_AddItemToObject(o, "routes", recalls(d, right));
    by_rows(d, false, 0, seed, threads, right);
    cJSON_AddItemToObject(o, "prototype", tested(d, right, group, group_count, seed));
    by_rows(d, true, 0, seed, threads, right);
    cJSON_AddItemToObject(o, "head", tested(d, right, group, group_count, seed));
    cJSON_AddItemToObject(o, "head_routes", recalls(d, right));
    for (uint32_t most = 16; most <= 64; most *= 4) {
        double values[HEAD_DRAWS];
        for (int i = 0; i < HEAD_DRAWS; i++) values[i] = by_rows(d, true, most, seed + (uint64_t)i, threads, right);
        cJSON_AddItemToObject(o, most == 16 ? "head_16" : "head_64",
                              eval_interval_json(stats_mean(values, HEAD_DRAWS)));
    }
    cJSON_AddItemToObject(o, "similarity", similarities(d, &j));
    compared(&j);
    add_raw_and_mapped(d, set, seeds, seed, threads, o);
    free(right), free(by_row), free(group);
    return o;
}
