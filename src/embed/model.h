/* Encoder models in memory. The bytes of a .srm are described in MODEL.md; the public functions are in smartrouter.h.
 */
#ifndef SR_MODEL_H
#define SR_MODEL_H
#include "container.h"
#include "kernel/matmul.h"
#include "tokenizer.h"

/* Sections, in file order. */
enum {
    SR_MODEL_META = 1,
    SR_MODEL_VOCAB = 2,
    SR_MODEL_SCORES = 3,
    SR_MODEL_MAP = 4,
    SR_MODEL_CODEBOOKS = 5, /* only with product quantisation */
    SR_MODEL_EMBEDDING = 6,
    SR_MODEL_EMBEDDING_NORM = 7,
    SR_MODEL_POSITIONS = 8,
    SR_MODEL_ATTENTION_BIAS = 10,
    SR_MODEL_LAYER = 16, /* index 1 to layers */
    SR_MODEL_PIECE_IDS =
        (int)0x80000011, /* optional, after the layers: the pieces' numbers in the upstream vocabulary */
    SR_MODEL_WHITENING = (int)0x80000012 /* optional, last; index: the layer. 0x80000009 was means of early versions */
};

/* How a matrix is stored. A row is `cols` numbers; cols is a multiple of 32. */
enum {
    SR_CODING_F32 = 0,
    SR_CODING_Q4 = 1, /* blocks of 32: f16 scale, 16 bytes; byte j holds weight j low and weight j + 16 high, less 8 */
    SR_CODING_Q8 = 2, /* f32 scale, then i8 a number */
    SR_CODING_PQ = 3, /* embedding only: `subspaces` bytes a row, each one of 256 rows of its codebook */
    SR_CODING_Q8_BLOCKS = 4 /* blocks of 32: f16 scale, then i8 a number. Single numbers of a row are large, so one
                               scale for all of it costs as much again as computing in 7 bits */
};

enum { SR_ACTIVATION_GELU = 0, SR_ACTIVATION_GELU_TANH = 1, SR_ACTIVATION_RELU = 2 };
enum { SR_TOKENIZER_UNIGRAM = 1, SR_TOKENIZER_WORDPIECE = 2 };

enum {
    SR_MODEL_META_BYTES = 256,
    SR_MODEL_MAX_LAYERS = SR_MAX_EXITS - 1,
    SR_MODEL_MAX_WIDTH = 1024,
    SR_MODEL_MAX_FFN = 4096,
    SR_MODEL_ID_BYTES = 64,
    SR_MODEL_PREFIX_BYTES = 40,
    SR_NO_PIECE = -1
};

/* META, decoded. Field by field as in MODEL.md. */
typedef struct {
    uint32_t dim, layers, heads, ffn_dim, piece_count, node_count;
    uint32_t max_tokens, position_offset; /* position p uses row p + position_offset of POSITIONS */
    uint32_t activation;
    uint32_t attention_bias_reach; /* 0: no relative bias; else f32[heads][2 * reach - 1] by distance, from -(reach - 1)
                                      on */
    float norm_epsilon, unknown_score;
    uint32_t tokenizer, tokenizer_flags;
    uint32_t begin, end, unknown, pad, mask; /* piece ids, 0xffffffff: none */
    uint32_t pooling;
    uint32_t embedding_coding, subspaces, position_coding, layer_coding;
    uint32_t score_coding;
    float score_low, score_step;
    uint32_t map_count, map_outputs;
    uint32_t head_pieces; /* of a text over max_tokens, pieces kept from its start; the others come from its end */
    uint32_t upstream_pieces;
    uint32_t id_bytes, prefix_bytes;
    char id[SR_MODEL_ID_BYTES], prefix[SR_MODEL_PREFIX_BYTES];
} sr_model_meta;

/* The tokenizer's flags, its kind included. */
static inline uint32_t sr_model_flags(const sr_model_meta *m) {
    return m->tokenizer_flags | (m->tokenizer == SR_TOKENIZER_WORDPIECE ? SR_TOKENIZER_WORDPIECE_WORDS : 0);
}

void sr_model_meta_store(uint8_t out[SR_MODEL_META_BYTES], const sr_model_meta *m);
/* Checks every field by itself and against the others: SR_E_FORMAT, SR_E_NAN, SR_E_LIMIT, SR_E_UNSUPPORTED, SR_E_UTF8.
 */
int sr_model_meta_load(sr_model_meta *m, const uint8_t *in, size_t bytes);

/* Bytes of a stored row, or of a stored matrix's row of cols numbers. */
size_t sr_coding_row_bytes(uint32_t coding, uint32_t cols, uint32_t subspaces);
/* Bytes of a WHITENING section. */
static inline uint64_t sr_whitening_bytes(uint32_t dim, uint32_t rows) {
    return 4 + 4ull * dim + (uint64_t)rows * sr_coding_row_bytes(SR_CODING_Q8, dim, 0);
}
/* Decodes one row of a matrix into out[cols]. Not for PQ. Returns 0, or SR_E_NAN when a number is not finite. */
int sr_coding_row(uint32_t coding, const uint8_t *row, uint32_t cols, float *out);
float sr_half_to_float(uint16_t h);
uint16_t sr_float_to_half(float f); /* rounds to nearest even; too large becomes infinity */

/* One product: rows x cols, packed for the kernels; scale[group][row]. Layers stored as f32 are computed in f32. */
typedef struct {
    uint32_t rows, cols;
    uint8_t *packed; /* strips of 16 rows */
    size_t strip_bytes;
    float *exact; /* or this: strips of 16 rows, [cols][16] each */
    float *scale, *bias;
} sr_matrix;

typedef struct {
    sr_matrix qkv, out, up, down;
    float *attention_norm, *output_norm; /* gain, then bias */
} sr_layer;

struct sr_model {
    sr_model_meta meta;
    sr_container file;
    sr_tokenizer tokenizer;
    size_t available;
    int32_t ready; /* layers, or -1 */
    const uint8_t *embedding;
    size_t embedding_row_bytes;
    float *positions; /* decoded: [max_tokens][dim] */
    float *codebooks, *embedding_norm, *attention_bias;
    const uint8_t *piece_ids;
    int whole; /* all has arrived, and what is optional is undamaged, too */
    const sr_matmul_kernels *kernels;
    sr_matmul_products *products;       /* of the layers' weights: the kernels' bytes or nibbles */
    uint32_t group;                     /* columns that share a scale */
    uint8_t *tokenizer_mem, *layer_mem; /* carved at open, filled as parts arrive */
    float *row_scratch;
    sr_layer layer[SR_MODEL_MAX_LAYERS];
};

/* The embedding of a piece, without its position. piece < piece_count. Numbers were checked when the part arrived, but
 * for scales inside q4 and q8 rows: a hostile one shows as SR_E_NAN from sr_encoder_advance. */
void sr_model_embedding(const sr_model *m, uint32_t piece, float *out);
/* The whitening of an exit's vectors that the file has for tables without a fit (own_map.h): A (v - mean) for a vector
 * v of length 1. mean[dim] and map[rows][dim] are filled, or null: then only the number is told. Returns rows, 0 when
 * the file has none for this layer; SR_E_INCOMPLETE, SR_E_CHECKSUM, SR_E_FORMAT, SR_E_NAN. */
int sr_model_whitening(const sr_model *m, uint32_t layer, float *mean, float *map);
/* [tokens][dim] after the layer that sr_encoder_advance was last asked for. */
const float *sr_encoder_states(const sr_encoder *e, uint32_t *tokens);
/* A piece's number in the upstream vocabulary; itself when the file does not say (or has not arrived whole). */
uint32_t sr_model_upstream_id(const sr_model *m, uint32_t piece);
/* A piece's text; walks the vocabulary, so for display only. Returns its bytes, 0 for no such piece. */
size_t sr_model_piece_text(const sr_model *m, uint32_t piece, char out[SR_MAX_PIECE_BYTES + 1]);

#endif
