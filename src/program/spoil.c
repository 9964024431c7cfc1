/* Ways to spoil a prompt; each returns a new text. */
#include "program/spoil.h"
#include "program/files.h"
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* ---- characters ----------------------------------------------------------------------------------------------- */

typedef struct {
    utf8proc_int32_t *at; /* 0: left out when written */
    size_t count;
} characters;

static characters decode(const char *text) {
    size_t bytes = strlen(text);
    characters c = {memory((bytes + 1) * sizeof *c.at), 0};
    for (size_t i = 0; i < bytes;) {
        utf8proc_ssize_t n =
            utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(bytes - i), &c.at[c.count]);
        i += n > 0 ? (size_t)n : 1;
        c.count += n > 0;
    }
    return c;
}

static char *encode(characters c) {
    utf8proc_uint8_t *out = memory(4 * c.count + 1);
    size_t bytes = 0;
    for (size_t i = 0; i < c.count; i++)
        if (c.at[i]) bytes += (size_t)utf8proc_encode_char(c.at[i], out + bytes);
    free(c.at);
    return (char *)out;
}

static bool is_letter(utf8proc_int32_t c) {
    utf8proc_category_t k = utf8proc_category(c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_MC;
}

/* In one word of ten, at least in one: two letters in the wrong order, one left out, or one typed for its neighbour.
 * The first letter stays, as it does with people. */
static char *typing_errors(const spoil_prompt *p, stats_rng *random) {
    characters c = decode(p->text);
    size_t *start = memory((c.count + 1) * sizeof *start), *length = memory((c.count + 1) * sizeof *length);
    uint32_t words = 0, long_words = 0;
    for (size_t i = 0; i < c.count;) {
        size_t from = i;
        while (i < c.count && is_letter(c.at[i])) i++;
        words += i > from;
        if (i - from >= 3) start[long_words] = from, length[long_words++] = i - from;
        i += i == from;
    }
    for (uint32_t errors = long_words ? (words + 9) / 10 : 0; errors; errors--) {
        uint32_t w = stats_below(random, long_words);
        size_t i = start[w] + 1 + stats_below(random, (uint32_t)length[w] - 2);
        utf8proc_int32_t old = c.at[i];
        switch (stats_below(random, 3)) {
        case 0:
            c.at[i] = c.at[i + 1], c.at[i + 1] = old;
            break;
        case 1:
            c.at[i] = 0;
            break;
        default:
            c.at[i] = c.at[i + 1];
        }
    }
    free(start), free(length);
    return encode(c);
}

static char *lower_case(const spoil_prompt *p, stats_rng *random) {
    (void)random;
    characters c = decode(p->text);
    for (size_t i = 0; i < c.count; i++) c.at[i] = utf8proc_tolower(c.at[i]);
    return encode(c);
}

static char *upper_case(const spoil_prompt *p, stats_rng *random) {
    (void)random;
    characters c = decode(p->text);
    for (size_t i = 0; i < c.count; i++) c.at[i] = utf8proc_toupper(c.at[i]);
    return encode(c);
}

static char *no_accents(const spoil_prompt *p, stats_rng *random) {
    (void)random;
    utf8proc_uint8_t *out = NULL;
    utf8proc_ssize_t bytes =
        utf8proc_map((const utf8proc_uint8_t *)p->text, 0, &out,
                     UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_STRIPMARK);
    char *copy = bytes < 0 ? text_join("", p->text, "") : text_copy((const char *)out, (size_t)bytes);
    free(out);
    return copy;
}

/* ---- what stands around it ------------------------------------------------------------------------------------ */

static char *with_manners(const spoil_prompt *p, stats_rng *random) {
    static const struct {
        const char *lang, *hello, *thanks;
    } manners[] = {{"en", "Hi there, hope you're well! ", " Thanks so much in advance!"},
                   {"de", "Hallo, guten Tag! ", " Vielen Dank schon mal und liebe Grüße"},
                   {"fr", "Bonjour, j'espère que tu vas bien. ", " Merci d'avance !"},
                   {"es", "Hola, buenas tardes. ", " Muchas gracias de antemano."},
                   {"it", "Ciao, buongiorno! ", " Grazie mille in anticipo!"},
                   {"nl", "Hoi, goedemiddag! ", " Alvast heel erg bedankt!"},
                   {"pl", "Cześć, dzień dobry! ", " Z góry bardzo dziękuję!"},
                   {"pt", "Olá, bom dia! ", " Muito obrigado desde já!"},
                   {"cs", "Ahoj, dobrý den! ", " Předem moc děkuju!"},
                   {"sv", "Hej, hoppas allt är bra! ", " Tack så mycket på förhand!"},
                   {"da", "Hej, god dag! ", " På forhånd mange tak!"},
                   {"fi", "Hei, hyvää päivää! ", " Kiitos paljon jo etukäteen!"},
                   {"ro", "Bună ziua! ", " Mulțumesc mult anticipat!"},
                   {"el", "Γεια σου, καλημέρα! ", " Ευχαριστώ πολύ εκ των προτέρων!"},
                   {"uk", "Привіт, добрий день! ", " Наперед дуже дякую!"},
                   {"hu", "Szia, jó napot! ", " Előre is nagyon köszönöm!"}};
    (void)random;
    size_t i = sizeof manners / sizeof *manners - 1;
    while (i && strcmp(manners[i].lang, p->lang) != 0) i--; /* other languages get the English ones */
    return text_join(manners[i].hello, p->text, manners[i].thanks);
}

static char *half_english(const spoil_prompt *p, stats_rng *random) {
    static const char *const before[] = {"ok so basically ", "btw quick question, ", "long story short: "};
    static const char *const after[] = {" - can you do that asap?", ", no rush though",
                                        ", if that makes any sense lol"};
    uint32_t which = stats_below(random, 6);
    return which < 3 ? text_join(before[which], p->text, "") : text_join("", p->text, after[which - 3]);
}

static char *names_a_route(const spoil_prompt *p, stats_rng *random) {
    static const char *const before[] = {"[", "Route this to "}, *const after[] = {"] ", ": "};
    uint32_t which = stats_below(random, 3);
    char *name =
        which == 2 ? text_join(" (", p->route_name, ")") : text_join(before[which], p->route_name, after[which]);
    char *out = which == 2 ? text_join("", p->text, name) : text_join(name, p->text, "");
    free(name);
    return out;
}

/* Pages of a newsletter of a village; nothing in it is asked, computed, programmed or told as a story. */
static const char *const page =
    "The parish hall will stay open on both Saturdays of the month. Chairs have been counted and there are ninety-four "
    "of "
    "them, of which six stand in the small room upstairs. The path along the stream was cleared in the spring and is "
    "dry "
    "again as far as the second bridge. Members are reminded that the notice board is changed on the first Monday, and "
    "that cards for it may be left in the box by the door. The choir meets on Wednesdays, the walking group on "
    "Thursdays, "
    "and the library van stops at the green between three and four. Last year the summer fair was visited by about "
    "four "
    "hundred people, somewhat fewer than in the year before, which was put down to the rain. The old lime tree beside "
    "the "
    "school has been inspected and is sound. Two benches were painted green and one was moved closer to the wall. The "
    "minutes of the previous meeting were read and accepted without changes. The next meeting takes place in the "
    "autumn; "
    "the date will be announced in these pages and at the shop. Keys to the shed are kept by the caretaker and by the "
    "treasurer. The committee thanks everybody who brought cakes, carried tables and swept the floor afterwards.\n\n";
enum { PAGES = 10 }; /* of 211 words */

static char *document(void) {
    size_t bytes = strlen(page);
    char *out = memory(PAGES * bytes + 1);
    for (size_t i = 0; i < PAGES; i++) memcpy(out + i * bytes, page, bytes + 1);
    return out;
}

static char *document_before(const spoil_prompt *p, stats_rng *random) {
    char *pasted = document(), *out = text_join(pasted, p->text, "");
    (void)random;
    free(pasted);
    return out;
}

static char *document_after(const spoil_prompt *p, stats_rng *random) {
    char *pasted = document(), *spaced = text_join(p->text, "\n\n", pasted);
    (void)random;
    free(pasted);
    return spaced;
}

const spoil_way spoil_ways[] = {{"typing errors, 1 word in 10", typing_errors},
                                {"all in lower case", lower_case},
                                {"all in capitals", upper_case},
                                {"accents left out", no_accents},
                                {"greeting and thanks around it", with_manners},
                                {"half a sentence in English", half_english},
                                {"names another route", names_a_route},
                                {"2,000 words pasted before it", document_before},
                                {"2,000 words pasted after it", document_after},
                                {NULL, NULL}};
