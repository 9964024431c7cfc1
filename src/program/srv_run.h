/* Embeds many texts into .srv files, one an exit; a run that was broken off goes on where it stopped. */
#ifndef SR_SRV_RUN_H
#define SR_SRV_RUN_H
#include "program/http.h"
#include "program/labelled.h"
#include "program/srv.h"

typedef struct {
    const sr_model *model; /* one of the three */
    const sr_table *table;
    const http_embedder *server;
    const uint32_t *layers; /* encoder: rising */
    uint32_t layer_count;   /* 1 for the others */
    const char *pattern;    /* output; "{exit}" becomes the layer, needed for several */
    bool is_f16;
    int threads;
} srv_job;

/* Prints what is wrong. False also after an interruption (SIGINT, SIGTERM), with everything so far in PATH.part. */
bool srv_run(const srv_job *job, const labelled *texts);
#endif
