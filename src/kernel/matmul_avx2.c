/* The encoder's kernels for AVX2.
 *
 * 16 rows by 4 tokens a pass: 8 sums, 2 weight vectors, 1 broadcast and 1 temporary in 16 registers. Per 32 products
 * bytes take one multiply of pairs to i16 (exact: see matmul.h), one of pairs to i32 and one addition; nibbles one
 * multiply and one addition, and a widening once a block. So what bounds them is the ports that multiply.
 */
#if defined(__AVX2__)
#include "matmul_blocks.h"
#include "matmul_float.h"
#include <immintrin.h>

#define ALWAYS static inline __attribute__((always_inline))

ALWAYS __m256i load(const void *p) {
    return _mm256_loadu_si256(p);
}
ALWAYS __m256i four(const void *p) {
    int32_t v;
    memcpy(&v, p, 4);
    return _mm256_set1_epi32(v);
}

ALWAYS void byte_block(const int8_t *act, const int16_t *start, size_t cols, int tokens, const uint8_t *w,
                       size_t columns, int32_t *out) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i low[4], high[4];
    for (int t = 0; t < tokens; t++)
        low[t] = high[t] = _mm256_set1_epi32(byte_start(start + (size_t)t * (cols / 16), columns));
    for (size_t c = 0; c < columns; c += 4, w += 4 * SR_MATMUL_STRIP, act += 4) {
        __m256i w0 = load(w), w1 = load(w + 32);
        for (int t = 0; t < tokens; t++) {
            __m256i a = four(act + (size_t)t * cols);
            low[t] = _mm256_add_epi32(low[t], _mm256_madd_epi16(_mm256_maddubs_epi16(w0, a), ones));
            high[t] = _mm256_add_epi32(high[t], _mm256_madd_epi16(_mm256_maddubs_epi16(w1, a), ones));
        }
    }
    for (int t = 0; t < tokens; t++) {
        __m256i *to = (__m256i *)(void *)(out + t * SR_MATMUL_STRIP);
        _mm256_storeu_si256(to, low[t]);
        _mm256_storeu_si256(to + 1, high[t]);
    }
}
SR_PRODUCTS(bytes, byte_block, SR_MATMUL_BYTES_BLOCK, SR_AS_PACKED)

ALWAYS void nibble_block(const int8_t *act, const int16_t *start, size_t cols, int tokens, const uint8_t *w,
                         size_t columns, int32_t *out) {
    for (size_t b = 0; b < columns / SR_MATMUL_BLOCK; b++) {
        __m256i low[4], high[4];
        for (int t = 0; t < tokens; t++) low[t] = high[t] = four(start + (size_t)t * (cols / 16) + 2 * b);
        for (int c = 0; c < SR_MATMUL_BLOCK; c += 4, w += 4 * SR_MATMUL_STRIP, act += 4) {
            __m256i w0 = load(w), w1 = load(w + 32);
            for (int t = 0; t < tokens; t++) {
                __m256i a = four(act + (size_t)t * cols);
                low[t] = _mm256_add_epi16(low[t], _mm256_maddubs_epi16(w0, a));
                high[t] = _mm256_add_epi16(high[t], _mm256_maddubs_epi16(w1, a));
            }
        }
        __m256i m0 = load(w), m1 = load(w + 32);
        w += 4 * SR_MATMUL_STRIP;
        for (int t = 0; t < tokens; t++) {
            __m256i *to = (__m256i *)(void *)(out + t * SR_MATMUL_STRIP);
            __m256i p0 = _mm256_madd_epi16(low[t], m0), p1 = _mm256_madd_epi16(high[t], m1);
            _mm256_storeu_si256(to, b ? _mm256_add_epi32(p0, load(to)) : p0);
            _mm256_storeu_si256(to + 1, b ? _mm256_add_epi32(p1, load(to + 1)) : p1);
        }
    }
}
SR_PRODUCTS(nibbles, nibble_block, SR_MATMUL_NIBBLES_BLOCK, SR_AS_PACKED)

const sr_matmul_kernels sr_matmul_avx2 = {"avx2", bytes, nibbles, SR_MATMUL_FLOAT_FUNCTIONS};
#endif
