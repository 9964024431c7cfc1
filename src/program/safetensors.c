/* Reading .safetensors; see safetensors.h. */
#include "program/safetensors.h"
#include "embed/model.h"
#include "program/json.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool fail(char *error, size_t error_bytes, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error, error_bytes, format, args);
    va_end(args);
    return false;
}

/* A whole number of at most 2^53, which is as far as JSON's numbers are exact here. */
static bool whole(const cJSON *item, uint64_t *out) {
    if (!cJSON_IsNumber(item)) return false;
    double v = item->valuedouble;
    if (!(v >= 0 && v <= 9007199254740992.0) || v != (double)(uint64_t)v) return false;
    *out = (uint64_t)v;
    return true;
}

static uint32_t element_bytes(const char *type) {
    static const struct {
        const char *name;
        uint32_t bytes;
    } types[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},     {"I32", 4},     {"I16", 2}, {"I8", 1},
                 {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"BOOL", 1}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i].name) == 0) return types[i].bytes;
    return 0;
}

static bool read_tensor(const cJSON *item, const uint8_t *body, uint64_t body_bytes, tensor *t, char *error,
                        size_t error_bytes) {
    const cJSON *type = json_get(item, "dtype"), *shape = json_get(item, "shape"),
                *offsets = json_get(item, "data_offsets"), *d;
    uint64_t from, to;
    t->name = item->string;
    if (!cJSON_IsString(type) || !cJSON_IsArray(shape) || cJSON_GetArraySize(offsets) != 2)
        return fail(error, error_bytes, "tensor %.200s: dtype, shape or data_offsets is missing", t->name);
    t->type_name = type->valuestring;
    t->type = strcmp(t->type_name, "F32") == 0    ? TENSOR_F32
              : strcmp(t->type_name, "F16") == 0  ? TENSOR_F16
              : strcmp(t->type_name, "BF16") == 0 ? TENSOR_BF16
                                                  : TENSOR_OTHER;
    uint32_t unit = element_bytes(t->type_name);
    if (!unit) return fail(error, error_bytes, "tensor %.200s: unknown type %.20s", t->name, t->type_name);
    t->count = 1;
    cJSON_ArrayForEach(d, shape) {
        uint64_t n;
        if (t->rank == SAFETENSORS_MAX_RANK || !whole(d, &n))
            return fail(error, error_bytes, "tensor %.200s: its shape makes no sense", t->name);
        t->shape[t->rank++] = n;
        if (n && t->count > UINT64_MAX / 8 / n)
            return fail(error, error_bytes, "tensor %.200s: its shape is too large", t->name);
        t->count *= n;
    }
    if (!whole(offsets->child, &from) || !whole(offsets->child->next, &to) || from > to || to > body_bytes)
        return fail(error, error_bytes, "tensor %.200s: its data lie outside the file (is it cut short?)", t->name);
    if (t->count * unit != to - from)
        return fail(error, error_bytes, "tensor %.200s: %llu numbers of %s do not fit its %llu bytes", t->name,
                    (unsigned long long)t->count, t->type_name, (unsigned long long)(to - from));
    t->data = body + from;
    t->bytes = to - from;
    return true;
}

bool safetensors_open(safetensors *s, const uint8_t *data, size_t bytes, char *error, size_t error_bytes) {
    char where[200];
    *s = (safetensors){0};
    if (bytes < 8) return fail(error, error_bytes, "too short for a safetensors file");
    uint64_t header_bytes = sr_load64(data);
    if (header_bytes > bytes - 8 || header_bytes > SAFETENSORS_MAX_HEADER)
        return fail(error, error_bytes, "its header claims %llu bytes", (unsigned long long)header_bytes);
    cJSON *header = json_parse((const char *)data + 8, (size_t)header_bytes, where, sizeof where);
    if (!header) return fail(error, error_bytes, "header, %s", where);
    s->header = header;
    size_t n = 0;
    for (const cJSON *item = header->child; item; item = item->next) n++;
    if (!cJSON_IsObject(header) || n > SAFETENSORS_MAX_TENSORS)
        return safetensors_close(s), fail(error, error_bytes, "its header is no list of tensors");
    s->list = calloc(n ? n : 1, sizeof *s->list);
    if (!s->list) return safetensors_close(s), fail(error, error_bytes, "out of memory");
    for (const cJSON *item = header->child; item; item = item->next) {
        if (strcmp(item->string, "__metadata__") == 0) continue;
        if (!read_tensor(item, data + 8 + header_bytes, bytes - 8 - header_bytes, &s->list[s->count++], error,
                         error_bytes))
            return safetensors_close(s), false;
    }
    return true;
}

void safetensors_close(safetensors *s) {
    cJSON_Delete(s->header);
    free(s->list), free(s->names);
    *s = (safetensors){0};
}

const tensor *safetensors_find(const safetensors *s, const char *name) {
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->list[i].name, name) == 0) return &s->list[i];
    return NULL;
}

bool tensor_floats(const tensor *t, float *out) {
    uint32_t bad = 0;
    for (uint64_t i = 0; i < t->count; i++) {
        const uint8_t *p = t->data + i * (t->type == TENSOR_F32 ? 4 : 2);
        uint32_t u;
        if (t->type == TENSOR_F32)
            u = sr_load32(p);
        else if (t->type == TENSOR_BF16)
            u = (uint32_t)(p[0] | p[1] << 8) << 16;
        else {
            float f = sr_half_to_float((uint16_t)(p[0] | p[1] << 8));
            memcpy(&u, &f, 4);
        }
        bad |= (u & 0x7f800000) == 0x7f800000;
        uint64_t to = t->transposed ? i % t->shape[0] * t->shape[1] + i / t->shape[0] : i;
        memcpy(&out[to], &u, 4);
    }
    return !bad;
}

bool tensor_finite(const tensor *t) {
    uint32_t bad = 0;
    for (uint64_t i = 0; i < t->count; i++) bad |= (sr_load32(t->data + i * 4) & 0x7f800000) == 0x7f800000;
    return !bad;
}
