/* smartrouter import: vectors that someone made elsewhere, as JSONL, to a .srv file. */
#include "program/jsonl.h"
#include "program/labelled.h"
#include "program/srv.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--model", "NAME", "who made the vectors; needed"},
    {"--prefix", "TEXT", "what stood before each text"},
    {"--texts", "FILE",
     "JSONL or folder with the texts of these ids; then vectors are tied to texts, not to ids alone"},
    {"--f16", NULL, "two bytes a number rather than four"},
    {"--output", "FILE", "or -o: the .srv file to write; needed"},
    {0}};
static const cli_command command = {
    "import", "make a .srv file of vectors from elsewhere (JSONL {\"id\", \"vector\"})", "[options] [VECTORS.jsonl]",
    options,
    "  smartrouter import --model Qwen3-Embedding-8B --texts prompts.jsonl vectors.jsonl -o prompts-qwen3.srv\n"};

typedef struct {
    sr_text *ids;
    uint64_t *hashes;
    float *vectors;
    size_t count, room, dim;
} imported;

static int by_id(const void *a, const void *b) {
    return strcmp((*(const labelled_row *const *)a)->id, (*(const labelled_row *const *)b)->id);
}

static const labelled_row *find(const labelled_row *const *sorted, size_t count, const char *id) {
    labelled_row key = {.id = id};
    const labelled_row *wanted = &key;
    const labelled_row *const *found = bsearch(&wanted, sorted, count, sizeof *sorted, by_id);
    return found ? *found : NULL;
}

static bool take(imported *m, jsonl *in, const cJSON *record) {
    const cJSON *id = json_get(record, "id"), *vector = json_get(record, "vector");
    if (!cJSON_IsString(id) && !cJSON_IsNumber(id)) return jsonl_error(in, "no \"id\"");
    if (!cJSON_IsArray(vector)) return jsonl_error(in, "no \"vector\" (an array of numbers)");
    size_t dim = (size_t)cJSON_GetArraySize(vector);
    if (!m->dim) m->dim = dim;
    if (dim != m->dim)
        return jsonl_error(in, "%zu numbers; the lines before have %zu. Vectors of one model have one dimension", dim,
                           m->dim);
    if (dim < SR_MIN_DIM || dim > SR_MAX_DIM)
        return jsonl_error(in, "%zu numbers; %d to %d are possible", dim, SR_MIN_DIM, SR_MAX_DIM);
    if (m->count == m->room) {
        m->room = m->room ? m->room * 2 : 1024;
        m->ids = memory_more(m->ids, m->room * sizeof *m->ids);
        m->hashes = memory_more(m->hashes, m->room * sizeof *m->hashes);
        m->vectors = memory_more(m->vectors, m->room * dim * sizeof *m->vectors);
    }
    float *out = m->vectors + m->count * dim;
    for (const cJSON *n = vector->child; n; n = n->next) {
        if (!cJSON_IsNumber(n) || !isfinite((float)n->valuedouble))
            return jsonl_error(in, "the vector holds something that is no finite number");
        *out++ = (float)n->valuedouble;
    }
    char number[32];
    snprintf(number, sizeof number, "%.17g", id->valuedouble);
    const char *text = cJSON_IsString(id) ? id->valuestring : number;
    m->ids[m->count] = (sr_text){text_copy(text, strlen(text)), strlen(text)};
    m->hashes[m->count++] = 0;
    return true;
}

static bool read_vectors(const char *path, imported *m) {
    jsonl in;
    if (!jsonl_open(&in, path)) return false;
    for (const cJSON *record; (record = jsonl_next(&in));)
        if (!take(m, &in, record)) break;
    bool fine = jsonl_close(&in);
    if (fine && !m->count) return cli_error("%s: no vectors", path), false;
    return fine;
}

static bool tie_texts(imported *m, char *texts_path) {
    labelled texts;
    if (!labelled_read(&texts_path, 1, &(labelled_options){.needs_ids = true}, &texts)) return false;
    const labelled_row **sorted = memory(texts.count * sizeof *sorted);
    for (size_t i = 0; i < texts.count; i++) sorted[i] = &texts.rows[i];
    qsort(sorted, texts.count, sizeof *sorted, by_id);
    bool fine = true;
    for (size_t i = 0; i < m->count && fine; i++) {
        const labelled_row *row = find(sorted, texts.count, m->ids[i].data);
        if (row)
            m->hashes[i] = row->hash;
        else
            cli_error("%s has no text with the id \"%s\"", texts_path, m->ids[i].data), fine = false;
    }
    free(sorted);
    labelled_free(&texts);
    return fine;
}

int sr_cmd_import(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    const char *model = cli_value(&args, "--model"), *output = cli_value(&args, "--output");
    const char *texts = cli_value(&args, "--texts"), *prefix = cli_value(&args, "--prefix");
    if (!model || !*model || strlen(model) > 255) return cli_error("who made the vectors? --model NAME"), CLI_USAGE;
    if (!output) return cli_error("where to? --output NAME.srv"), CLI_USAGE;
    if (args.rest_count > 1) return cli_error("one file at a time"), CLI_USAGE;
    imported m = {0};
    char *texts_path = texts ? text_copy(texts, strlen(texts)) : NULL;
    bool fine = read_vectors(args.rest_count ? args.rest[0] : "-", &m) && (!texts_path || tie_texts(&m, texts_path));
    srv_pin pin = {.model_id = {model, strlen(model)},
                   .prefix = {prefix, prefix ? strlen(prefix) : 0},
                   .embedder = SR_EMBEDDER_EXTERNAL,
                   .pooling = SR_POOL_NONE,
                   .dim = (uint32_t)m.dim};
    fine = fine && srv_save(output, &(srv_write){pin, cli_given(&args, "--f16"), m.count, m.ids, m.hashes, m.vectors});
    if (fine) cli_note("%s: %zu vectors of %s", output, m.count, srv_pin_text(&pin));
    for (size_t i = 0; i < m.count; i++) free((char *)m.ids[i].data);
    free(m.ids), free(m.hashes), free(m.vectors), free(texts_path);
    return fine ? CLI_OK : CLI_FAILED;
}
