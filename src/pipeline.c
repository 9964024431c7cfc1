/* From text to decision: binds a route asset to its embedders and goes from exit to exit until one is sure. */
#include "embed/table.h"
#include <string.h>

struct sr_pipeline {
    const sr_router *router;
    const sr_model *model;
    const sr_table *table;
    sr_encoder *encoder;
    void *match_work, *table_work;
    size_t match_work_bytes, table_work_bytes;
    sr_known_words *known; /* the table's */
    float *vector;
    const char *text;
    size_t text_bytes;
    int encoder_started, blank, has_vector, pieces;
    uint32_t exit_count;
    uint8_t bound[SR_MAX_EXITS]; /* embedder there and pin agreed */
    uint8_t embedder[SR_MAX_EXITS];
    uint32_t layer[SR_MAX_EXITS], layer_mask[SR_MAX_EXITS];
    uint32_t dim[SR_MAX_EXITS];
    float *pooled; /* [layers + 1][model_dim]: the pooled state after each layer that has been read */
    uint32_t model_dim, reached;
    float stop[SR_MAX_EXITS];
};

static size_t align64(size_t n) {
    return (n + 63) / 64 * 64;
}

static size_t vector_bytes(const sr_router *r) {
    size_t most = 0;
    for (uint32_t i = 0; i < sr_router_exit_count(r); i++) {
        sr_exit_info e;
        sr_router_exit(r, i, &e);
        if (e.dim > most) most = e.dim;
    }
    return align64(most * sizeof(float));
}

static size_t pooled_bytes(const sr_model_info *info) {
    return align64((size_t)(info->layers + 1) * info->dim * sizeof(float));
}

int64_t sr_pipeline_bytes(const sr_router *r, const sr_model *m, const sr_table *t) {
    if (!r || (!m && !t)) return SR_E_ARGUMENT;
    int64_t encoder = 0;
    sr_model_info info;
    if (m && (encoder = sr_encoder_bytes(m)) < 0) return encoder;
    if (m && sr_model_info_get(m, &info) < 0) return SR_E_ARGUMENT;
    return (int64_t)(align64(sizeof(sr_pipeline)) + align64((size_t)encoder) + (m ? pooled_bytes(&info) : 0) +
                     align64(sr_router_work_bytes(r)) +
                     (t ? align64(sr_table_work_bytes(t)) + sizeof(sr_known_words) : 0) + vector_bytes(r));
}

int sr_pipeline_open(void *mem, size_t mem_bytes, const sr_router *r, const sr_model *m, const sr_table *t,
                     sr_pipeline **out) {
    int64_t need = sr_pipeline_bytes(r, m, t);
    if (need < 0) return (int)need;
    if (!mem || !out) return SR_E_ARGUMENT;
    if (mem_bytes < (size_t)need || (uintptr_t)mem % 64) return SR_E_MEMORY;

    uint8_t *at = mem;
    sr_pipeline *p = mem;
    memset(p, 0, sizeof *p);
    at += align64(sizeof *p);
    p->router = r, p->model = m, p->table = t;
    sr_model_info info = {0};
    if (m) {
        size_t bytes = (size_t)sr_encoder_bytes(m);
        int rc = sr_encoder_open(at, bytes, m, &p->encoder);
        if (rc < 0) return rc;
        at += align64(bytes);
        sr_model_info_get(m, &info);
        p->pooled = (float *)at, p->model_dim = info.dim;
        at += pooled_bytes(&info);
    }
    p->match_work = at, p->match_work_bytes = sr_router_work_bytes(r);
    at += align64(p->match_work_bytes);
    if (t) {
        p->table_work = at, p->table_work_bytes = sr_table_work_bytes(t);
        at += align64(p->table_work_bytes);
        p->known = (sr_known_words *)at;
        memset(p->known, 0, sizeof *p->known);
        at += sizeof *p->known;
    }
    p->vector = (float *)at;

    int usable = 0, model_agreed = 0, table_agreed = 0;
    p->exit_count = sr_router_exit_count(r);
    for (uint32_t i = 0; i < p->exit_count; i++) {
        sr_exit_info e;
        sr_router_exit(r, i, &e);
        p->embedder[i] = (uint8_t)e.embedder, p->layer[i] = e.layer, p->dim[i] = e.dim, p->stop[i] = e.stop_confidence;
        p->layer_mask[i] = e.layer_mask;
        if (e.embedder == SR_EMBEDDER_ENCODER && m)
            p->bound[i] = e.model_content == info.content && e.layer <= info.layers &&
                          e.dim == (uint32_t)__builtin_popcount(e.layer_mask) * info.dim,
            model_agreed |= p->bound[i];
        else if (e.embedder == SR_EMBEDDER_TABLE && t)
            p->bound[i] = e.model_content == sr_table_content(t) && e.dim == sr_table_dim(t),
            table_agreed |= p->bound[i];
        usable += p->bound[i];
    }
    /* a model that no exit accepts is a mistake to be told, not to be worked around */
    if (!usable || (m && !model_agreed) || (t && !table_agreed)) return SR_E_MODEL;
    *out = p;
    return SR_OK;
}

int sr_pipeline_usable(const sr_pipeline *p, uint32_t exit) {
    if (!p || exit >= p->exit_count || !p->bound[exit]) return 0;
    if (p->embedder[exit] == SR_EMBEDDER_TABLE) return 1;
    sr_model_info info;
    if (sr_model_info_get(p->model, &info) < 0) return 0;
    return info.layers_ready != UINT32_MAX && p->layer[exit] <= info.layers_ready;
}

/* White space as Unicode has it, in UTF-8, and controls: a text of nothing else asks for nothing. */
static int is_blank(const char *text, size_t bytes) {
    const uint8_t *p = (const uint8_t *)text, *end = p + bytes;
    while (p < end) {
        size_t left = (size_t)(end - p);
        if (*p <= 0x20 || *p == 0x7f)
            p += 1;
        else if (left >= 2 && p[0] == 0xc2 && (p[1] == 0xa0 || p[1] <= 0x9f))
            p += 2; /* NBSP, C1 controls */
        else if (left >= 3 && p[0] == 0xe2 && p[1] == 0x80 &&
                 (p[2] <= 0x8f || p[2] == 0xa8 || p[2] == 0xa9 || p[2] == 0xaf))
            p += 3; /* spaces and zero-width marks U+2000..200F, U+2028, U+2029, U+202F */
        else if (left >= 3 && p[0] == 0xe2 && p[1] == 0x81 && (p[2] == 0x9f || p[2] == 0xa0))
            p += 3; /* U+205F, U+2060 */
        else if (left >= 3 && p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80)
            p += 3; /* U+3000 */
        else if (left >= 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf)
            p += 3; /* byte order mark */
        else
            return 0;
    }
    return 1;
}

int sr_pipeline_start(sr_pipeline *p, const char *text, size_t text_bytes) {
    if (!p || (!text && text_bytes)) return SR_E_ARGUMENT;
    p->text = text, p->text_bytes = text_bytes;
    p->encoder_started = p->has_vector = p->pieces = 0;
    p->blank = is_blank(text, text_bytes);
    return SR_OK;
}

static int answer_blank(sr_pipeline *p, uint32_t exit, sr_decision *out, sr_match *matches, size_t match_cap) {
    uint32_t fallback = sr_router_fallback(p->router), count = sr_router_route_count(p->router), n = 0;
    if (n < match_cap) matches[n++] = (sr_match){fallback, 0};
    for (uint32_t i = 0; i < count && n < match_cap; i++)
        if (i != fallback) matches[n++] = (sr_match){i, 0};
    *out = (sr_decision){.route = fallback, .nearest = fallback, .exit = exit, .flags = SR_BELOW_THRESHOLD};
    out->match_count = n;
    return SR_OK;
}

/* A step on the way to a layer; the pooled state of each layer on the way is kept: pooling costs next to nothing beside
 * a layer, and exits may ask for any of them, in any order. Returns 1 when there is more to do. */
static int step_to(sr_pipeline *p, uint32_t layer) {
    int rc;
    if (!p->encoder_started) {
        if ((rc = sr_encoder_start(p->encoder, p->text, p->text_bytes)) < 0) return rc;
        p->pieces = rc;
        if ((rc = sr_encoder_advance(p->encoder, 0, p->pooled)) < 0) return rc;
        p->encoder_started = 1, p->reached = 0;
    } else if (p->reached < layer) {
        uint32_t next = p->reached + 1;
        if ((rc = sr_encoder_step(p->encoder, next)) != 0) return rc;
        if ((rc = sr_encoder_advance(p->encoder, next, p->pooled + (size_t)next * p->model_dim)) < 0) return rc;
        p->reached = next;
    }
    return p->reached < layer;
}

static int read_to(sr_pipeline *p, uint32_t layer) {
    int more;
    while ((more = step_to(p, layer)) > 0) {
    }
    return more;
}

static int encode(sr_pipeline *p, uint32_t exit) {
    int rc = read_to(p, p->layer[exit]);
    float *out = p->vector;
    for (uint32_t l = 0; rc >= 0 && l <= p->layer[exit]; l++) {
        if (!(p->layer_mask[exit] >> l & 1)) continue;
        memcpy(out, p->pooled + (size_t)l * p->model_dim, p->model_dim * sizeof *out);
        out += p->model_dim;
    }
    return rc;
}

int sr_pipeline_answer(sr_pipeline *p, uint32_t exit, const sr_learned *learned, sr_decision *out, sr_match *matches,
                       size_t match_cap, sr_why *why, size_t why_cap) {
    if (!p || !out || (match_cap && !matches) || (why_cap && !why)) return SR_E_ARGUMENT;
    if (exit >= p->exit_count) return SR_E_EXIT;
    if (!p->bound[exit]) return SR_E_MODEL;
    p->has_vector = 0;
    if (p->blank) return answer_blank(p, exit, out, matches, match_cap);
    int rc;
    if (p->embedder[exit] == SR_EMBEDDER_TABLE) {
        rc = sr_table_embed_known(p->table, p->text, p->text_bytes, p->table_work, p->table_work_bytes, p->known,
                                  p->vector);
        if (rc == SR_E_ZERO) return answer_blank(p, exit, out, matches, match_cap); /* no piece that it knows */
    } else {
        rc = encode(p, exit);
    }
    if (rc < 0) return rc;
    rc = sr_router_match(p->router, exit, p->vector, p->dim[exit], learned, p->match_work, p->match_work_bytes, out,
                         matches, match_cap, why, why_cap);
    p->has_vector = rc >= 0;
    return rc;
}

static int check_layer(const sr_pipeline *p, uint32_t layer) {
    sr_model_info info;
    if (!p || !p->model) return SR_E_ARGUMENT;
    int rc = sr_model_info_get(p->model, &info);
    return rc < 0 ? rc : layer > info.layers ? SR_E_EXIT : SR_OK;
}

int sr_pipeline_read(sr_pipeline *p, uint32_t layer) {
    int rc = check_layer(p, layer);
    if (rc < 0 || p->blank) return rc;
    rc = read_to(p, layer);
    return rc < 0 ? rc : p->pieces;
}

int sr_pipeline_step(sr_pipeline *p, uint32_t layer) {
    int rc = check_layer(p, layer);
    return rc < 0 || p->blank ? rc : step_to(p, layer);
}

const float *sr_pipeline_vector(const sr_pipeline *p) {
    return p && p->has_vector ? p->vector : NULL;
}

int sr_pipeline_route(sr_pipeline *p, const char *text, size_t text_bytes, const sr_pipeline_options *options,
                      sr_decision *out, sr_match *matches, size_t match_cap, sr_why *why, size_t why_cap) {
    static const sr_pipeline_options anytime = {.last_exit = SR_MAX_EXITS};
    int rc = sr_pipeline_start(p, text, text_bytes);
    if (rc < 0) return rc;
    if (!options) options = &anytime;

    uint32_t usable[SR_MAX_EXITS], count = 0;
    for (uint32_t i = options->first_exit; i < p->exit_count && i <= options->last_exit; i++)
        if (sr_pipeline_usable(p, i)) usable[count++] = i;
    if (!count) return options->first_exit < p->exit_count ? SR_E_INCOMPLETE : SR_E_EXIT;
    for (uint32_t i = options->always_last ? count - 1 : 0; i < count; i++) {
        uint32_t exit = usable[i];
        rc = sr_pipeline_answer(p, exit, options->learned[exit], out, matches, match_cap, why, why_cap);
        if (rc < 0) return rc;
        if (p->blank || out->confidence >= p->stop[exit]) break;
    }
    return SR_OK;
}
