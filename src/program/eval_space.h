/* Vectors of labelled prompts in one space, and the similarities between two lots of them: what sweep and profile stand
 * on. */
#ifndef SR_EVAL_SPACE_H
#define SR_EVAL_SPACE_H
#include "program/labelled.h"
#include "program/srv.h"

/* .srv files of one embedder; a text is looked up in all of them. */
typedef struct {
    srv_file *files;
    char **paths;
    size_t count;
} srv_set;

/* list: names with commas between. All must have one pin; prints what is wrong. */
bool srv_set_read(const char *list, srv_set *out);
void srv_set_free(srv_set *s);
/* Unit vectors [rows][dim] of every prompt, memory from memory(); null, with a message, when one is missing. A prompt
 * without direction keeps a zero vector. quiet: no message. */
float *srv_set_vectors(const srv_set *s, const labelled *l, bool quiet);

void space_unit(float *rows, size_t count, size_t dim, int threads);
/* mean[dim] of rows, each class of class_of (may be null) weighing the same. */
void space_mean(const float *rows, size_t count, size_t dim, const uint32_t *class_of, uint32_t classes, float *mean);
/* rows <- unit(rows - mean) */
void space_centre(float *rows, size_t count, size_t dim, const float *mean, int threads);
/* out[a_count][b_count] dots, memory from memory(). what: progress, or null. */
float *space_similarities(const float *a, size_t a_count, const float *b, size_t b_count, size_t dim, int threads,
                          const char *what);

/* Is a text of tests (folded by case and white space) also in the pool, other than under the same value of `field`,
 * which is left out? field may be null. Prints and returns true. */
bool space_leaks(const labelled *pool, const labelled *tests, const char *field);
/* Takes such rows out of the pool, for all tests alike; returns how many. */
size_t space_drop_repeats(labelled *pool, const labelled *tests);
/* The value that leaving out goes by; of `source` the part before a colon. Memory from memory(). */
char *space_left_out(const labelled_row *r, const char *field);
#endif
