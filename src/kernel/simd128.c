/* WebAssembly SIMD128. */
#include "kernel/kernel.h"
#if defined(__wasm_simd128__)
#include "kernel/wasm_f32.h"

static int32_t sum_i32(v128_t v) {
    v = wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    return wasm_i32x4_extract_lane(v, 0) + wasm_i32x4_extract_lane(v, 1);
}

/* 8 products: both operands widened to int16 by the load itself, then multiplied and added in pairs: exact. */
static v128_t step(v128_t query, const int8_t *row) {
    return wasm_i32x4_dot_i16x8(query, wasm_i16x8_load8x8(row));
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n) {
    v128_t s0 = wasm_i32x4_const_splat(0), s1 = s0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        s0 = wasm_i32x4_add(s0, step(wasm_i16x8_load8x8(a + i), b + i));
        s1 = wasm_i32x4_add(s1, step(wasm_i16x8_load8x8(a + i + 8), b + i + 8));
    }
    int32_t sum = sum_i32(wasm_i32x4_add(s0, s1));
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Bound by the vector ports: a widening load, a multiply and an addition for 8 products. Four rows a pass share the
 * query's widening and give four independent chains of additions. */
static void dots_i8(const int8_t *query, const int8_t *rows, size_t row_count, size_t stride, int32_t *out) {
    size_t r = 0;
    for (; r + 4 <= row_count; r += 4) {
        const int8_t *p0 = rows + r * stride, *p1 = p0 + stride, *p2 = p1 + stride, *p3 = p2 + stride;
        v128_t s0 = wasm_i32x4_const_splat(0), s1 = s0, s2 = s0, s3 = s0;
        for (size_t i = 0; i < stride; i += 8) {
            v128_t q = wasm_i16x8_load8x8(query + i);
            s0 = wasm_i32x4_add(s0, step(q, p0 + i));
            s1 = wasm_i32x4_add(s1, step(q, p1 + i));
            s2 = wasm_i32x4_add(s2, step(q, p2 + i));
            s3 = wasm_i32x4_add(s3, step(q, p3 + i));
        }
        out[r] = sum_i32(s0), out[r + 1] = sum_i32(s1), out[r + 2] = sum_i32(s2), out[r + 3] = sum_i32(s3);
    }
    for (; r < row_count; r++) out[r] = dot_i8(query, rows + r * stride, stride);
}

const sr_kernels sr_kernels_simd128 = {
    "simd128", dot_i8, dots_i8, sr_dot_f32_wasm, sr_dot_f32_i8_wasm, sr_dots_f32_wasm, sr_dots_f32_i8_wasm};
#endif
