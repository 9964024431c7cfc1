/* Reading .onnx; see onnx.h. Protocol buffers: fields of a number, a kind, and a value or a length and bytes. */
#include "program/onnx.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const uint8_t *at, *end;
} bytes_left;

typedef struct {
    uint64_t number, value; /* value: of kind 0 */
    bytes_left bytes;       /* of kind 2 */
    uint32_t kind;
} field;

static bool fail(char *error, size_t error_bytes, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error, error_bytes, format, args);
    va_end(args);
    return false;
}

static bool read_varint(bytes_left *b, uint64_t *out) {
    *out = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        if (b->at == b->end) return false;
        uint8_t c = *b->at++;
        *out |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) return true;
    }
    return false;
}

/* 1: a field was read; 0: the end; -1: damaged. */
static int next_field(bytes_left *b, field *f) {
    uint64_t key, length = 0;
    if (b->at == b->end) return 0;
    if (!read_varint(b, &key)) return -1;
    *f = (field){.number = key >> 3, .kind = key & 7};
    if (f->kind == 0) return read_varint(b, &f->value) ? 1 : -1;
    if (f->kind == 2 && !read_varint(b, &length)) return -1;
    if (f->kind == 1) length = 8;
    if (f->kind == 5) length = 4;
    if ((f->kind != 1 && f->kind != 2 && f->kind != 5) || length > (uint64_t)(b->end - b->at)) return -1;
    f->bytes = (bytes_left){b->at, b->at + length};
    b->at += length;
    return 1;
}

static size_t left(bytes_left b) {
    return (size_t)(b.end - b.at);
}

/* ---- a tensor -----------------------------------------------------------------------------------------------------
 */

static bool add_dimension(tensor *t, uint64_t n) {
    if (t->rank == SAFETENSORS_MAX_RANK || (n && t->count > UINT64_MAX / 8 / n)) return false;
    t->shape[t->rank++] = n;
    t->count *= n;
    return true;
}

static void set_type(tensor *t, uint64_t type) {
    t->type = type == 1 ? TENSOR_F32 : type == 10 ? TENSOR_F16 : type == 16 ? TENSOR_BF16 : TENSOR_OTHER;
    t->type_name = t->type == TENSOR_OTHER ? "another type" : "floats";
}

static bool read_tensor(bytes_left b, tensor *t, bytes_left *name, char *error, size_t error_bytes) {
    field f;
    int more;
    bool fine = true, outside = false, numbers = false;
    *t = (tensor){.count = 1, .type_name = "no type"};
    while ((more = next_field(&b, &f)) > 0 && fine) {
        if (f.number == 1 && f.kind == 0) {
            fine = add_dimension(t, f.value);
        } else if (f.number == 1 && f.kind == 2) {
            uint64_t n;
            while (fine && f.bytes.at < f.bytes.end) fine = read_varint(&f.bytes, &n) && add_dimension(t, n);
        } else if (f.number == 2 && f.kind == 0) {
            set_type(t, f.value);
        } else if (f.number == 8 && f.kind == 2) {
            *name = f.bytes;
        } else if (f.number == 9 && f.kind == 2) {
            t->data = f.bytes.at, t->bytes = left(f.bytes);
        } else if (f.number == 4) {
            numbers = true;
        } else if (f.number == 14 && f.kind == 0) {
            outside = f.value == 1;
        }
    }
    int length = left(*name) > 200 ? 200 : (int)left(*name);
    const char *is = length ? (const char *)name->at : "";
    if (more < 0 || !fine) return fail(error, error_bytes, "tensor %.*s: damaged", length, is);
    if (outside) return fail(error, error_bytes, "tensor %.*s: its data lie in another file", length, is);
    if (numbers && !t->data) t->type = TENSOR_OTHER, t->type_name = "numbers one by one";
    uint64_t unit = t->type == TENSOR_OTHER ? 0 : t->type == TENSOR_F32 ? 4 : 2;
    if (unit && t->count * unit != t->bytes)
        return fail(error, error_bytes, "tensor %.*s: %llu numbers do not fit its %llu bytes", length, is,
                    (unsigned long long)t->count, (unsigned long long)t->bytes);
    return true;
}

/* ---- names --------------------------------------------------------------------------------------------------------
 */

/* Room for names; the file's own bytes bound it. */
typedef struct {
    char *at;
} arena;

static const char *put_name(arena *a, bytes_left name) {
    char *out = a->at;
    size_t n = left(name);
    if (n) memcpy(out, name.at, n);
    out[n] = 0;
    a->at += n + 1;
    return out;
}

/* /encoder/layer.0/output/dense/MatMul to encoder.layer.0.output.dense.weight; null for other nodes. */
static const char *put_weight_name(arena *a, bytes_left node) {
    static const char mark[] = "/MatMul", end[] = ".weight";
    size_t n = left(node), m = sizeof mark - 1;
    if (n <= m + 1 || node.at[0] != '/' || memcmp(node.end - m, mark, m) != 0) return NULL;
    char *out = a->at;
    size_t count = n - m - 1;
    memcpy(out, node.at + 1, count);
    for (size_t i = 0; i < count; i++)
        if (out[i] == '/') out[i] = '.';
    memcpy(out + count, end, sizeof end);
    a->at += count + sizeof end;
    return out;
}

/* A linear layer's matrix under the name of its node, turned about. */
static void add_node(safetensors *s, size_t initializers, bytes_left b, arena *a) {
    field f;
    bytes_left name = {0}, input[2] = {{0}};
    size_t inputs = 0;
    bool multiplies = false;
    while (next_field(&b, &f) > 0) {
        if (f.kind != 2) continue;
        if (f.number == 1 && inputs++ < 2) input[inputs - 1] = f.bytes;
        if (f.number == 3) name = f.bytes;
        if (f.number == 4) multiplies = left(f.bytes) == 6 && memcmp(f.bytes.at, "MatMul", 6) == 0;
    }
    if (!multiplies || inputs != 2) return;
    for (size_t i = 0; i < initializers; i++) {
        const tensor *t = &s->list[i];
        if (strlen(t->name) != left(input[1]) || memcmp(t->name, input[1].at, left(input[1])) != 0 || t->rank != 2)
            continue;
        tensor turned = *t;
        if (!(turned.name = put_weight_name(a, name))) return;
        turned.shape[0] = t->shape[1], turned.shape[1] = t->shape[0];
        turned.transposed = true;
        s->list[s->count++] = turned;
        return;
    }
}

bool onnx_open(safetensors *s, const uint8_t *data, size_t bytes, char *error, size_t error_bytes) {
    enum { GRAPH = 7, NODE = 1, INITIALIZER = 5, MOST = 16384 };
    bytes_left model = {data, data + bytes}, graph = {0}, b;
    field f;
    int more;
    size_t count = 0, room = 0;
    *s = (safetensors){0};
    while ((more = next_field(&model, &f)) > 0)
        if (f.number == GRAPH && f.kind == 2) graph = f.bytes;
    if (more < 0 || !graph.at) return fail(error, error_bytes, "not a whole ONNX file (is it cut short?)");
    for (b = graph; (more = next_field(&b, &f)) > 0;)
        if ((f.number == NODE || f.number == INITIALIZER) && f.kind == 2) count++, room += 16;
    if (more < 0) return fail(error, error_bytes, "its graph is damaged (is it cut short?)");
    if (count > MOST) return fail(error, error_bytes, "its graph has more than 16,384 parts");
    /* names: those of initializers and, a few bytes longer, those of nodes */
    for (b = graph; next_field(&b, &f) > 0;) {
        if (f.kind != 2 || (f.number != NODE && f.number != INITIALIZER)) continue;
        bytes_left inner = f.bytes;
        uint64_t wanted = f.number == NODE ? 3 : 8;
        for (field g; next_field(&inner, &g) > 0;)
            if (g.number == wanted && g.kind == 2) room += left(g.bytes);
    }
    s->list = calloc(count ? count : 1, sizeof *s->list);
    s->names = malloc(room + 1);
    if (!s->list || !s->names) return safetensors_close(s), fail(error, error_bytes, "out of memory");
    arena a = {s->names};
    for (b = graph; next_field(&b, &f) > 0;) {
        bytes_left name = {0};
        if (f.number != INITIALIZER || f.kind != 2) continue;
        if (!read_tensor(f.bytes, &s->list[s->count], &name, error, error_bytes)) return safetensors_close(s), false;
        s->list[s->count++].name = put_name(&a, name);
    }
    size_t initializers = s->count;
    for (b = graph; next_field(&b, &f) > 0;)
        if (f.number == NODE && f.kind == 2) add_node(s, initializers, f.bytes, &a);
    return true;
}
