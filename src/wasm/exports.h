/* What the WebAssembly builds export for JavaScript, and nothing else: thin wrappers that keep one struct a file, so
 * that the JavaScript side handles a single pointer and reads results at offsets fixed by static assertions.
 *
 *   matcher.c           both builds: memory, errors, route assets
 *   encoder.c           smartrouter-VARIANT.wasm only: models, encoders, piece tables
 *   pipeline.c          smartrouter-VARIANT.wasm only: text to decision
 *   writer.c            smartrouter-VARIANT.wasm only: assets from vectors
 *
 * Names are given by SR_EXPORT, so the linker needs no list. Functions return a pointer or count, or a negative SR_E_*;
 * wasm32 addresses stay under 2 GB, so the sign tells.
 */
#ifndef SR_WASM_EXPORTS_H
#define SR_WASM_EXPORTS_H
#include "smartrouter.h"

#define SR_EXPORT(name) __attribute__((export_name(#name), used))

void *sr_wasm_alloc(size_t bytes);
void sr_wasm_free(void *p);
/* A zeroed session and behind it, in the same block, memory of `bytes` for what it opens; null when there is none. */
void *sr_wasm_session(size_t session_bytes, int64_t bytes, void **memory);

enum { SR_WASM_WHY_CAP = 16 };

/* A route asset. JavaScript reads the first part at these offsets; web/matcher.js has the same list. */
typedef struct {
    sr_decision decision;             /* 0: nine 32-bit words */
    float xy[2];                      /* 36 */
    uint32_t has_xy;                  /* 44 */
    sr_match matches[SR_MAX_ROUTES];  /* 48: 8 bytes each */
    sr_why why[SR_WASM_WHY_CAP];      /* 2096: 12 bytes each */
    sr_learned learned[SR_MAX_EXITS]; /* 2288: 16 bytes each, written by JavaScript; count 0 at first */
    union {
        sr_route_info route;
        sr_utterance_info utterance;
        sr_exit_info exit;
        float thresholds[2];
    } info; /* 2800: filled by router_route, router_utterance, router_exit, router_thresholds, router_content */
    /* private */
    const sr_router *router;
    void *work;
    size_t work_bytes;
} sr_wasm_router;

/* A model that arrives part by part. JavaScript writes the bytes into the file and says how many are there. */
typedef struct {
    sr_model_info info; /* 0: offsets in encoder.c */
    sr_model *model;
} sr_wasm_model;

typedef struct {
    uint64_t content; /* 0 */
    uint32_t dim;     /* 8 */
    const sr_table *table;
} sr_wasm_table;

#endif
