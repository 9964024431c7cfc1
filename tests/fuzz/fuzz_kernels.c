/* The scalar kernels against every other set of this processor, bit for bit, on any numbers: NaN, infinities and
 * subnormals too. The first bytes say how many numbers, rows and tokens; the rest, over and over, are the numbers. */
#include "kernel/kernel.h"
#include "kernel/matmul.h"
#include "test.h"

enum { MOST = 520, ROWS = 9, STRIP = SR_MATMUL_STRIP };

static const uint8_t *source;
static size_t source_bytes, source_start;

/* The input's bytes, begun elsewhere each time and repeated. */
static void *filled(size_t bytes) {
    uint8_t *p = test_alloc(bytes);
    source_start = (source_start + 52) % source_bytes;
    for (size_t at = 0, n; at < bytes; at += n) {
        size_t from = at ? 0 : source_start, left = source_bytes - from;
        n = left < bytes - at ? left : bytes - at;
        memcpy(p + at, source + from, n);
    }
    return p;
}

static int8_t *filled_i8(size_t count) {
    int8_t *p = filled(count);
    for (size_t i = 0; i < count; i++)
        if (p[i] == -128) p[i] = 127; /* -128 is outside the contract */
    return p;
}

/* One bit pattern apart is a finding, but which NaN it is, is the processor's business. */
static void same(const void *a, const void *b, size_t bytes, int are_floats) {
    for (size_t i = 0; i < bytes; i += 4) {
        uint32_t x, y;
        memcpy(&x, (const char *)a + i, 4), memcpy(&y, (const char *)b + i, 4);
        int both_nan = are_floats && (x << 1) > 0xff000000u && (y << 1) > 0xff000000u;
        if (x != y && !both_nan) abort();
    }
}

static void matcher_kernels(const sr_kernels *k, size_t n, size_t rows) {
    const sr_kernels *s = &sr_kernels_scalar;
    size_t stride = (n + 63) / 64 * 64;
    float *q = filled(stride * 4), *f32 = filled(rows * stride * 4), a[ROWS], b[ROWS];
    int8_t *q8 = filled_i8(stride), *i8 = filled_i8(rows * stride);
    int32_t ia[ROWS], ib[ROWS];
    for (size_t r = 0; r < rows; r++) {
        memset(f32 + r * stride + n, 0, (stride - n) * 4);
        memset(i8 + r * stride + n, 0, stride - n);
    }
    if (s->dot_i8(q8 + stride - n, i8, n) != k->dot_i8(q8 + stride - n, i8, n)) abort();
    s->dots_i8(q8, i8, rows, stride, ia), k->dots_i8(q8, i8, rows, stride, ib);
    same(ia, ib, rows * 4, 0);
    a[0] = s->dot_f32(q + stride - n, f32, n), b[0] = k->dot_f32(q + stride - n, f32, n);
    same(a, b, 4, 1);
    a[0] = s->dot_f32_i8(q + stride - n, i8, n), b[0] = k->dot_f32_i8(q + stride - n, i8, n);
    same(a, b, 4, 1);
    s->dots_f32(q, f32, rows, stride, n, a), k->dots_f32(q, f32, rows, stride, n, b);
    same(a, b, rows * 4, 1);
    s->dots_f32_i8(q, i8, rows, stride, n, a), k->dots_f32_i8(q, i8, rows, stride, n, b);
    same(a, b, rows * 4, 1);
    free(q), free(f32), free(q8), free(i8);
}

/* One strip of a layer, from activations in floats to its output, and the functions beside it. */
static void encoder_strip(const sr_matmul_kernels *k, int nibbles, size_t cols, size_t tokens, size_t group,
                          int activation) {
    const sr_matmul_kernels *s = &sr_matmul_scalar;
    size_t groups = sr_matmul_groups(cols, group), sums = groups * tokens * STRIP;
    float *x = filled(tokens * cols * 4), *row_scale = filled(groups * STRIP * 4), *bias = filled(STRIP * 4);
    float *w = filled(cols * STRIP * 4), *scale[2], *y[2];
    size_t blocks = cols / SR_MATMUL_BLOCK, block_bytes = nibbles ? SR_MATMUL_NIBBLES_BLOCK : SR_MATMUL_BYTES_BLOCK;
    uint8_t *packed = filled(blocks * block_bytes);
    for (uint8_t *p = packed; p < packed + blocks * block_bytes; p += block_bytes) {
        for (size_t i = 0; i < SR_MATMUL_BYTES_BLOCK; i++) p[i] = (uint8_t)(nibbles ? p[i] % 16 : 1 + p[i] % 127);
        for (size_t r = 0; nibbles && r < STRIP; r++) {
            int16_t multiplier;
            memcpy(&multiplier, p + SR_MATMUL_BYTES_BLOCK + 4 * r, 2);
            multiplier %= SR_MATMUL_MULTIPLIER + 1;
            memcpy(p + SR_MATMUL_BYTES_BLOCK + 4 * r, &multiplier, 2);
            memcpy(p + SR_MATMUL_BYTES_BLOCK + 4 * r + 2, &multiplier, 2);
        }
    }
    int8_t *act[2];
    int16_t *start[2];
    int32_t *out[2];
    for (int i = 0; i < 2; i++) {
        const sr_matmul_kernels *m = i ? k : s;
        act[i] = test_alloc(tokens * cols), scale[i] = test_alloc(tokens * groups * 4);
        start[i] = test_alloc(tokens * blocks * 4), out[i] = test_alloc(sums * 4),
        y[i] = test_alloc(tokens * STRIP * 8);
        for (size_t t = 0; t < tokens; t++)
            m->quantise(x + t * cols, cols, group, act[i] + t * cols, scale[i] + t * groups, start[i] + t * blocks * 2);
        (nibbles ? m->nibbles : m->bytes)(act[i], start[i], tokens, packed, cols, group, out[i]);
        m->finish(out[i], tokens, groups, scale[i], row_scale, STRIP, bias, activation, y[i], STRIP);
        m->exact(x, tokens, w, cols, bias, activation, y[i] + tokens * STRIP, STRIP);
    }
    same(act[0], act[1], tokens * cols, 0), same(start[0], start[1], tokens * blocks * 4, 0);
    same(scale[0], scale[1], tokens * groups * 4, 1), same(out[0], out[1], sums * 4, 0);
    same(y[0], y[1], tokens * STRIP * 8, 1);
    for (int i = 0; i < 2; i++) free(act[i]), free(scale[i]), free(start[i]), free(out[i]), free(y[i]);
    free(x), free(row_scale), free(bias), free(w), free(packed);
}

static void encoder_vectors(const sr_matmul_kernels *k, size_t n) {
    const sr_matmul_kernels *s = &sr_matmul_scalar;
    float *x = filled(n * 4), *add = filled(n * 4), *gain = filled(n * 4), *bias = filled(n * 4),
          *x2 = test_alloc(n * 4);
    memcpy(x2, x, n * 4);
    float a = s->peak(x, n), b = k->peak(x2, n);
    same(&a, &b, 4, 1);
    s->add(x, add, n), k->add(x2, add, n);
    same(x, x2, n * 4, 1);
    s->norm(x, add, gain, bias, n, 1e-12f), k->norm(x2, add, gain, bias, n, 1e-12f);
    same(x, x2, n * 4, 1);
    if (s->unit(x, n) != k->unit(x2, n)) abort();
    same(x, x2, n * 4, 1);
    free(x), free(add), free(gain), free(bias), free(x2);
}

static void encoder_attention(const sr_matmul_kernels *k, size_t tokens, size_t head_dim, int with_bias) {
    enum { KEY_STRIDE = 8 };
    size_t bytes = tokens * head_dim * 4;
    float *q = filled(bytes), *q2 = test_alloc(bytes), *keys = filled(head_dim * KEY_STRIDE * 4), *v = filled(bytes);
    float *bias = filled((2 * tokens - 1) * 4), scores[2 * KEY_STRIDE];
    memcpy(q2, q, bytes);
    const float *used = with_bias ? bias : NULL;
    sr_matmul_scalar.attend(q, 0, tokens, keys, v, tokens, head_dim, KEY_STRIDE, head_dim, used, scores);
    /* in two parts, as an encoder that is asked for steps does */
    size_t part = tokens / 2;
    k->attend(q2, 0, part, keys, v, tokens, head_dim, KEY_STRIDE, head_dim, used, scores);
    k->attend(q2, part, tokens - part, keys, v, tokens, head_dim, KEY_STRIDE, head_dim, used, scores);
    same(q, q2, bytes, 1);
    free(q), free(q2), free(keys), free(v), free(bias);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static const char *const names[] = {"avx2"};
    if (bytes < 6) return 0;
    size_t n = (data[0] | data[1] << 8) % MOST, rows = 1 + data[2] % ROWS, tokens = 1 + data[3] % 5;
    source = data + 5, source_bytes = bytes - 5, source_start = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const sr_kernels *k = sr_kernels_by_name(names[i]);
        const sr_matmul_kernels *m = sr_matmul_by_name(names[i]);
        if (!k || !m) continue; /* not this processor's */
        matcher_kernels(k, n, rows);
        int nibbles = data[4] & 8, wide = nibbles || data[4] & 1, activation = (data[4] >> 1) % 4 - 1;
        encoder_strip(m, nibbles, 32 + n / 32 * 32, tokens, wide ? SR_MATMUL_GROUP : SR_MATMUL_FINE_GROUP, activation);
        encoder_vectors(m, 8 + n / 8 * 8);
        encoder_attention(m, tokens, 8 + n % 16 * 8, data[4] >> 7);
    }
    return 0;
}
