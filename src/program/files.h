/* Files whole: read into aligned memory, written to a temporary name and renamed. */
#ifndef SR_FILES_H
#define SR_FILES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct {
    void *data; /* 64-byte aligned, one zero byte behind the end; free() it */
    size_t bytes;
} file_bytes;

/* "-" is standard input. On failure prints what and why, returns false. */
bool file_read(const char *path, file_bytes *out);
void file_free(file_bytes *file);

/* A file that appears under its name only when it is whole; broken off by a signal, it leaves nothing. "-" writes to
 * standard output, and what is no plain file (a pipe, a device) is written to as it is. */
typedef struct {
    FILE *stream;
    const char *path;
    char *temporary;
} file_writer;
bool file_begin(file_writer *w, const char *path);
bool file_commit(file_writer *w); /* flushes, syncs, renames; prints an error and removes the rest on failure */
bool file_write(const char *path, const void *data, size_t bytes);

void *memory(size_t bytes); /* 64-byte aligned and zeroed; ends the program with a message when there is none */
void *memory_more(void *old, size_t bytes); /* as realloc, not zeroed; ends the program likewise */
char *text_copy(const char *text, size_t bytes);
char *text_join(const char *a, const char *b, const char *c); /* a new text of all three */
#endif
