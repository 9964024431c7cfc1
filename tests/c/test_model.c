/* Model and table files: what opens, what is refused, and how a model opens part by part. */
#include "models.h"

TEST(writes_the_same_bytes_twice) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    uint8_t *a = 0, *b = 0;
    int64_t n = sr_model_write(&s, &w, &a), m = sr_model_write(&s, &w, &b);
    CHECK(n > 0 && n == m && memcmp(a, b, (size_t)n) == 0);
    free(a), free(b);
}

TEST(reads_every_coding_back) {
    sr_source_model s = model_source();
    const uint32_t codings[] = {SR_CODING_F32, SR_CODING_Q8, SR_CODING_Q4, SR_CODING_PQ, SR_CODING_Q8_BLOCKS};
    const float tolerance[] = {0, 0.005f, 0.13f, 0.2f, 0.005f};
    for (int c = 0; c < 5; c++) {
        sr_write_options w = model_options();
        w.embedding_coding = codings[c], w.subspaces = 40, w.position_coding = c ? SR_CODING_Q8 : SR_CODING_F32;
        opened o = open_small(&w);
        float row[MODEL_DIM];
        for (uint32_t i = 0; i < MODEL_PIECES; i++) {
            uint32_t up = sr_model_upstream_id(o.model, i);
            sr_model_embedding(o.model, i, row);
            for (int d = 0; d < MODEL_DIM; d++)
                CHECK_NEAR(row[d], s.embedding.f32[up * MODEL_DIM + (uint32_t)d], tolerance[c]);
        }
        const float *position = o.model->positions + 5 * MODEL_DIM;
        for (int d = 0; d < MODEL_DIM; d++) CHECK_NEAR(position[d], s.positions[5 * MODEL_DIM + d], c ? 0.001 : 0);
        close_model(&o);
    }
}

/* A map for tables without a fit travels with the model, in 8 bits. */
TEST(whitenings_are_read_back_and_checked) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    float *mean = model_numbers(MODEL_DIM, 0.1f, 0), *map = model_numbers(5 * MODEL_DIM, 2, 0);
    sr_source_whitening list[] = {{1, 5, mean, map}, {0, 4, map, map}};
    w.whitenings = list, w.whitening_count = 2;
    uint8_t *file;
    int64_t bytes = sr_model_write(&s, &w, &file);
    CHECK(bytes > 0);
    uint8_t *damaged = test_alloc((size_t)bytes);
    memcpy(damaged, file, (size_t)bytes);
    damaged[bytes - 1] ^= 1; /* of the last section: layer 0's */
    opened o;
    CHECK_INT(open_bytes(&o, file, (size_t)bytes), 0);
    float got_mean[MODEL_DIM], got[5 * MODEL_DIM];
    CHECK_INT(sr_model_whitening(o.model, 1, NULL, NULL), 5);
    CHECK_INT(sr_model_whitening(o.model, 1, got_mean, got), 5);
    CHECK(memcmp(got_mean, mean, sizeof got_mean) == 0);
    for (int i = 0; i < 5 * MODEL_DIM; i++) CHECK_NEAR(got[i], map[i], 2.0 / 127);
    CHECK_INT(sr_model_whitening(o.model, 2, got_mean, got), 0);
    close_model(&o);
    CHECK_INT(open_bytes(&o, damaged, (size_t)bytes), SR_E_CHECKSUM); /* optional, but a damaged file is none */
    close_model(&o);
    list[1].layer = 1;
    CHECK_INT(sr_model_write(&s, &w, &file), SR_E_ARGUMENT); /* one layer twice */
    list[1].layer = MODEL_LAYERS + 1;
    CHECK_INT(sr_model_write(&s, &w, &file), SR_E_ARGUMENT);
    list[1] = (sr_source_whitening){0, MODEL_DIM + 1, map, map};
    CHECK_INT(sr_model_write(&s, &w, &file), SR_E_ARGUMENT);
    float infinite[MODEL_DIM] = {INFINITY};
    list[1] = (sr_source_whitening){0, 4, infinite, map};
    CHECK_INT(sr_model_write(&s, &w, &file), SR_E_NAN);
    free(mean);
    free(map);
}

TEST(halves_go_there_and_back) {
    for (uint32_t h = 0; h < 0x10000; h++) {
        if ((h & 0x7c00) == 0x7c00) continue;
        CHECK(sr_float_to_half(sr_half_to_float((uint16_t)h)) == h);
    }
    CHECK(sr_float_to_half(65520.0f) == 0x7c00 && sr_float_to_half(65519.0f) == 0x7bff);
    CHECK(sr_float_to_half(1.00048828125f) == 0x3c00); /* half way: to even */
}

TEST(keeps_control_pieces_and_spells_cut_pieces_out) {
    sr_write_options w = model_options();
    uint8_t keep[MODEL_PIECES] = {0};
    for (int i = 4; i <= 10; i++) keep[i] = 1;
    w.keep = keep;
    opened o = open_small(&w);
    uint32_t ids[16];
    CHECK_INT(sr_encoder_start(o.encoder, "abc", 3), 6); /* U+2581, a, b, c */
    CHECK_INT(sr_encoder_pieces(o.encoder, ids, 16), 6);
    CHECK_INT(sr_model_upstream_id(o.model, ids[2]), 5);
    close_model(&o);
}

TEST(opens_part_by_part) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    uint8_t *file = 0;
    float vector[MODEL_DIM];
    opened o;
    size_t bytes = (size_t)sr_model_write(&s, &w, &file);
    sr_container c;
    sr_section part;
    sr_model_info info;
    CHECK_INT(sr_container_open(file, bytes, "SRM1", 1, &c), 0);
    CHECK(sr_container_find(&c, SR_MODEL_META, 0, &part) >= 0);
    CHECK_INT(open_bytes(&o, file, part.offset + part.bytes), 0);
    CHECK_INT(sr_encoder_start(o.encoder, "abc", 3), SR_E_INCOMPLETE);
    CHECK_INT(sr_model_info_get(o.model, &info), 0);
    CHECK_INT(info.layers_ready, 0xffffffffu);
    for (uint32_t l = 1; l <= MODEL_LAYERS; l++) {
        CHECK(sr_container_find(&c, SR_MODEL_LAYER, l, &part) >= 0);
        CHECK_INT(sr_model_extend(o.model, part.offset + part.bytes - 1), (int)l - 1);
        CHECK(sr_encoder_start(o.encoder, "abc", 3) > 0);
        CHECK_INT(sr_encoder_advance(o.encoder, l - 1, vector), 0);
        CHECK_INT(sr_encoder_advance(o.encoder, l, vector), SR_E_INCOMPLETE);
        CHECK_INT(sr_model_extend(o.model, part.offset + part.bytes), (int)l);
        CHECK_INT(sr_encoder_advance(o.encoder, l, vector), 0);
    }
    CHECK_INT(sr_model_extend(o.model, bytes), MODEL_LAYERS);
    close_model(&o);
}

/* A copy cut at n bytes, at the end of its heap block. */
TEST(never_reads_past_a_model_truncated_anywhere) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    uint8_t *file = 0;
    w.layers = 1;
    size_t bytes = (size_t)sr_model_write(&s, &w, &file);
    for (size_t n = 0; n < bytes; n += n < 4096 ? 1 : 977) {
        uint8_t *copy = test_alloc(n);
        opened o;
        memcpy(copy, file, n);
        int e = open_bytes(&o, copy, n);
        if (e == 0) {
            sr_model_info info;
            sr_model_info_get(o.model, &info);
            CHECK(info.layers_ready != MODEL_LAYERS);
        } else
            CHECK(e == SR_E_TRUNCATED);
        close_model(&o);
    }
    free(file);
}

TEST(refuses_a_flipped_bit_in_every_section) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    uint8_t *file = 0;
    w.embedding_coding = SR_CODING_PQ, w.subspaces = 20;
    size_t bytes = (size_t)sr_model_write(&s, &w, &file);
    sr_container c;
    sr_container_open(file, bytes, "SRM1", 1, &c);
    for (uint32_t i = 0; i < c.section_count; i++) {
        sr_section part;
        opened o;
        sr_container_section(&c, i, &part);
        uint8_t *copy = test_alloc(bytes);
        memcpy(copy, file, bytes);
        copy[part.offset + part.bytes / 2] ^= 4;
        CHECK_INT(open_bytes(&o, copy, bytes), SR_E_CHECKSUM);
        close_model(&o);
    }
    free(file);
}

/* Hashes are made good again after each change: what is left to check are the numbers themselves. */
TEST(survives_any_byte_of_meta_and_vocabulary_changed) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    uint8_t *file = 0;
    w.layers = 1;
    size_t bytes = (size_t)sr_model_write(&s, &w, &file);
    sr_container c;
    sr_section list[32];
    sr_container_open(file, bytes, "SRM1", 1, &c);
    for (uint32_t i = 0; i < c.section_count; i++) sr_container_section(&c, i, &list[i]);
    int refused = 0;
    for (uint32_t i = 0; i < c.section_count && list[i].kind <= SR_MODEL_MAP; i++)
        for (size_t at = 0; at < list[i].bytes; at++)
            for (int k = 0; k < 3; k++) {
                static const uint8_t change[] = {0xff, 0x01, 0x80};
                uint8_t *copy = test_alloc(bytes);
                opened o;
                float vector[SR_MODEL_MAX_WIDTH];
                memcpy(copy, file, bytes);
                copy[list[i].offset + at] ^= change[k];
                sr_container_seal(copy, list, c.section_count, "SRM1", 1);
                if (sr_model_bytes(copy, bytes) > 1 << 26) {
                    free(copy);
                    continue; /* an honest demand for a model of such a size; no need to test it */
                }
                if (open_bytes(&o, copy, bytes) < 0)
                    refused++;
                else if (sr_encoder_start(o.encoder, "abcd z\xc3\xa9", 8) > 0)
                    (void)sr_encoder_advance(o.encoder, 1, vector);
                close_model(&o);
            }
    CHECK(refused > 100);
    free(file);
}

TEST(refuses_a_name_that_is_no_utf8) {
    /* a surrogate, overlong forms, past U+10FFFF, cut off, a control character */
    const char *names[] = {"\xed\xa0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xc3", "a\x1f"};
    enum { BAD = sizeof names / sizeof *names };
    for (size_t i = 0; i <= BAD; i++) {
        sr_source_model s = model_source();
        sr_write_options w = model_options();
        const char *name = i < BAD ? names[i] : "na\xc3\xafve";
        uint8_t *file = NULL;
        opened o = {0};
        s.meta.id_bytes = (uint32_t)strlen(name);
        memcpy(s.meta.id, name, s.meta.id_bytes);
        int64_t bytes = sr_model_write(&s, &w, &file);
        int code = bytes < 0 ? (int)bytes : open_bytes(&o, file, (size_t)bytes);
        CHECK_INT(code, i < BAD ? SR_E_UTF8 : 0);
        close_model(&o);
    }
}

TEST(refuses_infinite_weights) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    uint8_t *file = 0;
    float *bias = malloc(MODEL_DIM * sizeof *bias);
    memcpy(bias, s.layer[1].q_bias, MODEL_DIM * sizeof *bias);
    bias[7] = INFINITY;
    s.layer[1].q_bias = bias;
    CHECK_INT(sr_model_write(&s, &w, &file), SR_E_NAN);
    free(bias);
}

/* ---- piece tables ---------------------------------------------------------------------------------------------- */

static uint8_t *small_table(const opened *o, int weighted, size_t *bytes) {
    float rows[MODEL_PIECES * 8], weights[MODEL_PIECES];
    uint8_t *file = 0;
    for (uint32_t i = 0; i < MODEL_PIECES; i++) {
        for (uint32_t d = 0; d < 8; d++)
            rows[i * 8 + d] = d == sr_model_upstream_id(o->model, i) % 8 ? (float)(i + 1) : 0;
        weights[i] = sr_model_upstream_id(o->model, i) == 8 ? 0 : 1;
    }
    sr_table_source s = {o->model, 8, rows, weighted ? weights : 0, 0};
    int64_t n = sr_table_write(&s, &file);
    CHECK(n > 0);
    *bytes = (size_t)n;
    return file;
}

TEST(table_averages_the_pieces_rows) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    for (int weighted = 0; weighted < 2; weighted++) {
        size_t n;
        uint8_t *file = small_table(&o, weighted, &n);
        const sr_table *t = 0;
        void *mem = test_alloc((size_t)sr_table_bytes(file, n)), *work;
        float v[8];
        CHECK_INT(sr_table_open(mem, (size_t)sr_table_bytes(file, n), file, n, &t), 0);
        work = test_alloc(sr_table_work_bytes(t));
        CHECK_INT(sr_table_dim(t), 8);
        CHECK_INT(sr_table_embed(t, "cd", 2, work, sr_table_work_bytes(t), v), 0); /* U+2581 (4) and cd (16) */
        CHECK(v[4] > 0 && v[0] > 0 && v[1] == 0);
        CHECK_NEAR(v[4] * v[4] + v[0] * v[0], 1, 1e-6);
        CHECK_INT(sr_table_embed(t, "", 0, work, sr_table_work_bytes(t), v), SR_E_ZERO);
        CHECK_INT(sr_table_embed(t, "dd", 2, work, sr_table_work_bytes(t), v), 0); /* d (8) weighs nothing */
        CHECK(weighted ? v[0] == 0 : v[0] > 0);
        free(work), free(mem), free(file);
    }
    close_model(&o);
}

TEST(table_refuses_damage_anywhere) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    size_t n;
    uint8_t *file = small_table(&o, 1, &n);
    void *mem = test_alloc(1 << 16);
    const sr_table *t;
    CHECK(sr_table_bytes(file, n) > 0 && sr_table_bytes(file, n) <= 1 << 16);
    for (size_t i = 0; i < n; i++) {
        uint8_t *copy = test_alloc(n);
        memcpy(copy, file, n);
        copy[i] ^= 0x10;
        CHECK(sr_table_open(mem, 1 << 16, copy, n, &t) < 0);
        free(copy);
        copy = test_alloc(i);
        memcpy(copy, file, i);
        CHECK(sr_table_open(mem, 1 << 16, copy, i, &t) < 0);
        free(copy);
    }
    free(mem), free(file);
    close_model(&o);
}
TEST_MAIN()
