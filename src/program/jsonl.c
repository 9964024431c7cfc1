/* JSONL files, record by record; see jsonl.h. */
#include "program/jsonl.h"
#include "program/cli.h"
#include <stdarg.h>
#include <string.h>

bool jsonl_open(jsonl *j, const char *path) {
    *j = (jsonl){.path = path};
    if (!file_read(path, &j->file)) return false;
    j->at = j->file.data;
    return true;
}

bool jsonl_error(jsonl *j, const char *format, ...) {
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    cli_error("%s: line %zu: %s", j->path, j->line, what);
    j->failed = true;
    return false;
}

cJSON *jsonl_next(jsonl *j) {
    static const char first_line[] = "line 1, "; /* json_parse sees this line alone */
    const char *end = (const char *)j->file.data + j->file.bytes;
    cJSON_Delete(j->record);
    j->record = NULL;
    while (j->at < end && !j->failed) {
        const char *from = j->at, *newline = memchr(from, '\n', (size_t)(end - from));
        size_t bytes = (size_t)((newline ? newline : end) - from);
        char message[200];
        j->at = from + bytes + 1;
        j->line++;
        if (strspn(from, " \t\r") >= bytes) continue;
        j->record = json_parse(from, bytes, message, sizeof message);
        if (cJSON_IsObject(j->record)) return j->record;
        if (j->record)
            jsonl_error(j, "not a JSON object");
        else
            jsonl_error(j, "%s", message + (strncmp(message, first_line, 8) == 0 ? 8 : 0));
    }
    return NULL;
}

bool jsonl_close(jsonl *j) {
    cJSON_Delete(j->record);
    file_free(&j->file);
    return !j->failed;
}
