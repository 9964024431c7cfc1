/* Vectors from any OpenAI-compatible embeddings server. */
#ifndef SR_HTTP_H
#define SR_HTTP_H
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *url;   /* ".../v1/embeddings", or its base ".../v1" */
    const char *model; /* sent as "model" */
    const char *key;   /* bearer token, or null */
    const char *prefix;
    size_t dim;      /* wanted dimension; 0: taken from the first answer */
    long timeout_ms; /* a request's time, default 30,000 */
    int retries;     /* after 429, 5xx and broken connections, with growing pauses; default 4 */
    size_t batch;    /* texts a request, default 32 */
    bool quiet;      /* no progress: the caller shows its own */
} http_embedder;

/* vectors[count * dim], row by row; memory from malloc, given back in *out and *dim_out. Prints what is wrong. */
bool http_embed(const http_embedder *h, const char *const *texts, size_t count, float **out, size_t *dim_out);
#endif
