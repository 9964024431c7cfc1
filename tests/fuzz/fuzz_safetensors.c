/* Safetensors headers from hostile bytes. Each input is tried as a file, and as a header before 64 bytes of numbers. */
#include "container.h"
#include "program/safetensors.h"
#include <stdlib.h>
#include <string.h>

static void try_one(const uint8_t *data, size_t bytes) {
    char error[300];
    safetensors s;
    uint8_t *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, data, bytes);
    if (safetensors_open(&s, copy, bytes, error, sizeof error)) {
        for (size_t i = 0; i < s.count; i++) {
            const tensor *t = &s.list[i];
            if (safetensors_find(&s, t->name) == NULL) abort();
            if (t->bytes && (t->data < copy || t->data + t->bytes > copy + bytes)) abort();
            if (t->type == TENSOR_OTHER) continue;
            float *out = malloc(t->count * sizeof *out + 1);
            tensor_floats(t, out);
            if (t->type == TENSOR_F32) tensor_finite(t);
            free(out);
        }
        safetensors_close(&s);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    try_one(data, bytes);
    uint8_t *file = calloc(1, bytes + 72);
    sr_store64(file, bytes);
    memcpy(file + 8, data, bytes);
    try_one(file, bytes + 72);
    free(file);
    return 0;
}
