/* The native half of tests/fuzz/wasm.mjs: reads frames from standard input (a letter, the number of bytes, the bytes)
 * and answers each with one line.
 *
 *   K name   kernels to compute with from now on     A, M, T bytes   asset, model, table; nothing: none
 *   O        opens them: the first error's name      R bytes         the same file with its hashes made right, in hex
 *   P text   its pieces, and what each exit decides, floats as their bits
 */
#include "kernel/matmul.h"
#include "pipelines.h"
#include "reseal.h"

static small_file files[3]; /* asset, model, table */
static small_pipeline open_now;
static sr_encoder *encoder;
static void *encoder_memory;

static uint32_t bits(float f) {
    uint32_t u;
    memcpy(&u, &f, 4);
    return u;
}

static void close_all(void) {
    close_pipeline(&open_now);
    free(encoder_memory);
    encoder_memory = NULL, encoder = NULL;
}

static int open_all(void) {
    int rc = open_pipeline(&open_now, files[0], files[1], files[2]);
    if (rc < 0 || !open_now.model) return rc;
    int64_t need = sr_encoder_bytes(open_now.model);
    if (need < 0) return (int)need;
    encoder_memory = test_alloc((size_t)need);
    return sr_encoder_open(encoder_memory, (size_t)need, open_now.model, &encoder);
}

static void pieces(const char *text, size_t bytes) {
    uint32_t ids[SR_MAX_TOKENS];
    int n = sr_encoder_start(encoder, text, bytes);
    printf("%d", n);
    sr_encoder_pieces(encoder, ids, SR_MAX_TOKENS);
    for (int i = 0; i < n; i++) printf(" %u", ids[i]);
}

static void answers(const char *text, size_t bytes) {
    sr_decision d;
    static sr_match m[SR_MAX_ROUTES];
    sr_why why[5];
    if (encoder) pieces(text, bytes);
    int rc = sr_pipeline_start(open_now.pipeline, text, bytes);
    printf(" start %s", sr_error_name(rc));
    for (uint32_t exit = 0; rc >= 0 && exit < sr_router_exit_count(open_now.router); exit++) {
        if (!sr_pipeline_usable(open_now.pipeline, exit)) continue;
        int e = sr_pipeline_answer(open_now.pipeline, exit, NULL, &d, m, SR_MAX_ROUTES, why, 5);
        printf(" | %u %s", exit, sr_error_name(e));
        if (e < 0) continue;
        printf(" %u %u %u %u %08x %08x %08x", d.route, d.nearest, d.exit, d.flags, bits(d.score), bits(d.margin),
               bits(d.confidence));
        for (uint32_t i = 0; i < d.match_count; i++) printf(" %u:%08x", m[i].route, bits(m[i].score));
        for (uint32_t i = 0; i < d.why_count; i++) printf(" %u=%08x", why[i].utterance, bits(why[i].similarity));
    }
    printf("\n");
}

static void keep(small_file *f, const uint8_t *data, size_t bytes) {
    close_all();
    free(f->data);
    *f = (small_file){bytes ? test_alloc(bytes) : NULL, bytes};
    if (bytes) memcpy(f->data, data, bytes);
    printf("ok\n");
}

static void kernels(const char *name) {
    close_all(); /* weights are packed for the kernels */
    sr_kernels_force(sr_kernels_by_name(name));
    sr_matmul_force(sr_matmul_by_name(name));
    printf("%s\n", sr_kernels_best()->name);
}

int main(void) {
    uint8_t head[5];
    while (fread(head, 1, 5, stdin) == 5) {
        size_t bytes = sr_load32(head + 1);
        uint8_t *data = test_alloc(bytes + 1);
        if (fread(data, 1, bytes, stdin) != bytes) return 2;
        data[bytes] = 0;
        if (head[0] == 'K') kernels((const char *)data);
        if (head[0] == 'A') keep(&files[0], data, bytes);
        if (head[0] == 'M') keep(&files[1], data, bytes);
        if (head[0] == 'T') keep(&files[2], data, bytes);
        if (head[0] == 'O') {
            close_all();
            int rc = open_all();
            printf("%s\n", sr_error_name(rc));
        }
        if (head[0] == 'P') answers((const char *)data, bytes);
        if (head[0] == 'R') {
            reseal(data, bytes);
            for (size_t i = 0; i < bytes; i++) printf("%02x", data[i]);
            printf("\n");
        }
        fflush(stdout);
        free(data);
    }
    return 0;
}
