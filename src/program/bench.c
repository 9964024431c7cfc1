/* smartrouter bench: times the matcher on made-up vectors, and encoder, piece table and whole decisions on made-up
 * prompts. */
#include "asset_write.h"
#include "kernel/kernel.h"
#include "program/engine.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const cli_option options[] = {
    {"--routes", "FILE", "route asset (.srr) for whole decisions; default: the five routes that make built"},
    {"--model", "FILE", "encoder model (.srm); default: the one that make built"},
    {"--table", "FILE", "piece table (.srt)"},
    {"--seconds", "S", "time spent on each row (default 0.5)"},
    {"--only", "WHAT", "matcher, or encoder"},
    {"--json", NULL, "one JSON object a row"},
    {0}};
static const cli_command command = {"bench", "time matcher and encoder", "[options]", options,
                                    "  smartrouter bench\n  smartrouter bench --only matcher --json\n"};

typedef struct {
    double seconds;
    bool json;
} bench_options;

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Runs body until the time is up, at least 5 times; each sample is a run of `inner` calls. */
static void measure(const bench_options *o, const char *what, const char *variant, size_t rows, size_t dim,
                    size_t tokens, void (*body)(void *), void *context) {
    enum { SAMPLES = 4096 };
    static double samples[SAMPLES];
    body(context);
    double start = now_us(), one = 0;
    int inner = 1;
    for (;;) { /* calls so short that the clock would be seen are timed in bundles of about 20 us */
        double t = now_us();
        for (int i = 0; i < inner; i++) body(context);
        one = now_us() - t;
        if (one > 20 || inner > 1 << 20) break;
        inner *= 2;
    }
    size_t count = 0;
    while (count < SAMPLES && (count < 5 || now_us() - start < o->seconds * 1e6)) {
        double t = now_us();
        for (int i = 0; i < inner; i++) body(context);
        samples[count++] = (now_us() - t) / inner;
    }
    qsort(samples, count, sizeof *samples, by_value);
    double p50 = samples[count / 2], p95 = samples[count * 95 / 100];
    if (o->json) {
        printf("{\"bench\":\"%s\",\"engine\":\"smartrouter\",\"runtime\":\"native\",\"variant\":\"%s\",\"rows\":%zu,"
               "\"dim\":%zu,"
               "\"tokens\":%zu,\"p50_us\":%.4g,\"p95_us\":%.4g}\n",
               what, variant, rows, dim, tokens, p50, p95);
    } else {
        printf("%-18s %-8s %7zu rows %5zu dims %4zu pieces  p50 %10.2f us  p95 %10.2f us\n", what, variant, rows, dim,
               tokens, p50, p95);
    }
    fflush(stdout);
}

/* A small generator of our own: the same made-up numbers everywhere. */
static float noise(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(int32_t)*state * (1.0f / 2147483648.0f);
}

typedef struct {
    const sr_router *router;
    float *query;
    size_t dim;
    void *work;
    size_t work_bytes;
} match_run;

static void run_match(void *context) {
    match_run *m = context;
    sr_decision d;
    sr_match matches[5];
    sr_why why[3];
    sr_router_match(m->router, 0, m->query, m->dim, NULL, m->work, m->work_bytes, &d, matches, 5, why, 3);
}

static bool bench_matcher(const bench_options *o, uint32_t rows, uint32_t dim, bool f32) {
    static const char *const ids[] = {"a", "b", "c", "d", "e"};
    uint32_t seed = 1;
    float *vectors = memory(sizeof(float) * rows * dim), *query = memory(sizeof(float) * dim);
    for (size_t i = 0; i < (size_t)rows * dim; i++) vectors[i] = noise(&seed);
    for (size_t i = 0; i < dim; i++) query[i] = noise(&seed);
    sr_write_route routes[5];
    for (uint32_t i = 0; i < 5; i++)
        routes[i] = (sr_write_route){.id = {ids[i], 1}, .label = {ids[i], 1}, .utterance_count = rows / 5};
    sr_write_exit exit;
    sr_write_exit_init(&exit);
    exit.embedder = SR_EMBEDDER_EXTERNAL, exit.dim = exit.row_dim = dim, exit.vectors = vectors,
    exit.rows_are_f32 = f32;
    exit.model_id = (sr_text){"bench", 5};
    sr_write_asset w = {.name = {"bench", 5},
                        .routes = routes,
                        .route_count = 5,
                        .utterance_count = rows / 5 * 5,
                        .exits = &exit,
                        .exit_count = 1};
    int64_t bytes = sr_asset_write_bytes(&w), work_bytes = sr_asset_write_work_bytes(&w);
    bool fine = bytes > 0 && work_bytes >= 0;
    if (fine) {
        void *asset = memory((size_t)bytes), *work = memory((size_t)work_bytes);
        int rc = sr_asset_write(&w, work, (size_t)work_bytes, asset, (size_t)bytes, NULL);
        free(work);
        static const char *const sets[] = {"scalar", "avx2"};
        for (int s = 0; s < 2 && rc >= 0; s++) {
            const sr_kernels *kernels = sr_kernels_by_name(sets[s]);
            if (!kernels) continue;
            sr_kernels_force(kernels);
            match_run m = {.query = query, .dim = dim};
            void *mem = memory((size_t)sr_router_bytes(asset, (size_t)bytes));
            rc = sr_router_open(mem, (size_t)sr_router_bytes(asset, (size_t)bytes), asset, (size_t)bytes, &m.router);
            if (rc >= 0) {
                m.work_bytes = sr_router_work_bytes(m.router);
                m.work = memory(m.work_bytes);
                measure(o, f32 ? "match f32" : "match int8", sets[s], rows, dim, 0, run_match, &m);
                free(m.work);
            }
            free(mem);
            sr_kernels_force(NULL);
        }
        if (rc < 0) cli_error("%s (%s)", sr_error_text(rc), sr_error_name(rc)), fine = false;
        free(asset);
    }
    free(vectors), free(query);
    return fine;
}

typedef struct {
    sr_pipeline *pipeline;
    sr_encoder *encoder;
    uint32_t layer;
    float vector[SR_MAX_DIM];
    const char *text;
    size_t bytes;
    uint32_t exit;
} encode_run;

static void run_encode(void *context) {
    encode_run *e = context;
    if (sr_encoder_start(e->encoder, e->text, e->bytes) >= 0) sr_encoder_advance(e->encoder, e->layer, e->vector);
}

static void run_decision(void *context) {
    encode_run *e = context;
    sr_decision d;
    sr_match matches[5];
    sr_why why[3];
    sr_pipeline_options only = {.first_exit = e->exit, .last_exit = e->exit};
    sr_pipeline_route(e->pipeline, e->text, e->bytes, &only, &d, matches, 5, why, 3);
}

/* Words of everyday prompts, joined until the text has the wanted number of pieces. */
static const char *text_of_pieces(sr_encoder *e, int pieces, char *out, size_t room) {
    static const char *const words[] = {"please", "write",  "a",     "short", "note", "about",
                                        "the",    "garden", "and",   "why",   "my",   "server",
                                        "is",     "slow",   "today", "with",  "two",  "apples"};
    size_t used = 0;
    for (int i = 0; used + 16 < room; i++) {
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? " " : "", words[i % 18]);
        if (sr_encoder_start(e, out, used) >= pieces) break;
    }
    return out;
}

static bool bench_encoder(const bench_options *o, const engine *e) {
    static const int lengths[] = {16, 32, 128};
    char text[4096];
    sr_model_info info;
    sr_model_info_get(e->model, &info);
    int64_t need = sr_encoder_bytes(e->model);
    void *mem = memory((size_t)need), *pipeline_memory;
    encode_run *run = memory(sizeof *run);
    sr_encoder_open(mem, (size_t)need, e->model, &run->encoder);
    run->pipeline = engine_pipeline(e, &pipeline_memory);
    const char *set = sr_kernels_best()->name;
    for (int i = 0; i < 3 && run->pipeline; i++) {
        run->text = text_of_pieces(run->encoder, lengths[i], text, sizeof text);
        run->bytes = strlen(text);
        static const uint32_t layers[] = {0, 1, 4, 8, 9, 12};
        for (size_t l = 0; l < sizeof layers / sizeof *layers; l++) {
            char name[32];
            if (layers[l] > info.layers) continue;
            run->layer = layers[l];
            snprintf(name, sizeof name, "encode layer %u", layers[l]);
            measure(o, name, set, 0, info.dim, (size_t)lengths[i], run_encode, run);
        }
        for (uint32_t x = 0; x < sr_router_exit_count(e->router); x++) {
            char name[32];
            if (!sr_pipeline_usable(run->pipeline, x)) continue;
            run->exit = x;
            snprintf(name, sizeof name, "route exit %u", x);
            measure(o, name, set, sr_router_utterance_count(e->router), info.dim, (size_t)lengths[i], run_decision,
                    run);
        }
    }
    bool fine = run->pipeline != NULL;
    free(pipeline_memory), free(mem), free(run);
    return fine;
}

int sr_cmd_bench(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    bench_options o = {.json = cli_given(&args, "--json")};
    if (!cli_decimal(&args, "--seconds", 0.01, 60, 0.5, &o.seconds)) return CLI_USAGE;
    const char *only = cli_value(&args, "--only");
    if (only && strcmp(only, "matcher") != 0 && strcmp(only, "encoder") != 0)
        return cli_error("--only wants matcher or encoder, not '%s'", only), CLI_USAGE;
    bool fine = true;
    if (!only || strcmp(only, "matcher") == 0)
        for (int f32 = 0; f32 < 2; f32++)
            fine = fine && bench_matcher(&o, 80, 384, f32) && bench_matcher(&o, 80, 4096, f32) &&
                   bench_matcher(&o, 100000, 384, f32);
    if (fine && (!only || strcmp(only, "encoder") == 0)) {
        engine e;
        fine = engine_open(&e, cli_value(&args, "--routes"), cli_value(&args, "--model"), cli_value(&args, "--table"),
                           ENGINE_ASSET | ENGINE_MODEL | ENGINE_TABLE) &&
               bench_encoder(&o, &e);
        engine_close(&e);
    }
    return fine ? CLI_OK : CLI_FAILED;
}
