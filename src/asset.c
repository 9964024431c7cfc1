/* Reads a route asset: refuses every file that ASSET.md does not allow, before anything is used. */
#include "asset.h"
#include <string.h>

static int all_zero(const void *p, size_t bytes) {
    const uint8_t *b = p;
    uint8_t any = 0;
    for (size_t i = 0; i < bytes; i++) any |= b[i];
    return any == 0;
}

/* Finite and within +-SR_MAX_STORED; false for NaN, whose comparisons all fail. */
static int number_ok(float v) {
    return v >= -SR_MAX_STORED && v <= SR_MAX_STORED;
}

static int numbers_ok(const float *v, size_t count) {
    int bad = 0;
    for (size_t i = 0; i < count; i++) bad |= !(v[i] >= -SR_MAX_STORED && v[i] <= SR_MAX_STORED);
    return !bad;
}

static float load_f32(const uint8_t *p) {
    uint32_t bits = sr_load32(p);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* A reference into STRINGS. All of STRINGS is valid UTF-8, so a piece that starts and ends between characters is, too:
 * constant time, where checking the piece itself would let overlapping references cost the square of the file. */
static int read_text(const struct sr_router *r, const uint8_t *p, sr_text *out) {
    uint32_t offset = sr_load32(p), bytes = sr_load32(p + 4);
    if (offset > r->strings_bytes || bytes > r->strings_bytes - offset) return SR_E_FORMAT;
    if (bytes == 0 && offset != 0) return SR_E_FORMAT; /* an empty text is written one way only */
    const uint8_t *s = r->strings + offset;
    uint64_t end = (uint64_t)offset + bytes;
    if (bytes && (s[0] & 0xC0) == 0x80) return SR_E_UTF8;
    if (end < r->strings_bytes && bytes && (r->strings[end] & 0xC0) == 0x80) return SR_E_UTF8;
    out->data = (const char *)s;
    out->bytes = bytes;
    return SR_OK;
}

/* A section that must (required) or may be there with exactly `bytes` bytes; null when absent. */
static int get(const struct sr_router *r, uint32_t kind, uint32_t index, int required, uint64_t bytes,
               const void **out) {
    sr_section s;
    *out = NULL;
    if (sr_container_find(&r->container, kind, index, &s) < 0) return required ? SR_E_FORMAT : SR_OK;
    if (s.bytes != bytes) return SR_E_FORMAT;
    *out = r->container.file + s.offset;
    return SR_OK;
}

static int check_sections(const struct sr_router *r, size_t available, int is_fit) {
    int seen_exits = 0;
    for (uint32_t i = 0; i < r->container.section_count; i++) {
        sr_section s;
        sr_container_section(&r->container, i, &s);
        int rc = sr_container_verify(&r->container, &s, available);
        if (rc) return rc;
        if (s.kind == SR_KIND_NOTES) {
            if (s.index != 0) return SR_E_FORMAT;
            if (!sr_utf8_valid(r->container.file + s.offset, (size_t)s.bytes)) return SR_E_UTF8;
        } else if (s.kind & 0x80000000u) {
            continue;
        } else if (s.kind < SR_KIND_META || s.kind > SR_KIND_PLANE) {
            return SR_E_UNSUPPORTED;
        } else if (s.kind < SR_KIND_EXIT) {
            if (s.index != 0) return SR_E_FORMAT;
            if (is_fit && s.kind == SR_KIND_UTTERANCES) return SR_E_FORMAT;
        } else {
            if (is_fit && (s.kind == SR_KIND_ROWS || s.kind == SR_KIND_SCALES || s.kind == SR_KIND_PLANE))
                return SR_E_FORMAT;
            if (s.kind == SR_KIND_EXIT) seen_exits++;
        }
    }
    return seen_exits;
}

static int read_meta(struct sr_router *r, int is_fit, int exit_sections) {
    const void *section;
    sr_section s;
    int rc = get(r, SR_KIND_META, 0, 1, SR_META_BYTES, &section);
    if (rc) return rc;
    const uint8_t *meta = section;
    r->route_count = sr_load32(meta);
    r->utterance_count = sr_load32(meta + 4);
    r->exit_count = sr_load32(meta + 8);
    r->fallback = sr_load32(meta + 12);
    uint32_t flags = sr_load32(meta + 16);
    r->has_texts = flags & 1;
    if (flags > 1 || !all_zero(meta + 28, SR_META_BYTES - 28)) return SR_E_FORMAT;
    if (r->route_count > SR_MAX_ROUTES || r->utterance_count > SR_MAX_UTTERANCES || r->exit_count > SR_MAX_EXITS)
        return SR_E_LIMIT;
    if (r->exit_count == 0 || (uint32_t)exit_sections != r->exit_count) return SR_E_FORMAT;
    if (is_fit) {
        if (r->utterance_count || r->has_texts || r->fallback) return SR_E_FORMAT;
    } else if (r->route_count == 0 || r->utterance_count == 0 || r->fallback >= r->route_count) {
        return SR_E_FORMAT;
    }

    if (sr_container_find(&r->container, SR_KIND_STRINGS, 0, &s) < 0) return SR_E_FORMAT;
    if (s.bytes > UINT32_MAX) return SR_E_LIMIT;
    r->strings = r->container.file + s.offset;
    r->strings_bytes = s.bytes;
    if (!sr_utf8_valid(r->strings, (size_t)s.bytes)) return SR_E_UTF8;
    if (sr_container_find(&r->container, SR_KIND_NOTES, 0, &s) >= 0)
        r->notes = (sr_text){(const char *)r->container.file + s.offset, (size_t)s.bytes};
    return read_text(r, meta + 20, &r->name);
}

void sr_asset_route(const struct sr_router *r, uint32_t route, sr_route_info *out) {
    const uint8_t *p = r->routes + (size_t)route * SR_ROUTE_BYTES;
    sr_text *texts[4] = {&out->id, &out->label, &out->description, &out->target};
    for (int i = 0; i < 4; i++) {
        texts[i]->data = (const char *)r->strings + sr_load32(p + 8 * i);
        texts[i]->bytes = sr_load32(p + 8 * i + 4);
    }
    out->first_utterance = sr_load32(p + 32);
    out->utterance_count = sr_load32(p + 36);
    out->negative_count = sr_load32(p + 40);
}

static int same_text(sr_text a, sr_text b) {
    return a.bytes == b.bytes && memcmp(a.data, b.data, a.bytes) == 0;
}

static int read_routes(struct sr_router *r, int is_fit) {
    const void *section;
    int rc = get(r, SR_KIND_ROUTES, 0, r->route_count > 0, (uint64_t)r->route_count * SR_ROUTE_BYTES, &section);
    if (rc) return rc;
    r->routes = section;
    uint64_t next = 0;
    for (uint32_t i = 0; i < r->route_count; i++) {
        const uint8_t *p = r->routes + (size_t)i * SR_ROUTE_BYTES;
        sr_text text;
        for (int t = 0; t < 4; t++)
            if ((rc = read_text(r, p + 8 * t, &text)) < 0) return rc;
        sr_route_info info, other;
        sr_asset_route(r, i, &info);
        if (info.id.bytes == 0 || info.id.bytes > SR_MAX_ID_BYTES) return SR_E_FORMAT;
        for (uint32_t j = 0; j < i; j++) {
            sr_asset_route(r, j, &other);
            if (same_text(info.id, other.id)) return SR_E_FORMAT;
        }
        if (info.first_utterance != next || info.negative_count > info.utterance_count) return SR_E_FORMAT;
        if (info.utterance_count == info.negative_count && i != r->fallback && !is_fit) return SR_E_FORMAT;
        next += info.utterance_count;
        if (!all_zero(p + 44, SR_ROUTE_BYTES - 44)) return SR_E_FORMAT;
    }
    return next == r->utterance_count ? SR_OK : SR_E_FORMAT;
}

void sr_asset_utterance(const struct sr_router *r, uint32_t utterance, sr_utterance_info *out) {
    const uint8_t *p = r->utterances + (size_t)utterance * SR_UTTERANCE_BYTES;
    out->text.data = (const char *)r->strings + sr_load32(p);
    out->text.bytes = sr_load32(p + 4);
    out->route = sr_load32(p + 8);
    out->negative = sr_load32(p + 12);
}

static int read_utterances(struct sr_router *r) {
    const void *section;
    int rc = get(r, SR_KIND_UTTERANCES, 0, 1, (uint64_t)r->utterance_count * SR_UTTERANCE_BYTES, &section);
    if (rc) return rc;
    r->utterances = section;
    for (uint32_t i = 0; i < r->route_count; i++) {
        sr_route_info route;
        sr_asset_route(r, i, &route);
        for (uint32_t j = 0; j < route.utterance_count; j++) {
            const uint8_t *p = r->utterances + (size_t)(route.first_utterance + j) * SR_UTTERANCE_BYTES;
            sr_text text;
            if ((rc = read_text(r, p, &text)) < 0) return rc;
            if (text.bytes && !r->has_texts) return SR_E_FORMAT;
            uint32_t negative = j >= route.utterance_count - route.negative_count;
            if (sr_load32(p + 8) != i || sr_load32(p + 12) != negative) return SR_E_FORMAT;
        }
    }
    return SR_OK;
}

/* int8 rows: no -128 (kernels may not be exact for it), zeros in the padding, a direction in each. */
static int check_rows_i8(const struct sr_router *r, const int8_t *rows, size_t count, uint32_t dim, const float *scales,
                         int unit) {
    size_t stride = sr_row_stride(dim, 0);
    for (size_t i = 0; i < count; i++, rows += stride) {
        int bad = 0;
        for (size_t j = 0; j < stride; j++) bad |= rows[j] == -128;
        if (bad || !all_zero(rows + dim, stride - dim)) return SR_E_FORMAT;
        int32_t square = r->kernels->dot_i8(rows, rows, stride);
        if (square == 0) return SR_E_ZERO;
        if (!number_ok(scales[i])) return SR_E_NAN;
        if (!(scales[i] > 0)) return SR_E_FORMAT;
        /* a utterance's row times its scale has length 1: otherwise the score would not be a cosine */
        double length = (double)scales[i] * scales[i] * square;
        if (unit && !(length > 1 - 1e-5 && length < 1 + 1e-5)) return SR_E_FORMAT;
    }
    return SR_OK;
}

static int check_rows_f32(const struct sr_router *r, const float *rows, size_t count, uint32_t dim) {
    size_t stride = sr_row_stride(dim, 1) / sizeof(float);
    for (size_t i = 0; i < count; i++, rows += stride) {
        if (!numbers_ok(rows, stride)) return SR_E_NAN;
        if (!all_zero(rows + dim, (stride - dim) * sizeof(float))) return SR_E_FORMAT;
        if (all_zero(rows, dim * sizeof(float))) return SR_E_ZERO;
        float square = r->kernels->dot_f32(rows, rows, dim);
        if (!(square > 1 - 1e-3f && square < 1 + 1e-3f)) return SR_E_FORMAT;
    }
    return SR_OK;
}

static int in_range(float v, float low, float high) {
    return v >= low && v <= high;
}

/* The 128 bytes of EXIT. */
static int read_exit_record(struct sr_router *r, const uint8_t *p, sr_asset_exit *e) {
    sr_exit_info *x = &e->info;
    uint32_t flags = sr_load32(p + 16);
    x->embedder = sr_load32(p);
    x->layer = sr_load32(p + 4);
    x->dim = sr_load32(p + 8);
    x->row_dim = sr_load32(p + 12);
    x->row_is_f32 = flags & 1;
    x->low_margin_flags = flags >> 1 & 1;
    x->aggregation_k = sr_load32(p + 20);
    e->head_blend = load_f32(p + 24);
    e->head_temperature = load_f32(p + 28);
    for (int i = 0; i < 4; i++) e->calibration[i] = load_f32(p + 32 + 4 * i);
    x->stop_confidence = load_f32(p + 48);
    x->pooling = sr_load32(p + 68);
    x->model_content = sr_load64(p + 72);
    e->negative_weight = load_f32(p + 80);
    x->layer_mask = sr_load32(p + 84);
    int rc = read_text(r, p + 52, &x->model_id);
    if (rc == SR_OK) rc = read_text(r, p + 60, &x->prefix);
    if (rc) return rc;
    if (flags > 3 || !all_zero(p + 88, SR_EXIT_BYTES - 88)) return SR_E_FORMAT;
    if (x->embedder > SR_EMBEDDER_EXTERNAL || x->pooling > SR_POOL_NONE || x->model_id.bytes == 0) return SR_E_FORMAT;
    if (x->embedder != SR_EMBEDDER_ENCODER && (x->layer != 0 || x->layer_mask != 0)) return SR_E_FORMAT;
    if (x->embedder == SR_EMBEDDER_ENCODER) {
        if (x->layer >= SR_MAX_EXITS) return SR_E_LIMIT;
        if (x->layer_mask == 0) x->layer_mask = 1u << x->layer;
        if (x->layer_mask >> x->layer != 1) return SR_E_FORMAT;
    }
    if (x->embedder == SR_EMBEDDER_EXTERNAL && x->model_content != 0) return SR_E_FORMAT;
    if (x->dim > SR_MAX_DIM || x->aggregation_k > SR_MAX_TOP_K) return SR_E_LIMIT;
    if (x->dim < SR_MIN_DIM || x->row_dim < SR_MIN_DIM || x->row_dim > x->dim) return SR_E_FORMAT;
    if (x->aggregation_k == 0) return SR_E_FORMAT;
    if (!numbers_ok(e->calibration, 4) || !number_ok(e->head_blend) || !number_ok(e->head_temperature) ||
        !number_ok(x->stop_confidence) || !number_ok(e->negative_weight))
        return SR_E_NAN;
    if (!in_range(e->head_blend, 0, 1) || !in_range(x->stop_confidence, 0, 1)) return SR_E_FORMAT;
    if (!(e->head_temperature >= 1e-6f) || !(e->negative_weight >= 0)) return SR_E_FORMAT;
    for (uint32_t i = 0; i < r->exit_count; i++) {
        const sr_exit_info *other = &r->exits[i].info;
        if (&r->exits[i] == e) break;
        if (other->embedder == x->embedder && other->layer == x->layer) return SR_E_FORMAT;
    }
    return SR_OK;
}

static int read_exit(struct sr_router *r, uint32_t exit, int is_fit) {
    sr_asset_exit *e = &r->exits[exit];
    sr_exit_info *x = &e->info;
    const void *record, *params, *rows, *scales, *mean, *map, *map_scales, *head, *plane;
    int rc = get(r, SR_KIND_EXIT, exit, 1, SR_EXIT_BYTES, &record);
    if (rc == SR_OK) rc = read_exit_record(r, record, e);
    if (rc) return rc;
    e->row_stride = sr_row_stride(x->row_dim, (int)x->row_is_f32);
    uint64_t routes = r->route_count, utterances = r->utterance_count, row_dim = x->row_dim;
    if ((rc = get(r, SR_KIND_ROUTE_PARAMS, exit, routes > 0, routes * SR_PARAMS_BYTES, &params)) < 0 ||
        (rc = get(r, SR_KIND_ROWS, exit, !is_fit, utterances * e->row_stride, &rows)) < 0 ||
        (rc = get(r, SR_KIND_SCALES, exit, !is_fit && !x->row_is_f32, utterances * 4, &scales)) < 0 ||
        (rc = get(r, SR_KIND_MEAN, exit, 0, (uint64_t)x->dim * 4, &mean)) < 0 ||
        (rc = get(r, SR_KIND_MAP, exit, 0, row_dim * sr_row_stride(x->dim, 0), &map)) < 0 ||
        (rc = get(r, SR_KIND_MAP_SCALES, exit, map != NULL, row_dim * 4, &map_scales)) < 0 ||
        (rc = get(r, SR_KIND_HEAD, exit, 0, routes * row_dim * 4, &head)) < 0 ||
        (rc = get(r, SR_KIND_PLANE, exit, 0, (2 * row_dim + 2 + 2 * utterances) * 4, &plane)) < 0)
        return rc;
    if ((map_scales && !map) || (scales && x->row_is_f32) || (!map && x->row_dim != x->dim)) return SR_E_FORMAT;
    if (is_fit && routes == 0 && (params || head)) return SR_E_FORMAT;
    e->params = params, e->rows = rows, e->scales = scales, e->head = head, e->plane = plane;
    e->space = (sr_space){x->dim, x->row_dim, mean, map, map_scales};
    x->has_map = map != NULL, x->has_head = head != NULL, x->has_plane = plane != NULL;

    for (uint32_t i = 0; i < r->route_count; i++) {
        const sr_route_params *p = &e->params[i];
        if (!number_ok(p->tau) || !number_ok(p->margin) || !number_ok(p->head_bias)) return SR_E_NAN;
        if (p->zero) return SR_E_FORMAT;
    }
    if (mean && !numbers_ok(mean, x->dim)) return SR_E_NAN;
    if (head && !numbers_ok(head, (size_t)(routes * row_dim))) return SR_E_NAN;
    if (plane && !numbers_ok(plane, (size_t)(2 * row_dim + 2 + 2 * utterances))) return SR_E_NAN;
    if (map && (rc = check_rows_i8(r, map, x->row_dim, x->dim, map_scales, 0)) < 0) return rc;
    if (!rows) return SR_OK;
    return x->row_is_f32 ? check_rows_f32(r, rows, r->utterance_count, x->row_dim)
                         : check_rows_i8(r, rows, r->utterance_count, x->row_dim, scales, 1);
}

int sr_asset_parse(const void *file, size_t bytes, int is_fit, struct sr_router *r) {
    memset(r, 0, sizeof *r);
    if (!file) return SR_E_ARGUMENT;
    if ((uintptr_t)file % SR_CONTAINER_ALIGN) return SR_E_MEMORY;
    r->kernels = sr_kernels_best();
    int rc = sr_container_open(file, bytes, is_fit ? "SRF1" : "SRR1", SR_ASSET_VERSION, &r->container);
    if (rc) return rc;
    if (bytes < r->container.total_bytes) return SR_E_TRUNCATED;
    if (bytes > r->container.total_bytes) return SR_E_FORMAT;
    if ((rc = check_sections(r, bytes, is_fit)) < 0) return rc;
    if ((rc = read_meta(r, is_fit, rc)) < 0) return rc;
    if ((rc = read_routes(r, is_fit)) < 0) return rc;
    if (!is_fit && (rc = read_utterances(r)) < 0) return rc;
    for (uint32_t i = 0; i < r->container.section_count; i++) {
        sr_section s;
        sr_container_section(&r->container, i, &s);
        if (s.kind >= SR_KIND_EXIT && s.kind <= SR_KIND_PLANE && s.index >= r->exit_count) return SR_E_FORMAT;
    }
    for (uint32_t i = 0; i < r->exit_count; i++) {
        if ((rc = read_exit(r, i, is_fit)) < 0) return rc;
        if (r->exits[i].info.dim > r->max_dim) r->max_dim = r->exits[i].info.dim;
        if (r->exits[i].info.row_dim > r->max_row_dim) r->max_row_dim = r->exits[i].info.row_dim;
    }
    return SR_OK;
}
