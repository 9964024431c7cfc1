/* Spaces: see profile_spaces.h. */
#include "program/profile_spaces.h"
#include "program/eval_space.h"
#include "program/fit.h"
#include "program/parallel.h"
#include "program/profile_head.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PLAIN, CENTRED, WHITENED, MAP, HEAD, MAP_AND_HEAD };
const char *const space_names[SPACES] = {"plain", "centred", "whitened", "map", "head", "map_and_head"};

/* BASIS is as `tune` has it. 128 whitened directions are better than all 384 for narrow intents, and make an asset
 * smaller. */
enum { BASIS = 384, WHITENED_ROWS = 128 };

bool ordinary_fit(const float *rows, size_t count, size_t dim, ordinary_space *out) {
    size_t basis_dim = dim < BASIS ? dim : BASIS;
    if (basis_dim >= count) basis_dim = count - 1;
    *out = (ordinary_space){dim, basis_dim, memory(dim * sizeof(float)), memory(basis_dim * dim * sizeof(float)),
                            memory(basis_dim * sizeof(float))};
    if (!fit_basis(rows, count, dim, NULL, basis_dim, out->mean, out->basis)) return false;
    float *z = memory(count * basis_dim * sizeof *z);
    fit_project(rows, count, dim, out->mean, out->basis, basis_dim, z);
    for (size_t d = 0; d < basis_dim; d++) {
        double square = 0;
        for (size_t i = 0; i < count; i++) square += (double)z[i * basis_dim + d] * z[i * basis_dim + d];
        out->spread[d] = (float)sqrt(square / (double)count);
    }
    free(z);
    return true;
}

void ordinary_free(ordinary_space *o) {
    free(o->mean), free(o->basis), free(o->spread);
    memset(o, 0, sizeof *o);
}

/* What an asset says of a space: its mean, and map and head when it has them. */
typedef struct {
    float *mean, *map, *head;
    size_t row_dim;
    sr_route_params *params;
} space_parts;

static space_parts parts_new(size_t dim) {
    return (space_parts){.mean = memory(dim * sizeof(float)), .row_dim = dim};
}

static void parts_free(space_parts *p) {
    free(p->mean), free(p->map), free(p->head), free(p->params);
}

/* Without labels: ordinary prompts get the same spread in every one of their strongest directions. */
static void whiten(const ordinary_space *o, space_parts *p) {
    p->row_dim = o->basis_dim < WHITENED_ROWS ? o->basis_dim : WHITENED_ROWS;
    p->map = memory(p->row_dim * o->dim * sizeof *p->map);
    for (size_t i = 0; i < p->row_dim; i++)
        for (size_t d = 0; d < o->dim; d++)
            p->map[i * o->dim + d] = o->basis[i * o->dim + d] / (o->spread[i] > 1e-6f ? o->spread[i] : 1e-6f);
}

/* Numbers a mapped row: the directions that tell the routes apart, and as many whitened ones, up to 12, as so many
 * utterances can say something about. */
static size_t map_rows(size_t utterances, uint32_t routes) {
    size_t spare = utterances > routes ? (utterances - routes) / 2 : 0;
    size_t rows = routes - 1 + (spare < 12 ? spare : 12);
    return rows < SR_MIN_DIM && utterances > SR_MIN_DIM + 1 ? SR_MIN_DIM : rows;
}

/* The map that `tune` would fit; rows[train_count][row_dim] are the training rows in it. */
static bool learn_map(const space_table *t, space_parts *p, float *rows) {
    const ordinary_space *o = t->ordinary;
    size_t dim = o->basis_dim, wanted = map_rows(t->train_count, t->label_count);
    if (t->label_count > dim)
        return cli_error("a map for %u labels wants vectors of as many dimensions, not %zu", t->label_count, dim),
               false;
    p->row_dim = wanted < dim ? wanted : dim;
    fit_options options = {.row_dim = p->row_dim, .exponent = 0.5, .lambda = 0.1, .weight = 1};
    float *a = memory(p->row_dim * dim * sizeof *a), *offset = memory(dim * sizeof *offset),
          *directions = memory(t->label_count * dim * sizeof *directions),
          *bias = memory(t->label_count * sizeof *bias);
    bool fine = fit_map(t->train_z, t->train_count, dim, t->train_label, t->label_count, t->weight, &options, a, offset,
                        directions, bias);
    if (fine) {
        p->map = memory(p->row_dim * o->dim * sizeof *p->map);
        fit_apply(t->train_z, t->train_count, dim, a, offset, p->row_dim, rows);
        fit_compose(a, offset, p->row_dim, dim, o->mean, o->basis, o->dim, p->map, p->mean);
    }
    free(a), free(offset), free(directions), free(bias);
    return fine;
}

bool spaces_map(const float *train, const uint32_t *labels, size_t count, uint32_t label_count, const float *tests,
                size_t test_count, size_t dim, float **train_out, float **tests_out, size_t *row_dim) {
    ordinary_space o = {0};
    double *weight = memory((count + 1) * sizeof *weight), *of_label = memory(label_count * sizeof *of_label);
    for (size_t i = 0; i < count; i++) of_label[labels[i]]++;
    for (size_t i = 0; i < count; i++) weight[i] = 1 / of_label[labels[i]];
    bool fine = ordinary_fit(train, count, dim, &o);
    if (fine) {
        float *z = memory((count + 1) * o.basis_dim * sizeof *z);
        fit_project(train, count, dim, o.mean, o.basis, o.basis_dim, z);
        space_parts p = parts_new(dim);
        space_table t = {.ordinary = &o,
                         .train = train,
                         .train_z = z,
                         .train_label = labels,
                         .weight = weight,
                         .train_count = count,
                         .label_count = label_count};
        *train_out = memory((count + 1) * dim * sizeof(float));
        if ((fine = learn_map(&t, &p, *train_out))) {
            *row_dim = p.row_dim;
            *tests_out = memory((test_count + 1) * p.row_dim * sizeof(float));
            fit_project(tests, test_count, dim, p.mean, p.map, p.row_dim, *tests_out);
            space_unit(*tests_out, test_count, p.row_dim, 1);
        } else {
            free(*train_out);
        }
        parts_free(&p), free(z);
    }
    ordinary_free(&o), free(weight), free(of_label);
    return fine;
}

/* A head on those of rows[train_count][row_dim] that have a weight. */
static void learn_head(const space_table *t, space_parts *p, const float *rows) {
    size_t dim = p->row_dim, count = 0;
    float *x = memory(t->train_count * dim * sizeof *x);
    uint32_t *labels = memory(t->train_count * sizeof *labels);
    for (size_t i = 0; i < t->train_count; i++) {
        if (t->weight[i] == 0) continue;
        memcpy(x + count * dim, rows + i * dim, dim * sizeof *x);
        labels[count++] = t->train_label[i];
    }
    head h = head_fit(x, labels, count, dim, t->label_count, 1, t->threads);
    p->head = memory(t->label_count * dim * sizeof *p->head);
    p->params = memory(t->label_count * sizeof *p->params);
    for (size_t i = 0; i < t->label_count * dim; i++) p->head[i] = h.weights[i] * h.scale;
    for (uint32_t c = 0; c < t->label_count; c++) p->params[c] = (sr_route_params){.tau = -1, .head_bias = h.bias[c]};
    head_free(&h), free(x), free(labels);
}

/* ---- as assets ----------------------------------------------------------------------------------------------------
 */

static bool write_asset(const space_table *t, const space_parts *p, sr_write_route *routes, float blend,
                        space_asset *out) {
    sr_write_exit exit;
    sr_write_exit_init(&exit);
    exit.embedder = SR_EMBEDDER_EXTERNAL, exit.pooling = SR_POOL_NONE;
    exit.model_id = (sr_text){"profile", 7};
    exit.dim = (uint32_t)t->ordinary->dim, exit.row_dim = (uint32_t)p->row_dim;
    exit.mean = p->mean, exit.map = p->map;
    if (blend > 0) exit.head = p->head, exit.params = p->params, exit.head_blend = blend;
    exit.vectors = t->utterances, exit.with_plane = 1;
    sr_write_asset w = {.routes = routes,
                        .route_count = t->label_count,
                        .utterance_count = (uint32_t)t->utterance_count,
                        .exits = &exit,
                        .exit_count = 1};
    int64_t bytes = sr_asset_write_bytes(&w), work_bytes = sr_asset_write_work_bytes(&w);
    int rc = bytes < 0 ? (int)bytes : work_bytes < 0 ? (int)work_bytes : 0;
    if (rc >= 0) {
        void *work = memory((size_t)work_bytes);
        out->bytes = (size_t)bytes, out->file = memory(out->bytes);
        rc = sr_asset_write(&w, work, (size_t)work_bytes, out->file, out->bytes, NULL);
        free(work);
    }
    if (rc >= 0) {
        size_t room = (size_t)sr_router_bytes(out->file, out->bytes);
        out->opened = memory(room);
        rc = sr_router_open(out->opened, room, out->file, out->bytes, &out->router);
    }
    if (rc < 0) cli_error("the asset of a space: %s (%s)", sr_error_text(rc), sr_error_name(rc));
    return rc >= 0;
}

bool spaces_learn(const space_table *t, space_asset out[SPACES]) {
    const ordinary_space *o = t->ordinary;
    sr_write_route *routes = memory(t->label_count * sizeof *routes);
    char (*ids)[12] = memory(t->label_count * sizeof *ids);
    float *rows = memory((t->train_count + 1) * o->dim * sizeof *rows);
    for (uint32_t c = 0; c < t->label_count; c++)
        routes[c].id = (sr_text){ids[c], (size_t)snprintf(ids[c], sizeof ids[c], "%u", c)};
    for (size_t i = 0; i < t->utterance_count; i++) routes[t->utterance_label[i]].utterance_count++;
    memset(out, 0, SPACES * sizeof *out);
    space_parts plain = {.row_dim = o->dim}, centred = parts_new(o->dim), whitened = parts_new(o->dim),
                map = parts_new(o->dim);
    space_mean(t->utterances, t->utterance_count, o->dim, t->utterance_label, t->label_count, centred.mean);
    memcpy(whitened.mean, centred.mean, o->dim * sizeof *centred.mean);
    whiten(o, &whitened);
    memcpy(rows, t->train, t->train_count * o->dim * sizeof *rows);
    space_centre(rows, t->train_count, o->dim, centred.mean, t->threads);
    learn_head(t, &centred, rows);
    bool fine = learn_map(t, &map, rows);
    if (fine) learn_head(t, &map, rows);
    fine = fine && write_asset(t, &plain, routes, 0, &out[PLAIN]) &&
           write_asset(t, &centred, routes, 0, &out[CENTRED]) && write_asset(t, &whitened, routes, 0, &out[WHITENED]) &&
           write_asset(t, &map, routes, 0, &out[MAP]) && write_asset(t, &centred, routes, 1, &out[HEAD]) &&
           write_asset(t, &map, routes, 0.5f, &out[MAP_AND_HEAD]);
    parts_free(&centred), parts_free(&whitened), parts_free(&map);
    free(routes), free(ids), free(rows);
    return fine;
}

void spaces_free(space_asset assets[SPACES]) {
    for (int s = 0; s < SPACES; s++) free(assets[s].file), free(assets[s].opened);
}

/* ---- asking -------------------------------------------------------------------------------------------------------
 */

typedef struct {
    const sr_router *router;
    const float *tests;
    size_t dim, work_bytes;
    uint8_t *work; /* [threads][work_bytes] */
    uint32_t *best;
    double *score;
} asking;

static void ask_one(void *context, int thread, size_t i) {
    const asking *a = context;
    sr_decision d;
    int rc = sr_router_match(a->router, 0, a->tests + i * a->dim, a->dim, NULL,
                             a->work + (size_t)thread * a->work_bytes, a->work_bytes, &d, NULL, 0, NULL, 0);
    a->best[i] = rc < 0 ? 0 : d.nearest; /* a prompt without direction is like nothing */
    a->score[i] = rc < 0 ? -1 : (double)d.score;
}

static double microseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

double space_ask(const space_asset *asset, const float *tests, size_t count, size_t dim, int threads, uint32_t *best,
                 double *score) {
    enum { TIMED = 200 };
    asking a = {asset->router, tests, dim, (sr_router_work_bytes(asset->router) + 63) / 64 * 64, NULL, best, score};
    size_t timed = count < TIMED ? count : TIMED;
    threads = parallel_threads(threads, count);
    a.work = memory((size_t)threads * a.work_bytes);
    double started = microseconds();
    for (size_t i = 0; i < timed; i++) ask_one(&a, 0, i);
    double each = (microseconds() - started) / (double)timed;
    parallel_for(count, threads, NULL, ask_one, &a);
    free(a.work);
    return each;
}
