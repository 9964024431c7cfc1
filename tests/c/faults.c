/* A library to load before the program (LD_PRELOAD), for tests/js/faults.test.js: things go wrong where the environment
 * says.
 *
 *   FAULT_ALLOCATION=N   the Nth allocation finds no memory; at the end "N allocations" goes to the file FAULT_COUNT
 *   FAULT_READ=1         read() gives one byte at a time
 *   FAULT_FSYNC=9        the process gets this signal when a file that it wrote is whole, but not renamed yet
 *   FAULT_FSYNC=error    instead, the disk fails
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

long syscall(long number, ...);
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_long allocations, failing;

__attribute__((constructor)) static void begin(void) {
    const char *number = getenv("FAULT_ALLOCATION");
    allocations = 0;
    failing = number ? atol(number) : 0;
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("FAULT_COUNT");
    char text[40];
    if (!path) return;
    int n = snprintf(text, sizeof text, "%ld allocations\n", atomic_load(&allocations)),
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, text, (size_t)n) != n) abort();
    close(fd);
}

static int fails(void) {
    if (atomic_fetch_add(&allocations, 1) + 1 != atomic_load(&failing)) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t bytes) {
    return fails() ? NULL : __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
    return fails() ? NULL : __libc_calloc(count, bytes);
}
void *realloc(void *old, size_t bytes) {
    return fails() ? NULL : __libc_realloc(old, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

ssize_t read(int fd, void *out, size_t bytes) {
    return syscall(SYS_read, fd, out, bytes && getenv("FAULT_READ") ? 1 : bytes);
}

int fsync(int fd) {
    const char *fault = getenv("FAULT_FSYNC");
    if (fault && strcmp(fault, "error") == 0) return errno = EIO, -1;
    if (fault) raise(atoi(fault));
    return (int)syscall(SYS_fsync, fd);
}
