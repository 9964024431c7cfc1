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
 * Weights are unsigned and of at most 7 bits, so that the relaxed dot (whose 7-bit operand may be taken as signed or
 * unsigned, and whose pairs may saturate) has one answer: 127 * 127 * 2 < 32768. Rows stand in strips of 16, 4 columns
 * of each row and then the next 4 columns (64 bytes), so that a lane is a row and no lane is ever added to another.
 *
 * Bytes: w in -63..63 is stored as w + 64, which is taken off again as 64 * sum of the activations.
 *
 * Nibbles, for models in blocks of 4 bits: w in -8..7 is stored as w + 8, one a byte. The sum over a block of 32
 * columns then fits 16 bits by halves (two columns of each 4): 127 * 15 * 16 = 30480. It is widened once a block, by
 * the product with the block's multiplier, -4095..4095: its scale over the group's. 32 * 127 * 8 * 4095 * 4 fits 32
 * bits. After the 512 bytes of a block's weights come its multipliers: i16, each row's twice.
 */
#ifndef SR_MATMUL_H
#define SR_MATMUL_H
#include <stddef.h>
#include <stdint.h>

enum {
    SR_MATMUL_STRIP = 16,
    SR_MATMUL_BLOCK = 32, /* columns */
    SR_MATMUL_GROUP = 128,
    SR_MATMUL_FINE_GROUP = 32,
    SR_MATMUL_MAX_GROUPS = 128,
    SR_MATMUL_MULTIPLIER = 4095,
    SR_MATMUL_BYTES_BLOCK = SR_MATMUL_BLOCK * SR_MATMUL_STRIP, /* bytes of a block of a strip */
    SR_MATMUL_NIBBLES_BLOCK = SR_MATMUL_BYTES_BLOCK + 4 * SR_MATMUL_STRIP
};

static inline size_t sr_matmul_groups(size_t cols, size_t group) {
    return (cols + group - 1) / group;
}

/* One strip: out[(g * tokens + t) * 16 + r] = sum over the columns c of group g of act[t * cols + c] * w[r][c], and for
 * nibbles times the multiplier of c's block. act: -127..127; start: quantise()'s. cols and group are multiples of 32,
 * group at most SR_MATMUL_GROUP. */
typedef void sr_matmul_products(const int8_t *act, const int16_t *start, size_t tokens, const uint8_t *packed,
                                size_t cols, size_t group, int32_t *out);

typedef struct {
    const char *name;

    sr_matmul_products *bytes, *nibbles;
    /* One token, each group: q = x / scale rounded half to even, scale = max |x| / 127 (0 for
     * all zero: then q is zero). Each block: start[0] = -8 * the sum of q over the columns with c % 4 < 2, start[1] the
     * others: what a sum of nibbles starts from. */
    void (*quantise)(const float *x, size_t cols, size_t group, int8_t *q, float *scale, int16_t *start);
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
    /* One head over all tokens, for the queries from `first` on, `count` of them. q[t * stride + e], keys[e *
     * key_stride + s] (transposed, key_stride a multiple of 8, at least tokens), v[s * stride + e]; writes the context
     * over q. head_dim a multiple of 8, at most 128. bias: null, or
     * bias[s - t + tokens - 1]. scores: scratch of 2 * key_stride floats. */
    void (*attend)(float *q, size_t first, size_t count, const float *keys, const float *v, size_t tokens,
                   size_t stride, size_t key_stride, size_t head_dim, const float *bias, float *scores);
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
extern const sr_matmul_kernels sr_matmul_relaxed;     /* sums in 16 bits: two instructions where the dot is several */
extern const sr_matmul_kernels sr_matmul_relaxed_dot; /* sums in 32 bits: for processors that have the dot */
#endif

/* As sr_kernels_best, sr_kernels_by_name and sr_kernels_force; forcing concerns models opened afterwards. */
const sr_matmul_kernels *sr_matmul_best(void);
const sr_matmul_kernels *sr_matmul_by_name(const char *name);
void sr_matmul_force(const sr_matmul_kernels *k);

#endif
