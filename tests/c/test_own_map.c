/* A table's own map: against a reference written apart (Gauss elimination, no Helmert basis), and its edges. */
#include "own_map.h"
#include "test.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 8, ROWS = 5, ROUTES = 3, UTTERANCES = 11 };

typedef struct {
    sr_write_route routes[ROUTES];
    float vectors[UTTERANCES * DIM], mean[DIM], whitening[ROWS * DIM], map[DIM * DIM];
    sr_write_exit exit;
} table;

static float number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1;
}

/* 4, 3 and 4 utterances; the last of each but the first route's is a negative. */
static void make(table *t) {
    uint32_t state = 7;
    *t = (table){.routes = {{.utterance_count = 4},
                            {.utterance_count = 3, .negative_count = 1},
                            {.utterance_count = 4, .negative_count = 1}}};
    for (int i = 0; i < UTTERANCES * DIM; i++) t->vectors[i] = 3 * number(&state);
    for (int i = 0; i < DIM; i++) t->mean[i] = 0.1f * number(&state);
    for (int i = 0; i < ROWS * DIM; i++) t->whitening[i] = number(&state);
    sr_write_exit_init(&t->exit);
    t->exit.dim = t->exit.row_dim = DIM, t->exit.vectors = t->vectors, t->exit.mean = t->mean;
}

static int learn(table *t, uint32_t route_count) {
    void *work = test_alloc(sr_own_map_work_bytes(t->routes, route_count, DIM, ROWS));
    int rc = sr_own_map(t->routes, route_count, &t->exit, t->whitening, ROWS, t->map, work);
    free(work);
    return rc;
}

/* The directions' part of the similarity of two utterances: what any basis of them must give. */
static double similarity(const table *t, const double *a, const double *b) {
    double sum = 0;
    for (uint32_t k = ROWS; k < t->exit.row_dim; k++) {
        double x = 0, y = 0;
        for (int d = 0; d < DIM; d++) x += (double)t->map[k * DIM + d] * a[d], y += (double)t->map[k * DIM + d] * b[d];
        sum += x * y;
    }
    return sum;
}

TEST(the_directions_are_those_of_a_ridge_regression) {
    table t;
    make(&t);
    CHECK_INT(sr_own_map_rows(t.routes, ROUTES, DIM, ROWS), ROWS + 2);
    CHECK_INT(learn(&t, ROUTES), 0);
    CHECK_INT(t.exit.row_dim, ROWS + 2);
    CHECK(t.exit.map == t.map && memcmp(t.map, t.whitening, sizeof t.whitening) == 0);

    static const int row[] = {0, 1, 2, 3, 4, 5, 7, 8, 9}, label[] = {0, 0, 0, 0, 1, 1, 2, 2, 2};
    static const double share[] = {1.0 / 12, 1.0 / 6, 1.0 / 9};
    double v[9][DIM], z[9][ROWS], mean[ROWS] = {0}, s[ROWS][ROWS + ROUTES] = {{0}}, trace = 0;
    for (int u = 0; u < 9; u++) {
        double length = 0;
        for (int d = 0; d < DIM; d++) length += pow((double)t.vectors[row[u] * DIM + d], 2);
        for (int d = 0; d < DIM; d++) v[u][d] = (double)t.vectors[row[u] * DIM + d] / sqrt(length) - (double)t.mean[d];
        for (int i = 0; i < ROWS; i++) {
            z[u][i] = 0;
            for (int d = 0; d < DIM; d++) z[u][i] += (double)t.whitening[i * DIM + d] * v[u][d];
            mean[i] += share[label[u]] * z[u][i];
        }
    }
    for (int u = 0; u < 9; u++)
        for (int i = 0; i < ROWS; i++) {
            for (int j = 0; j < ROWS; j++) s[i][j] += share[label[u]] * (z[u][i] - mean[i]) * (z[u][j] - mean[j]);
            s[i][ROWS + label[u]] += share[label[u]] * (z[u][i] - mean[i]);
        }
    for (int i = 0; i < ROWS; i++) trace += s[i][i];
    for (int i = 0; i < ROWS; i++) s[i][i] += trace / ROWS;
    for (int p = 0; p < ROWS; p++)
        for (int i = 0; i < ROWS; i++) {
            double f = s[i][p] / s[p][p];
            for (int j = p; i != p && j < ROWS + ROUTES; j++) s[i][j] -= f * s[p][j];
        }
    double logit[9][ROUTES] = {{0}}, white = 0, own = 0;
    for (int u = 0; u < 9; u++) {
        double square = 0, centre = 0, squares = 0;
        for (int r = 0; r < ROUTES; r++) {
            for (int i = 0; i < ROWS; i++) logit[u][r] += s[i][ROWS + r] / s[i][i] * z[u][i];
            centre += logit[u][r] / ROUTES;
        }
        for (int r = 0; r < ROUTES; r++) logit[u][r] -= centre, square += logit[u][r] * logit[u][r];
        for (int i = 0; i < ROWS; i++) squares += z[u][i] * z[u][i];
        white += share[label[u]] * sqrt(squares), own += share[label[u]] * sqrt(square);
    }
    for (int a = 0; a < 9; a++)
        for (int b = 0; b < 9; b++) {
            double want = 0;
            for (int r = 0; r < ROUTES; r++) want += logit[a][r] * logit[b][r] * white / own * white / own;
            CHECK_NEAR(similarity(&t, v[a], v[b]), want, 1e-4);
        }
}

TEST(one_route_gets_the_whitening_alone) {
    table t;
    make(&t);
    CHECK_INT(learn(&t, 1), 0);
    CHECK_INT(t.exit.row_dim, ROWS);
    CHECK_INT(sr_own_map_rows(t.routes, 0, DIM, ROWS), ROWS);
    make(&t);
    for (int u = 1; u < UTTERANCES; u++) memcpy(t.vectors + u * DIM, t.vectors, DIM * sizeof(float));
    CHECK_INT(learn(&t, ROUTES), 0); /* all alike: nothing to tell apart */
    CHECK(t.exit.row_dim == ROWS || isfinite(t.map[ROWS * DIM]));
}

TEST(the_whitening_gives_way_where_the_two_are_more_than_the_dimensions) {
    table t, small;
    make(&t), make(&small);
    float whitening[DIM * DIM];
    uint32_t state = 9;
    for (int i = 0; i < DIM * DIM; i++) whitening[i] = number(&state);
    CHECK_INT(sr_own_map_rows(t.routes, ROUTES, DIM, DIM - 1), DIM);
    void *work = test_alloc(sr_own_map_work_bytes(t.routes, ROUTES, DIM, DIM - 1));
    CHECK_INT(sr_own_map(t.routes, ROUTES, &t.exit, whitening, DIM - 1, t.map, work), 0);
    CHECK_INT(sr_own_map(small.routes, ROUTES, &small.exit, whitening, DIM - 2, small.map, work), 0);
    free(work);
    CHECK_INT(t.exit.row_dim, DIM);
    CHECK(memcmp(t.map, small.map, sizeof t.map) == 0);
}

TEST(utterances_without_direction_are_left_out_and_bad_numbers_refused) {
    table t;
    make(&t);
    memset(t.vectors, 0, DIM * sizeof(float));
    CHECK_INT(learn(&t, ROUTES), 0);
    CHECK_INT(t.exit.row_dim, ROWS + 2);
    t.vectors[3] = NAN;
    CHECK_INT(learn(&t, ROUTES), SR_E_NAN);
    memset(t.vectors, 0, sizeof t.vectors);
    CHECK_INT(learn(&t, ROUTES), 0);
    CHECK_INT(t.exit.row_dim, ROWS);
    t.exit.mean = NULL;
    CHECK_INT(learn(&t, ROUTES), SR_E_ARGUMENT);
}

TEST_MAIN()
