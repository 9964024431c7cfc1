/* Memory that runs out: each allocation of what makes models and tables fails once, in turn. The call then says so,
 * nothing crashes, and (sanitized) nothing leaks; with all of them back it gives the bytes it gave before.
 *
 * The linker hands the allocations of our own objects to the __wrap_ functions below (Makefile: --wrap). cJSON's are
 * not among them: in the program one that fails ends it (main.c; tests/js/faults.test.js). */
#include "folders.h"
#include "pipelines.h"
#include <errno.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);

static long allocations, failing; /* so far; the number of the one to fail, 0: none */

static int fails(void) {
    if (++allocations != failing) return 0;
    errno = ENOMEM;
    return 1;
}
void *__wrap_malloc(size_t bytes) {
    return fails() ? NULL : __real_malloc(bytes);
}
void *__wrap_calloc(size_t count, size_t bytes) {
    return fails() ? NULL : __real_calloc(count, bytes);
}
void *__wrap_realloc(void *old, size_t bytes) {
    return fails() ? NULL : __real_realloc(old, bytes);
}
void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
    return fails() ? NULL : __real_aligned_alloc(alignment, bytes);
}

/* Runs work with no failure, then with each in turn. work returns its bytes and, by *file, what it made. */
static void fail_each(int64_t (*work)(uint8_t **file), int at_least) {
    uint8_t *whole = NULL, *file = NULL;
    failing = allocations = 0;
    int64_t bytes = work(&whole);
    long count = allocations;
    CHECK(bytes > 0 && count >= at_least);
    for (long n = 1; n <= count; n++) {
        file = NULL, allocations = 0, failing = n;
        int64_t rc = work(&file);
        if (rc >= 0) FAIL("allocation %ld of %ld failed, and nobody noticed", n, count);
        CHECK(!file);
        free(file);
    }
    failing = 0;
    CHECK_INT(work(&file), bytes);
    CHECK(file && memcmp(file, whole, (size_t)bytes) == 0);
    free(whole), free(file);
}

static int64_t write_model(uint8_t **file) {
    sr_source_model s = model_source();
    sr_write_options w = model_options();
    w.embedding_coding = SR_CODING_PQ, w.subspaces = MODEL_DIM / 8;
    return sr_model_write(&s, &w, file);
}

TEST(writing_a_model_survives_each_failing_allocation) {
    model_source(); /* made before the counting */
    fail_each(write_model, 6);
}

static opened small;

static int64_t write_table(uint8_t **file) {
    float rows[MODEL_PIECES * 8], weights[MODEL_PIECES];
    for (int i = 0; i < MODEL_PIECES * 8; i++) rows[i] = (float)(i % 17) - 8;
    for (int i = 0; i < MODEL_PIECES; i++) weights[i] = 1;
    return sr_table_write(&(sr_table_source){small.model, 8, rows, weights, NULL, 0}, file);
}

TEST(writing_a_table_survives_each_failing_allocation) {
    sr_write_options w = model_options();
    small = open_small(&w);
    fail_each(write_table, 3);
    close_model(&small);
}

static int64_t read_folder(uint8_t **file) {
    static const sr_folder_options plain = {.pooling = -1};
    static sr_model_source source;
    sr_write_options w = model_options();
    int64_t rc = sr_source_open_folder(&source, folder_path(""), &plain);
    if (rc == SR_E_FORMAT && !source.error[0]) FAIL("a refusal without words");
    w.layers = rc < 0 ? 0 : source.model.meta.layers;
    if (rc >= 0) rc = sr_model_write(&source.model, &w, file);
    sr_source_close(&source);
    return rc;
}

TEST(reading_a_folder_survives_each_failing_allocation) {
    folder_make(bert_config, "tests/golden/wordpiece-small.json");
    fail_each(read_folder, 20);
    folder_make(xlm_config, "tests/golden/unigram-small.json");
    fail_each(read_folder, 20);
    folder_remove();
}

TEST_MAIN()
