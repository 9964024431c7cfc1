/* The weights in a .onnx file, as a list of tensors like safetensors'. The graph is not run and not checked: names of
 * parameters say what they are. Exporters store the matrix of a linear layer transposed and without its name; it gets
 * that of the node which multiplies by it: /encoder/layer.0/output/dense/MatMul is encoder.layer.0.output.dense.weight.
 */
#ifndef SR_ONNX_H
#define SR_ONNX_H
#include "program/safetensors.h"

/* data[bytes] must outlive s, which safetensors_close frees. On failure returns false with what is wrong in error. */
bool onnx_open(safetensors *s, const uint8_t *data, size_t bytes, char *error, size_t error_bytes);
#endif
