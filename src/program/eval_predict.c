/* Answers for labelled prompts: through a router from vectors, or read from a file of predictions. */
#include "program/eval_data.h"
#include "program/parallel.h"
#include "program/vectors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- groups and labels ---------------------------------------------------------------------------------------- */

typedef struct {
    const char *group;
    size_t row;
} group_row;
static int by_group(const void *a, const void *b) {
    const group_row *x = a, *y = b;
    int order = strcmp(x->group, y->group);
    return order ? order : x->row < y->row ? -1 : 1;
}

uint32_t eval_groups(const labelled *data, uint32_t *group) {
    group_row *sorted = memory(data->count * sizeof *sorted);
    for (size_t i = 0; i < data->count; i++) sorted[i] = (group_row){data->rows[i].group, i};
    if (data->count) qsort(sorted, data->count, sizeof *sorted, by_group);
    uint32_t count = 0;
    for (size_t i = 0; i < data->count; i++) {
        if (i && strcmp(sorted[i].group, sorted[i - 1].group) != 0) count++;
        group[sorted[i].row] = count;
    }
    free(sorted);
    return data->count ? count + 1 : 0;
}

static bool take_routes(evaluation *e) {
    e->route_count = sr_router_route_count(e->router), e->fallback = sr_router_fallback(e->router);
    e->routes = memory(e->route_count * sizeof *e->routes);
    for (uint32_t i = 0; i < e->route_count; i++) {
        sr_route_info info;
        sr_router_route(e->router, i, &info);
        e->routes[i] = text_copy(info.id.data, info.id.bytes);
    }
    for (size_t i = 0; i < e->data.count; i++) {
        const labelled_row *r = &e->data.rows[i];
        if (labelled_is_out(r->label) || labelled_index(e->routes, e->route_count, r->label) >= 0) continue;
        cli_error("%s: line %u: the label \"%s\" is no route of this asset", e->data.files[r->file], r->line, r->label);
        return false;
    }
    return true;
}

/* ---- through the router --------------------------------------------------------------------------------------- */

typedef struct {
    evaluation *e;
    const sr_router *router;
    uint32_t exit;
    size_t dim, work_bytes;
    const float *vectors;
    void **work;
    prediction *out;
    int *failed; /* a thread's first error */
} matching;

static bool is_blank(const char *text) {
    return text[strspn(text, " \t\r\n\f\v")] == 0;
}

static void match_one(void *context, int thread, size_t i) {
    matching *m = context;
    prediction *p = &m->out[i];
    sr_decision d;
    sr_match matches[1];
    int rc = SR_E_ZERO;
    if (!is_blank(m->e->data.rows[i].text))
        rc = sr_router_match(m->router, m->exit, m->vectors + i * m->dim, m->dim, NULL, m->work[thread], m->work_bytes,
                             &d, matches, 1, p->why, 3);
    if (rc == SR_E_ZERO) { /* no direction: the fallback's, as the pipeline has it */
        d = (sr_decision){.route = m->e->fallback, .nearest = m->e->fallback};
        rc = 0;
    }
    if (rc < 0 && !m->failed[thread]) m->failed[thread] = rc;
    p->row = i, p->exit = m->exit;
    p->route = (int32_t)d.route, p->nearest = (int32_t)d.nearest;
    p->score = rc < 0 ? 0 : d.why_count ? matches[0].score : -1;
    p->margin = d.margin, p->confidence = d.confidence, p->why_count = d.why_count;
}

/* Does the exit's vector contain the state that p names? */
static bool exit_wants(const sr_exit_info *x, const srv_pin *p) {
    if (x->embedder != p->embedder) return false;
    if (x->embedder == SR_EMBEDDER_EXTERNAL)
        return x->dim == p->dim && x->model_id.bytes == p->model_id.bytes &&
               !memcmp(x->model_id.data, p->model_id.data, x->model_id.bytes);
    if (x->embedder == SR_EMBEDDER_TABLE) return x->dim == p->dim && x->model_content == p->content;
    return x->model_content == p->content && p->layer < 32 && (x->layer_mask >> p->layer & 1);
}

/* vectors[count][dim] of an exit out of .srv files: one, or one a layer, lowest layer first. Null without a message
 * when a layer's file is not there. */
static float *from_srv(const evaluation *e, const sr_exit_info *x, const srv_file *files, char *const *paths, int count,
                       bool *missing) {
    float *out = memory(e->data.count * x->dim * sizeof *out);
    size_t at = 0;
    *missing = false;
    for (uint32_t layer = 0; layer <= x->layer; layer++) {
        if (x->embedder == SR_EMBEDDER_ENCODER && !(x->layer_mask >> layer & 1)) continue;
        if (x->embedder != SR_EMBEDDER_ENCODER && layer > 0) continue;
        int f = 0;
        while (f < count && !(exit_wants(x, &files[f].pin) && files[f].pin.layer == layer)) f++;
        if (f == count || at + files[f].pin.dim > x->dim) return free(out), NULL;
        for (size_t i = 0; i < e->data.count; i++) {
            const labelled_row *r = &e->data.rows[i];
            size_t row = srv_find(&files[f], r->hash, (sr_text){r->id, strlen(r->id)});
            if (row == SRV_NONE) {
                cli_error("%s has no vector for %s: line %u (id %s); embed this file again", paths[f],
                          e->data.files[r->file], r->line, r->id);
                *missing = true;
                return free(out), NULL;
            }
            srv_vector(&files[f], row, out + i * x->dim + at);
        }
        at += files[f].pin.dim;
    }
    return at == x->dim ? out : (free(out), NULL);
}

/* Takes the vectors over. */
static bool match_exit(evaluation *e, const sr_exit_info *x, uint32_t exit, float *vectors, int threads) {
    threads = parallel_threads(threads, e->data.count);
    prediction_set *set = &e->sets[e->set_count++];
    if (x->embedder == SR_EMBEDDER_ENCODER)
        snprintf(set->name, sizeof set->name, "exit %u", x->layer);
    else
        snprintf(set->name, sizeof set->name, "%s", x->embedder == SR_EMBEDDER_TABLE ? "table" : "external");
    set->rows = memory(e->data.count * sizeof *set->rows), set->count = e->data.count;
    set->cost = x->embedder == SR_EMBEDDER_ENCODER ? x->layer : 0;
    matching m = {.e = e, .router = e->router, .exit = exit, .dim = x->dim, .vectors = vectors, .out = set->rows};
    m.work_bytes = sr_router_work_bytes(e->router);
    m.work = memory(sizeof *m.work * (size_t)threads), m.failed = memory(sizeof *m.failed * (size_t)threads);
    for (int t = 0; t < threads; t++) m.work[t] = memory(m.work_bytes);
    parallel_for(e->data.count, threads, NULL, match_one, &m);
    int rc = 0;
    for (int t = 0; t < threads; t++) rc = rc ? rc : m.failed[t], free(m.work[t]);
    for (size_t i = 0; i < set->count; i++) set->rows[i].cost = (float)set->cost;
    free(m.work), free(m.failed);
    if (e->keep_vectors)
        set->vectors = vectors, set->dim = x->dim;
    else
        free(vectors);
    if (rc < 0) cli_error("%s: %s (%s)", set->name, sr_error_text(rc), sr_error_name(rc));
    return rc >= 0;
}

/* What the pipeline would do: exit after exit until one is sure enough. */
static void add_anytime(evaluation *e) {
    uint32_t exits = e->set_count;
    if (exits < 2) return;
    prediction_set *set = &e->sets[e->set_count++];
    strcpy(set->name, "anytime");
    set->is_anytime = true;
    set->rows = memory(e->data.count * sizeof *set->rows), set->count = e->data.count;
    double cost = 0;
    for (size_t i = 0; i < set->count; i++) {
        for (uint32_t x = 0; x < exits; x++) {
            sr_exit_info info;
            sr_router_exit(e->router, e->sets[x].rows[i].exit, &info);
            set->rows[i] = e->sets[x].rows[i];
            if (set->rows[i].confidence >= info.stop_confidence) break;
        }
        cost += set->rows[i].cost;
    }
    set->cost = cost / (double)set->count;
}

static void finish_rows(evaluation *e) {
    uint32_t *group = memory(e->data.count * sizeof *group);
    e->group_count = eval_groups(&e->data, group);
    for (uint32_t s = 0; s < e->set_count; s++) {
        for (size_t i = 0; i < e->sets[s].count; i++) {
            prediction *p = &e->sets[s].rows[i];
            p->group = group[p->row];
            p->truth = labelled_index(e->routes, e->route_count, e->data.rows[p->row].label);
        }
    }
    free(group);
}

/* A file that no exit wants is a mistake: another model, or another layer. */
static bool check_wanted(const evaluation *e, const srv_file *f, const char *path) {
    uint32_t exits = sr_router_exit_count(e->router);
    sr_exit_info info;
    for (uint32_t x = 0; x < exits; x++) {
        sr_router_exit(e->router, x, &info);
        if (exit_wants(&info, &f->pin)) return true;
    }
    cli_error("%s holds vectors of %s; no exit of this asset wants them", path, srv_pin_text(&f->pin));
    for (uint32_t x = 0; x < exits; x++) {
        sr_router_exit(e->router, x, &info);
        srv_pin wanted = {info.model_id, info.prefix, info.model_content, info.embedder, info.layer,
                          info.pooling,  info.dim};
        cli_note("  exit %u wants %s", x, srv_pin_text(&wanted));
    }
    return false;
}

/* A piece table costs microseconds a text: its exits need no file. */
static bool match_table(evaluation *e, const engine *g, const sr_exit_info *x, uint32_t exit, int threads) {
    if (x->embedder != SR_EMBEDDER_TABLE || !g->table || sr_table_content(g->table) != x->model_content) return true;
    sr_text *texts = memory((e->data.count + 1) * sizeof *texts);
    for (size_t i = 0; i < e->data.count; i++) texts[i] = (sr_text){e->data.rows[i].text, strlen(e->data.rows[i].text)};
    float *vectors = NULL;
    bool fine =
        vectors_table(g->table, texts, e->data.count, threads, &vectors) && match_exit(e, x, exit, vectors, threads);
    free(texts);
    return fine;
}

static bool predict_srv(evaluation *e, const engine *g, char *const *paths, int count, int threads) {
    srv_file *files = memory((size_t)count * sizeof *files);
    bool fine = true;
    for (int f = 0; f < count && fine; f++) {
        fine = srv_read(paths[f], &files[f]) && check_wanted(e, &files[f], paths[f]);
        for (int h = 0; h < f && fine; h++) {
            if (!srv_same_pin(&files[f].pin, &files[h].pin)) continue;
            cli_error("%s and %s both hold vectors of %s", paths[h], paths[f], srv_pin_text(&files[f].pin));
            fine = false;
        }
    }
    for (uint32_t x = 0; x < sr_router_exit_count(e->router) && fine; x++) {
        sr_exit_info info;
        bool missing;
        sr_router_exit(e->router, x, &info);
        float *vectors = from_srv(e, &info, files, paths, count, &missing);
        fine = vectors   ? match_exit(e, &info, x, vectors, threads)
               : missing ? false
                         : match_table(e, g, &info, x, threads);
    }
    for (int f = 0; f < count; f++) srv_free(&files[f]);
    free(files);
    if (fine && !e->set_count) cli_error("these .srv files do not make up any exit of the asset"), fine = false;
    return fine;
}

static bool predict_texts(evaluation *e, const engine *g, int threads) {
    sr_text *texts = memory(e->data.count * sizeof *texts);
    for (size_t i = 0; i < e->data.count; i++) texts[i] = (sr_text){e->data.rows[i].text, strlen(e->data.rows[i].text)};
    uint32_t exits = sr_router_exit_count(e->router), masks[SR_MAX_EXITS], mask_count = 0;
    float *by_mask[SR_MAX_EXITS] = {0};
    sr_exit_info info;
    for (uint32_t x = 0; x < exits; x++) {
        sr_router_exit(e->router, x, &info);
        if (info.embedder == SR_EMBEDDER_ENCODER) masks[mask_count++] = info.layer_mask;
    }
    bool fine =
        !mask_count || !g->model || vectors_encode(g->model, texts, e->data.count, masks, mask_count, threads, by_mask);
    bool encoded = fine && mask_count && g->model;
    for (uint32_t x = 0, l = 0; x < exits && fine; x++) {
        sr_router_exit(e->router, x, &info);
        if (info.embedder != SR_EMBEDDER_ENCODER) {
            fine = match_table(e, g, &info, x, threads);
        } else {
            if (encoded) fine = match_exit(e, &info, x, by_mask[l], threads), by_mask[l] = NULL;
            l++;
        }
    }
    for (uint32_t l = 0; l < mask_count; l++) free(by_mask[l]);
    free(texts);
    if (fine && !e->set_count)
        cli_error("no exit of this asset can be used: its vectors come from a server; embed the prompts first and give "
                  "--vectors FILE.srv"),
            fine = false;
    return fine;
}

bool eval_predict(evaluation *e, const engine *g, char *const *srv_paths, int srv_count, int threads) {
    e->router = g->router;
    if (!take_routes(e)) return false;
    bool fine = srv_count ? predict_srv(e, g, srv_paths, srv_count, threads) : predict_texts(e, g, threads);
    if (!fine) return false;
    add_anytime(e);
    finish_rows(e);
    return true;
}

/* ---- files of predictions ------------------------------------------------------------------------------------- */

static const char *const copied_fields[] = {"lang", "source", "hard", "kind", "style", "topic", NULL};

bool eval_write_predictions(const evaluation *e, const char *path) {
    file_writer w;
    if (!file_begin(&w, path)) return false;
    for (uint32_t s = 0; s < e->set_count; s++) {
        for (size_t i = 0; i < e->sets[s].count; i++) {
            const prediction *p = &e->sets[s].rows[i];
            const labelled_row *r = &e->data.rows[p->row];
            cJSON *o = cJSON_CreateObject();
            cJSON_AddStringToObject(o, "id", r->id);
            cJSON_AddStringToObject(o, "set", e->sets[s].name);
            cJSON_AddStringToObject(o, "truth", p->truth < 0 ? "" : e->routes[p->truth]);
            cJSON_AddStringToObject(o, "predicted", e->routes[p->route]);
            cJSON_AddStringToObject(o, "nearest", e->routes[p->nearest]);
            cJSON_AddItemToObject(o, "score", json_float(p->score));
            cJSON_AddItemToObject(o, "margin", json_float(p->margin));
            cJSON_AddNumberToObject(o, "confidence", p->confidence); /* all digits: bins are cut from it */
            cJSON_AddNumberToObject(o, "cost", p->cost);
            cJSON_AddStringToObject(o, "group", r->group);
            for (int f = 0; copied_fields[f]; f++) {
                const char *value = labelled_field(r, copied_fields[f]);
                if (*value) cJSON_AddStringToObject(o, copied_fields[f], value);
            }
            char *line = cJSON_PrintUnformatted(o);
            fprintf(w.stream, "%s\n", line);
            free(line);
            cJSON_Delete(o);
        }
    }
    return file_commit(&w);
}

static float number_of(const cJSON *record, const char *name, float fallback) {
    const cJSON *f = json_get(record, name);
    return cJSON_IsNumber(f) ? (float)f->valuedouble : fallback;
}

bool eval_read_predictions(evaluation *e, char *path) {
    if (!labelled_read(&path, 1, &(labelled_options){.text_field = "id"}, &e->data)) return false;
    const labelled *l = &e->data;
    const char **names = memory((2 * l->count + 1) * sizeof *names);
    uint32_t count = 0;
    for (size_t i = 0; i < l->count; i++) {
        const cJSON *record = l->rows[i].record;
        const char *truth = json_text(record, "truth"), *predicted = json_text(record, "predicted");
        if (!truth || !predicted) {
            cli_error("%s: line %u: a prediction has \"truth\" and \"predicted\", as eval --predictions writes it",
                      path, l->rows[i].line);
            return free(names), false;
        }
        const char *const both[] = {truth, predicted, json_text(record, "nearest")};
        for (int b = 0; b < 3; b++) {
            if (!both[b] || labelled_is_out(both[b])) continue;
            uint32_t at = 0; /* kept sorted */
            while (at < count && strcmp(names[at], both[b]) < 0) at++;
            if (at < count && !strcmp(names[at], both[b])) continue;
            memmove(names + at + 1, names + at, (count - at) * sizeof *names);
            names[at] = both[b], count++;
        }
    }
    e->routes = names, e->route_count = count, e->fallback = count;
    uint32_t *group = memory(l->count * sizeof *group);
    e->group_count = eval_groups(l, group);
    for (size_t i = 0; i < l->count; i++) {
        const cJSON *record = l->rows[i].record;
        const char *set_name = json_text(record, "set"), *nearest = json_text(record, "nearest");
        if (!set_name) set_name = "predictions";
        uint32_t s = 0;
        while (s < e->set_count && strcmp(e->sets[s].name, set_name) != 0) s++;
        if (s > SR_MAX_EXITS) return cli_error("%s: too many different \"set\"s", path), free(group), false;
        prediction_set *set = &e->sets[s];
        if (s == e->set_count) {
            e->set_count++;
            snprintf(set->name, sizeof set->name, "%s", set_name);
            set->is_anytime = !strcmp(set_name, "anytime");
            set->rows = memory(l->count * sizeof *set->rows);
        }
        prediction *p = &set->rows[set->count++];
        *p = (prediction){.row = i, .group = group[i]};
        p->truth = labelled_index(names, count, json_text(record, "truth"));
        p->route = labelled_index(names, count, json_text(record, "predicted"));
        p->nearest = nearest ? labelled_index(names, count, nearest) : p->route;
        p->score = number_of(record, "score", 0), p->margin = number_of(record, "margin", 0);
        p->confidence = number_of(record, "confidence", NAN), p->cost = number_of(record, "cost", 0);
        set->cost += p->cost;
    }
    for (uint32_t s = 0; s < e->set_count; s++) e->sets[s].cost /= (double)e->sets[s].count;
    free(group);
    return true;
}

void eval_free(evaluation *e) {
    for (uint32_t s = 0; s < e->set_count; s++) free(e->sets[s].rows), free(e->sets[s].vectors);
    for (uint32_t i = 0; e->router && i < e->route_count; i++) free((char *)e->routes[i]);
    free(e->routes);
    labelled_free(&e->data);
    memset(e, 0, sizeof *e);
}
