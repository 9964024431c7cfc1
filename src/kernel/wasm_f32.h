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

typedef struct {
    v128_t low, high; /* lanes 0..3, 4..7 */
} eight;

static eight eight_zeros(void) {
    return (eight){wasm_f32x4_const_splat(0), wasm_f32x4_const_splat(0)};
}
static eight load_f32(const float *p) {
    return (eight){wasm_v128_load(p), wasm_v128_load(p + 4)};
}
static eight load_i8(const int8_t *p) {
    v128_t wide = wasm_i16x8_load8x8(p);
    return (eight){wasm_f32x4_convert_i32x4(wasm_i32x4_extend_low_i16x8(wide)),
                   wasm_f32x4_convert_i32x4(wasm_i32x4_extend_high_i16x8(wide))};
}
static eight add_product(eight sum, eight a, eight b) { /* never fused */
    return (eight){wasm_f32x4_add(sum.low, wasm_f32x4_mul(a.low, b.low)),
                   wasm_f32x4_add(sum.high, wasm_f32x4_mul(a.high, b.high))};
}

#define DOT(name, type, load)                                                                                          \
    static float name(const float *query, const type *row, size_t n) {                                                 \
        eight s = eight_zeros();                                                                                       \
        size_t i = 0;                                                                                                  \
        for (; i + 8 <= n; i += 8) s = add_product(s, load_f32(query + i), load(row + i));                             \
        if (i < n) {                                                                                                   \
            float tq[8] = {0};                                                                                         \
            type tr[8] = {0};                                                                                          \
            memcpy(tq, query + i, (n - i) * sizeof *query);                                                            \
            memcpy(tr, row + i, (n - i) * sizeof *row);                                                                \
            s = add_product(s, load_f32(tq), load(tr));                                                                \
        }                                                                                                              \
        return combine(s.low, s.high);                                                                                 \
    }
DOT(sr_dot_f32_wasm, float, load_f32)
DOT(sr_dot_f32_i8_wasm, int8_t, load_i8)

#define DOTS(name, type, load, single)                                                                                 \
    static void name(const float *query, const type *rows, size_t row_count, size_t stride, size_t n, float *out) {    \
        size_t whole = n / 8 * 8, r = 0;                                                                               \
        float tail[8] = {0};                                                                                           \
        memcpy(tail, query + whole, (n - whole) * sizeof *query);                                                      \
        for (; r + 4 <= row_count; r += 4) {                                                                           \
            const type *p0 = rows + r * stride, *p1 = p0 + stride, *p2 = p1 + stride, *p3 = p2 + stride;               \
            eight s0 = eight_zeros(), s1 = s0, s2 = s0, s3 = s0;                                                       \
            for (size_t i = 0; i < n; i += 8) {                                                                        \
                eight q = load_f32(i < whole ? query + i : tail);                                                      \
                s0 = add_product(s0, q, load(p0 + i));                                                                 \
                s1 = add_product(s1, q, load(p1 + i));                                                                 \
                s2 = add_product(s2, q, load(p2 + i));                                                                 \
                s3 = add_product(s3, q, load(p3 + i));                                                                 \
            }                                                                                                          \
            out[r] = combine(s0.low, s0.high), out[r + 1] = combine(s1.low, s1.high);                                  \
            out[r + 2] = combine(s2.low, s2.high), out[r + 3] = combine(s3.low, s3.high);                              \
        }                                                                                                              \
        for (; r < row_count; r++) out[r] = single(query, rows + r * stride, n);                                       \
    }
DOTS(sr_dots_f32_wasm, float, load_f32, sr_dot_f32_wasm)
DOTS(sr_dots_f32_i8_wasm, int8_t, load_i8, sr_dot_f32_i8_wasm)

#endif
