/* A loop on all cores: threads take the next index until none is left. */
#include "program/parallel.h"
#include "program/cli.h"
#include "program/files.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct {
    atomic_size_t next;
    size_t count;
    const char *what;
    void (*body)(void *, int, size_t);
    void *context;
} loop;

typedef struct {
    loop *loop;
    int number;
} loop_thread;

static void *run(void *argument) {
    loop_thread *t = argument;
    loop *l = t->loop;
    for (size_t i; (i = atomic_fetch_add(&l->next, 1)) < l->count;) {
        l->body(l->context, t->number, i);
        if (l->what && t->number == 0) cli_progress(l->what, i + 1 < l->count ? i + 1 : l->count - 1, l->count);
    }
    return NULL;
}

int parallel_threads(int threads, size_t count) {
    if (threads < 1) threads = cli_cores();
    return (size_t)threads > count ? (int)(count ? count : 1) : threads;
}

void parallel_for(size_t count, int threads, const char *what, void (*body)(void *, int, size_t), void *context) {
    threads = parallel_threads(threads, count);
    loop l = {.count = count, .what = what, .body = body, .context = context};
    loop_thread *each = memory(sizeof *each * (size_t)threads);
    pthread_t *ids = memory(sizeof *ids * (size_t)threads);
    int started = 1;
    for (int i = 0; i < threads; i++) each[i] = (loop_thread){&l, i};
    while (started < threads && pthread_create(&ids[started], NULL, run, &each[started]) == 0) started++;
    run(&each[0]); /* this thread is the first; if others could not start, it does their share too */
    for (int i = 1; i < started; i++) pthread_join(ids[i], NULL);
    if (what && count) cli_progress(what, count, count);
    free(each);
    free(ids);
}
