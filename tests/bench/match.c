/* Times of the matcher, as one JSON record a line: native, and compiled to WebAssembly in each variant.
 *
 *   match [kernel set, or best] [factor on the number of runs] [what to call the runtime]
 *
 * "read" is the bound: the time to add up the same bytes once, eight at a time.
 */
#define _POSIX_C_SOURCE 200809L
#include "assets.h"
#include <time.h>

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? 1 : x < y ? -1 : 0;
}

enum { SAMPLES = 41 };
static double scale = 1;
static const char *runtime = "native";

static void report(const char *what, const char *variant, unsigned rows, unsigned dim, double *us) {
    qsort(us, SAMPLES, sizeof *us, ascending);
    printf("{\"bench\":\"%s\",\"engine\":\"smartrouter\",\"runtime\":\"%s\",\"variant\":\"%s\",\"rows\":%u,\"dim\":%u,"
           "\"p50_us\":%.3f,\"p95_us\":%.3f,\"best_us\":%.3f}\n",
           what, runtime, variant, rows, dim, us[SAMPLES / 2], us[SAMPLES * 95 / 100], us[0]);
    fflush(stdout);
}

#define TIME(what, rows, dim, repeats, statement)                                                                      \
    do {                                                                                                               \
        double us_[SAMPLES];                                                                                           \
        long repeats_ = (long)((repeats) * scale) + 1;                                                                 \
        for (int s_ = 0; s_ < SAMPLES; s_++) {                                                                         \
            double start_ = now_us();                                                                                  \
            for (long i_ = 0; i_ < repeats_; i_++) statement;                                                          \
            us_[s_] = (now_us() - start_) / (double)repeats_;                                                          \
        }                                                                                                              \
        report(what, sr_kernels_best()->name, rows, dim, us_);                                                         \
    } while (0)

static volatile uint64_t sink;

static uint64_t read_all(const void *p, size_t bytes) {
    const uint64_t *v = p;
    uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
    for (size_t i = 0; i + 8 <= bytes / 8; i += 8) {
        a += v[i], b += v[i + 1], c += v[i + 2], d += v[i + 3];
        e += v[i + 4], f += v[i + 5], g += v[i + 6], h += v[i + 7];
    }
    return ((a + b) + (c + d)) + ((e + f) + (g + h));
}

static void bench(unsigned routes, unsigned per_route, unsigned dim, unsigned f32, long repeats) {
    draft d = make_draft((recipe){.dim = dim, .row_dim = dim, .routes = routes, .per_route = per_route, .f32 = f32});
    unsigned rows = routes * per_route;
    double start = now_us();
    built b = build_asset(&d.w, 0);
    double written = now_us() - start;
    start = now_us();
    opened o = open_built(b);
    double us[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) us[i] = now_us() - start;
    report(f32 ? "open_f32" : "open", sr_kernels_best()->name, rows, dim, us);
    for (int i = 0; i < SAMPLES; i++) us[i] = written;
    report(f32 ? "write_f32" : "write", sr_kernels_best()->name, rows, dim, us);
    float *q = random_floats(dim);
    sr_decision out;
    sr_match m[5];
    sr_why why[5];
    TIME(f32 ? "match_f32" : "match", rows, dim, repeats,
         sr_router_match(o.r, 0, q, dim, NULL, o.work, o.work_bytes, &out, m, 5, why, 5));
    const sr_asset_exit *e = &o.r->exits[0];
    if (!f32) {
        int8_t *coded = test_alloc(e->row_stride);
        int32_t *dots = test_alloc(rows * sizeof *dots);
        sr_space_quantise(o.r->kernels, q, dim, coded);
        TIME("dots", rows, dim, repeats, o.r->kernels->dots_i8(coded, e->rows, rows, e->row_stride, dots));
        free(coded), free(dots);
    }
    TIME(f32 ? "read_f32" : "read", rows, dim, repeats, sink += read_all(e->rows, rows * e->row_stride));
    free(q);
    close_opened(&o), free_draft(&d);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "best")) {
        const sr_kernels *k = sr_kernels_by_name(argv[1]);
        if (!k) return fprintf(stderr, "no kernel set '%s' here\n", argv[1]), 1;
        sr_kernels_force(k);
    }
    if (argc > 2) scale = atof(argv[2]);
    if (argc > 3) runtime = argv[3];
    bench(5, 16, 384, 0, 400);
    bench(5, 16, 384, 1, 400);
    bench(5, 16, 4096, 0, 40);
    bench(5, 16, 4096, 1, 40);
    bench(5, 2000, 384, 0, 2);
    bench(5, 20000, 384, 0, 0);
    bench(5, 20000, 384, 1, 0);
    return 0;
}
