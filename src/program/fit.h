/* Fitting an exit's map: an orthonormal basis without labels, then whitened directions and the routes' discriminants in
 * it.
 *
 * Everything is computed in a fixed order in double precision with the reference LAPACK, signs fixed by a rule, so the
 * same rows give the same bytes on every x86-64 machine.
 */
#ifndef SR_FIT_H
#define SR_FIT_H
#include "asset_write.h"
#include "program/files.h"
#include <stdbool.h>

/* Mean and the `basis_dim` strongest principal directions of the rows with use[i] != 0 (null: all), x[count][dim].
 * mean[dim], basis[basis_dim][dim]; basis_dim <= dim. False when LAPACK fails. */
bool fit_basis(const float *x, size_t count, size_t dim, const uint8_t *use, size_t basis_dim, float *mean,
               float *basis);
/* z[count][basis_dim] = basis (x - mean), on all cores. */
void fit_project(const float *x, size_t count, size_t dim, const float *mean, const float *basis, size_t basis_dim,
                 float *z);

typedef struct {
    size_t row_dim;  /* of the map: route_count - 1 discriminant directions, the rest whitened ones */
    double exponent; /* of whitening: 0 none, 1 full */
    double lambda;   /* ridge, in units of the mean variance */
    double weight;   /* of the discriminant part against the whitened one, by mean length */
} fit_options;

/* One map in the basis: A[row_dim][dim], offset[dim]; a row becomes unit(A (z - offset)). Also the head that the
 * directions come from: head[route_count][dim] and bias[route_count], for comparison. weight[i] 0 leaves row i out. */
bool fit_map(const float *z, size_t count, size_t dim, const uint32_t *route, uint32_t route_count,
             const double *weight, const fit_options *o, float *a, float *offset, float *head, float *bias);
/* u[count][row_dim] = unit(A (z - offset)). */
void fit_apply(const float *z, size_t count, size_t dim, const float *a, const float *offset, size_t row_dim, float *u);
/* The map as an asset stores it, on the vectors themselves: map[row_dim][x_dim], mean_out[x_dim]. */
void fit_compose(const float *a, const float *offset, size_t row_dim, size_t dim, const float *mean, const float *basis,
                 size_t x_dim, float *map, float *mean_out);

/* a . b over n numbers, in eight lanes; of unit rows the cosine. */
float fit_dot(const float *a, const float *b, size_t n);

/* Route scores of unit rows against chosen utterances: scores[count][route_count], mean of the top k of each route. */
void fit_scores(const float *u, size_t count, size_t row_dim, const float *all, const uint32_t *chosen,
                size_t chosen_count, const uint32_t *route, uint32_t route_count, uint32_t k, float *scores);

/* Utterances that stand for their route: of the rows with use[i] != 0 the `per_route` that cover the rest best (greedy
 * facility location: the sum over rows of the nearest chosen one's cosine). Writes indices in order of choice, route by
 * route; returns their number. */
size_t fit_choose(const float *u, size_t count, size_t row_dim, const uint8_t *use, const uint32_t *route,
                  uint32_t route_count, size_t per_route, uint32_t *chosen);

/* Exchanges chosen utterances, one at a time, where that lowers the mean log loss of all rows with weight (chosen rows
 * do not judge themselves); `trials` exchanges are tried. In place; the counts by route stay. */
void fit_refine(const float *u, size_t count, size_t row_dim, const uint8_t *use, const double *weight,
                const uint32_t *route, uint32_t route_count, uint32_t k, uint32_t *chosen, size_t chosen_count,
                size_t trials);

/* Writes a fit (.srf) whole; prints what is wrong. */
bool fit_save(const char *path, const sr_write_asset *w);
/* Opens one that was read; *mem holds it. Returns 0, or a negative error. */
int fit_open(const file_bytes *file, void **mem, const sr_router **fit);
/* Reads and opens one: *file and *mem hold it, to be freed after it. On failure prints what and why and returns null.
 */
const sr_router *fit_load(const char *path, file_bytes *file, void **mem);

/* Logistic calibration of right (1) or wrong (0) by features[count][features]: coefficients by Newton's method with a
 * small ridge. */
bool fit_logistic(const double *features, size_t count, size_t feature_count, const double *target,
                  const double *weight, double *coefficients);
#endif
