/* Files whole; nothing half-written is ever left under a real name. */
#include "program/files.h"
#include "program/cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void *memory(size_t bytes) {
    size_t whole = (bytes + 63) / 64 * 64;
    void *p = whole >= bytes ? aligned_alloc(64, whole ? whole : 64) : NULL;
    if (!p) {
        cli_error("out of memory (%zu bytes wanted)", bytes);
        exit(CLI_FAILED);
    }
    return memset(p, 0, whole ? whole : 64);
}

char *text_copy(const char *text, size_t bytes) {
    char *copy = memory(bytes + 1);
    return memcpy(copy, text, bytes);
}

bool file_read(const char *path, file_bytes *out) {
    bool standard = strcmp(path, "-") == 0;
    FILE *f = standard ? stdin : fopen(path, "rb");
    if (!f) return cli_error("cannot open %s: %s", path, strerror(errno)), false;
    struct stat st;
    if (fstat(fileno(f), &st) == 0 && S_ISDIR(st.st_mode)) {
        cli_error("%s is a folder, not a file", path);
        if (!standard) fclose(f);
        return false;
    }
    size_t room = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size + 1 : 1 << 16, used = 0;
    char *data = memory(room + 1);
    for (size_t n; (n = fread(data + used, 1, room - used, f)) > 0;) {
        used += n;
        if (used < room) continue;
        char *larger = memory(room * 2 + 1);
        memcpy(larger, data, used);
        free(data);
        data = larger, room *= 2;
    }
    bool failed = ferror(f) != 0;
    if (failed) cli_error("cannot read %s: %s", path, strerror(errno));
    if (!standard) fclose(f);
    if (failed) return free(data), false;
    data[used] = 0;
    *out = (file_bytes){data, used};
    return true;
}

void file_free(file_bytes *file) {
    free(file->data);
    *file = (file_bytes){0};
}

bool file_begin(file_writer *w, const char *path) {
    *w = (file_writer){.path = path};
    if (strcmp(path, "-") == 0) return w->stream = stdout, true;
    w->temporary = memory(strlen(path) + 16);
    sprintf(w->temporary, "%s.XXXXXX", path);
    int fd = mkstemp(w->temporary); /* a name of its own, so two writers of one output never share a file */
    if (fd < 0) {
        cli_error("cannot write beside %s: %s", path, strerror(errno));
        free(w->temporary);
        return false;
    }
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    w->stream = fdopen(fd, "wb");
    return w->stream != NULL;
}

void file_abandon(file_writer *w) {
    if (!w->temporary) return;
    if (w->stream) fclose(w->stream);
    unlink(w->temporary);
    free(w->temporary);
    *w = (file_writer){0};
}

bool file_commit(file_writer *w) {
    bool fine = !ferror(w->stream) && fflush(w->stream) == 0;
    if (!w->temporary) {
        if (!fine) cli_error("cannot write to standard output: %s", strerror(errno));
        return fine;
    }
    fine = fine && fsync(fileno(w->stream)) == 0;
    fine = fclose(w->stream) == 0 && fine;
    w->stream = NULL;
    fine = fine && rename(w->temporary, w->path) == 0;
    if (!fine) {
        cli_error("cannot write %s: %s", w->path, strerror(errno));
        unlink(w->temporary);
    }
    free(w->temporary);
    *w = (file_writer){0};
    return fine;
}

bool file_write(const char *path, const void *data, size_t bytes) {
    file_writer w;
    if (!file_begin(&w, path)) return false;
    fwrite(data, 1, bytes, w.stream);
    return file_commit(&w);
}
