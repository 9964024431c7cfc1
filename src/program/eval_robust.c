/* eval --robust: how much accuracy is lost when prompts come badly typed or among other text? */
#include "program/eval_data.h"
#include "program/figures.h"
#include "program/spoil.h"
#include <stdlib.h>
#include <string.h>

static const prediction_set *set_named(const evaluation *e, const char *name) {
    for (uint32_t s = 0; s < e->set_count; s++)
        if (!strcmp(e->sets[s].name, name)) return &e->sets[s];
    return NULL;
}

/* The label of a route that is not the prompt's: a text of memory(). */
static char *other_route(const evaluation *e, int truth, stats_rng *random) {
    uint32_t r = stats_below(random, e->route_count - (truth >= 0));
    if (truth >= 0 && r >= (uint32_t)truth) r++;
    sr_route_info info = {0};
    sr_router_route(e->router, r, &info);
    return text_copy(info.label.data, info.label.bytes);
}

/* One way on all prompts, compared with how they were; null when something fails. */
static cJSON *compare_spoilt(const evaluation *e, const engine *g, const prediction_set *set, const spoil_way *way,
                             uint64_t seed, int threads) {
    stats_rng random = {seed};
    evaluation spoilt = {.data = e->data}; /* the records stay e's */
    labelled_row *rows = memory(e->data.count * sizeof *rows);
    for (size_t i = 0; i < e->data.count; i++) {
        char *name = e->route_count > 1 ? other_route(e, set->rows[i].truth, &random) : text_copy("", 0);
        spoil_prompt p = {e->data.rows[i].text, e->data.rows[i].lang, name};
        rows[i] = e->data.rows[i];
        rows[i].text = way->apply(&p, &random);
        free(name);
    }
    spoilt.data.rows = rows;
    cli_note("%s", way->words);
    cJSON *o = NULL;
    if (eval_predict(&spoilt, g, NULL, 0, threads))
        o = eval_compare(e, set, &spoilt, set_named(&spoilt, set->name), seed);
    if (o) cJSON_AddStringToObject(o, "change", way->words);
    for (size_t i = 0; i < e->data.count; i++) free((char *)rows[i].text);
    free(rows);
    spoilt.data = (labelled){0};
    eval_free(&spoilt);
    return o;
}

cJSON *eval_robust(const evaluation *e, const engine *g, const prediction_set *set, uint64_t seed, int threads) {
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "changes");
    cJSON_AddStringToObject(o, "set", set->name);
    for (const spoil_way *way = spoil_ways; way->words; way++) {
        cJSON *one = compare_spoilt(e, g, set, way, seed, threads);
        if (!one) return cJSON_Delete(o), NULL;
        cJSON_AddItemToArray(list, one);
    }
    return o;
}

void eval_print_robust(const cJSON *robust, FILE *to) {
    const cJSON *one;
    fprintf(to, "\n%s on spoilt prompts\n", figure_text(robust, "set"));
    cJSON_ArrayForEach(one, json_get(robust, "changes")) {
        const cJSON *d = json_get(one, "difference");
        fprintf(to, "  %-32s %s to %s %% of %.0f: %+.1f points (%+.1f to %+.1f)\n", figure_text(one, "change"),
                figure_percent(figure(one, "first_accuracy")), figure_percent(figure(one, "second_accuracy")),
                figure(one, "paired"), 100 * figure(d, "value"), 100 * figure(d, "low"), 100 * figure(d, "high"));
    }
}
