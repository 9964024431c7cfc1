/* A fit into its file and out of it; declared in fit.h. */
#include "program/cli.h"
#include "program/files.h"
#include "program/fit.h"
#include <stdlib.h>

bool fit_save(const char *path, const sr_write_asset *w) {
    int64_t bytes = sr_fit_write_bytes(w), work_bytes = bytes < 0 ? bytes : sr_asset_write_work_bytes(w);
    int rc = (int)(work_bytes < 0 ? work_bytes : 0);
    bool fine = false;
    if (rc >= 0) {
        void *work = memory((size_t)work_bytes), *out = memory((size_t)bytes);
        rc = sr_fit_write(w, work, (size_t)work_bytes, out, (size_t)bytes);
        fine = rc >= 0 && file_write(path, out, (size_t)bytes);
        free(work), free(out);
    }
    if (rc < 0) cli_error("%s: %s (%s)", path, sr_error_text(rc), sr_error_name(rc));
    return fine;
}

int fit_open(const file_bytes *file, void **mem, const sr_router **fit) {
    int64_t need = sr_fit_bytes(file->data, file->bytes);
    *mem = need < 0 ? NULL : memory((size_t)need);
    return need < 0 ? (int)need : sr_fit_open(*mem, (size_t)need, file->data, file->bytes, fit);
}

const sr_router *fit_load(const char *path, file_bytes *file, void **mem) {
    const sr_router *fit = NULL;
    *mem = NULL;
    if (!file_read(path, file)) return NULL;
    int rc = fit_open(file, mem, &fit);
    if (rc < 0) cli_error("%s: %s (%s)", path, sr_error_text(rc), sr_error_name(rc));
    return rc < 0 ? NULL : fit;
}
