/* Vector files: what is written is read, and nothing else is. */
#include "program/srv.h"
#include "test.h"
#include <fcntl.h>
#include <unistd.h>

static char path[] = "/tmp/smartrouter-test-XXXXXX";
enum { ROWS = 5, DIM = 12 };
static const char *const ids[ROWS] = {"a", "b", "", "d\xc3\xa9", "b"};

static srv_pin pin_of(uint32_t layer) {
    return (srv_pin){.model_id = {"test-model", 10},
                     .prefix = {"query: ", 7},
                     .content = 0x0123456789abcdefu,
                     .embedder = SR_EMBEDDER_ENCODER,
                     .layer = layer,
                     .pooling = SR_POOL_MEAN,
                     .dim = DIM};
}

static float vectors[ROWS * DIM];

static bool save(bool is_f16, bool with_hashes) {
    sr_text texts[ROWS];
    uint64_t hashes[ROWS] = {1, 2, 0, 4, 2};
    for (int i = 0; i < ROWS; i++) texts[i] = (sr_text){ids[i], strlen(ids[i])};
    for (int i = 0; i < ROWS * DIM; i++) vectors[i] = test_random_f32();
    return srv_save(path, &(srv_write){pin_of(3), is_f16, ROWS, texts, with_hashes ? hashes : NULL, vectors});
}

static int quiet_stderr(void) {
    fflush(stderr);
    int kept = dup(2), null = open("/dev/null", O_WRONLY);
    dup2(null, 2), close(null);
    return kept;
}
static void loud_stderr(int kept) {
    fflush(stderr);
    dup2(kept, 2), close(kept);
}

static size_t read_whole(uint8_t *out, size_t room) {
    FILE *f = fopen(path, "rb");
    size_t n = fread(out, 1, room, f);
    fclose(f);
    return n;
}
static void write_whole(const uint8_t *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    fwrite(bytes, 1, n, f);
    fclose(f);
}

TEST(reads_what_was_written_as_f32_and_f16) {
    for (int half = 0; half < 2; half++) {
        srv_file f;
        CHECK(save(half, true));
        CHECK(srv_read(path, &f));
        srv_pin expected = pin_of(3);
        CHECK(srv_same_pin(&f.pin, &expected));
        CHECK_INT((long long)f.count, ROWS);
        for (size_t i = 0; i < ROWS; i++) {
            float v[DIM];
            sr_text id = srv_id(&f, i);
            CHECK(id.bytes == strlen(ids[i]) && !memcmp(id.data, ids[i], id.bytes));
            srv_vector(&f, i, v);
            for (int d = 0; d < DIM; d++) CHECK_NEAR(v[d], vectors[i * DIM + (size_t)d], half ? 6e-4 : 0);
        }
        srv_free(&f);
    }
}

TEST(finds_rows_by_text_and_only_else_by_id) {
    srv_file f;
    CHECK(save(false, true));
    CHECK(srv_read(path, &f));
    CHECK_INT((long long)srv_find(&f, 4, (sr_text){"nobody", 6}), 3);
    CHECK_INT((long long)srv_find(&f, 2, (sr_text){"b", 1}), 1); /* the first of two */
    CHECK(srv_find(&f, 99, (sr_text){"a", 1}) == SRV_NONE);      /* another text of that id */
    CHECK_INT((long long)srv_find(&f, 99, (sr_text){"", 0}), 2); /* its text is not known */
    srv_free(&f);
    CHECK(save(false, false));
    CHECK(srv_read(path, &f));
    CHECK_INT((long long)srv_find(&f, 99, (sr_text){"d\xc3\xa9", 3}), 3);
    CHECK(srv_find(&f, 1, (sr_text){"nobody", 6}) == SRV_NONE);
    srv_free(&f);
}

TEST(different_exits_prefixes_and_models_are_different_pins) {
    srv_pin a = pin_of(3), b = pin_of(3);
    CHECK(srv_same_pin(&a, &b));
    b = pin_of(4);
    CHECK(!srv_same_pin(&a, &b));
    b = pin_of(3), b.prefix.bytes = 6;
    CHECK(!srv_same_pin(&a, &b));
    b = pin_of(3), b.content++;
    CHECK(!srv_same_pin(&a, &b));
    b = pin_of(3), b.model_id.data = "text-model";
    CHECK(!srv_same_pin(&a, &b));
}

TEST(rejects_a_file_cut_at_any_byte_or_changed_in_any_byte) {
    static uint8_t whole[4096], copy[4096];
    CHECK(save(false, true));
    size_t n = read_whole(whole, sizeof whole);
    int kept = quiet_stderr();
    srv_file f;
    for (size_t cut = 0; cut < n; cut++) {
        write_whole(whole, cut);
        if (srv_read(path, &f)) FAIL("accepted %zu of %zu bytes", cut, n), srv_free(&f);
    }
    for (size_t at = 0; at < n; at++) {
        memcpy(copy, whole, n);
        copy[at] ^= 1u << (at % 8);
        write_whole(copy, n);
        if (srv_read(path, &f)) FAIL("accepted a change at %zu", at), srv_free(&f);
    }
    memcpy(copy, whole, n);
    copy[n] = 0;
    write_whole(copy, n + 1);
    if (srv_read(path, &f)) FAIL("accepted a byte too many"), srv_free(&f);
    loud_stderr(kept);
}

TEST(refuses_to_write_what_is_no_number) {
    int kept = quiet_stderr();
    sr_text id = {"x", 1};
    float v[DIM] = {NAN};
    CHECK(!srv_save(path, &(srv_write){pin_of(3), false, 1, &id, NULL, v}));
    v[0] = 1e30f;
    CHECK(!srv_save(path, &(srv_write){pin_of(3), true, 1, &id, NULL, v}));
    loud_stderr(kept);
}

int main(int argc, char **argv) {
    int fd = mkstemp(path);
    if (fd < 0) return 2;
    close(fd);
    int rc = test_main(argc, argv);
    unlink(path);
    return rc;
}
