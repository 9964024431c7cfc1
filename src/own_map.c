/* A table's own map: see own_map.h. */
#include "own_map.h"
#include "kernel/kernel.h"
#include "space.h"
#include <math.h>
#include <string.h>

/* The directions get the whitening's mean length; more or less ridge or weight is no better on average over CLINC150,
 * home-intents and the two example tables, after layers 4 and 9. */
enum { RIDGE = 1 }; /* in units of the mean variance */

static uint32_t mine(const sr_write_route *r) {
    return r->utterance_count - r->negative_count;
}

static uint32_t used_routes(const sr_write_route *routes, uint32_t route_count) {
    uint32_t used = 0;
    for (uint32_t r = 0; r < route_count; r++) used += mine(&routes[r]) > 0;
    return used;
}

uint32_t sr_own_map_rows(const sr_write_route *routes, uint32_t route_count, uint32_t dim, uint32_t whitening_rows) {
    uint32_t used = used_routes(routes, route_count), all = whitening_rows + (used ? used - 1 : 0);
    return all > dim ? dim : all;
}

/* Scratch memory, in the order in which it is laid out. */
typedef struct {
    double *unit_weight, *z, *mean, *s, *c, *rows;
    float *unit;
    uint32_t *route;
    size_t bytes;
} parts;

static parts lay_out(void *work, const sr_write_route *routes, uint32_t route_count, uint32_t dim, uint32_t n) {
    size_t count = 0, used = used_routes(routes, route_count);
    for (uint32_t r = 0; r < route_count; r++) count += mine(&routes[r]);
    parts p = {0};
    uint8_t *base = work;
#define PART(name, number)                                                                                             \
    if (base) p.name = (void *)(base + p.bytes);                                                                       \
    p.bytes += ((size_t)(number) * sizeof *p.name + 63) & ~(size_t)63
    PART(unit_weight, count);
    PART(z, count * n);
    PART(mean, n);
    PART(s, (size_t)n * n);
    PART(c, used * n);
    PART(rows, used * n);
    PART(unit, dim);
    PART(route, count);
#undef PART
    return p;
}

size_t sr_own_map_work_bytes(const sr_write_route *routes, uint32_t route_count, uint32_t dim,
                             uint32_t whitening_rows) {
    return lay_out(NULL, routes, route_count, dim, whitening_rows).bytes;
}

/* z[count][n]: the utterances in the whitened space, with their routes and weights: each route weighs the same. Returns
 * their number. */
static int64_t project(const sr_write_route *routes, uint32_t route_count, const sr_write_exit *e, const float *a,
                       uint32_t n, parts *p) {
    const sr_kernels *kernels = sr_kernels_best();
    size_t count = 0, at = 0;
    uint32_t used = 0;
    for (uint32_t r = 0; r < route_count; at += routes[r].utterance_count, used += mine(&routes[r]) > 0, r++)
        for (uint32_t u = 0; u < mine(&routes[r]); u++) {
            int rc = sr_space_normalise(kernels, e->vectors + (at + u) * e->dim, e->dim, p->unit);
            if (rc == SR_E_ZERO) continue;
            if (rc < 0) return rc;
            for (uint32_t d = 0; d < e->dim; d++) p->unit[d] -= e->mean[d];
            double *z = p->z + count * n;
            for (uint32_t i = 0; i < n; i++) {
                double sum = 0;
                for (uint32_t d = 0; d < e->dim; d++) sum += (double)a[(size_t)i * e->dim + d] * (double)p->unit[d];
                if (!(sum >= -1e30 && sum <= 1e30)) return SR_E_NAN;
                z[i] = sum;
            }
            p->route[count] = used, p->unit_weight[count++] = 1.0 / mine(&routes[r]);
        }
    return (int64_t)count;
}

/* S = L L^T in place, lower triangle; S is positive definite by the ridge. */
static void factor(double *s, uint32_t n) {
    for (uint32_t j = 0; j < n; j++) {
        for (uint32_t k = 0; k < j; k++)
            for (uint32_t i = j; i < n; i++) s[(size_t)i * n + j] -= s[(size_t)i * n + k] * s[(size_t)j * n + k];
        double root = sqrt(s[(size_t)j * n + j]);
        for (uint32_t i = j; i < n; i++) s[(size_t)i * n + j] /= root;
    }
}

static void solve(const double *l, uint32_t n, double *x) {
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < i; k++) x[i] -= l[(size_t)i * n + k] * x[k];
        x[i] /= l[(size_t)i * n + i];
    }
    for (uint32_t i = n; i-- > 0;) {
        for (uint32_t k = i + 1; k < n; k++) x[i] -= l[(size_t)k * n + i] * x[k];
        x[i] /= l[(size_t)i * n + i];
    }
}

/* c[used][n], the regression of one route against all: (S + ridge) c = the routes' weighted means. */
static void regress(parts *p, size_t count, uint32_t n, uint32_t used) {
    double total = 0, trace = 0;
    memset(p->mean, 0, n * sizeof *p->mean);
    memset(p->s, 0, (size_t)n * n * sizeof *p->s);
    memset(p->c, 0, (size_t)used * n * sizeof *p->c);
    for (size_t u = 0; u < count; u++) {
        total += p->unit_weight[u];
        for (uint32_t i = 0; i < n; i++) p->mean[i] += p->unit_weight[u] * p->z[u * n + i];
    }
    for (uint32_t i = 0; i < n; i++) p->mean[i] /= total;
    for (size_t u = 0; u < count; u++) {
        const double *z = p->z + u * n;
        double w = p->unit_weight[u] / total, *c = p->c + (size_t)p->route[u] * n;
        for (uint32_t i = 0; i < n; i++) {
            double a = w * (z[i] - p->mean[i]);
            c[i] += a;
            for (uint32_t j = 0; j <= i; j++) p->s[(size_t)i * n + j] += a * (z[j] - p->mean[j]);
        }
    }
    for (uint32_t i = 0; i < n; i++) trace += p->s[(size_t)i * n + i];
    for (uint32_t i = 0; i < n; i++) p->s[(size_t)i * n + i] += RIDGE * trace / n + 1e-9;
    factor(p->s, n);
    for (uint32_t r = 0; r < used; r++) solve(p->s, n, p->c + (size_t)r * n);
}

/* The regressions span one direction less than there are routes: Helmert's orthonormal basis keeps lengths and angles.
 */
static void differences(const double *c, uint32_t n, uint32_t used, double *rows) {
    for (uint32_t k = 1; k < used; k++) {
        double plus = 1 / sqrt((double)k * (k + 1)), minus = -sqrt((double)k / (k + 1));
        for (uint32_t i = 0; i < n; i++) {
            double sum = minus * c[(size_t)k * n + i];
            for (uint32_t r = 0; r < k; r++) sum += plus * c[(size_t)r * n + i];
            rows[(size_t)(k - 1) * n + i] = sum;
        }
    }
}

/* Mean length of the utterances in these rows. */
static double mean_length(const parts *p, size_t count, uint32_t n, const double *rows, uint32_t row_count) {
    double total = 0, weight = 0;
    for (size_t u = 0; u < count; u++) {
        double square = 0;
        for (uint32_t k = 0; k < row_count; k++) {
            double sum = 0;
            for (uint32_t i = 0; i < n; i++) sum += rows[(size_t)k * n + i] * p->z[u * n + i];
            square += sum * sum;
        }
        total += p->unit_weight[u] * sqrt(square), weight += p->unit_weight[u];
    }
    return total / weight;
}

static double whitened_length(const parts *p, size_t count, uint32_t n) {
    double total = 0, weight = 0;
    for (size_t u = 0; u < count; u++) {
        double square = 0;
        for (uint32_t i = 0; i < n; i++) square += p->z[u * n + i] * p->z[u * n + i];
        total += p->unit_weight[u] * sqrt(square), weight += p->unit_weight[u];
    }
    return total / weight;
}

int sr_own_map(const sr_write_route *routes, uint32_t route_count, sr_write_exit *e, const float *whitening,
               uint32_t whitening_rows, float *map, void *work) {
    uint32_t n = whitening_rows;
    if (!n || n > e->dim || !e->mean || !e->vectors) return SR_E_ARGUMENT;
    uint32_t used = used_routes(routes, route_count), all = sr_own_map_rows(routes, route_count, e->dim, n);
    memcpy(map, whitening, (size_t)n * e->dim * sizeof *map);
    e->map = map, e->row_dim = n;
    if (used < 2 || used > all) return SR_OK;
    n = all - (used - 1);
    parts p = lay_out(work, routes, route_count, e->dim, n);
    int64_t count = project(routes, route_count, e, whitening, n, &p);
    if (count <= 0) return (int)count;
    regress(&p, (size_t)count, n, used);
    differences(p.c, n, used, p.rows);
    double length = mean_length(&p, (size_t)count, n, p.rows, used - 1);
    if (!(length > 0)) return SR_OK; /* nothing tells the routes apart */
    double scale = whitened_length(&p, (size_t)count, n) / length;
    for (uint32_t k = 0; k + 1 < used; k++)
        for (uint32_t d = 0; d < e->dim; d++) {
            double sum = 0;
            for (uint32_t i = 0; i < n; i++)
                sum += p.rows[(size_t)k * n + i] * (double)whitening[(size_t)i * e->dim + d];
            map[((size_t)n + k) * e->dim + d] = (float)(scale * sum);
        }
    e->row_dim = all;
    return SR_OK;
}
