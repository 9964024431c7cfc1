/* Training a piece table's rows: one short row a piece, so that the direction of a text's sum says its route.
 *
 * Start: each piece's embedding (mean position added, normalised), seen through a map fitted on texts' means of these
 * (fit.h). Then softmax regression on the unit sum, by stochastic gradient descent in a fixed order; rows of pieces
 * that were seen move, and are drawn back to their start, so that rare ones stay near it. Only + - * / sqrt and sr_expf
 * touch the rows, in a fixed order: the same texts give the same bytes.
 */
#ifndef SR_TABLE_TRAIN_H
#define SR_TABLE_TRAIN_H
#include "embed/table.h"
#include "program/fit.h"
#include <stdbool.h>

typedef struct {
    size_t dim;       /* numbers a row: 8, 16, ... */
    long pieces;      /* kept, at most */
    long epochs;      /* 0: the start alone */
    double common;    /* a piece of share f of all pieces starts with weight common / (common + f) */
    double rate;      /* of the rows at first; falls to 0 */
    double pull;      /* towards the start, an epoch */
    double dropout;   /* share of a text's pieces left out, anew each time */
    double smoothing; /* of the labels */
    double step;      /* rows are stored in multiples of this, for texts whose mean row has length 1 */
    fit_options fit;
} table_options;

typedef struct {
    const sr_model *model;
    table_options options;
    uint32_t route_count;
    /* texts */
    size_t count;
    const sr_text *texts;
    const uint32_t *route;
    const double *weight;
    const float *answers; /* [count][route_count] chances to learn from beside the labels, first -1: none; or null */
    double answers_weight;
    /* made by table_prepare */
    uint8_t *keep;       /* by the model's piece */
    uint32_t *ids;       /* the texts' pieces, the model's numbers */
    size_t *first;       /* [count + 1] into ids */
    float *common;       /* weight at the start, by piece */
    float *mean, *basis; /* of texts' means: [width], [basis_dim][width] */
    float *z;            /* [count][basis_dim] */
    size_t basis_dim, width;
} table_trainer;

/* Chooses pieces, cuts the texts, and makes the basis from the texts with basis_use[i] != 0. Prints errors. */
bool table_prepare(table_trainer *t, const uint8_t *basis_use);
/* Rows [model's pieces][dim] as they start, from texts with use[i] != 0. Prints errors. */
bool table_start(const table_trainer *t, const uint8_t *use, float *rows);
/* Trains these rows, and a readout: head[routes][dim], bias[routes]. */
void table_train(const table_trainer *t, const uint8_t *use, float *rows, float *head, float *bias);
/* The table file with these rows; malloc'ed. Prints errors; returns its bytes or a negative error. */
int64_t table_file(const table_trainer *t, const float *rows, uint8_t **out);
void table_trainer_free(table_trainer *t);
#endif
