/* JSONL files, record by record, with file and line in every error.
 *
 *     jsonl in;
 *     if (!jsonl_open(&in, path)) return false;
 *     for (const cJSON *record; (record = jsonl_next(&in));)
 *         if (!use(record)) jsonl_error(&in, "no use");
 *     return jsonl_close(&in);
 */
#ifndef SR_JSONL_H
#define SR_JSONL_H
#include "program/files.h"
#include "program/json.h"

typedef struct {
    const char *path; /* the caller's */
    size_t line;      /* of the record, from 1 */
    cJSON *record;    /* freed by the next call; who sets it to null keeps the record */
    file_bytes file;
    const char *at;
    bool failed;
} jsonl;

/* The whole file is read at once. On failure prints what and why, and returns false: then do not close. */
bool jsonl_open(jsonl *j, const char *path);
/* The next line's object; lines of white space are passed over. Null at the end, and after an error, which it prints.
 */
cJSON *jsonl_next(jsonl *j);
/* Prints "FILE: line N: what"; jsonl_next gives nothing more. Returns false. */
bool jsonl_error(jsonl *j, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Did all go well? */
bool jsonl_close(jsonl *j);
#endif
