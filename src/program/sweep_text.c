/* Character-triple surprise, by language. */
#include "program/sweep_text.h"
#include "program/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One code point; text is valid UTF-8. */
static uint32_t next_character(const char **text) {
    const uint8_t *p = (const uint8_t *)*text;
    uint32_t c = *p;
    int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (more) c &= 0x3fu >> more;
    for (int i = 1; i <= more && p[i]; i++) c = c << 6 | (p[i] & 0x3f);
    *text += more + 1;
    return c;
}

/* Lower case where Europe writes; digits and white space are one each. */
static uint32_t fold(uint32_t c) {
    if (c == '\t' || c == '\n' || c == '\r' || c == 0xa0) return ' ';
    if (c >= '0' && c <= '9') return '0';
    if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7)) return c + 32;
    if ((c >= 0x391 && c <= 0x3a9) || (c >= 0x410 && c <= 0x42f)) return c + 32;
    if (c >= 0x400 && c <= 0x40f) return c + 80;
    if (c >= 0x100 && c <= 0x137) return c | 1;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e)) return c + (c & 1);
    if (c >= 0x14a && c <= 0x177) return c | 1;
    return c;
}

typedef struct {
    uint64_t *keys; /* 0: free; else triple + 1 */
    uint32_t *counts;
    size_t slots, used;
} counter;

static uint32_t *slot_of(counter *c, uint64_t key) {
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 20) & (c->slots - 1);
    while (c->keys[at] && c->keys[at] != key) at = (at + 1) & (c->slots - 1);
    if (!c->keys[at]) c->keys[at] = key, c->used++;
    return &c->counts[at];
}

static counter counter_new(size_t room) {
    counter c = {.slots = 64};
    while (c.slots < room * 2) c.slots *= 2;
    c.keys = memory(c.slots * sizeof *c.keys), c.counts = memory(c.slots * sizeof *c.counts);
    return c;
}
static void counter_free(counter *c) {
    free(c->keys), free(c->counts);
}

static uint64_t pair_key(uint32_t a, uint32_t b) {
    return ((uint64_t)a << 21 | b) + 1;
}
static uint64_t triple_key(uint32_t a, uint32_t b, uint32_t c) {
    return (uint64_t)1 << 63 | ((uint64_t)a << 42 | (uint64_t)b << 21 | c);
}

/* Adds sign to every count of the text; with total, sums up surprise instead. */
static void walk(counter *c, counter *alphabet, const char *text, int sign, double *total, size_t *characters) {
    uint32_t a = ' ', b = ' ';
    for (const char *p = text; *p;) {
        uint32_t x = fold(next_character(&p));
        if (x == ' ' && b == ' ') continue; /* runs of white space are one space */
        uint32_t *pair = slot_of(c, pair_key(a, b)), *triple = slot_of(c, triple_key(a, b, x));
        if (total) {
            *total -= log2((*triple + 0.5) / (*pair + 0.5 * (double)(alphabet->used + 1)));
            ++*characters;
        } else {
            *pair += (uint32_t)sign, *triple += (uint32_t)sign;
            if (alphabet) slot_of(alphabet, (uint64_t)x + 1);
        }
        a = b, b = x;
    }
}

typedef struct {
    const char *lang;
    size_t row;
    float bits;
} text_row;
static int by_lang(const void *a, const void *b) {
    const text_row *x = a, *y = b;
    int order = strcmp(x->lang, y->lang);
    return order ? order : x->row < y->row ? -1 : 1;
}
static int by_bits(const void *a, const void *b) {
    const text_row *x = a, *y = b;
    return x->bits < y->bits ? -1 : x->bits > y->bits ? 1 : x->row < y->row ? -1 : 1;
}

static void one_language(const labelled *l, text_row *rows, size_t count) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) bytes += strlen(l->rows[rows[i].row].text) + 1;
    counter c = counter_new(2 * bytes), alphabet = counter_new(bytes < 1200000 ? bytes : 1200000);
    for (size_t i = 0; i < count; i++) walk(&c, &alphabet, l->rows[rows[i].row].text, 1, NULL, NULL);
    for (size_t i = 0; i < count; i++) {
        const char *text = l->rows[rows[i].row].text;
        double total = 0;
        size_t characters = 0;
        walk(&c, NULL, text, -1, NULL, NULL);
        walk(&c, &alphabet, text, 0, &total, &characters);
        walk(&c, NULL, text, 1, NULL, NULL);
        rows[i].bits = characters ? (float)(total / (double)characters) : 0;
    }
    counter_free(&c), counter_free(&alphabet);
}

void sweep_complexity(const labelled *l, uint8_t *complexity, float *bits) {
    text_row *rows = memory((l->count + 1) * sizeof *rows);
    for (size_t i = 0; i < l->count; i++) rows[i] = (text_row){l->rows[i].lang, i, 0};
    if (l->count) qsort(rows, l->count, sizeof *rows, by_lang);
    for (size_t i = 0, end; i < l->count; i = end) {
        for (end = i; end < l->count && !strcmp(rows[end].lang, rows[i].lang); end++) continue;
        one_language(l, rows + i, end - i);
        qsort(rows + i, end - i, sizeof *rows, by_bits);
        for (size_t j = i; j < end; j++) {
            complexity[rows[j].row] = (uint8_t)((j - i) * 3 / (end - i));
            if (bits) bits[rows[j].row] = rows[j].bits;
        }
    }
    free(rows);
}
