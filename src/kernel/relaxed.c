/* WebAssembly relaxed SIMD, made exact.
 *
 * The relaxed dot multiplies signed bytes by bytes of 7 bits: whether the top bit of the second operand counts as a
 * sign is left to the processor, and so is whether a pair's sum saturates at int16. So the query is split into its
 * positive and its negative part, both within 0..127: q = p - n. Then a pair's sum lies within 2 * 127 * 127 and there
 * is one answer.
 *
 * Two dots and nothing else for 16 products: a quarter of SIMD128's instructions where the dot is one instruction (sdot
 * on ARM, vpdpbusd on x86 with VNNI). Without VNNI, V8 makes five of it, and SIMD128's widening is faster: 80 x 384
 * takes 2.9 us by two dots, 2.3 by the 16-bit relaxed dots and one exact addition, 7.1 and 2.8 by moving the row's
 * signs to the query (the 32-bit and 16-bit dot), 1.5 by SIMD128 (Node 26, Zen without VNNI). So the processor is
 * asked, by the very freedom that the standard leaves it.
 */
#include "kernel/kernel.h"
#if defined(__wasm_relaxed_simd__)
#include "kernel/wasm_f32.h"

static int32_t sum_i32(v128_t v) {
    v = wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    return wasm_i32x4_extract_lane(v, 0) + wasm_i32x4_extract_lane(v, 1);
}

static v128_t positive(v128_t q) {
    return wasm_i8x16_max(q, wasm_i8x16_const_splat(0));
}
static v128_t negative(v128_t q) {
    return wasm_i8x16_max(wasm_i8x16_neg(q), wasm_i8x16_const_splat(0));
}
static v128_t dot(v128_t sum, const int8_t *row, v128_t part) {
    return wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load(row), part, sum);
}

/* 127 * 255 * 2 overflows int16. Four such products give 129540 by vpdpbusd, -508 where 255 is taken for -1 (sdot), and
 * 65534 where pmaddubsw saturates each pair: the five instructions. volatile, or a compiler could decide it for us. */
int sr_relaxed_dot_is_one_instruction(void) {
    static volatile const int8_t values[2] = {127, -1};
    v128_t r = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_i8x16_splat(values[0]), wasm_i8x16_splat(values[1]),
                                                      wasm_i32x4_const_splat(0));
    return wasm_i32x4_extract_lane(r, 0) != 65534;
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n) {
    v128_t p = wasm_i32x4_const_splat(0), m = p;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v128_t q = wasm_v128_load(a + i);
        p = dot(p, b + i, positive(q));
        m = dot(m, b + i, negative(q));
    }
    int32_t sum = sum_i32(wasm_i32x4_sub(p, m));
    for (; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Bound by the dot's latency and ports: four chains of additions. Rows one after the other, as in simd128.c. */
static void dots_i8(const int8_t *query, const int8_t *rows, size_t row_count, size_t stride, int32_t *out) {
    int8_t p[8192], m[8192];
    if (stride > 8192) {
        for (size_t r = 0; r < row_count; r++) out[r] = dot_i8(query, rows + r * stride, stride);
        return;
    }
    for (size_t i = 0; i < stride; i += 16) {
        v128_t q = wasm_v128_load(query + i);
        wasm_v128_store(p + i, positive(q));
        wasm_v128_store(m + i, negative(q));
    }
    for (size_t r = 0; r < row_count; r++) {
        const int8_t *row = rows + r * stride;
        v128_t p0 = wasm_i32x4_const_splat(0), p1 = p0, m0 = p0, m1 = p0;
        for (size_t i = 0; i < stride; i += 32) {
            p0 = dot(p0, row + i, wasm_v128_load(p + i));
            m0 = dot(m0, row + i, wasm_v128_load(m + i));
            p1 = dot(p1, row + i + 16, wasm_v128_load(p + i + 16));
            m1 = dot(m1, row + i + 16, wasm_v128_load(m + i + 16));
        }
        out[r] = sum_i32(wasm_i32x4_sub(wasm_i32x4_add(p0, p1), wasm_i32x4_add(m0, m1)));
    }
}

static int32_t dot_i8_chosen(const int8_t *a, const int8_t *b, size_t n) {
    return sr_relaxed_dot_is_one_instruction() ? dot_i8(a, b, n) : sr_kernels_simd128.dot_i8(a, b, n);
}

static void dots_i8_chosen(const int8_t *query, const int8_t *rows, size_t row_count, size_t stride, int32_t *out) {
    (sr_relaxed_dot_is_one_instruction() ? dots_i8 : sr_kernels_simd128.dots_i8)(query, rows, row_count, stride, out);
}

const sr_kernels sr_kernels_relaxed = {"relaxed",          dot_i8_chosen,    dots_i8_chosen,     sr_dot_f32_wasm,
                                       sr_dot_f32_i8_wasm, sr_dots_f32_wasm, sr_dots_f32_i8_wasm};
const sr_kernels sr_kernels_relaxed_dot = {
    "relaxed-dot", dot_i8, dots_i8, sr_dot_f32_wasm, sr_dot_f32_i8_wasm, sr_dots_f32_wasm, sr_dots_f32_i8_wasm};
#endif
