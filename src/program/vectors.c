/* Many texts to vectors, on all cores: one encoder a thread, each text read once for all exits. */
#include "program/vectors.h"
#include "program/cli.h"
#include "program/files.h"
#include "program/parallel.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const sr_text *texts;
    sr_encoder **encoders;
    void **memories;
    const sr_table *table;
    size_t table_bytes;
    const uint32_t *masks;
    uint32_t mask_count, all; /* all: the masks together */
    size_t dim;
    float **out;
    int *failures; /* a thread's first error */
    size_t *failed_at;
} many;

static void encode_one(void *context, int thread, size_t i) {
    many *m = context;
    sr_encoder *e = m->encoders[thread];
    float *pooled = m->memories[thread], *at[SR_MAX_EXITS];
    int rc = sr_encoder_start(e, m->texts[i].data, m->texts[i].bytes);
    for (uint32_t k = 0; k < m->mask_count; k++)
        at[k] = m->out[k] + i * m->dim * (size_t)__builtin_popcount(m->masks[k]);
    for (uint32_t l = 0; l < SR_MAX_EXITS && m->all >> l && rc >= 0; l++) {
        if (!(m->all >> l & 1)) continue;
        rc = sr_encoder_advance(e, l, pooled);
        for (uint32_t k = 0; k < m->mask_count && rc >= 0; k++)
            if (m->masks[k] >> l & 1) memcpy(at[k], pooled, m->dim * sizeof(float)), at[k] += m->dim;
    }
    if (rc < 0 && !m->failures[thread]) m->failures[thread] = rc, m->failed_at[thread] = i;
}

static void table_one(void *context, int thread, size_t i) {
    many *m = context;
    int rc = sr_table_embed(m->table, m->texts[i].data, m->texts[i].bytes, m->memories[thread], m->table_bytes,
                            m->out[0] + i * m->dim);
    if (rc < 0 && rc != SR_E_ZERO && !m->failures[thread]) m->failures[thread] = rc, m->failed_at[thread] = i;
}

static bool finish(many *m, int threads, uint32_t outs) {
    bool fine = true;
    for (int t = 0; t < threads; t++) {
        if (m->failures[t] && fine) {
            cli_error("text number %zu: %s (%s)", m->failed_at[t] + 1, sr_error_text(m->failures[t]),
                      sr_error_name(m->failures[t]));
            fine = false;
        }
        free(m->memories[t]);
    }
    for (uint32_t l = 0; !fine && l < outs; l++) free(m->out[l]);
    free(m->memories), free(m->encoders), free(m->failures), free(m->failed_at);
    return fine;
}

static many prepare(const sr_text *texts, int threads, size_t dim, float **out) {
    size_t n = (size_t)threads;
    return (many){.texts = texts,
                  .encoders = memory(sizeof(sr_encoder *) * n),
                  .memories = memory(sizeof(void *) * n),
                  .dim = dim,
                  .out = out,
                  .failures = memory(sizeof(int) * n),
                  .failed_at = memory(sizeof(size_t) * n)};
}

bool vectors_encode(const sr_model *model, const sr_text *texts, size_t count, const uint32_t *masks,
                    uint32_t mask_count, int threads, float **out) {
    sr_model_info info;
    int64_t need = sr_encoder_bytes(model);
    int rc = need < 0 ? (int)need : sr_model_info_get(model, &info);
    if (rc < 0) return cli_error("%s (%s)", sr_error_text(rc), sr_error_name(rc)), false;
    uint32_t all = 0;
    for (uint32_t k = 0; k < mask_count; k++) all |= masks[k];
    if (info.layers < 31 && all >> (info.layers + 1)) {
        cli_error("the model has %u layers; an exit asks for more", info.layers);
        return false;
    }
    threads = parallel_threads(threads, count);
    many m = prepare(texts, threads, info.dim, out);
    m.masks = masks, m.mask_count = mask_count, m.all = all;
    size_t pooled_bytes = ((size_t)info.dim * sizeof(float) + 63) / 64 * 64;
    for (int t = 0; t < threads; t++) {
        m.memories[t] = memory(pooled_bytes + (size_t)need);
        rc = sr_encoder_open((char *)m.memories[t] + pooled_bytes, (size_t)need, model, &m.encoders[t]);
        if (rc < 0) m.failures[t] = rc;
    }
    for (uint32_t k = 0; k < mask_count; k++)
        out[k] = memory(count * info.dim * (size_t)__builtin_popcount(masks[k]) * sizeof(float));
    if (rc >= 0) parallel_for(count, threads, count > 200 ? "encoding" : NULL, encode_one, &m);
    return finish(&m, threads, mask_count);
}

bool vectors_table(const sr_table *table, const sr_text *texts, size_t count, int threads, float **out) {
    threads = parallel_threads(threads, count);
    many m = prepare(texts, threads, sr_table_dim(table), out);
    m.table = table, m.table_bytes = sr_table_work_bytes(table);
    for (int t = 0; t < threads; t++) m.memories[t] = memory(m.table_bytes);
    out[0] = memory(count * m.dim * sizeof(float));
    parallel_for(count, threads, NULL, table_one, &m);
    return finish(&m, threads, 1);
}
