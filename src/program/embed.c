/* smartrouter embed: texts to vectors, as JSONL or as .srv files. */
#include "program/engine.h"
#include "program/http.h"
#include "program/labelled.h"
#include "program/srv_run.h"
#include "program/vectors.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--model", "FILE", "encoder model (.srm); default: the one that make built"},
    {"--exit", "LAYER", "pool the state after this layer (default: the last)"},
    {"--exits", "LIST", "several: 1,4,9 or all; one .srv file each"},
    {"--table", "FILE", "embed by a piece table (.srt) instead"},
    {"--server", "URL", "embed by an OpenAI-compatible server instead: .../v1/embeddings"},
    {"--server-model", "NAME", "the model to ask the server for"},
    {"--key-variable", "NAME", "environment variable that holds the server's key"},
    {"--prefix", "TEXT", "put before each text; for servers"},
    {"--dimensions", "N", "ask the server for this many dimensions"},
    {"--field", "NAME", "the JSONL field that holds the text (default text)"},
    {"--where", "FIELD=VALUE", "only these records"},
    {"--one-in", "K", "a sample: of each file, split, label and language one record in K, always the same"},
    {"--output", "FILE", "or -o: JSONL, or NAME.srv; {exit} in it becomes the layer (default: standard output)"},
    {"--f16", NULL, "two bytes a number in .srv files rather than four"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {
    "embed", "turn texts into vectors",
    "[options] [FILE.jsonl | FOLDER ...]   (or JSONL on standard input)\n\n"
    "A .srv file that is there, or NAME.srv.part of a run that was broken off, is continued: texts that it holds are "
    "not\n"
    "embedded again.",
    options,
    "  echo '{\"id\": 1, \"text\": \"hello\"}' | smartrouter embed --exit 9\n"
    "  smartrouter embed --exits 1,4,9 routes/corpus -o corpus-{exit}.srv\n"
    "  smartrouter embed --server http://127.0.0.1:8000/v1 --server-model e5 prompts.jsonl -o prompts.srv\n"};

static bool write_jsonl(const char *path, const labelled *l, const float *vectors, size_t dim) {
    file_writer w;
    if (!file_begin(&w, path)) return false;
    for (size_t i = 0; i < l->count; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON *id = cJSON_DetachItemFromObjectCaseSensitive(l->rows[i].record, "id");
        cJSON_AddItemToObject(o, "id", id ? id : cJSON_CreateNumber((double)l->rows[i].line));
        cJSON *vector = cJSON_AddArrayToObject(o, "vector");
        for (size_t d = 0; d < dim; d++) cJSON_AddItemToArray(vector, json_float(vectors[i * dim + d]));
        char *line = cJSON_PrintUnformatted(o);
        fputs(line, w.stream);
        fputc('\n', w.stream);
        free(line);
        cJSON_Delete(o);
    }
    return file_commit(&w);
}

static int rising(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* "all", "9", "1,4,9" */
static bool parse_exits(const char *list, uint32_t model_layers, uint32_t *layers, uint32_t *count) {
    *count = 0;
    if (!strcmp(list, "all")) {
        for (uint32_t l = 0; l <= model_layers && l < SR_MAX_EXITS; l++) layers[(*count)++] = l;
        return true;
    }
    for (const char *p = list; *p;) {
        char *end;
        long layer = strtol(p, &end, 10);
        if (end == p || (*end && *end != ',') || layer < 0 || layer > (long)model_layers || *count == SR_MAX_EXITS) {
            cli_error("--exits wants layers from 0 to %u, as in 1,4,9, or all; not '%s'", model_layers, list);
            return false;
        }
        layers[(*count)++] = (uint32_t)layer;
        p = *end ? end + 1 : end;
    }
    qsort(layers, *count, sizeof *layers, rising);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++)
        if (!kept || layers[kept - 1] != layers[i]) layers[kept++] = layers[i];
    *count = kept;
    return kept > 0;
}

static bool embed_jsonl(const srv_job *job, const labelled *l, const char *output) {
    float *vectors = NULL;
    size_t dim = 0;
    bool fine;
    if (job->layer_count > 1) return cli_error("several exits go to .srv files: -o NAME-{exit}.srv"), false;
    if (job->server) {
        const char **texts = memory(sizeof *texts * l->count);
        for (size_t i = 0; i < l->count; i++) texts[i] = l->rows[i].text;
        fine = http_embed(job->server, texts, l->count, &vectors, &dim);
        free(texts);
    } else {
        sr_text *texts = memory(sizeof *texts * l->count);
        for (size_t i = 0; i < l->count; i++) texts[i] = (sr_text){l->rows[i].text, strlen(l->rows[i].text)};
        sr_model_info info = {0};
        if (job->model) sr_model_info_get(job->model, &info);
        dim = job->model ? info.dim : sr_table_dim(job->table);
        uint32_t mask = 1u << job->layers[0];
        fine = job->model ? vectors_encode(job->model, texts, l->count, &mask, 1, job->threads, &vectors)
                          : vectors_table(job->table, texts, l->count, job->threads, &vectors);
        free(texts);
    }
    fine = fine && write_jsonl(output, l, vectors, dim);
    free(vectors);
    return fine;
}

static bool run_job(const cli_args *args, srv_job *job, const labelled *l, long layer) {
    uint32_t layers[SR_MAX_EXITS] = {0};
    const char *output = cli_given(args, "--output") ? cli_value(args, "--output") : "-", *dot = strrchr(output, '.');
    bool to_srv = dot && !strcmp(dot, ".srv");
    job->layers = layers, job->layer_count = 1, job->pattern = output;
    if (job->model) {
        sr_model_info info = {0};
        sr_model_info_get(job->model, &info);
        layers[0] = layer < 0 ? info.layers : (uint32_t)layer;
        if (layers[0] > info.layers)
            return cli_error("the model has %u layers; there is no exit after layer %u", info.layers, layers[0]), false;
        if (cli_given(args, "--exits") &&
            !parse_exits(cli_value(args, "--exits"), info.layers, layers, &job->layer_count))
            return false;
    }
    if (to_srv && job->server && !job->server->model[0])
        return cli_error("a .srv file names its model: --server-model NAME"), false;
    return to_srv ? srv_run(job, l) : embed_jsonl(job, l, output);
}

int sr_cmd_embed(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long threads, layer, dimensions, one_in;
    if (!cli_number(&args, "--threads", 1, 256, cli_cores(), &threads) ||
        !cli_number(&args, "--one-in", 1, 1000000, 1, &one_in) ||
        !cli_number(&args, "--exit", 0, SR_MAX_EXITS, -1, &layer) ||
        !cli_number(&args, "--dimensions", SR_MIN_DIM, SR_MAX_DIM, 0, &dimensions))
        return CLI_USAGE;
    if (cli_given(&args, "--exit") && cli_given(&args, "--exits"))
        return cli_error("--exit or --exits, not both"), CLI_USAGE;
    const char *variable = cli_value(&args, "--key-variable"), *model = cli_value(&args, "--server-model");
    if (variable && !getenv(variable)) return cli_error("the environment has no %s", variable), CLI_USAGE;

    static char standard[] = "-";
    char *only[] = {standard};
    labelled list;
    labelled_options reading = {
        .text_field = cli_value(&args, "--field"), .where = cli_value(&args, "--where"), .one_in = (uint32_t)one_in};
    if (!labelled_read(args.rest_count ? args.rest : only, args.rest_count ? args.rest_count : 1, &reading, &list))
        return CLI_FAILED;
    http_embedder server = {.url = cli_value(&args, "--server"),
                            .model = model ? model : "",
                            .key = variable ? getenv(variable) : NULL,
                            .prefix = cli_value(&args, "--prefix"),
                            .dim = (size_t)dimensions};
    srv_job job = {.is_f16 = cli_given(&args, "--f16"), .threads = (int)threads};
    engine e = {0};
    void *table_memory = NULL;
    file_bytes table_file = {0};
    bool fine = true;
    if (server.url)
        job.server = &server;
    else if (cli_given(&args, "--table"))
        fine = open_table(cli_value(&args, "--table"), &table_file, &table_memory, &job.table);
    else if ((fine = engine_open(&e, NULL, cli_value(&args, "--model"), NULL, ENGINE_MODEL)))
        job.model = e.model;
    fine = fine && run_job(&args, &job, &list, layer);
    engine_close(&e);
    free(table_memory);
    file_free(&table_file);
    labelled_free(&list);
    return fine ? CLI_OK : CLI_FAILED;
}
