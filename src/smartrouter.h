/* SmartRouter: which route should answer this prompt?
 *
 * The one public header, and the C manual. Three read-only things are opened in memory that the caller
 * owns (a route asset .srr, an encoder model .srm, a piece table .srt); one writable thing, an encoder's working
 * memory, is needed per thread. Nothing allocates after opening, nothing here prints, exits or touches a file.
 *
 *   text --sr_encoder_start--> pieces --sr_encoder_advance(exit)--> vector --sr_router_match--> decision
 *
 * All int functions return zero or a count on success and a negative SR_E_* on failure.
 * Byte layouts: ASSET.md (.srr) and MODEL.md (.srm, .srt). Bytes from outside may be hostile: opening checks
 * every offset, count and number before it is used.
 *
 * Determinism: integer kernels are bit-identical on every instruction set. Float arithmetic is written so that it is,
 * too: fixed eight-lane reductions, no contraction into fused multiply-add, no libm (see kernel/kernel.h). So native
 * and every WebAssembly variant give the same bytes and the same scores.
 */
#ifndef SMARTROUTER_H
#define SMARTROUTER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SR_VERSION "0.1.0"

enum {
    SR_MIN_DIM = 4,
    SR_MAX_DIM = 8192,
    SR_MAX_ROUTES = 256,
    SR_MAX_UTTERANCES = 100000,
    SR_MAX_EXITS = 32,
    SR_MAX_TOP_K = 64,
    SR_MAX_TOKENS = 512
};

/* Error codes. Never renumbered. One list makes the enum and sr_error_name. */
#define SR_ERROR_LIST(X)                                                                                               \
    X(SR_E_ARGUMENT, -1, "an argument is null or out of range")                                                        \
    X(SR_E_MEMORY, -2, "the memory handed in is too small or not aligned")                                             \
    X(SR_E_MAGIC, -3, "not a file of this kind")                                                                       \
    X(SR_E_VERSION, -4, "made by a newer version; update SmartRouter")                                                 \
    X(SR_E_TRUNCATED, -5, "the file ends too early")                                                                   \
    X(SR_E_CHECKSUM, -6, "the file is damaged: a checksum differs")                                                    \
    X(SR_E_FORMAT, -7, "the file contradicts itself")                                                                  \
    X(SR_E_DIM, -8, "the vector has another dimension than the asset")                                                 \
    X(SR_E_NAN, -9, "the vector holds a NaN or an infinity")                                                           \
    X(SR_E_ZERO, -10, "the vector has no direction: all zero")                                                         \
    X(SR_E_MODEL, -11, "asset and model do not belong together")                                                       \
    X(SR_E_EXIT, -12, "no such exit in this asset or model")                                                           \
    X(SR_E_LIMIT, -13, "more routes, utterances or dimensions than allowed")                                           \
    X(SR_E_UNSUPPORTED, -14, "the file asks for something that this build lacks")                                      \
    X(SR_E_INCOMPLETE, -15, "this part of the model has not arrived yet")                                              \
    X(SR_E_UTF8, -16, "text in a file is not valid UTF-8")

enum sr_error {
    SR_OK = 0,
#define X(name, value, text) name = (value),
    SR_ERROR_LIST(X)
#undef X
};

/* "SR_E_MAGIC" and "not a file of this kind"; for an unknown code "SR_E_UNKNOWN". Static strings. */
const char *sr_error_name(int code);
const char *sr_error_text(int code);

/* Text inside an asset: not zero-terminated, valid UTF-8, lives as long as the asset bytes. */
typedef struct {
    const char *data;
    size_t bytes;
} sr_text;

/* ---- Matcher: route assets -------------------------------------------------------------------------------- */

typedef struct sr_router sr_router; /* opaque; lives in the caller's memory and points into the asset bytes */

enum sr_pooling { SR_POOL_MEAN = 0, SR_POOL_CLS = 1, SR_POOL_MAX = 2, SR_POOL_NONE = 3 };
enum sr_embedder { SR_EMBEDDER_ENCODER = 0, SR_EMBEDDER_TABLE = 1, SR_EMBEDDER_EXTERNAL = 2 };

/* What an asset says of one route. */
typedef struct {
    sr_text id, label, description, target;
    uint32_t first_utterance, utterance_count; /* positives, then negatives */
    uint32_t negative_count;                   /* of these, the last negative_count */
} sr_route_info;

typedef struct {
    sr_text text; /* empty when the asset was written without texts */
    uint32_t route;
    uint32_t negative; /* 1: a negative utterance of its route */
} sr_utterance_info;

/* One exit: one space in which cosines are taken, with its own rows, map, thresholds and calibration. */
typedef struct {
    uint32_t embedder;   /* enum sr_embedder */
    uint32_t layer;      /* encoder: exit after this layer (0: embeddings only); else 0 */
    uint32_t dim;        /* of the vector handed to sr_router_match */
    uint32_t row_dim;    /* of the stored rows: dim, or the map's output dimension */
    uint32_t row_is_f32; /* 0: int8 rows with a scale a row */
    uint32_t has_map, has_head, has_plane;
    uint32_t aggregation_k;    /* 1: max; k: mean of the top k */
    uint32_t low_margin_flags; /* 1: below the margin the decision is flagged uncertain; 0: it falls back */
    float stop_confidence;     /* anytime: sure enough to stop here */
    sr_text model_id;          /* the pin: who made the vectors */
    uint64_t model_content;    /* content id of the .srm or .srt; 0 for external embedders */
    sr_text prefix;            /* put before each text by the embedder: "query: " */
    uint32_t pooling;
    uint32_t layer_mask; /* encoder: bit l set: the pooled state after layer l is part of the vector, lowest first; the
                            highest bit is `layer`, dim = set bits x the model's dim. Else 0 */
} sr_exit_info;

/* Bytes of working memory for sr_router_open, or a negative error. Reads only the header of the asset. */
int64_t sr_router_bytes(const void *asset, size_t asset_bytes);

/* Opens a route asset in place.
 *
 * Memory  mem (64-byte aligned, sr_router_bytes) becomes the router; asset bytes must be 64-byte aligned, outlive it
 *         and stay unchanged. Copies no rows and allocates nothing.
 * Errors  SR_E_MEMORY, SR_E_MAGIC, SR_E_VERSION, SR_E_TRUNCATED, SR_E_CHECKSUM, SR_E_FORMAT, SR_E_LIMIT, SR_E_UTF8,
 *         SR_E_NAN (a stored number), SR_E_ZERO (a stored row)
 */
int sr_router_open(void *mem, size_t mem_bytes, const void *asset, size_t asset_bytes, const sr_router **out);

uint32_t sr_router_route_count(const sr_router *r);
uint32_t sr_router_utterance_count(const sr_router *r);
uint32_t sr_router_exit_count(const sr_router *r);
uint32_t sr_router_fallback(const sr_router *r); /* a route index */
uint64_t sr_router_content(const sr_router *r);  /* content id of the asset */
int sr_router_route(const sr_router *r, uint32_t route, sr_route_info *out);
int sr_router_utterance(const sr_router *r, uint32_t utterance, sr_utterance_info *out);
int sr_router_exit(const sr_router *r, uint32_t exit, sr_exit_info *out);
int sr_router_find_exit(const sr_router *r, uint32_t embedder, uint32_t layer); /* index or SR_E_EXIT */
/* threshold tau and margin of a route at an exit */
int sr_router_thresholds(const sr_router *r, uint32_t exit, uint32_t route, float *tau, float *margin);

typedef struct {
    uint32_t route;
    float score; /* -1..1, higher is nearer */
} sr_match;

typedef struct {
    uint32_t utterance; /* index; >= sr_router_utterance_count: learned utterance number (index - count) */
    uint32_t route;
    float similarity; /* cosine in the exit's space */
} sr_why;

enum sr_decision_flags {
    SR_BELOW_THRESHOLD = 1, /* the best score missed its route's tau: the fallback took the prompt */
    SR_BELOW_MARGIN = 2,    /* best minus second is under the route's margin */
    SR_UNCERTAIN = 4        /* the asset asks for a flag rather than the fallback */
};

typedef struct {
    uint32_t route;   /* the decision */
    uint32_t nearest; /* best route before thresholds */
    uint32_t exit;    /* exit index that decided */
    uint32_t flags;
    float score;      /* of the decided route */
    float margin;     /* best minus second best score; 2 with one route */
    float confidence; /* 0..1, calibrated: the chance that the decision is right */
    uint32_t match_count, why_count;
} sr_decision;

/* Utterances that this device learned from its user. The one that is nearest to the query counts, and only when it is
 * nearer than every stored utterance: then it lifts its route's score towards 1, all the way for a repeat. So a near
 * repeat goes right and unlike prompts do not change. Weight w counts as teaching it w times; 0: as if it were not
 * there; more than SR_MAX_LEARNED_WEIGHT: as that. src/ASSET.md has the formula. */
enum { SR_MAX_LEARNED_WEIGHT = 5 };
typedef struct {
    uint32_t count;
    const float *rows;      /* count x row_dim unit vectors in the exit's space (sr_router_project) */
    const uint32_t *routes; /* route index */
    const uint32_t *weights;
} sr_learned;

/* Bytes of scratch memory that one running match needs (any exit). 64-byte aligned. */
size_t sr_router_work_bytes(const sr_router *r);

/* Decides one query.
 *
 * Shape    query[dim], dim == exit's dim; any length but zero: it is normalised. matches[match_cap], why[why_cap]
 * Units    cosine -1..1; confidence 0..1; ties: lower index
 * Memory   caller owns everything; work is scratch (sr_router_work_bytes); r is read-only, so threads may share it
 * Errors   SR_E_EXIT, SR_E_DIM, SR_E_NAN, SR_E_ZERO, SR_E_ARGUMENT, SR_E_MEMORY; then outputs are untouched
 * Returns  0. out->match_count = min(match_cap, routes), best first; out->why_count likewise, nearest first
 */
int sr_router_match(const sr_router *r, uint32_t exit, const float *query, size_t dim, const sr_learned *learned,
                    void *work, size_t work_bytes, sr_decision *out, sr_match *matches, size_t match_cap, sr_why *why,
                    size_t why_cap);

/* The query in the exit's own space, unit(A(q - m)): row[row_dim]. For learned utterances. */
int sr_router_project(const sr_router *r, uint32_t exit, const float *query, size_t dim, void *work, size_t work_bytes,
                      float *row);

/* Two dimensions for drawing: x, y of a query, or of a stored utterance. SR_E_UNSUPPORTED without a plane. */
int sr_router_plane(const sr_router *r, uint32_t exit, const float *query, size_t dim, void *work, size_t work_bytes,
                    float xy[2]);
int sr_router_plane_utterance(const sr_router *r, uint32_t exit, uint32_t utterance, float xy[2]);

/* ---- Encoder: models, tokenizer, exits ----------------------------------------------------------------- */

typedef struct sr_model sr_model;     /* opaque; read-only, shared by threads */
typedef struct sr_encoder sr_encoder; /* opaque; one per thread */

typedef struct {
    sr_text id; /* "multilingual-e5-small" */
    sr_text prefix;
    uint64_t content; /* content id of the file */
    uint32_t dim, layers, heads, ffn_dim, vocab, max_tokens;
    uint32_t layers_ready; /* layers that have arrived: exits 0..layers_ready work; 0xffffffff: not even exit 0 */
    uint32_t pooling;
} sr_model_info;

/* Opens a model from its first available_bytes of total (streaming: call again with more of the same buffer
 * through sr_model_extend). mem needs sr_model_bytes: weights repacked for the kernels live there. */
int64_t sr_model_bytes(const void *file, size_t available_bytes);
int sr_model_open(void *mem, size_t mem_bytes, const void *file, size_t available_bytes, sr_model **out);
int sr_model_extend(sr_model *m, size_t available_bytes); /* returns layers ready now */
int sr_model_info_get(const sr_model *m, sr_model_info *out);

int64_t sr_encoder_bytes(const sr_model *m);
int sr_encoder_open(void *mem, size_t mem_bytes, const sr_model *m, sr_encoder **out);

/* Tokenises prefix + text and computes the token embeddings; returns the piece count (with <s> and </s>).
 * Any bytes are accepted: invalid UTF-8 becomes U+FFFD. Long texts are cut as MODEL.md says. */
int sr_encoder_start(sr_encoder *e, const char *text, size_t bytes);
/* Runs the layers up to `layer` (never back) and writes the pooled, unit-length vector[dim]. SR_E_INCOMPLETE when that
 * layer has not arrived. Going on from layer 1 to 8 costs only the layers between. */
int sr_encoder_advance(sr_encoder *e, uint32_t layer, float *vector);
/* A step towards that, for callers that must let others in: at most 32 tokens through half a layer. Returns 1 when
 * there is more to do, 0 when sr_encoder_advance has but to pool; until then it has no vector of the layer before. */
int sr_encoder_step(sr_encoder *e, uint32_t layer);
/* The piece ids of the last start. Returns their count; copies at most cap. */
int sr_encoder_pieces(const sr_encoder *e, uint32_t *ids, size_t cap);

/* ---- Piece table: exit 0 as one row a piece (.srt) --------------------------------------------------------- */

typedef struct sr_table sr_table;
int64_t sr_table_bytes(const void *file, size_t file_bytes);
int sr_table_open(void *mem, size_t mem_bytes, const void *file, size_t file_bytes, const sr_table **out);
uint32_t sr_table_dim(const sr_table *t);
uint64_t sr_table_content(const sr_table *t);
size_t sr_table_work_bytes(const sr_table *t);
/* Tokenises and averages: vector[dim], unit length. SR_E_ZERO when no piece has a direction (empty text). */
int sr_table_embed(const sr_table *t, const char *text, size_t bytes, void *work, size_t work_bytes, float *vector);

/* ---- Pipeline: text to decision, anytime -------------------------------------------------------------------- */

typedef struct sr_pipeline sr_pipeline; /* opaque; one per thread: it holds an encoder's working memory */

typedef struct {
    uint32_t first_exit;  /* index of the first exit to answer from; 0 from the earliest that is usable */
    uint32_t last_exit;   /* index of the last one to go to; SR_MAX_EXITS for "as far as possible" */
    uint32_t always_last; /* 1: no early stop, always answer from last_exit */
    const sr_learned *learned[SR_MAX_EXITS]; /* per exit, null for none */
} sr_pipeline_options;

/* Binds an asset to its embedders: a model, a piece table, or both; null for what is not there. An exit is usable when
 * its embedder is there and its pin agrees; SR_E_MODEL when a given embedder is not the one that the asset names, or
 * when no exit is usable. */
int64_t sr_pipeline_bytes(const sr_router *r, const sr_model *m, const sr_table *t);
int sr_pipeline_open(void *mem, size_t mem_bytes, const sr_router *r, const sr_model *m, const sr_table *t,
                     sr_pipeline **out);

/* Routes one text. Goes from exit to exit until one is sure enough (its stop_confidence), or to the last.
 * A text without any letter, digit or sign (empty, white space) is the fallback's, with confidence 0 and no reason.
 * Exits whose layers have not arrived are left out; SR_E_INCOMPLETE when none is left. options may be null.
 * Outputs as in sr_router_match. */
int sr_pipeline_route(sr_pipeline *p, const char *text, size_t text_bytes, const sr_pipeline_options *options,
                      sr_decision *out, sr_match *matches, size_t match_cap, sr_why *why, size_t why_cap);

/* Step by step, for callers that must not block: start once, then answer exit after exit. */
int sr_pipeline_start(sr_pipeline *p, const char *text, size_t text_bytes);
int sr_pipeline_answer(sr_pipeline *p, uint32_t exit, const sr_learned *learned, sr_decision *out, sr_match *matches,
                       size_t match_cap, sr_why *why, size_t why_cap);
/* Can this exit answer now (embedder there, pin agreed, layers arrived)? 1 or 0. */
int sr_pipeline_usable(const sr_pipeline *p, uint32_t exit);
/* Lets the encoder read up to a layer without answering, for callers that slice their work more finely than by exits.
 * Returns the piece count of the text; 0 for a blank one. SR_E_ARGUMENT without a model. */
int sr_pipeline_read(sr_pipeline *p, uint32_t layer);
/* A step of that, as sr_encoder_step makes them. Returns 1 when there is more to do, else 0. */
int sr_pipeline_step(sr_pipeline *p, uint32_t layer);
/* The embedder's vector of the last answer (dim of its exit), for sr_router_project and sr_router_plane; null when the
 * text was blank or nothing has been answered since start. Overwritten by the next answer. */
const float *sr_pipeline_vector(const sr_pipeline *p);

#ifdef __cplusplus
}
#endif
#endif
