/* Checks of the written corpus; routes/corpus/README.md has the rules. */
#ifndef SR_CORPUS_H
#define SR_CORPUS_H
#include "program/labelled.h"

typedef struct {
    labelled prompts;
    size_t problems; /* found so far */
} corpus;

/* Prints "FILE:LINE: what" and counts. */
void corpus_problem(corpus *c, size_t row, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same text, or nearly (shared runs of five characters, within a language). limit: Jaccard, 0..1. */
void corpus_near_texts(corpus *c, double limit);
/* Nearly the same meaning: rows[count][dim] of unit length; other_* may be null: evaluation prompts, of which only the
 * id is shown. Returns how many of the latter were found. */
void corpus_near_vectors(corpus *c, const float *rows, size_t dim, double limit, int threads);
size_t corpus_paraphrases(const corpus *c, const float *rows, const labelled *others, const float *other_rows,
                          size_t dim, double limit, int threads);
#endif
