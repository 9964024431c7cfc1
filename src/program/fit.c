/* Linear algebra behind `tune`; what it is for stands in fit.h. */
#include "program/fit.h"
#include "program/cli.h"
#include "program/files.h"
#include "program/parallel.h"
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- moments ------------------------------------------------------------------------------------------------------
 */

typedef struct {
    const float *x;
    size_t count, dim;
    const double *weight;
    const double *mean;
    double *s;
} moments;

/* Rows i of the lower triangle, a stripe of 16 at a time: each value is one sum in row order, whatever the threads. */
enum { STRIPE = 16 };
static void moment_stripe(void *context, int thread, size_t stripe) {
    (void)thread;
    moments *m = context;
    size_t from = stripe * STRIPE, to = from + STRIPE < m->dim ? from + STRIPE : m->dim;
    double *centred = memory(m->dim * sizeof(double));
    for (size_t n = 0; n < m->count; n++) {
        double w = m->weight ? m->weight[n] : 1;
        if (w == 0) continue;
        const float *row = m->x + n * m->dim;
        for (size_t j = 0; j < to; j++) centred[j] = row[j] - m->mean[j];
        for (size_t i = from; i < to; i++) {
            double a = w * centred[i], *out = m->s + i * m->dim;
            for (size_t j = 0; j <= i; j++) out[j] += a * centred[j];
        }
    }
    free(centred);
}

static double weighted_mean(const float *x, size_t count, size_t dim, const double *weight, double *mean) {
    double total = 0;
    memset(mean, 0, dim * sizeof *mean);
    for (size_t n = 0; n < count; n++) {
        double w = weight ? weight[n] : 1;
        if (w == 0) continue;
        total += w;
        for (size_t j = 0; j < dim; j++) mean[j] += w * x[n * dim + j];
    }
    for (size_t j = 0; j < dim; j++) mean[j] /= total > 0 ? total : 1;
    return total;
}

/* Covariance about the mean, full symmetric matrix. Returns the total weight. */
static double covariance(const float *x, size_t count, size_t dim, const double *weight, double *mean, double *s) {
    double total = weighted_mean(x, count, dim, weight, mean);
    memset(s, 0, dim * dim * sizeof *s);
    moments m = {x, count, dim, weight, mean, s};
    parallel_for((dim + STRIPE - 1) / STRIPE, 0, NULL, moment_stripe, &m);
    for (size_t i = 0; i < dim; i++)
        for (size_t j = 0; j <= i; j++) s[j * dim + i] = s[i * dim + j] /= total > 0 ? total : 1;
    return total;
}

/* The `most` largest eigenvalues and their vectors as rows, largest first, the largest component of each positive. s is
 * lost. */
static bool largest_eigen(double *s, size_t dim, size_t most, double *values, double *vectors) {
    lapack_int n = (lapack_int)dim, found = 0;
    double *w = memory(dim * sizeof *w), *z = memory(dim * most * sizeof *z);
    lapack_int *support = memory(2 * dim * sizeof *support);
    lapack_int rc = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', n, s, n, 0, 0, n - (lapack_int)most + 1, n, 0,
                                   &found, w, z, n, support);
    bool fine = rc == 0 && (size_t)found == most;
    for (size_t i = 0; i < most && fine; i++) {
        const double *from = z + (most - 1 - i) * dim;
        size_t largest = 0;
        for (size_t j = 1; j < dim; j++)
            if (fabs(from[j]) > fabs(from[largest]) * (1 + 1e-9)) largest = j;
        double sign = from[largest] < 0 ? -1 : 1;
        values[i] = w[most - 1 - i];
        for (size_t j = 0; j < dim; j++) vectors[i * dim + j] = sign * from[j];
    }
    free(w), free(z), free(support);
    if (!fine) cli_error("the eigenvalue solver failed (%d)", (int)rc);
    return fine;
}

bool fit_basis(const float *x, size_t count, size_t dim, const uint8_t *use, size_t basis_dim, float *mean,
               float *basis) {
    double *weight = memory(count * sizeof *weight), *m = memory(dim * sizeof *m), *s = memory(dim * dim * sizeof *s);
    double *values = memory(basis_dim * sizeof *values), *vectors = memory(basis_dim * dim * sizeof *vectors);
    for (size_t i = 0; i < count; i++) weight[i] = !use || use[i];
    covariance(x, count, dim, weight, m, s);
    bool fine = largest_eigen(s, dim, basis_dim, values, vectors);
    for (size_t j = 0; j < dim; j++) mean[j] = (float)m[j];
    for (size_t i = 0; i < basis_dim * dim && fine; i++) basis[i] = (float)vectors[i];
    free(weight), free(m), free(s), free(values), free(vectors);
    return fine;
}

typedef struct {
    const float *x, *offset, *matrix;
    size_t dim, out_dim;
    float *out;
    bool unit;
} product;

static void product_row(void *context, int thread, size_t n) {
    (void)thread;
    const product *p = context;
    float centred[SR_MAX_DIM];
    const float *x = p->x + n * p->dim;
    float *out = p->out + n * p->out_dim;
    for (size_t j = 0; j < p->dim; j++) centred[j] = x[j] - p->offset[j];
    double square = 0;
    for (size_t i = 0; i < p->out_dim; i++) {
        const float *row = p->matrix + i * p->dim;
        float lanes[8] = {0};
        size_t j = 0;
        for (; j + 8 <= p->dim; j += 8)
            for (size_t l = 0; l < 8; l++) lanes[l] += row[j + l] * centred[j + l];
        for (; j < p->dim; j++) lanes[0] += row[j] * centred[j];
        out[i] = ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
        square += (double)out[i] * out[i];
    }
    if (!p->unit || square <= 0) return;
    float scale = (float)(1 / sqrt(square));
    for (size_t i = 0; i < p->out_dim; i++) out[i] *= scale;
}

void fit_project(const float *x, size_t count, size_t dim, const float *mean, const float *basis, size_t basis_dim,
                 float *z) {
    product p = {x, mean, basis, dim, basis_dim, z, false};
    parallel_for(count, 0, NULL, product_row, &p);
}

void fit_apply(const float *z, size_t count, size_t dim, const float *a, const float *offset, size_t row_dim,
               float *u) {
    product p = {z, offset, a, dim, row_dim, u, true};
    parallel_for(count, 0, NULL, product_row, &p);
}

/* ---- the map ------------------------------------------------------------------------------------------------------
 */

/* Scales rows [from, to) of a so that a row of data has the wanted mean length in them. */
static void scale_block(const float *z, size_t count, size_t dim, const double *weight, float *a, const float *offset,
                        size_t from, size_t to, double wanted) {
    double sum = 0, total = 0;
    float *out = memory((to - from) * sizeof *out);
    for (size_t n = 0; n < count; n++) {
        if (weight[n] == 0) continue;
        product p = {z + n * dim, offset, a + from * dim, dim, to - from, out, false};
        product_row(&p, 0, 0);
        double square = 0;
        for (size_t i = 0; i < to - from; i++) square += (double)out[i] * out[i];
        sum += weight[n] * sqrt(square), total += weight[n];
    }
    free(out);
    float scale = sum > 0 ? (float)(wanted * total / sum) : 0;
    for (size_t i = from * dim; i < to * dim; i++) a[i] *= scale;
}

/* W and b of the ridge regression onto one-against-all targets: (S + lambda I) W = C. */
static bool ridge(const float *z, size_t count, size_t dim, const uint32_t *route, uint32_t route_count,
                  const double *weight, const double *mean, const double *s, double lambda, double *w, double *bias) {
    double *system = memory(dim * dim * sizeof *system), trace = 0, total = 0;
    memcpy(system, s, dim * dim * sizeof *s);
    for (size_t i = 0; i < dim; i++) trace += s[i * dim + i];
    for (size_t i = 0; i < dim; i++) system[i * dim + i] += lambda * trace / (double)dim;
    memset(w, 0, route_count * dim * sizeof *w);
    double *share = memory(route_count * sizeof *share);
    for (size_t n = 0; n < count; n++) {
        if (weight[n] == 0) continue;
        share[route[n]] += weight[n], total += weight[n];
        double *column = w + (size_t)route[n] * dim;
        for (size_t j = 0; j < dim; j++) column[j] += weight[n] * (z[n * dim + j] - mean[j]);
    }
    /* targets are 1 for the row's route and 0 else; about their means the other routes' parts cancel */
    for (size_t i = 0; i < route_count * dim; i++) w[i] /= total;
    lapack_int rc = LAPACKE_dposv(LAPACK_COL_MAJOR, 'L', (lapack_int)dim, (lapack_int)route_count, system,
                                  (lapack_int)dim, w, (lapack_int)dim);
    for (uint32_t r = 0; r < route_count; r++) bias[r] = share[r] / total;
    free(system), free(share);
    if (rc != 0) cli_error("the ridge regression failed (%d)", (int)rc);
    return rc == 0;
}

/* offset = mean - A^T (A A^T)^-1 [0; constant]: then A (z - offset) has the head's constants in its discriminant part
 * and leaves the whitened part centred. */
static bool shift_offset(const float *a, size_t row_dim, size_t dim, size_t first, const double *constant,
                         const double *mean, float *offset) {
    double *gram = memory(row_dim * row_dim * sizeof *gram), *right = memory(row_dim * sizeof *right);
    for (size_t i = 0; i < row_dim; i++)
        for (size_t j = 0; j < row_dim; j++)
            for (size_t d = 0; d < dim; d++) gram[i * row_dim + j] += (double)a[i * dim + d] * a[j * dim + d];
    for (size_t i = first; i < row_dim; i++) right[i] = constant[i - first];
    lapack_int *pivots = memory(row_dim * sizeof *pivots);
    lapack_int rc = LAPACKE_dgesv(LAPACK_COL_MAJOR, (lapack_int)row_dim, 1, gram, (lapack_int)row_dim, pivots, right,
                                  (lapack_int)row_dim);
    for (size_t d = 0; d < dim; d++) {
        double sum = mean[d];
        for (size_t i = 0; i < row_dim; i++) sum -= a[i * dim + d] * right[i];
        offset[d] = (float)sum;
    }
    free(gram), free(right), free(pivots);
    if (rc != 0) cli_error("the map's rows depend on one another (%d)", (int)rc);
    return rc == 0;
}

bool fit_map(const float *z, size_t count, size_t dim, const uint32_t *route, uint32_t route_count,
             const double *weight, const fit_options *o, float *a, float *offset, float *head, float *bias) {
    size_t directions = route_count - 1, whitened = o->row_dim - directions;
    double *mean = memory(dim * sizeof *mean), *s = memory(dim * dim * sizeof *s),
           *copy = memory(dim * dim * sizeof *copy);
    double *values = memory(whitened * sizeof *values), *vectors = memory(whitened * dim * sizeof *vectors);
    double *w = memory(route_count * dim * sizeof *w), *b = memory(route_count * sizeof *b);
    covariance(z, count, dim, weight, mean, s);
    memcpy(copy, s, dim * dim * sizeof *s);
    bool fine = whitened == 0 || largest_eigen(copy, dim, whitened, values, vectors);
    fine = fine && ridge(z, count, dim, route, route_count, weight, mean, s, o->lambda, w, b);
    if (fine) {
        for (size_t d = 0; d < dim; d++) offset[d] = (float)mean[d];
        for (size_t i = 0; i < whitened; i++)
            for (size_t d = 0; d < dim; d++)
                a[i * dim + d] =
                    (float)(vectors[i * dim + d] / pow(values[i] > 1e-12 ? values[i] : 1e-12, o->exponent / 2));
        scale_block(z, count, dim, weight, a, offset, 0, whitened, 1);
        /* the logits about their mean span route_count - 1 dimensions: an orthonormal (Helmert) basis keeps lengths and
         * angles */
        double *constant = memory(directions * sizeof *constant);
        float *block = a + whitened * dim;
        for (size_t i = 0; i < directions; i++) {
            double plus = 1 / sqrt((double)((i + 1) * (i + 2))), minus = -sqrt((double)(i + 1) / (double)(i + 2));
            for (size_t d = 0; d < dim; d++) {
                double sum = minus * w[(i + 1) * dim + d];
                for (size_t r = 0; r <= i; r++) sum += plus * w[r * dim + d];
                block[i * dim + d] = (float)sum;
            }
            constant[i] = minus * (b[i + 1] - 1.0 / route_count);
            for (size_t r = 0; r <= i; r++) constant[i] += plus * (b[r] - 1.0 / route_count);
        }
        float before = 0, after = 0;
        for (size_t d = 0; d < dim; d++) before += block[d] * block[d];
        scale_block(z, count, dim, weight, a, offset, whitened, o->row_dim, o->weight);
        for (size_t d = 0; d < dim; d++) after += block[d] * block[d];
        for (size_t i = 0; i < directions; i++) constant[i] *= before > 0 ? sqrt((double)after / before) : 0;
        fine = o->weight == 0 || shift_offset(a, o->row_dim, dim, whitened, constant, mean, offset);
        free(constant);
        for (uint32_t r = 0; r < route_count; r++) {
            double sum = b[r];
            for (size_t d = 0; d < dim; d++) {
                head[r * dim + d] = (float)w[r * dim + d];
                sum -= w[r * dim + d] * mean[d];
            }
            bias[r] = (float)sum;
        }
    }
    free(mean), free(s), free(copy), free(values), free(vectors), free(w), free(b);
    return fine;
}

void fit_compose(const float *a, const float *offset, size_t row_dim, size_t dim, const float *mean, const float *basis,
                 size_t x_dim, float *map, float *mean_out) {
    for (size_t i = 0; i < row_dim; i++)
        for (size_t x = 0; x < x_dim; x++) {
            double sum = 0;
            for (size_t d = 0; d < dim; d++) sum += (double)a[i * dim + d] * basis[d * x_dim + x];
            map[i * x_dim + x] = (float)sum;
        }
    for (size_t x = 0; x < x_dim; x++) {
        double sum = mean[x];
        for (size_t d = 0; d < dim; d++) sum += (double)offset[d] * basis[d * x_dim + x];
        mean_out[x] = (float)sum;
    }
}

/* ---- utterances ----------------------------------------------------------------------------------------------------
 */

float fit_dot(const float *a, const float *b, size_t n) {
    float lanes[8] = {0};
    size_t j = 0;
    for (; j + 8 <= n; j += 8)
        for (size_t l = 0; l < 8; l++) lanes[l] += a[j + l] * b[j + l];
    for (; j < n; j++) lanes[0] += a[j] * b[j];
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

typedef struct {
    const float *u, *all;
    size_t row_dim, chosen_count;
    const uint32_t *chosen, *route;
    uint32_t route_count, k;
    float *scores;
} scoring;

static void score_row(void *context, int thread, size_t n) {
    (void)thread;
    const scoring *s = context;
    float best[SR_MAX_ROUTES][SR_MAX_TOP_K];
    uint32_t held[SR_MAX_ROUTES] = {0};
    for (size_t c = 0; c < s->chosen_count; c++) {
        uint32_t r = s->route[s->chosen[c]], at = held[r];
        float v = fit_dot(s->u + n * s->row_dim, s->all + (size_t)s->chosen[c] * s->row_dim, s->row_dim);
        if (at == s->k && v <= best[r][s->k - 1]) continue;
        if (at < s->k)
            held[r]++;
        else
            at--;
        for (; at && best[r][at - 1] < v; at--) best[r][at] = best[r][at - 1];
        best[r][at] = v;
    }
    for (uint32_t r = 0; r < s->route_count; r++) {
        float sum = 0;
        for (uint32_t i = 0; i < held[r]; i++) sum += best[r][i];
        s->scores[n * s->route_count + r] = held[r] ? sum / (float)held[r] : -1;
    }
}

void fit_scores(const float *u, size_t count, size_t row_dim, const float *all, const uint32_t *chosen,
                size_t chosen_count, const uint32_t *route, uint32_t route_count, uint32_t k, float *scores) {
    scoring s = {u, all, row_dim, chosen_count, chosen, route, route_count, k, scores};
    parallel_for(count, 0, NULL, score_row, &s);
}

typedef struct {
    const float *u;
    size_t row_dim, per_route;
    const uint32_t *members[SR_MAX_ROUTES];
    size_t member_count[SR_MAX_ROUTES];
    uint32_t *chosen[SR_MAX_ROUTES];
    size_t chosen_count[SR_MAX_ROUTES];
} choosing;

static void choose_route(void *context, int thread, size_t r) {
    (void)thread;
    choosing *c = context;
    size_t n = c->member_count[r];
    const uint32_t *members = c->members[r];
    float *cosines = memory(n * n * sizeof *cosines), *nearest = memory(n * sizeof *nearest);
    for (size_t i = 0; i < n; i++) {
        nearest[i] = -1;
        for (size_t j = 0; j <= i; j++)
            cosines[i * n + j] = cosines[j * n + i] =
                fit_dot(c->u + (size_t)members[i] * c->row_dim, c->u + (size_t)members[j] * c->row_dim, c->row_dim);
    }
    double *gain = memory(n * sizeof *gain); /* upper bounds: gains only shrink (lazy greedy) */
    for (size_t i = 0; i < n; i++) gain[i] = 1e30;
    for (size_t turn = 0; turn < c->per_route && turn < n; turn++) {
        size_t best = n;
        double best_gain = -1;
        uint8_t *fresh = memory(n);
        for (;;) {
            size_t top = n;
            for (size_t i = 0; i < n; i++)
                if (gain[i] >= 0 && (top == n || gain[i] > gain[top])) top = i;
            if (top == n) break;
            if (fresh[top]) {
                best = top, best_gain = gain[top];
                break;
            }
            double sum = 0;
            for (size_t j = 0; j < n; j++)
                sum += cosines[top * n + j] > nearest[j] ? cosines[top * n + j] - nearest[j] : 0;
            gain[top] = sum, fresh[top] = 1;
        }
        free(fresh);
        if (best == n || best_gain < 0) break;
        gain[best] = -1;
        for (size_t j = 0; j < n; j++)
            if (cosines[best * n + j] > nearest[j]) nearest[j] = cosines[best * n + j];
        c->chosen[r][c->chosen_count[r]++] = members[best];
    }
    free(cosines), free(nearest), free(gain);
}

size_t fit_choose(const float *u, size_t count, size_t row_dim, const uint8_t *use, const uint32_t *route,
                  uint32_t route_count, size_t per_route, uint32_t *chosen) {
    choosing *c = memory(sizeof *c);
    *c = (choosing){.u = u, .row_dim = row_dim, .per_route = per_route};
    for (uint32_t r = 0; r < route_count; r++) {
        uint32_t *members = memory(count * sizeof *members);
        for (size_t i = 0; i < count; i++)
            if (use[i] && route[i] == r) members[c->member_count[r]++] = (uint32_t)i;
        c->members[r] = members;
        c->chosen[r] = memory((per_route + 1) * sizeof(uint32_t));
    }
    parallel_for(route_count, 0, NULL, choose_route, c);
    size_t total = 0;
    for (uint32_t r = 0; r < route_count; r++) {
        memcpy(chosen + total, c->chosen[r], c->chosen_count[r] * sizeof *chosen);
        total += c->chosen_count[r];
        free((void *)c->members[r]), free(c->chosen[r]);
    }
    free(c);
    return total;
}

bool fit_logistic(const double *features, size_t count, size_t feature_count, const double *target,
                  const double *weight, double *coefficients) {
    size_t f = feature_count;
    double hessian[64], gradient[8];
    if (f > 8) return false;
    memset(coefficients, 0, f * sizeof *coefficients);
    for (int step = 0; step < 50; step++) {
        memset(hessian, 0, sizeof hessian);
        memset(gradient, 0, sizeof gradient);
        for (size_t n = 0; n < count; n++) {
            double z = 0;
            for (size_t i = 0; i < f; i++) z += coefficients[i] * features[n * f + i];
            double p = 1 / (1 + exp(-z)), slope = weight[n] * (p * (1 - p));
            for (size_t i = 0; i < f; i++) {
                gradient[i] += weight[n] * (target[n] - p) * features[n * f + i];
                for (size_t j = 0; j < f; j++) hessian[i * f + j] += slope * features[n * f + i] * features[n * f + j];
            }
        }
        for (size_t i = 0; i < f; i++) gradient[i] -= 1e-3 * coefficients[i], hessian[i * f + i] += 1e-3;
        lapack_int pivots[8], n = (lapack_int)f;
        if (LAPACKE_dgesv(LAPACK_COL_MAJOR, n, 1, hessian, n, pivots, gradient, n) != 0) return false;
        double move = 0;
        for (size_t i = 0; i < f; i++) coefficients[i] += gradient[i], move += fabs(gradient[i]);
        if (move < 1e-9) break;
    }
    return true;
}
