/* Vector files (.srv) from hostile bytes: what opens can be read whole, and each row is found again. */
#include "as_file.h"
#include "program/srv.h"
#include "reseal.h"

static void read_all(const srv_file *f) {
    float *vector = malloc(f->pin.dim * sizeof *vector);
    for (size_t i = 0; i < f->count; i++) {
        sr_text id = srv_id(f, i);
        size_t found = srv_find(f, srv_text_hash(f, i), id);
        if (found == SRV_NONE || found > i) abort();
        srv_vector(f, i, vector);
        for (uint32_t d = 0; d < f->pin.dim; d++)
            if (vector[d] - vector[d] != 0) abort();
    }
    srv_pin_text(&f->pin);
    free(vector);
}

static void try_one(const uint8_t *data, size_t bytes, int make_right) {
    uint8_t *file = aligned(bytes);
    memcpy(file, data, bytes);
    if (make_right) reseal(file, bytes);
    int fd = memory_file(file, bytes);
    srv_file f;
    if (srv_read(memory_file_path(fd), &f)) {
        read_all(&f);
        srv_free(&f);
    }
    close(fd), free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    try_one(data, bytes, 0);
    try_one(data, bytes, 1);
    return 0;
}
