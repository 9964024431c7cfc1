/* Writing adapters, and building them into models; see adapt_file.h. */
#include "program/adapt_file.h"
#include "program/files.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SECTION_META = 1, SECTION_LAYER = 2, META_BYTES = 32 };

bool adapt_file_write(const char *path, const adapt_net *net, const float *numbers) {
    sr_section list[1 + SR_MODEL_MAX_LAYERS] = {{SECTION_META, 0, 0, META_BYTES, 0}};
    uint32_t n = 1;
    for (uint32_t l = net->from + 1; l <= net->to; l++)
        list[n++] = (sr_section){SECTION_LAYER, l, 0, net->at.count * 4, 0};
    uint64_t total = sr_container_layout(list, n);
    uint8_t *file = memory(total);
    const uint32_t meta[] = {net->model->meta.dim, net->model->meta.ffn_dim, net->from + 1, net->to};
    for (uint32_t i = 0; i < 4; i++) sr_store32(file + list[0].offset + 4 * i, meta[i]);
    for (uint32_t i = 1; i < n; i++)
        for (size_t k = 0; k < net->at.count; k++) {
            uint32_t bits;
            memcpy(&bits, &numbers[(i - 1) * net->at.count + k], 4);
            sr_store32(file + list[i].offset + 4 * k, bits);
        }
    sr_container_seal(file, list, n, "SRA1", 1);
    bool fine = file_write(path, file, total);
    free(file);
    return fine;
}

static void *owned(sr_model_source *s, size_t bytes) {
    void *p = sr_source_own(s, bytes);
    if (!p) sr_source_fail(s, NULL, "out of memory");
    return p;
}

static float gain_at(const float *gain, size_t blocks, size_t row, size_t block) {
    const size_t strip = SR_MATMUL_STRIP;
    return gain[(row / strip * blocks + block) * strip + row % strip];
}

/* A copy with every block times its gain. */
static int scale_blocks(sr_model_source *s, sr_source_matrix *w, const float *gain) {
    size_t blocks = w->cols / ADAPT_BLOCK, row_bytes = w->q4 ? blocks * 18 : (size_t)w->cols * 4;
    uint8_t *copy = owned(s, w->rows * row_bytes);
    if (!copy) return SR_E_MEMORY;
    memcpy(copy, w->q4 ? (const void *)w->q4 : (const void *)w->f32, w->rows * row_bytes);
    for (size_t r = 0; r < w->rows; r++) {
        if (!w->q4)
            for (size_t c = 0; c < w->cols; c++)
                ((float *)(void *)copy)[r * w->cols + c] *= gain_at(gain, blocks, r, c / ADAPT_BLOCK);
        for (size_t b = 0; w->q4 && b < blocks; b++) {
            uint8_t *p = copy + r * row_bytes + b * 18;
            float scale = sr_half_to_float((uint16_t)(p[0] | p[1] << 8)) * gain_at(gain, blocks, r, b);
            uint16_t half = sr_float_to_half(scale);
            p[0] = (uint8_t)half, p[1] = (uint8_t)(half >> 8);
        }
    }
    if (w->q4)
        w->q4 = copy;
    else
        w->f32 = (float *)(void *)copy;
    return 0;
}

static int adapt_layer(sr_model_source *s, sr_source_layer *y, const float *n, const adapt_layout *at) {
    const size_t dim = s->model.meta.dim, gains = dim * (dim / ADAPT_BLOCK);
    struct {
        sr_source_matrix *matrix;
        const float *gain;
    } const scaled[] = {
        {&y->q, n + at->qkv_gain},   {&y->k, n + at->qkv_gain + gains}, {&y->v, n + at->qkv_gain + 2 * gains},
        {&y->out, n + at->out_gain}, {&y->up, n + at->up_gain},         {&y->down, n + at->down_gain}};
    for (int i = 0; i < 6; i++)
        if (scale_blocks(s, scaled[i].matrix, scaled[i].gain) < 0) return SR_E_MEMORY;
    y->q_bias = n + at->qkv_bias, y->k_bias = y->q_bias + dim, y->v_bias = y->k_bias + dim;
    y->out_bias = n + at->out_bias, y->up_bias = n + at->up_bias, y->down_bias = n + at->down_bias;
    y->attention_gain = n + at->attention_norm, y->attention_shift = y->attention_gain + dim;
    y->output_gain = n + at->output_norm, y->output_shift = y->output_gain + dim;
    return 0;
}

static int read_adapter(sr_model_source *s, const char *path, const uint8_t *file, size_t bytes) {
    const sr_model_meta *m = &s->model.meta;
    sr_container c;
    sr_section section;
    int rc = sr_container_open(file, bytes, "SRA1", 1, &c);
    if (rc >= 0 && sr_container_find(&c, SECTION_META, 0, &section) < 0) rc = SR_E_FORMAT;
    if (rc >= 0) rc = sr_container_verify(&c, &section, bytes);
    if (rc >= 0 && section.bytes != META_BYTES) rc = SR_E_FORMAT;
    if (rc < 0) return sr_source_fail(s, path, "not an adapter: %s", sr_error_text(rc));
    const uint8_t *meta = file + section.offset;
    uint32_t dim = sr_load32(meta), ffn = sr_load32(meta + 4), from = sr_load32(meta + 8), to = sr_load32(meta + 12);
    if (dim != m->dim || ffn != m->ffn_dim || from < 1 || from > to || to > m->layers)
        return sr_source_fail(s, path, "made for layers %u to %u of %u and %u numbers, not for this model", from, to,
                              dim, ffn);
    adapt_layout at = adapt_layout_of(dim, ffn);
    for (uint32_t l = from; l <= to; l++) {
        if (sr_container_find(&c, SECTION_LAYER, l, &section) < 0 || section.bytes != at.count * 4 ||
            sr_container_verify(&c, &section, bytes) < 0)
            return sr_source_fail(s, path, "layer %u is missing or damaged", l);
        float *numbers = owned(s, at.count * sizeof *numbers);
        if (!numbers) return SR_E_MEMORY;
        for (size_t i = 0; i < at.count; i++) {
            uint32_t bits = sr_load32(file + section.offset + 4 * i);
            memcpy(&numbers[i], &bits, 4);
            if (!isfinite(numbers[i])) return sr_source_fail(s, path, "layer %u has a number that is none", l);
        }
        if (adapt_layer(s, &s->model.layer[l - 1], numbers, &at) < 0) return SR_E_MEMORY;
    }
    return 0;
}

int sr_source_adapt(sr_model_source *s, const char *path) {
    size_t bytes;
    uint8_t *file = sr_read_file(path, &bytes);
    if (!file) return sr_source_fail(s, path, "%s", strerror(errno));
    int rc = read_adapter(s, path, file, bytes);
    free(file);
    return rc;
}
