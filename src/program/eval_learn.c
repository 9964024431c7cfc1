/* eval --learn: a simulated user overrides wrong decisions. What does that mend, and what does it cost?
 *
 * In each round the user meets the mistakes in random order and overrides each that is still one. After 5, 20, 50
 * overrides all prompts are asked again, in three groups: those taught, the held-out ones nearest to them, and the
 * rest.
 */
#include "program/eval_data.h"
#include "program/figures.h"
#include "program/fit.h"
#include "program/parallel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 20, ALIKE = 5 }; /* ALIKE: held-out prompts that each taught one has for neighbours */
enum { REST, NEAR, TAUGHT };

typedef struct {
    const prediction_set *set;
    const sr_router *router;
    uint32_t exit;
    size_t row_dim, work_bytes;
    void **work; /* one a thread */
    float *unit; /* [count][dim] the vectors at length 1: neighbours are found by these */
    int32_t *answer;
    uint8_t *group; /* REST, NEAR, TAUGHT */
    float *rows;
    uint32_t *routes, *weights;
    sr_learned learned;
} simulation;

static int32_t ask(const simulation *s, int thread, size_t i) {
    const float *vector = s->set->vectors + i * s->set->dim;
    sr_decision d;
    int rc = sr_router_match(s->router, s->exit, vector, s->set->dim, &s->learned, s->work[thread], s->work_bytes, &d,
                             NULL, 0, NULL, 0);
    return rc < 0 ? s->set->rows[i].route : (int32_t)d.route; /* a blank prompt teaches and learns nothing */
}

static void ask_one(void *context, int thread, size_t i) {
    simulation *s = context;
    s->answer[i] = ask(s, thread, i);
}

/* The nearest prompts of the same route that were not taught. */
static void mark_neighbours(simulation *s, size_t taught) {
    size_t dim = s->set->dim, found[ALIKE], count = 0;
    float near[ALIKE];
    for (size_t i = 0; i < s->set->count; i++) {
        if (i == taught || s->group[i] == TAUGHT || s->set->rows[i].truth != s->set->rows[taught].truth) continue;
        float v = fit_dot(s->unit + i * dim, s->unit + taught * dim, dim);
        if (count == ALIKE && v <= near[ALIKE - 1]) continue;
        size_t at = count < ALIKE ? count++ : ALIKE - 1;
        for (; at && near[at - 1] < v; at--) near[at] = near[at - 1], found[at] = found[at - 1];
        near[at] = v, found[at] = i;
    }
    for (size_t n = 0; n < count; n++) s->group[found[n]] = NEAR;
}

static void teach(simulation *s, size_t i) {
    uint32_t n = s->learned.count;
    const float *vector = s->set->vectors + i * s->set->dim;
    if (sr_router_project(s->router, s->exit, vector, s->set->dim, s->work[0], s->work_bytes,
                          s->rows + n * s->row_dim) < 0)
        return;
    s->routes[n] = (uint32_t)s->set->rows[i].truth, s->weights[n] = 1;
    s->learned.count++;
    s->group[i] = TAUGHT;
    mark_neighbours(s, i);
}

typedef struct {
    double taught, count[3], before[3], after[3], changed[3];
} tally;

static void add_round(const simulation *s, tally *t) {
    t->taught += s->learned.count;
    for (size_t i = 0; i < s->set->count; i++) {
        const prediction *p = &s->set->rows[i];
        int g = s->group[i];
        if (p->truth < 0) continue;
        t->count[g]++, t->changed[g] += s->answer[i] != p->route;
        t->before[g] += p->route == p->truth, t->after[g] += s->answer[i] == p->truth;
    }
}

static void add_group(cJSON *o, const char *name, const tally *t, int g) {
    cJSON *one = cJSON_AddObjectToObject(o, name);
    double n = t->count[g];
    cJSON_AddItemToObject(one, "count", json_float(n / ROUNDS));
    if (n == 0) return;
    cJSON_AddItemToObject(one, "before", json_float(t->before[g] / n));
    cJSON_AddItemToObject(one, "after", json_float(t->after[g] / n));
    cJSON_AddItemToObject(one, "changed", json_float(t->changed[g] / n));
}

static void simulate(simulation *s, const eval_options *o, tally *tallies, int threads) {
    size_t n = s->set->count;
    uint32_t *wrong = memory((n + 1) * sizeof *wrong), wrong_count = 0;
    stats_rng rng = {o->seed};
    for (int round = 0; round < ROUNDS; round++) {
        wrong_count = 0;
        for (size_t i = 0; i < n; i++) {
            const prediction *p = &s->set->rows[i];
            if (p->truth >= 0 && p->route != p->truth) wrong[wrong_count++] = (uint32_t)i;
        }
        stats_shuffle(&rng, wrong, wrong_count, wrong_count);
        memset(s->group, REST, n);
        s->learned.count = 0;
        for (uint32_t stage = 0, w = 0; stage < o->stages; stage++) {
            for (; w < wrong_count && s->learned.count < o->overrides[stage]; w++)
                if (ask(s, 0, wrong[w]) != s->set->rows[wrong[w]].truth) teach(s, wrong[w]);
            parallel_for(n, threads, NULL, ask_one, s);
            add_round(s, &tallies[stage]);
            cli_progress("learning", (size_t)round * o->stages + stage + 1, (size_t)ROUNDS * o->stages);
        }
    }
    free(wrong);
}

cJSON *eval_learn(const evaluation *e, const prediction_set *set, const eval_options *o, int threads) {
    threads = parallel_threads(threads, set->count);
    uint32_t most = o->overrides[o->stages - 1];
    sr_exit_info info;
    simulation s = {.set = set, .router = e->router, .exit = set->rows[0].exit};
    sr_router_exit(e->router, s.exit, &info);
    s.row_dim = info.row_dim, s.work_bytes = sr_router_work_bytes(e->router);
    s.work = memory(sizeof *s.work * (size_t)threads);
    for (int t = 0; t < threads; t++) s.work[t] = memory(s.work_bytes);
    s.unit = memory(set->count * set->dim * sizeof *s.unit);
    s.answer = memory(set->count * sizeof *s.answer), s.group = memory(set->count);
    s.rows = memory(most * s.row_dim * sizeof *s.rows);
    s.routes = memory(most * sizeof *s.routes), s.weights = memory(most * sizeof *s.weights);
    s.learned = (sr_learned){0, s.rows, s.routes, s.weights};
    for (size_t i = 0; i < set->count; i++) {
        const float *from = set->vectors + i * set->dim;
        float length = sqrtf(fit_dot(from, from, set->dim));
        for (size_t d = 0; d < set->dim; d++) s.unit[i * set->dim + d] = length > 0 ? from[d] / length : 0;
    }
    tally *tallies = memory(o->stages * sizeof *tallies);
    simulate(&s, o, tallies, threads);

    cJSON *learn = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(learn, "overrides");
    cJSON_AddStringToObject(learn, "set", set->name);
    cJSON_AddNumberToObject(learn, "rounds", ROUNDS);
    for (uint32_t stage = 0; stage < o->stages; stage++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToObject(one, "count", json_float(tallies[stage].taught / ROUNDS));
        add_group(one, "taught", &tallies[stage], TAUGHT);
        add_group(one, "near", &tallies[stage], NEAR);
        add_group(one, "rest", &tallies[stage], REST);
        cJSON_AddItemToArray(list, one);
    }
    for (int t = 0; t < threads; t++) free(s.work[t]);
    free(s.work), free(s.unit), free(s.answer), free(s.group), free(s.rows), free(s.routes), free(s.weights);
    free(tallies);
    return learn;
}

void eval_print_learn(const cJSON *learn, FILE *to) {
    const cJSON *one;
    fprintf(to, "\na user who overrides mistakes of %s, mean of %.0f rounds\n", figure_text(learn, "set"),
            figure(learn, "rounds"));
    fprintf(to, "  overrides  the same again   alike (the %d nearest)      all others\n", ALIKE);
    cJSON_ArrayForEach(one, json_get(learn, "overrides")) fprintf(
        to, "  %9.0f  %6s %% right  %6s to %s %% right  %6s to %s %% right, %s %% changed\n", figure(one, "count"),
        figure_percent(figure(one, "taught.after")), figure_percent(figure(one, "near.before")),
        figure_percent(figure(one, "near.after")), figure_percent(figure(one, "rest.before")),
        figure_percent(figure(one, "rest.after")), figure_percent(figure(one, "rest.changed")));
}
