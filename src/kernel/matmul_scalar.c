/* The encoder's reference kernels, in plain C, and the choice of a set. */
#include "kernel.h"
#include "matmul_blocks.h"
#include "matmul_float.h"

static inline void byte_block(const int8_t *act, const int16_t *start, size_t cols, size_t tokens, const uint8_t *w,
                              size_t columns, int32_t *out) {
    for (size_t t = 0; t < tokens; t++, start += cols / 16, act += cols, out += SR_MATMUL_STRIP) {
        int32_t sum[SR_MATMUL_STRIP];
        for (int r = 0; r < SR_MATMUL_STRIP; r++) sum[r] = byte_start(start, columns);
        const uint8_t *p = w;
        for (const int8_t *a = act; a < act + columns; a += 4)
            for (int r = 0; r < SR_MATMUL_STRIP; r++, p += 4)
                sum[r] += a[0] * p[0] + a[1] * p[1] + a[2] * p[2] + a[3] * p[3];
        memcpy(out, sum, sizeof sum);
    }
}

SR_PRODUCTS(bytes, byte_block, SR_MATMUL_BYTES_BLOCK, SR_AS_PACKED)

static inline void nibble_block(const int8_t *act, const int16_t *start, size_t cols, size_t tokens, const uint8_t *w,
                                size_t columns, int32_t *out) {
    for (size_t t = 0; t < tokens; t++, start += cols / 16, act += cols, out += SR_MATMUL_STRIP) {
        int32_t sum[SR_MATMUL_STRIP] = {0};
        const uint8_t *p = w;
        const int8_t *a = act;
        for (size_t b = 0; b < columns / SR_MATMUL_BLOCK; b++, p += 4 * SR_MATMUL_STRIP) {
            int32_t part[SR_MATMUL_STRIP];
            for (int r = 0; r < SR_MATMUL_STRIP; r++) part[r] = start[2 * b] + start[2 * b + 1];
            for (int c = 0; c < SR_MATMUL_BLOCK; c += 4, a += 4)
                for (int r = 0; r < SR_MATMUL_STRIP; r++, p += 4)
                    part[r] += a[0] * p[0] + a[1] * p[1] + a[2] * p[2] + a[3] * p[3];
            int16_t multiplier[2 * SR_MATMUL_STRIP];
            memcpy(multiplier, p, sizeof multiplier);
            for (int r = 0; r < SR_MATMUL_STRIP; r++) sum[r] += part[r] * multiplier[2 * r];
        }
        memcpy(out, sum, sizeof sum);
    }
}
SR_PRODUCTS(nibbles, nibble_block, SR_MATMUL_NIBBLES_BLOCK, SR_AS_PACKED)

const sr_matmul_kernels sr_matmul_scalar = {"scalar", bytes, nibbles, SR_MATMUL_FLOAT_FUNCTIONS};

static const sr_matmul_kernels *forced;

static const sr_matmul_kernels *const sets[] = {
#if defined(__x86_64__)
    &sr_matmul_avx2,
#endif
#if defined(__wasm_relaxed_simd__)
    &sr_matmul_relaxed_dot, &sr_matmul_relaxed,
#endif
#if defined(__wasm_simd128__)
    &sr_matmul_simd128,
#endif
    &sr_matmul_scalar,
};

static int runs_here(const sr_matmul_kernels *k) {
#if defined(__x86_64__)
    if (k == &sr_matmul_avx2) return __builtin_cpu_supports("avx2");
#endif
    (void)k;
    return 1;
}

static int suits_here(const sr_matmul_kernels *k) {
#if defined(__wasm_relaxed_simd__)
    if (k == &sr_matmul_relaxed_dot) return sr_relaxed_dot_is_one_instruction();
#endif
    return runs_here(k);
}

const sr_matmul_kernels *sr_matmul_best(void) {
    if (forced) return forced;
    for (size_t i = 0;; i++)
        if (suits_here(sets[i])) return sets[i];
}

const sr_matmul_kernels *sr_matmul_by_name(const char *name) {
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strcmp(sets[i]->name, name) == 0 && runs_here(sets[i])) return sets[i];
    return 0;
}

void sr_matmul_force(const sr_matmul_kernels *k) {
    forced = k;
}
