/* A map from a table's own utterances: see compile_map.h. */
#include "program/compile_map.h"
#include "program/cli.h"
#include "program/eval_space.h"
#include "program/fit.h"
#include <stdlib.h>
#include <string.h>

size_t compile_map_row_dim(size_t utterances, uint32_t routes) {
    enum { WHITENED = 12 };
    size_t spare = utterances > routes ? (utterances - routes) / 2 : 0;
    size_t rows = routes - 1 + (spare < WHITENED ? spare : WHITENED);
    return rows < SR_MIN_DIM && utterances > SR_MIN_DIM + 1 ? SR_MIN_DIM : rows;
}

bool compile_map(const sr_write_route *routes, uint32_t route_count, sr_write_exit *e, float **map, float **mean) {
    size_t dim = e->dim, count = 0;
    uint32_t used = 0, first = 0, total = 0;
    for (uint32_t r = 0; r < route_count; r++) total += routes[r].utterance_count;
    float *rows = memory((total + 1) * dim * sizeof *rows);
    uint32_t *label = memory((total + 1) * sizeof *label);
    double *weight = memory((total + 1) * sizeof *weight);
    for (uint32_t r = 0; r < route_count; r++) {
        uint32_t mine = routes[r].utterance_count - routes[r].negative_count;
        memcpy(rows + count * dim, e->vectors + (size_t)first * dim, mine * dim * sizeof *rows);
        for (uint32_t u = 0; u < mine; u++, count++) label[count] = used, weight[count] = 1.0 / mine;
        first += routes[r].utterance_count, used += mine > 0;
    }
    space_unit(rows, count, dim, 0);
    fit_options o = {.row_dim = compile_map_row_dim(count, used), .exponent = 0.5, .lambda = 0.1, .weight = 1};
    bool fine = used > 1 && o.row_dim >= SR_MIN_DIM && o.row_dim <= dim;
    if (!fine)
        cli_error("--map: %zu utterances of %u routes are too few for a map (or %zu dimensions are); leave --map away",
                  count, used, dim);
    if (fine) {
        float *head = memory(used * dim * sizeof *head), *bias = memory(used * sizeof *bias);
        *map = memory(o.row_dim * dim * sizeof **map), *mean = memory(dim * sizeof **mean);
        fine = fit_map(rows, count, dim, label, used, weight, &o, *map, *mean, head, bias);
        e->map = *map, e->mean = *mean, e->row_dim = (uint32_t)o.row_dim;
        free(head), free(bias);
    }
    free(rows), free(label), free(weight);
    return fine;
}
