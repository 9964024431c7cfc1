/* Kernels of the encoder, one table of functions an instruction set, as kernel.h has for the matcher.
 *
 * Bit for bit: products are integers and exact. Float functions are one source (matmul_float.h), compiled once an
 * instruction set, whose vectors are eight lanes wide everywhere: the same operations in the same order, never fused.
 * So all sets give the same bits. Lengths are multiples of 8 unless said; pointers to f32 need no alignment.
 *
 * Products are over groups of 128 columns, each with a scale a token and a scale a row: one scale for a whole row loses
 * too much (cosine to the exact vector 0.9989; groups of 128 give 0.9995), since single columns of this kind of model
 * are large; smaller groups cost more than they give. The last group of a row may be shorter. Models that ask for 8
 * bits want to be exact rather than fast: for them groups are of 32 columns (all-mpnet-base-v2's worst of 48 texts
 * 0.9966; with 64 columns 0.9941), which costs a sixth more time.
 *
 * Packed weights: w in -63..63 is stored as w + 64, a 7-bit operand, so that the relaxed dot (whose second operand may
 * be taken as signed or unsigned, and whose pairs may saturate) has one answer: 127 * 127 * 2 < 32768. The 64 a weight
 * is taken off again as 64 * sum of the activations. Rows stand in strips of 16, a strip 4 columns by 64 bytes (16 rows
 * by 4 columns), so that a lane is a row and no lane is ever added to another.
 */
#ifndef SR_MATMUL_H
#define SR_MATMUL_H
#include <stddef.h>
#include <stdint.h>

enum { SR_MATMUL_STRIP = 16, SR_MATMUL_GROUP = 128, SR_MATMUL_FINE_GROUP = 32, SR_MATMUL_MAX_GROUPS = 128 };

static inline size_t sr_matmul_groups(size_t cols, size_t group) {
    return (cols + group - 1) / group;
}

typedef struct {
    const char *name;

    /* One strip: out[(g * tokens + t) * 16 + r] = sum over the columns c of group g of act[t * cols + c] * w[r][c].
     * cols and group multiples of 32; act -127..127; act_sum[t * groups + g] = that group's sum of act. */
    void (*products)(const int8_t *act, const int32_t *act_sum, size_t tokens, const uint8_t *packed, size_t cols,
                     size_t group, int32_t *out);
    /* Each group: q = x / scale rounded half to even, scale = max |x| / 127 (0 for all zero: then q is zero). */
    void (*quantise)(const float *x, size_t cols, size_t group, int8_t *q, float *scale, int32_t *sum);
    /* y[t * stride + r] = activation(bias[r] + sum over g of out[g][t][r] * (token_scale[t * groups + g] * row_scale[g
     * * row_stride + r])), r < 16. activation: -1 none, 0 GELU with erf, 1 GELU with tanh, 2 ReLU */
    void (*finish)(const int32_t *out, size_t tokens, size_t groups, const float *token_scale, const float *row_scale,
                   size_t row_stride, const float *bias, int activation, float *y, size_t stride);
    /* One strip in floats: y[t * stride + r] = activation(bias[r] + sum over c, ascending, of x[t * cols + c] * w[c *
     * 16 + r]) */
    void (*exact)(const float *x, size_t tokens, const float *w, size_t cols, const float *bias, int activation,
                  float *y, size_t stride);
    /* max |x|; NaN counts as nothing */
    float (*peak)(const float *x, size_t n);
    /* x = layer norm(x + add) * gain + bias; add may be null */
    void (*norm)(float *x, const float *add, const float *gain, const float *bias, size_t n, float epsilon);
    /* One head over all tokens. q[t * stride + e], keys[e * key_stride + s] (transposed, key_stride a multiple of 8, at
     * least tokens), v[s * stride + e]; writes the context over q. head_dim a multiple of 8, at most 128. bias: null,
     * or bias[s - t
     * + tokens - 1]. scores: scratch of 2 * key_stride floats. */
    void (*attend)(float *q, const float *keys, const float *v, size_t tokens, size_t stride, size_t key_stride,
                   size_t head_dim, const float *bias, float *scores);
    /* sum += x, eight lanes */
    void (*add)(float *sum, const float *x, size_t n);
    /* x / |x| by the eight-lane dot; returns 0 when x has no direction or is not finite */
    int (*unit)(float *x, size_t n);
} sr_matmul_kernels;

extern const sr_matmul_kernels sr_matmul_scalar;
#if defined(__x86_64__)
extern const sr_matmul_kernels sr_matmul_avx2;
#endif
#if defined(__wasm_simd128__)
extern const sr_matmul_kernels sr_matmul_simd128;
#endif
#if defined(__wasm_relaxed_simd__)
extern const sr_matmul_kernels sr_matmul_relaxed;
#endif

/* As sr_kernels_best, sr_kernels_by_name and sr_kernels_force; forcing concerns models opened afterwards. */
const sr_matmul_kernels *sr_matmul_best(void);
const sr_matmul_kernels *sr_matmul_by_name(const char *name);
void sr_matmul_force(const sr_matmul_kernels *k);

#endif
