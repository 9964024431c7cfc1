/* Route assets made in memory, for tests. */
#ifndef ASSETS_H
#define ASSETS_H
#include "asset_write.h"
#include "test.h"

typedef struct {
    uint8_t *file;
    size_t bytes;
} built;

static inline sr_text text_of(const char *s) {
    return (sr_text){s, strlen(s)};
}

/* Writes w; stops the program when the writer refuses. */
static inline built build_asset(const sr_write_asset *w, int is_fit) {
    int64_t bytes = is_fit ? sr_fit_write_bytes(w) : sr_asset_write_bytes(w);
    int64_t work_bytes = sr_asset_write_work_bytes(w);
    if (bytes < 0 || work_bytes < 0) printf("write_bytes: %s\n", sr_error_name((int)bytes)), exit(2);
    built b = {test_alloc((size_t)bytes), (size_t)bytes};
    void *work = test_alloc((size_t)work_bytes);
    uint32_t bad;
    int rc = is_fit ? sr_fit_write(w, work, (size_t)work_bytes, b.file, b.bytes)
                    : sr_asset_write(w, work, (size_t)work_bytes, b.file, b.bytes, &bad);
    free(work);
    if (rc < 0) printf("write: %s\n", sr_error_name(rc)), exit(2);
    return b;
}

static inline float *random_floats(size_t count) {
    float *v = test_alloc(count * sizeof *v);
    for (size_t i = 0; i < count; i++) v[i] = test_random_f32();
    return v;
}

/* Everything that a test may vary; the rest is random. */
typedef struct {
    uint32_t dim, row_dim, routes, per_route, negatives; /* negatives: of per_route; row_dim < dim makes a map */
    uint32_t f32, k, exits, mean, head, plane, texts, low_margin_flags;
    float tau, margin, blend;
} recipe;

typedef struct {
    sr_write_asset w;
    sr_write_route *routes;
    sr_write_exit *exits;
    sr_route_params *params;
    sr_text *texts;
    char (*names)[32];
    float *vectors, *mean, *map, *head;
} draft;

static inline draft make_draft(recipe p) {
    draft d = {0};
    uint32_t utterances = p.routes * p.per_route, exits = p.exits ? p.exits : 1;
    d.routes = calloc(p.routes, sizeof *d.routes);
    d.exits = calloc(exits, sizeof *d.exits);
    d.params = calloc(p.routes, sizeof *d.params);
    d.names = calloc(p.routes + utterances, sizeof *d.names);
    d.texts = calloc(utterances, sizeof *d.texts);
    d.vectors = random_floats((size_t)utterances * p.dim);
    d.mean = random_floats(p.dim);
    d.map = random_floats((size_t)p.row_dim * p.dim);
    d.head = random_floats((size_t)p.routes * p.row_dim);
    for (uint32_t i = 0; i < p.dim; i++) d.mean[i] *= 0.02f;
    for (uint32_t i = 0; i < p.routes; i++) {
        snprintf(d.names[i], sizeof *d.names, "route-%u-\xc3\xa9", i);
        d.routes[i] = (sr_write_route){.id = text_of(d.names[i]),
                                       .label = text_of("Label"),
                                       .utterance_count = p.per_route,
                                       .negative_count = p.negatives};
        d.params[i] = (sr_route_params){p.tau, p.margin, 0.01f * (float)i, 0};
    }
    for (uint32_t i = 0; i < utterances; i++) {
        snprintf(d.names[p.routes + i], sizeof *d.names, "Sag \xe2\x82\xac %u", i);
        d.texts[i] = text_of(d.names[p.routes + i]);
    }
    for (uint32_t i = 0; i < exits; i++) {
        sr_write_exit *e = &d.exits[i];
        sr_write_exit_init(e);
        e->layer = i, e->dim = p.dim, e->row_dim = p.row_dim;
        e->model_id = text_of("test-model"), e->prefix = text_of("query: "), e->model_content = 0x1234567890abcdefu;
        e->rows_are_f32 = p.f32, e->aggregation_k = p.k ? p.k : 5, e->low_margin_flags = p.low_margin_flags;
        e->params = d.params, e->vectors = d.vectors, e->with_plane = p.plane;
        e->mean = p.mean ? d.mean : NULL;
        e->map = p.row_dim < p.dim ? d.map : NULL;
        e->head = p.head ? d.head : NULL;
        e->head_blend = p.blend;
    }
    d.w = (sr_write_asset){.name = text_of("Test"),
                           .notes = text_of("made by a test"),
                           .routes = d.routes,
                           .route_count = p.routes,
                           .texts = p.texts ? d.texts : NULL,
                           .utterance_count = utterances,
                           .exits = d.exits,
                           .exit_count = exits};
    return d;
}

static inline void free_draft(draft *d) {
    free(d->routes), free(d->exits), free(d->params), free(d->names), free(d->texts);
    free(d->vectors), free(d->mean), free(d->map), free(d->head);
}

/* An asset with every kind of section: exit 0 has a map and i8 rows, exit 1 f32 rows. */
static inline draft full_draft(void) {
    draft d = make_draft((recipe){.dim = 12,
                                  .row_dim = 5,
                                  .routes = 3,
                                  .per_route = 4,
                                  .negatives = 1,
                                  .exits = 2,
                                  .mean = 1,
                                  .head = 1,
                                  .blend = 0.5f,
                                  .plane = 1,
                                  .texts = 1,
                                  .tau = 0.1f,
                                  .margin = 0.05f});
    d.exits[1].map = NULL, d.exits[1].row_dim = 12, d.exits[1].rows_are_f32 = 1, d.exits[1].head = NULL;
    return d;
}

static inline built full_asset(void) {
    test_random_state = 42;
    draft d = full_draft();
    built b = build_asset(&d.w, 0);
    free_draft(&d);
    return b;
}

typedef struct {
    built b;
    void *mem, *work;
    size_t work_bytes;
    const sr_router *r;
} opened;

/* Opens a copy that ends where its heap block ends. Stops the program when it is refused. */
static inline opened open_built(built b) {
    opened o = {.b = b};
    int64_t bytes = sr_router_bytes(b.file, b.bytes);
    if (bytes < 0) printf("bytes: %s\n", sr_error_name((int)bytes)), exit(2);
    o.mem = test_alloc((size_t)bytes);
    int rc = sr_router_open(o.mem, (size_t)bytes, b.file, b.bytes, &o.r);
    if (rc < 0) printf("open: %s\n", sr_error_name(rc)), exit(2);
    o.work_bytes = sr_router_work_bytes(o.r);
    o.work = test_alloc(o.work_bytes);
    return o;
}

static inline opened open_draft(const draft *d) {
    return open_built(build_asset(&d->w, 0));
}

static inline void close_opened(opened *o) {
    free(o->b.file), free(o->mem), free(o->work);
}

/* Opens bytes that may be bad, from a fresh heap block of exactly their size. */
static inline int try_open(const uint8_t *file, size_t bytes) {
    uint8_t *copy = test_alloc(bytes);
    memcpy(copy, file, bytes);
    int64_t need = sr_router_bytes(copy, bytes);
    int rc = need < 0 ? (int)need : 0;
    if (rc == 0) {
        void *mem = test_alloc((size_t)need);
        const sr_router *r;
        rc = sr_router_open(mem, (size_t)need, copy, bytes, &r);
        free(mem);
    }
    free(copy);
    return rc;
}
#endif
