/* Vectors to rows: see space.h. */
#include "space.h"
#include "kernel/exact.h"
#include "smartrouter.h"
#include <string.h>

static uint32_t bits_of(float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* Largest magnitude as bits: for floats without a sign the order of the bits is the order of the numbers, with infinity
 * and NaN at the top. Integers, because a maximum of floats does not vectorise without -ffast-math (6 times slower). */
static uint32_t largest_bits(const float *v, size_t dim) {
    int32_t largest = 0;
    for (size_t i = 0; i < dim; i++) {
        int32_t bits = (int32_t)(bits_of(v[i]) & 0x7fffffff);
        largest = bits > largest ? bits : largest;
    }
    return (uint32_t)largest;
}

static float from_bits(uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

int sr_space_normalise(const sr_kernels *k, const float *v, size_t dim, float *out) {
    uint32_t bits = largest_bits(v, dim);
    if (bits >= 0x7f800000) return SR_E_NAN; /* infinity or NaN */
    if (bits == 0) return SR_E_ZERO;
    float largest = from_bits(bits);
    const float *from = v;
    if (!(largest >= 0x1p-40f &&
          largest <= 0x1p40f)) { /* squares could overflow or vanish: largest element to 1 first */
        for (size_t i = 0; i < dim; i++) out[i] = v[i] / largest; /* not times 1/largest, which may be infinite */
        from = out;
    }
    float scale = 1.0f / sr_sqrtf(k->dot_f32(from, from, dim));
    for (size_t i = 0; i < dim; i++) out[i] = from[i] * scale;
    return SR_OK;
}

int sr_space_project(const sr_kernels *k, const sr_space *s, const float *v, float *unit, float *mapped,
                     const float **out) {
    int rc = sr_space_normalise(k, v, s->dim, unit);
    if (rc < 0) return rc;
    *out = unit;
    if (!s->mean && !s->map) return SR_OK;
    if (s->mean)
        for (size_t i = 0; i < s->dim; i++) unit[i] -= s->mean[i];
    float *last = unit;
    if (s->map) {
        size_t stride = sr_row_stride(s->dim, 0);
        k->dots_f32_i8(unit, s->map, s->row_dim, stride, s->dim, mapped);
        for (size_t i = 0; i < s->row_dim; i++) mapped[i] *= s->map_scales[i];
        *out = last = mapped;
    }
    return sr_space_normalise(k, last, s->row_dim, last);
}

/* Nearest integer, halves to even, of |v| <= 127: adding 1.5 * 2^23 rounds, and leaves the integer in the low bits,
 * where a conversion from float, which must say what happens to NaN, would not vectorise in WebAssembly. */
static int8_t nearest_i8(float v) {
    return (int8_t)(uint8_t)bits_of(v + 12582912.0f);
}

float sr_space_code(const float *v, size_t dim, int8_t *out) {
    float largest = from_bits(largest_bits(v, dim)), scale = 127.0f / largest;
    if (scale < 1e30f)
        for (size_t i = 0; i < dim; i++) out[i] = nearest_i8(v[i] * scale);
    else /* 127 / largest may be infinite */
        for (size_t i = 0; i < dim; i++) out[i] = nearest_i8(v[i] / largest * 127.0f);
    memset(out + dim, 0, sr_row_stride((uint32_t)dim, 0) - dim);
    return largest / 127.0f;
}

/* The length of the coded vector, not the step, gives the scale: a similarity is then the exact cosine of two integer
 * vectors, never past 1 but for rounding, and 1 for a query that is an utterance. The step would leave the coding's own
 * error in the length, for nothing. */
float sr_space_quantise(const sr_kernels *k, const float *v, size_t dim, int8_t *out) {
    sr_space_code(v, dim, out);
    size_t stride = sr_row_stride((uint32_t)dim, 0);
    return 1.0f / sr_sqrtf((float)k->dot_i8(out, out, stride));
}
