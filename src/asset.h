/* The inside of an opened route asset or fit: what the reader has checked and where it lies.
 *
 * Everything here points into the caller's asset bytes. After sr_asset_parse, every offset, count and number has been
 * checked against ASSET.md, so the matcher reads without looking twice.
 */
#ifndef SR_ASSET_H
#define SR_ASSET_H
#include "container.h"
#include "space.h"

enum sr_asset_kind {
    SR_KIND_META = 1,
    SR_KIND_STRINGS,
    SR_KIND_ROUTES,
    SR_KIND_UTTERANCES,
    SR_KIND_EXIT,
    SR_KIND_ROUTE_PARAMS,
    SR_KIND_ROWS,
    SR_KIND_SCALES,
    SR_KIND_MEAN,
    SR_KIND_MAP,
    SR_KIND_MAP_SCALES,
    SR_KIND_HEAD,
    SR_KIND_PLANE
};
#define SR_KIND_NOTES 0x80000001u

enum {
    SR_ASSET_VERSION = 1,
    SR_META_BYTES = 64,
    SR_ROUTE_BYTES = 64,
    SR_UTTERANCE_BYTES = 16,
    SR_EXIT_BYTES = 128,
    SR_PARAMS_BYTES = 16,
    SR_MAX_ID_BYTES = 255
};
#define SR_MAX_STORED 1e6f /* no stored number is larger: then no sum in a match overflows */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "f32 sections are read in place: a little-endian processor is needed"
#endif

/* One record of ROUTE_PARAMS, as stored. */
typedef struct {
    float tau, margin, head_bias;
    uint32_t zero;
} sr_route_params;

typedef struct {
    sr_exit_info info;
    float head_blend, head_temperature, calibration[4], negative_weight;
    const sr_route_params *params; /* [route_count] */
    const void *rows;              /* i8 or f32; null in a fit */
    size_t row_stride;             /* bytes */
    const float *scales;           /* [utterance_count] with i8 rows */
    sr_space space;
    const float *head;  /* [route_count][row_dim] or null */
    const float *plane; /* [2][row_dim], offset[2], [utterance_count][2], or null */
} sr_asset_exit;

struct sr_router {
    const sr_kernels *kernels;
    sr_container container;
    const uint8_t *strings, *routes, *utterances;
    uint64_t strings_bytes;
    sr_text name, notes;
    uint32_t route_count, utterance_count, exit_count, fallback, has_texts;
    uint32_t max_dim, max_row_dim; /* over all exits */
    sr_asset_exit exits[SR_MAX_EXITS];
};

/* Checks the whole file and fills r. is_fit: magic SRF1, no rows and texts. */
int sr_asset_parse(const void *file, size_t bytes, int is_fit, struct sr_router *r);
void sr_asset_route(const struct sr_router *r, uint32_t route, sr_route_info *out);
void sr_asset_utterance(const struct sr_router *r, uint32_t utterance, sr_utterance_info *out);

#endif
