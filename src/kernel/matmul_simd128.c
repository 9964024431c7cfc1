/* The encoder's kernels for WebAssembly SIMD128.
 *
 * There is no product of bytes, so both sides are widened to 16 bits: a strip's weights of a group once, for all
 * tokens, the activations 4 columns at a time. Nibbles are then multiplied by their block's multiplier, too, since -8 *
 * 4095 fits 16 bits. i32x4.dot_i16x8_s gives, of two rows, the sums of columns 0 + 1 and 2 + 3; the two are added once,
 * at the end of a group. 4 tokens by 4 rows a pass: 8 sums, 2 weight vectors in 16 registers. What bounds it is the
 * multiplier: 8 products an instruction.
 */
#include "matmul_blocks.h"
#if defined(__wasm_simd128__)
#include "matmul_float.h"
#include <wasm_simd128.h>

#define ALWAYS static inline __attribute__((always_inline))

/* Static, since an instance of the module has one thread. */
static _Alignas(64) int16_t wide[SR_MATMUL_GROUP * SR_MATMUL_STRIP];

ALWAYS v128_t less(const uint8_t *w, int16_t offset) {
    return wasm_i16x8_sub(wasm_u16x8_load8x8(w), wasm_i16x8_splat(offset));
}

static const int16_t *widen_bytes(const uint8_t *w, size_t columns) {
    for (size_t i = 0; i < columns * SR_MATMUL_STRIP; i += 8) wasm_v128_store(wide + i, less(w + i, 64));
    return wide;
}

static const int16_t *widen_nibbles(const uint8_t *w, size_t columns) {
    for (size_t c = 0; c < columns; c += SR_MATMUL_BLOCK, w += SR_MATMUL_NIBBLES_BLOCK)
        for (size_t rows = 0; rows < SR_MATMUL_STRIP; rows += 4) {
            v128_t m = wasm_v128_load(w + SR_MATMUL_BYTES_BLOCK + rows * 4);
            v128_t m0 = wasm_i32x4_shuffle(m, m, 0, 0, 1, 1), m1 = wasm_i32x4_shuffle(m, m, 2, 2, 3, 3);
            for (size_t k = 0; k < SR_MATMUL_BLOCK; k += 4) {
                const uint8_t *p = w + k * SR_MATMUL_STRIP + rows * 4;
                int16_t *to = wide + (c + k) * SR_MATMUL_STRIP + rows * 4;
                wasm_v128_store(to, wasm_i16x8_mul(less(p, 8), m0));
                wasm_v128_store(to + 8, wasm_i16x8_mul(less(p + 8, 8), m1));
            }
        }
    return wide;
}

ALWAYS void block(const int8_t *act, const int16_t *start, size_t cols, size_t tokens, const int16_t *weights,
                  size_t columns, int32_t *out) {
    (void)start; /* what it takes off is off already */
    for (size_t quarter = 0; quarter < 4; quarter++, weights += 16, out += 4) {
        v128_t low[4], high[4];
        const int16_t *w = weights;
        for (size_t t = 0; t < tokens; t++) low[t] = high[t] = wasm_i32x4_const_splat(0);
        for (size_t c = 0; c < columns; c += 4, w += 4 * SR_MATMUL_STRIP) {
            v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 8);
            for (size_t t = 0; t < tokens; t++) {
                v128_t a = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_splat(act + t * cols + c));
                low[t] = wasm_i32x4_add(low[t], wasm_i32x4_dot_i16x8(w0, a));
                high[t] = wasm_i32x4_add(high[t], wasm_i32x4_dot_i16x8(w1, a));
            }
        }
        for (size_t t = 0; t < tokens; t++) {
            v128_t even = wasm_i32x4_shuffle(low[t], high[t], 0, 2, 4, 6);
            v128_t odd = wasm_i32x4_shuffle(low[t], high[t], 1, 3, 5, 7);
            wasm_v128_store(out + t * SR_MATMUL_STRIP, wasm_i32x4_add(even, odd));
        }
    }
}
SR_PRODUCTS(bytes, block, SR_MATMUL_BYTES_BLOCK, widen_bytes)
SR_PRODUCTS(nibbles, block, SR_MATMUL_NIBBLES_BLOCK, widen_nibbles)

const sr_matmul_kernels sr_matmul_simd128 = {"simd128", bytes, nibbles, SR_MATMUL_FLOAT_FUNCTIONS};
#endif
