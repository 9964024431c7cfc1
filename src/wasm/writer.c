/* Exports of the writer: routes, texts and vectors to a route asset. See exports.h.
 *
 * JavaScript fills the records in place (writer_routes, writer_texts, writer_params), adds exits, hands over vectors,
 * and calls writer_finish. Strings and vectors stay the caller's until then.
 */
#include "asset_write.h"
#include "embed/model.h"
#include "exports.h"
#include "own_map.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint32_t bad;        /* 0: the utterance that an error is about, or 0xffffffff */
    uint32_t file_bytes; /* 4 */
    sr_write_asset asset;
    sr_write_route *routes;
    sr_text *texts;
    sr_write_exit exits[SR_MAX_EXITS];
    sr_route_params *params[SR_MAX_EXITS];
    float *heads[SR_MAX_EXITS];
    float *maps[SR_MAX_EXITS]; /* made by writer_finish of the whitenings */
    const float *whitening[SR_MAX_EXITS];
    uint32_t whitening_rows[SR_MAX_EXITS];
    void *file;
} writer_session;

#if defined(__wasm__)
#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type "." #member)
AT(sr_write_route, target, 24);
AT(sr_write_route, utterance_count, 32);
AT(sr_write_route, negative_count, 36);
AT(sr_route_params, margin, 4);
_Static_assert(sizeof(sr_write_route) == 40 && sizeof(sr_route_params) == 16 && sizeof(sr_text) == 8, "records");
#endif

static void *zeroed(size_t bytes) {
    void *p = sr_wasm_alloc(bytes);
    if (p) memset(p, 0, bytes);
    return p;
}

SR_EXPORT(writer_open) intptr_t sr_wasm_writer_open(uint32_t route_count, uint32_t utterance_count, uint32_t fallback) {
    if (route_count > SR_MAX_ROUTES || utterance_count > SR_MAX_UTTERANCES) return SR_E_LIMIT;
    writer_session *s = zeroed(sizeof *s);
    if (!s) return SR_E_MEMORY;
    s->routes = zeroed(route_count * sizeof *s->routes);
    s->texts = zeroed(utterance_count * sizeof *s->texts);
    if (!s->routes || !s->texts) {
        free(s->routes), free(s->texts), free(s);
        return SR_E_MEMORY;
    }
    s->asset.routes = s->routes;
    s->asset.route_count = route_count;
    s->asset.texts = s->texts;
    s->asset.utterance_count = utterance_count;
    s->asset.fallback = fallback;
    s->asset.exits = s->exits;
    return (intptr_t)s;
}
SR_EXPORT(writer_routes) sr_write_route *sr_wasm_writer_routes(writer_session *s) {
    return s->routes;
}
SR_EXPORT(writer_texts) sr_text *sr_wasm_writer_texts(writer_session *s) {
    return s->texts;
}
SR_EXPORT(writer_name) void sr_wasm_writer_name(writer_session *s, const char *name, size_t bytes) {
    s->asset.name = (sr_text){name, bytes};
}

/* A new exit with the writer's defaults. Returns its index. content as two halves: low, high. */
SR_EXPORT(writer_exit)
int sr_wasm_writer_exit(writer_session *s, uint32_t embedder, uint32_t layer, uint32_t dim, uint32_t pooling,
                        uint32_t content_low, uint32_t content_high, const char *id, size_t id_bytes,
                        const char *prefix, size_t prefix_bytes) {
    if (s->asset.exit_count == SR_MAX_EXITS) return SR_E_LIMIT;
    sr_write_exit *e = &s->exits[s->asset.exit_count];
    sr_write_exit_init(e);
    e->embedder = embedder;
    e->layer = layer;
    e->dim = e->row_dim = dim;
    e->pooling = pooling;
    e->model_content = (uint64_t)content_high << 32 | content_low;
    e->model_id = (sr_text){id, id_bytes};
    e->prefix = (sr_text){prefix, prefix_bytes};
    return (int)s->asset.exit_count++;
}

/* A fit, as a sr_wasm_router for which router_exit, router_route and the counts work. Close it with router_close, after
 * writer_finish: exits taken from it point into it. */
SR_EXPORT(fit_open) intptr_t sr_wasm_fit_open(const void *file, size_t file_bytes) {
    int64_t bytes = sr_fit_bytes(file, file_bytes);
    if (bytes < 0) return (intptr_t)bytes;
    void *memory;
    sr_wasm_router *s = sr_wasm_session(sizeof *s, bytes, &memory);
    if (!s) return SR_E_MEMORY;
    int code = sr_fit_open(memory, (size_t)bytes, file, file_bytes, &s->router);
    if (code < 0) return free(s), code;
    return (intptr_t)s;
}

/* The next exit from an opened fit. Routes' records must be filled before. Returns its index. */
SR_EXPORT(writer_take) int sr_wasm_writer_take(writer_session *s, const sr_wasm_router *fit, uint32_t exit) {
    uint32_t at = s->asset.exit_count, routes = s->asset.route_count;
    sr_exit_info info;
    int code = sr_router_exit(fit->router, exit, &info);
    if (code < 0) return code;
    if (at == SR_MAX_EXITS) return SR_E_LIMIT;
    s->params[at] = zeroed(routes * sizeof *s->params[at]);
    s->heads[at] = zeroed((size_t)routes * info.row_dim * sizeof(float));
    if (!s->params[at] || !s->heads[at]) return SR_E_MEMORY;
    sr_write_exit_init(&s->exits[at]);
    code = sr_write_exit_take(fit->router, exit, s->routes, routes, &s->exits[at], s->params[at], s->heads[at]);
    if (code < 0) return code;
    s->asset.exit_count++;
    return (int)at;
}

/* tau and margin by route, to be written over; the writer's defaults when there were none. */
SR_EXPORT(writer_params) sr_route_params *sr_wasm_writer_params(writer_session *s, uint32_t exit) {
    if (!s->params[exit]) {
        s->params[exit] = zeroed(s->asset.route_count * sizeof *s->params[exit]);
        for (uint32_t i = 0; s->params[exit] && i < s->asset.route_count; i++) s->params[exit][i].tau = -1;
    }
    s->exits[exit].params = s->params[exit];
    return s->params[exit];
}
SR_EXPORT(writer_aggregation) void sr_wasm_writer_aggregation(writer_session *s, uint32_t exit, uint32_t k) {
    s->exits[exit].aggregation_k = k;
}
SR_EXPORT(writer_low_margin) void sr_wasm_writer_low_margin(writer_session *s, uint32_t exit, uint32_t flags) {
    s->exits[exit].low_margin_flags = flags;
}
SR_EXPORT(writer_vectors) void sr_wasm_writer_vectors(writer_session *s, uint32_t exit, const float *vectors) {
    s->exits[exit].vectors = vectors;
}
/* The exit's map will be the whitening, map[rows][dim] of a vector less mean[dim], with the routes' own directions. */
SR_EXPORT(writer_whitening)
void sr_wasm_writer_whitening(writer_session *s, uint32_t exit, uint32_t rows, const float *mean, const float *map) {
    s->exits[exit].mean = mean;
    s->whitening[exit] = map;
    s->whitening_rows[exit] = rows;
}

static int learn_map(writer_session *s, uint32_t x) {
    sr_write_exit *e = &s->exits[x];
    uint32_t count = s->asset.route_count, rows = s->whitening_rows[x];
    size_t numbers = (size_t)sr_own_map_rows(s->routes, count, e->dim, rows) * e->dim;
    free(s->maps[x]);
    s->maps[x] = sr_wasm_alloc(numbers * sizeof(float));
    void *work = sr_wasm_alloc(sr_own_map_work_bytes(s->routes, count, e->dim, rows));
    int code =
        s->maps[x] && work ? sr_own_map(s->routes, count, e, s->whitening[x], rows, s->maps[x], work) : SR_E_MEMORY;
    free(work);
    return code;
}

/* Writes. Returns the file's address (the session's, file_bytes long) or a negative error; then see bad. */
SR_EXPORT(writer_finish)
intptr_t sr_wasm_writer_finish(writer_session *s, int rows_are_f32, int with_plane, int with_texts) {
    for (uint32_t x = 0; x < s->asset.exit_count; x++) {
        s->exits[x].rows_are_f32 = rows_are_f32 != 0;
        s->exits[x].with_plane = with_plane != 0;
    }
    s->asset.texts = with_texts ? s->texts : NULL;
    s->bad = SR_NO_UTTERANCE;
    for (uint32_t x = 0; x < s->asset.exit_count; x++) {
        int code = s->whitening[x] ? learn_map(s, x) : SR_OK;
        if (code < 0) return code;
    }
    int64_t bytes = sr_asset_write_bytes(&s->asset), work_bytes = sr_asset_write_work_bytes(&s->asset);
    if (bytes < 0) return (intptr_t)bytes;
    if (work_bytes < 0) return (intptr_t)work_bytes;
    free(s->file);
    s->file = bytes > INT32_MAX ? NULL : sr_wasm_alloc((size_t)bytes);
    void *work = work_bytes > INT32_MAX ? NULL : sr_wasm_alloc((size_t)work_bytes);
    int code = s->file && work ? sr_asset_write(&s->asset, work, (size_t)work_bytes, s->file, (size_t)bytes, &s->bad)
                               : SR_E_MEMORY;
    free(work);
    s->file_bytes = (uint32_t)bytes;
    return code < 0 ? code : (intptr_t)s->file;
}
