/* Labelled prompts with their vectors, for fitting: the written corpus and public JSONL. */
#ifndef SR_DATASET_H
#define SR_DATASET_H
#include "smartrouter.h"
#include <stdbool.h>

typedef struct {
    char *text;
    uint32_t route;  /* index into the dataset's route names */
    uint32_t source; /* index into the source names; the corpus is "corpus" */
    char lang[8];
    bool corpus; /* written by us; else public */
} sample;

typedef struct {
    sample *rows;
    size_t count, room;
    char *routes[SR_MAX_ROUTES];
    uint32_t route_count;
    char **sources;
    uint32_t source_count;
} dataset;

/* routes/corpus/<route>/<lang>.jsonl. Route names come in folder order of `order` (a route file's), so that labels
 * agree. */
bool dataset_read_corpus(dataset *d, const char *folder);
/* JSONL with text, route, and lang, source when there. */
bool dataset_read_jsonl(dataset *d, const char *path);
/* A new row, zeroed, until the next one is added. */
sample *dataset_add(dataset *d);
/* Fixes the route names and their order before anything is read. */
void dataset_routes(dataset *d, char *const *names, uint32_t count);
/* Is a language in a list such as "de,pl"? */
bool dataset_lists(const char *list, const char *lang);
void dataset_free(dataset *d);

/* Vectors of all rows for each layer mask, out[i][count][set bits x dim], kept in `cache` (a folder; null: no cache) by
 * the content of model and texts, so that a second run only reads them. Memory from memory(). */
bool dataset_vectors(const dataset *d, const sr_model *m, const uint32_t *masks, uint32_t mask_count, const char *cache,
                     float **out);
#endif
