/* JSONL from hostile bytes: line by line through the quick reader, which must say what the slow one says; as a file of
 * records; and an eighth of them (it takes a hundred times as long) through `smartrouter route` on small files. The
 * first byte chooses the field's name, the command's options, and whether it runs. */
#include "as_file.h"
#include "pipelines.h"
#include "program/builder.h"
#include "program/cli.h"
#include "program/jsonl.h"

static void same_member(const char *line, size_t bytes, const char *name, builder *scratch) {
    char message[160];
    sr_text text;
    if (!json_plain_member(line, bytes, name, scratch, &text)) return;
    cJSON *record = json_parse(line, bytes, message, sizeof message);
    const cJSON *field = json_get(record, name);
    if (!cJSON_IsString(field) || strlen(field->valuestring) != text.bytes ||
        memcmp(field->valuestring, text.data, text.bytes) != 0)
        abort();
    cJSON_Delete(record);
}

static void each_line(const char *data, size_t bytes, const char *name) {
    builder scratch = {0};
    for (size_t from = 0; from < bytes;) {
        const char *newline = memchr(data + from, '\n', bytes - from);
        size_t n = newline ? (size_t)(newline - data) - from : bytes - from;
        char *line = malloc(n ? n : 1); /* of its own, so that reading past its end is seen */
        memcpy(line, data + from, n);
        same_member(line, n, name, &scratch);
        free(line);
        from += n + 1;
    }
    free(scratch.data);
}

/* Records come with rising lines, and as many as there are lines at most. */
static void as_records(const char *data, size_t bytes) {
    size_t lines = 1, before = 0;
    for (size_t i = 0; i < bytes; i++) lines += data[i] == '\n';
    int file = memory_file((const uint8_t *)data, bytes);
    jsonl in;
    if (!jsonl_open(&in, memory_file_path(file))) abort();
    for (; jsonl_next(&in); before = in.line)
        if (!cJSON_IsObject(in.record) || in.line <= before || in.line > lines) abort();
    jsonl_close(&in), close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static int asset, table;
    static char asset_path[32], table_path[32];
    if (!asset) {
        small_files f = make_small_files();
        asset = memory_file(f.asset.data, f.asset.bytes), table = memory_file(f.table.data, f.table.bytes);
        strcpy(asset_path, memory_file_path(asset)), strcpy(table_path, memory_file_path(table));
        free_small_files(&f);
    }
    if (!bytes) return 0;
    const char *name = data[0] & 1 ? "text" : "a";
    each_line((const char *)data + 1, bytes - 1, name);
    as_records((const char *)data + 1, bytes - 1);
    if (data[0] >> 5) return 0;

    int input = memory_file(data + 1, bytes - 1);
    dup2(input, 0), close(input);
    char field[8];
    strcpy(field, name);
    char *arguments[] = {"route", "--routes",  asset_path, "--table", table_path, "--exit",
                         "table", "--threads", "1",        "--field", field,      data[0] & 2 ? "--brief" : "--jsonl"};
    if (data[0] & 4) arguments[11] = "--json";
    int status = sr_cmd_route(12, arguments);
    if (status != CLI_OK && status != CLI_SOME_FAILED) abort();
    return 0;
}
