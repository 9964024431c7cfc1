/* Reads labelled prompts and embeds them, keeping vectors between runs. */
#include "program/dataset.h"
#include "container.h"
#include "program/cli.h"
#include "program/jsonl.h"
#include "program/vectors.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void dataset_routes(dataset *d, char *const *names, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) d->routes[i] = text_copy(names[i], strlen(names[i]));
    d->route_count = count;
}

static int find_route(const dataset *d, const char *name) {
    for (uint32_t i = 0; i < d->route_count; i++)
        if (strcmp(d->routes[i], name) == 0) return (int)i;
    return -1;
}

static uint32_t source_index(dataset *d, const char *name) {
    for (uint32_t i = 0; i < d->source_count; i++)
        if (strcmp(d->sources[i], name) == 0) return i;
    d->sources = memory_more(d->sources, (d->source_count + 1) * sizeof *d->sources);
    d->sources[d->source_count] = text_copy(name, strlen(name));
    return d->source_count++;
}

sample *dataset_add(dataset *d) {
    if (d->count == d->room) {
        d->room = d->room ? d->room * 2 : 1024;
        d->rows = memory_more(d->rows, d->room * sizeof *d->rows);
    }
    d->rows[d->count] = (sample){0};
    return &d->rows[d->count++];
}

/* One JSONL file. route_name: of every row, or null: each row's "route". */
static bool read_file(dataset *d, const char *path, const char *route_name, const char *lang) {
    jsonl in;
    if (!jsonl_open(&in, path)) return false;
    for (const cJSON *record; (record = jsonl_next(&in));) {
        const char *text = json_text(record, "text"), *name = route_name ? route_name : json_text(record, "route"),
                   *source = json_text(record, "source"), *own_lang = json_text(record, "lang");
        int index = name ? find_route(d, name) : -1;
        if (!text || !name) {
            jsonl_error(&in, "no text field \"%s\"", text ? "route" : "text");
        } else if (index < 0) {
            jsonl_error(&in, "no route \"%s\" in the route file", name);
        } else {
            sample *s = dataset_add(d);
            s->text = text_copy(text, strlen(text));
            s->route = (uint32_t)index;
            s->corpus = route_name != NULL;
            s->source = source_index(d, s->corpus ? "corpus" : source ? source : path);
            snprintf(s->lang, sizeof s->lang, "%.7s", lang ? lang : own_lang ? own_lang : "und");
        }
    }
    return jsonl_close(&in);
}

bool dataset_read_jsonl(dataset *d, const char *path) {
    return read_file(d, path, NULL, NULL);
}

static int is_jsonl(const struct dirent *e) {
    size_t n = strlen(e->d_name);
    return n > 6 && strcmp(e->d_name + n - 6, ".jsonl") == 0;
}

bool dataset_read_corpus(dataset *d, const char *folder) {
    for (uint32_t r = 0; r < d->route_count; r++) {
        char path[2048], file[2400], lang[64];
        struct dirent **entries;
        snprintf(path, sizeof path, "%s/%s", folder, d->routes[r]);
        int n = scandir(path, &entries, is_jsonl, alphasort);
        if (n < 0) return cli_error("cannot read folder %s: %s", path, strerror(errno)), false;
        bool fine = true;
        for (int i = 0; i < n; i++) {
            snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
            snprintf(lang, sizeof lang, "%.*s", (int)strlen(entries[i]->d_name) - 6, entries[i]->d_name);
            fine = fine && read_file(d, file, d->routes[r], lang);
            free(entries[i]);
        }
        free(entries);
        if (!fine) return false;
    }
    return true;
}

bool dataset_lists(const char *list, const char *lang) {
    size_t n = strlen(lang);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && strncmp(p, lang, n) == 0) return true;
    return false;
}

void dataset_free(dataset *d) {
    for (size_t i = 0; i < d->count; i++) free(d->rows[i].text);
    for (uint32_t i = 0; i < d->route_count; i++) free(d->routes[i]);
    for (uint32_t i = 0; i < d->source_count; i++) free(d->sources[i]);
    free(d->rows), free(d->sources);
    *d = (dataset){0};
}

/* ---- vectors, kept between runs: blocks of rows, each under the hash of model, masks and its texts ------------------
 */

enum { BLOCK = 512 };

static uint64_t block_key(const dataset *d, const sr_model_info *info, uint32_t all, size_t from, size_t to) {
    uint64_t key = info->content ^ all;
    for (size_t i = from; i < to; i++)
        key = key * 0x9E3779B97F4A7C15ULL + sr_hash64(d->rows[i].text, strlen(d->rows[i].text));
    return key;
}

static bool read_block(const char *path, float *out, size_t bytes) {
    FILE *f = fopen(path, "rb");
    if (!f) return false;
    bool fine = fread(out, 1, bytes, f) == bytes && fgetc(f) == EOF;
    fclose(f);
    return fine;
}

bool dataset_vectors(const dataset *d, const sr_model *m, const uint32_t *masks, uint32_t mask_count, const char *cache,
                     float **out) {
    sr_model_info info;
    if (sr_model_info_get(m, &info) < 0) return false;
    uint32_t all = 0, single[SR_MAX_EXITS], layer_count = 0;
    for (uint32_t k = 0; k < mask_count; k++) all |= masks[k];
    all = all ? (2u << (31 - __builtin_clz(all))) - 1
              : 0; /* every layer up to the deepest: other exits find them kept, too */
    for (uint32_t l = 0; l < SR_MAX_EXITS; l++)
        if (all >> l & 1) single[layer_count++] = 1u << l;
    if (cache && mkdir(cache, 0777) != 0 && errno != EEXIST)
        return cli_error("cannot make folder %s: %s", cache, strerror(errno)), false;
    for (uint32_t k = 0; k < mask_count; k++)
        out[k] = memory(d->count * (size_t)__builtin_popcount(masks[k]) * info.dim * sizeof(float));
    float *block = memory((size_t)BLOCK * layer_count * info.dim * sizeof(float));
    sr_text texts[BLOCK];
    bool fine = true;
    for (size_t from = 0; from < d->count && fine; from += BLOCK) {
        size_t n = d->count - from < BLOCK ? d->count - from : BLOCK,
               bytes = n * layer_count * info.dim * sizeof(float);
        char path[2048];
        snprintf(path, sizeof path, "%s/%016llx.f32", cache ? cache : "",
                 (unsigned long long)block_key(d, &info, all, from, from + n));
        if (!cache || !read_block(path, block, bytes)) {
            float *layers[SR_MAX_EXITS] = {0};
            for (size_t i = 0; i < n; i++) texts[i] = (sr_text){d->rows[from + i].text, strlen(d->rows[from + i].text)};
            fine = vectors_encode(m, texts, n, single, layer_count, 0, layers);
            for (uint32_t l = 0; l < layer_count && fine; l++) {
                memcpy(block + l * n * info.dim, layers[l], n * info.dim * sizeof(float));
                free(layers[l]);
            }
            if (fine && cache) fine = file_write(path, block, bytes);
            cli_progress("embedding", from + n, d->count);
        }
        for (uint32_t k = 0; k < mask_count && fine; k++) {
            size_t width = (size_t)__builtin_popcount(masks[k]) * info.dim, at = 0;
            for (uint32_t l = 0; l < layer_count; l++) {
                if (!(masks[k] & single[l])) continue;
                for (size_t i = 0; i < n; i++)
                    memcpy(out[k] + (from + i) * width + at, block + (l * n + i) * info.dim, info.dim * sizeof(float));
                at += info.dim;
            }
        }
    }
    free(block);
    return fine;
}
