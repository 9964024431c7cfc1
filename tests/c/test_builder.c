/* Lean JSON against printf and cJSON. */
#include "program/builder.h"
#include "program/json.h"
#include "test.h"

static void check_float(float value) {
    char expected[40];
    static builder b;
    b.bytes = 0;
    build_json_float(&b, value);
    snprintf(expected, sizeof expected, "%.7g", (double)value);
    if (value - value != 0) strcpy(expected, "null");
    if (strcmp(b.data, expected) != 0) FAIL("%s, expected %s", b.data, expected);
}

TEST(floats_print_as_printf_does) {
    static const float some[] = {
        0,       -0.0f,    1,         -1,    0.5f,   0.1f,       0.7f,          2,          9,
        8.9999f, 1e-4f,    2e-4f,     1e-3f, 1e-2f,  0.9999999f, 0.99999994f,   1.0000001f, 1e30f,
        1e-30f,  INFINITY, -INFINITY, NAN,   0.125f, 0.0625f,    3.0517578e-05f};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) check_float(some[i]);
    for (int i = 0; i < 300000; i++) check_float(test_random_f32());
    for (int i = 0; i < 100000; i++) check_float(test_random_f32() * (i & 1 ? 0.01f : 10.0f));
    for (int i = 0; i < 4096; i++) check_float((float)i / 4096.0f); /* halves of the last digit among them */
}

TEST(strings_print_as_cjson_does) {
    char text[40];
    for (int i = 0; i < 2000; i++) {
        builder b = {0};
        size_t n = test_random() % 30;
        for (size_t k = 0; k < n; k++) text[k] = (char)(1 + test_random() % (i & 1 ? 126 : 40));
        text[n] = 0;
        cJSON *s = cJSON_CreateString(text);
        char *expected = cJSON_PrintUnformatted(s);
        build_json_text(&b, text, n);
        if (strcmp(b.data, expected) != 0) FAIL("%s, expected %s", b.data, expected);
        free(expected), free(b.data);
        cJSON_Delete(s);
    }
}

/* Whatever the short way accepts, the long way accepts, with the same text. Returns whether it was accepted. */
static int agree(const char *line, size_t bytes) {
    static builder scratch;
    sr_text text;
    char message[200], *copy = test_alloc(bytes + 1); /* a block of its own, so that reading past its end shows */
    memcpy(copy, line, bytes);
    int found = json_plain_member(copy, bytes, "text", &scratch, &text);
    if (found) {
        cJSON *record = json_parse(copy, bytes, message, sizeof message);
        const cJSON *member = json_get(record, "text");
        if (!cJSON_IsString(member) || json_get(record, "decision"))
            FAIL("accepted: %.*s", (int)bytes, line);
        else if (strlen(member->valuestring) != text.bytes || memcmp(member->valuestring, text.data, text.bytes) != 0)
            FAIL("another text: %.*s", (int)bytes, line);
        cJSON_Delete(record);
    }
    free(copy);
    return found;
}

static int agree_text(const char *line) {
    return agree(line, strlen(line));
}

TEST(plain_records_go_the_short_way) {
    CHECK(agree_text("{\"text\":\"a\"}"));
    CHECK(agree_text(" { \"id\" : -1.5e+3 , \"text\" : \"\" , \"x\":null,\"y\":true } \r"));
    CHECK(agree_text("{\"text\":\"\\u00e9\\n\\\"\\ud83d\\ude00 \xc3\xa9\",\"b\":\"\\\\\"}"));
    CHECK(agree_text("{\"text\":\"first\",\"text\":\"second\"}"));
    CHECK(agree_text("{\"text\":\"a\",\"text\":1}"));
}

TEST(all_else_goes_the_long_way) {
    static const char *const lines[] = {"",
                                        "{",
                                        "{}",
                                        "[]",
                                        "{\"text\"}",
                                        "{\"text\":1}",
                                        "{\"text\":\"a\"",
                                        "{\"text\":\"a\"}}",
                                        "{\"text\":\"a\",}",
                                        "{\"text\":\"a\" \"b\":1}",
                                        "{\"text\":\"a\",\"decision\":1}",
                                        "{\"text\":\"a\",\"b\":[1]}",
                                        "{\"text\":\"a\",\"b\":{}}",
                                        "{\"text\":\"a\",\"b\":01}",
                                        "{\"text\":\"a\",\"b\":1.}",
                                        "{\"text\":\"a\",\"b\":tru}",
                                        "{\"text\":\"\\ud83d\"}",
                                        "{\"text\":\"\\ude00\"}",
                                        "{\"text\":\"\\u0000\"}",
                                        "{\"text\":\"\\x\"}",
                                        "{\"text\":\"\xff\"}",
                                        "{\"text\":\"\t\"}",
                                        "{\"\\u0074ext\":\"a\"}",
                                        "\xef\xbb\xbf{\"text\":\"a\"}"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (agree_text(lines[i])) FAIL("accepted: %s", lines[i]);
}

TEST(changed_records_never_pass_that_cjson_refuses) {
    static const char record[] =
        "{\"id\": 12, \"text\": \"caf\xc3\xa9 \\u00e9\\ud83d\\ude00\\n\", \"n\": -0.5e3, \"o\": true, \"s\": \"\\\\\"}";
    static const char bytes[] = "{}[]\",:\\u0d8e+-.19tfn \t\x01\xc3";
    char line[sizeof record];
    int accepted = 0;
    for (int i = 0; i < 200000; i++) {
        memcpy(line, record, sizeof record);
        for (unsigned k = 0, n = 1 + test_random() % 3; k < n; k++)
            line[test_random() % (sizeof record - 1)] = bytes[test_random() % (sizeof bytes - 1)];
        accepted += agree(line, sizeof record - 1 - (i % 8 == 0 ? test_random() % 10 : 0));
    }
    CHECK(accepted > 1000);
}

TEST_MAIN()
