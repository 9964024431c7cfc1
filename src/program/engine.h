/* What the commands route with: an asset, its embedders, and a pipeline a thread. */
#ifndef SR_ENGINE_H
#define SR_ENGINE_H
#include "program/builder.h"
#include "program/cli.h"
#include "program/files.h"
#include "program/json.h"

typedef struct {
    file_bytes asset_file, model_file, table_file;
    void *asset_memory, *model_memory, *table_memory;
    const sr_router *router;
    const sr_model *model;
    const sr_table *table;
} engine;

enum { ENGINE_MODEL = 1, ENGINE_TABLE = 2, ENGINE_ASSET = 4 };

/* Paths may be null: then what `make` built beside the program. parts says what is wanted; a missing default piece
 * table is no error. Prints what is wrong and returns false. */
bool engine_open(engine *e, const char *asset_path, const char *model_path, const char *table_path, int parts);
void engine_close(engine *e);
/* "build/routes/five-routes.srr" and the like: found beside the program, wherever it was started from. Never null. */
const char *engine_default(const char *name);
/* Which of the two models that make built: general-model.srm, as published, when an asset or a fit was made with it,
 * else smartrouter-model.srm, which is fitted to the five routes. */
const char *engine_model(const sr_router *made_with);

/* One a thread. */
sr_pipeline *engine_pipeline(const engine *e, void **memory_out);

/* Opens one file of a kind; all print their errors. Memory is from memory(). */
bool open_model(const char *path, file_bytes *file, void **memory_out, const sr_model **out);
bool open_table(const char *path, file_bytes *file, void **memory_out, const sr_table **out);
bool open_router(const char *path, file_bytes *file, void **memory_out, const sr_router **out);

/* A decision as JSON: {"route", "score", "margin", "confidence", "why", "scores", ...}. */
void build_decision(builder *b, const sr_router *r, const sr_decision *d, const sr_match *matches, const sr_why *why);
#endif
