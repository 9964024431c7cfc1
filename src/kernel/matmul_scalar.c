/* The encoder's reference kernels, in plain C, and the choice of a set. */
#include "matmul.h"
#include "matmul_float.h"

static void products(const int8_t *act, const int32_t *act_sum, size_t tokens, const uint8_t *packed, size_t cols,
                     size_t group, int32_t *out) {
    size_t groups = sr_matmul_groups(cols, group);
    for (size_t g = 0; g < groups; g++) {
        size_t from = g * group, to = cols - from < group ? cols : from + group;
        for (size_t t = 0; t < tokens; t++) {
            const int8_t *a = act + t * cols;
            int32_t sum[SR_MATMUL_STRIP];
            for (int r = 0; r < SR_MATMUL_STRIP; r++) sum[r] = -64 * act_sum[t * groups + g];
            for (size_t c = from; c < to; c += 4) {
                const uint8_t *w = packed + c * SR_MATMUL_STRIP;
                for (int r = 0; r < SR_MATMUL_STRIP; r++, w += 4)
                    sum[r] += a[c] * w[0] + a[c + 1] * w[1] + a[c + 2] * w[2] + a[c + 3] * w[3];
            }
            memcpy(out + (g * tokens + t) * SR_MATMUL_STRIP, sum, sizeof sum);
        }
    }
}

const sr_matmul_kernels sr_matmul_scalar = {"scalar", products, SR_MATMUL_FLOAT_FUNCTIONS};

static const sr_matmul_kernels *forced;

static const sr_matmul_kernels *const sets[] = {
#if defined(__x86_64__)
    &sr_matmul_avx2,
#endif
#if defined(__wasm_relaxed_simd__)
    &sr_matmul_relaxed,
#endif
#if defined(__wasm_simd128__)
    &sr_matmul_simd128,
#endif
    &sr_matmul_scalar,
};

static int usable(const sr_matmul_kernels *k) {
#if defined(__x86_64__)
    if (k == &sr_matmul_avx2) return __builtin_cpu_supports("avx2");
#endif
    (void)k;
    return 1;
}

const sr_matmul_kernels *sr_matmul_best(void) {
    if (forced) return forced;
    for (size_t i = 0;; i++)
        if (usable(sets[i])) return sets[i];
}

const sr_matmul_kernels *sr_matmul_by_name(const char *name) {
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strcmp(sets[i]->name, name) == 0 && usable(sets[i])) return sets[i];
    return 0;
}

void sr_matmul_force(const sr_matmul_kernels *k) {
    forced = k;
}
