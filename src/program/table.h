/* What the parts of `smartrouter table` share. */
#ifndef SR_PROGRAM_TABLE_H
#define SR_PROGRAM_TABLE_H
#include "program/dataset.h"
#include "program/engine.h"
#include "program/routes_file.h"
#include "program/table_train.h"

/* What answers are judged on: each time by rows that neither the table nor the utterances saw. */
enum { JUDGE_LANGUAGES, JUDGE_PROMPTS, JUDGE_SOURCES, JUDGE_KINDS };

typedef struct {
    uint8_t *tested;         /* [count] */
    float *scores, *readout; /* [count][routes]: by utterances, as shipped, and by the trained readout */
    float *start;            /* by utterances, before training */
} table_judged;

typedef struct {
    routes_file source;
    dataset data;
    size_t judge_from; /* rows from here on are the judge's */
    table_trainer trainer;
    double *weight;
    uint32_t *route_of;
    sr_text *texts;
    sr_text *utterances; /* of the route file, without negatives */
    uint32_t *utterance_route, utterance_count;
    int64_t *utterance_row; /* the row with the same text, or -1 */
    uint32_t k;
    table_judged judged[JUDGE_KINDS];
    double calibration[4], stop;
} table_job;

bool table_judge(table_job *job);
void table_report(const table_job *job, FILE *to);
#endif
