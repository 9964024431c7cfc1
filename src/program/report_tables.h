/* The report's tables in Markdown. */
#ifndef SR_REPORT_TABLES_H
#define SR_REPORT_TABLES_H
#include "program/figures.h"
#include "program/labelled.h"

/* Each writes its table, or nothing when there are no figures for it. */
typedef struct {
    const char *name; /* "profile.md" */
    void (*write)(const cJSON *report, FILE *to);
} report_table;
extern const report_table report_tables[], report_models_tables[]; /* each ends with a null name */
#endif
