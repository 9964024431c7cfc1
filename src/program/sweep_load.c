/* Loads a sweep. */
#include "program/sweep_load.h"
#include "asset.h"
#include "asset_write.h"
#include "program/engine.h"
#include "program/fit.h"
#include "program/sweep_text.h"
#include <stdlib.h>
#include <string.h>

const char *const sweep_band_names[SWEEP_BANDS] = {"under 4", "4 to 7", "8 to 14", "15 to 32", "over 32"};
const char *const sweep_level_names[SWEEP_LEVELS] = {"low", "middle", "high"};

static uint8_t band_of(size_t words) {
    return words < 4 ? 0 : words < 8 ? 1 : words < 15 ? 2 : words < 33 ? 3 : 4;
}

/* rows[count][dim] to unit rows of the fit's exit with this pin; *dim becomes its row_dim. Null, with a message, when
 * there is none. Frees rows. */
static float *project(const char *fit_path, const srv_pin *pin, float *rows, size_t count, size_t *dim) {
    file_bytes file = {0};
    void *mem = NULL;
    const sr_router *r = NULL;
    size_t length = strlen(fit_path);
    if (length > 4 && !strcmp(fit_path + length - 4, ".srf")) {
        r = fit_load(fit_path, &file, &mem);
    } else if (!open_router(fit_path, &file, &mem, &r)) {
        r = NULL;
    }
    const sr_asset_exit *exit = NULL;
    for (uint32_t x = 0; r && x < r->exit_count && !exit; x++) {
        const sr_exit_info *i = &r->exits[x].info;
        bool same = i->embedder == pin->embedder && i->layer == pin->layer && i->dim == pin->dim &&
                    i->model_content == pin->content;
        if (same) exit = &r->exits[x];
    }
    if (r && !exit) cli_error("%s has no exit for %s", fit_path, srv_pin_text(pin));
    float *out = NULL;
    if (exit) {
        size_t row_dim = exit->info.row_dim, widest = *dim > row_dim ? *dim : row_dim;
        float *unit = memory(widest * sizeof *unit), *mapped = memory(widest * sizeof *mapped);
        out = memory((count + 1) * row_dim * sizeof *out);
        for (size_t i = 0; i < count; i++) {
            const float *space;
            if (sr_space_project(r->kernels, &exit->space, rows + i * *dim, unit, mapped, &space) >= 0)
                memcpy(out + i * row_dim, space, row_dim * sizeof *out);
        }
        *dim = row_dim;
        free(unit), free(mapped);
    }
    free(rows), free(mem);
    file_free(&file);
    return out;
}

static bool read_list(const char *list, const char *where, uint32_t one_in, labelled *out) {
    int count;
    char **paths = cli_list(list, &count);
    labelled_options wanted = {.where = where, .one_in = one_in, .needs_labels = true};
    bool fine = labelled_read(paths, count, &wanted, out);
    cli_list_free(paths, count);
    return fine;
}

/* Rows without a route (out of scope) have no place here. */
static void drop_out_of_scope(labelled *l) {
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (labelled_is_out(l->rows[i].label))
            cJSON_Delete(l->rows[i].record);
        else
            l->rows[kept++] = l->rows[i];
    }
    l->count = kept;
}

static bool take_labels(sweep_data *d, const sweep_source *s) {
    d->route_count = labelled_names(&d->pool, &d->routes);
    if (d->route_count < 2) return cli_error("the pool has one label only; there is nothing to route"), false;
    if (d->route_count > SR_MAX_ROUTES) return cli_error("more than %d labels", SR_MAX_ROUTES), false;
    d->pool_route = memory(d->pool.count * sizeof *d->pool_route);
    d->test_route = memory(d->tests.count * sizeof *d->test_route);
    for (size_t i = 0; i < d->pool.count; i++)
        d->pool_route[i] = (uint32_t)labelled_index(d->routes, d->route_count, d->pool.rows[i].label);
    bool several = false;
    for (size_t i = 0; i < d->tests.count; i++) {
        const labelled_row *r = &d->tests.rows[i];
        int route = labelled_index(d->routes, d->route_count, r->label);
        if (route < 0) {
            cli_error("%s: line %u: the pool has no prompt of \"%s\"", d->tests.files[r->file], r->line, r->label);
            return false;
        }
        several = several || strcmp(r->label, d->tests.rows[0].label) != 0;
    }
    if (!several) return cli_error("the test prompts have one label only; there is nothing to tell apart"), false;
    d->fallback = labelled_index(d->routes, d->route_count, s->fallback ? s->fallback : "general-chat");
    if (s->fallback && d->fallback < 0) return cli_error("--fallback: no route \"%s\"", s->fallback), false;
    return true;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

typedef struct {
    char *value;
    size_t row;
} valued;
static int by_value(const void *a, const void *b) {
    const valued *x = a, *y = b;
    int order = strcmp(x->value, y->value);
    return order ? order : x->row < y->row ? -1 : 1;
}

/* Tests in order of what is left out for them; without a field one fold that leaves out nothing. */
static void make_folds(sweep_data *d, const char *field) {
    size_t n = d->tests.count;
    valued *sorted = memory(n * sizeof *sorted);
    char **values = memory((n + 1) * sizeof *values);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (valued){field ? space_left_out(&d->tests.rows[i], field) : text_copy("", 0), i};
    qsort(sorted, n, sizeof *sorted, by_value);
    d->test_order = memory(n * sizeof *d->test_order);
    d->fold_start = memory((n + 1) * sizeof *d->fold_start);
    for (size_t i = 0; i < n; i++) {
        if (!i || strcmp(sorted[i].value, sorted[i - 1].value) != 0)
            values[d->fold_count] = sorted[i].value, d->fold_start[d->fold_count++] = (uint32_t)i;
        d->test_order[i] = sorted[i].row;
    }
    d->fold_start[d->fold_count] = (uint32_t)n;
    d->pool_fold = memory(d->pool.count * sizeof *d->pool_fold);
    for (size_t i = 0; i < d->pool.count; i++) {
        d->pool_fold[i] = -1;
        if (!field) continue;
        char *value = space_left_out(&d->pool.rows[i], field);
        char **found = bsearch(&value, values, d->fold_count, sizeof *values, by_text);
        if (found) d->pool_fold[i] = (int32_t)(found - values);
        free(value);
    }
    for (size_t i = 0; i < n; i++) free(sorted[i].value);
    free(sorted), free(values);
}

static void take_texts(sweep_data *d) {
    size_t pool = d->pool.count;
    d->pool_band = memory(pool), d->pool_level = memory(pool);
    d->pool_lang = memory(pool * sizeof *d->pool_lang);
    d->test_lang = memory(d->tests.count * sizeof *d->test_lang);
    for (size_t i = 0; i < pool; i++) d->pool_band[i] = band_of(labelled_words(d->pool.rows[i].text));
    sweep_complexity(&d->pool, d->pool_level, NULL);
    d->langs = memory((pool + 1) * sizeof *d->langs);
    for (size_t i = 0; i < pool; i++) {
        int at = labelled_index(d->langs, d->lang_count, d->pool.rows[i].lang);
        if (at < 0) at = (int)d->lang_count, d->langs[d->lang_count++] = d->pool.rows[i].lang;
        d->pool_lang[i] = (uint32_t)at;
    }
    d->english = labelled_index(d->langs, d->lang_count, "en");
    for (size_t i = 0; i < d->tests.count; i++) {
        const labelled_row *r = &d->tests.rows[d->test_order[i]];
        int at = labelled_index(d->langs, d->lang_count, r->lang);
        d->test_lang[i] = at < 0 ? d->lang_count : (uint32_t)at;
        d->test_route[i] = (uint32_t)labelled_index(d->routes, d->route_count, r->label);
    }
}

static void drop_vectors(sweep_data *d) {
    free(d->similar), free(d->pool_rows), free(d->test_rows);
    d->similar = d->pool_rows = d->test_rows = NULL;
}

bool sweep_load_vectors(const sweep_source *s, const srv_set *set, sweep_data *d, bool keep, bool quiet) {
    const srv_pin *pin = &set->files[0].pin;
    size_t dim = pin->dim, test_dim = dim;
    drop_vectors(d);
    float *pool = srv_set_vectors(set, &d->pool, quiet), *tests = pool ? srv_set_vectors(set, &d->tests, quiet) : NULL;
    if (tests && s->fit) {
        pool = project(s->fit, pin, pool, d->pool.count, &dim);
        if (pool)
            tests = project(s->fit, pin, tests, d->tests.count, &test_dim);
        else
            free(tests), tests = NULL;
    } else if (tests) {
        float *mean = memory(dim * sizeof *mean);
        space_mean(pool, d->pool.count, dim, d->pool_route, d->route_count, mean);
        space_centre(pool, d->pool.count, dim, mean, s->threads);
        space_centre(tests, d->tests.count, dim, mean, s->threads);
        free(mean);
    }
    if (tests) {
        float *ordered = memory(d->tests.count * dim * sizeof *ordered);
        for (size_t i = 0; i < d->tests.count; i++)
            memcpy(ordered + i * dim, tests + d->test_order[i] * dim, dim * sizeof *ordered);
        d->similar = space_similarities(pool, d->pool.count, ordered, d->tests.count, dim, s->threads, NULL);
        d->dim = dim;
        if (keep)
            d->pool_rows = pool, d->test_rows = ordered, pool = NULL;
        else
            free(ordered);
    }
    free(pool), free(tests);
    return d->similar != NULL;
}

bool sweep_load_texts(const sweep_source *s, sweep_data *d) {
    memset(d, 0, sizeof *d);
    labelled_options wanted = {.where = s->where, .one_in = s->tests_one_in, .needs_labels = true};
    bool fine = read_list(s->pool, s->pool_where, s->one_in, &d->pool) &&
                labelled_read(s->tests, s->test_count, &wanted, &d->tests);
    if (fine) {
        drop_out_of_scope(&d->pool), drop_out_of_scope(&d->tests);
        size_t dropped = s->skip_repeats ? space_drop_repeats(&d->pool, &d->tests) : 0;
        if (dropped) cli_note("%zu pool prompts are test prompts too and were left out of the pool", dropped);
        if (!d->pool.count || !d->tests.count) cli_error("no prompts with a route are left"), fine = false;
    }
    fine = fine && take_labels(d, s) && !space_leaks(&d->pool, &d->tests, s->leave_out);
    if (fine) {
        make_folds(d, s->leave_out);
        take_texts(d);
    } else {
        sweep_unload(d);
    }
    return fine;
}

bool sweep_load(const sweep_source *s, sweep_data *d, char *model, size_t model_bytes) {
    srv_set set;
    if (!sweep_load_texts(s, d)) return false;
    bool fine = srv_set_read(s->vectors, &set);
    if (fine) {
        snprintf(model, model_bytes, "%s", srv_pin_text(&set.files[0].pin));
        fine = sweep_load_vectors(s, &set, d, false, false);
        srv_set_free(&set);
    }
    if (!fine) sweep_unload(d);
    return fine;
}

void sweep_unload(sweep_data *d) {
    labelled_free(&d->pool), labelled_free(&d->tests);
    free(d->routes), free(d->pool_route), free(d->test_route), free(d->pool_lang), free(d->test_lang);
    free(d->pool_band), free(d->pool_level), free(d->langs), free(d->fold_start), free(d->pool_fold);
    free(d->test_order);
    drop_vectors(d);
    memset(d, 0, sizeof *d);
}
