/* The published models that `make models` fetches, against the Python package tokenizers (pieces, every line alike) and
 * a forward pass in double precision that was written apart from this library (vectors after the last layer), for
 * sentences of our own. `make test-models` runs it. */
#include "models.h"

static opened open_model(const char *name) {
    size_t bytes = 0;
    opened o = {0};
    uint8_t *file = read_test_file(name, &bytes);
    if (!file || open_bytes(&o, file, bytes) < 0) FAIL("%s does not open: make models", name);
    return o;
}

/* Cosine to the stored vectors, at least `least` for every line; pieces alike. */
static void compare(const char *model, const char *name, double least) {
    char path[100];
    size_t line_bytes = 0, vector_bytes = 0, line = 0;
    snprintf(path, sizeof path, "tests/golden/%s-pieces.txt", name);
    uint8_t *lines = read_test_file(path, &line_bytes);
    snprintf(path, sizeof path, "tests/golden/%s-vectors.f32", name);
    float *want = (float *)(void *)read_test_file(path, &vector_bytes);
    opened o = open_model(model);
    CHECK(lines && want);
    if (!lines || !want || !o.encoder) return;
    uint32_t dim = o.model->meta.dim;
    double worst = 1;
    for (char *p = (char *)lines, *end = p + line_bytes; p < end; line++) {
        char *tab = memchr(p, '\t', (size_t)(end - p)), *stop = memchr(p, '\n', (size_t)(end - p)), got[4096];
        float v[SR_MODEL_MAX_WIDTH];
        double dot = 0;
        if (!tab || !stop || (line + 1) * dim * 4 > vector_bytes) break;
        *tab = *stop = 0;
        upstream_ids(&o, tab + 1, (size_t)(stop - tab - 1), got, sizeof got);
        if (strcmp(got, p) != 0) FAIL("'%s' gives %s, not %s", tab + 1, got, p);
        CHECK_INT(sr_encoder_advance(o.encoder, o.model->meta.layers, v), 0);
        for (uint32_t i = 0; i < dim; i++) dot += (double)v[i] * want[line * dim + i];
        if (dot < least) FAIL("%s, '%s': cosine %.5f", model, tab + 1, dot);
        if (dot < worst) worst = dot;
        p = stop + 1;
    }
    printf("%s: %zu texts, worst cosine %.6f\n", model, line, worst);
    CHECK_INT((long long)line, (long long)(vector_bytes / (dim * 4)));
    free(lines), free(want);
    close_model(&o);
}

TEST(minilm_in_f32) {
    compare("build/model/all-MiniLM-L6-v2-f32.srm", "minilm", 0.9999);
}
TEST(minilm_in_8_bits) {
    compare("build/model/all-MiniLM-L6-v2.srm", "minilm", 0.995);
}
TEST(mpnet_in_f32) {
    compare("build/model/all-mpnet-base-v2-f32.srm", "mpnet", 0.9999);
}
TEST(mpnet_in_8_bits) {
    compare("build/model/all-mpnet-base-v2.srm", "mpnet", 0.995);
}

TEST(mpnet_gives_the_published_cosines) {
    static const char *const texts[] = {"That is a happy person", "That is a happy dog", "Today is a sunny day"};
    opened o = open_model("build/model/all-mpnet-base-v2-f32.srm");
    float v[3][768];
    double dog = 0, day = 0;
    if (!o.encoder) return;
    for (int i = 0; i < 3; i++) {
        CHECK(sr_encoder_start(o.encoder, texts[i], strlen(texts[i])) > 0);
        CHECK_INT(sr_encoder_advance(o.encoder, 12, v[i]), 0);
    }
    for (int d = 0; d < 768; d++) dog += (double)v[0][d] * v[1][d], day += (double)v[0][d] * v[2][d];
    CHECK_NEAR(dog, 0.7640, 0.0001);
    CHECK_NEAR(day, 0.3148, 0.0001);
    close_model(&o);
}
TEST_MAIN()
