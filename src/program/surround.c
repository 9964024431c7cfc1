/* Copies of prompts with something around them; see surround.h. */
#include "program/surround.h"
#include "program/cli.h"
#include "program/jsonl.h"
#include "program/spoil.h"
#include <stdlib.h>
#include <string.h>

enum { BEFORE, AFTER, DOCUMENT, ROUTE, KINDS };
static const char *const kind_names[KINDS] = {"before", "after", "document", "route"};
/* How often in a hundred: greetings and thanks, the same in English around another language, a route's name, a
 * document, bad typing. */
enum { MANNERS = 35, ENGLISH = 15, NAMED = 20, PASTED = 20 };

typedef struct {
    char *text, lang[8];
} phrase;
typedef struct {
    phrase *list[KINDS];
    uint32_t count[KINDS];
} phrases;

static void free_phrases(phrases *p) {
    for (int k = 0; k < KINDS; k++) {
        for (uint32_t i = 0; i < p->count[k]; i++) free(p->list[k][i].text);
        free(p->list[k]);
    }
}

static bool take_phrase(phrases *p, const cJSON *record) {
    const char *lang = json_text(record, "lang");
    for (int k = 0; k < KINDS; k++) {
        const char *text = json_text(record, kind_names[k]);
        if (!text || !lang) continue;
        if (k == ROUTE && !strstr(text, "{route}")) return false;
        p->list[k] = memory_more(p->list[k], (p->count[k] + 1) * sizeof *p->list[k]);
        phrase *f = &p->list[k][p->count[k]++];
        f->text = text_copy(text, strlen(text));
        snprintf(f->lang, sizeof f->lang, "%.7s", lang);
        return true;
    }
    return false;
}

static bool read_phrases(phrases *p, const char *path) {
    jsonl in;
    if (!jsonl_open(&in, path)) return false;
    for (const cJSON *record; (record = jsonl_next(&in));)
        if (!take_phrase(p, record))
            jsonl_error(&in, "wanted are \"lang\" and one of \"before\", \"after\", \"document\", \"route\" with "
                             "{route} in it");
    bool fine = jsonl_close(&in);
    for (int k = 0; k < KINDS && fine; k++)
        if (!p->count[k]) cli_error("%s: no line has \"%s\"", path, kind_names[k]), fine = false;
    return fine;
}

/* A phrase of a kind in a language, or in any when there is none in it. */
static const char *draw(const phrases *p, int kind, const char *lang, stats_rng *random) {
    uint32_t fitting = 0;
    for (uint32_t i = 0; i < p->count[kind]; i++) fitting += !strcmp(p->list[kind][i].lang, lang);
    uint32_t which = stats_below(random, fitting ? fitting : p->count[kind]);
    for (uint32_t i = 0; i < p->count[kind]; i++)
        if ((!fitting || !strcmp(p->list[kind][i].lang, lang)) && which-- == 0) return p->list[kind][i].text;
    return "";
}

static char *surrounded(const phrases *p, const sample *s, uint32_t routes, char *const *labels, stats_rng *random) {
    uint32_t way = stats_below(random, 100), side = stats_below(random, 3);
    if (way < MANNERS + ENGLISH) {
        const char *lang = way < MANNERS ? s->lang : "en";
        return text_join(side != 1 ? draw(p, BEFORE, lang, random) : "", s->text,
                         side != 2 ? draw(p, AFTER, lang, random) : "");
    }
    if (way < MANNERS + ENGLISH + NAMED) {
        const char *text = draw(p, ROUTE, side ? "en" : "", random), *slot = strstr(text, "{route}");
        char *start = text_copy(text, (size_t)(slot - text));
        char *around = text_join(start, labels[stats_below(random, routes)], slot + strlen("{route}"));
        char *out = side == 2 ? text_join(s->text, " ", around) : text_join(around, s->text, "");
        free(start), free(around);
        return out;
    }
    if (way < MANNERS + ENGLISH + NAMED + PASTED) {
        const char *document = draw(p, DOCUMENT, stats_below(random, 2) ? s->lang : "", random);
        return side ? text_join(document, "\n\n", s->text) : text_join(s->text, "\n\n", document);
    }
    const spoil_prompt prompt = {s->text, s->lang, ""};
    return spoil_ways[side == 2 ? 3 : side].apply(&prompt, random); /* typing errors, small letters, no accents */
}

bool surround_rows(dataset *d, size_t count, const uint8_t *skip, double share, const char *path, char *const *labels) {
    phrases p = {0};
    bool fine = read_phrases(&p, path);
    stats_rng random = {1};
    for (size_t i = 0; i < count && fine; i++) {
        if (skip[i] || stats_below(&random, 1u << 20) >= share * (1u << 20)) continue;
        sample *copy = dataset_add(d);
        *copy = d->rows[i];
        copy->text = surrounded(&p, &d->rows[i], d->route_count, labels, &random);
    }
    free_phrases(&p);
    return fine;
}
