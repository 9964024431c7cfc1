/* A loop on all cores. */
#ifndef SR_PARALLEL_H
#define SR_PARALLEL_H
#include <stddef.h>

/* Calls body(context, thread, i) for every i < count, in any order, from `threads` threads (0: all cores); thread
 * counts from 0. Returns when all are done. With `what` not null, shows progress. */
void parallel_for(size_t count, int threads, const char *what, void (*body)(void *context, int thread, size_t i),
                  void *context);
int parallel_threads(int threads, size_t count); /* how many it will use */
#endif
