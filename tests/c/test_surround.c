/* What training puts around prompts: the request stays whole, the label its own, and bad files are named. */
#include "program/surround.h"
#include "test.h"
#include <unistd.h>

static char path[] = "/tmp/test_surround.XXXXXX";

static void write_phrases(const char *text) {
    static int made;
    if (!made) made = 1, close(mkstemp(path));
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static const char phrases[] = "{\"lang\": \"de\", \"before\": \"Moin, \"}\n"
                              "{\"lang\": \"en\", \"before\": \"Hello, \"}\n"
                              "{\"lang\": \"de\", \"after\": \" Danke!\"}\n"
                              "{\"lang\": \"en\", \"after\": \" Thanks!\"}\n"
                              "{\"lang\": \"en\", \"document\": \"The hall is open on Monday.\"}\n"
                              "\n"
                              "{\"lang\": \"en\", \"route\": \"use {route}: \"}\n";

static char *names[] = {"first", "second"}, *labels[] = {"The First", "The Second"};
enum { ROWS = 400 };

static void fill(dataset *d) {
    *d = (dataset){0};
    dataset_routes(d, names, 2);
    for (size_t i = 0; i < ROWS; i++) {
        sample *s = dataset_add(d);
        char text[64];
        snprintf(text, sizeof text, "wie wird Wunsch %zu erledigt", i);
        s->text = strdup(text), s->route = i % 2, s->corpus = i % 3 != 0;
        strcpy(s->lang, "de");
    }
}

TEST(copies_hold_the_request_and_its_label) {
    dataset d, again;
    uint8_t skip[ROWS] = {0};
    for (size_t i = 0; i < ROWS; i += 4) skip[i] = 1;
    write_phrases(phrases);
    fill(&d), fill(&again);
    CHECK(surround_rows(&d, ROWS, skip, 0.5, path, labels));
    CHECK(surround_rows(&again, ROWS, skip, 0.5, path, labels));
    CHECK_INT(d.count, again.count);
    CHECK(d.count > ROWS + 100 && d.count < ROWS + 200); /* half of 300 */
    size_t manners = 0, named = 0, pasted = 0, typed = 0, english = 0;
    for (size_t i = ROWS; i < d.count; i++) {
        const sample *s = &d.rows[i];
        CHECK(!strcmp(s->text, again.rows[i].text));
        const char *request = strstr(s->text, "wie wird Wunsch ");
        size_t number = request ? strtoul(request + 16, NULL, 10) : 0;
        if (request && strstr(request, " erledigt")) { /* else badly typed */
            CHECK(!skip[number] && s->route == number % 2 && s->corpus == (number % 3 != 0));
            CHECK(!strcmp(s->lang, "de"));
        } else
            typed++;
        manners += strstr(s->text, "Moin, ") || strstr(s->text, " Danke!");
        english += strstr(s->text, "Hello, ") || strstr(s->text, " Thanks!");
        named += strstr(s->text, "use The First: ") || strstr(s->text, "use The Second: ");
        pasted +=
            strstr(s->text, "The hall is open on Monday.\n\n") || strstr(s->text, "\n\nThe hall is open on Monday.");
    }
    CHECK(manners && english && named && pasted && typed);
    dataset_free(&d), dataset_free(&again);
}

TEST(a_share_of_nothing_adds_nothing) {
    dataset d;
    uint8_t skip[ROWS] = {0};
    write_phrases(phrases);
    fill(&d);
    CHECK(surround_rows(&d, ROWS, skip, 0, path, labels));
    CHECK_INT(d.count, ROWS);
    dataset_free(&d);
}

TEST(bad_files_are_refused) {
    static const char *const bad[] = {"",
                                      "{\"lang\": \"de\"",
                                      "{\"lang\": \"de\", \"befor\": \"x\"}\n",
                                      "{\"before\": \"x\"}\n",
                                      "{\"lang\": \"en\", \"route\": \"no slot\"}\n",
                                      "{\"lang\": \"en\", \"before\": \"x\"}\n"};
    dataset d;
    uint8_t skip[ROWS] = {0};
    fill(&d);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_phrases(bad[i]);
        CHECK(!surround_rows(&d, ROWS, skip, 1, path, labels));
    }
    remove(path);
    CHECK(!surround_rows(&d, ROWS, skip, 1, path, labels));
    CHECK_INT(d.count, ROWS);
    dataset_free(&d);
}

TEST_MAIN()
