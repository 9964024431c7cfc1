/* What a space is worth: the same utterances compared by plain cosine, about their mean, whitened, through a fitted
 * map, by a trained head, and by map and head together.
 *
 * Each is written as an asset and asked through the matcher, so accuracy, bytes and microseconds are the product's own.
 */
#ifndef SR_PROFILE_SPACES_H
#define SR_PROFILE_SPACES_H
#include "program/profile.h"

enum { SPACES = 6 };
extern const char *const space_names[SPACES];

/* Mean, principal directions and spread of ordinary prompts: all that is known of a model before there is a table. */
typedef struct {
    size_t dim, basis_dim;
    float *mean, *basis, *spread; /* [dim], [basis_dim][dim], standard deviations [basis_dim] */
} ordinary_space;
bool ordinary_fit(const float *rows, size_t count, size_t dim, ordinary_space *out);
void ordinary_free(ordinary_space *o);

/* A table: what may be learned from, and its utterances in order of their labels. Unit rows, as the embedder gave them.
 */
typedef struct {
    const ordinary_space *ordinary;
    const float *train, *train_z; /* [train_count][dim]; [train_count][basis_dim], in the ordinary space's basis */
    const uint32_t *train_label;
    const double *weight; /* [train_count]; 0 leaves a row out */
    const float *utterances;
    const uint32_t *utterance_label;
    size_t train_count, utterance_count;
    uint32_t label_count;
    int threads;
} space_table;
/* The map that `tune` would fit, on unit rows train[count][dim] with labels of label_count, each label weighing the
 * same; and with it unit rows [count][*row_dim] of them and of tests, from memory(). False, with a message, when it
 * cannot be fitted. */
bool spaces_map(const float *train, const uint32_t *labels, size_t count, uint32_t label_count, const float *tests,
                size_t test_count, size_t dim, float **train_out, float **tests_out, size_t *row_dim);

typedef struct {
    void *file, *opened;
    size_t bytes;
    const sr_router *router;
} space_asset;
/* One asset a space. False, with a message, when something cannot be fitted; free them either way. */
bool spaces_learn(const space_table *t, space_asset out[SPACES]);
void spaces_free(space_asset assets[SPACES]);
/* The nearest label of each test and its score; returns microseconds a test on one core. */
double space_ask(const space_asset *a, const float *tests, size_t count, size_t dim, int threads, uint32_t *best,
                 double *score);
#endif
