/* The reference: plain C, and what every other set must equal bit for bit.
 *
 * Bound by the multiplier where the compiler does not vectorise (wasm without SIMD): one multiply and add an element.
 */
#include "kernel/kernel.h"

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n) {
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void dots_i8(const int8_t *query, const int8_t *rows, size_t row_count, size_t stride, int32_t *out) {
    for (size_t r = 0; r < row_count; r++) out[r] = dot_i8(query, rows + r * stride, stride);
}

static float combine(const float lane[8]) {
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static float dot_f32(const float *a, const float *b, size_t n) {
    float lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) lane[j] += a[i + j] * b[i + j];
    for (size_t j = 0; i + j < n; j++) lane[j] += a[i + j] * b[i + j];
    return combine(lane);
}

static float dot_f32_i8(const float *query, const int8_t *row, size_t n) {
    float lane[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) lane[j] += query[i + j] * (float)row[i + j];
    for (size_t j = 0; i + j < n; j++) lane[j] += query[i + j] * (float)row[i + j];
    return combine(lane);
}

static void dots_f32(const float *query, const float *rows, size_t row_count, size_t stride, size_t n, float *out) {
    for (size_t r = 0; r < row_count; r++) out[r] = dot_f32(query, rows + r * stride, n);
}

static void dots_f32_i8(const float *query, const int8_t *rows, size_t row_count, size_t stride, size_t n, float *out) {
    for (size_t r = 0; r < row_count; r++) out[r] = dot_f32_i8(query, rows + r * stride, n);
}

const sr_kernels sr_kernels_scalar = {"scalar", dot_i8, dots_i8, dot_f32, dot_f32_i8, dots_f32, dots_f32_i8};
