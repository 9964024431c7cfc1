/* Reading .safetensors: a length, a JSON header, then numbers. Everything in the header is checked against the file. */
#ifndef SR_SAFETENSORS_H
#define SR_SAFETENSORS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAFETENSORS_MAX_RANK = 8, SAFETENSORS_MAX_TENSORS = 65536, SAFETENSORS_MAX_HEADER = 100000000 };
typedef enum { TENSOR_OTHER, TENSOR_F32, TENSOR_F16, TENSOR_BF16 } tensor_type;

typedef struct {
    const char *name;
    const char *type_name; /* as the file has it: "F32", "I64" */
    tensor_type type;
    uint32_t rank;
    uint64_t shape[SAFETENSORS_MAX_RANK];
    uint64_t count; /* product of shape */
    const uint8_t *data;
    uint64_t bytes;
    bool transposed; /* data are columns first (onnx.h) */
} tensor;

typedef struct {
    tensor *list;
    size_t count;
    void *header; /* the parsed JSON; names point into it, or, of an ONNX file, into names */
    char *names;
} safetensors;

/* data[bytes] must outlive s. On failure returns false with what is wrong, and in which tensor, in error. */
bool safetensors_open(safetensors *s, const uint8_t *data, size_t bytes, char *error, size_t error_bytes);
void safetensors_close(safetensors *s);
const tensor *safetensors_find(const safetensors *s, const char *name); /* null: not there */
/* out[count] from any of the three float types. Returns false when a number is not finite. */
bool tensor_floats(const tensor *t, float *out);
bool tensor_finite(const tensor *t);
#endif
