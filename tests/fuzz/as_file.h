/* Gives bytes to code that wants the path of a file. Include this header first. */
#ifndef AS_FILE_H
#define AS_FILE_H
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory, read from its start; close() it. */
static inline int memory_file(const uint8_t *data, size_t bytes) {
    int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, bytes) != (ssize_t)bytes || lseek(fd, 0, SEEK_SET) != 0) abort();
    return fd;
}

static inline const char *memory_file_path(int fd) {
    static char paths[4][32];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "/proc/self/fd/%d", fd);
    return path;
}
#endif
