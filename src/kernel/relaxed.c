/* WebAssembly relaxed SIMD, made exact. */
#include "kernel/kernel.h"
#if defined(__wasm_relaxed_simd__)
#include "kernel/wasm_f32.h"

static int32_t sum_i32(v128_t v) {
    v = wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    return wasm_i32x4_extract_lane(v, 0) + wasm_i32x4_extract_lane(v, 1);
}

/* The relaxed dot multiplies signed bytes by bytes of 7 bits: whether the top bit of the second operand counts as a
 * sign is left to the processor, and so are sums of pairs over int16. So the query is split into its positive and its
 * negative part, both within 0..127: q = p - n, at most one of them not zero. A pair's sum then lies within +-2 * 127 *
 * 127, which int16 holds, and so does the difference of the two pairs, since it is the sum for the undivided query. */
static v128_t positive(v128_t q) {
    return wasm_i8x16_max(q, wasm_i8x16_const_splat(0));
}
static v128_t negative(v128_t q) {
    return wasm_i8x16_max(wasm_i8x16_neg(q), wasm_i8x16_const_splat(0));
}

#ifndef VARIANT
#define VARIANT 0
#endif
static v128_t step(v128_t sum, v128_t p, v128_t n, const int8_t *row) {
    v128_t r = wasm_v128_load(row);
#if VARIANT == 0
    v128_t d = wasm_i16x8_sub(wasm_i16x8_relaxed_dot_i8x16_i7x16(r, p), wasm_i16x8_relaxed_dot_i8x16_i7x16(r, n));
    return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(d, wasm_i16x8_const_splat(1)));
#elif VARIANT == 1
    sum = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(r, p, sum);
    return wasm_i32x4_sub(sum, wasm_i32x4_relaxed_dot_i8x16_i7x16_add(r, n, wasm_i32x4_const_splat(0)));
#elif VARIANT == 2
    v128_t q = wasm_i8x16_sub(p, n), m = wasm_i8x16_lt(r, wasm_i8x16_const_splat(0));
    q = wasm_i8x16_sub(wasm_v128_xor(q, m), m);
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(q, wasm_i8x16_abs(r), sum);
#endif
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n) {
    v128_t s = wasm_i32x4_const_splat(0);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v128_t q = wasm_v128_load(a + i);
        s = step(s, positive(q), negative(q), b + i);
    }
    int32_t sum = sum_i32(s);
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void dots_i8(const int8_t *query, const int8_t *rows, size_t row_count, size_t stride, int32_t *out) {
    size_t r = 0;
    for (; r + 4 <= row_count; r += 4) {
        const int8_t *p0 = rows + r * stride, *p1 = p0 + stride, *p2 = p1 + stride, *p3 = p2 + stride;
        v128_t s0 = wasm_i32x4_const_splat(0), s1 = s0, s2 = s0, s3 = s0;
        for (size_t i = 0; i < stride; i += 16) {
            v128_t q = wasm_v128_load(query + i), p = positive(q), n = negative(q);
            s0 = step(s0, p, n, p0 + i);
            s1 = step(s1, p, n, p1 + i);
            s2 = step(s2, p, n, p2 + i);
            s3 = step(s3, p, n, p3 + i);
        }
        out[r] = sum_i32(s0), out[r + 1] = sum_i32(s1), out[r + 2] = sum_i32(s2), out[r + 3] = sum_i32(s3);
    }
    for (; r < row_count; r++) out[r] = dot_i8(query, rows + r * stride, stride);
}

const sr_kernels sr_kernels_relaxed = {
    "relaxed", dot_i8, dots_i8, sr_dot_f32_wasm, sr_dot_f32_i8_wasm, sr_dots_f32_wasm, sr_dots_f32_i8_wasm};
#endif
