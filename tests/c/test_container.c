/* Header, section table and hashes. */
#include "container.h"
#include "test.h"

TEST(hash_equals_xxh64) { /* published values of XXH64, seed 0 */
    CHECK(sr_hash64("", 0) == 0xEF46DB3751D8E999u);
    CHECK(sr_hash64("a", 1) == 0xD24EC4F1A98C6E5Bu);
    CHECK(sr_hash64("abc", 3) == 0x44BC2CF5AD770999u);
    CHECK(sr_hash64("Nobody inspects the spammish repetition", 39) == 0xFBCEA83C8A378BF1u);
}

static uint8_t *make(sr_section *s, uint32_t count, size_t *bytes) {
    *bytes = (size_t)sr_container_layout(s, count);
    uint8_t *file = test_alloc(*bytes);
    memset(file, 0, *bytes);
    for (uint32_t i = 0; i < count; i++)
        for (uint64_t j = 0; j < s[i].bytes; j++) file[s[i].offset + j] = (uint8_t)test_random();
    sr_container_seal(file, s, count, "TST1", 1);
    return file;
}

static int open_copy(const uint8_t *file, size_t bytes, sr_container *c) {
    uint8_t *copy = test_alloc(bytes);
    memcpy(copy, file, bytes);
    int rc = sr_container_open(copy, bytes, "TST1", 1, c);
    free(copy);
    return rc;
}

TEST(what_was_sealed_is_found) {
    sr_section s[] = {{.kind = 1, .bytes = 5}, {.kind = 2, .bytes = 0}, {.kind = 2, .index = 7, .bytes = 130}}, found;
    size_t bytes;
    uint8_t *file = make(s, 3, &bytes);
    sr_container c;
    CHECK_INT(sr_container_open(file, bytes, "TST1", 1, &c), 0);
    CHECK_INT(c.section_count, 3);
    CHECK_INT(sr_container_find(&c, 2, 7, &found), 2);
    CHECK(found.offset % 64 == 0 && found.bytes == 130);
    CHECK_INT(sr_container_find(&c, 2, 6, &found), -1);
    for (uint32_t i = 0; i < 3; i++) {
        sr_container_section(&c, i, &found);
        CHECK_INT(sr_container_verify(&c, &found, bytes), 0);
    }
    CHECK_INT(sr_container_verify(&c, &found, bytes - 1), SR_E_INCOMPLETE);
    file[found.offset] ^= 1;
    CHECK_INT(sr_container_verify(&c, &found, bytes), SR_E_CHECKSUM);
    CHECK_INT(sr_container_open(file, bytes, "TST2", 1, &c), SR_E_MAGIC);
    CHECK_INT(sr_container_open(file, bytes, "TST1", 0, &c), SR_E_VERSION);
    CHECK_INT(sr_container_open(NULL, bytes, "TST1", 1, &c), SR_E_ARGUMENT);
    free(file);
}

TEST(header_and_table_must_have_arrived_and_the_rest_need_not) {
    sr_section s[] = {{.kind = 1, .bytes = 100}, {.kind = 2, .bytes = 100}};
    size_t bytes;
    uint8_t *file = make(s, 2, &bytes);
    sr_container c;
    for (size_t n = 0; n <= bytes; n++) CHECK_INT(open_copy(file, n, &c), n < 128 ? SR_E_TRUNCATED : 0);
    free(file);
}

/* Writes the header and table again after `file` was changed, so that only the change can be the reason. */
static void reseal(uint8_t *file) {
    uint32_t count = sr_load32(file + 32);
    uint8_t covered[56];
    sr_store64(file + 16, sr_hash64(file + 64, (size_t)count * 32));
    memcpy(covered, file, 24), memcpy(covered + 24, file + 32, 32);
    sr_store64(file + 24, sr_hash64(covered, sizeof covered));
}

TEST(a_changed_bit_in_header_or_table_shows) {
    sr_section s[] = {{.kind = 1, .bytes = 100}, {.kind = 2, .bytes = 100}};
    size_t bytes;
    uint8_t *file = make(s, 2, &bytes);
    sr_container c;
    for (size_t bit = 0; bit < 128 * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int rc = open_copy(file, bytes, &c);
        CHECK(rc == SR_E_CHECKSUM || (bit < 32 && rc == SR_E_MAGIC));
        file[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    free(file);
}

TEST(offsets_and_sizes_that_lie_are_refused_even_with_good_hashes) {
    sr_section s[] = {{.kind = 1, .bytes = 100}, {.kind = 2, .bytes = 100}};
    struct {
        size_t at;
        uint64_t value;
    } lies[] = {
        {64 + 8, 0},
        {64 + 8, 64},
        {64 + 8, 129},
        {64 + 8, 256},
        {64 + 16, 0},
        {64 + 16, 99999},
        {64 + 16, UINT64_MAX},
        {64 + 8, UINT64_MAX - 63},
        {96 + 8, 128},
        {96 + 8, 320},
        {96 + 16, 101},
        {96 + 16, 99},
        {96 + 16, UINT64_MAX - 255},
        {8, 0},
        {8, UINT64_MAX},
        {8, 357},
        {8, 355},
        {96, (uint64_t)1},
        {32, 0},
        {36, 1},
        {60, 1ull << 32},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        size_t bytes;
        uint8_t *file = make(s, 2, &bytes);
        sr_container c;
        if (lies[i].at == 60)
            sr_store32(file + 60, 1);
        else if (lies[i].at == 32 || lies[i].at == 36)
            sr_store32(file + lies[i].at, (uint32_t)lies[i].value);
        else
            sr_store64(file + lies[i].at, lies[i].value);
        reseal(file);
        int rc = open_copy(file, bytes, &c);
        if (rc != SR_E_FORMAT) FAIL("lie %zu gives %s", i, sr_error_name(rc));
        free(file);
    }
}

TEST(bytes_between_sections_are_refused) {
    sr_section s[] = {{.kind = 1, .bytes = 100}, {.kind = 2, .bytes = 100}};
    size_t bytes;
    uint8_t *file = make(s, 2, &bytes);
    sr_container c;
    file[s[0].offset + 100] = 1;
    CHECK_INT(open_copy(file, bytes, &c), SR_E_FORMAT);
    free(file);
}

TEST(a_section_count_past_the_file_is_refused) {
    uint32_t counts[] = {3, 4096, 4097, UINT32_MAX, 1u << 27};
    for (size_t i = 0; i < 5; i++) {
        sr_section s[] = {{.kind = 1, .bytes = 0}};
        size_t bytes;
        uint8_t *file = make(s, 1, &bytes);
        sr_container c;
        sr_store32(file + 32, counts[i]);
        uint8_t covered[56];
        memcpy(covered, file, 24), memcpy(covered + 24, file + 32, 32);
        sr_store64(file + 24, sr_hash64(covered, sizeof covered));
        CHECK_INT(open_copy(file, bytes, &c), SR_E_FORMAT);
        free(file);
    }
}

TEST(every_error_has_a_name_and_a_text) {
    for (int i = -16; i < 0; i++)
        CHECK(strncmp(sr_error_name(i), "SR_E_", 5) == 0 && strcmp(sr_error_name(i), "SR_E_UNKNOWN"));
    CHECK(!strcmp(sr_error_name(-17), "SR_E_UNKNOWN") && !strcmp(sr_error_name(INT32_MIN), "SR_E_UNKNOWN"));
    CHECK(!strcmp(sr_error_name(SR_E_UTF8), "SR_E_UTF8") && !strcmp(sr_error_name(5), "SR_OK"));
    CHECK(strlen(sr_error_text(SR_E_ZERO)) > 5 && strlen(sr_error_text(-99)) > 5);
}

TEST_MAIN()
