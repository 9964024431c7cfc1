/* Writes route assets and fits: see asset_write.h; the bytes are in ASSET.md. */
#include "asset_write.h"
#include <string.h>

static const sr_route_params default_params = {-1, 0, 0, 0};

static size_t align64(size_t n) {
    return (n + 63) / 64 * 64;
}

void sr_write_exit_init(sr_write_exit *e) {
    memset(e, 0, sizeof *e);
    e->aggregation_k = 5;
    e->head_temperature = 1;
    e->calibration[1] = 12;
    e->stop_confidence = 1;
    e->negative_weight = 1;
}

/* ---- sizes ------------------------------------------------------------------------------------------------------ */

enum { FIXED_SECTIONS = 5, SECTIONS_PER_EXIT = 9, MAX_SECTIONS = FIXED_SECTIONS + SECTIONS_PER_EXIT * SR_MAX_EXITS };

static int check(const sr_write_asset *w, int is_fit) {
    if (!w || !w->exits || w->exit_count == 0 || (w->route_count && !w->routes)) return SR_E_ARGUMENT;
    if (w->route_count > SR_MAX_ROUTES || w->exit_count > SR_MAX_EXITS) return SR_E_LIMIT;
    if (!is_fit && w->utterance_count > SR_MAX_UTTERANCES) return SR_E_LIMIT;
    uint64_t utterances = 0;
    for (uint32_t i = 0; i < w->route_count; i++) utterances += w->routes[i].utterance_count;
    if (!is_fit && (w->route_count == 0 || utterances != w->utterance_count)) return SR_E_ARGUMENT;
    for (uint32_t i = 0; i < w->exit_count; i++) {
        const sr_write_exit *e = &w->exits[i];
        if (e->dim > SR_MAX_DIM) return SR_E_LIMIT;
        if (e->dim < SR_MIN_DIM || e->row_dim < SR_MIN_DIM || e->row_dim > e->dim) return SR_E_ARGUMENT;
        if (!e->map && !e->map_rows && e->row_dim != e->dim) return SR_E_ARGUMENT;
        if ((e->map && e->map_rows) || (e->map_rows && !e->map_scales)) return SR_E_ARGUMENT;
        if (e->head && w->route_count == 0) return SR_E_ARGUMENT;
        if (!is_fit && !e->vectors) return SR_E_ARGUMENT;
    }
    return SR_OK;
}

/* Texts in the order in which STRINGS holds them; `visit` is called for each. */
static void each_text(const sr_write_asset *w, int is_fit, void (*visit)(void *, sr_text), void *context) {
    visit(context, w->name);
    for (uint32_t i = 0; i < w->route_count; i++) {
        const sr_write_route *r = &w->routes[i];
        visit(context, r->id);
        visit(context, is_fit ? (sr_text){0} : r->label);
        visit(context, is_fit ? (sr_text){0} : r->description);
        visit(context, is_fit ? (sr_text){0} : r->target);
    }
    if (!is_fit && w->texts)
        for (uint32_t i = 0; i < w->utterance_count; i++) visit(context, w->texts[i]);
    for (uint32_t i = 0; i < w->exit_count; i++) {
        visit(context, w->exits[i].model_id);
        visit(context, w->exits[i].prefix);
    }
}

static void count_text(void *context, sr_text t) {
    *(uint64_t *)context += t.bytes;
}

static uint32_t sections_of(const sr_write_asset *w, int is_fit, sr_section *s) {
    uint64_t strings = 0;
    each_text(w, is_fit, count_text, &strings);
    uint32_t n = 0;
#define SECTION(kind_, index_, bytes_) s[n++] = (sr_section){.kind = kind_, .index = index_, .bytes = bytes_}
    SECTION(SR_KIND_META, 0, SR_META_BYTES);
    SECTION(SR_KIND_STRINGS, 0, strings);
    if (w->route_count) SECTION(SR_KIND_ROUTES, 0, (uint64_t)w->route_count * SR_ROUTE_BYTES);
    if (!is_fit) SECTION(SR_KIND_UTTERANCES, 0, (uint64_t)w->utterance_count * SR_UTTERANCE_BYTES);
    for (uint32_t i = 0; i < w->exit_count; i++) {
        const sr_write_exit *e = &w->exits[i];
        uint64_t row_dim = e->row_dim, routes = w->route_count, utterances = w->utterance_count;
        SECTION(SR_KIND_EXIT, i, SR_EXIT_BYTES);
        if (routes) SECTION(SR_KIND_ROUTE_PARAMS, i, routes * SR_PARAMS_BYTES);
        if (!is_fit) {
            SECTION(SR_KIND_ROWS, i, utterances * sr_row_stride(e->row_dim, (int)e->rows_are_f32));
            if (!e->rows_are_f32) SECTION(SR_KIND_SCALES, i, utterances * 4);
        }
        if (e->mean) SECTION(SR_KIND_MEAN, i, (uint64_t)e->dim * 4);
        if (e->map || e->map_rows) {
            SECTION(SR_KIND_MAP, i, row_dim * sr_row_stride(e->dim, 0));
            SECTION(SR_KIND_MAP_SCALES, i, row_dim * 4);
        }
        if (e->head) SECTION(SR_KIND_HEAD, i, routes * row_dim * 4);
        if (!is_fit && e->with_plane) SECTION(SR_KIND_PLANE, i, (2 * row_dim + 2 + 2 * utterances) * 4);
    }
    if (w->notes.bytes) SECTION(SR_KIND_NOTES, 0, w->notes.bytes);
#undef SECTION
    return n;
}

static int64_t write_bytes(const sr_write_asset *w, int is_fit) {
    int rc = check(w, is_fit);
    if (rc < 0) return rc;
    sr_section sections[MAX_SECTIONS];
    uint32_t count = sections_of(w, is_fit, sections);
    if (sections[1].bytes > UINT32_MAX) return SR_E_LIMIT;
    return (int64_t)sr_container_layout(sections, count);
}

int64_t sr_asset_write_bytes(const sr_write_asset *w) {
    return write_bytes(w, 0);
}
int64_t sr_fit_write_bytes(const sr_write_asset *w) {
    return write_bytes(w, 1);
}

typedef struct {
    float *unit, *mapped, *rows; /* rows: all rows of one exit, padded to row_dim, for a plane */
    double *axes;
    struct sr_router *proof;
} workspace;

static size_t work_layout(const sr_write_asset *w, uint8_t *base, workspace *out) {
    size_t dim = 0, row_dim = 0, rows = 0, at = 0;
    for (uint32_t i = 0; i < w->exit_count; i++) {
        const sr_write_exit *e = &w->exits[i];
        size_t exit_rows = e->with_plane ? (size_t)w->utterance_count * e->row_dim * sizeof(float) : 0;
        dim = e->dim > dim ? e->dim : dim;
        row_dim = e->row_dim > row_dim ? e->row_dim : row_dim;
        rows = exit_rows > rows ? exit_rows : rows;
    }
#define PART(field, bytes)                                                                                             \
    if (base) out->field = (void *)(base + at);                                                                        \
    at += align64(bytes)
    PART(unit, dim * sizeof(float));
    PART(mapped, row_dim * sizeof(float));
    PART(axes, 3 * row_dim * sizeof(double));
    PART(proof, sizeof(struct sr_router));
    PART(rows, rows);
#undef PART
    return at;
}

int64_t sr_asset_write_work_bytes(const sr_write_asset *w) {
    if (!w || !w->exits || w->exit_count > SR_MAX_EXITS || w->utterance_count > SR_MAX_UTTERANCES) return SR_E_ARGUMENT;
    for (uint32_t i = 0; i < w->exit_count; i++)
        if (w->exits[i].dim > SR_MAX_DIM || w->exits[i].row_dim > SR_MAX_DIM) return SR_E_LIMIT;
    workspace unused;
    return (int64_t)work_layout(w, NULL, &unused);
}

/* ---- contents --------------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t *strings;
    uint32_t at;
} string_writer;

static void append_text(void *context, sr_text t) {
    string_writer *s = context;
    if (t.bytes) memcpy(s->strings + s->at, t.data, t.bytes);
    s->at += (uint32_t)t.bytes;
}

/* Records refer to texts in the order of each_text, so a running offset finds them. */
static void put_text(uint8_t *record, sr_text t, uint32_t *at) {
    sr_store32(record, t.bytes ? *at : 0); /* an empty text is 0, 0 */
    sr_store32(record + 4, (uint32_t)t.bytes);
    *at += (uint32_t)t.bytes;
}

static void put_f32(uint8_t *p, float v) {
    memcpy(p, &v, sizeof v);
}

static void put_floats(uint8_t *p, const float *v, size_t count) {
    memcpy(p, v, count * sizeof *v);
}

static void write_tables(const sr_write_asset *w, int is_fit, uint8_t *meta, uint8_t *strings, uint8_t *routes,
                         uint8_t *utterances, uint32_t *text_at) {
    string_writer s = {strings, 0};
    each_text(w, is_fit, append_text, &s);
    sr_store32(meta, w->route_count);
    sr_store32(meta + 4, is_fit ? 0 : w->utterance_count);
    sr_store32(meta + 8, w->exit_count);
    sr_store32(meta + 12, is_fit ? 0 : w->fallback);
    sr_store32(meta + 16, !is_fit && w->texts);
    put_text(meta + 20, w->name, text_at);
    uint32_t first = 0;
    for (uint32_t i = 0; i < w->route_count; i++) {
        const sr_write_route *r = &w->routes[i];
        uint8_t *p = routes + (size_t)i * SR_ROUTE_BYTES;
        put_text(p, r->id, text_at);
        if (is_fit) continue;
        put_text(p + 8, r->label, text_at);
        put_text(p + 16, r->description, text_at);
        put_text(p + 24, r->target, text_at);
        sr_store32(p + 32, first);
        sr_store32(p + 36, r->utterance_count);
        sr_store32(p + 40, r->negative_count);
        first += r->utterance_count;
    }
    if (is_fit) return;
    uint32_t utterance = 0;
    for (uint32_t i = 0; i < w->route_count; i++) {
        const sr_write_route *r = &w->routes[i];
        for (uint32_t j = 0; j < r->utterance_count; j++, utterance++) {
            uint8_t *p = utterances + (size_t)utterance * SR_UTTERANCE_BYTES;
            if (w->texts) put_text(p, w->texts[utterance], text_at);
            sr_store32(p + 8, i);
            sr_store32(p + 12, j >= r->utterance_count - r->negative_count);
        }
    }
}

static void write_exit_record(const sr_write_exit *e, uint8_t *p, uint32_t *text_at) {
    sr_store32(p, e->embedder);
    sr_store32(p + 4, e->layer);
    sr_store32(p + 8, e->dim);
    sr_store32(p + 12, e->row_dim);
    sr_store32(p + 16, (e->rows_are_f32 ? 1 : 0) | (e->low_margin_flags ? 2 : 0));
    sr_store32(p + 20, e->aggregation_k);
    put_f32(p + 24, e->head ? e->head_blend : 0);
    put_f32(p + 28, e->head ? e->head_temperature : 1);
    put_floats(p + 32, e->calibration, 4);
    put_f32(p + 48, e->stop_confidence);
    put_text(p + 52, e->model_id, text_at);
    put_text(p + 60, e->prefix, text_at);
    sr_store32(p + 68, e->pooling);
    sr_store64(p + 72, e->model_content);
    put_f32(p + 80, e->negative_weight);
    int alone = e->embedder != SR_EMBEDDER_ENCODER || e->layer >= SR_MAX_EXITS || e->layer_mask == 1u << e->layer;
    sr_store32(p + 84, alone ? 0 : e->layer_mask);
}

/* A row of zeros stays zero with scale 0 and is refused by the proof. NaN or infinity: SR_E_NAN. */
static int write_map(const sr_write_exit *e, int8_t *rows, float *scales) {
    size_t stride = sr_row_stride(e->dim, 0);
    if (e->map_rows) {
        memcpy(rows, e->map_rows, e->row_dim * stride);
        memcpy(scales, e->map_scales, e->row_dim * sizeof *scales);
        return SR_OK;
    }
    for (size_t i = 0; i < e->row_dim; i++) {
        const float *v = e->map + i * e->dim;
        int zero = 1;
        for (size_t j = 0; j < e->dim; j++) {
            if (!(v[j] >= -SR_MAX_STORED && v[j] <= SR_MAX_STORED)) return SR_E_NAN;
            zero &= v[j] == 0;
        }
        if (zero) return SR_E_ZERO;
        scales[i] = sr_space_code(v, e->dim, rows + i * stride);
    }
    return SR_OK;
}

static int write_rows(const sr_write_asset *w, const sr_write_exit *e, const sr_space *space, workspace *work,
                      uint8_t *rows, float *scales, float *plane, uint32_t *bad) {
    const sr_kernels *k = sr_kernels_best();
    size_t stride = sr_row_stride(e->row_dim, (int)e->rows_are_f32), row_dim = e->row_dim;
    for (uint32_t i = 0; i < w->utterance_count; i++) {
        const float *row;
        int rc = sr_space_project(k, space, e->vectors + (size_t)i * e->dim, work->unit, work->mapped, &row);
        if (rc < 0) {
            *bad = i;
            return rc;
        }
        if (e->rows_are_f32)
            memcpy(rows + i * stride, row, row_dim * sizeof *row);
        else
            scales[i] = sr_space_quantise(k, row, row_dim, (int8_t *)(rows + i * stride));
        if (plane) memcpy(work->rows + i * row_dim, row, row_dim * sizeof *row);
    }
    if (plane) sr_plane_fit(work->rows, w->utterance_count, row_dim, row_dim, work->axes, plane);
    return SR_OK;
}

static int write_file(const sr_write_asset *w, int is_fit, void *work_memory, size_t work_bytes, void *out,
                      size_t out_bytes, uint32_t *bad) {
    uint32_t ignored;
    if (!bad) bad = &ignored;
    *bad = SR_NO_UTTERANCE;
    int64_t bytes = write_bytes(w, is_fit);
    if (bytes < 0) return (int)bytes;
    if (!work_memory || !out) return SR_E_ARGUMENT;
    if ((uintptr_t)out % 64 || out_bytes < (uint64_t)bytes) return SR_E_MEMORY;
    if ((uintptr_t)work_memory % 64 || work_bytes < work_layout(w, NULL, NULL)) return SR_E_MEMORY;
    workspace work;
    work_layout(w, work_memory, &work);

    sr_section sections[MAX_SECTIONS];
    uint32_t count = sections_of(w, is_fit, sections), text_at = 0;
    sr_container_layout(sections, count);
    memset(out, 0, (size_t)bytes);
    uint8_t *at[SR_KIND_PLANE + 1] = {0};
    for (uint32_t i = 0; i <= count; i++) {
        /* an exit is written when all its sections' places are known: at the next exit's first section, or the end */
        int ends_exit = i == count || sections[i].kind == SR_KIND_EXIT || sections[i].kind == SR_KIND_NOTES;
        if (ends_exit && at[SR_KIND_EXIT]) {
            const sr_write_exit *e = &w->exits[sections[i - 1].index];
            int8_t *map = (int8_t *)at[SR_KIND_MAP];
            float *map_scales = (float *)(void *)at[SR_KIND_MAP_SCALES];
            write_exit_record(e, at[SR_KIND_EXIT], &text_at);
            for (uint32_t r = 0; r < w->route_count; r++)
                memcpy(at[SR_KIND_ROUTE_PARAMS] + (size_t)r * SR_PARAMS_BYTES,
                       e->params ? e->params + r : &default_params, SR_PARAMS_BYTES);
            if (e->mean) put_floats(at[SR_KIND_MEAN], e->mean, e->dim);
            if (e->head) put_floats(at[SR_KIND_HEAD], e->head, (size_t)w->route_count * e->row_dim);
            int rc = map ? write_map(e, map, map_scales) : SR_OK;
            if (rc < 0) return rc;
            sr_space space = {e->dim, e->row_dim, e->mean, map, map_scales};
            if (!is_fit)
                rc = write_rows(w, e, &space, &work, at[SR_KIND_ROWS], (float *)(void *)at[SR_KIND_SCALES],
                                (float *)(void *)at[SR_KIND_PLANE], bad);
            if (rc < 0) return rc;
            memset(at + SR_KIND_EXIT, 0, sizeof at - SR_KIND_EXIT * sizeof *at);
        }
        if (i == count) break;
        uint8_t *place = (uint8_t *)out + sections[i].offset;
        if (sections[i].kind == SR_KIND_NOTES) {
            memcpy(place, w->notes.data, w->notes.bytes);
            continue;
        }
        if (sections[i].kind == SR_KIND_EXIT && sections[i].index == 0)
            write_tables(w, is_fit, at[SR_KIND_META], at[SR_KIND_STRINGS], at[SR_KIND_ROUTES], at[SR_KIND_UTTERANCES],
                         &text_at);
        at[sections[i].kind] = place;
    }
    sr_container_seal(out, sections, count, is_fit ? "SRF1" : "SRR1", SR_ASSET_VERSION);
    return sr_asset_parse(out, (size_t)bytes, is_fit, work.proof);
}

int sr_asset_write(const sr_write_asset *w, void *work, size_t work_bytes, void *out, size_t out_bytes, uint32_t *bad) {
    return write_file(w, 0, work, work_bytes, out, out_bytes, bad);
}

int sr_fit_write(const sr_write_asset *w, void *work, size_t work_bytes, void *out, size_t out_bytes) {
    return write_file(w, 1, work, work_bytes, out, out_bytes, NULL);
}
