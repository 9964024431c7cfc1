/* Two principal directions of an exit's rows, for drawing them. */
#include "asset_write.h"
#include <string.h>

/* At most this many rows, evenly taken, decide the directions: a drawing gains nothing from more, and 100,000 rows
 * would take seconds. */
enum { SAMPLE = 2048, ROUNDS = 64 };

static double unit_length(double *v, size_t n) {
    double square = 0;
    for (size_t i = 0; i < n; i++) square += v[i] * v[i];
    double length = __builtin_sqrt(square);
    if (length > 0)
        for (size_t i = 0; i < n; i++) v[i] /= length;
    return length;
}

static void remove_direction(double *v, const double *axis, size_t n) {
    double along = 0;
    for (size_t i = 0; i < n; i++) along += v[i] * axis[i];
    for (size_t i = 0; i < n; i++) v[i] -= along * axis[i];
}

/* Power iteration: v <- sum over rows of (row - mean) ((row - mean) . v), in plain double arithmetic and a fixed order,
 * so that every platform gets the same bits. `next` is scratch. */
static void principal(const float *rows, size_t count, size_t stride, size_t dim, const float *mean,
                      const double *first, double *v, double *next) {
    size_t step = count > SAMPLE ? count / SAMPLE : 1;
    for (size_t i = 0; i < dim; i++)
        v[i] = 1.0 + (double)((i * 7919 + 13) % 101) / 101.0; /* no symmetry to get stuck in */
    if (first) remove_direction(v, first, dim);
    unit_length(v, dim);
    for (int round = 0; round < ROUNDS; round++) {
        memset(next, 0, dim * sizeof *next);
        for (size_t r = 0; r < count; r += step) {
            const float *row = rows + r * stride;
            double along = 0;
            for (size_t i = 0; i < dim; i++) along += ((double)row[i] - mean[i]) * v[i];
            for (size_t i = 0; i < dim; i++) next[i] += along * ((double)row[i] - mean[i]);
        }
        if (first) remove_direction(next, first, dim);
        if (unit_length(next, dim) < 1e-12) break; /* the rows do not spread any further: any direction will do */
        memcpy(v, next, dim * sizeof *v);
    }
    size_t largest = 0; /* a direction and its opposite are equally principal: the largest element is positive */
    for (size_t i = 1; i < dim; i++)
        if (v[i] * v[i] > v[largest] * v[largest]) largest = i;
    if (v[largest] < 0)
        for (size_t i = 0; i < dim; i++) v[i] = -v[i];
}

void sr_plane_fit(const float *rows, size_t count, size_t stride, size_t row_dim, double *work, float *plane) {
    const sr_kernels *k = sr_kernels_best();
    double *first = work, *second = work + row_dim, *scratch = work + 2 * row_dim;
    float *offset = plane + 2 * row_dim, *places = offset + 2;
    /* the mean stands where the first direction will be written in the end */
    float *mean = plane;
    memset(second, 0, row_dim * sizeof *second);
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < row_dim; i++) second[i] += rows[r * stride + i];
    for (size_t i = 0; i < row_dim; i++) mean[i] = (float)(second[i] / (double)count);

    principal(rows, count, stride, row_dim, mean, NULL, first, scratch);
    principal(rows, count, stride, row_dim, mean, first, second, scratch);
    double centre[2] = {0, 0};
    for (size_t i = 0; i < row_dim; i++) centre[0] += first[i] * mean[i], centre[1] += second[i] * mean[i];
    for (size_t i = 0; i < row_dim; i++) plane[i] = (float)first[i], plane[row_dim + i] = (float)second[i];
    for (size_t j = 0; j < 2; j++) offset[j] = (float)-centre[j];
    for (size_t r = 0; r < count; r++) /* as sr_router_plane computes it */
        for (size_t j = 0; j < 2; j++)
            places[2 * r + j] = k->dot_f32(plane + j * row_dim, rows + r * stride, row_dim) + offset[j];
}
