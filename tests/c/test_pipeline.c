/* From text to decision: which exits answer, when it stops, and what it refuses. */
#include "pipelines.h"

static small_files files;
static const small_file none;

static small_pipeline open_parts(int with_model, int with_table) {
    small_pipeline p;
    if (!files.asset.data) files = make_small_files();
    CHECK_INT(open_pipeline(&p, files.asset, with_model ? files.model : none, with_table ? files.table : none), 0);
    return p;
}

typedef struct {
    int rc;
    sr_decision d;
    sr_match matches[2];
    sr_why why[4];
} routed;

static routed route(const small_pipeline *p, const char *text, const sr_pipeline_options *options) {
    routed r = {0};
    r.rc = sr_pipeline_route(p->pipeline, text, strlen(text), options, &r.d, r.matches, 2, r.why, 4);
    return r;
}

TEST(an_utterance_goes_to_its_route_with_itself_as_the_reason) {
    static const char *const texts[] = {"abc abc", "ab a", "cd de", "d cd e"};
    small_pipeline p = open_parts(1, 1);
    for (uint32_t exit = 0; exit < SMALL_EXITS; exit++)
        for (uint32_t i = 0; i < SMALL_TEXTS; i++) {
            sr_pipeline_options o = {.first_exit = exit, .last_exit = exit};
            routed r = route(&p, texts[i], &o);
            CHECK_INT(r.rc, 0);
            CHECK_INT(r.d.exit, exit);
            CHECK_INT(r.why[0].utterance, i);
            CHECK_NEAR(r.why[0].similarity, 1, 0.02);
            CHECK_INT(r.d.match_count, 2);
            CHECK(r.matches[0].score >= r.matches[1].score && r.matches[0].route == r.d.nearest);
        }
    close_pipeline(&p);
}

TEST(it_stops_at_the_first_exit_that_is_sure_unless_told_to_go_on) {
    small_pipeline p = open_parts(1, 1);
    routed quick = route(&p, "abc abc", NULL);
    sr_pipeline_options deep = {.last_exit = SR_MAX_EXITS, .always_last = 1};
    routed last = route(&p, "abc abc", &deep);
    CHECK_INT(last.d.exit, SMALL_EXITS - 1);
    sr_exit_info x;
    sr_router_exit(p.router, quick.d.exit, &x);
    CHECK(quick.d.exit == SMALL_EXITS - 1 || quick.d.confidence >= x.stop_confidence);
    for (uint32_t e = 0; e < quick.d.exit; e++) {
        sr_pipeline_options only = {.first_exit = e, .last_exit = e};
        sr_router_exit(p.router, e, &x);
        CHECK(route(&p, "abc abc", &only).d.confidence < x.stop_confidence);
    }
    close_pipeline(&p);
}

TEST(what_asks_for_nothing_is_the_fallbacks_with_no_confidence) {
    static const char *const blank[] = {"", " \t\n", "\xc2\xa0\xe3\x80\x80", "\xe2\x80\x8b\xe2\x81\xa0\xef\xbb\xbf",
                                        "\x7f\xc2\x85"};
    small_pipeline p = open_parts(1, 1);
    for (size_t i = 0; i < sizeof blank / sizeof *blank; i++) {
        routed r = route(&p, blank[i], NULL);
        CHECK_INT(r.rc, 0);
        CHECK_INT(r.d.route, sr_router_fallback(p.router));
        CHECK(r.d.confidence == 0 && r.d.why_count == 0 && r.d.match_count == 2);
        CHECK(sr_pipeline_vector(p.pipeline) == NULL);
        CHECK_INT(sr_pipeline_read(p.pipeline, 1), 0);
    }
    close_pipeline(&p);
}

TEST(step_by_step_gives_what_all_at_once_gives) {
    small_pipeline p = open_parts(1, 1);
    sr_pipeline_options o = {.first_exit = 2, .last_exit = 2};
    routed whole = route(&p, "abc d cd", &o), step = {0};
    CHECK_INT(sr_pipeline_start(p.pipeline, "abc d cd", 8), 0);
    CHECK_INT(sr_pipeline_step(p.pipeline, 1), 1); /* pieces and their embeddings, then two halves of a layer */
    CHECK_INT(sr_pipeline_step(p.pipeline, 1), 1);
    CHECK_INT(sr_pipeline_step(p.pipeline, 1), 0);
    CHECK_INT(sr_pipeline_step(p.pipeline, 1), 0);
    CHECK(sr_pipeline_read(p.pipeline, 1) > 2);
    CHECK_INT(sr_pipeline_answer(p.pipeline, 2, NULL, &step.d, step.matches, 2, step.why, 4), 0);
    CHECK(memcmp(&whole.d, &step.d, sizeof whole.d) == 0 && memcmp(whole.why, step.why, sizeof whole.why) == 0);
    CHECK(sr_pipeline_vector(p.pipeline) != NULL);
    /* an earlier exit after a later one: its state was kept on the way */
    sr_pipeline_options first = {.first_exit = 1, .last_exit = 1};
    CHECK_INT(sr_pipeline_answer(p.pipeline, 1, NULL, &step.d, step.matches, 2, step.why, 4), 0);
    whole = route(&p, "abc d cd", &first);
    CHECK(memcmp(&whole.d, &step.d, sizeof whole.d) == 0);
    close_pipeline(&p);
}

TEST(one_embedder_alone_answers_from_its_exits) {
    small_pipeline p = open_parts(0, 1);
    CHECK_INT(sr_pipeline_usable(p.pipeline, 0), 1);
    CHECK_INT(sr_pipeline_usable(p.pipeline, 1), 0);
    CHECK_INT(sr_pipeline_usable(p.pipeline, SMALL_EXITS), 0);
    CHECK_INT(route(&p, "abc", NULL).d.exit, 0);
    sr_pipeline_options encoder = {.first_exit = 1, .last_exit = 2}, beyond = {.first_exit = SMALL_EXITS};
    CHECK_INT(route(&p, "abc", &encoder).rc, SR_E_INCOMPLETE);
    CHECK_INT(route(&p, "abc", &beyond).rc, SR_E_EXIT);
    CHECK_INT(sr_pipeline_read(p.pipeline, 1), SR_E_ARGUMENT);
    CHECK_INT(sr_pipeline_step(p.pipeline, 1), SR_E_ARGUMENT);
    close_pipeline(&p);
    p = open_parts(1, 0);
    CHECK(route(&p, "abc", NULL).d.exit >= 1);
    CHECK_INT(sr_pipeline_read(p.pipeline, 9), SR_E_EXIT);
    close_pipeline(&p);
}

TEST(refuses_an_embedder_that_the_asset_was_not_made_with) {
    small_pipeline p = open_parts(1, 1);
    close_pipeline(&p);
    sr_write_options other = model_options();
    opened m = open_small(&other);
    CHECK_INT(open_pipeline(&p, files.asset, (small_file){m.file, m.bytes}, none), SR_E_MODEL);
    close_pipeline(&p);
    CHECK_INT(open_pipeline(&p, files.asset, (small_file){m.file, m.bytes}, files.table), SR_E_MODEL);
    close_pipeline(&p), close_model(&m);
    CHECK_INT(open_pipeline(&p, files.asset, none, none), SR_E_ARGUMENT);
    close_pipeline(&p);
}

#ifndef __wasm__ /* has no file system in the test runner */
static small_file golden(const char *path) {
    small_file f;
    f.data = read_test_file(path, &f.bytes);
    if (!f.data) printf("%s is missing\n", path), exit(2);
    return f;
}

/* Written by version 0.1.0, never again: a line is exit, route, score, confidence, text. */
TEST(files_of_version_0_1_0_open_and_decide_as_then) {
    small_files old = {golden("tests/golden/v0.1.0/small.srr"), golden("tests/golden/v0.1.0/small.srm"),
                       golden("tests/golden/v0.1.0/small.srt")};
    small_pipeline p;
    CHECK_INT(open_pipeline(&p, old.asset, old.model, old.table), 0);
    FILE *f = fopen("tests/golden/v0.1.0/decisions.txt", "r");
    char line[200], text[100];
    int count = 0;
    for (; f && fgets(line, sizeof line, f); count++) {
        unsigned exit, expected;
        double score, confidence;
        CHECK_INT(sscanf(line, "%u %u %lf %lf %99[^\n]", &exit, &expected, &score, &confidence, text), 5);
        sr_pipeline_options o = {.first_exit = exit, .last_exit = exit};
        routed r = route(&p, text, &o);
        CHECK_INT(r.rc, 0);
        CHECK_INT(r.d.route, expected);
        CHECK_NEAR(r.d.score, score, 1e-5);
        CHECK_NEAR(r.d.confidence, confidence, 1e-5);
    }
    CHECK(count >= 10);
    if (f) fclose(f);
    close_pipeline(&p), free_small_files(&old);
}
#endif

#ifndef __wasm__
/* 0, or why this file is refused when all of it is there. */
static int open_one(small_file f) {
    static void *mem; /* enough for each of the golden files */
    enum { ROOM = 4 << 20 };
    if (!mem) mem = test_alloc(ROOM);
    const sr_router *r;
    const sr_table *t;
    sr_model *m;
    int64_t need[] = {sr_router_bytes(f.data, f.bytes), sr_model_bytes(f.data, f.bytes),
                      sr_table_bytes(f.data, f.bytes)};
    for (int i = 0; i < 3; i++) CHECK(need[i] <= ROOM);
    if (need[0] > 0) return sr_router_open(mem, ROOM, f.data, f.bytes, &r);
    if (need[1] > 0) return sr_model_open(mem, ROOM, f.data, f.bytes, &m);
    return need[2] > 0 ? sr_table_open(mem, ROOM, f.data, f.bytes, &t) : SR_E_CHECKSUM;
}

static int near_an_edge(small_file f, const sr_container *c, size_t at) {
    if (at < SR_CONTAINER_HEADER + c->section_count * (size_t)SR_CONTAINER_ENTRY) return 1;
    for (uint32_t i = 0; i < c->section_count; i++) {
        sr_section s;
        sr_container_section(c, i, &s);
        if (at + 64 >= s.offset && at < s.offset + 16) return 1;
        if (at + 16 >= s.offset + s.bytes && at < s.offset + s.bytes) return 1;
    }
    return f.bytes < 20000;
}

/* No position is harmless: each byte is in a hash, or must be zero. Of the model, inside long sections, one in 997. */
TEST(a_changed_byte_anywhere_in_a_golden_file_is_refused) {
    static const char *const paths[] = {"tests/golden/asset-v1.srr", "tests/golden/v0.1.0/small.srr",
                                        "tests/golden/v0.1.0/small.srm", "tests/golden/v0.1.0/small.srt"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        small_file f = golden(paths[i]);
        sr_container c;
        CHECK_INT(open_one(f), 0);
        CHECK_INT(sr_container_open(f.data, f.bytes, (const char *)f.data, 1, &c), 0);
        size_t tried = 0;
        for (size_t at = 0; at < f.bytes; at++) {
            if (at % 997 && !near_an_edge(f, &c, at)) continue;
            f.data[at] ^= 0x20;
            if (open_one(f) >= 0) FAIL("%s: byte %zu may be anything", paths[i], at);
            f.data[at] ^= 0x20;
            tried++;
        }
        CHECK(tried >= (f.bytes < 20000 ? f.bytes : 1000));
        free(f.data);
    }
}

/* Optional sections that this version does not know are skipped, but not when they are damaged. */
TEST(a_changed_byte_in_an_unknown_optional_section_is_refused) {
    static const char *const paths[] = {"tests/golden/v0.1.0/small.srr", "tests/golden/v0.1.0/small.srm",
                                        "tests/golden/v0.1.0/small.srt"};
    for (size_t i = 0; i < 3; i++) {
        small_file f = golden(paths[i]), more;
        sr_container c;
        sr_section sections[64];
        CHECK_INT(sr_container_open(f.data, f.bytes, (const char *)f.data, 1, &c), 0);
        uint32_t n = c.section_count;
        for (uint32_t k = 0; k < n; k++) sr_container_section(&c, k, &sections[k]);
        sections[n] = (sr_section){.kind = 0x80007777u, .bytes = 7};
        more.bytes = sr_container_layout(sections, n + 1);
        more.data = test_alloc(more.bytes);
        memset(more.data, 0, more.bytes);
        for (uint32_t k = 0; k < n; k++) {
            sr_section was;
            sr_container_section(&c, k, &was);
            memcpy(more.data + sections[k].offset, f.data + was.offset, was.bytes);
        }
        memcpy(more.data + sections[n].offset, "unknown", 7);
        sr_container_seal(more.data, sections, n + 1, (const char *)f.data, 1);
        CHECK_INT(open_one(more), 0);
        more.data[more.bytes - 1] ^= 1;
        CHECK_INT(open_one(more), SR_E_CHECKSUM);
        free(f.data), free(more.data);
    }
}
#endif

TEST(refuses_null_small_and_unaligned_memory_and_bad_arguments) {
    small_pipeline p = open_parts(1, 1);
    size_t need = (size_t)sr_pipeline_bytes(p.router, p.model, p.table);
    uint8_t *memory = test_alloc(need + 64);
    sr_pipeline *out;
    sr_decision d;
    CHECK_INT(sr_pipeline_open(NULL, need, p.router, p.model, p.table, &out), SR_E_ARGUMENT);
    CHECK_INT(sr_pipeline_open(memory, need - 1, p.router, p.model, p.table, &out), SR_E_MEMORY);
    CHECK_INT(sr_pipeline_open(memory + 8, need, p.router, p.model, p.table, &out), SR_E_MEMORY);
    CHECK_INT(sr_pipeline_start(p.pipeline, NULL, 1), SR_E_ARGUMENT);
    CHECK_INT(sr_pipeline_start(p.pipeline, NULL, 0), 0);
    CHECK_INT(sr_pipeline_answer(p.pipeline, 0, NULL, NULL, NULL, 0, NULL, 0), SR_E_ARGUMENT);
    CHECK_INT(sr_pipeline_answer(p.pipeline, SMALL_EXITS, NULL, &d, NULL, 0, NULL, 0), SR_E_EXIT);
    free(memory);
    close_pipeline(&p);
    free_small_files(&files);
}

TEST_MAIN()
