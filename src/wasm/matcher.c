/* Exports of the matcher: memory, error names, route assets. See exports.h. */
#include "exports.h"
#include "kernel/kernel.h"
#include <stdlib.h>
#include <string.h>

#if defined(__wasm__)
#define AT(type, member, offset) _Static_assert(offsetof(type, member) == (offset), #type "." #member)
AT(sr_decision, flags, 12);
AT(sr_decision, confidence, 24);
AT(sr_decision, why_count, 32);
AT(sr_wasm_router, xy, 36);
AT(sr_wasm_router, matches, 48);
AT(sr_wasm_router, why, 2096);
AT(sr_wasm_router, learned, 2288);
AT(sr_wasm_router, info, 2800);
AT(sr_route_info, target, 24);
AT(sr_route_info, negative_count, 40);
AT(sr_utterance_info, negative, 12);
AT(sr_exit_info, has_map, 20);
AT(sr_exit_info, stop_confidence, 40);
AT(sr_exit_info, model_content, 56);
AT(sr_exit_info, prefix, 64);
AT(sr_exit_info, pooling, 72);
AT(sr_exit_info, layer_mask, 76);
AT(sr_exit_info, layer_mask, 76);
#endif

SR_EXPORT(alloc) void *sr_wasm_alloc(size_t bytes) {
    /* everything at 64: assets and kernels want it, and one rule is easier to keep than two */
    if (bytes > INT32_MAX - 64) return NULL;
    return aligned_alloc(64, bytes ? (bytes + 63) & ~(size_t)63 : 64);
}
SR_EXPORT(release) void sr_wasm_free(void *p) {
    free(p);
}

void *sr_wasm_session(size_t session_bytes, int64_t bytes, void **memory) {
    size_t start = (session_bytes + 63) & ~(size_t)63;
    char *s = bytes > INT32_MAX ? NULL : sr_wasm_alloc(start + (size_t)bytes);
    if (!s) return NULL;
    *memory = s + start;
    return memset(s, 0, session_bytes);
}

SR_EXPORT(version) const char *sr_wasm_version(void) {
    return SR_VERSION;
}
/* what this module was built for: "scalar", "simd128", "relaxed" */
SR_EXPORT(variant) const char *sr_wasm_variant(void) {
    return sr_kernels_best()->name;
}
SR_EXPORT(error_name) const char *sr_wasm_error_name(int code) {
    return sr_error_name(code);
}
SR_EXPORT(error_text) const char *sr_wasm_error_text(int code) {
    return sr_error_text(code);
}

SR_EXPORT(router_close) void sr_wasm_router_close(sr_wasm_router *s) {
    if (!s) return;
    free(s->work);
    free(s);
}

/* The asset bytes stay the caller's and must outlive the sr_wasm_router. Returns a sr_wasm_router or a negative error.
 */
SR_EXPORT(router_open) intptr_t sr_wasm_router_open(const void *asset, size_t asset_bytes) {
    int64_t bytes = sr_router_bytes(asset, asset_bytes);
    if (bytes < 0) return (intptr_t)bytes;
    void *memory;
    sr_wasm_router *s = sr_wasm_session(sizeof *s, bytes, &memory);
    if (!s) return SR_E_MEMORY;
    int code = sr_router_open(memory, (size_t)bytes, asset, asset_bytes, &s->router);
    if (code >= 0) {
        s->work_bytes = sr_router_work_bytes(s->router);
        s->work = sr_wasm_alloc(s->work_bytes);
        if (!s->work) code = SR_E_MEMORY;
    }
    if (code < 0) {
        sr_wasm_router_close(s);
        return code;
    }
    return (intptr_t)s;
}

SR_EXPORT(router_route_count) uint32_t sr_wasm_route_count(const sr_wasm_router *s) {
    return sr_router_route_count(s->router);
}
SR_EXPORT(router_utterance_count) uint32_t sr_wasm_utterance_count(const sr_wasm_router *s) {
    return sr_router_utterance_count(s->router);
}
SR_EXPORT(router_exit_count) uint32_t sr_wasm_exit_count(const sr_wasm_router *s) {
    return sr_router_exit_count(s->router);
}
SR_EXPORT(router_fallback) uint32_t sr_wasm_fallback(const sr_wasm_router *s) {
    return sr_router_fallback(s->router);
}
/* 64-bit values leave through info: not every host passes them as arguments */
SR_EXPORT(router_content) void sr_wasm_content(sr_wasm_router *s) {
    s->info.exit.model_content = sr_router_content(s->router);
}

SR_EXPORT(router_route) int sr_wasm_route(sr_wasm_router *s, uint32_t route) {
    return sr_router_route(s->router, route, &s->info.route);
}
SR_EXPORT(router_utterance) int sr_wasm_utterance(sr_wasm_router *s, uint32_t utterance) {
    return sr_router_utterance(s->router, utterance, &s->info.utterance);
}
SR_EXPORT(router_exit) int sr_wasm_exit(sr_wasm_router *s, uint32_t exit) {
    return sr_router_exit(s->router, exit, &s->info.exit);
}
SR_EXPORT(router_thresholds) int sr_wasm_thresholds(sr_wasm_router *s, uint32_t exit, uint32_t route) {
    return sr_router_thresholds(s->router, exit, route, &s->info.thresholds[0], &s->info.thresholds[1]);
}

/* Decides, with the learned utterances of that exit; fills decision, matches, why and, when the asset has a plane, xy.
 */
SR_EXPORT(router_match)
int sr_wasm_match(sr_wasm_router *s, uint32_t exit, const float *query, size_t dim, uint32_t why_cap) {
    const sr_learned *learned = exit < SR_MAX_EXITS && s->learned[exit].count ? &s->learned[exit] : NULL;
    int code = sr_router_match(s->router, exit, query, dim, learned, s->work, s->work_bytes, &s->decision, s->matches,
                               SR_MAX_ROUTES, s->why, why_cap < SR_WASM_WHY_CAP ? why_cap : SR_WASM_WHY_CAP);
    if (code >= 0) s->has_xy = sr_router_plane(s->router, exit, query, dim, s->work, s->work_bytes, s->xy) >= 0;
    return code;
}
SR_EXPORT(router_project)
int sr_wasm_project(sr_wasm_router *s, uint32_t exit, const float *query, size_t dim, float *row) {
    return sr_router_project(s->router, exit, query, dim, s->work, s->work_bytes, row);
}
SR_EXPORT(router_plane_utterance) int sr_wasm_plane_utterance(sr_wasm_router *s, uint32_t exit, uint32_t utterance) {
    return sr_router_plane_utterance(s->router, exit, utterance, s->xy);
}
