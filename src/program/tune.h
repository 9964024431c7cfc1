/* What the parts of `tune` share. */
#ifndef SR_TUNE_H
#define SR_TUNE_H
#include "program/dataset.h"
#include "program/engine.h"
#include "program/fit.h"
#include "program/routes_file.h"
#include <math.h>

/* How well an exit did on rows that its fit did not see. */
typedef struct {
    float *scores;      /* [count][route_count] of the map and chosen utterances; rows never judged: all -1 */
    float *head_scores; /* likewise of the head that the directions come from */
    float *raw_scores;  /* of the same utterances by centred cosine, no map */
} judged;

typedef struct {
    size_t dim;          /* of the vector */
    float *mean, *basis; /* [dim], [basis_dim][dim] */
    float *z;            /* [count][basis_dim] */
    float *a, *offset;   /* of the final fit, in the basis */
    float *head, *bias;
    float *map, *map_mean; /* of the final fit, on vectors */
    judged held_out;
    double calibration[4]; /* as in ASSET.md */
    double stop;
    double ece[2]; /* corpus, judge */
} tuned_exit;

typedef struct {
    routes_file source;
    dataset data;
    size_t judge_from;  /* rows from here on are the judge's */
    const char *unseen; /* languages of the corpus that judge, as "nl,sv"; null: all */
    const sr_model *model;
    uint32_t masks[SR_MAX_EXITS], exit_count, k;
    size_t per_route, basis_dim, trials;
    fit_options fit;
    double *weight;
    uint32_t *route_of;
    uint8_t *was_judged; /* [count] */
    tuned_exit exits[SR_MAX_EXITS];
    uint32_t *chosen;
    size_t chosen_count;
    double anytime_accuracy[2], anytime_layers[2];
} tune_job;

/* "5+7+9" to a layer mask, and *list behind it; 0 for nonsense. */
uint32_t tune_layers(const char **list);
bool tune_judge(tune_job *job);
bool tune_calibrate(tune_job *job);
void tune_report(const tune_job *job, FILE *to);
bool tune_write(tune_job *job, const char *path);

/* Rows of a kind (ours, public) and route weigh the same in sum, so that neither the chattiest route nor the largest
 * source rules. */
void tune_weigh(const dataset *d, double public_weight, double **weight, uint32_t **route_of);
/* What confidence is computed from: 1, margin, best score, their product. Returns the best route. */
uint32_t tune_features(const float *scores, uint32_t routes, double f[4]);
double tune_confidence(const double c[4], const double f[4]);
#endif
