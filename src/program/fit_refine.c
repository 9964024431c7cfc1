/* Choosing utterances by what they decide: covering a route well (fit_choose) says nothing of its borders with the
 * others. */
#include "kernel/exact.h"
#include "program/files.h"
#include "program/fit.h"
#include <stdlib.h>
#include <string.h>

/* Scores are cosines, a few hundredths apart near a border; times this they are logits of about the right size. */
#define SHARPNESS 12.0f

typedef struct {
    const float *u;
    size_t count, row_dim;
    const double *weight;
    const uint32_t *route;
    uint32_t route_count, k;
    uint32_t *chosen;
    size_t first[SR_MAX_ROUTES + 1]; /* a route's slots in chosen */
    float *similar;                  /* [slot][row] */
    float *score;                    /* [route][row] */
    uint8_t *is_chosen;
    float *column, *trial_score;
} refining;

static void similarities(const refining *f, uint32_t utterance, float *out) {
    for (size_t n = 0; n < f->count; n++)
        out[n] =
            f->weight[n] > 0 ? fit_dot(f->u + n * f->row_dim, f->u + (size_t)utterance * f->row_dim, f->row_dim) : 0;
}

/* Mean of the top k of a route's slots for each row; slot `replaced` (or SIZE_MAX) takes its values from column. */
static void route_score(const refining *f, uint32_t r, size_t replaced, float *out) {
    for (size_t n = 0; n < f->count; n++) {
        if (f->weight[n] <= 0) continue;
        float best[SR_MAX_TOP_K];
        uint32_t held = 0;
        for (size_t s = f->first[r]; s < f->first[r + 1]; s++) {
            float v = s == replaced ? f->column[n] : f->similar[s * f->count + n];
            uint32_t at = held;
            if (at == f->k && v <= best[at - 1]) continue;
            if (at < f->k)
                held++;
            else
                at--;
            for (; at && best[at - 1] < v; at--) best[at] = best[at - 1];
            best[at] = v;
        }
        float sum = 0;
        for (uint32_t i = 0; i < held; i++) sum += best[i];
        out[n] = held ? sum / (float)held : -1;
    }
}

/* Weighted sum over rows of 1 - p(right route), with route r's scores from `with`: bounded, so that hopeless rows do
 * not steer. */
static double loss(const refining *f, uint32_t r, const float *with, uint32_t also) {
    double total = 0;
    for (size_t n = 0; n < f->count; n++) {
        if (f->weight[n] <= 0 || f->is_chosen[n] || n == also) continue;
        float sum = 0, right = 0;
        for (uint32_t q = 0; q < f->route_count; q++) {
            float v = sr_expf(SHARPNESS * (q == r ? with[n] : f->score[q * f->count + n]));
            sum += v;
            if (q == f->route[n]) right = v;
        }
        total += f->weight[n] * (double)(1 - right / sum);
    }
    return total;
}

void fit_refine(const float *u, size_t count, size_t row_dim, const uint8_t *use, const double *weight,
                const uint32_t *route, uint32_t route_count, uint32_t k, uint32_t *chosen, size_t chosen_count,
                size_t trials) {
    refining *f = memory(sizeof *f);
    *f = (refining){.u = u,
                    .count = count,
                    .row_dim = row_dim,
                    .weight = weight,
                    .route = route,
                    .route_count = route_count,
                    .k = k};
    f->chosen = chosen;
    f->similar = memory(chosen_count * count * sizeof(float)), f->score = memory(route_count * count * sizeof(float));
    f->column = memory(count * sizeof(float)), f->trial_score = memory(count * sizeof(float)),
    f->is_chosen = memory(count);
    for (size_t s = 0; s < chosen_count; s++) {
        f->first[route[chosen[s]] + 1] = s + 1; /* chosen stands route by route */
        f->is_chosen[chosen[s]] = 1;
        similarities(f, chosen[s], f->similar + s * count);
    }
    for (uint32_t r = 0; r < route_count; r++)
        if (f->first[r + 1] < f->first[r]) f->first[r + 1] = f->first[r];
    for (uint32_t r = 0; r < route_count; r++) route_score(f, r, SIZE_MAX, f->score + r * count);

    uint32_t *candidates = memory(count * sizeof *candidates), candidate_count = 0;
    for (size_t i = 0; i < count; i++)
        if (use[i]) candidates[candidate_count++] = (uint32_t)i;
    uint64_t seed = 0x9E3779B97F4A7C15ULL;
    for (size_t t = 0; t < trials && candidate_count; t++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        uint32_t candidate = candidates[(seed >> 33) % candidate_count], r = route[candidate];
        size_t slots = f->first[r + 1] - f->first[r];
        if (f->is_chosen[candidate] || !slots) continue;
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        size_t slot = f->first[r] + (seed >> 33) % slots;
        similarities(f, candidate, f->column);
        route_score(f, r, slot, f->trial_score);
        /* both sums leave out the candidate and the one that it would replace: neither judges itself */
        uint32_t old = chosen[slot];
        double before = loss(f, r, f->score + r * count, candidate), after = loss(f, r, f->trial_score, candidate);
        if (after >= before) continue;
        f->is_chosen[old] = 0, f->is_chosen[candidate] = 1;
        chosen[slot] = candidate;
        memcpy(f->similar + slot * count, f->column, count * sizeof(float));
        memcpy(f->score + r * count, f->trial_score, count * sizeof(float));
    }
    free(f->similar), free(f->score), free(f->column), free(f->trial_score), free(f->is_chosen), free(candidates),
        free(f);
}
