/* The matcher: from a query vector to a decision, as ASSET.md's "What a match computes" says.
 *
 * What a match costs: one pass over the rows (kernel/), with a few operations a row after it. Rows are taken in chunks,
 * so that similarities stay in the first-level cache and working memory does not grow with the number of utterances.
 */
#include "asset.h"
#include "kernel/exact.h"
#include <string.h>

enum { CHUNK = 256 };

static size_t align64(size_t n) {
    return (n + 63) / 64 * 64;
}

/* ---- opening and asking ------------------------------------------------------------------------------------- */

int64_t sr_router_bytes(const void *asset, size_t asset_bytes) {
    sr_container c;
    int rc = sr_container_open(asset, asset_bytes, "SRR1", SR_ASSET_VERSION, &c);
    return rc < 0 ? rc : (int64_t)align64(sizeof(sr_router));
}

int sr_router_open(void *mem, size_t mem_bytes, const void *asset, size_t asset_bytes, const sr_router **out) {
    if (!mem || !asset || !out) return SR_E_ARGUMENT;
    if ((uintptr_t)mem % 64 || mem_bytes < align64(sizeof(sr_router))) return SR_E_MEMORY;
    int rc = sr_asset_parse(asset, asset_bytes, 0, mem);
    if (rc < 0) return rc;
    *out = mem;
    return SR_OK;
}

uint32_t sr_router_route_count(const sr_router *r) {
    return r->route_count;
}
uint32_t sr_router_utterance_count(const sr_router *r) {
    return r->utterance_count;
}
uint32_t sr_router_exit_count(const sr_router *r) {
    return r->exit_count;
}
uint32_t sr_router_fallback(const sr_router *r) {
    return r->fallback;
}
uint64_t sr_router_content(const sr_router *r) {
    return r->container.content;
}

int sr_router_route(const sr_router *r, uint32_t route, sr_route_info *out) {
    if (!r || !out || route >= r->route_count) return SR_E_ARGUMENT;
    sr_asset_route(r, route, out);
    return SR_OK;
}

int sr_router_utterance(const sr_router *r, uint32_t utterance, sr_utterance_info *out) {
    if (!r || !out || utterance >= r->utterance_count) return SR_E_ARGUMENT;
    sr_asset_utterance(r, utterance, out);
    return SR_OK;
}

int sr_router_exit(const sr_router *r, uint32_t exit, sr_exit_info *out) {
    if (!r || !out) return SR_E_ARGUMENT;
    if (exit >= r->exit_count) return SR_E_EXIT;
    *out = r->exits[exit].info;
    return SR_OK;
}

int sr_router_find_exit(const sr_router *r, uint32_t embedder, uint32_t layer) {
    if (!r) return SR_E_ARGUMENT;
    for (uint32_t i = 0; i < r->exit_count; i++)
        if (r->exits[i].info.embedder == embedder && r->exits[i].info.layer == layer) return (int)i;
    return SR_E_EXIT;
}

int sr_router_thresholds(const sr_router *r, uint32_t exit, uint32_t route, float *tau, float *margin) {
    if (!r || !tau || !margin || route >= r->route_count) return SR_E_ARGUMENT;
    if (exit >= r->exit_count) return SR_E_EXIT;
    *tau = r->exits[exit].params[route].tau;
    *margin = r->exits[exit].params[route].margin;
    return SR_OK;
}

/* ---- scratch memory ------------------------------------------------------------------------------------------- */

typedef struct {
    float *unit;    /* [dim] the query at length 1, centred */
    float *mapped;  /* [row_dim] the query in the exit's space, when it has a map */
    int8_t *coded;  /* [row_dim padded] */
    int32_t *dots;  /* [CHUNK] */
    float *similar; /* [CHUNK] */
    float *head;    /* [routes] probabilities */
    sr_match *order;
} scratch;

static size_t scratch_layout(const sr_router *r, uint8_t *base, scratch *s) {
    size_t at = 0;
#define PART(field, bytes)                                                                                             \
    if (base) s->field = (void *)(base + at);                                                                          \
    at += align64(bytes)
    PART(unit, r->max_dim * sizeof(float));
    PART(mapped, r->max_row_dim * sizeof(float));
    PART(coded, sr_row_stride(r->max_row_dim, 0));
    PART(dots, CHUNK * sizeof(int32_t));
    PART(similar, CHUNK * sizeof(float));
    PART(head, r->route_count * sizeof(float));
    PART(order, r->route_count * sizeof(sr_match));
#undef PART
    return at;
}

size_t sr_router_work_bytes(const sr_router *r) {
    scratch unused;
    return scratch_layout(r, NULL, &unused);
}

static float clamp1(float v) {
    return v > 1 ? 1 : v < -1 ? -1 : v;
}

/* ---- nearest utterances --------------------------------------------------------------------------------------- */

typedef struct {
    sr_why *items;
    size_t cap, count;
} why_list;

static int nearer(float similarity, uint32_t utterance, const sr_why *than) {
    return similarity > than->similarity || (similarity == than->similarity && utterance < than->utterance);
}

static void why_add(why_list *w, uint32_t utterance, uint32_t route, float similarity) {
    if (w->count == w->cap) {
        if (w->cap == 0 || !nearer(similarity, utterance, &w->items[w->count - 1])) return;
        w->count--;
    }
    size_t at = w->count++;
    for (; at && nearer(similarity, utterance, &w->items[at - 1]); at--) w->items[at] = w->items[at - 1];
    w->items[at] = (sr_why){utterance, route, similarity};
}

/* One route's k nearest, descending, and its nearest negative. */
typedef struct {
    float top[SR_MAX_TOP_K];
    size_t k, count;
    float nearest_negative;
} accumulator;

/* Every place is looked at, by minima and maxima: where to stop would be a branch that nothing predicts. */
static void top_add(accumulator *a, float similarity) {
    if (a->count < a->k) a->top[a->count++] = -2;
    for (size_t at = a->count; at-- > 1;) {
        float before = a->top[at - 1], here = a->top[at], low = similarity < before ? similarity : before;
        a->top[at] = here < low ? low : here;
    }
    a->top[0] = a->top[0] < similarity ? similarity : a->top[0];
}

/* Below this a similarity changes neither list: nearly all rows of a large table need one comparison. */
static float floor_of(const accumulator *a, const why_list *w) {
    float top = a->count < a->k ? -2 : a->top[a->count - 1];
    float why = w->cap == 0 ? 2 : w->count < w->cap ? -2 : w->items[w->count - 1].similarity;
    return top < why ? top : why;
}

static void scan(const float *similar, uint32_t first, size_t count, uint32_t route, accumulator *a, why_list *why) {
    float floor = floor_of(a, why);
    for (size_t i = 0; i < count; i++) {
        if (similar[i] < floor) continue;
        top_add(a, similar[i]);
        why_add(why, first + (uint32_t)i, route, similar[i]);
        floor = floor_of(a, why);
    }
}

/* The cosine score of a finished route. */
static float top_score(const accumulator *a, float negative_weight) {
    if (a->count == 0) return -1; /* no utterances */
    float sum = 0;
    for (size_t i = 0; i < a->count; i++) sum += a->top[i];
    float score = sum / (float)a->count;
    float excess = a->nearest_negative - a->top[0];
    if (excess > 0) score -= negative_weight * excess;
    return clamp1(score);
}

/* Rows [first, first + count), count <= CHUNK, into s->similar. */
static void similarities(const sr_router *r, const sr_asset_exit *e, const float *query, float coded_scale, scratch *s,
                         size_t first, size_t count) {
    const uint8_t *rows = (const uint8_t *)e->rows + first * e->row_stride;
    if (e->info.row_is_f32) {
        size_t stride = e->row_stride / sizeof(float);
        r->kernels->dots_f32(query, (const float *)(const void *)rows, count, stride, e->info.row_dim, s->similar);
        for (size_t i = 0; i < count; i++) s->similar[i] = clamp1(s->similar[i]);
        return;
    }
    r->kernels->dots_i8(s->coded, (const int8_t *)rows, count, e->row_stride, s->dots);
    const float *scales = e->scales + first;
    for (size_t i = 0; i < count; i++) s->similar[i] = clamp1((float)s->dots[i] * (scales[i] * coded_scale));
}

/* Scores of all routes by their utterances, in route order, and the nearest utterances overall. Returns the similarity
 * of the nearest. */
static float score_rows(const sr_router *r, const sr_asset_exit *e, const float *query, scratch *s, why_list *why) {
    float nearest = -1;
    float coded_scale = e->info.row_is_f32 ? 0 : sr_space_quantise(r->kernels, query, e->info.row_dim, s->coded);
    size_t chunk_first = 0, chunk_end = 0; /* rows in s->similar */
    for (uint32_t route = 0; route < r->route_count; route++) {
        sr_route_info info;
        sr_asset_route(r, route, &info);
        accumulator a;
        a.k = e->info.aggregation_k, a.count = 0, a.nearest_negative = -1;
        size_t row = info.first_utterance, end = row + info.utterance_count, negatives = end - info.negative_count;
        while (row < end) {
            if (row ==
                chunk_end) { /* chunks run over routes' borders: many small routes cost no more than a large one */
                chunk_first = chunk_end;
                chunk_end = r->utterance_count - chunk_first < CHUNK ? r->utterance_count : chunk_first + CHUNK;
                similarities(r, e, query, coded_scale, s, chunk_first, chunk_end - chunk_first);
            }
            size_t stop = end < chunk_end ? end : chunk_end;
            size_t positives = stop < negatives ? stop : negatives;
            if (row < positives) {
                scan(s->similar + (row - chunk_first), (uint32_t)row, positives - row, route, &a, why);
                row = positives;
            }
            for (; row < stop; row++)
                if (s->similar[row - chunk_first] > a.nearest_negative)
                    a.nearest_negative = s->similar[row - chunk_first];
        }
        if (a.count && a.top[0] > nearest) nearest = a.top[0];
        s->order[route] = (sr_match){route, top_score(&a, e->negative_weight)};
    }
    return nearest;
}

/* score <- (1 - w) score + w softmax(head) */
static void blend_head(const sr_router *r, const sr_asset_exit *e, const float *query, scratch *s) {
    float largest = 0, sum = 0, w = e->head_blend;
    for (uint32_t i = 0; i < r->route_count; i++) {
        float logit = r->kernels->dot_f32(query, e->head + (size_t)i * e->info.row_dim, e->info.row_dim);
        s->head[i] = (logit + e->params[i].head_bias) / e->head_temperature;
        if (i == 0 || s->head[i] > largest) largest = s->head[i];
    }
    for (uint32_t i = 0; i < r->route_count; i++) sum += s->head[i] = sr_expf(s->head[i] - largest);
    for (uint32_t i = 0; i < r->route_count; i++)
        s->order[i].score = (1 - w) * s->order[i].score + w * (s->head[i] / sum);
}

/* ---- what the user taught -----------------------------------------------------------------------------------------
 */

/* No stored utterance counts as nearer than this (1 - cosine): coded rows say no more, and a text that is stored and
 * learned is the learned one's. */
static const float CLOSEST = 0.01f;

/* The nearest learned utterance, if it is nearer than every stored one, lifts its route's score towards 1: by the part
 * of the way from the nearest stored utterance to the learned one that the query has gone. So a repeat goes right in
 * any asset, a prompt that resembles others more than what was learned does not change, and there is no threshold to
 * choose. (Tried on dev.jsonl, 50 overrides: as many places of the mean as the weight says cost unlike prompts 6 points
 * with weight 3, and left a quarter of the repeats wrong with weight 1; a fixed threshold fits one exit of one asset.)
 */
static void lift_learned(const sr_router *r, const sr_asset_exit *e, const sr_learned *l, const float *query,
                         float nearest, scratch *s, why_list *why) {
    size_t row_dim = e->info.row_dim;
    uint32_t best = l->count;
    float similar = -1;
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->weights[i] == 0) continue;
        float similarity = clamp1(r->kernels->dot_f32(query, l->rows + i * row_dim, row_dim));
        why_add(why, r->utterance_count + i, l->routes[i], similarity);
        if (similarity >= similar) best = i, similar = similarity; /* of equals the last: the user's newest word */
    }
    float room = 1 - nearest > CLOSEST ? 1 - nearest : CLOSEST, left = (1 - similar) / room;
    if (best == l->count || left >= 1) return;
    float way = left; /* not yet gone; each further unit of weight goes the same part of it again */
    for (uint32_t w = 1; w < l->weights[best] && w < SR_MAX_LEARNED_WEIGHT; w++) way *= left;
    float gone = 1 - way, most = 1 - gone * CLOSEST;
    for (uint32_t i = 0; i < r->route_count; i++) {
        float *score = &s->order[i].score;
        if (i == l->routes[best])
            *score += gone * (1 - *score);
        else if (*score > most) /* the very text, stored with k = 1: it gives way */
            *score = most;
    }
}

/* ---- the decision ----------------------------------------------------------------------------------------------- */

static void decide(const sr_router *r, uint32_t exit, scratch *s, sr_decision *d) {
    const sr_asset_exit *e = &r->exits[exit];
    sr_match *o = s->order;
    /* by score; inserted in route order and moved past strictly lower scores only, so ties keep the lower index first
     */
    for (uint32_t i = 1; i < r->route_count; i++) {
        sr_match m = o[i];
        uint32_t at = i;
        for (; at && m.score > o[at - 1].score; at--) o[at] = o[at - 1];
        o[at] = m;
    }
    const sr_route_params *p = &e->params[o[0].route];
    float margin = r->route_count > 1 ? o[0].score - o[1].score : 2;
    uint32_t flags = (o[0].score < p->tau ? SR_BELOW_THRESHOLD : 0) | (margin < p->margin ? SR_BELOW_MARGIN : 0);
    uint32_t route = o[0].route;
    if (flags & SR_BELOW_THRESHOLD)
        route = r->fallback;
    else if (flags & SR_BELOW_MARGIN) {
        if (e->info.low_margin_flags)
            flags |= SR_UNCERTAIN;
        else
            route = r->fallback;
    }
    const float *c = e->calibration;
    float logit = (c[0] + c[1] * margin) + (c[2] * o[0].score + c[3] * margin * o[0].score);
    d->route = route;
    d->nearest = o[0].route;
    d->exit = exit;
    d->flags = flags;
    d->score = o[0].score;
    for (uint32_t i = 0; i < r->route_count; i++)
        if (o[i].route == route) d->score = o[i].score;
    d->margin = margin;
    d->confidence = 1.0f / (1.0f + sr_expf(-logit));
}

/* ---- entry points ----------------------------------------------------------------------------------------------- */

static int check_call(const sr_router *r, uint32_t exit, const float *query, size_t dim, void *work, size_t work_bytes,
                      scratch *s) {
    if (!r || !query || !work) return SR_E_ARGUMENT;
    if (exit >= r->exit_count) return SR_E_EXIT;
    if (dim != r->exits[exit].info.dim) return SR_E_DIM;
    if (!r->exits[exit].rows) return SR_E_ARGUMENT; /* a fit: nothing to match against */
    if ((uintptr_t)work % 64 || work_bytes < sr_router_work_bytes(r)) return SR_E_MEMORY;
    scratch_layout(r, work, s);
    return SR_OK;
}

static int check_learned(const sr_router *r, const sr_asset_exit *e, const sr_learned *l) {
    if (l->count && (!l->rows || !l->routes || !l->weights)) return SR_E_ARGUMENT;
    if (l->count > UINT32_MAX - r->utterance_count) return SR_E_LIMIT;
    for (uint32_t i = 0; i < l->count; i++)
        if (l->routes[i] >= r->route_count) return SR_E_ARGUMENT;
    int bad = 0; /* a unit vector's elements; anything larger is a mistake, and could overflow the dot */
    for (size_t i = 0; i < (size_t)l->count * e->info.row_dim; i++) bad |= !(l->rows[i] >= -2 && l->rows[i] <= 2);
    return bad ? SR_E_NAN : SR_OK;
}

int sr_router_match(const sr_router *r, uint32_t exit, const float *query, size_t dim, const sr_learned *learned,
                    void *work, size_t work_bytes, sr_decision *out, sr_match *matches, size_t match_cap, sr_why *why,
                    size_t why_cap) {
    scratch s;
    const float *space;
    int rc = check_call(r, exit, query, dim, work, work_bytes, &s);
    if (rc < 0) return rc;
    if (!out || (match_cap && !matches) || (why_cap && !why)) return SR_E_ARGUMENT;
    const sr_asset_exit *e = &r->exits[exit];
    if (learned && (rc = check_learned(r, e, learned)) < 0) return rc;
    if ((rc = sr_space_project(r->kernels, &e->space, query, s.unit, s.mapped, &space)) < 0) return rc;
    /* nothing fails from here on */
    why_list list = {why, why_cap, 0};
    float nearest = score_rows(r, e, space, &s, &list);
    if (e->head) blend_head(r, e, space, &s);
    if (learned) lift_learned(r, e, learned, space, nearest, &s, &list);
    decide(r, exit, &s, out);
    size_t count = match_cap < r->route_count ? match_cap : r->route_count;
    if (count) memcpy(matches, s.order, count * sizeof *matches);
    out->match_count = (uint32_t)count;
    out->why_count = (uint32_t)list.count;
    return SR_OK;
}

int sr_router_project(const sr_router *r, uint32_t exit, const float *query, size_t dim, void *work, size_t work_bytes,
                      float *row) {
    scratch s;
    const float *space;
    int rc = check_call(r, exit, query, dim, work, work_bytes, &s);
    if (rc < 0) return rc;
    if (!row) return SR_E_ARGUMENT;
    if ((rc = sr_space_project(r->kernels, &r->exits[exit].space, query, s.unit, s.mapped, &space)) < 0) return rc;
    memcpy(row, space, r->exits[exit].info.row_dim * sizeof *row);
    return SR_OK;
}

int sr_router_plane(const sr_router *r, uint32_t exit, const float *query, size_t dim, void *work, size_t work_bytes,
                    float xy[2]) {
    scratch s;
    const float *space;
    int rc = check_call(r, exit, query, dim, work, work_bytes, &s);
    if (rc < 0) return rc;
    const sr_asset_exit *e = &r->exits[exit];
    if (!xy) return SR_E_ARGUMENT;
    if (!e->plane) return SR_E_UNSUPPORTED;
    if ((rc = sr_space_project(r->kernels, &e->space, query, s.unit, s.mapped, &space)) < 0) return rc;
    size_t row_dim = e->info.row_dim;
    for (size_t j = 0; j < 2; j++)
        xy[j] = r->kernels->dot_f32(e->plane + j * row_dim, space, row_dim) + e->plane[2 * row_dim + j];
    return SR_OK;
}

int sr_router_plane_utterance(const sr_router *r, uint32_t exit, uint32_t utterance, float xy[2]) {
    if (!r || !xy || utterance >= r->utterance_count) return SR_E_ARGUMENT;
    if (exit >= r->exit_count) return SR_E_EXIT;
    const sr_asset_exit *e = &r->exits[exit];
    if (!e->plane) return SR_E_UNSUPPORTED;
    memcpy(xy, e->plane + 2 * (size_t)e->info.row_dim + 2 + 2 * (size_t)utterance, 2 * sizeof *xy);
    return SR_OK;
}
