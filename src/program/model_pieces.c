/* Which pieces of a vocabulary to keep: by script, and by how useful they are in European text. */
#include "embed/model.h"
#include "model_source.h"
#include "program/files.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* First and last code points of what European text is written in: Latin, Greek, Cyrillic, marks, punctuation, currency,
 * arrows, mathematics, box drawing, symbols, emoji. U+2581 begins words. Private use, and all other scripts, go. */
static const uint32_t european[][2] = {
    {0x20, 0x7e},     {0xa0, 0x52f},    {0x1c80, 0x1c88}, {0x1d00, 0x1dbf}, {0x1dc0, 0x1fff},   {0x2000, 0x214f},
    {0x2150, 0x2bff}, {0x2c60, 0x2c7f}, {0x2de0, 0x2e7f}, {0xa640, 0xa69f}, {0xa720, 0xa7ff},   {0xab30, 0xab6f},
    {0xfb00, 0xfb06}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfffd, 0xfffd}, {0x1d400, 0x1d7ff}, {0x1f000, 0x1faff}};

static uint32_t decode(const uint8_t *p, size_t n, size_t *used) {
    static const uint8_t first_bits[] = {0x7f, 0x1f, 0x0f, 0x07};
    size_t more = p[0] < 0x80 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
    if (more >= n) more = n - 1;
    uint32_t c = p[0] & first_bits[more];
    for (size_t i = 1; i <= more; i++) c = c << 6 | (p[i] & 0x3f);
    *used = more + 1;
    return c;
}

void sr_pieces_european(const sr_source_model *m, uint8_t *keep) {
    for (uint32_t i = 0; i < m->piece_count; i++) {
        const uint8_t *p = m->text + m->text_offset[i];
        size_t n = m->text_offset[i + 1] - m->text_offset[i], used;
        keep[i] = n > 0;
        for (size_t at = 0; at < n && keep[i]; at += used) {
            uint32_t c = decode(p + at, n - at, &used);
            size_t r = 0;
            while (r < sizeof european / sizeof *european && !(c >= european[r][0] && c <= european[r][1])) r++;
            keep[i] = r < sizeof european / sizeof *european;
        }
    }
}

static int is_single(const sr_source_model *m, uint32_t i) {
    const uint8_t *p = m->text + m->text_offset[i];
    size_t n = m->text_offset[i + 1] - m->text_offset[i], used;
    if (n > 3 && memcmp(p, "\xe2\x96\x81", 3) == 0) return 0;
    if (m->meta.tokenizer == SR_TOKENIZER_WORDPIECE && n > 2 && memcmp(p, "##", 2) == 0) p += 2, n -= 2;
    decode(p, n, &used);
    return used == n;
}

static const float *sort_weight;
static int by_weight(const void *a, const void *b) {
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    float x = sort_weight[i], y = sort_weight[k];
    return x != y ? (x < y) - (x > y) : (i > k) - (i < k);
}

int sr_pieces_top(const sr_source_model *m, uint8_t *keep, const float *weight, uint32_t count) {
    uint32_t *order = malloc(((size_t)m->piece_count + 1) * sizeof *order), n = 0, kept = 0;
    if (!order) return SR_E_MEMORY;
    /* single characters first: whatever is cut is still spelled out of them */
    for (uint32_t i = 0; i < m->piece_count; i++)
        if (keep[i]) {
            if (is_single(m, i))
                kept++;
            else
                order[n++] = i;
        }
    sort_weight = weight;
    qsort(order, n, sizeof *order, by_weight);
    for (uint32_t i = 0; i < n; i++) keep[order[i]] = kept + i < count;
    free(order);
    return 0;
}

static void count_pieces(sr_encoder *e, const sr_model *m, const char *text, double *counts, double *total) {
    uint32_t ids[SR_MAX_TOKENS];
    int n = sr_encoder_start(e, text, strlen(text));
    n = n < 0 ? 0 : sr_encoder_pieces(e, ids, SR_MAX_TOKENS);
    for (int i = 1; i + 1 < n; i++) counts[sr_model_upstream_id(m, ids[i])]++, ++*total;
}

/* Each line's "text"; a line that is not an object with a text is passed over. */
static void count_file(const uint8_t *data, size_t bytes, sr_encoder *e, const sr_model *m, double *counts,
                       double *total) {
    for (size_t at = 0; at < bytes;) {
        const uint8_t *end = memchr(data + at, '\n', bytes - at);
        size_t n = end ? (size_t)(end - data) - at : bytes - at;
        cJSON *line = cJSON_ParseWithLength((const char *)data + at, n);
        const cJSON *text = cJSON_GetObjectItemCaseSensitive(line, "text");
        if (cJSON_IsString(text)) count_pieces(e, m, text->valuestring, counts, total);
        cJSON_Delete(line);
        at += n + 1;
    }
}

/* Counts of the pieces in some JSONL files. */
static int count_files(const sr_source_model *source, const char *const *files, int file_count, double *counts,
                       char *error, size_t error_bytes) {
    /* the whole vocabulary, as a model without layers, tokenises the texts */
    sr_write_options o = {.embedding_coding = SR_CODING_Q4, .score_coding = SR_SCORES_F32, .with_ids = 1};
    uint8_t *file = 0;
    void *model_mem = 0, *encoder_mem = 0;
    sr_model *model = 0;
    sr_encoder *encoder = 0;
    double total = 0;
    int64_t bytes = sr_model_write(source, &o, &file), need;
    int e = bytes < 0 ? (int)bytes : 0;
    if (e == 0 && (need = sr_model_bytes(file, (size_t)bytes)) < 0) e = (int)need;
    if (e == 0 && !(model_mem = aligned_alloc(64, ((size_t)need + 63) & ~(size_t)63))) e = SR_E_MEMORY;
    if (e == 0) e = sr_model_open(model_mem, (size_t)need, file, (size_t)bytes, &model);
    if (e == 0 && !(encoder_mem = aligned_alloc(64, ((size_t)sr_encoder_bytes(model) + 63) & ~(size_t)63)))
        e = SR_E_MEMORY;
    if (e == 0) e = sr_encoder_open(encoder_mem, (size_t)sr_encoder_bytes(model), model, &encoder);
    if (e < 0) snprintf(error, error_bytes, "%s", sr_error_text(e));
    for (int i = 0; i < file_count && e == 0; i++) {
        size_t n;
        uint8_t *data = sr_read_file(files[i], &n);
        if (!data) {
            snprintf(error, error_bytes, "%s: %s", files[i], strerror(errno));
            e = SR_E_ARGUMENT;
            break;
        }
        count_file(data, n, encoder, model, counts, &total);
        free(data);
    }
    free(file);
    free(model_mem);
    free(encoder_mem);
    return e;
}

/* Lines of an upstream piece number and a count; # begins a remark. */
static int read_counts(const char *path, uint32_t piece_count, double *counts, char *error, size_t error_bytes) {
    FILE *f = fopen(path, "r");
    if (!f) {
        snprintf(error, error_bytes, "%s: %s", path, strerror(errno));
        return SR_E_ARGUMENT;
    }
    char line[256];
    for (int number = 1; fgets(line, sizeof line, f); number++) {
        char *end, *rest;
        if (line[0] == '#' || line[0] == '\n') continue;
        unsigned long piece = strtoul(line, &end, 10), count = strtoul(end, &rest, 10);
        if (end == line || rest == end || (*rest && *rest != '\n') || piece >= piece_count || count > 1000000000) {
            snprintf(error, error_bytes, "%s:%d: not a piece of this vocabulary and its count", path, number);
            fclose(f);
            return SR_E_FORMAT;
        }
        counts[piece] += (double)count;
    }
    fclose(f);
    return 0;
}

int sr_pieces_count(const sr_source_model *source, const char *const *texts, int text_count, const char *counts_path,
                    double *counts, char *error, size_t error_bytes) {
    int e = counts_path ? read_counts(counts_path, source->piece_count, counts, error, error_bytes) : 0;
    if (e == 0 && text_count) e = count_files(source, texts, text_count, counts, error, error_bytes);
    return e;
}

bool sr_pieces_write_counts(const sr_source_model *source, const double *counts, const char *path) {
    file_writer w;
    if (!file_begin(&w, path)) return false;
    fprintf(w.stream,
            "# How often each piece stands in the texts that the shipped vocabulary was chosen by: upstream number, "
            "count.\n"
            "# Made by `smartrouter model --write-counts`. A new file makes another model, which fits and assets do "
            "not know.\n");
    for (uint32_t i = 0; i < source->piece_count; i++)
        if (counts[i] > 0) fprintf(w.stream, "%u %.0f\n", i, counts[i]);
    return file_commit(&w);
}

void sr_pieces_weigh(const sr_source_model *source, const double *counts, float *weight) {
    double total = 0;
    for (uint32_t i = 0; i < source->piece_count; i++) total += counts[i];
    /* The vocabulary's own probabilities stand for the texts that the files lack: a tenth of the weight, for they come
     * from a hundred languages. exp by its limit: no libm, so that the choice is the same everywhere. */
    for (uint32_t i = 0; i < source->piece_count; i++) {
        double p = 1 + (double)source->scores[i] / 1024;
        for (int k = 0; k < 10; k++) p *= p;
        weight[i] = (float)((total > 0 ? counts[i] / total : 0) + 0.1 * p);
    }
}
