/* Training piece tables, on a small model and two routes that single pieces tell apart. */
#include "models.h"
#include "program/table_train.h"

enum { TEXTS = 120, ROUTES = 2, DIM = 8 };
static char text_bytes[TEXTS][64];
static sr_text texts[TEXTS];
static uint32_t route[TEXTS];
static double weight[TEXTS];
static uint8_t all[TEXTS];

static void make_texts(void) {
    static const char *const filler[] = {"ab", "b", "e", "abc", "a"}, *const marker[] = {"cd", "de"};
    if (texts[0].data) return;
    for (int i = 0; i < TEXTS; i++) {
        route[i] = (uint32_t)i % ROUTES, weight[i] = 1, all[i] = 1;
        int words = 2 + (int)(test_random() % 5), at = (int)(test_random() % (unsigned)words), n = 0;
        for (int w = 0; w < words; w++)
            n += snprintf(text_bytes[i] + n, sizeof text_bytes[i] - (size_t)n, "%s%s", w ? " " : "",
                          w == at ? marker[route[i]] : filler[test_random() % 5]);
        texts[i] = (sr_text){text_bytes[i], (size_t)n};
    }
}

static table_trainer trainer(const sr_model *m, long epochs) {
    make_texts();
    return (table_trainer){.model = m,
                           .options = {.dim = DIM,
                                       .pieces = 1000,
                                       .epochs = epochs,
                                       .common = 0.1,
                                       .rate = 2,
                                       .pull = 0.02,
                                       .dropout = 0.1,
                                       .smoothing = 0.1,
                                       .step = 0.05,
                                       .fit = {.exponent = 0.5, .lambda = 0.1, .weight = 1}},
                           .route_count = ROUTES,
                           .count = TEXTS,
                           .texts = texts,
                           .route = route,
                           .weight = weight,
                           .basis_dim = 12};
}

typedef struct {
    uint8_t *file;
    int64_t bytes;
    float rows[MODEL_PIECES * DIM], head[ROUTES * DIM], bias[ROUTES];
} trained;

static trained train(const sr_model *m, long epochs, const uint8_t *use) {
    trained out = {0};
    table_trainer t = trainer(m, epochs);
    CHECK(table_prepare(&t, all));
    CHECK(table_start(&t, use, out.rows));
    table_train(&t, use, out.rows, out.head, out.bias);
    out.bytes = table_file(&t, out.rows, &out.file);
    CHECK(out.bytes > 0);
    table_trainer_free(&t);
    return out;
}

/* Share of the texts with use[i] == 0 that table and readout give to their route. */
static double right(const trained *t, const uint8_t *use) {
    const sr_table *table;
    int64_t need = sr_table_bytes(t->file, (size_t)t->bytes);
    void *mem = test_alloc((size_t)need);
    CHECK_INT(sr_table_open(mem, (size_t)need, t->file, (size_t)t->bytes, &table), 0);
    void *work = test_alloc(sr_table_work_bytes(table));
    double good = 0, count = 0;
    for (int i = 0; i < TEXTS; i++) {
        float v[DIM], best = -1e30f;
        uint32_t at = 0;
        if (use[i]) continue;
        CHECK_INT(sr_table_embed(table, texts[i].data, texts[i].bytes, work, sr_table_work_bytes(table), v), 0);
        for (uint32_t r = 0; r < ROUTES; r++) {
            float x = t->bias[r];
            for (int d = 0; d < DIM; d++) x += t->head[r * DIM + (uint32_t)d] * v[d];
            if (x > best) best = x, at = r;
        }
        good += at == route[i], count++;
    }
    free(work), free(mem);
    return good / count;
}

TEST(the_same_texts_train_the_same_bytes) {
    sr_write_options o = model_options();
    opened m = open_small(&o);
    trained a = train(m.model, 10, all), b = train(m.model, 10, all);
    CHECK_INT(a.bytes, b.bytes);
    CHECK(memcmp(a.file, b.file, (size_t)a.bytes) == 0);
    free(a.file), free(b.file);
    close_model(&m);
}

TEST(training_beats_its_start_on_texts_left_out) {
    uint8_t use[TEXTS];
    sr_write_options o = model_options();
    opened m = open_small(&o);
    make_texts();
    for (int i = 0; i < TEXTS; i++) use[i] = i % 3 != 0;
    trained start = train(m.model, 0, use), end = train(m.model, 40, use);
    CHECK(right(&end, use) > 0.95);
    CHECK(right(&end, use) >= right(&start, use));
    free(start.file), free(end.file);
    close_model(&m);
}

TEST(rows_of_pieces_never_seen_keep_their_start) {
    sr_write_options o = model_options();
    opened m = open_small(&o);
    trained start = train(m.model, 0, all), end = train(m.model, 10, all);
    int moved = 0, kept = 0;
    for (uint32_t p = 0; p < MODEL_PIECES; p++) {
        int same = memcmp(start.rows + p * DIM, end.rows + p * DIM, DIM * sizeof(float)) == 0;
        kept += same, moved += !same;
    }
    CHECK(moved >= 5 && kept >= 5);
    free(start.file), free(end.file);
    close_model(&m);
}

TEST(a_smaller_table_spells_words_out_and_still_opens) {
    sr_write_options o = model_options();
    opened m = open_small(&o);
    table_trainer t = trainer(m.model, 2);
    t.options.pieces = 1;
    CHECK(table_prepare(&t, all));
    uint32_t kept = 0;
    for (uint32_t p = 0; p < MODEL_PIECES; p++) kept += t.keep[p];
    CHECK(kept >= 5 && kept < MODEL_PIECES);
    static float rows[MODEL_PIECES * DIM], head[ROUTES * DIM], bias[ROUTES];
    CHECK(table_start(&t, all, rows));
    table_train(&t, all, rows, head, bias);
    uint8_t *file = NULL;
    int64_t bytes = table_file(&t, rows, &file);
    CHECK(bytes > 0 && sr_table_bytes(file, (size_t)bytes) > 0);
    free(file);
    table_trainer_free(&t);
    close_model(&m);
}

TEST_MAIN()
