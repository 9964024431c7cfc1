/* From a vector to an exit's own space, unit(A(unit(v) - m)), and from there to int8. The matcher does it to queries
 * and the writer to utterances, by this one piece of code: an utterance asked as a query gives its own row, bit for
 * bit. */
#ifndef SR_SPACE_H
#define SR_SPACE_H
#include "kernel/kernel.h"

typedef struct {
    uint32_t dim, row_dim;
    const float *mean;       /* [dim] or null */
    const int8_t *map;       /* [row_dim] rows, each padded to sr_row_stride(dim, 0) bytes, or null */
    const float *map_scales; /* [row_dim] */
} sr_space;

/* v at length 1; in place is allowed. SR_E_NAN, SR_E_ZERO. Any finite length works, 1e30 and 1e-40 too. */
int sr_space_normalise(const sr_kernels *k, const float *v, size_t dim, float *out);
/* unit[dim] is scratch. Points *out at unit or at mapped[row_dim]. SR_E_NAN, SR_E_ZERO. */
int sr_space_project(const sr_kernels *k, const sr_space *s, const float *v, float *unit, float *mapped,
                     const float **out);
/* v of length 1 to int8, the largest element at +-127, zeros in the padding. Returns 1 / length of the coded vector. */
float sr_space_quantise(const sr_kernels *k, const float *v, size_t dim, int8_t *out);
/* v != 0 of any length to int8. Returns the step, largest / 127: v is about step times out. */
float sr_space_code(const float *v, size_t dim, int8_t *out);

/* Bytes from row to row: int8 padded to 64, f32 to 16 numbers. */
static inline size_t sr_row_stride(uint32_t dim, int is_f32) {
    return is_f32 ? ((size_t)dim + 15) / 16 * 64 : ((size_t)dim + 63) / 64 * 64;
}

#endif
