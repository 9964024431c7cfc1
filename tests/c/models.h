/* Small models made on the spot: random weights, a hand-made vocabulary. */
#ifndef MODELS_H
#define MODELS_H
#include "embed/model_write.h"
#include "embed/table.h"
#include "test.h"

enum { MODEL_DIM = 160, MODEL_FFN = 288, MODEL_HEADS = 5, MODEL_LAYERS = 3, MODEL_TOKENS = 64 };

static const char *const model_pieces[] = {"<s>",
                                           "<pad>",
                                           "</s>",
                                           "<unk>",
                                           "\xe2\x96\x81",
                                           "a",
                                           "b",
                                           "c",
                                           "d",
                                           "e",
                                           "\xc3\xa9",
                                           "ab",
                                           "abc",
                                           "bcd",
                                           "\xe2\x96\x81"
                                           "a",
                                           "\xe2\x96\x81"
                                           "abc",
                                           "cd",
                                           "de",
                                           "\xe2\x96\x81query",
                                           ":",
                                           "q",
                                           "<mask>"};
static const float model_scores[] = {0,  0,  0,  0,  -4, -6, -6, -6, -6, -6,  -7,
                                     -8, -9, -9, -7, -9, -8, -8, -5, -5, -11, 0};
enum { MODEL_PIECES = sizeof model_pieces / sizeof *model_pieces };

static float *model_numbers(size_t count, float size, float offset) {
    float *p = malloc(count * sizeof *p);
    for (size_t i = 0; i < count; i++) p[i] = test_random_f32() * size + offset;
    return p;
}

static inline sr_source_model model_source(void) {
    static sr_source_model s;
    static uint8_t text[512], map[64];
    static uint32_t offset[MODEL_PIECES + 1];
    if (s.piece_count) return s;
    s.meta = (sr_model_meta){.dim = MODEL_DIM,
                             .layers = MODEL_LAYERS,
                             .heads = MODEL_HEADS,
                             .ffn_dim = MODEL_FFN,
                             .max_tokens = MODEL_TOKENS,
                             .norm_epsilon = 1e-12f,
                             .tokenizer = SR_TOKENIZER_UNIGRAM,
                             .tokenizer_flags = SR_TOKENIZER_FUSE_UNKNOWN,
                             .begin = 0,
                             .pad = 1,
                             .end = 2,
                             .unknown = 3,
                             .mask = MODEL_PIECES - 1,
                             .head_pieces = 40,
                             .id_bytes = 5,
                             .id = "small"};
    for (uint32_t i = 0; i < MODEL_PIECES; i++) {
        size_t n = strlen(model_pieces[i]);
        memcpy(text + offset[i], model_pieces[i], n);
        offset[i + 1] = offset[i] + (uint32_t)n;
    }
    /* tab and U+FFFD are spaces, U+0001 is nothing, U+2460 is two letters */
    const uint32_t space = 0x20, letters[] = {'a', 'b'};
    s.map_bytes = sr_map_append(map, 0, 1, &space, 0);
    s.map_bytes += sr_map_append(map + s.map_bytes, 1, 9, &space, 1);
    s.map_bytes += sr_map_append(map + s.map_bytes, 9, 0x2460, letters, 2);
    s.map_bytes += sr_map_append(map + s.map_bytes, 0x2460, 0xfffd, &space, 1);
    s.meta.map_count = 4, s.meta.map_outputs = 4;
    s.map = map, s.text = text, s.text_offset = offset, s.scores = model_scores, s.piece_count = MODEL_PIECES;
    s.embedding = (sr_source_matrix){MODEL_PIECES, MODEL_DIM, model_numbers(MODEL_PIECES * MODEL_DIM, 1, 0), 0};
    s.positions = model_numbers(MODEL_TOKENS * MODEL_DIM, 0.2f, 0);
    s.embedding_gain = model_numbers(MODEL_DIM, 0.5f, 1);
    s.embedding_shift = model_numbers(MODEL_DIM, 0.2f, 0);
    for (int l = 0; l < MODEL_LAYERS; l++) {
        sr_source_layer *y = &s.layer[l];
        sr_source_matrix *square[] = {&y->q, &y->k, &y->v, &y->out};
        for (int i = 0; i < 4; i++)
            *square[i] = (sr_source_matrix){MODEL_DIM, MODEL_DIM, model_numbers(MODEL_DIM * MODEL_DIM, 0.2f, 0), 0};
        y->up = (sr_source_matrix){MODEL_FFN, MODEL_DIM, model_numbers(MODEL_FFN * MODEL_DIM, 0.2f, 0), 0};
        y->down = (sr_source_matrix){MODEL_DIM, MODEL_FFN, model_numbers(MODEL_DIM * MODEL_FFN, 0.2f, 0), 0};
        const float **vectors[] = {&y->q_bias, &y->k_bias, &y->v_bias, &y->out_bias, &y->down_bias};
        for (int i = 0; i < 5; i++) *vectors[i] = model_numbers(MODEL_DIM, 0.2f, 0);
        y->up_bias = model_numbers(MODEL_FFN, 0.2f, 0);
        y->attention_gain = model_numbers(MODEL_DIM, 0.5f, 1), y->output_gain = model_numbers(MODEL_DIM, 0.5f, 1);
        y->attention_shift = model_numbers(MODEL_DIM, 0.2f, 0), y->output_shift = model_numbers(MODEL_DIM, 0.2f, 0);
    }
    return s;
}

static inline sr_write_options model_options(void) {
    return (sr_write_options){.layers = MODEL_LAYERS,
                              .embedding_coding = SR_CODING_F32,
                              .layer_coding = SR_CODING_F32,
                              .score_coding = SR_SCORES_F32,
                              .with_ids = 1};
}

typedef struct {
    uint8_t *file;
    size_t bytes;
    void *model_mem, *encoder_mem;
    sr_model *model;
    sr_encoder *encoder;
} opened;

/* Opens bytes; 0 or the error. Takes the file over. */
static inline int open_bytes(opened *o, uint8_t *file, size_t bytes) {
    *o = (opened){.file = file, .bytes = bytes};
    int64_t need = sr_model_bytes(file, bytes);
    if (need < 0) return (int)need;
    o->model_mem = test_alloc((size_t)need);
    int e = sr_model_open(o->model_mem, (size_t)need, file, bytes, &o->model);
    if (e < 0) return e;
    need = sr_encoder_bytes(o->model);
    o->encoder_mem = test_alloc((size_t)need);
    return sr_encoder_open(o->encoder_mem, (size_t)need, o->model, &o->encoder);
}

static inline void close_model(opened *o) {
    free(o->model_mem), free(o->encoder_mem), free(o->file);
    memset(o, 0, sizeof *o);
}

static inline opened open_small(const sr_write_options *options) {
    sr_source_model s = model_source();
    uint8_t *file = 0;
    opened o;
    int64_t bytes = sr_model_write(&s, options, &file);
    if (bytes < 0 || open_bytes(&o, file, (size_t)bytes) < 0) {
        FAIL("the small model does not open");
        exit(1);
    }
    return o;
}

/* Starts the encoder on a text and writes its pieces as numbers of the upstream vocabulary, "12 345", without begin and
 * end. */
static inline void upstream_ids(opened *o, const char *text, size_t bytes, char *out, size_t room) {
    uint32_t ids[SR_MAX_TOKENS];
    int n = sr_encoder_start(o->encoder, text, bytes);
    sr_encoder_pieces(o->encoder, ids, SR_MAX_TOKENS);
    out[0] = 0;
    for (int i = 1, at = 0; i + 1 < n; i++)
        at += snprintf(out + at, room - (size_t)at, "%s%u", i > 1 ? " " : "", sr_model_upstream_id(o->model, ids[i]));
}

static inline uint8_t *read_test_file(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    fseek(f, 0, SEEK_END);
    *bytes = (size_t)ftell(f);
    rewind(f);
    uint8_t *p = test_alloc(*bytes);
    if (fread(p, 1, *bytes, f) != *bytes) abort();
    fclose(f);
    return p;
}
#endif
