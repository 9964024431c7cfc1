/* Makes a container's hashes right after its bytes were changed, since random bytes never get past a hash. */
#ifndef RESEAL_H
#define RESEAL_H
#include "container.h"
#include <stdlib.h>
#include <string.h>

static inline void *aligned(size_t bytes) {
    void *p = NULL;
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) abort();
    return p;
}

static inline void reseal(uint8_t *file, size_t bytes) {
    if (bytes < 96) return;
    uint32_t count = sr_load32(file + 32);
    if (count > (bytes - 64) / 32) return;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *e = file + 64 + (size_t)i * 32;
        uint64_t offset = sr_load64(e + 8), size = sr_load64(e + 16);
        if (offset <= bytes && size <= bytes - offset) sr_store64(e + 24, sr_hash64(file + offset, (size_t)size));
    }
    sr_store64(file + 16, sr_hash64(file + 64, (size_t)count * 32));
    uint8_t covered[56];
    memcpy(covered, file, 24), memcpy(covered + 24, file + 32, 32);
    sr_store64(file + 24, sr_hash64(covered, sizeof covered));
}
#endif
