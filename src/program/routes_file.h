/* A route file: the text that people write, read and checked. The schema stands in routes/README.md. */
#ifndef SR_ROUTES_FILE_H
#define SR_ROUTES_FILE_H
#include "program/json.h"
#include "smartrouter.h"

typedef struct {
    char *id, *label, *description, *target;
    char **utterances, **negatives;
    uint32_t utterance_count, negative_count;
    float threshold, margin;
    bool has_threshold, has_margin;
} route_source;

typedef struct {
    char *name;
    route_source *routes;
    uint32_t route_count, utterance_count; /* utterance_count includes negatives */
    uint32_t fallback;
    uint32_t aggregation_k; /* 0: not said */
    bool low_margin_flags;
    uint32_t layers[SR_MAX_EXITS], layer_count; /* encoder exits asked for; 0: not said */
    char *fit;                                  /* path beside the route file, or null */
    char *model;                                /* external embedder's model name, or null for the built-in encoder */
    char *prefix;
    uint32_t dimensions; /* of the external embedder, 0: whatever it answers */
} routes_file;

/* Reads and checks; on an error prints file, line or route and field, and what to do, and returns false. */
bool routes_file_read(const char *path, routes_file *out);
void routes_file_free(routes_file *f);
#endif
