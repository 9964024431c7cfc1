/* smartrouter embed: texts to vectors, as JSONL. */
#include "program/engine.h"
#include "program/http.h"
#include "program/vectors.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--model", "FILE", "encoder model (.srm); default: the one that make built"},
    {"--exit", "LAYER", "pool the state after this layer (default: the last)"},
    {"--server", "URL", "embed by an OpenAI-compatible server instead: .../v1/embeddings"},
    {"--server-model", "NAME", "the model to ask the server for"},
    {"--key-variable", "NAME", "environment variable that holds the server's key"},
    {"--prefix", "TEXT", "put before each text; for servers"},
    {"--field", "NAME", "the JSONL field that holds the text (default text)"},
    {"--output", "FILE", "or -o: where to write (default: standard output)"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {
    "embed", "turn texts into vectors", "[options] [FILE.jsonl]   (or JSONL on standard input)", options,
    "  echo '{\"id\": 1, \"text\": \"hello\"}' | smartrouter embed --exit 9\n"
    "  smartrouter embed --server http://127.0.0.1:8000/v1 --server-model e5 prompts.jsonl -o vectors.jsonl\n"};

/* The records' texts; a record keeps its id. */
typedef struct {
    cJSON **records;
    sr_text *texts;
    size_t count, room;
} record_list;

static bool read_records(const char *path, const char *field, record_list *out) {
    file_bytes file;
    if (!file_read(path, &file)) return false;
    const char *p = file.data, *end = p + file.bytes;
    bool fine = true;
    for (size_t number = 1; p < end; number++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p)), *stop = newline ? newline : end;
        size_t bytes = (size_t)(stop - p);
        if (strspn(p, " \t\r") < bytes) {
            char message[200];
            cJSON *record = json_parse(p, bytes, message, sizeof message);
            const cJSON *text = json_get(record, field);
            if (!cJSON_IsString(text)) {
                const char *column = strncmp(message, "line 1, ", 8) == 0 ? message + 8 : message;
                if (!record)
                    cli_error("%s: line %zu, %s", path, number, column);
                else
                    cli_error("%s: line %zu: no text field \"%s\"", path, number, field);
                cJSON_Delete(record);
                fine = false;
                break;
            }
            if (out->count == out->room) {
                out->room = out->room ? out->room * 2 : 256;
                out->records = realloc(out->records, out->room * sizeof *out->records);
                out->texts = realloc(out->texts, out->room * sizeof *out->texts);
                if (!out->records || !out->texts) cli_error("out of memory"), exit(CLI_FAILED);
            }
            out->records[out->count] = record;
            out->texts[out->count++] = (sr_text){text->valuestring, strlen(text->valuestring)};
        }
        p = stop + 1;
    }
    file_free(&file);
    return fine;
}

static bool write_vectors(const char *path, const record_list *list, const float *vectors, size_t dim) {
    file_writer w;
    if (!file_begin(&w, path)) return false;
    for (size_t i = 0; i < list->count; i++) {
        cJSON *o = cJSON_CreateObject();
        cJSON *id = cJSON_DetachItemFromObjectCaseSensitive(list->records[i], "id");
        cJSON_AddItemToObject(o, "id", id ? id : cJSON_CreateNumber((double)i + 1));
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

int sr_cmd_embed(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long threads, layer;
    if (!cli_number(&args, "--threads", 1, 256, cli_cores(), &threads) ||
        !cli_number(&args, "--exit", 0, SR_MAX_EXITS - 1, -1, &layer))
        return CLI_USAGE;
    if (args.rest_count > 1) return cli_error("one file at a time"), CLI_USAGE;
    const char *field = cli_value(&args, "--field"), *variable = cli_value(&args, "--key-variable");
    if (variable && !getenv(variable)) return cli_error("the environment has no %s", variable), CLI_USAGE;
    record_list list = {0};
    float *vectors = NULL;
    size_t dim = 0;
    bool fine = read_records(args.rest_count ? args.rest[0] : "-", field ? field : "text", &list);
    if (fine && !list.count) cli_error("no records in the input"), fine = false;
    if (fine && cli_given(&args, "--server")) {
        const char **texts = memory(sizeof *texts * list.count), *model = cli_value(&args, "--server-model");
        for (size_t i = 0; i < list.count; i++) texts[i] = list.texts[i].data;
        http_embedder h = {.url = cli_value(&args, "--server"),
                           .model = model ? model : "",
                           .key = variable ? getenv(variable) : NULL,
                           .prefix = cli_value(&args, "--prefix")};
        fine = http_embed(&h, texts, list.count, &vectors, &dim);
        free(texts);
    } else if (fine) {
        engine e;
        sr_model_info info = {0};
        fine = engine_open(&e, NULL, cli_value(&args, "--model"), NULL, ENGINE_MODEL) &&
               sr_model_info_get(e.model, &info) >= 0;
        uint32_t mask = 1u << (layer < 0 ? info.layers : (uint32_t)layer);
        dim = info.dim;
        fine = fine && vectors_encode(e.model, list.texts, list.count, &mask, 1, (int)threads, &vectors);
        engine_close(&e);
    }
    if (fine)
        fine = write_vectors(cli_given(&args, "--output") ? cli_value(&args, "--output") : "-", &list, vectors, dim);
    for (size_t i = 0; i < list.count; i++) cJSON_Delete(list.records[i]);
    free(list.records), free(list.texts), free(vectors);
    return fine ? CLI_OK : CLI_FAILED;
}
