/* The matcher against a brute-force double-precision reference, and its rules. */
#include "assets.h"

static sr_decision match(const opened *o, const float *q, size_t dim, const sr_learned *l, sr_match *m, size_t mc,
                         sr_why *y, size_t yc) {
    sr_decision d;
    CHECK_INT(sr_router_match(o->r, 0, q, dim, l, o->work, o->work_bytes, &d, m, mc, y, yc), 0);
    return d;
}

/* ---- reference ------------------------------------------------------------------------------------------------- */

static void unit_double(double *v, size_t n) {
    double s = 0;
    for (size_t i = 0; i < n; i++) s += v[i] * v[i];
    for (size_t i = 0; i < n; i++) v[i] /= sqrt(s);
}

static double *reference_space(const sr_write_exit *e, const float *v) {
    double *q = malloc(e->dim * sizeof *q), *out = malloc(e->row_dim * sizeof *out);
    for (size_t i = 0; i < e->dim; i++) q[i] = v[i];
    unit_double(q, e->dim);
    if (e->mean)
        for (size_t i = 0; i < e->dim; i++) q[i] -= e->mean[i];
    for (size_t i = 0; i < e->row_dim; i++) {
        out[i] = e->map ? 0 : q[i];
        if (e->map)
            for (size_t j = 0; j < e->dim; j++) out[i] += e->map[i * e->dim + j] * q[j];
    }
    unit_double(out, e->row_dim);
    free(q);
    return out;
}

static int descending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void reference_scores(const draft *d, const float *query, double *score, double *similarity) {
    const sr_write_exit *e = &d->exits[0];
    double *q = reference_space(e, query);
    uint32_t at = 0;
    for (uint32_t r = 0; r < d->w.route_count; r++) {
        uint32_t count = d->routes[r].utterance_count, positives = count - d->routes[r].negative_count;
        double negative = -1, *top = malloc((count + 1) * sizeof *top), sum = 0;
        for (uint32_t i = 0; i < count; i++, at++) {
            double *row = reference_space(e, e->vectors + (size_t)at * e->dim), s = 0;
            for (size_t j = 0; j < e->row_dim; j++) s += row[j] * q[j];
            free(row);
            similarity[at] = s;
            if (i < positives)
                top[i] = s;
            else if (s > negative)
                negative = s;
        }
        qsort(top, positives, sizeof *top, descending);
        uint32_t k = e->aggregation_k < positives ? e->aggregation_k : positives;
        for (uint32_t i = 0; i < k; i++) sum += top[i];
        score[r] = k ? sum / k : -1;
        if (k && negative > top[0]) score[r] -= e->negative_weight * (negative - top[0]);
        if (score[r] < -1) score[r] = -1;
        free(top);
    }
    if (e->head) {
        double *p = malloc(d->w.route_count * sizeof *p), sum = 0;
        for (uint32_t r = 0; r < d->w.route_count; r++) {
            double logit = e->params[r].head_bias;
            for (size_t j = 0; j < e->row_dim; j++) logit += e->head[r * e->row_dim + j] * q[j];
            sum += p[r] = exp(logit / e->head_temperature);
        }
        for (uint32_t r = 0; r < d->w.route_count; r++)
            score[r] = (1 - e->head_blend) * score[r] + e->head_blend * p[r] / sum;
        free(p);
    }
    free(q);
}

static void compare_with_reference(recipe p, double tolerance) {
    draft d = make_draft(p);
    opened o = open_draft(&d);
    uint32_t utterances = p.routes * p.per_route;
    double *score = malloc(p.routes * sizeof *score), *similarity = malloc(utterances * sizeof *similarity);
    sr_match *m = malloc(p.routes * sizeof *m);
    sr_why why[10];
    for (int t = 0; t < 5; t++) {
        float *q = random_floats(p.dim);
        if (t == 1) /* near an utterance */
            for (size_t i = 0; i < p.dim; i++) q[i] = 0.2f * q[i] + d.vectors[p.dim * (utterances - 1) + i];
        reference_scores(&d, q, score, similarity);
        sr_decision out = match(&o, q, p.dim, NULL, m, p.routes, why, 10);
        CHECK_INT(out.match_count, p.routes);
        double best = -2, second = -2;
        for (uint32_t r = 0; r < p.routes; r++) {
            CHECK_NEAR(m[r].score, score[m[r].route], tolerance);
            if (r) CHECK(m[r].score < m[r - 1].score || (m[r].score == m[r - 1].score && m[r].route > m[r - 1].route));
            if (score[r] > best)
                second = best, best = score[r];
            else if (score[r] > second)
                second = score[r];
        }
        CHECK_NEAR(out.margin, p.routes > 1 ? best - second : 2, 2 * tolerance);
        CHECK(out.nearest == m[0].route);
        CHECK(out.confidence >= 0 && out.confidence <= 1);
        uint32_t positives = p.routes * (p.per_route - p.negatives);
        CHECK_INT(out.why_count, positives < 10 ? positives : 10);
        for (uint32_t i = 0; i < out.why_count; i++) {
            CHECK_NEAR(why[i].similarity, similarity[why[i].utterance], tolerance);
            CHECK(why[i].utterance % p.per_route < p.per_route - p.negatives); /* never a negative */
            CHECK_INT(why[i].route, why[i].utterance / p.per_route);
            if (i) CHECK(why[i].similarity <= why[i - 1].similarity);
        }
        /* nothing nearer was left out */
        for (uint32_t u = 0; u < utterances; u++) {
            int listed = u % p.per_route >= p.per_route - p.negatives;
            for (uint32_t i = 0; i < out.why_count; i++) listed |= why[i].utterance == u;
            if (!listed) CHECK(similarity[u] <= why[out.why_count - 1].similarity + tolerance);
        }
        free(q);
    }
    free(score), free(similarity), free(m);
    close_opened(&o);
    free_draft(&d);
}

TEST(scores_equal_the_reference_for_int8_rows) {
    compare_with_reference((recipe){.dim = 384, .row_dim = 384, .routes = 5, .per_route = 16, .texts = 1}, 4e-3);
    compare_with_reference((recipe){.dim = 384, .row_dim = 384, .routes = 5, .per_route = 300, .k = 64}, 4e-3);
    compare_with_reference((recipe){.dim = 100, .row_dim = 100, .routes = 3, .per_route = 7, .negatives = 3, .k = 1},
                           1e-2);
}
TEST(scores_equal_the_reference_for_f32_rows) {
    compare_with_reference((recipe){.dim = 384, .row_dim = 384, .routes = 5, .per_route = 16, .f32 = 1}, 2e-6);
    compare_with_reference((recipe){.dim = 37, .row_dim = 37, .routes = 4, .per_route = 300, .f32 = 1, .negatives = 9},
                           2e-6);
    compare_with_reference((recipe){.dim = 64, .row_dim = 64, .routes = 4, .per_route = 3, .f32 = 1, .mean = 1}, 2e-6);
}
TEST(scores_equal_the_reference_with_a_map_head_and_blend) {
    compare_with_reference((recipe){.dim = 96, .row_dim = 33, .routes = 6, .per_route = 20, .f32 = 1, .mean = 1}, 2e-2);
    compare_with_reference(
        (recipe){.dim = 96, .row_dim = 96, .routes = 6, .per_route = 20, .f32 = 1, .head = 1, .blend = 0.3f}, 3e-6);
    compare_with_reference((recipe){.dim = 96, .row_dim = 96, .routes = 6, .per_route = 20, .head = 1, .blend = 1},
                           4e-3);
}
TEST(dimensions_from_8_to_8192_and_1_to_256_routes_work) {
    uint32_t dims[] = {4, 8, 9, 15, 63, 64, 65, 1000, 4096, 8191, 8192};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        compare_with_reference((recipe){.dim = dims[i], .row_dim = dims[i], .routes = 2, .per_route = 3, .f32 = 1},
                               3e-6);
        compare_with_reference((recipe){.dim = dims[i], .row_dim = dims[i], .routes = 2, .per_route = 3}, 2e-2);
    }
    compare_with_reference((recipe){.dim = 16, .row_dim = 16, .routes = 1, .per_route = 1}, 2e-2);
    compare_with_reference((recipe){.dim = 32, .row_dim = 32, .routes = 256, .per_route = 3, .f32 = 1}, 2e-6);
    compare_with_reference((recipe){.dim = 8, .row_dim = 8, .routes = 256, .per_route = 1, .f32 = 1}, 2e-6);
}

/* ---- rules ------------------------------------------------------------------------------------------------------ */

/* Routes whose utterances are the axes of a 4-dimensional space: scores are plain to see. */
static const float axes[4 * 4] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
static draft axis_draft(uint32_t routes, uint32_t per_route, recipe p) {
    p.dim = p.row_dim = 4, p.routes = routes, p.per_route = per_route;
    draft d = make_draft(p);
    memcpy(d.vectors, axes, (size_t)routes * per_route * 4 * sizeof(float));
    return d;
}

TEST(an_utterance_asked_again_scores_one) {
    recipe p = {.dim = 50, .row_dim = 50, .routes = 3, .per_route = 4, .k = 1, .mean = 1};
    draft d = make_draft(p);
    opened o = open_draft(&d);
    sr_why why[2];
    for (uint32_t u = 0; u < 12; u++) {
        sr_decision out = match(&o, d.vectors + u * 50, 50, NULL, NULL, 0, why, 2);
        CHECK_NEAR(out.score, 1, 1e-6);
        CHECK(out.score <= 1);
        CHECK_INT(why[0].utterance, u);
        CHECK_INT(out.route, u / 4);
    }
    close_opened(&o), free_draft(&d);
}

TEST(ties_go_to_the_lower_index) {
    draft d = axis_draft(4, 1, (recipe){.tau = -1});
    for (int i = 0; i < 16; i++) d.vectors[i] = 1;
    opened o = open_draft(&d);
    sr_match m[4];
    sr_why why[3];
    float q[4] = {1, 1, 1, 1};
    sr_decision out = match(&o, q, 4, NULL, m, 4, why, 3);
    CHECK_INT(out.route, 0);
    for (uint32_t i = 0; i < 4; i++) CHECK_INT(m[i].route, i);
    for (uint32_t i = 0; i < 3; i++) CHECK_INT(why[i].utterance, i);
    CHECK_INT(out.why_count, 3);
    close_opened(&o), free_draft(&d);
}

TEST(below_tau_the_fallback_takes_the_prompt) {
    draft d = axis_draft(4, 1, (recipe){.tau = 0.9f});
    d.w.fallback = 3;
    opened o = open_draft(&d);
    float sure[4] = {0, 1, 0, 0}, unsure[4] = {0.2f, 1, 0.9f, 0};
    sr_decision out = match(&o, sure, 4, NULL, NULL, 0, NULL, 0);
    CHECK_INT(out.route, 1), CHECK_INT(out.flags, 0), CHECK_NEAR(out.score, 1, 1e-6), CHECK_NEAR(out.margin, 1, 1e-6);
    out = match(&o, unsure, 4, NULL, NULL, 0, NULL, 0);
    CHECK_INT(out.route, 3), CHECK_INT(out.nearest, 1), CHECK_INT(out.flags, SR_BELOW_THRESHOLD);
    CHECK_NEAR(out.score, 0, 1e-6); /* of the decided route */
    close_opened(&o), free_draft(&d);
}

TEST(below_the_margin_it_falls_back_or_is_flagged_as_the_asset_says) {
    float q[4] = {0, 1, 0.95f, 0}, wide[4] = {0, 1, 0.1f, 0};
    for (uint32_t flags = 0; flags < 2; flags++) {
        draft d = axis_draft(4, 1, (recipe){.tau = -1, .margin = 0.2f, .low_margin_flags = flags});
        opened o = open_draft(&d);
        sr_decision out = match(&o, q, 4, NULL, NULL, 0, NULL, 0);
        CHECK_INT(out.nearest, 1);
        CHECK_INT(out.route, flags ? 1 : 0);
        CHECK_INT(out.flags, flags ? SR_BELOW_MARGIN | SR_UNCERTAIN : SR_BELOW_MARGIN);
        out = match(&o, wide, 4, NULL, NULL, 0, NULL, 0);
        CHECK_INT(out.route, 1), CHECK_INT(out.flags, 0);
        close_opened(&o), free_draft(&d);
    }
}

TEST(a_fallback_without_utterances_scores_minus_one_and_takes_what_nobody_wants) {
    draft d = axis_draft(2, 2, (recipe){.tau = 0.5f, .k = 1});
    d.routes[0].utterance_count = 0, d.routes[1].utterance_count = 4; /* route 0 is the fallback */
    opened o = open_draft(&d);
    sr_match m[2];
    float q[4] = {-1, -1, -1, -1};
    sr_decision out = match(&o, q, 4, NULL, m, 2, NULL, 0);
    CHECK_INT(out.route, 0), CHECK_INT(out.nearest, 1), CHECK_NEAR(m[1].score, -1, 0);
    close_opened(&o), free_draft(&d);
}

TEST(a_nearer_negative_lowers_its_route) {
    draft d = axis_draft(2, 2, (recipe){.tau = -1, .negatives = 1, .k = 1});
    d.exits[0].negative_weight = 0.5f;
    opened o = open_draft(&d);
    sr_match m[2];
    float q[4] = {0.6f, 0.8f, 0, 0}; /* route 0: utterance at 0.6, negative at 0.8 */
    match(&o, q, 4, NULL, m, 2, NULL, 0);
    CHECK_INT(m[0].route, 0), CHECK_NEAR(m[0].score, 0.6 - 0.5 * 0.2, 5e-3);
    float far[4] = {0.8f, 0.6f, 0, 0};
    match(&o, far, 4, NULL, m, 2, NULL, 0);
    CHECK_NEAR(m[0].score, 0.8, 5e-3);
    close_opened(&o), free_draft(&d);
}

/* Two routes of two utterances on the axes of four dimensions, and what one learned utterance does to a query. */
static sr_decision taught(const opened *o, const float *learned, const float *q, uint32_t route, uint32_t weight,
                          sr_match *m, sr_why *why) {
    float row[4];
    CHECK_INT(sr_router_project(o->r, 0, learned, 4, o->work, o->work_bytes, row), 0);
    return match(o, q, 4, &(sr_learned){1, row, &route, &weight}, m, 2, why, 5);
}

TEST(what_was_learned_lifts_its_route_as_far_as_it_is_nearer_than_all_that_is_stored) {
    for (uint32_t f32 = 0; f32 < 2; f32++) {
        draft d = axis_draft(2, 2, (recipe){.tau = -1, .k = 2, .f32 = f32});
        opened o = open_draft(&d);
        sr_match m[2];
        sr_why why[5];
        float q[4] = {0, 0, 0.6f, 0.8f}, between[4] = {0, 0, 0.1f, 1}, far[4] = {0, 0, 1, 0.1f};
        sr_decision out = match(&o, q, 4, NULL, m, 2, why, 5);
        CHECK_INT(out.route, 1), CHECK_INT(out.why_count, 4);
        out = taught(&o, q, q, 0, 1, m, why); /* a repeat */
        CHECK_INT(out.route, 0), CHECK_NEAR(out.score, 1, 1e-4);
        CHECK_INT(why[0].utterance, 4), CHECK_INT(why[0].route, 0), CHECK_INT(out.why_count, 5);
        /* 0.98 from a unit vector whose nearest stored utterance is at 0.8: so much of the way */
        float near[4] = {0, 0, 0.6f * 0.98f - 0.8f * 0.199f, 0.8f * 0.98f + 0.6f * 0.199f};
        float gone = 1 - 0.02f / 0.2f;
        out = taught(&o, near, q, 0, 1, m, why);
        CHECK_INT(out.route, 0), CHECK_NEAR(out.score, gone, 2e-2);
        taught(&o, near, q, 0, 2, m, why); /* said twice: of what was left, the same part again */
        CHECK_NEAR(m[0].score, 1 - (1 - gone) * (1 - gone), 2e-2);
        out = taught(&o, far, q, 0, 5, m, why); /* further away than what is stored */
        CHECK_INT(out.route, 1), CHECK_NEAR(out.score, 0.7, 5e-3);
        out = taught(&o, between, q, 0, 0, m, why); /* weight 0: as if it were not there */
        CHECK_INT(out.route, 1), CHECK_INT(out.why_count, 4);
        close_opened(&o), free_draft(&d);
    }
}

TEST(a_repeat_goes_right_where_another_route_stores_that_very_text) {
    draft d = axis_draft(2, 2, (recipe){.tau = -1, .k = 1});
    opened o = open_draft(&d);
    sr_match m[2];
    sr_why why[5];
    float q[4] = {1, 0, 0, 0};
    CHECK_INT(match(&o, q, 4, NULL, m, 2, why, 5).route, 0);
    CHECK_INT(taught(&o, q, q, 1, 1, m, why).route, 1);
    close_opened(&o), free_draft(&d);
}

TEST(of_learned_utterances_the_nearest_counts_and_of_equals_the_newest) {
    draft d = axis_draft(2, 2, (recipe){.tau = -1, .k = 2});
    opened o = open_draft(&d);
    sr_match m[2];
    float q[4] = {0, 0, 0.6f, 0.8f}, rows[8] = {0, 0, 0.6f, 0.8f, 0, 0, 0.6f, 0.8f};
    uint32_t routes[2] = {1, 0}, weights[2] = {1, 1};
    sr_learned l = {2, rows, routes, weights};
    CHECK_INT(match(&o, q, 4, &l, m, 2, NULL, 0).route, 0);
    rows[6] = 0.8f, rows[7] = 0.6f;
    CHECK_INT(match(&o, q, 4, &l, m, 2, NULL, 0).route, 1);
    close_opened(&o), free_draft(&d);
}

TEST(the_plane_puts_an_utterance_where_its_vector_goes) {
    draft d = make_draft((recipe){.dim = 40, .row_dim = 12, .routes = 3, .per_route = 30, .plane = 1, .mean = 1});
    opened o = open_draft(&d);
    double sum[2] = {0, 0}, square[2] = {0, 0}, cross = 0;
    for (uint32_t u = 0; u < 90; u++) {
        float a[2], b[2];
        CHECK_INT(sr_router_plane_utterance(o.r, 0, u, a), 0);
        CHECK_INT(sr_router_plane(o.r, 0, d.vectors + u * 40, 40, o.work, o.work_bytes, b), 0);
        CHECK(a[0] == b[0] && a[1] == b[1]);
        for (int j = 0; j < 2; j++) sum[j] += a[j], square[j] += (double)a[j] * a[j];
        cross += (double)a[0] * a[1];
    }
    CHECK_NEAR(sum[0], 0, 1e-4), CHECK_NEAR(sum[1], 0, 1e-4); /* centred, */
    CHECK_NEAR(cross / square[0], 0, 2e-2);                   /* uncorrelated, */
    CHECK(square[0] >= square[1] * 0.999);                    /* widest first */
    close_opened(&o), free_draft(&d);
    d = make_draft((recipe){.dim = 8, .row_dim = 8, .routes = 2, .per_route = 2});
    o = open_draft(&d);
    float xy[2];
    CHECK_INT(sr_router_plane_utterance(o.r, 0, 0, xy), SR_E_UNSUPPORTED);
    CHECK_INT(sr_router_plane(o.r, 0, d.vectors, 8, o.work, o.work_bytes, xy), SR_E_UNSUPPORTED);
    close_opened(&o), free_draft(&d);
}

/* ---- bad calls -------------------------------------------------------------------------------------------------- */

TEST(bad_queries_have_their_own_codes_and_leave_outputs_alone) {
    draft d = make_draft((recipe){.dim = 8, .row_dim = 8, .routes = 2, .per_route = 2, .mean = 1});
    opened o = open_draft(&d);
    float q[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, zero[8] = {0}, nan_q[8] = {0, NAN},
          inf_q[8] = {1, 0, 0, 0, 0, 0, 0, -INFINITY};
    sr_decision out, before;
    sr_match m[2], m0[2];
    sr_why y[2], y0[2];
    memset(&before, 0xAB, sizeof before), memset(m0, 0xAB, sizeof m0), memset(y0, 0xAB, sizeof y0);
    out = before, memcpy(m, m0, sizeof m), memcpy(y, y0, sizeof y);
#define BAD(expected, exit_, query_, dim_, work_, bytes_)                                                              \
    CHECK_INT(sr_router_match(o.r, exit_, query_, dim_, NULL, work_, bytes_, &out, m, 2, y, 2), expected);             \
    CHECK(!memcmp(&out, &before, sizeof out) && !memcmp(m, m0, sizeof m) && !memcmp(y, y0, sizeof y))
    BAD(SR_E_NAN, 0, nan_q, 8, o.work, o.work_bytes);
    BAD(SR_E_NAN, 0, inf_q, 8, o.work, o.work_bytes);
    BAD(SR_E_ZERO, 0, zero, 8, o.work, o.work_bytes);
    BAD(SR_E_DIM, 0, q, 7, o.work, o.work_bytes);
    BAD(SR_E_DIM, 0, q, 9, o.work, o.work_bytes);
    BAD(SR_E_DIM, 0, q, 0, o.work, o.work_bytes);
    BAD(SR_E_EXIT, 1, q, 8, o.work, o.work_bytes);
    BAD(SR_E_ARGUMENT, 0, NULL, 8, o.work, o.work_bytes);
    BAD(SR_E_ARGUMENT, 0, q, 8, NULL, o.work_bytes);
    BAD(SR_E_MEMORY, 0, q, 8, o.work, o.work_bytes - 1);
    BAD(SR_E_MEMORY, 0, q, 8, (char *)o.work + 4, o.work_bytes);
    CHECK_INT(sr_router_match(o.r, 0, q, 8, NULL, o.work, o.work_bytes, NULL, m, 2, y, 2), SR_E_ARGUMENT);
    CHECK_INT(sr_router_match(o.r, 0, q, 8, NULL, o.work, o.work_bytes, &out, NULL, 2, y, 2), SR_E_ARGUMENT);
    CHECK_INT(sr_router_match(o.r, 0, q, 8, NULL, o.work, o.work_bytes, &out, m, 2, NULL, 2), SR_E_ARGUMENT);
    float row[16] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    uint32_t routes[2] = {0, 1}, weights[2] = {1, 1};
    sr_learned l = {2, row, routes, weights};
    row[9] = NAN;
    CHECK_INT(sr_router_match(o.r, 0, q, 8, &l, o.work, o.work_bytes, &out, m, 2, y, 2), SR_E_NAN);
    row[9] = 1, routes[1] = 2;
    CHECK_INT(sr_router_match(o.r, 0, q, 8, &l, o.work, o.work_bytes, &out, m, 2, y, 2), SR_E_ARGUMENT);
    l.rows = NULL;
    CHECK_INT(sr_router_match(o.r, 0, q, 8, &l, o.work, o.work_bytes, &out, m, 2, y, 2), SR_E_ARGUMENT);
    CHECK(!memcmp(&out, &before, sizeof out) && !memcmp(m, m0, sizeof m) && !memcmp(y, y0, sizeof y));
    close_opened(&o), free_draft(&d);
}

TEST(a_query_equal_to_the_mean_has_no_direction) {
    draft d = make_draft((recipe){.dim = 4, .row_dim = 4, .routes = 1, .per_route = 1, .mean = 1});
    float mean[4] = {1, 0, 0, 0}, q[4] = {5, 0, 0, 0};
    memcpy(d.mean, mean, sizeof mean);
    opened o = open_draft(&d);
    sr_decision out;
    CHECK_INT(sr_router_match(o.r, 0, q, 4, NULL, o.work, o.work_bytes, &out, NULL, 0, NULL, 0), SR_E_ZERO);
    close_opened(&o), free_draft(&d);
}

TEST(the_length_of_a_query_does_not_matter) {
    draft d = make_draft((recipe){.dim = 100, .row_dim = 100, .routes = 4, .per_route = 5});
    opened o = open_draft(&d);
    float *q = random_floats(100), scaled[100];
    sr_match a[4], b[4];
    match(&o, q, 100, NULL, a, 4, NULL, 0);
    float lengths[] = {1e30f, 3e38f, 1e-30f, 1e-38f, 7};
    for (size_t l = 0; l < 5; l++) {
        for (int i = 0; i < 100; i++) scaled[i] = q[i] * lengths[l];
        match(&o, scaled, 100, NULL, b, 4, NULL, 0);
        for (int i = 0; i < 4; i++) CHECK_NEAR(b[i].score, a[i].score, l == 3 ? 5e-3 : 2e-5);
    }
    for (int i = 0; i < 100; i++) scaled[i] = q[i] < 0 ? -1e-45f : 1e-45f; /* the smallest numbers there are */
    match(&o, scaled, 100, NULL, b, 4, NULL, 0);
    free(q);
    close_opened(&o), free_draft(&d);
}

TEST(confidence_is_never_nan_even_with_the_largest_calibration) {
    float c[][4] = {{1e6f, 1e6f, 1e6f, 1e6f}, {-1e6f, -1e6f, -1e6f, -1e6f}, {1e6f, -1e6f, 1e6f, -1e6f}, {0, 0, 0, 0}};
    for (int t = 0; t < 4; t++) {
        draft d = make_draft((recipe){.dim = 8, .row_dim = 8, .routes = 1 + t % 2, .per_route = 2});
        memcpy(d.exits[0].calibration, c[t], sizeof c[t]);
        opened o = open_draft(&d);
        sr_decision out = match(&o, d.vectors, 8, NULL, NULL, 0, NULL, 0);
        CHECK(out.confidence >= 0 && out.confidence <= 1);
        if (t == 3) CHECK_NEAR(out.confidence, 0.5, 0);
        close_opened(&o), free_draft(&d);
    }
}

TEST(every_kernel_set_gives_the_same_bits) {
    recipe p[] = {{.dim = 384, .row_dim = 384, .routes = 5, .per_route = 60},
                  {.dim = 100, .row_dim = 37, .routes = 5, .per_route = 9, .mean = 1, .head = 1, .blend = 0.5f},
                  {.dim = 100, .row_dim = 100, .routes = 5, .per_route = 9, .f32 = 1, .plane = 1}};
    const char *names[] = {"avx2", "simd128", "relaxed", "relaxed-dot"};
    for (int t = 0; t < 3; t++) {
        sr_kernels_force(&sr_kernels_scalar);
        draft d = make_draft(p[t]);
        opened a = open_draft(&d);
        for (int n = 0; n < 4; n++) {
            const sr_kernels *k = sr_kernels_by_name(names[n]);
            if (!k) continue;
            sr_kernels_force(k);
            opened b = open_draft(&d);
            CHECK(a.b.bytes == b.b.bytes && memcmp(a.b.file, b.b.file, a.b.bytes) == 0); /* the writer, too */
            for (int i = 0; i < 20; i++) {
                float *q = random_floats(p[t].dim);
                sr_match ma[5], mb[5];
                sr_why ya[7], yb[7];
                sr_decision da = match(&a, q, p[t].dim, NULL, ma, 5, ya, 7),
                            db = match(&b, q, p[t].dim, NULL, mb, 5, yb, 7);
                CHECK(!memcmp(&da, &db, sizeof da) && !memcmp(ma, mb, sizeof ma) && !memcmp(ya, yb, sizeof ya));
                free(q);
            }
            close_opened(&b);
        }
        sr_kernels_force(NULL);
        close_opened(&a), free_draft(&d);
    }
}

#ifndef __wasm__ /* wasm modules have one thread */
#include <pthread.h>

typedef struct {
    const sr_router *r;
    const float *queries;
    sr_decision decisions[200];
} thread_job;

static void *match_many(void *context) {
    thread_job *j = context;
    size_t work_bytes = sr_router_work_bytes(j->r);
    void *work = test_alloc(work_bytes);
    for (int i = 0; i < 200; i++)
        sr_router_match(j->r, 0, j->queries + i * 40, 40, NULL, work, work_bytes, &j->decisions[i], NULL, 0, NULL, 0);
    free(work);
    return NULL;
}

TEST(threads_share_a_router) {
    draft d = make_draft((recipe){.dim = 40, .row_dim = 17, .routes = 9, .per_route = 50, .mean = 1, .head = 1});
    opened o = open_draft(&d);
    float *queries = random_floats(200 * 40);
    static thread_job jobs[4];
    pthread_t threads[4];
    for (int t = 0; t < 4; t++) {
        memset(&jobs[t], 0, sizeof jobs[t]);
        jobs[t].r = o.r, jobs[t].queries = queries;
        pthread_create(&threads[t], NULL, match_many, &jobs[t]);
    }
    for (int t = 0; t < 4; t++) pthread_join(threads[t], NULL);
    for (int t = 1; t < 4; t++) CHECK(memcmp(jobs[t].decisions, jobs[0].decisions, sizeof jobs[0].decisions) == 0);
    free(queries);
    close_opened(&o), free_draft(&d);
}
#endif

TEST_MAIN()
