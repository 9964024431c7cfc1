/* The reader refuses whatever ASSET.md does not allow; the writer writes what the reader takes; fits. */
#include "assets.h"

/* ---- helpers ---------------------------------------------------------------------------------------------------- */

/* Makes all hashes right again after `file` was changed, so that only the change itself can be the reason. */
static void reseal(uint8_t *file, size_t bytes) {
    uint32_t count = sr_load32(file + 32);
    for (uint32_t i = 0; i < count && 64 + (size_t)(i + 1) * 32 <= bytes; i++) {
        uint8_t *e = file + 64 + (size_t)i * 32;
        uint64_t offset = sr_load64(e + 8), size = sr_load64(e + 16);
        if (offset <= bytes && size <= bytes - offset) sr_store64(e + 24, sr_hash64(file + offset, (size_t)size));
    }
    if (count <= (bytes - 64) / 32) sr_store64(file + 16, sr_hash64(file + 64, (size_t)count * 32));
    uint8_t covered[56];
    memcpy(covered, file, 24), memcpy(covered + 24, file + 32, 32);
    sr_store64(file + 24, sr_hash64(covered, sizeof covered));
}

static uint8_t *section_of(built b, uint32_t kind, uint32_t index, sr_section *s) {
    sr_container c;
    const char *magic = memcmp(b.file, "SRF1", 4) ? "SRR1" : "SRF1";
    if (sr_container_open(b.file, b.bytes, magic, 1, &c) < 0 || sr_container_find(&c, kind, index, s) < 0) {
        FAIL("no section %u, %u", kind, index);
        exit(2);
    }
    return b.file + s->offset;
}

/* The same file with one section more (bytes > 0), less (drop) or of another size. */
static built rebuilt(built b, const sr_section *add, const void *data, uint32_t drop_kind, uint32_t drop_index) {
    sr_container c;
    sr_section s[64];
    const uint8_t *from[64];
    const char *magic = memcmp(b.file, "SRF1", 4) ? "SRR1" : "SRF1";
    uint32_t n = 0;
    sr_container_open(b.file, b.bytes, magic, 1, &c);
    for (uint32_t i = 0; i < c.section_count; i++) {
        sr_container_section(&c, i, &s[n]);
        from[n] = b.file + s[n].offset;
        if (s[n].kind != drop_kind || s[n].index != drop_index) n++;
    }
    if (add) s[n] = *add, from[n] = data, n++;
    built out;
    out.bytes = (size_t)sr_container_layout(s, n);
    out.file = test_alloc(out.bytes);
    memset(out.file, 0, out.bytes);
    for (uint32_t i = 0; i < n; i++) memcpy(out.file + s[i].offset, from[i], (size_t)s[i].bytes);
    sr_container_seal(out.file, s, n, magic, 1);
    return out;
}

/* ---- reading back ----------------------------------------------------------------------------------------------- */

static int is(sr_text t, const char *s) {
    return t.bytes == strlen(s) && !memcmp(t.data, s, t.bytes);
}

TEST(everything_written_reads_back) {
    draft d = full_draft();
    d.w.fallback = 2;
    d.routes[1].description = text_of("Beschreibung"), d.routes[1].target = text_of("gpt");
    opened o = open_draft(&d);
    CHECK_INT(sr_router_route_count(o.r), 3);
    CHECK_INT(sr_router_utterance_count(o.r), 12);
    CHECK_INT(sr_router_exit_count(o.r), 2);
    CHECK_INT(sr_router_fallback(o.r), 2);
    CHECK(sr_router_content(o.r) == sr_load64(o.b.file + 16));
    sr_route_info route;
    CHECK_INT(sr_router_route(o.r, 1, &route), 0);
    CHECK(is(route.id, "route-1-\xc3\xa9") && is(route.label, "Label") && is(route.description, "Beschreibung") &&
          is(route.target, "gpt"));
    CHECK(route.first_utterance == 4 && route.utterance_count == 4 && route.negative_count == 1);
    CHECK_INT(sr_router_route(o.r, 3, &route), SR_E_ARGUMENT);
    sr_utterance_info u;
    CHECK_INT(sr_router_utterance(o.r, 7, &u), 0);
    CHECK(is(u.text, "Sag \xe2\x82\xac 7") && u.route == 1 && u.negative == 1);
    CHECK_INT(sr_router_utterance(o.r, 6, &u), 0);
    CHECK(u.negative == 0);
    CHECK_INT(sr_router_utterance(o.r, 12, &u), SR_E_ARGUMENT);
    sr_exit_info x;
    CHECK_INT(sr_router_exit(o.r, 0, &x), 0);
    CHECK(x.dim == 12 && x.row_dim == 5 && x.has_map && x.has_head && x.has_plane && !x.row_is_f32 &&
          x.aggregation_k == 5);
    CHECK(is(x.model_id, "test-model") && is(x.prefix, "query: ") && x.model_content == 0x1234567890abcdefu);
    CHECK_INT(sr_router_exit(o.r, 1, &x), 0);
    CHECK(x.layer == 1 && x.row_dim == 12 && !x.has_map && x.row_is_f32);
    CHECK_INT(sr_router_exit(o.r, 2, &x), SR_E_EXIT);
    CHECK_INT(sr_router_find_exit(o.r, SR_EMBEDDER_ENCODER, 1), 1);
    CHECK_INT(sr_router_find_exit(o.r, SR_EMBEDDER_TABLE, 0), SR_E_EXIT);
    float tau, margin;
    CHECK_INT(sr_router_thresholds(o.r, 1, 2, &tau, &margin), 0);
    CHECK(tau == 0.1f && margin == 0.05f);
    CHECK_INT(sr_router_thresholds(o.r, 2, 2, &tau, &margin), SR_E_EXIT);
    CHECK_INT(sr_router_thresholds(o.r, 1, 3, &tau, &margin), SR_E_ARGUMENT);
    close_opened(&o), free_draft(&d);
}

TEST(without_texts_utterances_are_empty) {
    draft d = make_draft((recipe){.dim = 8, .row_dim = 8, .routes = 2, .per_route = 2});
    opened o = open_draft(&d);
    sr_utterance_info u;
    CHECK_INT(sr_router_utterance(o.r, 3, &u), 0);
    CHECK(u.text.bytes == 0 && u.route == 1);
    close_opened(&o), free_draft(&d);
}

#ifndef __wasm__ /* has no file system in the test runner; the JS suite loads the golden asset there */
TEST(the_golden_asset_of_version_1_loads) {
    FILE *f = fopen("tests/golden/asset-v1.srr", "rb");
    CHECK(f != NULL);
    if (!f) return;
    uint8_t *file = test_alloc(65536);
    size_t bytes = fread(file, 1, 65536, f);
    fclose(f);
    built b = {test_alloc(bytes), bytes};
    memcpy(b.file, file, bytes);
    free(file);
    opened o = open_built(b);
    sr_utterance_info u;
    CHECK_INT(sr_router_utterance(o.r, 3, &u), 0);
    CHECK(is(u.text, "Sag \xe2\x82\xac 3") && u.negative == 1);
    float q[12] = {1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -12};
    sr_decision d;
    sr_match m[3];
    for (uint32_t exit = 0; exit < 2; exit++)
        CHECK_INT(sr_router_match(o.r, exit, q, 12, NULL, o.work, o.work_bytes, &d, m, 3, NULL, 0), 0);
    CHECK_NEAR(m[0].score, -0.01351673, 1e-6);
    close_opened(&o);
}
#endif

/* ---- damage ----------------------------------------------------------------------------------------------------- */

TEST(an_asset_truncated_at_any_byte_is_refused) {
    built b = full_asset();
    for (size_t n = 0; n < b.bytes; n++) {
        int rc = try_open(b.file, n);
        if (rc != SR_E_TRUNCATED) FAIL("%zu bytes give %s", n, sr_error_name(rc));
    }
    CHECK_INT(try_open(b.file, b.bytes), 0);
    uint8_t *longer = test_alloc(b.bytes + 64);
    memset(longer, 0, b.bytes + 64);
    memcpy(longer, b.file, b.bytes);
    CHECK_INT(try_open(longer, b.bytes + 1), SR_E_FORMAT);
    CHECK_INT(try_open(longer, b.bytes + 64), SR_E_FORMAT);
    free(longer), free(b.file);
}

TEST(a_flipped_bit_anywhere_is_refused) {
    built b = full_asset();
    for (size_t bit = 0; bit < b.bytes * 8; bit++) {
        b.file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int rc = try_open(b.file, b.bytes);
        /* a gap's zeros are named by no hash, but must be zero; the magic has its own code */
        if (rc != SR_E_CHECKSUM && rc != SR_E_FORMAT && !(bit < 32 && rc == SR_E_MAGIC))
            FAIL("bit %zu: %s", bit, sr_error_name(rc));
        b.file[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(b.file);
}

/* What opens must also match: with finite scores and without a step outside (under a sanitizer). */
static void exercise(built b) {
    built copy = {test_alloc(b.bytes), b.bytes};
    memcpy(copy.file, b.file, b.bytes);
    opened o = open_built(copy);
    for (uint32_t exit = 0; exit < sr_router_exit_count(o.r); exit++) {
        sr_exit_info x;
        sr_router_exit(o.r, exit, &x);
        float *q = random_floats(x.dim), xy[2];
        sr_decision d;
        sr_match m[SR_MAX_ROUTES];
        sr_why why[5];
        int rc = sr_router_match(o.r, exit, q, x.dim, NULL, o.work, o.work_bytes, &d, m, SR_MAX_ROUTES, why, 5);
        CHECK(rc == 0 || rc == SR_E_ZERO);
        if (rc == 0) {
            CHECK(d.confidence >= 0 && d.confidence <= 1 && d.margin >= 0 && d.margin <= 2);
            CHECK(d.route < sr_router_route_count(o.r));
            for (uint32_t i = 0; i < d.match_count; i++) CHECK(m[i].score >= -1 && m[i].score <= 1.000001f);
            sr_route_info route;
            sr_utterance_info u;
            size_t sum = 0;
            for (uint32_t i = 0; i < sr_router_route_count(o.r); i++) {
                sr_router_route(o.r, i, &route);
                for (size_t j = 0; j < route.id.bytes; j++) sum += (uint8_t)route.id.data[j];
            }
            for (uint32_t i = 0; i < d.why_count; i++) {
                sr_router_utterance(o.r, why[i].utterance, &u);
                for (size_t j = 0; j < u.text.bytes; j++) sum += (uint8_t)u.text.data[j];
            }
            CHECK(sum > 0);
        }
        sr_router_plane(o.r, exit, q, x.dim, o.work, o.work_bytes, xy);
        free(q);
    }
    close_opened(&o);
}

TEST(a_flipped_bit_with_good_hashes_never_breaks_anything) {
    built b = full_asset();
    uint8_t *changed = test_alloc(b.bytes);
    size_t accepted = 0;
    for (size_t bit = 0; bit < b.bytes * 8; bit++) {
        memcpy(changed, b.file, b.bytes);
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        reseal(changed, b.bytes);
        if (try_open(changed, b.bytes) == 0) {
            accepted++;
            if (accepted % 5 == 0) exercise((built){changed, b.bytes});
        }
    }
    CHECK(accepted > 1000); /* texts, thresholds, low bits of numbers */
    free(changed), free(b.file);
}

TEST(random_bytes_with_good_hashes_never_break_anything) {
    built b = full_asset();
    uint8_t *changed = test_alloc(b.bytes);
    static const uint32_t values[] = {0,          1,          2,          0x7f,       0x80,      0xff,
                                      0x7fffffff, 0x80000000, 0xffffffff, 0x7fc00000, 0x7f800000};
    for (size_t at = 64; at + 4 <= b.bytes; at += 4)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
            memcpy(changed, b.file, b.bytes);
            sr_store32(changed + at, values[v]);
            reseal(changed, b.bytes);
            if (try_open(changed, b.bytes) == 0 && (at + v) % 7 == 0) exercise((built){changed, b.bytes});
        }
    free(changed), free(b.file);
}

/* ---- rules of ASSET.md ------------------------------------------------------------------------------------------ */

/* Changes bytes of one section, makes the hashes right, expects a code. */
static void refuse(uint32_t kind, uint32_t index, size_t at, const void *bytes, size_t size, int expected,
                   const char *what) {
    built b = full_asset();
    sr_section s;
    uint8_t *p = section_of(b, kind, index, &s);
    if (at + size > s.bytes) FAIL("%s: past the section", what);
    memcpy(p + at, bytes, size);
    reseal(b.file, b.bytes);
    int rc = try_open(b.file, b.bytes);
    if (rc != expected) FAIL("%s gives %s, not %s", what, sr_error_name(rc), sr_error_name(expected));
    free(b.file);
}
#define REFUSE_U32(kind, index, at, value, expected)                                                                   \
    refuse(kind, index, at, &(uint32_t){value}, 4, expected, #kind " " #at " = " #value)
#define REFUSE_F32(kind, index, at, value, expected)                                                                   \
    refuse(kind, index, at, &(float){value}, 4, expected, #kind " " #at " = " #value)
#define REFUSE_U8(kind, index, at, value, expected)                                                                    \
    refuse(kind, index, at, &(uint8_t){value}, 1, expected, #kind " " #at " = " #value)

TEST(bad_meta_is_refused) {
    REFUSE_U32(SR_KIND_META, 0, 0, 0, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 0, 257, SR_E_LIMIT);
    REFUSE_U32(SR_KIND_META, 0, 0, 2, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 4, 0, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 4, 13, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 4, 100001, SR_E_LIMIT);
    REFUSE_U32(SR_KIND_META, 0, 8, 0, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 8, 1, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 8, 3, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 8, 33, SR_E_LIMIT);
    REFUSE_U32(SR_KIND_META, 0, 12, 3, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 16, 2, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 16, 0, SR_E_FORMAT); /* texts, though it says none are kept */
    REFUSE_U32(SR_KIND_META, 0, 20, 0xffffffff, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_META, 0, 24, 0xffffffff, SR_E_FORMAT);
    for (size_t at = 28; at < 64; at++) REFUSE_U8(SR_KIND_META, 0, at, 1, SR_E_FORMAT);
}

TEST(bad_routes_are_refused) {
    REFUSE_U32(SR_KIND_ROUTES, 0, 4, 0, SR_E_FORMAT);          /* no id */
    REFUSE_U32(SR_KIND_ROUTES, 0, 4, 0xffffffff, SR_E_FORMAT); /* past STRINGS */
    REFUSE_U32(SR_KIND_ROUTES, 0, 4, 9, SR_E_UTF8);            /* ends inside a character */
    REFUSE_U32(SR_KIND_ROUTES, 0, 16, 7, SR_E_FORMAT);         /* empty, but not at 0 */
    REFUSE_U32(SR_KIND_ROUTES, 0, 32, 1, SR_E_FORMAT);         /* ranges must follow one another */
    REFUSE_U32(SR_KIND_ROUTES, 0, 64 + 32, 3, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_ROUTES, 0, 36, 5, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_ROUTES, 0, 128 + 36, 3, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_ROUTES, 0, 40, 5, SR_E_FORMAT);      /* more negatives than utterances */
    REFUSE_U32(SR_KIND_ROUTES, 0, 64 + 40, 4, SR_E_FORMAT); /* no positive, and not the fallback */
    REFUSE_U32(SR_KIND_ROUTES, 0, 64 + 40, 2, SR_E_FORMAT); /* UTTERANCES says otherwise */
    for (size_t at = 44; at < 64; at++) REFUSE_U8(SR_KIND_ROUTES, 0, at, 1, SR_E_FORMAT);
    built b = full_asset();
    sr_section s;
    uint8_t *p = section_of(b, SR_KIND_ROUTES, 0, &s);
    memcpy(p + 64, p, 8); /* the same id twice */
    reseal(b.file, b.bytes);
    CHECK_INT(try_open(b.file, b.bytes), SR_E_FORMAT);
    free(b.file);
}

TEST(bad_texts_and_utterances_are_refused) {
    REFUSE_U8(SR_KIND_STRINGS, 0, 0, 0xff, SR_E_UTF8);
    REFUSE_U8(SR_KIND_STRINGS, 0, 0, 0xc3, SR_E_UTF8);
    REFUSE_U8(SR_KIND_STRINGS, 0, 0, 0x80, SR_E_UTF8);
    REFUSE_U8(SR_KIND_NOTES, 0, 0, 0xff, SR_E_UTF8);
    REFUSE_U32(SR_KIND_UTTERANCES, 0, 0, 0xfffffff0, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_UTTERANCES, 0, 4, 0xfffffff0, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_UTTERANCES, 0, 4, 5, SR_E_UTF8);
    REFUSE_U32(SR_KIND_UTTERANCES, 0, 8, 1, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_UTTERANCES, 0, 12, 1, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_UTTERANCES, 0, 12, 2, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_UTTERANCES, 0, 3 * 16 + 12, 0, SR_E_FORMAT);
}

TEST(bad_exits_are_refused) {
    REFUSE_U32(SR_KIND_EXIT, 0, 0, 3, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 1, 0, 1, SR_E_FORMAT); /* a table has no layer */
    REFUSE_U32(SR_KIND_EXIT, 0, 0, 2, SR_E_FORMAT); /* external, with a content id */
    REFUSE_U32(SR_KIND_EXIT, 1, 4, 0, SR_E_FORMAT); /* the same exit twice */
    REFUSE_U32(SR_KIND_EXIT, 0, 8, 3, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 0, 8, 8193, SR_E_LIMIT);
    REFUSE_U32(SR_KIND_EXIT, 0, 8, 13, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 0, 12, 3, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 0, 12, 13, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 1, 12, 11, SR_E_FORMAT); /* other than dim without a map */
    REFUSE_U32(SR_KIND_EXIT, 0, 16, 1, SR_E_FORMAT);  /* f32 rows with scales */
    REFUSE_U32(SR_KIND_EXIT, 1, 16, 0, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 0, 16, 4, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 0, 20, 0, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 0, 20, 65, SR_E_LIMIT);
    for (size_t at = 24; at <= 48; at += 4) {
        REFUSE_F32(SR_KIND_EXIT, 0, at, NAN, SR_E_NAN);
        REFUSE_F32(SR_KIND_EXIT, 0, at, INFINITY, SR_E_NAN);
        REFUSE_F32(SR_KIND_EXIT, 0, at, -2e6f, SR_E_NAN);
    }
    REFUSE_F32(SR_KIND_EXIT, 0, 24, -0.1f, SR_E_FORMAT);
    REFUSE_F32(SR_KIND_EXIT, 0, 24, 1.1f, SR_E_FORMAT);
    REFUSE_F32(SR_KIND_EXIT, 0, 28, 0, SR_E_FORMAT);
    REFUSE_F32(SR_KIND_EXIT, 0, 28, -1, SR_E_FORMAT);
    REFUSE_F32(SR_KIND_EXIT, 0, 48, 1.5f, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 0, 56, 0, SR_E_FORMAT); /* no model id */
    REFUSE_U32(SR_KIND_EXIT, 0, 60, 0xffffff, SR_E_FORMAT);
    REFUSE_U32(SR_KIND_EXIT, 0, 68, 4, SR_E_FORMAT);
    REFUSE_F32(SR_KIND_EXIT, 0, 80, NAN, SR_E_NAN);
    REFUSE_F32(SR_KIND_EXIT, 0, 80, -1, SR_E_FORMAT);
    for (size_t at = 88; at < 128; at++) REFUSE_U8(SR_KIND_EXIT, 0, at, 1, SR_E_FORMAT);
}

TEST(bad_numbers_are_refused) {
    for (uint32_t exit = 0; exit < 2; exit++) {
        for (size_t at = 0; at < 12; at += 4) REFUSE_F32(SR_KIND_ROUTE_PARAMS, exit, 16 + at, NAN, SR_E_NAN);
        REFUSE_U32(SR_KIND_ROUTE_PARAMS, exit, 12, 1, SR_E_FORMAT);
        REFUSE_F32(SR_KIND_MEAN, exit, 44, -INFINITY, SR_E_NAN);
        REFUSE_F32(SR_KIND_PLANE, exit, 0, NAN, SR_E_NAN);
        REFUSE_F32(SR_KIND_PLANE, exit, (exit ? 24 : 10) * 4, NAN, SR_E_NAN);
        REFUSE_F32(SR_KIND_PLANE, exit, (exit ? 24 + 2 + 23 : 10 + 2 + 23) * 4, NAN, SR_E_NAN);
    }
    REFUSE_F32(SR_KIND_HEAD, 0, 14 * 4, NAN, SR_E_NAN);
    REFUSE_F32(SR_KIND_SCALES, 0, 0, NAN, SR_E_NAN);
    REFUSE_F32(SR_KIND_SCALES, 0, 44, 0, SR_E_FORMAT);
    REFUSE_F32(SR_KIND_SCALES, 0, 44, 0.5f, SR_E_FORMAT); /* not 1 / length */
    REFUSE_F32(SR_KIND_MAP_SCALES, 0, 16, NAN, SR_E_NAN);
    REFUSE_F32(SR_KIND_MAP_SCALES, 0, 16, 0, SR_E_FORMAT);
    REFUSE_F32(SR_KIND_MAP_SCALES, 0, 16, -1, SR_E_FORMAT);
    REFUSE_F32(SR_KIND_ROWS, 1, 0, NAN, SR_E_NAN);
    REFUSE_F32(SR_KIND_ROWS, 1, 0, 2, SR_E_FORMAT);          /* not of length 1 */
    REFUSE_F32(SR_KIND_ROWS, 1, 12 * 4, 1e-9f, SR_E_FORMAT); /* padding */
}

TEST(bad_int8_rows_are_refused) {
    static const uint8_t zeros[64];
    REFUSE_U8(SR_KIND_ROWS, 0, 0, 0x80, SR_E_FORMAT); /* -128 */
    REFUSE_U8(SR_KIND_ROWS, 0, 11 * 64 + 4, 0x80, SR_E_FORMAT);
    REFUSE_U8(SR_KIND_ROWS, 0, 5, 1, SR_E_FORMAT); /* padding */
    REFUSE_U8(SR_KIND_ROWS, 0, 63, 0x80, SR_E_FORMAT);
    refuse(SR_KIND_ROWS, 0, 64, zeros, 5, SR_E_ZERO, "a row of zeros");
    refuse(SR_KIND_ROWS, 1, 64, zeros, 48, SR_E_ZERO, "a f32 row of zeros");
    REFUSE_U8(SR_KIND_MAP, 0, 3, 0x80, SR_E_FORMAT);
    REFUSE_U8(SR_KIND_MAP, 0, 12, 1, SR_E_FORMAT);
    refuse(SR_KIND_MAP, 0, 4 * 64, zeros, 12, SR_E_ZERO, "a map row of zeros");
}

TEST(missing_and_wrongly_sized_sections_are_refused) {
    built b = full_asset();
    uint32_t required[][2] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0},  {5, 1}, {6, 0},
                              {6, 1}, {7, 0}, {7, 1}, {8, 0}, {10, 0}, {11, 0}};
    for (size_t i = 0; i < sizeof required / sizeof *required; i++) {
        built less = rebuilt(b, NULL, NULL, required[i][0], required[i][1]);
        if (try_open(less.file, less.bytes) != SR_E_FORMAT)
            FAIL("without section %u, %u", required[i][0], required[i][1]);
        free(less.file);
    }
    uint32_t optional[][2] = {{9, 0}, {12, 0}, {13, 0}, {13, 1}, {SR_KIND_NOTES, 0}};
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        built less = rebuilt(b, NULL, NULL, optional[i][0], optional[i][1]);
        if (try_open(less.file, less.bytes) != 0) FAIL("without section %u, %u", optional[i][0], optional[i][1]);
        exercise(less);
        free(less.file);
    }
    sr_container c;
    sr_container_open(b.file, b.bytes, "SRR1", 1, &c);
    for (uint32_t i = 0; i < c.section_count; i++)
        for (int change = -4; change <= 64; change += 4) {
            sr_section s;
            uint8_t data[2048] = {0};
            sr_container_section(&c, i, &s);
            if (s.kind == SR_KIND_STRINGS || s.kind == SR_KIND_NOTES || change == 0) continue;
            memcpy(data, b.file + s.offset, (size_t)s.bytes);
            s.bytes = (uint64_t)((int64_t)s.bytes + change);
            built other = rebuilt(b, &s, data, s.kind, s.index);
            CHECK_INT(try_open(other.file, other.bytes), SR_E_FORMAT);
            free(other.file);
        }
    free(b.file);
}

TEST(unknown_sections_are_skipped_only_when_optional) {
    built b = full_asset();
    struct {
        uint32_t kind, index;
        int expected;
    } cases[] = {{0x80000002u, 0, 0},
                 {0xffffffffu, 9999, 0},
                 {14, 0, SR_E_UNSUPPORTED},
                 {0, 0, SR_E_UNSUPPORTED},
                 {0x7fffffff, 0, SR_E_UNSUPPORTED},
                 {SR_KIND_NOTES, 1, SR_E_FORMAT},
                 {SR_KIND_META, 1, SR_E_FORMAT},
                 {SR_KIND_MEAN, 2, SR_E_FORMAT},
                 {SR_KIND_EXIT, 2, SR_E_FORMAT},
                 {SR_KIND_SCALES, 1, SR_E_FORMAT},
                 {SR_KIND_MAP_SCALES, 1, SR_E_FORMAT},
                 {SR_KIND_MEAN, 0xffffffff, SR_E_FORMAT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sr_section add = {.kind = cases[i].kind, .index = cases[i].index, .bytes = 48};
        static const uint8_t data[48] = {1};
        built more = rebuilt(b, &add, data, 99, 99);
        int rc = try_open(more.file, more.bytes);
        if (rc != cases[i].expected) FAIL("section %u, %u: %s", add.kind, add.index, sr_error_name(rc));
        more.file[more.bytes - 1] ^= 1; /* its hash counts all the same */
        CHECK(try_open(more.file, more.bytes) == SR_E_CHECKSUM || cases[i].expected == SR_E_UNSUPPORTED ||
              cases[i].expected == SR_E_FORMAT);
        free(more.file);
    }
    free(b.file);
}

TEST(other_files_and_versions_and_memory_are_refused) {
    built b = full_asset();
    sr_store32(b.file + 4, 2);
    reseal(b.file, b.bytes);
    CHECK_INT(try_open(b.file, b.bytes), SR_E_VERSION);
    sr_store32(b.file + 4, 0);
    reseal(b.file, b.bytes);
    CHECK_INT(try_open(b.file, b.bytes), SR_E_FORMAT);
    sr_store32(b.file + 4, 1);
    memcpy(b.file, "SRM1", 4);
    reseal(b.file, b.bytes);
    CHECK_INT(try_open(b.file, b.bytes), SR_E_MAGIC);
    CHECK_INT(try_open((const uint8_t *)"<html>", 6), SR_E_MAGIC);
    CHECK_INT(try_open((const uint8_t *)"", 0), SR_E_TRUNCATED);
    memcpy(b.file, "SRR1", 4);
    reseal(b.file, b.bytes);
    size_t bytes = (size_t)sr_router_bytes(b.file, b.bytes);
    void *mem = test_alloc(bytes + 64);
    uint8_t *shifted = test_alloc(b.bytes + 64);
    memcpy(shifted + 8, b.file, b.bytes);
    const sr_router *r = NULL;
    CHECK_INT(sr_router_open(mem, bytes - 1, b.file, b.bytes, &r), SR_E_MEMORY);
    CHECK_INT(sr_router_open((char *)mem + 8, bytes, b.file, b.bytes, &r), SR_E_MEMORY);
    CHECK_INT(sr_router_open(mem, bytes, shifted + 8, b.bytes, &r), SR_E_MEMORY);
    CHECK_INT(sr_router_open(NULL, bytes, b.file, b.bytes, &r), SR_E_ARGUMENT);
    CHECK_INT(sr_router_open(mem, bytes, NULL, b.bytes, &r), SR_E_ARGUMENT);
    CHECK_INT(sr_router_open(mem, bytes, b.file, b.bytes, NULL), SR_E_ARGUMENT);
    CHECK(r == NULL);
    CHECK_INT(sr_router_open(mem, bytes, b.file, b.bytes, &r), 0);
    free(mem), free(shifted), free(b.file);
}

TEST(utf8_is_told_from_other_bytes) {
    const char *good[] = {
        "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8c\x8d", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"};
    const char *bad[] = {
        "\x80",         "\xc3",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x80\x80",     "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",
        "\xe2\x82",     "\xf0\x9f\x8c", "\xc3\x41"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(sr_utf8_valid((const uint8_t *)good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!sr_utf8_valid((const uint8_t *)bad[i], strlen(bad[i])));
}

TEST_MAIN()
