/* Exports of the encoder and the piece table. See exports.h. */
#include "exports.h"
#include <stdlib.h>
#include <string.h>

/* A model that arrives part by part. JavaScript writes the bytes into `file` and says how many are there. */
typedef struct {
    sr_model_info info; /* 0: see the assertions */
    uint8_t *file;      /* the caller's */
    sr_model *model;
    void *memory;
    sr_encoder *encoder;
    void *encoder_memory;
} model_session;

#if defined(__wasm__)
#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type "." #member)
AT(model_session, info, 0);
AT(sr_model_info, content, 16);
AT(sr_model_info, dim, 24);
AT(sr_model_info, layers, 28);
AT(sr_model_info, max_tokens, 44);
AT(sr_model_info, layers_ready, 48);
#endif

SR_EXPORT(model_close) void sr_wasm_model_close(model_session *s) {
    if (!s) return;
    free(s->encoder_memory);
    free(s->memory);
    free(s);
}

/* `file` stays the caller's, 64-byte aligned, and outlives the session. SR_E_TRUNCATED or SR_E_INCOMPLETE: come again
 * with more. */
SR_EXPORT(model_open) intptr_t sr_wasm_model_open(void *file, size_t available_bytes) {
    int64_t bytes = sr_model_bytes(file, available_bytes);
    if (bytes < 0) return (intptr_t)bytes;
    model_session *s = sr_wasm_alloc(sizeof *s);
    if (!s) return SR_E_MEMORY;
    memset(s, 0, sizeof *s);
    s->file = file;
    s->memory = bytes > INT32_MAX ? NULL : sr_wasm_alloc((size_t)bytes);
    int code = s->memory ? sr_model_open(s->memory, (size_t)bytes, file, available_bytes, &s->model) : SR_E_MEMORY;
    if (code >= 0) code = sr_model_info_get(s->model, &s->info);
    if (code < 0) {
        sr_wasm_model_close(s);
        return code;
    }
    return (intptr_t)s;
}

/* More of the same file is there. Returns 0; info.layers_ready says what answers. */
SR_EXPORT(model_extend) int sr_wasm_model_extend(model_session *s, size_t available_bytes) {
    int code = sr_model_extend(s->model, available_bytes);
    if (code >= 0) code = sr_model_info_get(s->model, &s->info);
    return code < 0 ? code : 0;
}

/* Working memory for one text at a time, taken on first use: a page that only downloads needs none. */
static int encoder_ready(model_session *s) {
    if (s->encoder) return 0;
    int64_t bytes = sr_encoder_bytes(s->model);
    if (bytes < 0) return (int)bytes;
    void *memory = bytes > INT32_MAX ? NULL : sr_wasm_alloc((size_t)bytes);
    if (!memory) return SR_E_MEMORY;
    int code = sr_encoder_open(memory, (size_t)bytes, s->model, &s->encoder);
    if (code < 0) {
        free(memory);
        s->encoder = NULL;
        return code;
    }
    s->encoder_memory = memory;
    return 0;
}
SR_EXPORT(encoder_start) int sr_wasm_encoder_start(model_session *s, const char *text, size_t bytes) {
    int code = encoder_ready(s);
    return code < 0 ? code : sr_encoder_start(s->encoder, text, bytes);
}
SR_EXPORT(encoder_advance) int sr_wasm_encoder_advance(model_session *s, uint32_t layer, float *vector) {
    return s->encoder ? sr_encoder_advance(s->encoder, layer, vector) : SR_E_ARGUMENT;
}
SR_EXPORT(encoder_pieces) int sr_wasm_encoder_pieces(const model_session *s, uint32_t *ids, size_t cap) {
    return s->encoder ? sr_encoder_pieces(s->encoder, ids, cap) : SR_E_ARGUMENT;
}

typedef struct {
    uint64_t content; /* 0 */
    uint32_t dim;     /* 8 */
    const sr_table *table;
    void *memory, *work;
    size_t work_bytes;
} table_session;

SR_EXPORT(table_close) void sr_wasm_table_close(table_session *s) {
    if (!s) return;
    free(s->memory);
    free(s->work);
    free(s);
}
SR_EXPORT(table_open) intptr_t sr_wasm_table_open(const void *file, size_t file_bytes) {
    int64_t bytes = sr_table_bytes(file, file_bytes);
    if (bytes < 0) return (intptr_t)bytes;
    table_session *s = sr_wasm_alloc(sizeof *s);
    if (!s) return SR_E_MEMORY;
    memset(s, 0, sizeof *s);
    s->memory = bytes > INT32_MAX ? NULL : sr_wasm_alloc((size_t)bytes);
    int code = s->memory ? sr_table_open(s->memory, (size_t)bytes, file, file_bytes, &s->table) : SR_E_MEMORY;
    if (code >= 0) {
        s->content = sr_table_content(s->table);
        s->dim = sr_table_dim(s->table);
        s->work_bytes = sr_table_work_bytes(s->table);
        s->work = sr_wasm_alloc(s->work_bytes);
        if (!s->work) code = SR_E_MEMORY;
    }
    if (code < 0) {
        sr_wasm_table_close(s);
        return code;
    }
    return (intptr_t)s;
}
SR_EXPORT(table_embed) int sr_wasm_table_embed(table_session *s, const char *text, size_t bytes, float *vector) {
    return sr_table_embed(s->table, text, bytes, s->work, s->work_bytes, vector);
}
