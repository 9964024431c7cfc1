/* Reads prompts from JSONL files and folders. */
#include "program/labelled.h"
#include "program/eval_stats.h"
#include "program/jsonl.h"
#include "program/srv.h"
#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    labelled *out;
    const labelled_options *options;
    size_t room;
    char where_field[64];
    const char *where_value;
} reading;

static const char *own(labelled *l, char *text) {
    if (l->owned_count == l->owned_room) {
        l->owned_room = l->owned_room ? l->owned_room * 2 : 64;
        l->owned = memory_more(l->owned, l->owned_room * sizeof *l->owned);
    }
    return l->owned[l->owned_count++] = text;
}

const char *labelled_field(const labelled_row *r, const char *name) {
    static char texts[8][40];
    static int turn;
    const cJSON *f = json_get(r->record, name);
    if (cJSON_IsString(f)) return f->valuestring;
    if (cJSON_IsBool(f)) return cJSON_IsTrue(f) ? "true" : "false";
    if (cJSON_IsNumber(f)) return snprintf(texts[turn %= 8], 40, "%.9g", f->valuedouble), texts[turn++];
    if (!f && !strcmp(name, "lang")) return r->lang; /* may come from the path */
    if (!f && !strcmp(name, "source")) return r->source;
    if (!f && (!strcmp(name, "route") || !strcmp(name, "label"))) return r->label;
    return "";
}

sr_text labelled_source(const labelled_row *r) {
    return (sr_text){r->source, strcspn(r->source, ":")};
}

bool labelled_is_out(const char *label) {
    return !*label || !strcmp(label, "oos") || !strcmp(label, "out-of-scope");
}

const char *labelled_short(const char *text, size_t characters) {
    static char texts[4][512];
    static int turn;
    char *out = texts[turn++ % 4], *to = out;
    size_t n = 0;
    for (; *text && n < characters && to < out + 500; n++) {
        if (strchr(" \t\r\n", *text)) {
            text += strspn(text, " \t\r\n");
            *to++ = ' ';
            continue;
        }
        do *to++ = *text++; /* the bytes of one character */
        while (((unsigned char)*text & 0xc0) == 0x80);
    }
    strcpy(to, *text ? "\xe2\x80\xa6" : "");
    return out;
}

size_t labelled_words(const char *text) {
    size_t words = 0;
    for (const char *p = text; *p;) {
        size_t space = strspn(p, " \t\r\n");
        p += space;
        size_t word = strcspn(p, " \t\r\n");
        if (word) words++;
        p += word;
    }
    return words;
}

/* Versions of one prompt count once. Their ids differ in the language alone ("vic-fr-68", "vic-de-68"), so the group
 * is the id without its language part. A first part that is the language ("de-general-chat-03") names a file, not a
 * version, and stays. */
static const char *group_of(labelled *l, const labelled_row *r, const char *field) {
    if (field) {
        const char *value = labelled_field(r, field);
        return own(l, text_copy(value, strlen(value)));
    }
    const cJSON *group = json_get(r->record, "group");
    if (cJSON_IsString(group)) return group->valuestring;
    size_t lang_bytes = strlen(r->lang);
    for (const char *p = lang_bytes ? strchr(r->id, '-') : NULL; p; p = strchr(p + 1, '-')) {
        if (strncmp(p + 1, r->lang, lang_bytes) != 0 || p[1 + lang_bytes] != '-') continue;
        char *group_text = text_copy(r->id, strlen(r->id));
        memmove(group_text + (p - r->id), p + 1 + lang_bytes, strlen(p + 1 + lang_bytes) + 1);
        return own(l, group_text);
    }
    return r->id;
}

/* The record stays with the row that is made of it. */
static void add_row(reading *g, jsonl *in, const char *path_route, const char *path_lang) {
    labelled *l = g->out;
    cJSON *record = in->record;
    const char *path = in->path, *field = g->options->text_field ? g->options->text_field : "text";
    labelled_row r = {.file = (uint32_t)l->file_count - 1, .line = (uint32_t)in->line, .record = record};
    r.text = json_text(record, field);
    r.label = json_text(record, "route");
    if (!r.label) r.label = json_text(record, "label");
    if (!r.label) r.label = path_route;
    r.labelled = r.label != NULL;
    r.lang = json_text(record, "lang"), r.source = json_text(record, "source");
    if (!r.lang) r.lang = path_lang ? path_lang : "";
    if (!r.source) r.source = "";
    if (!r.label) r.label = "";
    if (g->where_value && strcmp(labelled_field(&r, g->where_field), g->where_value) != 0) return;
    if (!r.text || (g->options->needs_labels && !r.labelled)) {
        if (!r.text)
            jsonl_error(in, "no text field \"%s\"", field);
        else
            jsonl_error(in, "no \"route\" and no \"label\"; labelled prompts are wanted here");
        return;
    }
    const cJSON *id = json_get(record, "id");
    if (cJSON_IsString(id)) {
        r.id = id->valuestring;
    } else {
        char number[32], *made;
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        if (cJSON_IsNumber(id))
            snprintf(number, sizeof number, "%.17g", id->valuedouble);
        else
            snprintf(number, sizeof number, "%zu", in->line);
        made = memory(strlen(path_route ? path_route : "") + strlen(name) + 40);
        if (cJSON_IsNumber(id))
            strcpy(made, number);
        else if (path_route)
            sprintf(made, "%s/%s:%s", path_route, name, number);
        else
            sprintf(made, "%s:%s", name, number);
        r.id = own(l, made);
    }
    r.hash = srv_hash(r.text, strlen(r.text));
    r.group = group_of(l, &r, g->options->group_field);
    if (l->count == g->room) {
        g->room = g->room ? g->room * 2 : 1024;
        l->rows = memory_more(l->rows, g->room * sizeof *l->rows);
    }
    l->rows[l->count++] = r;
    in->record = NULL;
}

static bool read_file(reading *g, const char *path) {
    labelled *l = g->out;
    jsonl in;
    if (!jsonl_open(&in, path)) return false;
    l->files = memory_more(l->files, (l->file_count + 1) * sizeof *l->files);
    l->files[l->file_count++] = text_copy(path, strlen(path));

    /* .../ROUTE/LANGUAGE.jsonl beside a topics.txt */
    const char *route = NULL, *lang = NULL, *slash = strrchr(path, '/');
    if (slash) {
        char *topics = memory(strlen(path) + 16);
        sprintf(topics, "%.*s/topics.txt", (int)(slash - path), path);
        if (access(topics, R_OK) == 0) {
            char *folder = text_copy(path, (size_t)(slash - path)), *parent = strrchr(folder, '/');
            route = own(l, text_copy(parent ? parent + 1 : folder, strlen(parent ? parent + 1 : folder)));
            lang = own(l, text_copy(slash + 1, strcspn(slash + 1, ".")));
            free(folder);
        }
        free(topics);
    }
    while (jsonl_next(&in)) add_row(g, &in, route, lang);
    return jsonl_close(&in);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool read_path(reading *g, const char *path, int depth) {
    struct stat st;
    if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) return read_file(g, path);
    DIR *folder = opendir(path);
    if (!folder) return cli_error("cannot open the folder %s", path), false;
    char **names = NULL;
    size_t count = 0;
    for (struct dirent *d; (d = readdir(folder));) {
        if (d->d_name[0] == '.') continue;
        char *full = memory(strlen(path) + strlen(d->d_name) + 2);
        sprintf(full, "%s/%s", path, d->d_name);
        const char *dot = strrchr(full, '.');
        bool wanted = stat(full, &st) == 0 && (S_ISDIR(st.st_mode) ? depth < 3 : dot && !strcmp(dot, ".jsonl"));
        if (wanted) names = memory_more(names, (count + 1) * sizeof *names);
        if (wanted)
            names[count++] = full;
        else
            free(full);
    }
    closedir(folder);
    if (count) qsort(names, count, sizeof *names, by_name);
    bool fine = true;
    for (size_t i = 0; i < count; i++) {
        fine = fine && read_path(g, names[i], depth + 1);
        free(names[i]);
    }
    free(names);
    return fine;
}

typedef struct {
    const char *id;
    size_t row;
} id_row;
static int by_id(const void *a, const void *b) {
    return strcmp(((const id_row *)a)->id, ((const id_row *)b)->id);
}

static bool ids_unique(const labelled *l) {
    id_row *ids = memory(l->count * sizeof *ids);
    for (size_t i = 0; i < l->count; i++) ids[i] = (id_row){l->rows[i].id, i};
    qsort(ids, l->count, sizeof *ids, by_id);
    bool fine = true;
    for (size_t i = 1; i < l->count && fine; i++) {
        const labelled_row *a = &l->rows[ids[i - 1].row], *b = &l->rows[ids[i].row];
        if (strcmp(a->id, b->id) != 0) continue;
        cli_error("id \"%s\" stands twice: %s line %u and %s line %u", a->id, l->files[a->file], a->line,
                  l->files[b->file], b->line);
        fine = false;
    }
    free(ids);
    return fine;
}

static void keep_rows(labelled *l, const uint8_t *kept) {
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++) {
        if (kept[i])
            l->rows[n++] = l->rows[i];
        else
            cJSON_Delete(l->rows[i].record);
    }
    l->count = n;
}

typedef struct {
    const labelled_row *row;
    char split[16];
} stratum_row;
static int by_stratum(const stratum_row *x, const stratum_row *y) {
    const labelled_row *a = x->row, *b = y->row;
    if (a->file != b->file) return a->file < b->file ? -1 : 1;
    int order = strcmp(x->split, y->split);
    if (!order) order = strcmp(a->label, b->label);
    return order ? order : strcmp(a->lang, b->lang);
}
static int by_stratum_and_hash(const void *x, const void *y) {
    const labelled_row *a = ((const stratum_row *)x)->row, *b = ((const stratum_row *)y)->row;
    int order = by_stratum(x, y);
    if (order) return order;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* By hashes, not by lines: neighbours in a file are often alike. The same rows, whatever else is read beside them. */
static void keep_one_in(labelled *l, uint32_t k) {
    stratum_row *sorted = memory(l->count * sizeof *sorted);
    uint8_t *kept = memory(l->count);
    for (size_t i = 0; i < l->count; i++) {
        sorted[i].row = &l->rows[i];
        snprintf(sorted[i].split, sizeof sorted[i].split, "%s", labelled_field(&l->rows[i], "split"));
    }
    qsort(sorted, l->count, sizeof *sorted, by_stratum_and_hash);
    for (size_t i = 0, at = 0; i < l->count; i++, at++) {
        if (i && by_stratum(&sorted[i - 1], &sorted[i]) != 0) at = 0;
        kept[sorted[i].row - l->rows] = at % k == 0;
    }
    keep_rows(l, kept);
    free(sorted), free(kept);
}

bool labelled_read(char *const *paths, int path_count, const labelled_options *options, labelled *out) {
    memset(out, 0, sizeof *out);
    reading g = {.out = out, .options = options};
    bool fine = true;
    if (options->where) {
        const char *equals = strchr(options->where, '=');
        if (!equals || equals == options->where || equals - options->where >= (int)sizeof g.where_field)
            return cli_error("--where wants FIELD=VALUE, not '%s'", options->where), false;
        sprintf(g.where_field, "%.*s", (int)(equals - options->where), options->where);
        g.where_value = equals + 1;
    }
    for (int i = 0; i < path_count && fine; i++) fine = read_path(&g, paths[i], 0);
    if (fine && !out->count) {
        cli_error("no records in %s%s%s", path_count ? paths[0] : "the input", path_count > 1 ? " and the others" : "",
                  options->where ? " that --where lets through" : "");
        fine = false;
    }
    if (fine && options->one_in > 1) keep_one_in(out, options->one_in);
    if (fine && options->needs_ids) fine = ids_unique(out);
    if (!fine) labelled_free(out);
    return fine;
}

void labelled_free(labelled *l) {
    for (size_t i = 0; i < l->count; i++) cJSON_Delete(l->rows[i].record);
    for (size_t i = 0; i < l->file_count; i++) free(l->files[i]);
    for (size_t i = 0; i < l->owned_count; i++) free(l->owned[i]);
    free(l->rows), free(l->files), free(l->owned);
    memset(l, 0, sizeof *l);
}

void labelled_sample(labelled *l, size_t most, uint64_t seed) {
    if (most >= l->count) return;
    stats_rng rng = {seed};
    uint32_t *order = memory(l->count * sizeof *order);
    uint8_t *kept = memory(l->count);
    for (size_t i = 0; i < l->count; i++) order[i] = (uint32_t)i;
    stats_shuffle(&rng, order, (uint32_t)l->count, (uint32_t)most);
    for (size_t i = 0; i < most; i++) kept[order[i]] = 1;
    keep_rows(l, kept);
    free(order), free(kept);
}

int labelled_index(const char *const *names, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(names[i], name)) return (int)i;
    return -1;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

uint32_t labelled_names(const labelled *l, const char ***names_out) {
    const char **names = memory((l->count + 1) * sizeof *names);
    uint32_t count = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *label = l->rows[i].label;
        if (!labelled_is_out(label) && labelled_index(names, count, label) < 0) names[count++] = label;
    }
    qsort(names, count, sizeof *names, by_text);
    *names_out = names;
    return count;
}
