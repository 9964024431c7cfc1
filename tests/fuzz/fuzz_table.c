/* Piece tables from hostile bytes: as they are, with hashes made right, and as changes to a small table. */
#include "models.h"
#include "reseal.h"

static void try_one(const uint8_t *data, size_t bytes, int make_right) {
    static const char text[] = "abc d\xc3\xa9 \xff zz \xe6\x9d\xb1";
    uint8_t *file = aligned(bytes);
    memcpy(file, data, bytes);
    if (make_right) reseal(file, bytes);
    int64_t need = sr_table_bytes(file, bytes);
    if (need > 0 && need < 1 << 26) {
        const sr_table *t;
        void *mem = aligned((size_t)need);
        if (sr_table_open(mem, (size_t)need, file, bytes, &t) == 0) {
            float v[SR_TABLE_MAX_DIM];
            void *work = aligned(sr_table_work_bytes(t));
            if (sr_table_embed(t, text, sizeof text - 1, work, sr_table_work_bytes(t), v) == 0)
                for (uint32_t i = 0; i < sr_table_dim(t); i++)
                    if (!(v[i] >= -1.001f && v[i] <= 1.001f)) abort();
            free(work);
        }
        free(mem);
    }
    free(file);
}

static void change_small_table(const uint8_t *data, size_t bytes) {
    static uint8_t *small;
    static size_t small_bytes;
    if (!small) {
        float rows[MODEL_PIECES * 8], weights[MODEL_PIECES];
        sr_write_options w = model_options();
        opened o = open_small(&w);
        for (int i = 0; i < MODEL_PIECES * 8; i++) rows[i] = test_random_f32();
        for (int i = 0; i < MODEL_PIECES; i++) weights[i] = 1;
        sr_table_source s = {o.model, 8, rows, weights, 0};
        small_bytes = (size_t)sr_table_write(&s, &small);
        close_model(&o);
    }
    uint8_t *file = malloc(small_bytes);
    memcpy(file, small, small_bytes);
    for (size_t i = 0; i + 3 <= bytes && i < 48; i += 3)
        file[(size_t)(data[i] | data[i + 1] << 8) % small_bytes] = data[i + 2];
    try_one(file, small_bytes, 1);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    try_one(data, bytes, 0);
    try_one(data, bytes, 1);
    change_small_table(data, bytes);
    return 0;
}
