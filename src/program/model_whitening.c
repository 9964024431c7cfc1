/* A fit that `smartrouter whiten` wrote, as sections of a model: see model_source.h. */
#include "asset_write.h"
#include "program/files.h"
#include "program/fit.h"
#include "program/model_source.h"
#include <stdlib.h>
#include <string.h>

static bool same(sr_text a, const char *text, size_t bytes) {
    return a.bytes == bytes && (!bytes || memcmp(a.data, text, bytes) == 0);
}

static int take(sr_model_source *s, const char *path, const sr_router *fit, uint32_t exit, uint32_t layers,
                sr_source_whitening *out) {
    const sr_model_meta *m = &s->model.meta;
    sr_write_exit e;
    int rc = sr_write_exit_take(fit, exit, NULL, 0, &e, NULL, NULL);
    if (rc < 0) return rc;
    if (e.embedder != SR_EMBEDDER_ENCODER || e.dim != m->dim || e.pooling != m->pooling ||
        !same(e.model_id, m->id, m->id_bytes) || !same(e.prefix, m->prefix, m->prefix_bytes))
        return sr_source_fail(s, path, "made for %.*s (%u dimensions), not for this model", (int)e.model_id.bytes,
                              e.model_id.data, e.dim);
    if (e.layer > layers || (e.layer_mask && e.layer_mask != 1u << e.layer))
        return sr_source_fail(s, path, "layer %u is not written, or an exit joins several", e.layer);
    if (!e.mean || !e.map_rows) return sr_source_fail(s, path, "layer %u has no map", e.layer);
    size_t stride = ((size_t)e.dim + 63) / 64 * 64;
    float *mean = sr_source_own(s, e.dim * sizeof *mean),
          *map = sr_source_own(s, (size_t)e.row_dim * e.dim * sizeof *map);
    if (!mean || !map) return SR_E_MEMORY;
    memcpy(mean, e.mean, e.dim * sizeof *mean);
    for (size_t r = 0; r < e.row_dim; r++)
        for (size_t d = 0; d < e.dim; d++) map[r * e.dim + d] = (float)e.map_rows[r * stride + d] * e.map_scales[r];
    *out = (sr_source_whitening){e.layer, e.row_dim, mean, map};
    return 0;
}

int sr_source_whitening_read(sr_model_source *s, const char *path, sr_write_options *options) {
    file_bytes file;
    if (!file_read(path, &file)) return sr_source_fail(s, path, "cannot be read");
    const sr_router *fit = NULL;
    void *opened;
    int rc = fit_open(&file, &opened, &fit);
    if (rc < 0) rc = sr_source_fail(s, path, "%s (%s)", sr_error_text(rc), sr_error_name(rc));
    uint32_t count = rc < 0 ? 0 : sr_router_exit_count(fit);
    sr_source_whitening *all = sr_source_own(s, (count + 1) * sizeof *all);
    if (!all) rc = SR_E_MEMORY;
    for (uint32_t i = 0; i < count && rc >= 0; i++) rc = take(s, path, fit, i, options->layers, &all[i]);
    options->whitenings = all, options->whitening_count = count;
    free(opened);
    file_free(&file);
    return rc < 0 ? rc : 0;
}
