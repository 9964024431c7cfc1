/* ONNX files from hostile bytes. Each input is tried as a file, and as the graph of one. */
#include "program/onnx.h"
#include <stdlib.h>
#include <string.h>

static void try_one(const uint8_t *data, size_t bytes) {
    char error[300];
    safetensors s;
    uint8_t *copy = malloc(bytes ? bytes : 1);
    memcpy(copy, data, bytes);
    if (onnx_open(&s, copy, bytes, error, sizeof error)) {
        for (size_t i = 0; i < s.count; i++) {
            const tensor *t = &s.list[i];
            if (safetensors_find(&s, t->name) == NULL) abort();
            if (t->bytes && (t->data < copy || t->data + t->bytes > copy + bytes)) abort();
            if (t->type == TENSOR_OTHER) continue;
            float *out = malloc(t->count * sizeof *out + 1);
            tensor_floats(t, out);
            free(out);
        }
        safetensors_close(&s);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    try_one(data, bytes);
    if (bytes > 1 << 20) return 0;
    uint8_t *file = malloc(bytes + 4);
    file[0] = 7 << 3 | 2, file[1] = (uint8_t)(bytes | 128), file[2] = (uint8_t)(bytes >> 7 | 128);
    file[3] = (uint8_t)(bytes >> 14);
    memcpy(file + 4, data, bytes);
    try_one(file, bytes + 4);
    free(file);
    return 0;
}
