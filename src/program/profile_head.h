/* A multinomial logistic head: how much is in the vectors, as the literature measures it. */
#ifndef SR_PROFILE_HEAD_H
#define SR_PROFILE_HEAD_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t dim;
    uint32_t classes;
    float scale;
    float *weights, *bias; /* [classes][dim], [classes] */
} head;

/* Fits rows[count][dim] (unit length, centred) with labels below classes, by Adam in batches of 256 in shuffled order,
 * with weight decay; the same input gives the same head, whatever the number of threads. */
head head_fit(const float *rows, const uint32_t *labels, size_t count, size_t dim, uint32_t classes, uint64_t seed,
              int threads);
/* The best class of each row, and (may be null) its probability. */
void head_apply(const head *h, const float *rows, size_t count, int threads, uint32_t *best, double *probability);
void head_free(head *h);
#endif
