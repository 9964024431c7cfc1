/* JSONL read record by record: what is between the lines does not count, and an error names file and line. */
#include "program/jsonl.h"
#include "test.h"
#include <unistd.h>

static char path[] = "/tmp/test_jsonl.XXXXXX", said[600];

/* Reads a file of this text; returns the records' "n" as digits. What was printed is in `said`. */
static const char *numbers(const char *text, size_t bytes) {
    static char out[32];
    static int made;
    if (!made) made = 1, close(mkstemp(path));
    FILE *f = fopen(path, "w");
    fwrite(text, 1, bytes, f);
    fclose(f);
    char caught[] = "/tmp/test_jsonl_said.XXXXXX";
    int fd = mkstemp(caught), before = dup(2);
    dup2(fd, 2);
    jsonl in;
    size_t n = 0;
    bool fine = jsonl_open(&in, path);
    CHECK(fine);
    for (const cJSON *record; (record = jsonl_next(&in));) {
        out[n++] = (char)('0' + json_get(record, "n")->valueint);
        if (json_text(record, "bad")) jsonl_error(&in, "bad is \"%s\"", json_text(record, "bad"));
    }
    size_t last = in.line;
    CHECK(!jsonl_next(&in)); /* once more changes nothing */
    CHECK_INT(in.line, last);
    fine = jsonl_close(&in);
    dup2(before, 2), close(before);
    memset(said, 0, sizeof said);
    CHECK(pread(fd, said, sizeof said - 1, 0) >= 0);
    close(fd), unlink(caught);
    CHECK_INT(fine, !*said);
    out[n] = 0;
    return out;
}
#define NUMBERS(text) numbers(text, sizeof text - 1)

TEST(reads_each_line_and_passes_over_white_space) {
    CHECK(!strcmp(NUMBERS(""), ""));
    CHECK(!strcmp(NUMBERS("\n \t\r\n\n"), ""));
    CHECK(!strcmp(NUMBERS("{\"n\":1}\n{\"n\":2}\n"), "12"));
    CHECK(!strcmp(NUMBERS("{\"n\":1}\r\n\r\n  {\"n\":2}"), "12")); /* no end of line after the last */
    CHECK(!strcmp(NUMBERS("\xef\xbb\xbf{\"n\":1}\n"), "1"));
    unlink(path);
}

TEST(an_error_names_file_and_line_and_ends_the_reading) {
    static const struct {
        const char *text, *before, *what;
    } cases[] = {
        {"{\"n\":1}\n\n{\"n\":x}\n{\"n\":3}\n", "1", ": line 3: column 6: not valid JSON from here on\n"},
        {"{\"n\":1}\n{\"n\"", "1", ": line 2: column 4: the JSON ends too early\n"},
        {"{\"n\":1}\n[2]\n{\"n\":3}\n", "1", ": line 2: not a JSON object\n"},
        {"{\"n\":1} {\"n\":2}\n", "", ": line 1: column 9: something follows the JSON value\n"},
        {"{\"n\":1}\n{\"n\":\"\xff\"}\n", "1", ": line 2: column 7: not valid UTF-8\n"},
        {"{\"n\":1,\"bad\":\"wrong\"}\n{\"n\":2}\n", "1", ": line 1: bad is \"wrong\"\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *read = numbers(cases[i].text, strlen(cases[i].text)), *name = strstr(said, path);
        if (strcmp(read, cases[i].before) != 0 || !name || strcmp(name + strlen(path), cases[i].what) != 0)
            FAIL("%s: read %s, said %s", cases[i].text, read, said);
    }
    CHECK(!strcmp(NUMBERS("{\"n\":1}\n{\"n\":2}\0\n"), "1"));
    CHECK(strstr(said, ": line 2: column 8: a zero byte\n"));
    unlink(path);
}

TEST(a_record_can_be_kept) {
    CHECK(!strcmp(NUMBERS("{\"n\":1}\n{\"n\":2}\n"), "12"));
    jsonl in;
    CHECK(jsonl_open(&in, path));
    cJSON *kept = jsonl_next(&in);
    in.record = NULL;
    CHECK(jsonl_next(&in));
    CHECK(jsonl_close(&in));
    CHECK_INT(json_get(kept, "n")->valueint, 1);
    cJSON_Delete(kept);
    unlink(path);
}

TEST(a_file_that_is_not_there_is_refused) {
    jsonl in;
    CHECK(!jsonl_open(&in, "/nowhere/at-all.jsonl"));
}

TEST_MAIN()
