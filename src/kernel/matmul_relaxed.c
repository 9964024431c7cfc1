/* The encoder's kernels for WebAssembly relaxed SIMD: the relaxed dots add 2 or 4 products a lane, with a 7-bit second
 * operand, for which every engine gives the same sums (matmul.h). 4 tokens by 8 rows a pass: 8 sums, 2 weight vectors,
 * 1 activation in the 16 registers that x86 engines have; 16 rows would spill.
 *
 * What bounds them is the engine's lowering of the dot of 4: one instruction with VNNI or Arm's dot product, three
 * without. There nibbles are summed in 16 bits by the dot of 2, which is one instruction on every x86, and an addition:
 * 45 against 26 billion products a second, V8 on a Zen 2.
 */
#include "kernel.h"
#include "matmul_blocks.h"
#if defined(__wasm_relaxed_simd__)
#include "matmul_float.h"
#include <wasm_simd128.h>

#define ALWAYS static inline __attribute__((always_inline))

/* 32 columns. of_2: sums are 8 of 16 bits, two a row; else 4 of 32 bits. */
ALWAYS void add_block(int of_2, const int8_t *act, size_t cols, size_t tokens, const uint8_t *w, v128_t low[4],
                      v128_t high[4]) {
    /* Not unrolled: the compiler would move a sum's steps together until the weights spill, 36 billion instead of 45.
     */
#pragma clang loop unroll(disable)
    for (int c = 0; c < SR_MATMUL_BLOCK; c += 4, act += 4, w += 4 * SR_MATMUL_STRIP) {
        v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 16);
        for (size_t t = 0; t < tokens; t++) {
            v128_t a = wasm_v128_load32_splat(act + t * cols);
            if (of_2) {
                low[t] = wasm_i16x8_add(low[t], wasm_i16x8_relaxed_dot_i8x16_i7x16(a, w0));
                high[t] = wasm_i16x8_add(high[t], wasm_i16x8_relaxed_dot_i8x16_i7x16(a, w1));
            } else {
                low[t] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, w0, low[t]);
                high[t] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, w1, high[t]);
            }
        }
    }
}

ALWAYS void byte_block(const int8_t *act, const int16_t *start, size_t cols, size_t tokens, const uint8_t *w,
                       size_t columns, int32_t *out) {
    for (size_t half = 0; half < 2; half++, w += 32, out += 8) {
        v128_t low[4], high[4];
        for (size_t t = 0; t < tokens; t++)
            low[t] = high[t] = wasm_i32x4_splat(byte_start(start + t * (cols / 16), columns));
        for (size_t c = 0; c < columns; c += SR_MATMUL_BLOCK)
            add_block(0, act + c, cols, tokens, w + c * SR_MATMUL_STRIP, low, high);
        for (size_t t = 0; t < tokens; t++) {
            wasm_v128_store(out + t * SR_MATMUL_STRIP, low[t]);
            wasm_v128_store(out + t * SR_MATMUL_STRIP + 4, high[t]);
        }
    }
}
SR_PRODUCTS(bytes, byte_block, SR_MATMUL_BYTES_BLOCK, SR_AS_PACKED)

/* *to = or += four rows' sums over a block times their multipliers, which stand twice each. */
ALWAYS void widen(int of_2, int32_t *to, int is_first, v128_t sum, v128_t multiplier) {
    v128_t product = of_2 ? wasm_i32x4_dot_i16x8(sum, multiplier) : wasm_i32x4_mul(sum, wasm_i32x4_shr(multiplier, 16));
    wasm_v128_store(to, is_first ? product : wasm_i32x4_add(product, wasm_v128_load(to)));
}

ALWAYS void nibble_blocks(int of_2, const int8_t *act, const int16_t *start, size_t cols, size_t tokens,
                          const uint8_t *w, size_t columns, int32_t *out) {
    for (size_t half = 0; half < 2; half++, w += 32, out += 8) {
        const int8_t *a = act;
        const uint8_t *p = w;
        for (size_t b = 0; b < columns / SR_MATMUL_BLOCK; b++, p += SR_MATMUL_NIBBLES_BLOCK, a += SR_MATMUL_BLOCK) {
            v128_t low[4], high[4];
            for (size_t t = 0; t < tokens; t++) {
                const int16_t *s = start + t * (cols / 16) + 2 * b;
                low[t] = high[t] = of_2 ? wasm_v128_load32_splat(s) : wasm_i32x4_splat(s[0] + s[1]);
            }
            add_block(of_2, a, cols, tokens, p, low, high);
            v128_t m0 = wasm_v128_load(p + SR_MATMUL_BYTES_BLOCK), m1 = wasm_v128_load(p + SR_MATMUL_BYTES_BLOCK + 16);
            for (size_t t = 0; t < tokens; t++) {
                widen(of_2, out + t * SR_MATMUL_STRIP, b == 0, low[t], m0);
                widen(of_2, out + t * SR_MATMUL_STRIP + 4, b == 0, high[t], m1);
            }
        }
    }
}

ALWAYS void nibble_block(const int8_t *act, const int16_t *start, size_t cols, size_t tokens, const uint8_t *w,
                         size_t columns, int32_t *out) {
    nibble_blocks(1, act, start, cols, tokens, w, columns, out);
}
SR_PRODUCTS(nibbles, nibble_block, SR_MATMUL_NIBBLES_BLOCK, SR_AS_PACKED)

ALWAYS void nibble_block_dot(const int8_t *act, const int16_t *start, size_t cols, size_t tokens, const uint8_t *w,
                             size_t columns, int32_t *out) {
    nibble_blocks(0, act, start, cols, tokens, w, columns, out);
}
SR_PRODUCTS(nibbles_dot, nibble_block_dot, SR_MATMUL_NIBBLES_BLOCK, SR_AS_PACKED)

const sr_matmul_kernels sr_matmul_relaxed = {"relaxed", bytes, nibbles, SR_MATMUL_FLOAT_FUNCTIONS};
const sr_matmul_kernels sr_matmul_relaxed_dot = {"relaxed-dot", bytes, nibbles_dot, SR_MATMUL_FLOAT_FUNCTIONS};
#endif
