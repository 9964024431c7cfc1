/* Many texts to vectors, on all cores. */
#ifndef SR_VECTORS_H
#define SR_VECTORS_H
#include "smartrouter.h"
#include <stdbool.h>

/* The vectors of texts for each layer mask (sr_exit_info): out[i] is vectors[count][set bits x dim], for the mask
 * 1 << layer the pooled unit vector after that layer; memory from memory(). Each text is read once. Prints what is
 * wrong and returns false. */
bool vectors_encode(const sr_model *m, const sr_text *texts, size_t count, const uint32_t *masks, uint32_t mask_count,
                    int threads, float **out);
/* Likewise through a piece table. A text without any known piece gets the zero vector. */
bool vectors_table(const sr_table *t, const sr_text *texts, size_t count, int threads, float **out);
#endif
