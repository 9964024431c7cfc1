/* Judging by rows left out: the corpus language by language group, public prompts source by source; then calibration.
 */
#include "program/parallel.h"
#include "program/tune.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LANGUAGE_FOLDS = 4 };

/* Fits on rows with train[i], judges rows with test[i], at every exit. */
static bool judge_fold(tune_job *job, const uint8_t *train, const uint8_t *test) {
    size_t n = job->data.count, dim = job->basis_dim, rows = job->fit.row_dim;
    uint32_t routes = job->data.route_count;
    double *weight = memory(n * sizeof *weight);
    uint8_t *candidates = memory(n);
    uint32_t *tested = memory(n * sizeof *tested), *chosen = memory((job->per_route + 1) * routes * sizeof *chosen);
    size_t count = 0, chosen_count = 0;
    for (size_t i = 0; i < n; i++) {
        weight[i] = train[i] ? job->weight[i] : 0;
        candidates[i] = train[i] && job->data.rows[i].corpus;
        if (test[i]) tested[count++] = (uint32_t)i, job->was_judged[i] = 1;
    }
    float *a = memory(rows * dim * sizeof *a), *offset = memory(dim * sizeof *offset),
          *head = memory(routes * dim * sizeof *head);
    float *bias = memory(routes * sizeof *bias), *u = memory(n * rows * sizeof *u),
          *held = memory(count * dim * sizeof *held);
    float *scores = memory(count * routes * sizeof *scores);
    bool fine = true;
    for (int x = (int)job->exit_count - 1; x >= 0 && fine; x--) {
        tuned_exit *e = &job->exits[x];
        fine = fit_map(e->z, n, dim, job->route_of, routes, weight, &job->fit, a, offset, head, bias);
        if (!fine) break;
        fit_apply(e->z, n, dim, a, offset, rows, u);
        if ((uint32_t)x == job->exit_count - 1) /* as shipped: the last exit chooses for all */
            chosen_count = fit_choose(u, n, rows, candidates, job->route_of, routes, job->per_route, chosen);
        if ((uint32_t)x == job->exit_count - 1)
            fit_refine(u, n, rows, candidates, weight, job->route_of, routes, job->k, chosen, chosen_count,
                       job->trials);
        float *tested_u = held;
        for (size_t i = 0; i < count; i++) memcpy(tested_u + i * rows, u + (size_t)tested[i] * rows, rows * sizeof *u);
        fit_scores(tested_u, count, rows, u, chosen, chosen_count, job->route_of, routes, job->k, scores);
        for (size_t i = 0; i < count; i++)
            memcpy(e->held_out.scores + (size_t)tested[i] * routes, scores + i * routes, routes * sizeof *scores);
        for (size_t i = 0; i < count; i++) {
            const float *z = e->z + (size_t)tested[i] * dim;
            for (uint32_t r = 0; r < routes; r++) {
                float sum = bias[r];
                for (size_t d = 0; d < dim; d++) sum += head[r * dim + d] * z[d];
                e->held_out.head_scores[(size_t)tested[i] * routes + r] = sum;
            }
        }
        /* the same utterances in the plain, centred space (the basis keeps nearly all of it) */
        float *unit = memory(n * dim * sizeof *unit);
        for (size_t i = 0; i < n; i++) {
            double square = 0;
            for (size_t d = 0; d < dim; d++) square += (double)e->z[i * dim + d] * e->z[i * dim + d];
            float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
            for (size_t d = 0; d < dim; d++) unit[i * dim + d] = e->z[i * dim + d] * scale;
        }
        for (size_t i = 0; i < count; i++) memcpy(held + i * dim, unit + (size_t)tested[i] * dim, dim * sizeof *unit);
        fit_scores(held, count, dim, unit, chosen, chosen_count, job->route_of, routes, job->k, scores);
        for (size_t i = 0; i < count; i++)
            memcpy(e->held_out.raw_scores + (size_t)tested[i] * routes, scores + i * routes, routes * sizeof *scores);
        free(unit);
    }
    free(weight), free(candidates), free(tested), free(chosen), free(a), free(offset), free(head), free(bias), free(u);
    free(held), free(scores);
    return fine;
}

/* Languages by name, dealt out to folds in turn. */
static uint32_t language_fold(const tune_job *job, const char *lang) {
    char seen[64][8];
    uint32_t count = 0, rank = 0;
    for (size_t i = 0; i < job->data.count; i++) {
        const sample *s = &job->data.rows[i];
        if (!s->corpus) continue;
        uint32_t at = 0;
        while (at < count && strcmp(seen[at], s->lang) != 0) at++;
        if (at == count && count < 64) strcpy(seen[count++], s->lang);
    }
    for (uint32_t i = 0; i < count; i++) rank += strcmp(seen[i], lang) < 0;
    return rank % LANGUAGE_FOLDS;
}

typedef struct {
    tune_job *job;
    const uint32_t *fold; /* [row]: of its language */
    atomic_bool failed;
} judging;

/* Folds judge different rows, so they don't get in each other's way. */
static void judge_one(void *context, int thread, size_t f) {
    judging *all = context;
    tune_job *job = all->job;
    size_t n = job->data.count, tested = 0;
    uint8_t *train = memory(n), *test = memory(n);
    (void)thread;
    for (size_t i = 0; i < n; i++) {
        const sample *s = &job->data.rows[i];
        test[i] = f < LANGUAGE_FOLDS
                      ? s->corpus && all->fold[i] == f && (!job->unseen || dataset_lists(job->unseen, s->lang))
                      : i >= job->judge_from && s->source == f - LANGUAGE_FOLDS;
        /* a fold of sources leaves out its source wherever it stands; one of languages, its own languages in the
         * corpus */
        train[i] = f < LANGUAGE_FOLDS ? !s->corpus || all->fold[i] != f : s->source != f - LANGUAGE_FOLDS;
        tested += test[i];
    }
    if (tested && !judge_fold(job, train, test)) all->failed = true;
    free(train), free(test);
}

bool tune_judge(tune_job *job) {
    size_t n = job->data.count, routes = job->data.route_count;
    for (uint32_t x = 0; x < job->exit_count; x++) {
        judged *h = &job->exits[x].held_out;
        h->scores = memory(n * routes * sizeof(float)), h->head_scores = memory(n * routes * sizeof(float));
        h->raw_scores = memory(n * routes * sizeof(float));
    }
    job->was_judged = memory(n);
    uint32_t *fold = memory(n * sizeof *fold), judges = job->data.source_count;
    char known[64][8];
    uint32_t known_fold[64], known_count = 0;
    for (size_t i = 0; i < n; i++) {
        const sample *s = &job->data.rows[i];
        if (!s->corpus) continue;
        uint32_t at = 0;
        while (at < known_count && strcmp(known[at], s->lang) != 0) at++;
        if (at == known_count && known_count < 64) {
            strcpy(known[at], s->lang);
            known_fold[known_count++] = language_fold(job, s->lang);
        }
        fold[i] = at < 64 ? known_fold[at] : 0;
    }
    judging all = {.job = job, .fold = fold};
    parallel_for(LANGUAGE_FOLDS + judges, 0, "judging by what was left out", judge_one, &all);
    free(fold);
    return !all.failed;
}

/* ---- calibration ------------------------------------------------------------------------------------------------- */

static uint32_t best_of(const float *scores, uint32_t routes, float *best, float *second) {
    uint32_t at = 0;
    for (uint32_t r = 1; r < routes; r++)
        if (scores[r] > scores[at]) at = r;
    *best = scores[at], *second = -2;
    for (uint32_t r = 0; r < routes; r++)
        if (r != at && scores[r] > *second) *second = scores[r];
    return at;
}

uint32_t tune_features(const float *scores, uint32_t routes, double f[4]) {
    float best, second;
    uint32_t r = best_of(scores, routes, &best, &second);
    double margin = (double)best - (double)second;
    f[0] = 1, f[1] = margin, f[2] = (double)best, f[3] = margin * (double)best;
    return r;
}

double tune_confidence(const double c[4], const double f[4]) {
    return 1 / (1 + exp(-(c[0] * f[0] + c[1] * f[1] + c[2] * f[2] + c[3] * f[3])));
}

/* Expected calibration error in ten bins of equal width. kind 0: corpus, 1: judge. */
static double calibration_error(const tune_job *job, const tuned_exit *e, int kind) {
    double right[10] = {0}, sure[10] = {0}, total = 0, error = 0;
    for (size_t i = 0; i < job->data.count; i++) {
        if (!job->was_judged[i] || job->data.rows[i].corpus == (kind == 1)) continue;
        double f[4];
        uint32_t r = tune_features(e->held_out.scores + i * job->data.route_count, job->data.route_count, f);
        double c = tune_confidence(e->calibration, f);
        int bin = c >= 1 ? 9 : (int)(c * 10);
        right[bin] += r == job->route_of[i], sure[bin] += c, total++;
    }
    for (int b = 0; b < 10; b++) error += fabs(right[b] - sure[b]);
    return total ? error / total : 0;
}

/* Walks the exits in order; a row stops at the first that is sure enough. Returns right answers of a kind, adds up
 * layers. */
static double walk(const tune_job *job, int kind, double *layers, double *rows) {
    double right = 0, depth = 0, total = 0;
    for (size_t i = 0; i < job->data.count; i++) {
        if (!job->was_judged[i] || job->data.rows[i].corpus == (kind == 1)) continue;
        for (uint32_t x = 0; x < job->exit_count; x++) {
            const tuned_exit *e = &job->exits[x];
            double f[4];
            uint32_t r = tune_features(e->held_out.scores + i * job->data.route_count, job->data.route_count, f);
            double c = tune_confidence(e->calibration, f);
            if (c < e->stop && x + 1 < job->exit_count) continue;
            right += r == job->route_of[i], depth += 31 - __builtin_clz(job->masks[x]), total++;
            break;
        }
    }
    *layers = total ? depth / total : 0, *rows = total;
    return total ? right / total : 0;
}

bool tune_calibrate(tune_job *job) {
    size_t n = job->data.count;
    double *features = memory(n * 4 * sizeof *features), *target = memory(n * sizeof *target),
           *weight = memory(n * sizeof *weight);
    size_t of_kind[2] = {0};
    for (size_t i = 0; i < n; i++)
        if (job->was_judged[i]) of_kind[!job->data.rows[i].corpus]++;
    bool fine = true;
    for (uint32_t x = 0; x < job->exit_count && fine; x++) {
        tuned_exit *e = &job->exits[x];
        size_t count = 0;
        for (size_t i = 0; i < n; i++) {
            if (!job->was_judged[i]) continue;
            uint32_t r = tune_features(e->held_out.scores + i * job->data.route_count, job->data.route_count,
                                       features + count * 4);
            target[count] = r == job->route_of[i];
            /* both yardsticks count alike, however many rows they have */
            weight[count++] = 1000.0 / (double)of_kind[!job->data.rows[i].corpus];
        }
        fine = fit_logistic(features, count, 4, target, weight, e->calibration);
        e->stop = 1.01;
        for (int kind = 0; kind < 2; kind++) e->ece[kind] = calibration_error(job, e, kind);
    }
    free(features), free(target), free(weight);
    if (!fine) return cli_error("the calibration did not converge"), false;
    /* Stopping: the lowest confidence at which the answers given early cost at most 0.3 points on either yardstick. */
    double layers, rows, full[2];
    for (int kind = 0; kind < 2; kind++) full[kind] = walk(job, kind, &layers, &rows);
    for (uint32_t x = 0; x + 1 < job->exit_count; x++) {
        double allowed = 0.003 * (double)(x + 1) / (double)(job->exit_count - 1);
        for (double stop = 0.5; stop < 1; stop += 0.01) {
            job->exits[x].stop = stop;
            int holds = 1;
            for (int kind = 0; kind < 2; kind++) holds &= walk(job, kind, &layers, &rows) >= full[kind] - allowed;
            if (holds) break;
            job->exits[x].stop = 1;
        }
    }
    job->exits[job->exit_count - 1].stop = 0;
    for (int kind = 0; kind < 2; kind++)
        job->anytime_accuracy[kind] = walk(job, kind, &job->anytime_layers[kind], &rows);
    return true;
}
