/* Exports of models, encoders and piece tables. See exports.h. */
#include "embed/model.h"
#include "exports.h"
#include <stdlib.h>

#if defined(__wasm__)
#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type "." #member)
AT(sr_wasm_model, info, 0);
AT(sr_model_info, content, 16);
AT(sr_model_info, dim, 24);
AT(sr_model_info, layers, 28);
AT(sr_model_info, max_tokens, 44);
AT(sr_model_info, layers_ready, 48);
#endif

SR_EXPORT(model_close) void sr_wasm_model_close(sr_wasm_model *s) {
    free(s);
}

/* `file` stays the caller's, 64-byte aligned, and outlives the session. SR_E_TRUNCATED or SR_E_INCOMPLETE: come again
 * with more. */
SR_EXPORT(model_open) intptr_t sr_wasm_model_open(void *file, size_t available_bytes) {
    int64_t bytes = sr_model_bytes(file, available_bytes);
    if (bytes < 0) return (intptr_t)bytes;
    void *memory;
    sr_wasm_model *s = sr_wasm_session(sizeof *s, bytes, &memory);
    if (!s) return SR_E_MEMORY;
    int code = sr_model_open(memory, (size_t)bytes, file, available_bytes, &s->model);
    if (code >= 0) code = sr_model_info_get(s->model, &s->info);
    if (code < 0) return free(s), code;
    return (intptr_t)s;
}

/* More of the same file is there. Returns 0; info.layers_ready says what answers. */
SR_EXPORT(model_extend) int sr_wasm_model_extend(sr_wasm_model *s, size_t available_bytes) {
    int code = sr_model_extend(s->model, available_bytes);
    if (code >= 0) code = sr_model_info_get(s->model, &s->info);
    return code < 0 ? code : 0;
}

/* The model's whitening of an exit: mean[dim], map[rows][dim], or both null. Returns rows, 0 for none. */
SR_EXPORT(model_whitening)
int sr_wasm_model_whitening(const sr_wasm_model *s, uint32_t layer, float *mean, float *map) {
    return sr_model_whitening(s->model, layer, mean, map);
}

/* For vectors without a route asset: the `encoder` embedder and compiling. One encoder reads one text at a time. */
typedef struct {
    sr_encoder *encoder;
} encoder_session;

SR_EXPORT(encoder_close) void sr_wasm_encoder_close(encoder_session *s) {
    free(s);
}
SR_EXPORT(encoder_open) intptr_t sr_wasm_encoder_open(const sr_wasm_model *m) {
    int64_t bytes = sr_encoder_bytes(m->model);
    if (bytes < 0) return (intptr_t)bytes;
    void *memory;
    encoder_session *s = sr_wasm_session(sizeof *s, bytes, &memory);
    if (!s) return SR_E_MEMORY;
    int code = sr_encoder_open(memory, (size_t)bytes, m->model, &s->encoder);
    if (code < 0) return free(s), code;
    return (intptr_t)s;
}
SR_EXPORT(encoder_start) int sr_wasm_encoder_start(encoder_session *s, const char *text, size_t bytes) {
    return sr_encoder_start(s->encoder, text, bytes);
}
SR_EXPORT(encoder_advance) int sr_wasm_encoder_advance(encoder_session *s, uint32_t layer, float *vector) {
    return sr_encoder_advance(s->encoder, layer, vector);
}
SR_EXPORT(encoder_pieces) int sr_wasm_encoder_pieces(const encoder_session *s, uint32_t *ids, size_t cap) {
    return sr_encoder_pieces(s->encoder, ids, cap);
}

SR_EXPORT(table_close) void sr_wasm_table_close(sr_wasm_table *s) {
    free(s);
}
SR_EXPORT(table_open) intptr_t sr_wasm_table_open(const void *file, size_t file_bytes) {
    int64_t bytes = sr_table_bytes(file, file_bytes);
    if (bytes < 0) return (intptr_t)bytes;
    void *memory;
    sr_wasm_table *s = sr_wasm_session(sizeof *s, bytes, &memory);
    if (!s) return SR_E_MEMORY;
    int code = sr_table_open(memory, (size_t)bytes, file, file_bytes, &s->table);
    if (code < 0) return free(s), code;
    s->content = sr_table_content(s->table);
    s->dim = sr_table_dim(s->table);
    return (intptr_t)s;
}
SR_EXPORT(table_work_bytes) size_t sr_wasm_table_work_bytes(const sr_wasm_table *s) {
    return sr_table_work_bytes(s->table);
}
SR_EXPORT(table_embed)
int sr_wasm_table_embed(const sr_wasm_table *s, const char *text, size_t bytes, void *work, size_t work_bytes,
                        float *vector) {
    return sr_table_embed(s->table, text, bytes, work, work_bytes, vector);
}
