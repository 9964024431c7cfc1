/* Opens fits, and takes exits out of fits and assets as input of the writer: see asset_write.h. */
#include "asset_write.h"
#include <string.h>

int64_t sr_fit_bytes(const void *file, size_t file_bytes) {
    sr_container c;
    int rc = sr_container_open(file, file_bytes, "SRF1", SR_ASSET_VERSION, &c);
    return rc < 0 ? rc : (int64_t)(sizeof(struct sr_router) + 63) / 64 * 64;
}

int sr_fit_open(void *mem, size_t mem_bytes, const void *file, size_t file_bytes, const sr_router **out) {
    if (!mem || !file || !out) return SR_E_ARGUMENT;
    if ((uintptr_t)mem % 64 || mem_bytes < sizeof(struct sr_router)) return SR_E_MEMORY;
    int rc = sr_asset_parse(file, file_bytes, 1, mem);
    if (rc < 0) return rc;
    *out = mem;
    return SR_OK;
}

static int find_route(const sr_router *from, sr_text id) {
    for (uint32_t i = 0; i < from->route_count; i++) {
        sr_route_info info;
        sr_asset_route(from, i, &info);
        if (info.id.bytes == id.bytes && memcmp(info.id.data, id.data, id.bytes) == 0) return (int)i;
    }
    return -1;
}

int sr_write_exit_take(const sr_router *from, uint32_t exit, const sr_write_route *routes, uint32_t route_count,
                       sr_write_exit *out, sr_route_params *params, float *head) {
    if (!from || !out || (route_count && (!routes || !params))) return SR_E_ARGUMENT;
    if (exit >= from->exit_count) return SR_E_EXIT;
    const sr_asset_exit *e = &from->exits[exit];
    const sr_exit_info *x = &e->info;
    sr_write_exit_init(out);
    out->embedder = x->embedder, out->layer = x->layer, out->layer_mask = x->layer_mask, out->dim = x->dim,
    out->row_dim = x->row_dim;
    out->pooling = x->pooling, out->model_id = x->model_id, out->prefix = x->prefix;
    out->model_content = x->model_content;
    out->rows_are_f32 = x->row_is_f32, out->low_margin_flags = x->low_margin_flags;
    out->aggregation_k = x->aggregation_k;
    memcpy(out->calibration, e->calibration, sizeof out->calibration);
    out->stop_confidence = x->stop_confidence, out->negative_weight = e->negative_weight;
    out->mean = e->space.mean, out->map_rows = e->space.map, out->map_scales = e->space.map_scales;
    out->with_plane = x->has_plane;
    out->params = params;

    int found = 0;
    for (uint32_t i = 0; i < route_count; i++) {
        int at = find_route(from, routes[i].id);
        params[i] = at < 0 ? (sr_route_params){-1, 0, 0, 0} : e->params[at];
        found += at >= 0;
    }
    if (head && e->head && (uint32_t)found == route_count && from->route_count == route_count) {
        for (uint32_t i = 0; i < route_count; i++)
            memcpy(head + (size_t)i * x->row_dim, e->head + (size_t)find_route(from, routes[i].id) * x->row_dim,
                   x->row_dim * sizeof *head);
        out->head = head, out->head_blend = e->head_blend, out->head_temperature = e->head_temperature;
    }
    return found;
}
