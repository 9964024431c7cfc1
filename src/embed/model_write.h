/* Making .srm files: a model in any source form in, bytes out. For programs; not linked into the page. */
#ifndef SR_MODEL_WRITE_H
#define SR_MODEL_WRITE_H
#include "model.h"

/* A matrix as its source holds it: f32 numbers, or blocks as SR_CODING_Q4, never both. */
typedef struct {
    uint32_t rows, cols;
    const float *f32;
    const uint8_t *q4;
} sr_source_matrix;

typedef struct {
    sr_source_matrix q, k, v, out, up, down;
    const float *q_bias, *k_bias, *v_bias, *out_bias, *up_bias, *down_bias;
    const float *attention_gain, *attention_shift, *output_gain, *output_shift;
} sr_source_layer;

typedef struct {
    /* dim, layers, heads, ffn_dim, max_tokens, position_offset, activation, attention_bias_reach, norm_epsilon,
     * tokenizer, tokenizer_flags, pooling, head_pieces, id, prefix; begin to mask are upstream numbers; the rest is
     * filled in */
    sr_model_meta meta;
    uint32_t piece_count;
    const uint8_t *text;         /* all pieces' bytes */
    const uint32_t *text_offset; /* piece_count + 1 */
    const float *scores;
    const uint8_t *map; /* a NORMALISER section, ready made */
    size_t map_bytes;
    sr_source_matrix embedding;
    const float *positions; /* rows of max_tokens + position_offset; token type 0 is added already */
    const float *embedding_gain, *embedding_shift;
    const float *attention_bias; /* [heads][2 * reach - 1] */
    sr_source_layer layer[SR_MODEL_MAX_LAYERS];
} sr_source_model;

/* One exit's whitening, as sr_model_whitening reads it. */
typedef struct {
    uint32_t layer, rows; /* rows: SR_MIN_DIM to dim */
    const float *mean, *map;
} sr_source_whitening;

typedef struct {
    uint32_t layers;           /* written, at most the source's */
    const uint8_t *keep;       /* one byte a piece; null: all. Control pieces are kept in any case */
    const float *piece_weight; /* for product quantisation; null: alike */
    uint32_t embedding_coding, subspaces, position_coding, layer_coding, score_coding;
    int with_ids;
    const sr_source_whitening *whitenings; /* null: none. Layers differ and are written */
    uint32_t whitening_count;
    void (*progress)(const char *what, double done);
} sr_write_options;

/* Writes the model into *out (malloc; the caller frees) and returns its bytes, or a negative error:
 * SR_E_ARGUMENT (options against the source), SR_E_MEMORY, SR_E_NAN (a number in the source). */
int64_t sr_model_write(const sr_source_model *source, const sr_write_options *options, uint8_t **out);

/* Product quantisation of count rows of dim numbers: books[256 * dim] (already rounded to f16), codes[count *
 * subspaces]. k-means on a sample, weighted; the same input gives the same output on every machine. */
int sr_pq_train(const float *rows, const float *weights, uint32_t count, uint32_t dim, uint32_t subspaces, float *books,
                uint8_t *codes, void (*progress)(const char *what, double done));
#endif
