/* Piece tables (.srt): one short row a vocabulary piece; a text is the weighted mean of its pieces' rows. Bytes:
 * MODEL.md.
 *
 * For whoever trains rows: open the model whose pieces they are, count pieces with sr_encoder_start and
 * sr_encoder_pieces (the first and last, <s> and </s>, have no place in a table), and hand sr_table_write one row a
 * piece of that model.
 */
#ifndef SR_TABLE_H
#define SR_TABLE_H
#include "model.h"

enum {
    SR_TABLE_META = 1,
    SR_TABLE_VOCAB = 2,
    SR_TABLE_SCORES = 3,
    SR_TABLE_MAP = 4,
    SR_TABLE_ROWS = 5,   /* i8[pieces][dim] */
    SR_TABLE_SCALES = 6, /* f32[256], then u8 a piece: which */
    SR_TABLE_WEIGHTS = 7 /* the same; optional: absent means 1 */
};
enum { SR_TABLE_META_BYTES = 128, SR_TABLE_MIN_DIM = 8, SR_TABLE_MAX_DIM = 64, SR_TABLE_PREFIX_BYTES = 40 };

typedef struct {
    const sr_model *model; /* vocabulary, scores, normalisation; open at least to exit 0 */
    uint32_t dim;          /* a multiple of 8, 8 to 64 */
    const float *rows;     /* [model's piece_count][dim] */
    const float *weights;  /* a piece, not negative; null: 1 */
    const uint8_t *keep;   /* one byte a piece; null: all */
    float step;            /* 0: each row its own scale; else all rows in whole multiples of this, at most 127: what is
                              lost is alike in all rows, as fits a sum, and small numbers compress well */
} sr_table_source;

/* Writes a table into *out (malloc; the caller frees); returns its bytes, or SR_E_ARGUMENT, SR_E_NAN, SR_E_MEMORY.
 * The same input gives the same bytes. */
int64_t sr_table_write(const sr_table_source *source, uint8_t **out);

/* The pieces of a text, by the table's numbers: its kept pieces in the model's order. Returns their count, at most cap.
 */
int sr_table_pieces(const sr_table *t, const char *text, size_t bytes, void *work, size_t work_bytes, uint32_t *ids,
                    size_t cap);
/* sr_table_embed by the help of words met before; known may be null. */
int sr_table_embed_known(const sr_table *t, const char *text, size_t bytes, void *work, size_t work_bytes,
                         sr_known_words *known, float *vector);
#endif
