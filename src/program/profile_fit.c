/* profile --fit: the tables that spaces are compared on. */
#include "program/profile_fit.h"
#include "program/eval_data.h"
#include "program/fit.h"
#include "program/profile_spaces.h"
#include <stdlib.h>
#include <string.h>

enum { PER_ROUTE = 64, GROUPS = 4, LEAST = 16 };

/* One space's answers, and what its asset takes. */
typedef struct {
    profile_outcome outcomes[PROFILE_MAX_DRAWS];
    double bytes, match_us;
} tally;

static cJSON *tallies_json(const tally t[SPACES], int draws) {
    cJSON *out = cJSON_CreateObject();
    for (int s = 0; s < SPACES; s++) {
        cJSON *one = profile_add_outcomes(out, space_names[s], t[s].outcomes, (size_t)draws);
        cJSON_AddNumberToObject(one, "asset_bytes", t[s].bytes);
        cJSON_AddItemToObject(one, "match_us", json_float(t[s].match_us));
    }
    return out;
}

static float *in_basis(const ordinary_space *o, const float *rows, size_t count) {
    float *z = memory((count + 1) * o->basis_dim * sizeof *z);
    fit_project(rows, count, o->dim, o->mean, o->basis, o->basis_dim, z);
    return z;
}

static void take_rows(const float *from, size_t dim, const uint32_t *rows, size_t count, const uint32_t *label_of,
                      float *out, uint32_t *labels) {
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * dim, from + rows[i] * dim, dim * sizeof *out);
        labels[i] = label_of[rows[i]];
    }
}

/* Shots are at once utterances and what maps and heads are fitted on. */
static cJSON *on_benchmark(const benchmark *b, const srv_set *set, const ordinary_space *o, uint32_t shots, int draws,
                           uint64_t seed, int threads) {
    float *train = srv_set_vectors(set, &b->train, true), *tests = train ? srv_set_vectors(set, &b->test, true) : NULL;
    if (!tests) return free(train), NULL;
    size_t room = b->train.count + 1, dim = o->dim, test_count = b->test.count;
    uint32_t *rows = memory(room * sizeof *rows), *labels = memory(room * sizeof *labels),
             *best = memory((test_count + 1) * sizeof *best);
    float *x = memory(room * dim * sizeof *x);
    double *weight = memory(room * sizeof *weight), *score = memory((test_count + 1) * sizeof *score);
    int32_t *truth = benchmark_truth(b);
    tally *tallies = memory(SPACES * sizeof *tallies);
    bool fine = true;
    for (size_t i = 0; i < room; i++) weight[i] = 1;
    for (int i = 0; i < draws && fine; i++) {
        stats_rng r = {seed + (uint64_t)i};
        size_t count = benchmark_draw(b, shots, &r, rows);
        take_rows(train, dim, rows, count, b->train_label, x, labels);
        float *z = in_basis(o, x, count);
        space_table t = {o, x, z, labels, weight, x, labels, count, count, b->label_count, threads};
        space_asset assets[SPACES];
        fine = spaces_learn(&t, assets);
        for (int s = 0; s < SPACES && fine; s++) {
            tallies[s].match_us = space_ask(&assets[s], tests, test_count, dim, threads, best, score);
            tallies[s].bytes = (double)assets[s].bytes;
            tallies[s].outcomes[i] = profile_outcome_of(truth, best, score, test_count);
        }
        spaces_free(assets), free(z);
    }
    cJSON *out = fine ? tallies_json(tallies, draws) : NULL;
    free(train), free(tests), free(rows), free(labels), free(best), free(x), free(weight), free(score), free(truth);
    free(tallies);
    return out;
}

/* Utterances that stand for their routes by cosine about the mean, of the rows that are left out for no test: every
 * space gets the same. */
static size_t choose(const sweep_data *d, const float *pool, const ordinary_space *o, uint32_t *chosen) {
    size_t n = d->pool.count;
    float *u = memory((n + 1) * o->dim * sizeof *u);
    uint8_t *use = memory(n + 1);
    memcpy(u, pool, n * o->dim * sizeof *u);
    space_centre(u, n, o->dim, o->mean, 0);
    for (size_t i = 0; i < n; i++) use[i] = d->pool_fold[i] < 0;
    size_t count = fit_choose(u, n, o->dim, use, d->pool_route, d->route_count, PER_ROUTE, chosen);
    free(u), free(use);
    return count;
}

/* Where the utterances lie in two dimensions, for a picture: {"route": [[x, y], ...], ...}. */
static cJSON *places_json(const sweep_data *d, const uint32_t *labels, size_t count, const sr_router *r) {
    cJSON *out = cJSON_CreateObject(), *list = NULL;
    for (size_t u = 0; u < count; u++) {
        float xy[2] = {0};
        if (u == 0 || labels[u] != labels[u - 1]) list = cJSON_AddArrayToObject(out, d->routes[labels[u]]);
        sr_router_plane_utterance(r, 0, (uint32_t)u, xy);
        cJSON *place = cJSON_CreateArray();
        for (int i = 0; i < 2; i++) cJSON_AddItemToArray(place, json_float((double)xy[i]));
        cJSON_AddItemToArray(list, place);
    }
    return out;
}

/* As in `tune`: routes weigh the same in sum, and what is left out for some tests, being public, a tenth. */
static void weigh(const sweep_data *d, uint32_t group, double *weight) {
    double counts[2][SR_MAX_ROUTES] = {0};
    for (size_t i = 0; i < d->pool.count; i++) counts[d->pool_fold[i] >= 0][d->pool_route[i]]++;
    for (size_t i = 0; i < d->pool.count; i++) {
        bool is_public = d->pool_fold[i] >= 0;
        weight[i] = (is_public ? 0.1 : 1) / counts[is_public][d->pool_route[i]];
        if (is_public && (uint32_t)d->pool_fold[i] % GROUPS == group) weight[i] = 0;
    }
}

/* Folds are left out by groups: a map a group is enough, and one a fold would take four times as long. */
static cJSON *on_routing(const sweep_data *d, const srv_set *set, const float *pool, const ordinary_space *o,
                         int threads) {
    float *by_row = srv_set_vectors(set, &d->tests, true);
    if (!by_row) return NULL;
    size_t n = d->pool.count, count = d->tests.count, dim = o->dim, room = (size_t)PER_ROUTE * d->route_count;
    float *tests = memory((count + 1) * dim * sizeof *tests), *x = memory((room + 1) * dim * sizeof *x),
          *z = in_basis(o, pool, n);
    uint32_t *chosen = memory((room + 1) * sizeof *chosen), *labels = memory((room + 1) * sizeof *labels),
             *best = memory((SPACES * count + 1) * sizeof *best);
    int32_t *truth = memory((count + 1) * sizeof *truth);
    double *weight = memory((n + 1) * sizeof *weight), *score = memory((SPACES * count + 1) * sizeof *score);
    tally *tallies = memory(SPACES * sizeof *tallies);
    for (size_t i = 0; i < count; i++) {
        memcpy(tests + i * dim, by_row + d->test_order[i] * dim, dim * sizeof *tests);
        truth[i] = (int32_t)d->test_route[i];
    }
    size_t utterances = choose(d, pool, o, chosen);
    take_rows(pool, dim, chosen, utterances, d->pool_route, x, labels);
    bool fine = true;
    cJSON *places[SPACES] = {NULL};
    for (uint32_t g = 0; g < GROUPS && g < d->fold_count && fine; g++) {
        space_asset assets[SPACES];
        weigh(d, g, weight);
        space_table t = {o, pool, z, d->pool_route, weight, x, labels, n, utterances, d->route_count, threads};
        fine = spaces_learn(&t, assets);
        for (uint32_t f = g; f < d->fold_count && fine; f += GROUPS) {
            size_t first = d->fold_start[f], here = d->fold_start[f + 1] - first;
            for (int s = 0; s < SPACES; s++) {
                tallies[s].match_us = space_ask(&assets[s], tests + first * dim, here, dim, threads,
                                                best + s * count + first, score + s * count + first);
                tallies[s].bytes = (double)assets[s].bytes;
            }
        }
        for (int s = 0; s < SPACES && fine && !g; s++) places[s] = places_json(d, labels, utterances, assets[s].router);
        spaces_free(assets);
    }
    for (int s = 0; s < SPACES && fine; s++)
        tallies[s].outcomes[0] = profile_outcome_of(truth, best + s * count, score + s * count, count);
    cJSON *out = fine ? tallies_json(tallies, 1) : NULL;
    for (int s = 0; s < SPACES; s++)
        if (out)
            cJSON_AddItemToObject(json_get(out, space_names[s]), "places", places[s]);
        else
            cJSON_Delete(places[s]);
    free(by_row), free(tests), free(x), free(z), free(chosen), free(labels), free(best), free(truth), free(weight);
    free(score), free(tallies);
    return out;
}

cJSON *profile_fit(const sweep_data *d, const benchmark *clinc, const benchmark *home, const srv_set *set, int draws,
                   uint64_t seed, int threads) {
    float *pool = srv_set_vectors(set, &d->pool, false);
    if (!pool) return NULL;
    size_t dim = set->files[0].pin.dim, count = 0;
    float *rows = memory((d->pool.count + 1) * dim * sizeof *rows);
    for (size_t i = 0; i < d->pool.count; i++)
        if (d->pool_fold[i] < 0) memcpy(rows + count++ * dim, pool + i * dim, dim * sizeof *rows);
    if (count < LEAST)
        cli_error("--fit: %zu prompts of --pool are left out for no test; at least %d are needed to learn from", count,
                  LEAST);
    ordinary_space o = {0};
    cJSON *out = count >= LEAST && ordinary_fit(rows, count, dim, &o) ? cJSON_CreateObject() : NULL, *part;
    if (out && (part = on_routing(d, set, pool, &o, threads))) cJSON_AddItemToObject(out, "routing", part);
    if (out && clinc && (part = on_benchmark(clinc, set, &o, 10, draws, seed, threads)))
        cJSON_AddItemToObject(out, "clinc150_10", part);
    if (out && clinc && (part = on_benchmark(clinc, set, &o, 3, draws, seed, threads)))
        cJSON_AddItemToObject(out, "clinc150_3", part);
    if (out && home && (part = on_benchmark(home, set, &o, 0, 1, seed, threads)))
        cJSON_AddItemToObject(out, "home_intents", part);
    ordinary_free(&o), free(pool), free(rows);
    return out;
}
