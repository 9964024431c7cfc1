/* Exports of the pipeline: text to decision, exit by exit, so that JavaScript can let newer text in between. */
#include "exports.h"
#include <stdlib.h>

typedef struct {
    sr_wasm_router *router; /* results go to its decision, matches, why, xy */
    sr_pipeline *pipeline;
} pipeline_session;

SR_EXPORT(pipeline_close) void sr_wasm_pipeline_close(pipeline_session *s) {
    free(s);
}

/* model or table may be null; what is given must outlive the pipeline. */
SR_EXPORT(pipeline_open)
intptr_t sr_wasm_pipeline_open(sr_wasm_router *r, const sr_wasm_model *model, const sr_wasm_table *table) {
    const sr_model *m = model ? model->model : NULL;
    const sr_table *t = table ? table->table : NULL;
    int64_t bytes = sr_pipeline_bytes(r->router, m, t);
    if (bytes < 0) return (intptr_t)bytes;
    void *memory;
    pipeline_session *s = sr_wasm_session(sizeof *s, bytes, &memory);
    if (!s) return SR_E_MEMORY;
    s->router = r;
    int code = sr_pipeline_open(memory, (size_t)bytes, r->router, m, t, &s->pipeline);
    if (code < 0) return free(s), code;
    return (intptr_t)s;
}
SR_EXPORT(pipeline_usable) int sr_wasm_pipeline_usable(const pipeline_session *s, uint32_t exit) {
    return sr_pipeline_usable(s->pipeline, exit);
}
/* text stays the caller's until the next start. */
SR_EXPORT(pipeline_start) int sr_wasm_pipeline_start(pipeline_session *s, const char *text, size_t bytes) {
    return sr_pipeline_start(s->pipeline, text, bytes);
}
SR_EXPORT(pipeline_answer) int sr_wasm_pipeline_answer(pipeline_session *s, uint32_t exit, uint32_t why_cap) {
    sr_wasm_router *r = s->router;
    const sr_learned *learned = exit < SR_MAX_EXITS && r->learned[exit].count ? &r->learned[exit] : NULL;
    int code = sr_pipeline_answer(s->pipeline, exit, learned, &r->decision, r->matches, SR_MAX_ROUTES, r->why,
                                  why_cap < SR_WASM_WHY_CAP ? why_cap : SR_WASM_WHY_CAP);
    if (code < 0) return code;
    const float *vector = sr_pipeline_vector(s->pipeline);
    sr_exit_info info;
    r->has_xy = vector && sr_router_exit(r->router, exit, &info) >= 0 &&
                sr_router_plane(r->router, exit, vector, info.dim, r->work, r->work_bytes, r->xy) >= 0;
    return code;
}
SR_EXPORT(pipeline_read) int sr_wasm_pipeline_read(pipeline_session *s, uint32_t layer) {
    return sr_pipeline_read(s->pipeline, layer);
}
SR_EXPORT(pipeline_step) int sr_wasm_pipeline_step(pipeline_session *s, uint32_t layer) {
    return sr_pipeline_step(s->pipeline, layer);
}
/* The vector of the last answer, or null when the text was blank. Overwritten by the next answer. */
SR_EXPORT(pipeline_vector) const float *sr_wasm_pipeline_vector(const pipeline_session *s) {
    return sr_pipeline_vector(s->pipeline);
}
