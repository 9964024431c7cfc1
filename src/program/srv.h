/* Vector files (.srv): what an embedder made of many texts. The bytes are described in SRV.md. */
#ifndef SR_SRV_H
#define SR_SRV_H
#include "program/files.h"
#include "smartrouter.h"
#include <stdbool.h>

/* Who made the vectors. Vectors are compared only under one pin. */
typedef struct {
    sr_text model_id, prefix;
    uint64_t content;
    uint32_t embedder, layer, pooling, dim;
} srv_pin;

typedef struct {
    file_bytes file;
    srv_pin pin;
    size_t count;
    uint64_t content; /* of the file */
    bool is_f16;
    const uint8_t *rows, *vectors;
    const char *strings;
    uint32_t *by_hash, *by_id; /* open addressing; row + 1, 0: free */
    size_t slots;
} srv_file;

enum { SRV_MAX_ROWS = 1 << 24 };
#define SRV_NONE ((size_t)-1)

/* Reads and checks; prints what is wrong and returns false. */
bool srv_read(const char *path, srv_file *out);
void srv_free(srv_file *f);
sr_text srv_id(const srv_file *f, size_t row);
uint64_t srv_text_hash(const srv_file *f, size_t row); /* 0: not known */
void srv_vector(const srv_file *f, size_t row, float *out);
/* The row of a text, else (for rows without a text hash) of an id; SRV_NONE. */
size_t srv_find(const srv_file *f, uint64_t text_hash, sr_text id);

uint64_t srv_hash(const char *text, size_t bytes); /* never 0 */
bool srv_same_pin(const srv_pin *a, const srv_pin *b);
/* "multilingual-e5-small exit 9 (384 dimensions, content 0123456789abcdef)"; a static buffer, one of four in turn. */
const char *srv_pin_text(const srv_pin *p);

typedef struct {
    srv_pin pin;
    bool is_f16;
    size_t count;
    const sr_text *ids;
    const uint64_t *hashes;
    const float *vectors; /* [count][dim] */
} srv_write;
/* Whole and by rename. Prints what is wrong. */
bool srv_save(const char *path, const srv_write *w);
#endif
