/* The native side of `make bench`.
 *
 *   native make FOLDER ROWS DIM [f32]         writes ROWSxDIM.srr and, with f32, -f32.srr, .f32 (vectors), .queries
 *   native match FILE.srr QUERIES SET MS      times the matcher: one number a line, microseconds a query
 *   native read FILE MS                       the bound: adds up the same bytes once
 *   native encode MODEL.srm LAYER MS TEXT     times the encoder, tokenizer included
 *
 * Vectors are made up, but lie as embeddings do: few directions matter (24 of them), the rest is noise. Uniform noise
 * would have no neighbours to find, and a graph index would be measured at its worst.
 */
#define _POSIX_C_SOURCE 200809L
#include "asset_write.h"
#include "kernel/kernel.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { DIRECTIONS = 24, ROUTES = 5, QUERIES = 32, SAMPLES = 4096 };

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void fail(const char *what) {
    fprintf(stderr, "native: %s\n", what);
    exit(1);
}

static void *room(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (!p) fail("out of memory");
    return p;
}

static void *read_file(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) fail(path);
    *bytes = (size_t)ftell(f);
    rewind(f);
    void *p = room(*bytes);
    if (fread(p, 1, *bytes, f) != *bytes) fail(path);
    fclose(f);
    return p;
}

static void write_file(const char *folder, unsigned rows, unsigned dim, const char *end, const void *p, size_t bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%ux%u%s", folder, rows, dim, end);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, bytes, f) != bytes || fclose(f)) fail(path);
}

/* ---- made-up vectors --------------------------------------------------------------------------------------------- */

static uint32_t state = 1;
static float noise(void) { /* about normal: the sum of three */
    float sum = 0;
    for (int i = 0; i < 3; i++) {
        state = state * 1664525u + 1013904223u;
        sum += (float)(int32_t)state * (1.0f / 2147483648.0f);
    }
    return sum;
}

static void vector(const float *directions, unsigned dim, unsigned route, float *out) {
    for (unsigned d = 0; d < dim; d++) out[d] = directions[route * dim + d] * 1.5f + noise() * 0.8f;
    for (unsigned k = ROUTES; k < ROUTES + DIRECTIONS; k++) {
        float g = noise();
        for (unsigned d = 0; d < dim; d++) out[d] += g * directions[k * dim + d];
    }
    double length = 0;
    for (unsigned d = 0; d < dim; d++) length += (double)out[d] * out[d];
    for (unsigned d = 0; d < dim; d++) out[d] = (float)(out[d] / sqrt(length));
}

static void write_asset(const char *folder, unsigned rows, unsigned dim, const float *vectors, bool f32) {
    static const char *const ids[ROUTES] = {"a", "b", "c", "d", "e"};
    sr_write_route routes[ROUTES];
    for (uint32_t i = 0; i < ROUTES; i++)
        routes[i] = (sr_write_route){.id = {ids[i], 1}, .label = {ids[i], 1}, .utterance_count = rows / ROUTES};
    sr_write_exit exit;
    sr_write_exit_init(&exit);
    exit.embedder = SR_EMBEDDER_EXTERNAL, exit.dim = exit.row_dim = dim, exit.vectors = vectors,
    exit.rows_are_f32 = f32;
    exit.model_id = (sr_text){"bench", 5};
    sr_write_asset w = {.name = {"bench", 5}, .routes = routes, .route_count = ROUTES, .utterance_count = rows};
    w.exits = &exit, w.exit_count = 1;
    int64_t bytes = sr_asset_write_bytes(&w), work_bytes = sr_asset_write_work_bytes(&w);
    if (bytes < 0 || work_bytes < 0) fail("the asset cannot be written");
    void *asset = room((size_t)bytes), *work = room((size_t)work_bytes);
    if (sr_asset_write(&w, work, (size_t)work_bytes, asset, (size_t)bytes, NULL) < 0) fail("the asset is refused");
    write_file(folder, rows, dim, f32 ? "-f32.srr" : ".srr", asset, (size_t)bytes);
    free(asset), free(work);
}

static void make(const char *folder, unsigned rows, unsigned dim, bool f32) {
    if (rows % ROUTES) fail("rows come in fives");
    float *directions = room(sizeof(float) * (ROUTES + DIRECTIONS) * dim);
    for (size_t i = 0; i < (size_t)(ROUTES + DIRECTIONS) * dim; i++) directions[i] = noise();
    float *vectors = room(sizeof(float) * rows * dim), *queries = room(sizeof(float) * QUERIES * dim);
    for (unsigned i = 0; i < rows; i++) vector(directions, dim, i / (rows / ROUTES), vectors + (size_t)i * dim);
    for (unsigned i = 0; i < QUERIES; i++) vector(directions, dim, i % ROUTES, queries + (size_t)i * dim);
    write_file(folder, rows, dim, ".queries", queries, sizeof(float) * QUERIES * dim);
    write_asset(folder, rows, dim, vectors, false);
    if (f32) {
        write_asset(folder, rows, dim, vectors, true);
        write_file(folder, rows, dim, ".f32", vectors, sizeof(float) * rows * dim);
    }
    free(directions), free(vectors), free(queries);
}

/* ---- timing: samples that last long enough for the clock --------------------------------------------------------- */

static void measure(double ms, void (*body)(void *), void *context) {
    static double samples[SAMPLES];
    body(context);
    int inner = 1;
    for (double took = 0; took < 500 && inner < 1 << 20; inner *= 2) {
        double t = now_us();
        for (int i = 0; i < inner; i++) body(context);
        took = now_us() - t;
        if (took >= 500) break;
    }
    int count = 0;
    for (double start = now_us(); count < SAMPLES && (count < 5 || now_us() - start < ms * 1e3); count++) {
        double t = now_us();
        for (int i = 0; i < inner; i++) body(context);
        samples[count] = (now_us() - t) / inner;
    }
    for (int i = 0; i < count; i++) printf("%.4g\n", samples[i]);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    fprintf(stderr, "%ld\n", use.ru_maxrss); /* KiB */
}

typedef struct {
    const sr_router *router;
    const float *queries;
    size_t dim, work_bytes;
    void *work;
    unsigned next;
} match_run;

static void run_match(void *context) {
    match_run *m = context;
    sr_decision d;
    sr_match matches[ROUTES];
    sr_why why[5];
    const float *q = m->queries + (size_t)(m->next++ % QUERIES) * m->dim;
    if (sr_router_match(m->router, 0, q, m->dim, NULL, m->work, m->work_bytes, &d, matches, ROUTES, why, 5) < 0)
        fail("match");
}

static void match(const char *path, const char *queries, const char *set, double ms) {
    size_t bytes, query_bytes;
    const sr_kernels *kernels = strcmp(set, "best") == 0 ? sr_kernels_best() : sr_kernels_by_name(set);
    if (!kernels) fail("no such kernel set here");
    sr_kernels_force(kernels);
    void *asset = read_file(path, &bytes);
    int64_t need = sr_router_bytes(asset, bytes);
    match_run m = {.queries = read_file(queries, &query_bytes)};
    if (need < 0 || sr_router_open(room((size_t)need), (size_t)need, asset, bytes, &m.router) < 0) fail("open");
    m.dim = query_bytes / sizeof(float) / QUERIES;
    m.work_bytes = sr_router_work_bytes(m.router), m.work = room(m.work_bytes);
    measure(ms, run_match, &m);
}

typedef struct {
    const uint64_t *words;
    size_t count;
} read_run;

static volatile uint64_t sink;
static void run_read(void *context) {
    const read_run *r = context;
    const uint64_t *v = r->words;
    uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    for (size_t i = 0; i + 8 <= r->count; i += 8) {
        a += v[i], b += v[i + 1], c += v[i + 2], d += v[i + 3];
        e += v[i + 4], f += v[i + 5], g += v[i + 6], h += v[i + 7];
    }
    sink += ((a + b) + (c + d)) + ((e + f) + (g + h));
}

typedef struct {
    sr_encoder *encoder;
    const char *text;
    size_t bytes;
    uint32_t layer;
    float vector[SR_MAX_DIM];
} encode_run;

static void run_encode(void *context) {
    encode_run *e = context;
    if (sr_encoder_start(e->encoder, e->text, e->bytes) < 0 || sr_encoder_advance(e->encoder, e->layer, e->vector) < 0)
        fail("encode");
}

static void encode(const char *path, uint32_t layer, double ms, const char *text) {
    size_t bytes;
    void *file = read_file(path, &bytes);
    int64_t need = sr_model_bytes(file, bytes);
    sr_model *model;
    if (need < 0 || sr_model_open(room((size_t)need), (size_t)need, file, bytes, &model) < 0) fail("open");
    encode_run e = {.text = text, .bytes = strlen(text), .layer = layer};
    need = sr_encoder_bytes(model);
    if (need < 0 || sr_encoder_open(room((size_t)need), (size_t)need, model, &e.encoder) < 0) fail("open");
    measure(ms, run_encode, &e);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "make") == 0 && argc > 4) {
        make(argv[2], (unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), argc > 5);
    } else if (strcmp(what, "match") == 0 && argc > 5) {
        match(argv[2], argv[3], argv[4], atof(argv[5]));
    } else if (strcmp(what, "read") == 0 && argc > 3) {
        size_t bytes;
        const void *file = read_file(argv[2], &bytes);
        read_run r = {file, bytes / 8};
        measure(atof(argv[3]), run_read, &r);
    } else if (strcmp(what, "encode") == 0 && argc > 5) {
        encode(argv[2], (uint32_t)atoi(argv[3]), atof(argv[4]), argv[5]);
    } else {
        fprintf(stderr, "usage: see the head of tests/bench/native.c\n");
        return 2;
    }
    return 0;
}
