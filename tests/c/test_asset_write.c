/* The writer: determinism, what it refuses, and fits. */
#include "assets.h"

TEST(the_same_input_gives_the_same_bytes_on_every_platform) {
    built a = full_asset(), b = full_asset();
    CHECK(a.bytes == b.bytes && memcmp(a.file, b.file, a.bytes) == 0);
    /* the content id names all bytes; x86-64 with AVX2 wrote this one */
    if (sr_load64(a.file + 16) != 0xf58b004b25851203u)
        FAIL("content id %016llx", (unsigned long long)sr_load64(a.file + 16));
    free(a.file), free(b.file);
}

static int write_draft(const draft *d, uint32_t *bad) {
    int64_t bytes = sr_asset_write_bytes(&d->w), work_bytes = sr_asset_write_work_bytes(&d->w);
    if (bytes < 0) return (int)bytes;
    void *out = test_alloc((size_t)bytes), *work = test_alloc((size_t)work_bytes);
    memset(out, 0x77, (size_t)bytes), memset(work, 0x77, (size_t)work_bytes);
    int rc = sr_asset_write(&d->w, work, (size_t)work_bytes, out, (size_t)bytes, bad);
    free(out), free(work);
    return rc;
}

#define REFUSE(expected, expected_bad, change)                                                                         \
    do {                                                                                                               \
        draft d = full_draft();                                                                                        \
        uint32_t bad = 77;                                                                                             \
        change;                                                                                                        \
        CHECK_INT(write_draft(&d, &bad), expected);                                                                    \
        CHECK_INT(bad, expected_bad);                                                                                  \
        free_draft(&d);                                                                                                \
    } while (0)

TEST(bad_vectors_are_named) {
    REFUSE(SR_E_NAN, 7, d.vectors[7 * 12 + 3] = NAN);
    REFUSE(SR_E_NAN, 11, d.vectors[11 * 12 + 11] = INFINITY);
    REFUSE(SR_E_ZERO, 0, memset(d.vectors, 0, 48));
}

TEST(bad_parameters_are_refused) {
    REFUSE(SR_E_NAN, SR_NO_UTTERANCE, d.params[2].tau = NAN);
    REFUSE(SR_E_NAN, SR_NO_UTTERANCE, d.head[4] = INFINITY);
    REFUSE(SR_E_NAN, SR_NO_UTTERANCE, d.map[17] = NAN);
    REFUSE(SR_E_ZERO, SR_NO_UTTERANCE, memset(d.map, 0, 48));
    REFUSE(SR_E_FORMAT, SR_NO_UTTERANCE, d.exits[0].stop_confidence = 2);
    REFUSE(SR_E_FORMAT, SR_NO_UTTERANCE, d.exits[1].layer = 0);
    REFUSE(SR_E_FORMAT, SR_NO_UTTERANCE, d.exits[1].model_id.bytes = 0);
    REFUSE(SR_E_FORMAT, SR_NO_UTTERANCE, d.w.fallback = 3);
    REFUSE(SR_E_FORMAT, SR_NO_UTTERANCE, d.routes[1].negative_count = 4);
    REFUSE(SR_E_FORMAT, SR_NO_UTTERANCE, d.routes[1].id = d.routes[0].id);
    REFUSE(SR_E_FORMAT, SR_NO_UTTERANCE, d.routes[1].id.bytes = 0);
    REFUSE(SR_E_UTF8, SR_NO_UTTERANCE, d.texts[1] = text_of("\xff"));
    REFUSE(SR_E_UTF8, SR_NO_UTTERANCE, d.texts[1].bytes = 5); /* ends inside the euro sign */
    REFUSE(SR_E_UTF8, SR_NO_UTTERANCE, d.w.notes = text_of("\xc3"));
    REFUSE(SR_E_LIMIT, SR_NO_UTTERANCE, d.exits[0].aggregation_k = 65);
}

TEST(bad_shapes_are_refused_before_anything_is_written) {
    REFUSE(SR_E_ARGUMENT, 77, d.w.route_count = 2);
    REFUSE(SR_E_ARGUMENT, 77, d.w.route_count = 0);
    REFUSE(SR_E_ARGUMENT, 77, d.w.exit_count = 0);
    REFUSE(SR_E_ARGUMENT, 77, d.routes[0].utterance_count = 3);
    REFUSE(SR_E_ARGUMENT, 77, d.exits[0].map = NULL);
    REFUSE(SR_E_ARGUMENT, 77, d.exits[0].row_dim = 3);
    REFUSE(SR_E_ARGUMENT, 77, d.exits[0].row_dim = 13);
    REFUSE(SR_E_ARGUMENT, 77, d.exits[0].vectors = NULL);
    REFUSE(SR_E_LIMIT, 77, d.exits[0].dim = 8193);
    REFUSE(SR_E_LIMIT, 77, d.w.route_count = 257);
    REFUSE(SR_E_LIMIT, 77, d.w.exit_count = 33);
    REFUSE(SR_E_LIMIT, 77, d.w.utterance_count = 100001);
    CHECK_INT(sr_asset_write_bytes(NULL), SR_E_ARGUMENT);
    draft d = full_draft();
    int64_t bytes = sr_asset_write_bytes(&d.w), work_bytes = sr_asset_write_work_bytes(&d.w);
    void *out = test_alloc((size_t)bytes), *work = test_alloc((size_t)work_bytes);
    CHECK_INT(sr_asset_write(&d.w, work, (size_t)work_bytes - 1, out, (size_t)bytes, NULL), SR_E_MEMORY);
    CHECK_INT(sr_asset_write(&d.w, work, (size_t)work_bytes, out, (size_t)bytes - 1, NULL), SR_E_MEMORY);
    CHECK_INT(sr_asset_write(&d.w, NULL, (size_t)work_bytes, out, (size_t)bytes, NULL), SR_E_ARGUMENT);
    CHECK_INT(sr_asset_write(&d.w, work, (size_t)work_bytes, out, (size_t)bytes, NULL), 0);
    free(out), free(work), free_draft(&d);
}

TEST(the_largest_table_is_written_and_read) {
    draft d = make_draft((recipe){.dim = 8, .row_dim = 8, .routes = 200, .per_route = 500, .plane = 1});
    opened o = open_draft(&d);
    CHECK_INT(sr_router_utterance_count(o.r), 100000);
    sr_decision out;
    sr_why why;
    CHECK_INT(sr_router_match(o.r, 0, d.vectors + 99999 * 8, 8, NULL, o.work, o.work_bytes, &out, NULL, 0, &why, 1), 0);
    CHECK_NEAR(why.similarity, 1, 1e-6);
    close_opened(&o), free_draft(&d);
}

/* ---- fits ------------------------------------------------------------------------------------------------------- */

typedef struct {
    built b;
    void *mem;
    const sr_router *r;
} opened_fit;

static opened_fit open_fit(built b) {
    opened_fit f = {.b = b};
    int64_t bytes = sr_fit_bytes(b.file, b.bytes);
    CHECK(bytes > 0);
    f.mem = test_alloc((size_t)bytes);
    CHECK_INT(sr_fit_open(f.mem, (size_t)bytes, b.file, b.bytes, &f.r), 0);
    return f;
}

static void close_fit(opened_fit *f) {
    free(f->b.file), free(f->mem);
}

TEST(an_exit_taken_from_a_fit_gives_the_asset_that_its_numbers_gave) {
    draft d = full_draft();
    opened_fit f = open_fit(build_asset(&d.w, 1));
    CHECK_INT(sr_router_route_count(f.r), 3);
    CHECK_INT(sr_router_utterance_count(f.r), 0);
    built direct = build_asset(&d.w, 0);
    sr_write_exit exits[2];
    sr_route_params params[2][3];
    float head[2][3 * 12];
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_INT(sr_write_exit_take(f.r, i, d.routes, 3, &exits[i], params[i], head[i]), 3);
        exits[i].vectors = d.vectors, exits[i].with_plane = 1;
    }
    sr_write_asset w = d.w;
    w.exits = exits;
    built taken = build_asset(&w, 0);
    CHECK(taken.bytes == direct.bytes && memcmp(taken.file, direct.file, taken.bytes) == 0);

    /* and from an asset itself: recompiling in the page keeps what was tuned */
    opened o = open_built(direct);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_INT(sr_write_exit_take(o.r, i, d.routes, 3, &exits[i], params[i], head[i]), 3);
        CHECK_INT(exits[i].with_plane, 1);
        exits[i].vectors = d.vectors;
    }
    built again = build_asset(&w, 0);
    CHECK(again.bytes == taken.bytes && memcmp(again.file, taken.file, taken.bytes) == 0);
    free(taken.file), free(again.file);
    close_opened(&o), close_fit(&f), free_draft(&d);
}

TEST(parameters_go_to_the_routes_of_the_same_id) {
    draft d = full_draft();
    for (uint32_t i = 0; i < 3; i++) d.params[i].tau = 0.1f * (float)i;
    opened_fit f = open_fit(build_asset(&d.w, 1));
    sr_write_route routes[3] = {d.routes[2], d.routes[0], d.routes[1]};
    sr_write_exit e;
    sr_route_params params[3];
    float head[15];
    CHECK_INT(sr_write_exit_take(f.r, 0, routes, 3, &e, params, head), 3);
    CHECK(params[0].tau == 0.2f && params[1].tau == 0 && params[2].tau == 0.1f);
    CHECK(e.head == head && memcmp(head, d.head + 2 * 5, 20) == 0 && memcmp(head + 5, d.head, 20) == 0);
    routes[1].id = text_of("new");
    CHECK_INT(sr_write_exit_take(f.r, 0, routes, 3, &e, params, head), 2);
    CHECK(params[1].tau == -1 && params[2].tau == 0.1f);
    CHECK(e.head == NULL && e.head_blend == 0); /* a softmax over other routes means something else */
    CHECK_INT(sr_write_exit_take(f.r, 0, routes, 1, &e, params, head), 1);
    CHECK(e.head == NULL);
    CHECK_INT(sr_write_exit_take(f.r, 2, routes, 3, &e, params, head), SR_E_EXIT);
    CHECK_INT(sr_write_exit_take(f.r, 0, routes, 3, &e, NULL, head), SR_E_ARGUMENT);
    close_fit(&f), free_draft(&d);
}

TEST(a_fit_may_hold_a_map_and_no_routes) {
    draft d = full_draft();
    sr_write_asset w = d.w;
    w.route_count = 0;
    d.exits[0].head = NULL;
    opened_fit f = open_fit(build_asset(&w, 1));
    sr_write_exit e;
    sr_route_params params[3];
    CHECK_INT(sr_write_exit_take(f.r, 0, d.routes, 3, &e, params, NULL), 0);
    CHECK(e.map_rows && e.mean && params[1].tau == -1);
    close_fit(&f), free_draft(&d);
}

TEST(a_fit_is_no_asset_and_an_asset_no_fit) {
    draft d = full_draft();
    opened_fit f = open_fit(build_asset(&d.w, 1));
    built a = build_asset(&d.w, 0);
    CHECK_INT(sr_router_bytes(f.b.file, f.b.bytes), SR_E_MAGIC);
    CHECK_INT(try_open(f.b.file, f.b.bytes), SR_E_MAGIC);
    CHECK_INT(sr_fit_bytes(a.file, a.bytes), SR_E_MAGIC);
    size_t work_bytes = sr_router_work_bytes(f.r);
    void *work = test_alloc(work_bytes);
    sr_decision out;
    CHECK_INT(sr_router_match(f.r, 0, d.vectors, 12, NULL, work, work_bytes, &out, NULL, 0, NULL, 0), SR_E_ARGUMENT);
    free(work), free(a.file);
    close_fit(&f), free_draft(&d);
}

static int try_fit(const uint8_t *file, size_t bytes) {
    uint8_t *copy = test_alloc(bytes);
    memcpy(copy, file, bytes);
    int64_t need = sr_fit_bytes(copy, bytes);
    int rc = (int)need;
    if (need > 0) {
        void *mem = test_alloc((size_t)need);
        const sr_router *r;
        rc = sr_fit_open(mem, (size_t)need, copy, bytes, &r);
        free(mem);
    }
    free(copy);
    return rc;
}

TEST(a_damaged_fit_is_refused) {
    draft d = full_draft();
    built b = build_asset(&d.w, 1);
    for (size_t n = 0; n < b.bytes; n++) CHECK_INT(try_fit(b.file, n), SR_E_TRUNCATED);
    for (size_t bit = 0; bit < b.bytes * 8; bit++) {
        b.file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int rc = try_fit(b.file, b.bytes);
        CHECK(rc == SR_E_CHECKSUM || rc == SR_E_FORMAT || (bit < 32 && rc == SR_E_MAGIC));
        b.file[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(b.file), free_draft(&d);
}

TEST_MAIN()
