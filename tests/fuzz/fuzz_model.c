/* Encoder models from hostile bytes, opened whole and part by part, then given a text. The first inputs are small
 * models that the program makes itself. */
#include "embed/model.h"
#include "models.h"
#include "reseal.h"

static void run(sr_model *m) {
    static const char text[] = "abc d\xc3\xa9 query: \xff zz \xe6\x9d\xb1 ##b";
    float *vector = malloc(SR_MODEL_MAX_WIDTH * sizeof *vector);
    int64_t need = sr_encoder_bytes(m);
    void *mem = aligned((size_t)need);
    sr_encoder *e;
    if (sr_encoder_open(mem, (size_t)need, m, &e) == 0 && sr_encoder_start(e, text, sizeof text - 1) > 0)
        for (uint32_t l = 0; l <= 3; l++)
            if (sr_encoder_advance(e, l, vector) == 0)
                for (uint32_t i = 0; i < m->meta.dim; i++)
                    if (!(vector[i] >= -1.001f && vector[i] <= 1.001f)) abort();
    char piece[SR_MAX_PIECE_BYTES + 1];
    sr_model_piece_text(m, 1, piece);
    float *whitening = malloc((size_t)m->meta.dim * m->meta.dim * sizeof *whitening);
    for (uint32_t l = 0; l <= 3; l++) sr_model_whitening(m, l, vector, whitening);
    free(mem), free(vector), free(whitening);
}

static void try_one(const uint8_t *data, size_t bytes, int make_right) {
    uint8_t *file = aligned(bytes);
    memcpy(file, data, bytes);
    if (make_right) reseal(file, bytes);
    int64_t need = sr_model_bytes(file, bytes);
    if (need > 0 && need < 1 << 26) { /* more is an honest demand for a model of such a size */
        void *mem = aligned((size_t)need);
        sr_model *m;
        if (sr_model_open(mem, (size_t)need, file, bytes / 2, &m) == 0) sr_model_extend(m, bytes);
        if (sr_model_open(mem, (size_t)need, file, bytes, &m) == 0) run(m);
        free(mem);
    }
    free(file);
}

/* A changed copy of a small model: the input says which bytes become what. */
static void change_small_model(const uint8_t *data, size_t bytes) {
    static uint8_t *small;
    static size_t small_bytes;
    if (!small) {
        sr_source_model s = model_source();
        sr_write_options w = model_options();
        float *numbers = model_numbers(4 * MODEL_DIM, 1, 0);
        sr_source_whitening whitening = {1, 4, numbers, numbers};
        w.whitenings = &whitening, w.whitening_count = 1;
        w.layers = 1, w.layer_coding = SR_CODING_Q4, w.embedding_coding = SR_CODING_Q8_BLOCKS;
        small_bytes = (size_t)sr_model_write(&s, &w, &small);
        free(numbers);
    }
    uint8_t *file = malloc(small_bytes);
    memcpy(file, small, small_bytes);
    for (size_t i = 0; i + 4 <= bytes && i < 64; i += 4) {
        size_t at = (size_t)(data[i] | data[i + 1] << 8 | (data[i + 2] & 1) << 16);
        file[(data[i + 2] & 128 ? at % 1024 : at) % small_bytes] = data[i + 3];
    }
    try_one(file, small_bytes, 1);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    try_one(data, bytes, 0);
    try_one(data, bytes, 1);
    change_small_model(data, bytes);
    return 0;
}
