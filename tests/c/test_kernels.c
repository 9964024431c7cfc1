/* Every kernel set against the scalar one, bit for bit, and the scalar one against plain sums. */
#include "kernel/exact.h"
#include "kernel/kernel.h"
#include "test.h"

static const char *const names[] = {"scalar", "avx2", "simd128", "relaxed", "relaxed-dot"};
static const size_t lengths[] = {0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 255, 384, 1000, 8192};
enum { LENGTHS = sizeof lengths / sizeof *lengths, MOST = 8192 };

static int8_t random_i8(void) {
    return (int8_t)((int)(test_random() % 255) - 127);
}

/* kinds of vectors: random, all 127, all -127, alternating, zeros */
static void fill_i8(int8_t *v, size_t n, int kind) {
    for (size_t i = 0; i < n; i++)
        v[i] = kind == 0 ? random_i8() : kind == 1 ? 127 : kind == 2 ? -127 : kind == 3 ? (i % 2 ? 127 : -127) : 0;
}

#define EACH_SET(k)                                                                                                    \
    for (size_t s_ = 0; s_ < sizeof names / sizeof *names; s_++)                                                       \
        for (const sr_kernels *k = sr_kernels_by_name(names[s_]); k; k = NULL)

TEST(the_sets_that_this_build_should_have_are_there) {
    CHECK(sr_kernels_by_name("scalar") == &sr_kernels_scalar);
    CHECK(sr_kernels_by_name("neon") == NULL);
#if defined(__wasm_relaxed_simd__)
    CHECK(sr_kernels_best() == sr_kernels_by_name("relaxed"));
#elif defined(__wasm_simd128__)
    CHECK(sr_kernels_best() == sr_kernels_by_name("simd128"));
#elif defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) CHECK(sr_kernels_best() == sr_kernels_by_name("avx2"));
#endif
    sr_kernels_force(&sr_kernels_scalar);
    CHECK(sr_kernels_best() == &sr_kernels_scalar);
    sr_kernels_force(NULL);
}

TEST(dot_i8_is_exact_for_any_length_alignment_and_value) {
    int8_t *a = test_alloc(MOST + 3), *b = test_alloc(MOST + 1);
    for (int ka = 0; ka < 5; ka++)
        for (int kb = 0; kb < 5; kb++)
            for (size_t l = 0; l < LENGTHS; l++) {
                size_t n = lengths[l];
                int8_t *pa = a + 3 + MOST - n, *pb = b + 1 + MOST - n; /* unaligned, and ending at the block's end */
                fill_i8(pa, n, ka), fill_i8(pb, n, kb);
                long long sum = 0;
                for (size_t i = 0; i < n; i++) sum += pa[i] * pb[i];
                EACH_SET(k) CHECK_INT(k->dot_i8(pa, pb, n), sum);
            }
    free(a), free(b);
}

TEST(dots_i8_is_exact_for_every_pair_of_values) {
    /* 255 x 255 products, each alone and beside an extreme neighbour that could saturate a pair's sum */
    int8_t *q = test_alloc(64), *rows = test_alloc(255 * 64);
    int32_t out[255];
    for (int neighbour = -127; neighbour <= 127; neighbour += 127)
        for (int x = -127; x <= 127; x++) {
            memset(q, 0, 64), memset(rows, 0, 255 * 64);
            q[18] = (int8_t)x, q[19] = (int8_t)neighbour;
            for (int y = -127; y <= 127; y++) rows[(y + 127) * 64 + 18] = (int8_t)y, rows[(y + 127) * 64 + 19] = 127;
            EACH_SET(k) {
                k->dots_i8(q, rows, 255, 64, out);
                for (int y = -127; y <= 127; y++) CHECK_INT(out[y + 127], x * y + neighbour * 127);
            }
        }
    free(q), free(rows);
}

TEST(dots_i8_is_exact_for_any_row_count) {
    size_t strides[] = {64, 128, 384, 8192};
    for (size_t t = 0; t < 4; t++)
        for (size_t count = 0; count <= 9; count++)
            for (int kind = 0; kind < 5; kind++) {
                size_t stride = strides[t];
                int8_t *q = test_alloc(stride), *rows = test_alloc(count * stride);
                int32_t out[10];
                fill_i8(q, stride, kind), fill_i8(rows, count * stride, (kind * 2) % 5);
                EACH_SET(k) {
                    memset(out, 0x55, sizeof out);
                    k->dots_i8(q, rows, count, stride, out);
                    for (size_t r = 0; r < count; r++)
                        CHECK_INT(out[r], sr_kernels_scalar.dot_i8(q, rows + r * stride, stride));
                    CHECK_INT(out[count], 0x55555555); /* and not a number more */
                }
                free(q), free(rows);
            }
}

static void fill_f32(float *v, size_t n, int kind) {
    for (size_t i = 0; i < n; i++) {
        float r = test_random_f32();
        v[i] = kind == 0 ? r : kind == 1 ? r * 1e18f : kind == 2 ? r * 1e-22f : kind == 3 ? 0 : (i % 5 ? r : -0.0f);
    }
}

static int same_bits(float a, float b) {
    return memcmp(&a, &b, sizeof a) == 0 || (a != a && b != b);
}

/* The contract in words, once more: lane j adds elements j, j + 8, ..., then ((0+4)+(2+6)) + ((1+5)+(3+7)). */
static float eight_lanes(const float *a, const float *b, size_t n) {
    float lane[8] = {0};
    for (size_t i = 0; i < n; i++) {
        volatile float product = a[i] * b[i];
        lane[i % 8] += product;
    }
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

TEST(dot_f32_gives_the_same_bits_in_every_set) {
    float *a = test_alloc((MOST + 1) * sizeof *a), *b = test_alloc((MOST + 2) * sizeof *b);
    for (int kind = 0; kind < 5; kind++)
        for (size_t l = 0; l < LENGTHS; l++) {
            size_t n = lengths[l];
            float *pa = a + 1 + MOST - n, *pb = b + 2 + MOST - n;
            fill_f32(pa, n, kind), fill_f32(pb, n, kind % 2 ? 0 : kind);
            float expected = eight_lanes(pa, pb, n);
            EACH_SET(k) CHECK(same_bits(k->dot_f32(pa, pb, n), expected));
            if (n) { /* a NaN or an infinity anywhere is not lost */
                pa[n - 1] = NAN;
                EACH_SET(k) CHECK(isnan(k->dot_f32(pa, pb, n)));
                pa[n - 1] = INFINITY, pb[n - 1] = 1;
                EACH_SET(k) CHECK(same_bits(k->dot_f32(pa, pb, n), INFINITY));
            }
        }
    free(a), free(b);
}

TEST(dot_f32_i8_gives_the_same_bits_in_every_set) {
    float *q = test_alloc((MOST + 1) * sizeof *q), *wide = test_alloc(MOST * sizeof *wide);
    int8_t *row = test_alloc(MOST + 5);
    for (int kind = 0; kind < 5; kind++)
        for (size_t l = 0; l < LENGTHS; l++) {
            size_t n = lengths[l];
            float *pq = q + 1 + MOST - n;
            int8_t *pr = row + 5 + MOST - n;
            fill_f32(pq, n, kind), fill_i8(pr, n, kind);
            for (size_t i = 0; i < n; i++) wide[i] = pr[i];
            float expected = eight_lanes(pq, wide, n);
            EACH_SET(k) CHECK(same_bits(k->dot_f32_i8(pq, pr, n), expected));
        }
    free(q), free(wide), free(row);
}

TEST(many_rows_at_once_give_the_bits_of_one_at_a_time) {
    size_t dims[] = {1, 7, 8, 9, 16, 37, 384};
    for (size_t t = 0; t < sizeof dims / sizeof *dims; t++)
        for (size_t count = 0; count <= 9; count++) {
            size_t n = dims[t], stride = (n + 15) / 16 * 16, stride8 = (n + 63) / 64 * 64;
            float *q = test_alloc(n * sizeof *q), *rows = test_alloc(count * stride * sizeof *rows), out[10];
            int8_t *rows8 = test_alloc(count * stride8);
            memset(rows, 0, count * stride * sizeof *rows), memset(rows8, 0, count * stride8);
            fill_f32(q, n, 0);
            for (size_t r = 0; r < count; r++) fill_f32(rows + r * stride, n, 0), fill_i8(rows8 + r * stride8, n, 0);
            EACH_SET(k) {
                out[count] = 7;
                k->dots_f32(q, rows, count, stride, n, out);
                for (size_t r = 0; r < count; r++) CHECK(same_bits(out[r], eight_lanes(q, rows + r * stride, n)));
                k->dots_f32_i8(q, rows8, count, stride8, n, out);
                for (size_t r = 0; r < count; r++)
                    CHECK(same_bits(out[r], sr_kernels_scalar.dot_f32_i8(q, rows8 + r * stride8, n)));
                CHECK(out[count] == 7);
            }
            free(q), free(rows), free(rows8);
        }
}

TEST(expf_is_right_within_two_units_and_always_finite) {
    double worst = 0;
    for (float x = -87; x <= 88; x += 0.0037f) {
        double error = fabs(sr_expf(x) / exp((double)x) - 1);
        worst = error > worst ? error : worst;
    }
    CHECK(worst < 2.4e-7);
    CHECK(sr_expf(-1e30f) > 0 && sr_expf(-INFINITY) > 0 && sr_expf(1e30f) < INFINITY && sr_expf(0) == 1);
    CHECK(sr_roundf(0.5f) == 0 && sr_roundf(1.5f) == 2 && sr_roundf(-2.5f) == -2 && sr_roundf(126.7f) == 127);
}

TEST(expf_gives_these_bits_everywhere) {
    uint64_t sum = 0;
    for (int i = 0; i < 20000; i++) {
        float v = sr_expf((float)(i - 10000) * 0.008f);
        uint32_t bits;
        memcpy(&bits, &v, sizeof bits);
        sum = sum * 31 + bits;
    }
    CHECK(sum == 0xca0d2e2a7d0e43e1u);
}

TEST_MAIN()
