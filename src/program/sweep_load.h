/* Reads what a sweep needs: pool, tests, vectors, the space, and what is left out for whom. */
#ifndef SR_SWEEP_LOAD_H
#define SR_SWEEP_LOAD_H
#include "program/sweep.h"

typedef struct {
    const char *pool, *vectors, *fit, *leave_out, *where, *pool_where, *fallback; /* as the options of sweep */
    char *const *tests;
    int test_count, threads;
    uint32_t one_in, tests_one_in; /* labelled_options', of the pool and of tests */
    bool skip_repeats;             /* pool prompts that are also test prompts are left out, with a note */
} sweep_source;

/* Prints what is wrong and returns false. model gets the pin in words. */
bool sweep_load(const sweep_source *s, sweep_data *out, char *model, size_t model_bytes);
/* In two steps, for several embedders on the same prompts: the texts; then, as often as wanted, vectors. keep:
 * d->pool_rows and d->test_rows stay. quiet: a missing vector is no error, only false. */
bool sweep_load_texts(const sweep_source *s, sweep_data *d);
bool sweep_load_vectors(const sweep_source *s, const srv_set *set, sweep_data *d, bool keep, bool quiet);
void sweep_unload(sweep_data *d);
#endif
