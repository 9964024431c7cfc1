/* A .onnx file made of a .safetensors file, as exporters write it: linear layers' matrices turned about and without
 * their names, which the nodes have. */
#ifndef ONNX_FILE_H
#define ONNX_FILE_H
#include "program/onnx.h"
#include "test.h"

typedef struct {
    uint8_t bytes[1 << 19];
    size_t count;
} onnx_bytes;

static void onnx_varint(onnx_bytes *o, uint64_t v) {
    for (; v > 127; v >>= 7) o->bytes[o->count++] = (uint8_t)(v | 128);
    o->bytes[o->count++] = (uint8_t)v;
}

static void onnx_number(onnx_bytes *o, uint32_t field, uint64_t v) {
    onnx_varint(o, field << 3), onnx_varint(o, v);
}

static void onnx_part(onnx_bytes *o, uint32_t field, const void *data, size_t bytes) {
    onnx_varint(o, field << 3 | 2), onnx_varint(o, bytes);
    memcpy(o->bytes + o->count, data, bytes);
    o->count += bytes;
}

static void onnx_text(onnx_bytes *o, uint32_t field, const char *text) {
    onnx_part(o, field, text, strlen(text));
}

/* "encoder.layer.0.output.dense.weight" to "/encoder/layer.0/output/dense/MatMul"; false for other tensors. */
static bool onnx_node_name(const char *tensor_name, char *out) {
    if (!strstr(tensor_name, ".weight") || (!strstr(tensor_name, "dense") && !strstr(tensor_name, ".self.")))
        return false;
    size_t n = strlen(tensor_name) - strlen(".weight");
    out[0] = '/';
    memcpy(out + 1, tensor_name, n);
    strcpy(out + 1 + n, "/MatMul");
    for (char *p = out; *p; p++)
        if (*p == '.' && (p[1] < '0' || p[1] > '9')) *p = '/';
    return true;
}

/* Returns the file's bytes, in a static buffer. */
static const onnx_bytes *onnx_of(const safetensors *s) {
    static onnx_bytes file, graph, part;
    static float turned[1 << 16];
    file.count = graph.count = 0;
    for (size_t i = 0; i < s->count; i++) {
        const tensor *t = &s->list[i];
        char node[200], name[200];
        const void *data = t->data;
        bool linear = onnx_node_name(t->name, node);
        if (linear)
            snprintf(name, sizeof name, "onnx::MatMul_%zu", i);
        else
            snprintf(name, sizeof name, "%s", t->name);
        part.count = 0;
        if (linear) {
            for (uint64_t r = 0; r < t->shape[0]; r++)
                for (uint64_t c = 0; c < t->shape[1]; c++)
                    memcpy(&turned[c * t->shape[0] + r], t->data + (r * t->shape[1] + c) * 4, 4);
            data = turned;
            onnx_number(&part, 1, t->shape[1]), onnx_number(&part, 1, t->shape[0]);
        } else {
            uint8_t dims[32]; /* packed, as newer writers have it */
            size_t n = 0;
            for (uint32_t d = 0; d < t->rank; d++) {
                uint64_t v = t->shape[d];
                for (; v > 127; v >>= 7) dims[n++] = (uint8_t)(v | 128);
                dims[n++] = (uint8_t)v;
            }
            onnx_part(&part, 1, dims, n);
        }
        onnx_number(&part, 2, 1), onnx_text(&part, 8, name), onnx_part(&part, 9, data, t->bytes);
        onnx_part(&graph, 5, part.bytes, part.count);
        if (!linear) continue;
        part.count = 0;
        onnx_text(&part, 1, "what comes in"), onnx_text(&part, 1, name), onnx_text(&part, 2, "what goes out");
        onnx_text(&part, 3, node), onnx_text(&part, 4, "MatMul");
        onnx_part(&graph, 1, part.bytes, part.count);
    }
    onnx_number(&file, 1, 8), onnx_text(&file, 2, "exporter"), onnx_part(&file, 7, graph.bytes, graph.count);
    return &file;
}
#endif
