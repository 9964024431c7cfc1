/* Model folders: config.json and its companions, and the tensors by name. */
#include "program/json.h"
#include "program/model_source.h"
#include "program/onnx.h"
#include "program/safetensors.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { BERT, XLM_ROBERTA, MPNET } architecture;

typedef struct {
    sr_model_source *source;
    const char *folder;
    const sr_folder_options *options;
    architecture architecture;
    safetensors tensors;
    const char *weights; /* the file's name */
    const char *prefix;  /* of tensor names: "" or "bert." */
    uint32_t positions, types, buckets;
} reader;

static int tensor_fail(reader *r, const char *name, const char *what) {
    return sr_source_fail(r->source, r->weights, "tensor %s %s", name, what);
}

/* ---- JSON files ----------------------------------------------------------------------------------------------------
 */

static uint8_t *read_named(reader *r, const char *name, size_t *bytes, int needed) {
    size_t n = strlen(r->folder) + strlen(name) + 2;
    char *path = malloc(n);
    if (!path) return sr_source_fail(r->source, name, "%s", strerror(ENOMEM)), NULL;
    snprintf(path, n, "%s/%s", r->folder, name);
    uint8_t *data = sr_read_file(path, bytes);
    if (!data && (needed || errno != ENOENT)) sr_source_fail(r->source, name, "%s", strerror(errno));
    free(path);
    return data;
}

/* Null when the file is not there, or damaged: then source->error says so. */
static cJSON *read_json(reader *r, const char *name, int needed) {
    char where[200];
    size_t bytes;
    uint8_t *data = read_named(r, name, &bytes, needed);
    if (!data) return NULL;
    cJSON *root = json_parse((const char *)data, bytes, where, sizeof where);
    if (!root) sr_source_fail(r->source, name, "%s", where);
    free(data);
    return root;
}

static const char *text(const cJSON *root, const char *name) {
    const cJSON *item = json_get(root, name);
    return cJSON_IsString(item) ? item->valuestring : "";
}

static int number(reader *r, const cJSON *root, const char *name, uint32_t lowest, uint32_t highest, uint32_t *out) {
    const cJSON *item = json_get(root, name);
    double v = cJSON_IsNumber(item) ? item->valuedouble : -1;
    if (!(v >= lowest && v <= highest) || v != (double)(uint32_t)v)
        return sr_source_fail(r->source, "config.json", "%s is not a whole number from %u to %u", name, lowest,
                              highest);
    *out = (uint32_t)v;
    return 0;
}

/* ---- config.json ----------------------------------------------------------------------------------------------------
 */

#define CONFIG_FAIL(...) sr_source_fail(r->source, "config.json", __VA_ARGS__)

static int read_architecture(reader *r, const cJSON *c) {
    const cJSON *list = json_get(c, "architectures");
    const char *type = text(c, "model_type"),
               *first = cJSON_IsArray(list) && cJSON_IsString(list->child) ? list->child->valuestring : "";
    if (strcmp(type, "bert") == 0 || (!*type && strncmp(first, "Bert", 4) == 0))
        r->architecture = BERT;
    else if (strcmp(type, "xlm-roberta") == 0 || (!*type && strncmp(first, "XLMRoberta", 10) == 0))
        r->architecture = XLM_ROBERTA;
    else if (strcmp(type, "mpnet") == 0 || (!*type && strncmp(first, "MPNet", 5) == 0))
        r->architecture = MPNET;
    else
        return CONFIG_FAIL("architecture %.60s is not supported (bert, xlm-roberta and mpnet are)",
                           *type ? type : first);
    return 0;
}

static int read_config(reader *r, const cJSON *c) {
    sr_model_meta *m = &r->source->model.meta;
    uint32_t padding = 1;
    int e;
    if ((e = read_architecture(r, c)) < 0 || (e = number(r, c, "hidden_size", 32, SR_MODEL_MAX_WIDTH, &m->dim)) < 0 ||
        (e = number(r, c, "num_hidden_layers", 0, SR_MODEL_MAX_LAYERS, &m->layers)) < 0 ||
        (e = number(r, c, "num_attention_heads", 1, 128, &m->heads)) < 0 ||
        (e = number(r, c, "intermediate_size", 32, SR_MODEL_MAX_FFN, &m->ffn_dim)) < 0 ||
        (e = number(r, c, "max_position_embeddings", 3, 1 << 16, &r->positions)) < 0)
        return e;
    if (m->dim % 32 || m->ffn_dim % 32) return CONFIG_FAIL("hidden_size or intermediate_size is no multiple of 32");
    if (m->dim % m->heads || m->dim / m->heads % 8 || m->dim / m->heads > 128)
        return CONFIG_FAIL("%u heads of a hidden size of %u are not supported", m->heads, m->dim);
    const char *activation = text(c, "hidden_act"), *kind = text(c, "position_embedding_type");
    if (strcmp(activation, "gelu") == 0)
        m->activation = SR_ACTIVATION_GELU;
    else if (strcmp(activation, "gelu_new") == 0 || strcmp(activation, "gelu_pytorch_tanh") == 0)
        m->activation = SR_ACTIVATION_GELU_TANH;
    else if (strcmp(activation, "relu") == 0)
        m->activation = SR_ACTIVATION_RELU;
    else
        return CONFIG_FAIL("hidden_act %.60s is not supported", activation);
    if (*kind && strcmp(kind, "absolute") != 0)
        return CONFIG_FAIL("position_embedding_type %.60s is not supported", kind);
    if (cJSON_IsTrue(json_get(c, "is_decoder"))) return CONFIG_FAIL("is_decoder is not supported");
    const cJSON *epsilon = json_get(c, "layer_norm_eps");
    if (!cJSON_IsNumber(epsilon) || !(epsilon->valuedouble >= 0 && epsilon->valuedouble < 1))
        return CONFIG_FAIL("layer_norm_eps is missing, or makes no sense");
    m->norm_epsilon = (float)epsilon->valuedouble;
    if (r->architecture == MPNET && (e = number(r, c, "relative_attention_num_buckets", 4, 1024, &r->buckets)) < 0)
        return e;
    if (r->architecture != MPNET && (e = number(r, c, "type_vocab_size", 1, 16, &r->types)) < 0) return e;
    if (r->architecture != BERT) { /* these count positions from behind the padding's number on */
        if (json_get(c, "pad_token_id") && (e = number(r, c, "pad_token_id", 0, 1000, &padding)) < 0) return e;
        m->position_offset = padding + 1;
    }
    if (r->positions < m->position_offset + 3) return CONFIG_FAIL("max_position_embeddings is too small");
    m->max_tokens = r->positions - m->position_offset;
    if (m->max_tokens > SR_MAX_TOKENS) m->max_tokens = SR_MAX_TOKENS;
    return 0;
}

/* ---- sentence-transformers' files ---------------------------------------------------------------------------------
 */

static int read_pooling(reader *r, const char *name) {
    static const char *const known[] = {"pooling_mode_mean_tokens", "pooling_mode_cls_token",
                                        "pooling_mode_max_tokens"};
    cJSON *root = read_json(r, name, 1);
    if (!root) return SR_E_FORMAT;
    const char *wrong = NULL;
    int found = 0, pooling = SR_POOL_MEAN;
    for (const cJSON *item = root->child; item; item = item->next) {
        if (!item->string || strncmp(item->string, "pooling_mode", 12) != 0 || !cJSON_IsTrue(item)) continue;
        found++;
        int k = 0;
        while (k < 3 && strcmp(item->string, known[k]) != 0) k++;
        if (k == 3) wrong = item->string;
        pooling = k == 0 ? SR_POOL_MEAN : k == 1 ? SR_POOL_CLS : SR_POOL_MAX;
    }
    int e = 0;
    if (wrong)
        e = sr_source_fail(r->source, name, "%.60s is not supported", wrong);
    else if (found != 1)
        e = sr_source_fail(r->source, name, "%d kinds of pooling at once are not supported", found);
    r->source->model.meta.pooling = (uint32_t)pooling;
    cJSON_Delete(root);
    return e;
}

/* Normalize needs nothing: vectors are of unit length in any case, and a cosine does not ask for it. */
static int read_modules(reader *r) {
    cJSON *root = read_json(r, "modules.json", 0);
    const cJSON *item;
    int e = r->source->error[0] ? SR_E_FORMAT : 0, pooled = 0;
    cJSON_ArrayForEach(item, root) {
        const char *type = text(item, "type"), *path = text(item, "path"), *dot = strrchr(type, '.');
        const char *name = dot ? dot + 1 : type;
        char file[200];
        if (e < 0) break;
        if (strcmp(name, "Pooling") == 0) {
            if (strstr(path, "..") || path[0] == '/' || strlen(path) > 100)
                e = sr_source_fail(r->source, "modules.json", "the path %.60s leads out of the folder", path);
            snprintf(file, sizeof file, "%.100s/config.json", *path ? path : ".");
            if (e == 0) e = read_pooling(r, file);
            pooled = 1;
        } else if (strcmp(name, "Transformer") != 0 && strcmp(name, "Normalize") != 0)
            e = sr_source_fail(r->source, "modules.json", "module %.60s is not supported", type);
    }
    cJSON_Delete(root);
    if (e == 0 && !pooled && r->options->pooling < 0)
        e = sr_source_fail(r->source, NULL, "nothing says how vectors are pooled: give --pooling mean, cls or max");
    if (r->options->pooling >= 0) r->source->model.meta.pooling = (uint32_t)r->options->pooling;
    return e;
}

static int read_limits(reader *r) {
    sr_model_meta *m = &r->source->model.meta;
    cJSON *root = read_json(r, "sentence_bert_config.json", 0);
    const cJSON *most = json_get(root, "max_seq_length");
    int e = r->source->error[0] ? SR_E_FORMAT : 0, lower = cJSON_IsTrue(json_get(root, "do_lower_case"));
    if (cJSON_IsNumber(most) && most->valuedouble >= 3 && most->valuedouble < m->max_tokens)
        m->max_tokens = (uint32_t)most->valuedouble;
    cJSON_Delete(root);
    if (lower) e = sr_source_fail(r->source, "sentence_bert_config.json", "do_lower_case is not supported");
    if (r->options->max_tokens) {
        if (r->options->max_tokens < 3 || r->options->max_tokens > r->positions - m->position_offset)
            return sr_source_fail(r->source, NULL, "--max-tokens can be 3 to %u here",
                                  r->positions - m->position_offset);
        m->max_tokens = r->options->max_tokens;
    }
    m->head_pieces = m->max_tokens - 2; /* as upstream: the end of a long text is cut off */
    return e;
}

static int set_name(reader *r) {
    sr_model_meta *m = &r->source->model.meta;
    const char *id = r->options->id, *prefix = r->options->prefix ? r->options->prefix : "";
    size_t n = strlen(r->folder);
    if (!id) { /* the folder's name */
        while (n > 1 && r->folder[n - 1] == '/') n--;
        id = r->folder + n;
        while (id > r->folder && id[-1] != '/') id--;
        n -= (size_t)(id - r->folder);
    } else
        n = strlen(id);
    if (n == 0 || n > SR_MODEL_ID_BYTES || strlen(prefix) > SR_MODEL_PREFIX_BYTES)
        return sr_source_fail(r->source, NULL, "the name may have %d bytes, the prefix %d", SR_MODEL_ID_BYTES,
                              SR_MODEL_PREFIX_BYTES);
    memcpy(m->id, id, n);
    memcpy(m->prefix, prefix, strlen(prefix));
    m->id_bytes = (uint32_t)n, m->prefix_bytes = (uint32_t)strlen(prefix);
    return 0;
}

/* ---- tensors
 * ---------------------------------------------------------------------------------------------------------- */

static int find_prefix(reader *r) {
    static const char *const prefixes[] = {"", "bert.", "roberta.", "mpnet.", "model.", "0.auto_model."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        char name[100];
        snprintf(name, sizeof name, "%sembeddings.word_embeddings.weight", prefixes[i]);
        if (!safetensors_find(&r->tensors, name)) continue;
        r->prefix = prefixes[i];
        return 0;
    }
    return tensor_fail(r, "embeddings.word_embeddings.weight", "is missing");
}

/* Numbers of a tensor of exactly this shape (cols 0: a vector; rows 0: any number, told in *rows_found). */
static const float *take(reader *r, uint64_t rows, uint64_t cols, uint64_t *rows_found, const char *format, ...) {
    char part[120], name[160];
    va_list args;
    va_start(args, format);
    vsnprintf(part, sizeof part, format, args);
    va_end(args);
    snprintf(name, sizeof name, "%s%s", r->prefix, part);
    const tensor *t = safetensors_find(&r->tensors, name);
    if (!t) return tensor_fail(r, name, "is missing"), NULL;
    if (t->type == TENSOR_OTHER) {
        sr_source_fail(r->source, r->weights, "tensor %s is of %.20s: F32, F16 and BF16 are known", name, t->type_name);
        return NULL;
    }
    if (t->rank != (cols ? 2u : 1u) || (rows && t->shape[0] != rows) || (cols && t->shape[1] != cols)) {
        char is[100] = "";
        for (uint32_t i = 0, at = 0; i < t->rank && at < 80; i++)
            at +=
                (uint32_t)snprintf(is + at, sizeof is - at, "%s%llu", i ? " x " : "", (unsigned long long)t->shape[i]);
        sr_source_fail(r->source, r->weights, "tensor %s is %s, where config.json asks for %llu%s%.0llu", name, is,
                       (unsigned long long)rows, cols ? " x " : "", (unsigned long long)cols);
        return NULL;
    }
    if (rows_found) *rows_found = t->shape[0];
    int finite;
    const float *out;
    if (t->type == TENSOR_F32 && !t->transposed && (uintptr_t)t->data % 4 == 0) {
        finite = tensor_finite(t);
        out = (const float *)(const void *)t->data;
    } else {
        float *copy = sr_source_own(r->source, t->count * sizeof *copy);
        if (!copy) return sr_source_fail(r->source, NULL, "out of memory"), NULL;
        finite = tensor_floats(t, copy);
        out = copy;
    }
    return finite ? out : (tensor_fail(r, name, "holds a NaN or an infinity"), NULL);
}

static int read_layer(reader *r, uint32_t l) {
    static const char *const bert[] = {"attention.self.query", "attention.self.key", "attention.self.value",
                                       "attention.output.dense", "attention.output.LayerNorm"};
    static const char *const mpnet[] = {"attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o",
                                        "attention.LayerNorm"};
    const char *const *names = r->architecture == MPNET ? mpnet : bert;
    sr_source_layer *y = &r->source->model.layer[l];
    const uint32_t dim = r->source->model.meta.dim, ffn = r->source->model.meta.ffn_dim;
    const struct {
        const char *name;
        sr_source_matrix *weight;
        const float **gain, **bias;
        uint32_t rows, cols;
    } parts[] = {{names[0], &y->q, 0, &y->q_bias, dim, dim},
                 {names[1], &y->k, 0, &y->k_bias, dim, dim},
                 {names[2], &y->v, 0, &y->v_bias, dim, dim},
                 {names[3], &y->out, 0, &y->out_bias, dim, dim},
                 {names[4], 0, &y->attention_gain, &y->attention_shift, dim, 0},
                 {"intermediate.dense", &y->up, 0, &y->up_bias, ffn, dim},
                 {"output.dense", &y->down, 0, &y->down_bias, dim, ffn},
                 {"output.LayerNorm", 0, &y->output_gain, &y->output_shift, dim, 0}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const float *weight = take(r, parts[i].rows, parts[i].cols, 0, "encoder.layer.%u.%s.weight", l, parts[i].name);
        const float *bias = weight ? take(r, parts[i].rows, 0, 0, "encoder.layer.%u.%s.bias", l, parts[i].name) : NULL;
        if (!bias) return SR_E_FORMAT;
        if (parts[i].weight)
            *parts[i].weight = (sr_source_matrix){parts[i].rows, parts[i].cols, weight, 0};
        else
            *parts[i].gain = weight;
        *parts[i].bias = bias;
    }
    return 0;
}

/* MPNet's buckets by distance (key - query): half of them for either side; of these half for single distances, the rest
 * in steps of a logarithm that ends at 128. Whole numbers: log2(n / exact) is compared by powers. */
static uint32_t bucket_of(int distance, uint32_t buckets) {
    uint32_t side = buckets / 2, exact = side / 2, n = (uint32_t)(distance < 0 ? -distance : distance);
    uint32_t base = distance > 0 ? side : 0, steps = side - exact, k = 0;
    if (n < exact) return base + n;
    /* the largest k with exact * (128 / exact)^(k / steps) <= n */
    while (k + 1 < steps) {
        double left = 1, right = 1;
        for (uint32_t i = 0; i < steps; i++) left *= (double)n / exact;
        for (uint32_t i = 0; i < k + 1; i++) right *= 128.0 / exact;
        if (right > left) break;
        k++;
    }
    return base + exact + k;
}

static int read_attention_bias(reader *r) {
    sr_model_meta *m = &r->source->model.meta;
    const float *table = take(r, r->buckets, m->heads, 0, "encoder.relative_attention_bias.weight");
    if (!table) return SR_E_FORMAT;
    uint32_t reach = m->max_tokens, width = 2 * reach - 1;
    float *bias = sr_source_own(r->source, (size_t)m->heads * width * sizeof *bias);
    if (!bias) return SR_E_MEMORY;
    for (uint32_t i = 0; i < width; i++) {
        uint32_t bucket = bucket_of((int)i - (int)(reach - 1), r->buckets);
        for (uint32_t h = 0; h < m->heads; h++) bias[h * width + i] = table[bucket * m->heads + h];
    }
    m->attention_bias_reach = reach;
    r->source->model.attention_bias = bias;
    return 0;
}

static int read_tensors(reader *r) {
    sr_source_model *s = &r->source->model;
    sr_model_meta *m = &s->meta;
    uint64_t rows = 0;
    int e = find_prefix(r);
    if (e < 0) return e;
    const float *words = take(r, 0, m->dim, &rows, "embeddings.word_embeddings.weight");
    if (!words) return SR_E_FORMAT;
    if (rows < s->piece_count)
        return sr_source_fail(r->source, r->weights,
                              "tensor %sembeddings.word_embeddings.weight has %llu rows, but %s has %u pieces",
                              r->prefix, (unsigned long long)rows, "tokenizer.json", s->piece_count);
    s->embedding = (sr_source_matrix){s->piece_count, m->dim, words, 0};
    const float *positions = take(r, r->positions, m->dim, 0, "embeddings.position_embeddings.weight"), *type = 0;
    if (!positions) return SR_E_FORMAT;
    if (r->types && !(type = take(r, r->types, m->dim, 0, "embeddings.token_type_embeddings.weight")))
        return SR_E_FORMAT;
    size_t count = ((size_t)m->max_tokens + m->position_offset) * m->dim;
    float *sum = sr_source_own(r->source, count * sizeof *sum);
    if (!sum) return SR_E_MEMORY;
    for (size_t i = 0; i < count; i++) sum[i] = positions[i] + (type ? type[i % m->dim] : 0);
    s->positions = sum;
    if (!(s->embedding_gain = take(r, m->dim, 0, 0, "embeddings.LayerNorm.weight")) ||
        !(s->embedding_shift = take(r, m->dim, 0, 0, "embeddings.LayerNorm.bias")))
        return SR_E_FORMAT;
    if (r->architecture == MPNET && (e = read_attention_bias(r)) < 0) return e;
    for (uint32_t l = 0; l < m->layers; l++)
        if ((e = read_layer(r, l)) < 0) return e;
    return 0;
}

int sr_source_open_folder(sr_model_source *s, const char *folder, const sr_folder_options *options) {
    reader r = {.source = s, .folder = folder, .options = options, .prefix = ""};
    char error[400];
    memset(s, 0, sizeof *s);
    cJSON *config = read_json(&r, "config.json", 1);
    int e = config ? read_config(&r, config) : SR_E_FORMAT;
    cJSON_Delete(config);
    if (e < 0 || (e = read_modules(&r)) < 0 || (e = read_limits(&r)) < 0 || (e = set_name(&r)) < 0) return e;
    size_t bytes;
    uint8_t *json = read_named(&r, "tokenizer.json", &bytes, 1);
    e = json ? sr_source_tokenizer(s, (const char *)json, bytes) : SR_E_FORMAT;
    free(json);
    if (e < 0) return e;
    static const char onnx[] = "model.onnx";
    r.weights = "model.safetensors";
    s->file = read_named(&r, r.weights, &s->file_bytes, 0);
    if (!s->file && !s->error[0] && (s->file = read_named(&r, onnx, &s->file_bytes, 0))) r.weights = onnx;
    if (!s->file && !s->error[0]) return sr_source_fail(s, r.weights, "is missing, and so is %s", onnx);
    if (!s->file) return SR_E_FORMAT;
    if (!(r.weights == onnx ? onnx_open : safetensors_open)(&r.tensors, s->file, s->file_bytes, error, sizeof error))
        return sr_source_fail(s, r.weights, "%s", error);
    e = read_tensors(&r);
    safetensors_close(&r.tensors);
    return e;
}
