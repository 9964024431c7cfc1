/* Vectors to rows: see space.h. */
#include "space.h"
#include "kernel/exact.h"
#include "smartrouter.h"
#include <string.h>

static float magnitude(float v) {
    return v < 0 ? -v : v;
}

static float largest_of(const float *v, size_t dim) {
    float largest = 0;
    for (size_t i = 0; i < dim; i++) largest = magnitude(v[i]) > largest ? magnitude(v[i]) : largest;
    return largest;
}

int sr_space_normalise(const sr_kernels *k, const float *v, size_t dim, float *out) {
    int bad = 0;
    for (size_t i = 0; i < dim; i++)
        bad |= !(magnitude(v[i]) <= 3.40282347e38f); /* infinity, and NaN, whose comparisons are false */
    if (bad) return SR_E_NAN;
    float largest = largest_of(v, dim);
    if (largest == 0) return SR_E_ZERO;
    for (size_t i = 0; i < dim; i++) out[i] = v[i] / largest; /* not times 1/largest, which may be infinite */
    float scale = 1.0f / sr_sqrtf(k->dot_f32(out, out, dim)); /* the sum lies between 1 and dim */
    for (size_t i = 0; i < dim; i++) out[i] *= scale;
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
        for (size_t i = 0; i < s->row_dim; i++)
            mapped[i] = k->dot_f32_i8(unit, s->map + i * stride, s->dim) * s->map_scales[i];
        *out = last = mapped;
    }
    return sr_space_normalise(k, last, s->row_dim, last);
}

float sr_space_code(const float *v, size_t dim, int8_t *out) {
    float largest = largest_of(v, dim);
    for (size_t i = 0; i < dim; i++) out[i] = (int8_t)sr_roundf(v[i] / largest * 127.0f);
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
