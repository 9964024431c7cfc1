/* Writes route assets (.srr) and fits (.srf); takes exits' parameters out of either.
 *
 * Deterministic: the same input gives the same bytes on every platform and instruction set. Not linked into the
 * matcher's wasm. The caller allocates:
 *
 *   sr_write_exit_init(&exit); exit.dim = exit.row_dim = 384; exit.vectors = ...; ...
 *   int64_t bytes = sr_asset_write_bytes(&w), work_bytes = sr_asset_write_work_bytes(&w);
 *   rc = sr_asset_write(&w, work, work_bytes, out, bytes, &bad);
 */
#ifndef SR_ASSET_WRITE_H
#define SR_ASSET_WRITE_H
#include "asset.h"

#define SR_NO_UTTERANCE 0xffffffffu

typedef struct {
    sr_text id, label, description, target; /* empty texts: {NULL, 0}; an id is 1 to 255 bytes, unique */
    uint32_t utterance_count;               /* negatives included */
    uint32_t negative_count;                /* the last of them */
} sr_write_route;

typedef struct {
    uint32_t embedder, layer, dim, row_dim, pooling; /* row_dim == dim without a map */
    uint32_t layer_mask;                             /* as in sr_exit_info; 0: `layer` alone */
    sr_text model_id, prefix;
    uint64_t model_content;
    uint32_t rows_are_f32, low_margin_flags, aggregation_k;
    float head_blend, head_temperature, calibration[4], stop_confidence, negative_weight;
    const sr_route_params *params; /* [route_count], or null: tau -1, margin 0, no bias */
    const float *mean;             /* [dim] or null */
    const float *map;              /* [row_dim][dim], coded to int8 by the writer; or null */
    const int8_t *map_rows;        /* instead of map: rows as an asset or fit stores them, padded, */
    const float *map_scales;       /* with their scales */
    const float *head;             /* [route_count][row_dim] or null */
    const float *vectors;          /* [utterance_count][dim], as the embedder gave them: any length; ignored in a fit */
    uint32_t with_plane;           /* 1: store two principal directions, and the utterances' places on them */
} sr_write_exit;

typedef struct {
    sr_text name, notes;
    const sr_write_route *routes;
    uint32_t route_count;
    const sr_text *texts;     /* [utterance_count], or null: the asset keeps no texts */
    uint32_t utterance_count; /* the routes' sum */
    uint32_t fallback;
    const sr_write_exit *exits;
    uint32_t exit_count;
} sr_write_asset;

/* Everything zero but: k 5, temperature 1, calibration {0, 12, 0, 0} (a guess until `tune` fits one), stop 1, negative
 * weight 1. */
void sr_write_exit_init(sr_write_exit *e);

/* Bytes of the file, or SR_E_ARGUMENT, SR_E_LIMIT. */
int64_t sr_asset_write_bytes(const sr_write_asset *w);
/* Bytes of 64-byte-aligned scratch memory for sr_asset_write or sr_fit_write. */
int64_t sr_asset_write_work_bytes(const sr_write_asset *w);

/* Writes the file to out (64-byte aligned, exactly sr_asset_write_bytes) and opens it again as a proof: whatever it
 * returns 0 for, sr_router_open accepts.
 *
 * Errors  as sr_router_open, above all SR_E_NAN and SR_E_ZERO for a vector; then *bad (may be null) is its utterance,
 * else SR_NO_UTTERANCE. out then holds no file.
 */
int sr_asset_write(const sr_write_asset *w, void *work, size_t work_bytes, void *out, size_t out_bytes, uint32_t *bad);

/* A fit: the same without utterances, rows, planes, labels and fallback. route_count may be 0: a map alone. */
int64_t sr_fit_write_bytes(const sr_write_asset *w);
int sr_fit_write(const sr_write_asset *w, void *work, size_t work_bytes, void *out, size_t out_bytes);

/* Opens a fit; mem, mem_bytes and errors as sr_router_open, bytes needed likewise. Of the router that it gives,
 * sr_router_route, _exit, _find_exit, _thresholds and the counts work; there is nothing to match against. */
int64_t sr_fit_bytes(const void *file, size_t file_bytes);
int sr_fit_open(void *mem, size_t mem_bytes, const void *file, size_t file_bytes, const sr_router **out);

/* One exit of an opened asset or fit as input of the writer; pointers go into `from`. Parameters and head rows go to
 * the routes of the same id.
 *
 * Memory   params[route_count] and head[route_count * row_dim] (row_dim of that exit) are filled, and *out points at
 * them; head may be null: then there is none Returns  how many routes were found in `from`; the others get tau -1,
 * margin 0. The head is taken only when each side has exactly the other's routes, since a softmax over other routes
 * means something else. vectors is left null.
 */
int sr_write_exit_take(const sr_router *from, uint32_t exit, const sr_write_route *routes, uint32_t route_count,
                       sr_write_exit *out, sr_route_params *params, float *head);

/* Two principal directions of rows[count][stride numbers], row_dim of each counting: fills plane as ASSET.md's PLANE.
 * work[3 * row_dim] doubles. */
void sr_plane_fit(const float *rows, size_t count, size_t stride, size_t row_dim, double *work, float *plane);

#endif
