/* Model folders made on the spot: config.json, tokenizer.json from tests/golden/, and tensors of random numbers. */
#ifndef FOLDERS_H
#define FOLDERS_H
#include "models.h"
#include "program/model_source.h"
#include <sys/stat.h>
#include <unistd.h>

enum {
    FOLDER_DIM = 32,
    FOLDER_FFN = 64,
    FOLDER_LAYERS = 2,
    FOLDER_POSITIONS = 130,
    FOLDER_PIECES = 160,
    FOLDER_BUCKETS = 32
};

static const char *folder_path(const char *name) {
    static char path[200], folder[100];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "%.60s/sr-folder-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
        if (!mkdtemp(folder)) abort();
    }
    snprintf(path, sizeof path, "%s%s%s", folder, *name ? "/" : "", name);
    return path;
}

static void folder_write(const char *name, const void *data, size_t bytes) {
    FILE *f = fopen(folder_path(name), "wb");
    if (!f || fwrite(data, 1, bytes, f) != bytes || fclose(f) != 0) abort();
}

static void folder_text(const char *name, const char *text) {
    folder_write(name, text, strlen(text));
}

static void folder_copy(const char *from, const char *name) {
    size_t n = 0;
    uint8_t *data = read_test_file(from, &n);
    if (!data) abort();
    folder_write(name, data, n);
    free(data);
}

/* What a test changes of the tensors; all zero: nothing. */
typedef struct {
    const char *leave_out, *nan_in, *transpose; /* the tensor's name ends so */
    const char *type;                           /* "F32" when null */
    const char *prefix;
} folder_change;

static float folder_number(const char *name, uint32_t i) {
    uint64_t h = sr_hash64(name, strlen(name)) + i * 0x9e3779b97f4a7c15u;
    h ^= h >> 29, h *= 0xbf58476d1ce4e5b9u, h ^= h >> 32;
    float x = (float)((h >> 40) & 0xff) / 128.0f - 1; /* 8 bits: exact in every type */
    return strstr(name, "LayerNorm.weight") ? 1 + x / 4 : strstr(name, "relative") ? x * 2 : x / 4;
}

static int folder_is(const char *name, const char *end) {
    size_t n = strlen(name), m = end ? strlen(end) : 0;
    return m && n >= m && strcmp(name + n - m, end) == 0;
}

typedef struct {
    char header[16384];
    uint8_t body[1 << 18];
    size_t header_bytes, body_bytes;
} folder_tensors;

static void folder_tensor(folder_tensors *t, const folder_change *c, const char *name, uint32_t rows, uint32_t cols) {
    char full[160];
    const char *type = c->type ? c->type : "F32";
    snprintf(full, sizeof full, "%s%s", c->prefix ? c->prefix : "", name);
    if (folder_is(name, c->leave_out)) return;
    if (folder_is(name, c->transpose)) {
        uint32_t r = rows;
        rows = cols, cols = r;
    }
    size_t from = t->body_bytes;
    for (uint32_t i = 0; i < rows * (cols ? cols : 1); i++) {
        float x = folder_is(name, c->nan_in) && i == 5 ? NAN : folder_number(name, i);
        uint32_t u;
        memcpy(&u, &x, 4);
        if (strcmp(type, "F32") == 0)
            memcpy(t->body + t->body_bytes, &u, 4), t->body_bytes += 4;
        else {
            uint16_t h = strcmp(type, "BF16") == 0 ? (uint16_t)(u >> 16) : sr_float_to_half(x);
            memcpy(t->body + t->body_bytes, &h, 2), t->body_bytes += 2;
        }
    }
    char second[24] = "";
    if (cols) snprintf(second, sizeof second, ",%u", cols);
    t->header_bytes += (size_t)snprintf(t->header + t->header_bytes, sizeof t->header - t->header_bytes,
                                        "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%u%s],\"data_offsets\":[%zu,%zu]}",
                                        t->header_bytes ? ',' : '{', full, type, rows, second, from, t->body_bytes);
}

/* Writes model.safetensors; returns its bytes. */
static size_t folder_weights(int mpnet, const folder_change *c) {
    static folder_tensors t;
    static uint8_t file[sizeof t];
    const char *const square[2][4] = {
        {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"},
        {"attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"}};
    char name[120];
    memset(&t, 0, sizeof t);
    folder_tensor(&t, c, "embeddings.word_embeddings.weight", FOLDER_PIECES, FOLDER_DIM);
    folder_tensor(&t, c, "embeddings.position_embeddings.weight", FOLDER_POSITIONS, FOLDER_DIM);
    if (!mpnet) folder_tensor(&t, c, "embeddings.token_type_embeddings.weight", 2, FOLDER_DIM);
    folder_tensor(&t, c, "embeddings.LayerNorm.weight", FOLDER_DIM, 0);
    folder_tensor(&t, c, "embeddings.LayerNorm.bias", FOLDER_DIM, 0);
    if (mpnet) folder_tensor(&t, c, "encoder.relative_attention_bias.weight", FOLDER_BUCKETS, 4);
#define TENSOR(part, end, rows, cols)                                                                                  \
    snprintf(name, sizeof name, "encoder.layer.%d.%s." end, l, part), folder_tensor(&t, c, name, rows, cols)
    for (int l = 0; l < FOLDER_LAYERS; l++) {
        for (int i = 0; i < 4; i++) {
            TENSOR(square[mpnet][i], "weight", FOLDER_DIM, FOLDER_DIM);
            TENSOR(square[mpnet][i], "bias", FOLDER_DIM, 0);
        }
        const char *norm = mpnet ? "attention.LayerNorm" : "attention.output.LayerNorm";
        TENSOR(norm, "weight", FOLDER_DIM, 0);
        TENSOR(norm, "bias", FOLDER_DIM, 0);
        TENSOR("intermediate.dense", "weight", FOLDER_FFN, FOLDER_DIM);
        TENSOR("intermediate.dense", "bias", FOLDER_FFN, 0);
        TENSOR("output.dense", "weight", FOLDER_DIM, FOLDER_FFN);
        TENSOR("output.dense", "bias", FOLDER_DIM, 0);
        TENSOR("output.LayerNorm", "weight", FOLDER_DIM, 0);
        TENSOR("output.LayerNorm", "bias", FOLDER_DIM, 0);
    }
#undef TENSOR
    t.header[t.header_bytes++] = '}';
    sr_store64(file, t.header_bytes);
    memcpy(file + 8, t.header, t.header_bytes);
    memcpy(file + 8 + t.header_bytes, t.body, t.body_bytes);
    size_t bytes = 8 + t.header_bytes + t.body_bytes;
    folder_write("model.safetensors", file, bytes);
    return bytes;
}

static const char bert_config[] =
    "{\"architectures\":[\"BertModel\"],\"model_type\":\"bert\",\"hidden_act\":\"gelu\",\"hidden_size\":32,"
    "\"intermediate_size\":64,\"layer_norm_eps\":1e-12,\"max_position_embeddings\":130,\"num_attention_heads\":4,"
    "\"num_hidden_layers\":2,\"pad_token_id\":0,\"type_vocab_size\":2,\"vocab_size\":160}";
static const char xlm_config[] =
    "{\"architectures\":[\"XLMRobertaModel\"],\"model_type\":\"xlm-roberta\",\"hidden_act\":\"gelu\",\"hidden_size\":"
    "32,"
    "\"intermediate_size\":64,\"layer_norm_eps\":1e-5,\"max_position_embeddings\":130,\"num_attention_heads\":4,"
    "\"num_hidden_layers\":2,\"pad_token_id\":1,\"type_vocab_size\":2,\"vocab_size\":160}";
static const char mpnet_config[] =
    "{\"architectures\":[\"MPNetForMaskedLM\"],\"model_type\":\"mpnet\",\"hidden_act\":\"gelu\",\"hidden_size\":32,"
    "\"intermediate_size\":64,\"layer_norm_eps\":1e-5,\"max_position_embeddings\":130,\"num_attention_heads\":4,"
    "\"num_hidden_layers\":2,\"pad_token_id\":1,\"relative_attention_num_buckets\":32,\"vocab_size\":160}";
static const char folder_modules[] =
    "[{\"idx\":0,\"name\":\"0\",\"path\":\"\",\"type\":\"sentence_transformers.models.Transformer\"},"
    "{\"idx\":1,\"name\":\"1\",\"path\":\"1_Pooling\",\"type\":\"sentence_transformers.models.Pooling\"},"
    "{\"idx\":2,\"name\":\"2\",\"path\":\"2_Normalize\",\"type\":\"sentence_transformers.models.Normalize\"}]";

/* A whole folder, good in every file. */
static void folder_make(const char *config, const char *tokenizer) {
    static const folder_change none;
    mkdir(folder_path("1_Pooling"), 0777);
    folder_text("config.json", config);
    folder_text("modules.json", folder_modules);
    folder_text("1_Pooling/config.json", "{\"pooling_mode_cls_token\":false,\"pooling_mode_mean_tokens\":true}");
    folder_text("sentence_bert_config.json", "{\"max_seq_length\":100,\"do_lower_case\":false}");
    folder_copy(tokenizer, "tokenizer.json");
    folder_weights(config == mpnet_config, &none);
}

static void folder_remove(void) {
    static const char *const names[] = {"config.json",
                                        "modules.json",
                                        "1_Pooling/config.json",
                                        "sentence_bert_config.json",
                                        "tokenizer.json",
                                        "model.safetensors",
                                        "model.onnx",
                                        "1_Pooling",
                                        ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) remove(folder_path(names[i]));
}
#endif
