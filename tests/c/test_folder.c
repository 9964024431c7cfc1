/* Models from folders: what is read, and what is refused, with the file and the tensor named. The tokens expected in
 * tests/golden/wordpiece-pieces.txt and unigram-pieces.txt come from the Python package tokenizers, from the files
 * wordpiece-small.json and unigram-small.json beside them. */
#include "folders.h"
#include "onnx_file.h"

static const sr_folder_options plain = {.pooling = -1};
static sr_model_source source;

static int open_folder(const sr_folder_options *options) {
    sr_source_close(&source);
    return sr_source_open_folder(&source, folder_path(""), options);
}

static void expect_error(const char *part) {
    int e = open_folder(&plain);
    if (e >= 0 || !strstr(source.error, part)) FAIL("'%s' (%d) does not say '%s'", source.error, e, part);
}

static opened open_source(uint32_t coding) {
    sr_write_options w = model_options();
    uint8_t *file = 0;
    opened o = {0};
    w.layers = source.model.meta.layers, w.layer_coding = coding, w.embedding_coding = coding;
    w.position_coding = SR_CODING_F32;
    int64_t bytes = sr_model_write(&source.model, &w, &file);
    if (bytes < 0 || open_bytes(&o, file, (size_t)bytes) < 0) FAIL("the folder's model does not open");
    return o;
}

static void check_pieces(const char *path) {
    size_t n = 0;
    uint8_t *lines = read_test_file(path, &n);
    opened o = open_source(SR_CODING_F32);
    int count = 0;
    for (char *p = (char *)lines, *end = p + n; p < end; count++) {
        char *tab = memchr(p, '\t', (size_t)(end - p)), *stop = memchr(p, '\n', (size_t)(end - p)), got[2048];
        if (!tab || !stop) break;
        *tab = *stop = 0;
        upstream_ids(&o, tab + 1, (size_t)(stop - tab - 1), got, sizeof got);
        if (strcmp(got, p) != 0) FAIL("'%s' gives %s, not %s", tab + 1, got, p);
        p = stop + 1;
    }
    CHECK(count >= 10);
    free(lines);
    close_model(&o);
}

TEST(wordpiece_gives_upstream_ids) {
    folder_make(bert_config, "tests/golden/wordpiece-small.json");
    folder_text("sentence_bert_config.json", "{}");
    CHECK_INT(open_folder(&plain), 0);
    check_pieces("tests/golden/wordpiece-pieces.txt");
}

TEST(unigram_gives_upstream_ids) {
    folder_make(xlm_config, "tests/golden/unigram-small.json");
    CHECK_INT(open_folder(&plain), 0);
    check_pieces("tests/golden/unigram-pieces.txt");
}

TEST(takes_settings_from_the_folder_and_from_options) {
    folder_make(bert_config, "tests/golden/wordpiece-small.json");
    CHECK_INT(open_folder(&plain), 0);
    const sr_model_meta *m = &source.model.meta;
    CHECK(m->id_bytes > 10 && memcmp(m->id, "sr-folder-", 10) == 0);
    CHECK(m->max_tokens == 100 && m->head_pieces == 98 && m->pooling == SR_POOL_MEAN && m->position_offset == 0);
    CHECK(m->begin == 2 && m->end == 3 && m->unknown == 1 && m->pad == 0 && m->mask == 4);
    folder_text("1_Pooling/config.json", "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}");
    sr_folder_options o = {"name", "query: ", -1, 64};
    CHECK_INT(open_folder(&o), 0);
    CHECK(m->id_bytes == 4 && m->prefix_bytes == 7 && m->max_tokens == 64 && m->pooling == SR_POOL_CLS);
    remove(folder_path("modules.json"));
    expect_error("--pooling");
    o.pooling = SR_POOL_MAX;
    CHECK_INT(open_folder(&o), 0);
    CHECK(m->pooling == SR_POOL_MAX);
}

/* Numbers are of 8 bits, so that the three types hold the same; the prefix is what other programs put before names. */
TEST(reads_three_float_types_and_prefixed_names_alike) {
    float want[FOLDER_DIM], got[FOLDER_DIM];
    for (int i = 0; i < 4; i++) {
        folder_change c = {.type = i == 1 ? "F16" : i == 2 ? "BF16" : "F32", .prefix = i == 3 ? "bert." : 0};
        folder_make(bert_config, "tests/golden/wordpiece-small.json");
        folder_weights(0, &c);
        CHECK_INT(open_folder(&plain), 0);
        opened o = open_source(SR_CODING_F32);
        CHECK(sr_encoder_start(o.encoder, "write the poem", 14) == 5);
        CHECK_INT(sr_encoder_advance(o.encoder, FOLDER_LAYERS, i ? got : want), 0);
        if (i && i != 2) CHECK(memcmp(want, got, sizeof got) == 0);
        if (i == 2) { /* bf16 rounds the norms' gains */
            double dot = 0;
            for (int d = 0; d < FOLDER_DIM; d++) dot += (double)want[d] * got[d];
            CHECK(dot > 0.9999);
        }
        close_model(&o);
    }
}

/* model.safetensors becomes model.onnx, of which the last bytes are left out. */
static void folder_onnx(size_t less) {
    char error[200];
    size_t n = 0;
    safetensors s;
    uint8_t *file = read_test_file(folder_path("model.safetensors"), &n);
    if (!file || !safetensors_open(&s, file, n, error, sizeof error)) abort();
    const onnx_bytes *o = onnx_of(&s);
    folder_write("model.onnx", o->bytes, o->count - less);
    safetensors_close(&s), free(file);
    remove(folder_path("model.safetensors"));
}

TEST(reads_weights_from_onnx_alike) {
    float want[FOLDER_DIM], got[FOLDER_DIM];
    for (int i = 0; i < 2; i++) {
        folder_make(bert_config, "tests/golden/wordpiece-small.json");
        if (i) folder_onnx(0);
        CHECK_INT(open_folder(&plain), 0);
        opened o = open_source(SR_CODING_F32);
        CHECK(sr_encoder_start(o.encoder, "write the poem", 14) == 5);
        CHECK_INT(sr_encoder_advance(o.encoder, FOLDER_LAYERS, i ? got : want), 0);
        close_model(&o);
    }
    CHECK(memcmp(want, got, sizeof got) == 0);
    remove(folder_path("model.onnx"));
    expect_error("model.safetensors: is missing, and so is model.onnx");
}

TEST(refuses_onnx_that_is_broken) {
    folder_make(bert_config, "tests/golden/wordpiece-small.json");
    folder_weights(0, &(folder_change){.leave_out = "layer.1.attention.self.key.weight"});
    folder_onnx(0);
    expect_error("model.onnx: tensor encoder.layer.1.attention.self.key.weight is missing");
    folder_weights(0, &(folder_change){.transpose = "layer.0.output.dense.weight"});
    folder_onnx(0);
    expect_error(
        "model.onnx: tensor encoder.layer.0.output.dense.weight is 64 x 32, where config.json asks for 32 x 64");
    folder_weights(0, &(folder_change){.nan_in = "layer.0.output.dense.weight"});
    folder_onnx(0);
    expect_error("model.onnx: tensor encoder.layer.0.output.dense.weight holds a NaN");
    folder_weights(0, &(folder_change){0});
    folder_onnx(1);
    expect_error("model.onnx: not a whole ONNX file");
    size_t n = 0;
    uint8_t *file = read_test_file(folder_path("model.onnx"), &n);
    for (size_t cut = 0; cut < n; cut += cut < 2048 ? 13 : 4099) {
        uint8_t *copy = test_alloc(cut);
        char error[200] = "";
        safetensors s;
        memcpy(copy, file, cut);
        CHECK(!onnx_open(&s, copy, cut, error, sizeof error) && error[0]);
        free(copy);
    }
    free(file);
}

/* Each is one tensor in a graph of its own, with what is wrong of it. */
TEST(refuses_onnx_tensors_that_lie) {
    static const struct {
        uint8_t part[64];
        size_t bytes;
        const char *says;
    } lies[] = {
        {{0x08, 4, 0x10, 1, 0x42, 1, 'a', 0x4a, 8, 0, 0, 0, 0, 0, 0, 0, 0}, 17, "tensor a: 4 numbers do not fit"},
        {{0x08, 2, 0x10, 1, 0x42, 1, 'a', 0x70, 1}, 9, "tensor a: its data lie in another file"},
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x08, 8, 0x10, 1, 0x42, 1, 'a'},
         17,
         "tensor : damaged"},
        {{0x42, 9, 'a'}, 3, "damaged"},
        {{0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 13, "damaged"}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        uint8_t file[100] = {7 << 3 | 2, (uint8_t)(lies[i].bytes + 2), 5 << 3 | 2, (uint8_t)lies[i].bytes};
        char error[200] = "";
        safetensors s;
        memcpy(file + 4, lies[i].part, lies[i].bytes);
        CHECK(!onnx_open(&s, file, lies[i].bytes + 4, error, sizeof error));
        if (!strstr(error, lies[i].says)) FAIL("'%s' does not say '%s'", error, lies[i].says);
    }
}

TEST(mpnet_spreads_its_buckets_over_distances) {
    folder_make(mpnet_config, "tests/golden/wordpiece-small.json");
    CHECK_INT(open_folder(&plain), 0);
    const sr_source_model *m = &source.model;
    CHECK_INT(m->meta.position_offset, 2);
    CHECK_INT(m->meta.attention_bias_reach, 100);
    /* distance key - query, and the bucket that the published code computes for it */
    static const int16_t pairs[][2] = {{0, 0},   {-1, 1},  {1, 17},   {-7, 7},   {8, 24},   {-8, 8},
                                       {-11, 8}, {-12, 9}, {15, 25},  {16, 26},  {-22, 10}, {-23, 11},
                                       {31, 27}, {32, 28}, {-45, 12}, {-46, 13}, {63, 29},  {-64, 14},
                                       {90, 30}, {91, 31}, {-99, 15}, {99, 31}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int h = 0; h < 4; h++)
            CHECK_NEAR(m->attention_bias[h * 199 + 99 + pairs[i][0]],
                       folder_number("encoder.relative_attention_bias.weight", (uint32_t)(pairs[i][1] * 4 + h)), 0);
    opened o = open_source(SR_CODING_F32);
    float v[FOLDER_DIM];
    CHECK(sr_encoder_start(o.encoder, "write the poem", 14) == 5);
    CHECK_INT(sr_encoder_advance(o.encoder, FOLDER_LAYERS, v), 0);
    close_model(&o);
}

TEST(eight_bit_layers_stay_near_exact_ones) {
    folder_make(mpnet_config, "tests/golden/wordpiece-small.json");
    CHECK_INT(open_folder(&plain), 0);
    float v[2][FOLDER_DIM];
    for (int i = 0; i < 2; i++) {
        opened o = open_source(i ? SR_CODING_Q8_BLOCKS : SR_CODING_F32);
        CHECK(sr_encoder_start(o.encoder, "write the poem of the code", 26) > 0);
        CHECK_INT(sr_encoder_advance(o.encoder, FOLDER_LAYERS, v[i]), 0);
        close_model(&o);
    }
    double dot = 0;
    for (int d = 0; d < FOLDER_DIM; d++) dot += (double)v[0][d] * v[1][d];
    CHECK(dot > 0.999);
}

/* ---- refused
 * ---------------------------------------------------------------------------------------------------------- */

TEST(names_the_tensor_that_is_missing_or_wrong) {
    folder_make(bert_config, "tests/golden/wordpiece-small.json");
    folder_weights(0, &(folder_change){.leave_out = "layer.1.attention.self.key.weight"});
    expect_error("model.safetensors: tensor encoder.layer.1.attention.self.key.weight is missing");
    folder_weights(0, &(folder_change){.transpose = "layer.0.output.dense.weight"});
    expect_error("tensor encoder.layer.0.output.dense.weight is 64 x 32, where config.json asks for 32 x 64");
    folder_weights(0, &(folder_change){.nan_in = "layer.1.output.LayerNorm.bias"});
    expect_error("tensor encoder.layer.1.output.LayerNorm.bias holds a NaN");
    folder_weights(0, &(folder_change){.nan_in = "word_embeddings.weight", .type = "F16"});
    expect_error("tensor embeddings.word_embeddings.weight holds a NaN");
}

TEST(refuses_weights_cut_anywhere) {
    folder_make(bert_config, "tests/golden/wordpiece-small.json");
    size_t n = 0;
    folder_weights(0, &(folder_change){0});
    uint8_t *file = read_test_file(folder_path("model.safetensors"), &n);
    for (size_t cut = 0; cut < n; cut += cut < 2048 ? 13 : 4099) {
        uint8_t *copy = test_alloc(cut);
        char error[200];
        safetensors s;
        memcpy(copy, file, cut);
        CHECK(!safetensors_open(&s, copy, cut, error, sizeof error) && error[0]);
        free(copy);
    }
    folder_write("model.safetensors", file, n - 1);
    expect_error("lie outside the file");
    free(file);
}

TEST(refuses_headers_that_lie) {
    static const char *const headers[][2] = {
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,16]}}", "do not fit"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}}", "lie outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,1e300]}}", "lie outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]}}", "lie outside"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],\"data_offsets\":[0,16]}}", "too large"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,4],\"data_offsets\":[0,16]}}", "makes no sense"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0.5],\"data_offsets\":[0,16]}}", "makes no sense"},
        {"{\"a\":{\"dtype\":\"Q7\",\"shape\":[4],\"data_offsets\":[0,16]}}", "unknown type"},
        {"{\"a\":7}", "is missing"},
        {"[1,2]", ""},
        {"{\"a\"", "header"}};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        uint8_t file[300] = {0};
        char error[200] = "";
        safetensors s;
        size_t n = strlen(headers[i][0]);
        sr_store64(file, n);
        memcpy(file + 8, headers[i][0], n);
        CHECK(!safetensors_open(&s, file, 8 + n + 16, error, sizeof error));
        if (!strstr(error, headers[i][1])) FAIL("'%s' does not say '%s'", error, headers[i][1]);
    }
    uint8_t file[64] = {0};
    char error[200];
    safetensors s;
    sr_store64(file, (uint64_t)1 << 60);
    CHECK(!safetensors_open(&s, file, sizeof file, error, sizeof error));
    CHECK(strstr(error, "1152921504606846976"));
}

static void with_replaced(const char *from, const char *name, const char *old, const char *new) {
    size_t n = 0;
    uint8_t *data = read_test_file(from, &n);
    char *text = calloc(1, n + strlen(new) + 1);
    memcpy(text, data, n);
    char *at = strstr(text, old);
    CHECK(at);
    if (at) {
        memmove(at + strlen(new), at + strlen(old), strlen(at + strlen(old)) + 1);
        memcpy(at, new, strlen(new));
    }
    folder_text(name, text);
    free(data), free(text);
}

TEST(names_the_tokenizer_step_that_it_lacks) {
    static const char words[] = "tests/golden/wordpiece-small.json", unigram[] = "tests/golden/unigram-small.json";
    static const char *const changes[][4] = {
        {words, "\"BertNormalizer\"", "\"NFKC\"", "normalizer NFKC"},
        {words, "\"BertPreTokenizer\"", "\"ByteLevel\"", "pre_tokenizer ByteLevel"},
        {words, "\"type\":\"WordPiece\",\"unk_token\"", "\"type\":\"BPE\",\"unk_token\"", "model BPE"},
        {words, "\"max_input_chars_per_word\":100", "\"max_input_chars_per_word\":50", "max_input_chars_per_word"},
        {words, "prefix\":\"##\",\"max", "prefix\":\"@@\",\"max", "continuing_subword_prefix"},
        {words, "\"unk_token\":\"[UNK]\"", "\"unk_token\":\"[WHAT]\"", "[WHAT]"},
        {words, "\"TemplateProcessing\"", "\"ByteLevel\"", "post_processor ByteLevel"},
        {words, "\"ids\":[2]", "\"ids\":[5000]", "5000"},
        {words, "\"write\":", "\"write\":0.5,\"b\":", "makes no sense"},
        {words, "\"a\":5", "\"a\":6", "same number"},
        {unigram, "\"byte_fallback\":false", "\"byte_fallback\":true", "byte_fallback"},
        {unigram, "\"Precompiled\"", "\"Lowercase\"", "normalizer Lowercase"},
        {unigram, "\"precompiled_charsmap\":\"", "\"precompiled_charsmap\":\"////", "Precompiled"},
        {unigram, "\"WhitespaceSplit\"", "\"Digits\"", "pre_tokenizer Digits"},
        {unigram, "[\"a\",-6.0]", "[\"a\",\"x\"]", "score"},
        {unigram, "[\"a\",-6.0]", "[\"b\",-6.0]", "twice"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        folder_make(changes[i][0] == words ? bert_config : xlm_config, changes[i][0]);
        with_replaced(changes[i][0], "tokenizer.json", changes[i][1], changes[i][2]);
        expect_error(changes[i][3]);
        CHECK(strncmp(source.error, "tokenizer.json: ", 16) == 0);
    }
}

TEST(names_the_setting_that_it_lacks) {
    static const char *const changes[][3] = {
        {"\"gelu\"", "\"swish\"", "hidden_act swish"},
        {"\"bert\"", "\"gpt2\"", "architecture gpt2"},
        {"\"hidden_size\":32", "\"hidden_size\":33", "multiple of 32"},
        {"\"hidden_size\":32", "\"hidden_size\":1e9", "hidden_size"},
        {"\"num_attention_heads\":4", "\"num_attention_heads\":5", "heads"},
        {"\"layer_norm_eps\":1e-12", "\"x\":1", "layer_norm_eps"},
        {"\"pad_token_id\":0", "\"position_embedding_type\":\"relative_key\"", "relative_key"}};
    folder_make(bert_config, "tests/golden/wordpiece-small.json");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        folder_text("config.json", bert_config);
        char path[200];
        snprintf(path, sizeof path, "%s", folder_path("config.json"));
        with_replaced(path, "config.json", changes[i][0], changes[i][1]);
        expect_error(changes[i][2]);
        CHECK(strncmp(source.error, "config.json: ", 13) == 0);
    }
    folder_text("config.json", "{");
    expect_error("config.json: line 1");
    folder_text("config.json", bert_config);
    folder_text("1_Pooling/config.json", "{\"pooling_mode_mean_sqrt_len_tokens\":true}");
    expect_error("1_Pooling/config.json: pooling_mode_mean_sqrt_len_tokens");
    folder_text("1_Pooling/config.json", "{\"pooling_mode_mean_tokens\":true,\"pooling_mode_cls_token\":true}");
    expect_error("2 kinds");
    folder_text("modules.json", "[{\"type\":\"sentence_transformers.models.Dense\",\"path\":\"2_Dense\"}]");
    expect_error("modules.json: module sentence_transformers.models.Dense");
    remove(folder_path("config.json"));
    expect_error("config.json: No such file");
    folder_remove();
    sr_source_close(&source);
}
TEST_MAIN()
