/* The float functions of sr_matmul_kernels, in eight-lane vectors of the compiler. Included once by each
 * matmul_<isa>.c, which compiles them for its instruction set: same operations, same order, same bits
 * (-ffp-contract=off).
 *
 * exp, erf and tanh are polynomials of our own: libm's differ from platform to platform. Square roots are the
 * processor's, which IEEE 754 rounds exactly everywhere.
 */
#ifndef SR_MATMUL_FLOAT_H
#define SR_MATMUL_FLOAT_H
#include "matmul.h"
#include <string.h>
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__wasm_simd128__)
#include <wasm_simd128.h>
#endif

typedef float f8 __attribute__((vector_size(32)));
typedef int32_t i8x __attribute__((vector_size(32)));
typedef uint32_t u8x __attribute__((vector_size(32)));
#define F8_INLINE static inline __attribute__((always_inline))
/* Vectors are never passed across files, so their calling convention does not matter. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

F8_INLINE f8 load8(const float *p) {
    f8 v;
    memcpy(&v, p, sizeof v);
    return v;
}
F8_INLINE void store8(float *p, f8 v) {
    memcpy(p, &v, sizeof v);
}
F8_INLINE f8 splat8(float x) {
    return (f8){x, x, x, x, x, x, x, x};
}
F8_INLINE i8x splat8i(int32_t x) {
    return (i8x){x, x, x, x, x, x, x, x};
}
F8_INLINE i8x bits8(f8 v) {
    return (i8x)v;
}
F8_INLINE f8 floats8(i8x v) {
    return (f8)v;
}
F8_INLINE f8 select8(i8x mask, f8 a, f8 b) {
    return floats8((mask & bits8(a)) | (~mask & bits8(b)));
}
/* a NaN in a gives b: bad numbers end somewhere finite. One instruction where compilers make four of the selection. */
#if defined(__AVX__)
F8_INLINE f8 max8(f8 a, f8 b) {
    return (f8)_mm256_max_ps((__m256)a, (__m256)b);
}
F8_INLINE f8 min8(f8 a, f8 b) {
    return (f8)_mm256_min_ps((__m256)a, (__m256)b);
}
#elif defined(__wasm_simd128__)
#define LOW_HALF(v) ((v128_t)__builtin_shufflevector(v, v, 0, 1, 2, 3))
#define HIGH_HALF(v) ((v128_t)__builtin_shufflevector(v, v, 4, 5, 6, 7))
typedef float f4 __attribute__((vector_size(16)));
F8_INLINE f8 join(v128_t low, v128_t high) {
    return __builtin_shufflevector((f4)low, (f4)high, 0, 1, 2, 3, 4, 5, 6, 7);
}
F8_INLINE f8 max8(f8 a, f8 b) { /* pmax(x, y) is x < y ? y : x */
    return join(wasm_f32x4_pmax(LOW_HALF(b), LOW_HALF(a)), wasm_f32x4_pmax(HIGH_HALF(b), HIGH_HALF(a)));
}
F8_INLINE f8 min8(f8 a, f8 b) {
    return join(wasm_f32x4_pmin(LOW_HALF(b), LOW_HALF(a)), wasm_f32x4_pmin(HIGH_HALF(b), HIGH_HALF(a)));
}
#else
F8_INLINE f8 max8(f8 a, f8 b) {
    return select8(a > b, a, b);
}
F8_INLINE f8 min8(f8 a, f8 b) {
    return select8(a < b, a, b);
}
#endif
F8_INLINE f8 abs8(f8 v) {
    return floats8(bits8(v) & splat8i(0x7fffffff));
}
F8_INLINE float sum8(f8 v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}
F8_INLINE float peak8(f8 v) {
    float m = v[0];
    for (int i = 1; i < 8; i++) m = v[i] > m ? v[i] : m;
    return m;
}
F8_INLINE float root(float x) {
#if defined(__SSE2__)
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
#else
    return __builtin_sqrtf(x);
#endif
}

/* Nearest integer, half to even, for |x| < 2^22: x + ROUNDING has it in its low bits. */
#define ROUNDING 12582912.0f
F8_INLINE i8x round8i(f8 x) {
    return bits8(x + splat8(ROUNDING)) - splat8i(0x4b400000);
}

/* e^x for x up to 88, from -87 on (clamped; so is a NaN): 2^n * p(r), |r| <= ln 2 / 2; within 2 units in the last
 * place. */
F8_INLINE f8 exp8(f8 x) {
    x = max8(x, splat8(-87.0f));
    f8 shifted = x * splat8(1.44269504f) + splat8(ROUNDING), n = shifted - splat8(ROUNDING);
    f8 r = x - n * splat8(0.693359375f) - n * splat8(-2.12194440e-4f);
    f8 p = splat8(1.9875691500e-4f);
    p = p * r + splat8(1.3981999507e-3f);
    p = p * r + splat8(8.3334519073e-3f);
    p = p * r + splat8(4.1665795894e-2f);
    p = p * r + splat8(1.6666665459e-1f);
    p = p * r + splat8(5.0000001201e-1f);
    p = p * r * r + r + splat8(1.0f);
    /* (n + 127) << 23: of ROUNDING's own bits the shift leaves nothing */
    u8x scale = ((u8x)shifted << 23) + (127u << 23);
    return p * (f8)scale;
}

/* erf by Abramowitz and Stegun 7.1.26, absolute error below 2e-7; sign handled by the caller's symmetry. */
F8_INLINE f8 gelu8(f8 x) {
    f8 z = abs8(x) * splat8(0.707106781f);
    f8 t = splat8(1.0f) / (splat8(1.0f) + splat8(0.3275911f) * z);
    f8 p = splat8(1.061405429f);
    p = p * t + splat8(-1.453152027f);
    p = p * t + splat8(1.421413741f);
    p = p * t + splat8(-0.284496736f);
    p = p * t + splat8(0.254829592f);
    f8 tail = p * t * exp8(splat8(0.0f) - z * z); /* 1 - erf(z) */
    /* x >= 0: x (1 - tail / 2); x < 0: x tail / 2 */
    f8 half = splat8(0.5f) * tail;
    return x * select8(x > splat8(0.0f), splat8(1.0f) - half, half);
}
F8_INLINE f8 gelu_tanh8(f8 x) {
    /* x / (1 + e^(-2u)), u = sqrt(2 / pi) (x + 0.044715 x^3) */
    f8 u = x * (splat8(1.0f) + splat8(0.044715f) * x * x) * splat8(-1.595769122f);
    return x / (splat8(1.0f) + exp8(min8(u, splat8(88.0f))));
}

static float float_peak(const float *x, size_t n) {
    f8 peak = splat8(0);
    for (size_t i = 0; i < n; i += 8) peak = max8(abs8(load8(x + i)), peak);
    return peak8(peak);
}

static void float_quantise(const float *x, size_t cols, size_t group, int8_t *q, float *scale, int16_t *start) {
    for (size_t from = 0; from < cols; from += group) {
        size_t to = cols - from < group ? cols : from + group;
        float top = float_peak(x + from, to - from);
        /* zeros; or a hostile file's numbers, of which nothing sensible comes */
        int usable = top > 1e-30f && top < 1e30f;
        f8 inverse = splat8(usable ? 127.0f / top : 0);
        i8x kept = splat8i(usable ? -1 : 0);
        *scale++ = usable ? top / 127.0f : 0;
        for (size_t block = from; block < to; block += SR_MATMUL_BLOCK) {
            i8x sum = splat8i(0);
            for (size_t i = block; i < block + SR_MATMUL_BLOCK; i += 8) {
                /* a NaN, which no peak shows, is -127 */
                i8x v = round8i(max8(load8(x + i) * inverse, splat8(-127))) & kept;
                sum += v;
                for (int k = 0; k < 8; k++) q[i + (size_t)k] = (int8_t)v[k];
            }
            *start++ = (int16_t)(-8 * (sum[0] + sum[1] + sum[4] + sum[5]));
            *start++ = (int16_t)(-8 * (sum[2] + sum[3] + sum[6] + sum[7]));
        }
    }
}

/* What a sum of bytes starts from, -64 * the sum of the activations, out of what its blocks' sums of nibbles do. */
F8_INLINE int32_t byte_start(const int16_t *start, size_t columns) {
    int32_t sum = 0;
    for (size_t i = 0; i < columns / SR_MATMUL_BLOCK * 2; i++) sum += start[i];
    return 8 * sum;
}

F8_INLINE f8 sum_groups8(const int32_t *out, size_t tokens, size_t groups, const float *token_scale,
                         const float *row_scale, size_t row_stride, const float *bias) {
    f8 y = load8(bias);
    for (size_t g = 0; g < groups; g++) {
        i8x v;
        memcpy(&v, out + g * tokens * SR_MATMUL_STRIP, sizeof v);
        y += __builtin_convertvector(v, f8) * (splat8(token_scale[g]) * load8(row_scale + g * row_stride));
    }
    return y;
}

F8_INLINE f8 activate8(f8 v, int activation) {
    if (activation == 0) return gelu8(v);
    if (activation == 1) return gelu_tanh8(v);
    if (activation == 2) return max8(v, splat8(0));
    return v;
}

static void float_finish(const int32_t *out, size_t tokens, size_t groups, const float *token_scale,
                         const float *row_scale, size_t row_stride, const float *bias, int activation, float *y,
                         size_t stride) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t r = 0; r < SR_MATMUL_STRIP; r += 8) {
            f8 v = sum_groups8(out + t * SR_MATMUL_STRIP + r, tokens, groups, token_scale + t * groups, row_scale + r,
                               row_stride, bias + r);
            store8(y + t * stride + r, activate8(v, activation));
        }
}

/* `tokens` is a constant where inlined: 3 tokens by 16 rows are 6 sums, 2 weight vectors and a factor in 16 registers.
 */
F8_INLINE void exact_block(const float *x, int tokens, const float *w, size_t cols, const float *bias, int activation,
                           float *y, size_t stride) {
    f8 low[3], high[3];
    for (int t = 0; t < tokens; t++) low[t] = high[t] = splat8(0);
    for (size_t c = 0; c < cols; c++) {
        f8 w0 = load8(w + c * SR_MATMUL_STRIP), w1 = load8(w + c * SR_MATMUL_STRIP + 8);
        for (int t = 0; t < tokens; t++) {
            f8 factor = splat8(x[(size_t)t * cols + c]);
            low[t] += factor * w0;
            high[t] += factor * w1;
        }
    }
    for (int t = 0; t < tokens; t++) {
        store8(y + (size_t)t * stride, activate8(low[t] + load8(bias), activation));
        store8(y + (size_t)t * stride + 8, activate8(high[t] + load8(bias + 8), activation));
    }
}

static void float_exact(const float *x, size_t tokens, const float *w, size_t cols, const float *bias, int activation,
                        float *y, size_t stride) {
    size_t t = 0;
    for (; t + 3 <= tokens; t += 3) exact_block(x + t * cols, 3, w, cols, bias, activation, y + t * stride, stride);
    for (; t < tokens; t++) exact_block(x + t * cols, 1, w, cols, bias, activation, y + t * stride, stride);
}

static void float_norm(float *x, const float *add, const float *gain, const float *bias, size_t n, float epsilon) {
    f8 sum = splat8(0), squares = splat8(0);
    if (add)
        for (size_t i = 0; i < n; i += 8) {
            f8 v = load8(x + i) + load8(add + i);
            store8(x + i, v);
            sum += v;
        }
    else
        for (size_t i = 0; i < n; i += 8) sum += load8(x + i);
    f8 mean = splat8(sum8(sum) / (float)n);
    for (size_t i = 0; i < n; i += 8) {
        f8 d = load8(x + i) - mean;
        squares += d * d;
    }
    f8 inverse = splat8(1.0f / root(sum8(squares) / (float)n + epsilon));
    for (size_t i = 0; i < n; i += 8)
        store8(x + i, (load8(x + i) - mean) * inverse * load8(gain + i) + load8(bias + i));
}

static void float_add(float *sum, const float *x, size_t n) {
    for (size_t i = 0; i < n; i += 8) store8(sum + i, load8(sum + i) + load8(x + i));
}

static int float_unit(float *x, size_t n) {
    f8 squares = splat8(0);
    for (size_t i = 0; i < n; i += 8) squares += load8(x + i) * load8(x + i);
    float length = root(sum8(squares));
    if (!(length > 1e-30f && length < 1e30f)) return 0;
    f8 divisor = splat8(length);
    for (size_t i = 0; i < n; i += 8) store8(x + i, load8(x + i) / divisor);
    return 1;
}

/* Scores of one or two queries over all keys, made into weights that sum to 1. A lane is a key, so nothing is added
 * across. Two queries share the keys' loads, and more sums hide the additions' latency. */
F8_INLINE void attention_scores(const float *q, size_t stride, const float *keys, size_t key_stride, size_t head_dim,
                                int queries, f8 sums[2]) {
    f8 even[2], odd[2]; /* elements: two chains of additions instead of one */
    for (int i = 0; i < queries; i++) even[i] = odd[i] = splat8(0);
    for (size_t e = 0; e < head_dim; e += 2) {
        f8 k0 = load8(keys + e * key_stride), k1 = load8(keys + (e + 1) * key_stride);
        for (int i = 0; i < queries; i++) {
            even[i] += splat8(q[(size_t)i * stride + e]) * k0;
            odd[i] += splat8(q[(size_t)i * stride + e + 1]) * k1;
        }
    }
    for (int i = 0; i < queries; i++) sums[i] = even[i] + odd[i];
}

F8_INLINE void attention_weights(const float *q, size_t stride, const float *keys, size_t tokens, size_t key_stride,
                                 size_t head_dim, float scale, const float *bias, float *scores, int queries) {
    static const float lane[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    f8 peak[2], sum[2];
    for (int i = 0; i < queries; i++) peak[i] = splat8(-3e38f), sum[i] = splat8(0);
    for (size_t s = 0; s < tokens; s += 8) {
        f8 some[2];
        attention_scores(q, stride, keys + s, key_stride, head_dim, queries, some);
        for (int i = 0; i < queries; i++) {
            f8 a = some[i] * splat8(scale);
            if (bias) {
                float near[8] = {0}; /* the next query's distances are one less */
                for (size_t k = 0; k < 8 && s + k < tokens; k++) near[k] = (bias - i)[s + k];
                a += load8(near);
            }
            if (tokens - s < 8) a = select8(load8(lane) < splat8((float)(tokens - s)), a, splat8(-3e38f));
            store8(scores + (size_t)i * key_stride + s, a);
            peak[i] = max8(a, peak[i]);
        }
    }
    for (int i = 0; i < queries; i++) {
        float *own = scores + (size_t)i * key_stride;
        f8 top = splat8(peak8(peak[i]));
        for (size_t s = 0; s < tokens; s += 8) {
            f8 w = exp8(load8(own + s) - top);
            if (tokens - s < 8) w = select8(load8(lane) < splat8((float)(tokens - s)), w, splat8(0));
            store8(own + s, w);
            sum[i] += w;
        }
        f8 inverse = splat8(1.0f / sum8(sum[i]));
        for (size_t s = 0; s < tokens; s += 8) store8(own + s, load8(own + s) * inverse);
    }
}

/* Two queries a pass over the values; `vectors` is a constant where inlined, so that the sums stay in registers: as
 * many as there are half of. */
#if defined(__AVX__)
enum { CONTEXT_VECTORS = 4 };
#else
enum { CONTEXT_VECTORS = 2 };
#endif
F8_INLINE void attention_context(float *q, const float *v, size_t tokens, size_t stride, const float *scores,
                                 size_t key_stride, int queries, int vectors) {
    f8 c[2][CONTEXT_VECTORS];
    for (int i = 0; i < queries; i++)
        for (int k = 0; k < vectors; k++) c[i][k] = splat8(0);
    for (size_t s = 0; s < tokens; s++)
        for (int k = 0; k < vectors; k++) {
            f8 value = load8(v + s * stride + (size_t)k * 8);
            for (int i = 0; i < queries; i++) c[i][k] += splat8(scores[(size_t)i * key_stride + s]) * value;
        }
    for (int i = 0; i < queries; i++)
        for (int k = 0; k < vectors; k++) store8(q + (size_t)i * stride + (size_t)k * 8, c[i][k]);
}

static void float_attend(float *q, size_t first, size_t count, const float *keys, const float *v, size_t tokens,
                         size_t stride, size_t key_stride, size_t head_dim, const float *bias, float *scores) {
    float scale = 1.0f / root((float)head_dim);
    for (size_t t = first; t < first + count; t += 2) {
        int queries = first + count - t < 2 ? 1 : 2;
        float *own = q + t * stride;
        const float *distances = bias ? bias + (tokens - 1 - t) : 0;
        if (queries == 2)
            attention_weights(own, stride, keys, tokens, key_stride, head_dim, scale, distances, scores, 2);
        else
            attention_weights(own, stride, keys, tokens, key_stride, head_dim, scale, distances, scores, 1);
        enum { WIDTH = CONTEXT_VECTORS * 8 };
        for (size_t e = 0; e < head_dim; e += WIDTH) {
            float *out = own + e;
            if (head_dim - e >= WIDTH && queries == 2)
                attention_context(out, v + e, tokens, stride, scores, key_stride, 2, CONTEXT_VECTORS);
            else
                for (int i = 0; i < queries; i++)
                    for (size_t k = e; k < head_dim && k < e + WIDTH; k += 8)
                        attention_context(out + (size_t)i * stride + (k - e), v + k, tokens, stride,
                                          scores + (size_t)i * key_stride, key_stride, 1, 1);
        }
    }
}

#define SR_MATMUL_FLOAT_FUNCTIONS                                                                                      \
    float_quantise, float_finish, float_exact, float_peak, float_norm, float_attend, float_add, float_unit
#endif
