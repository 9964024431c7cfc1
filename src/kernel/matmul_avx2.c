/* The encoder's kernels for AVX2.
 *
 * 16 rows by 4 tokens a pass: 8 sums, 2 weight vectors, 1 broadcast and 1 temporary in 16 registers. Per 32 products
 * one multiply of pairs to i16 (exact: see matmul.h), one of pairs to i32, one addition, so what bounds it is the two
 * ports that multiply: at best 32 products a cycle.
 */
#if defined(__AVX2__)
#include "matmul.h"
#include "matmul_float.h"
#include <immintrin.h>

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS __m256i dot(__m256i sum, __m256i weights, __m256i act) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(weights, act), _mm256_set1_epi16(1)));
}
ALWAYS __m256i four(const int8_t *a) {
    int32_t v;
    memcpy(&v, a, 4);
    return _mm256_set1_epi32(v);
}

/* One group of columns; `tokens` is a constant where inlined. */
ALWAYS void block(const int8_t *act, const int32_t *act_sum, size_t groups, int tokens, const uint8_t *packed,
                  size_t from, size_t to, size_t cols, int32_t *out) {
    __m256i low[4], high[4];
    for (int t = 0; t < tokens; t++) low[t] = high[t] = _mm256_set1_epi32(-64 * act_sum[(size_t)t * groups]);
    for (size_t c = from; c < to; c += 4) {
        const __m256i *w = (const __m256i *)(const void *)(packed + c * SR_MATMUL_STRIP);
        __m256i w0 = _mm256_loadu_si256(w), w1 = _mm256_loadu_si256(w + 1);
        for (int t = 0; t < tokens; t++) {
            __m256i a = four(act + (size_t)t * cols + c);
            low[t] = dot(low[t], w0, a);
            high[t] = dot(high[t], w1, a);
        }
    }
    for (int t = 0; t < tokens; t++) {
        __m256i *to_row = (__m256i *)(void *)(out + t * SR_MATMUL_STRIP);
        _mm256_storeu_si256(to_row, low[t]);
        _mm256_storeu_si256(to_row + 1, high[t]);
    }
}

#include "matmul_blocks.h"

const sr_matmul_kernels sr_matmul_avx2 = {"avx2", products, SR_MATMUL_FLOAT_FUNCTIONS};
#endif
