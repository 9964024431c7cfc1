/* Files whole; nothing half-written is ever left under a real name. */
#include "program/files.h"
#include "program/cli.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *not_null(void *p, size_t bytes) {
    if (!p) {
        cli_error("out of memory (%zu bytes wanted)", bytes);
        exit(CLI_FAILED);
    }
    return p;
}

void *memory(size_t bytes) {
    size_t whole = (bytes + 63) / 64 * 64;
    void *p = not_null(whole >= bytes ? aligned_alloc(64, whole ? whole : 64) : NULL, bytes);
    return memset(p, 0, whole ? whole : 64);
}

void *memory_more(void *old, size_t bytes) {
    return not_null(realloc(old, bytes ? bytes : 1), bytes);
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

/* Temporary files that must go when the program is stopped, or gives up. */
enum { MOST_PENDING = 4 };
static char *volatile pending[MOST_PENDING];

static void remove_pending(void) {
    for (int i = 0; i < MOST_PENDING; i++)
        if (pending[i]) unlink(pending[i]);
}

static void on_signal(int number) {
    remove_pending();
    signal(number, SIG_DFL);
    raise(number);
}

static void set_pending(char *old, char *name) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    static bool registered;
    if (!registered) registered = atexit(remove_pending) == 0;
    for (int i = 0; i < MOST_PENDING; i++)
        if (pending[i] == old) {
            pending[i] = name;
            break;
        }
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction now;
        /* who ignores a signal, or handles it himself, has his reasons */
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL) signal(numbers[i], on_signal);
    }
}

static void forget_temporary(file_writer *w) {
    set_pending(w->temporary, NULL);
    free(w->temporary);
    *w = (file_writer){0};
}

bool file_begin(file_writer *w, const char *path) {
    struct stat there;
    *w = (file_writer){.path = path};
    if (strcmp(path, "-") == 0) return w->stream = stdout, true;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode) && !S_ISDIR(there.st_mode)) {
        w->stream = fopen(path, "wb"); /* a rename would put a file in the place of /dev/null */
        if (!w->stream) cli_error("cannot write %s: %s", path, strerror(errno));
        return w->stream != NULL;
    }
    w->temporary = memory(strlen(path) + 16);
    sprintf(w->temporary, "%s.XXXXXX", path);
    int fd = mkstemp(w->temporary); /* a name of its own, so two writers of one output never share a file */
    if (fd < 0) {
        cli_error("cannot write beside %s: %s", path, strerror(errno));
        free(w->temporary);
        return false;
    }
    set_pending(NULL, w->temporary);
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    w->stream = fdopen(fd, "wb");
    if (w->stream) return true;
    cli_error("cannot write beside %s: %s", path, strerror(errno));
    close(fd), unlink(w->temporary);
    forget_temporary(w);
    return false;
}

bool file_commit(file_writer *w) {
    bool fine = !ferror(w->stream) && fflush(w->stream) == 0;
    if (!w->temporary) {
        if (w->stream != stdout) fine = fclose(w->stream) == 0 && fine;
        if (!fine)
            cli_error("cannot write %s: %s", strcmp(w->path, "-") ? w->path : "to standard output", strerror(errno));
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
    forget_temporary(w);
    return fine;
}

bool file_write(const char *path, const void *data, size_t bytes) {
    file_writer w;
    if (!file_begin(&w, path)) return false;
    fwrite(data, 1, bytes, w.stream);
    return file_commit(&w);
}

char *text_join(const char *a, const char *b, const char *c) {
    size_t bytes = strlen(a) + strlen(b) + strlen(c) + 1;
    char *out = memory(bytes);
    snprintf(out, bytes, "%s%s%s", a, b, c);
    return out;
}
