/* From answers to figures: accuracy with intervals, confusion, calibration, coverage, out of scope, mistakes. */
#include "program/eval_data.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

cJSON *eval_interval_json(stats_interval i) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddItemToObject(o, "value", json_float(i.value));
    cJSON_AddItemToObject(o, "low", json_float(i.low));
    cJSON_AddItemToObject(o, "high", json_float(i.high));
    return o;
}

static bool is_right(const prediction *p) {
    return p->route == p->truth;
}

/* Rows of a set as the bootstrap wants them. A ratio counts a row when counts says so. */
typedef struct {
    double *up, *down;
    uint32_t *class_of, *group;
    size_t count;
} units;

static units units_new(size_t room) {
    return (units){memory((room + 1) * sizeof(double)), memory((room + 1) * sizeof(double)),
                   memory((room + 1) * sizeof(uint32_t)), memory((room + 1) * sizeof(uint32_t)), 0};
}
static void units_free(units *u) {
    free(u->up), free(u->down), free(u->class_of), free(u->group);
}
static void units_add(units *u, const prediction *p, bool up) {
    u->up[u->count] = up, u->down[u->count] = 1;
    u->class_of[u->count] = (uint32_t)(p->truth < 0 ? 0 : p->truth);
    u->group[u->count++] = p->group;
}
static cJSON *units_ratio(const units *u, const evaluation *e, uint64_t seed) {
    return eval_interval_json(stats_bootstrap(u->up, u->down, NULL, 1, u->group, u->count, e->group_count, seed));
}

/* ---- parts ----------------------------------------------------------------------------------------------------- */

static void add_overall(cJSON *o, const evaluation *e, const prediction_set *set, uint64_t seed) {
    units u = units_new(set->count);
    for (size_t i = 0; i < set->count; i++)
        if (set->rows[i].truth >= 0) units_add(&u, &set->rows[i], is_right(&set->rows[i]));
    cJSON_AddNumberToObject(o, "count", (double)set->count);
    cJSON_AddNumberToObject(o, "in_scope", (double)u.count);
    cJSON_AddItemToObject(o, "accuracy", units_ratio(&u, e, seed));
    stats_interval balanced =
        stats_bootstrap(u.up, u.down, u.class_of, e->route_count, u.group, u.count, e->group_count, seed);
    cJSON_AddItemToObject(o, "balanced_accuracy", eval_interval_json(balanced));
    cJSON_AddItemToObject(o, "mean_layers", json_float(set->cost));
    units_free(&u);
}

static void add_routes(cJSON *o, const evaluation *e, const prediction_set *set, uint64_t seed) {
    size_t n = e->route_count;
    double *confusion = memory((n * n + 1) * sizeof *confusion);
    cJSON *routes = cJSON_AddArrayToObject(o, "routes");
    for (size_t i = 0; i < set->count; i++) {
        const prediction *p = &set->rows[i];
        if (p->truth >= 0 && p->route >= 0) confusion[(size_t)p->truth * n + (size_t)p->route]++;
    }
    for (size_t r = 0; r < n; r++) {
        units recall = units_new(set->count), precision = units_new(set->count);
        for (size_t i = 0; i < set->count; i++) {
            const prediction *p = &set->rows[i];
            if (p->truth == (int32_t)r) units_add(&recall, p, is_right(p));
            if (p->truth >= 0 && p->route == (int32_t)r) units_add(&precision, p, is_right(p));
        }
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "id", e->routes[r]);
        cJSON_AddNumberToObject(one, "count", (double)recall.count);
        cJSON_AddNumberToObject(one, "predicted", (double)precision.count);
        cJSON_AddItemToObject(one, "recall", units_ratio(&recall, e, seed));
        cJSON_AddItemToObject(one, "precision", units_ratio(&precision, e, seed));
        cJSON_AddItemToArray(routes, one);
        units_free(&recall), units_free(&precision);
    }
    cJSON *rows = cJSON_AddArrayToObject(o, "confusion"); /* row: truth; column: decision */
    for (size_t r = 0; r < n; r++) cJSON_AddItemToArray(rows, cJSON_CreateDoubleArray(confusion + r * n, (int)n));
    free(confusion);
}

typedef struct {
    const char *value;
    size_t at;
} value_row;
static int by_value(const void *a, const void *b) {
    const value_row *x = a, *y = b;
    int order = strcmp(x->value, y->value);
    return order ? order : x->at < y->at ? -1 : 1;
}

static char *field_text(const labelled_row *r, const char *field) {
    if (!strcmp(field, "source")) {
        sr_text s = labelled_source(r);
        return text_copy(s.data, s.bytes);
    }
    const char *value = labelled_field(r, field);
    return text_copy(value, strlen(value));
}

/* Accuracy by the values of a field. Returns null when it does not vary (and only_varying is set). */
static cJSON *by_field(const evaluation *e, const prediction_set *set, const char *field, uint64_t seed,
                       bool only_varying) {
    value_row *sorted = memory((set->count + 1) * sizeof *sorted);
    for (size_t i = 0; i < set->count; i++)
        sorted[i] = (value_row){field_text(&e->data.rows[set->rows[i].row], field), i};
    if (set->count) qsort(sorted, set->count, sizeof *sorted, by_value);
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0, end; i < set->count; i = end) {
        units u = units_new(set->count);
        for (end = i; end < set->count && !strcmp(sorted[end].value, sorted[i].value); end++) {
            const prediction *p = &set->rows[sorted[end].at];
            if (p->truth >= 0) units_add(&u, p, is_right(p));
        }
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "value", sorted[i].value);
        cJSON_AddNumberToObject(one, "count", (double)u.count);
        cJSON_AddItemToObject(one, "accuracy", units_ratio(&u, e, seed));
        if (u.count)
            cJSON_AddItemToArray(list, one);
        else
            cJSON_Delete(one);
        units_free(&u);
    }
    for (size_t i = 0; i < set->count; i++) free((char *)sorted[i].value);
    free(sorted);
    if (only_varying && cJSON_GetArraySize(list) < 2) {
        cJSON_Delete(list);
        return NULL;
    }
    return list;
}

static void add_breakdowns(cJSON *o, const evaluation *e, const prediction_set *set, const eval_options *options) {
    cJSON *by = cJSON_AddObjectToObject(o, "by");
    const char *names = options->by ? options->by : "lang,source,hard,kind,style";
    while (*names) {
        char name[64];
        size_t bytes = strcspn(names, ",");
        snprintf(name, sizeof name, "%.*s", (int)bytes, names);
        names += bytes + (names[bytes] == ',');
        cJSON *list = by_field(e, set, name, options->seed, !options->by);
        if (list) cJSON_AddItemToObject(by, name, list);
    }
}

static int falling_confidence(const void *a, const void *b) {
    const prediction *x = *(const prediction *const *)a, *y = *(const prediction *const *)b;
    return x->confidence > y->confidence ? -1 : x->confidence < y->confidence ? 1 : x->row < y->row ? -1 : 1;
}

static void add_confidence(cJSON *o, const prediction_set *set) {
    const prediction **sorted = memory((set->count + 1) * sizeof *sorted);
    double *confidence = memory((set->count + 1) * sizeof *confidence);
    bool *right = memory(set->count + 1);
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++) {
        const prediction *p = &set->rows[i];
        if (p->truth < 0 || isnan(p->confidence)) continue;
        confidence[n] = p->confidence, right[n] = is_right(p), sorted[n++] = p;
    }
    if (n) {
        stats_bin bins[10];
        cJSON_AddItemToObject(o, "ece", json_float(stats_ece(confidence, right, n, bins)));
        cJSON *list = cJSON_AddArrayToObject(o, "reliability");
        for (int b = 0; b < 10; b++) {
            double count = bins[b].count ? (double)bins[b].count : 1;
            cJSON *one = cJSON_CreateObject();
            cJSON_AddItemToObject(one, "from", json_float(b / 10.0));
            cJSON_AddNumberToObject(one, "count", (double)bins[b].count);
            cJSON_AddItemToObject(one, "confidence",
                                  bins[b].count ? json_float(bins[b].confidence / count) : json_float(NAN));
            cJSON_AddItemToObject(one, "accuracy", bins[b].count ? json_float(bins[b].right / count) : json_float(NAN));
            cJSON_AddItemToArray(list, one);
        }
        qsort(sorted, n, sizeof *sorted, falling_confidence);
        double targets[] = {0.9, 0.95, 0.98}, reached[3] = {0}, sum = 0, area = 0;
        cJSON *curve = cJSON_AddArrayToObject(o, "coverage");
        size_t next = 1;
        for (size_t i = 0; i < n; i++) {
            sum += is_right(sorted[i]);
            double accuracy = sum / (double)(i + 1);
            area += accuracy;
            bool cut = i + 1 == n || sorted[i + 1]->confidence < sorted[i]->confidence; /* a threshold can lie here */
            for (int t = 0; t < 3 && cut; t++)
                if (accuracy >= targets[t]) reached[t] = (double)(i + 1) / (double)n;
            if ((i + 1) * 20 < next * n) continue;
            cJSON *one = cJSON_CreateObject();
            cJSON_AddItemToObject(one, "coverage", json_float((double)(i + 1) / (double)n));
            cJSON_AddItemToObject(one, "accuracy", json_float(accuracy));
            cJSON_AddItemToObject(one, "confidence", json_float(sorted[i]->confidence));
            cJSON_AddItemToArray(curve, one);
            while (next * n <= (i + 1) * 20) next++;
        }
        cJSON_AddItemToObject(o, "area_under_coverage", json_float(area / (double)n));
        cJSON *at = cJSON_AddArrayToObject(o, "coverage_at_accuracy");
        for (int t = 0; t < 3; t++) {
            cJSON *one = cJSON_CreateObject();
            cJSON_AddItemToObject(one, "accuracy", json_float(targets[t]));
            cJSON_AddItemToObject(one, "coverage", json_float(reached[t]));
            cJSON_AddItemToArray(at, one);
        }
    }
    free(sorted), free(confidence), free(right);
}

/* Out-of-scope prompts should score low. The threshold is the score that false_alarm of the in-scope prompts miss. */
static void add_out_of_scope(cJSON *o, const prediction_set *set, double false_alarm) {
    double *score = memory((set->count + 1) * sizeof *score), *inside = memory((set->count + 1) * sizeof *inside);
    double *confidence = memory((set->count + 1) * sizeof *confidence);
    bool *in = memory(set->count + 1);
    size_t out_count = 0, in_count = 0, caught = 0;
    for (size_t i = 0; i < set->count; i++) {
        const prediction *p = &set->rows[i];
        score[i] = p->score, confidence[i] = p->confidence, in[i] = p->truth >= 0;
        if (in[i])
            inside[in_count++] = p->score;
        else
            out_count++;
    }
    if (out_count && in_count) {
        double threshold = stats_quantile(inside, in_count, false_alarm);
        for (size_t i = 0; i < set->count; i++) caught += !in[i] && score[i] < threshold;
        cJSON *one = cJSON_AddObjectToObject(o, "out_of_scope");
        cJSON_AddNumberToObject(one, "count", (double)out_count);
        cJSON_AddItemToObject(one, "false_alarm", json_float(false_alarm));
        cJSON_AddItemToObject(one, "threshold", json_float(threshold));
        cJSON_AddItemToObject(one, "recall", json_float((double)caught / (double)out_count));
        cJSON_AddItemToObject(one, "auroc_score", json_float(stats_auroc(score, in, set->count)));
        cJSON_AddItemToObject(one, "auroc_confidence", json_float(stats_auroc(confidence, in, set->count)));
    }
    free(score), free(inside), free(confidence), free(in);
}

static void add_mistakes(cJSON *o, const evaluation *e, const prediction_set *set, int most) {
    const prediction **wrong = memory((set->count + 1) * sizeof *wrong);
    size_t n = 0;
    for (size_t i = 0; i < set->count; i++)
        if (set->rows[i].truth >= 0 && !is_right(&set->rows[i])) wrong[n++] = &set->rows[i];
    cJSON_AddNumberToObject(o, "mistake_count", (double)n);
    if (n) qsort(wrong, n, sizeof *wrong, falling_confidence);
    cJSON *list = most ? cJSON_AddArrayToObject(o, "mistakes") : NULL;
    for (size_t i = 0; i < n && i < (size_t)most; i++) {
        const prediction *p = wrong[i];
        const labelled_row *r = &e->data.rows[p->row];
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "id", r->id);
        cJSON_AddStringToObject(one, "text", r->text);
        cJSON_AddStringToObject(one, "truth", e->routes[p->truth]);
        cJSON_AddStringToObject(one, "predicted", p->route < 0 ? "" : e->routes[p->route]);
        cJSON_AddItemToObject(one, "confidence", json_float(p->confidence));
        cJSON *why = cJSON_AddArrayToObject(one, "why");
        for (uint32_t w = 0; w < p->why_count; w++) {
            sr_utterance_info u = {0};
            if (!e->router || sr_router_utterance(e->router, p->why[w].utterance, &u) < 0) continue;
            cJSON *reason = cJSON_CreateObject();
            char *text = text_copy(u.text.data ? u.text.data : "", u.text.bytes);
            cJSON_AddStringToObject(reason, "route", e->routes[p->why[w].route]);
            cJSON_AddItemToObject(reason, "similarity", json_float(p->why[w].similarity));
            cJSON_AddStringToObject(reason, "text", text);
            cJSON_AddItemToArray(why, reason);
            free(text);
        }
        cJSON_AddItemToArray(list, one);
    }
    free(wrong);
}

cJSON *eval_metrics(const evaluation *e, const prediction_set *set, const eval_options *options) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "set", set->name);
    add_overall(o, e, set, options->seed);
    add_routes(o, e, set, options->seed);
    add_breakdowns(o, e, set, options);
    add_confidence(o, set);
    add_out_of_scope(o, set, options->false_alarm);
    add_mistakes(o, e, set, options->mistakes);
    return o;
}

/* ---- two routers on the same prompts ---------------------------------------------------------------------------- */

typedef struct {
    const char *id;
    const prediction *p;
} id_prediction;
static int by_id(const void *a, const void *b) {
    return strcmp(((const id_prediction *)a)->id, ((const id_prediction *)b)->id);
}

cJSON *eval_compare(const evaluation *a, const prediction_set *x, const evaluation *b, const prediction_set *y,
                    uint64_t seed) {
    id_prediction *other = memory((y->count + 1) * sizeof *other);
    for (size_t i = 0; i < y->count; i++) other[i] = (id_prediction){b->data.rows[y->rows[i].row].id, &y->rows[i]};
    if (y->count) qsort(other, y->count, sizeof *other, by_id);
    units u = units_new(x->count);
    size_t only_first = 0, only_second = 0, both = 0, unpaired = 0;
    for (size_t i = 0; i < x->count; i++) {
        const prediction *p = &x->rows[i];
        if (p->truth < 0) continue;
        id_prediction key = {a->data.rows[p->row].id, NULL};
        const id_prediction *q = bsearch(&key, other, y->count, sizeof *other, by_id);
        if (!q || q->p->truth < 0 || strcmp(a->routes[p->truth], b->routes[q->p->truth]) != 0) {
            unpaired++;
            continue;
        }
        bool first = is_right(p), second = is_right(q->p);
        only_first += first && !second, only_second += second && !first, both += first && second;
        units_add(&u, p, false);
        u.up[u.count - 1] = (double)second - (double)first;
    }
    cJSON *o = NULL;
    if (u.count) {
        double n = (double)u.count;
        o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "paired", n);
        cJSON_AddNumberToObject(o, "unpaired", (double)unpaired);
        cJSON_AddItemToObject(o, "first_accuracy", json_float((double)(both + only_first) / n));
        cJSON_AddItemToObject(o, "second_accuracy", json_float((double)(both + only_second) / n));
        cJSON_AddItemToObject(o, "difference", units_ratio(&u, a, seed)); /* second less first */
        cJSON_AddNumberToObject(o, "only_first_right", (double)only_first);
        cJSON_AddNumberToObject(o, "only_second_right", (double)only_second);
        cJSON_AddItemToObject(o, "mcnemar_p", json_float(stats_mcnemar(only_first, only_second)));
    }
    units_free(&u);
    free(other);
    return o;
}
