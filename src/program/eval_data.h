/* What a router answered for each labelled prompt, and what that is worth. */
#ifndef SR_EVAL_DATA_H
#define SR_EVAL_DATA_H
#include "program/engine.h"
#include "program/eval_stats.h"
#include "program/labelled.h"
#include "program/srv.h"

typedef struct {
    size_t row;      /* of the labelled prompts */
    int32_t truth;   /* route; -1: none of them (out of scope) */
    int32_t route;   /* the decision */
    int32_t nearest; /* before thresholds */
    uint32_t group;  /* versions of one prompt share it */
    float score;     /* of the nearest route */
    float margin, confidence;
    float cost;    /* layers run */
    uint32_t exit; /* exit index that answered */
    uint32_t why_count;
    sr_why why[3];
} prediction;

/* One way of answering: an exit, the anytime chain, or somebody's file of predictions. */
typedef struct {
    char name[96]; /* "exit 9", "anytime", "predictions.jsonl" */
    bool is_anytime;
    double cost; /* mean layers */
    prediction *rows;
    size_t count;
    float *vectors; /* [count][dim] what an exit was asked; null for the others, and unless kept */
    size_t dim;
} prediction_set;

typedef struct {
    labelled data;
    const char **routes; /* ids */
    uint32_t route_count;
    uint32_t fallback; /* route index; route_count when not known */
    uint32_t group_count;
    prediction_set sets[SR_MAX_EXITS + 1];
    uint32_t set_count;
    const sr_router *router; /* null with predictions from a file */
    bool keep_vectors;
} evaluation;

/* Numbers the groups of data's rows into group[count]; returns how many. */
uint32_t eval_groups(const labelled *data, uint32_t *group);

/* Through the router: vectors from .srv files, else from the engine's embedders. Fills routes and sets. */
bool eval_predict(evaluation *e, const engine *g, char *const *srv_paths, int srv_count, int threads);
/* From a JSONL of predictions, as --predictions writes it: {id, truth, route, confidence, ...}. */
bool eval_read_predictions(evaluation *e, char *path);
bool eval_write_predictions(const evaluation *e, const char *path);
void eval_free(evaluation *e);

enum { EVAL_MAX_STAGES = 8 };
typedef struct {
    uint64_t seed;
    double false_alarm;                          /* for out-of-scope recall */
    int mistakes;                                /* how many to show */
    size_t sample;                               /* of the prompts; 0: all */
    uint32_t overrides[EVAL_MAX_STAGES], stages; /* rising numbers of mistakes that a user overrides */
    const char
        *by; /* comma-separated fields for breakdowns; null: those that vary among lang, source, hard, kind, style */
} eval_options;

cJSON *eval_metrics(const evaluation *e, const prediction_set *set, const eval_options *o);
cJSON *eval_compare(const evaluation *a, const prediction_set *x, const evaluation *b, const prediction_set *y,
                    uint64_t seed);
/* What is gained and lost when a user overrides mistakes of one exit, whose vectors were kept: after o->overrides. */
cJSON *eval_learn(const evaluation *e, const prediction_set *set, const eval_options *o, int threads);
/* Accuracy lost when prompts are badly typed or stand among other text: the set's prompts with each change of spoil.h,
 * asked again through the engine's embedders. Null when that fails. */
cJSON *eval_robust(const evaluation *e, const engine *g, const prediction_set *set, uint64_t seed, int threads);
cJSON *eval_interval_json(stats_interval i);
void eval_print_summary(const cJSON *sets, FILE *to); /* one line each */
void eval_print(const cJSON *metrics, FILE *to);
void eval_print_compare(const cJSON *compared, FILE *to);
void eval_print_learn(const cJSON *learn, FILE *to);
void eval_print_robust(const cJSON *robust, FILE *to);
#endif
