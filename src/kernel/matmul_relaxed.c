/* The encoder's kernels for WebAssembly relaxed SIMD: the relaxed dot adds 4 products a lane, with a 7-bit second
 * operand, for which every engine gives the same sum (matmul.h). 4 tokens by 8 rows a pass: 8 sums, 2 weight vectors, 1
 * activation in the 16 registers that x86 engines have; 16 rows would spill. What bounds it is the engine's lowering of
 * the dot: one instruction with VNNI or Arm's dot product, three without.
 */
#include "matmul.h"
#if defined(__wasm_relaxed_simd__)
#include "matmul_float.h"
#include <wasm_simd128.h>

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS void block(const int8_t *act, const int32_t *act_sum, size_t groups, int tokens, const uint8_t *packed,
                  size_t from, size_t to, size_t cols, int32_t *out) {
    for (size_t half = 0; half < 2; half++) {
        v128_t low[4], high[4];
        for (int t = 0; t < tokens; t++) low[t] = high[t] = wasm_i32x4_splat(-64 * act_sum[(size_t)t * groups]);
        const uint8_t *w = packed + from * SR_MATMUL_STRIP + half * 32;
        for (size_t c = from; c < to; c += 4, w += 4 * SR_MATMUL_STRIP) {
            v128_t w0 = wasm_v128_load(w), w1 = wasm_v128_load(w + 16);
            for (int t = 0; t < tokens; t++) {
                v128_t a = wasm_v128_load32_splat(act + (size_t)t * cols + c);
                low[t] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, w0, low[t]);
                high[t] = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(a, w1, high[t]);
            }
        }
        for (int t = 0; t < tokens; t++) {
            wasm_v128_store(out + t * SR_MATMUL_STRIP + half * 8, low[t]);
            wasm_v128_store(out + t * SR_MATMUL_STRIP + half * 8 + 4, high[t]);
        }
    }
}
#include "matmul_blocks.h"

const sr_matmul_kernels sr_matmul_relaxed = {"relaxed", products, SR_MATMUL_FLOAT_FUNCTIONS};
#endif
