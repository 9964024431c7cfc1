/* The encoder's kernels for WebAssembly SIMD128.
 *
 * There is no product of bytes, so both sides are widened to 16 bits: the weights once for 4 tokens, as they are
 * loaded, the activations 4 columns at a time. i32x4.dot_i16x8_s then gives, of two rows, the sums of columns 0 + 1 and
 * 2 + 3; the two are added once, at the end of a group. 4 tokens by 4 rows a pass: 8 sums, 2 weight vectors in 16
 * registers.
 */
#include "matmul.h"
#if defined(__wasm_simd128__)
#include "matmul_float.h"
#include <wasm_simd128.h>

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS v128_t four(const int8_t *a) {
    int32_t v;
    memcpy(&v, a, 4);
    return wasm_i16x8_extend_low_i8x16(wasm_i32x4_splat(v));
}

ALWAYS void block(const int8_t *act, const int32_t *act_sum, size_t groups, int tokens, const uint8_t *packed,
                  size_t from, size_t to, size_t cols, int32_t *out) {
    for (size_t quarter = 0; quarter < 4; quarter++) {
        v128_t low[4], high[4];
        for (int t = 0; t < tokens; t++) low[t] = high[t] = wasm_i32x4_const(0, 0, 0, 0);
        const uint8_t *w = packed + from * SR_MATMUL_STRIP + quarter * 16;
        for (size_t c = from; c < to; c += 4, w += 4 * SR_MATMUL_STRIP) {
            v128_t w0 = wasm_u16x8_load8x8(w), w1 = wasm_u16x8_load8x8(w + 8);
            for (int t = 0; t < tokens; t++) {
                v128_t a = four(act + (size_t)t * cols + c);
                low[t] = wasm_i32x4_add(low[t], wasm_i32x4_dot_i16x8(w0, a));
                high[t] = wasm_i32x4_add(high[t], wasm_i32x4_dot_i16x8(w1, a));
            }
        }
        for (int t = 0; t < tokens; t++) {
            v128_t even = wasm_i32x4_shuffle(low[t], high[t], 0, 2, 4, 6);
            v128_t odd = wasm_i32x4_shuffle(low[t], high[t], 1, 3, 5, 7);
            v128_t bias = wasm_i32x4_splat(-64 * act_sum[(size_t)t * groups]);
            wasm_v128_store(out + t * SR_MATMUL_STRIP + quarter * 4, wasm_i32x4_add(wasm_i32x4_add(even, odd), bias));
        }
    }
}
#include "matmul_blocks.h"

const sr_matmul_kernels sr_matmul_simd128 = {"simd128", products, SR_MATMUL_FLOAT_FUNCTIONS};
#endif
