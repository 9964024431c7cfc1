/* Float kernels that simd128.c and relaxed.c share: relaxed SIMD has only fused multiply-add to offer floats, and that
 * rounds differently from processor to processor.
 *
 * Lanes 0..3 and 4..7 are two vectors, so that is also the number of independent chains of additions; their latency is
 * the bound (4 cycles for 8 elements).
 */
#ifndef SR_KERNEL_WASM_F32_H
#define SR_KERNEL_WASM_F32_H
#include <string.h>
#include <wasm_simd128.h>

/* ((0+4)+(2+6)) + ((1+5)+(3+7)) */
static float combine(v128_t low, v128_t high) {
    v128_t s = wasm_f32x4_add(low, high);
    s = wasm_f32x4_add(s, wasm_i32x4_shuffle(s, s, 2, 3, 0, 1));
    return wasm_f32x4_extract_lane(s, 0) + wasm_f32x4_extract_lane(s, 1);
}

static v128_t fma_apart(v128_t sum, v128_t a, v128_t b) {
    return wasm_f32x4_add(sum, wasm_f32x4_mul(a, b));
}

static float sr_dot_f32_wasm(const float *a, const float *b, size_t n) {
    v128_t low = wasm_f32x4_const_splat(0), high = low;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        low = fma_apart(low, wasm_v128_load(a + i), wasm_v128_load(b + i));
        high = fma_apart(high, wasm_v128_load(a + i + 4), wasm_v128_load(b + i + 4));
    }
    if (i < n) {
        float ta[8] = {0}, tb[8] = {0};
        memcpy(ta, a + i, (n - i) * sizeof *a);
        memcpy(tb, b + i, (n - i) * sizeof *b);
        low = fma_apart(low, wasm_v128_load(ta), wasm_v128_load(tb));
        high = fma_apart(high, wasm_v128_load(ta + 4), wasm_v128_load(tb + 4));
    }
    return combine(low, high);
}

static float sr_dot_f32_i8_wasm(const float *query, const int8_t *row, size_t n) {
    v128_t low = wasm_f32x4_const_splat(0), high = low;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        v128_t wide = wasm_i16x8_load8x8(row + i);
        low = fma_apart(low, wasm_v128_load(query + i), wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(wide)));
        high = fma_apart(high, wasm_v128_load(query + i + 4),
                         wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(wide)));
    }
    if (i < n) {
        float tq[8] = {0}, tr[8] = {0};
        for (size_t j = 0; i + j < n; j++) tq[j] = query[i + j], tr[j] = (float)row[i + j];
        low = fma_apart(low, wasm_v128_load(tq), wasm_v128_load(tr));
        high = fma_apart(high, wasm_v128_load(tq + 4), wasm_v128_load(tr + 4));
    }
    return combine(low, high);
}

#endif
