/* Vectors of labelled prompts, centred; similarities; leaks. */
#include "program/eval_space.h"
#include "kernel/kernel.h"
#include "program/parallel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool srv_set_read(const char *list, srv_set *out) {
    memset(out, 0, sizeof *out);
    int count;
    out->paths = cli_list(list, &count);
    out->files = memory(((size_t)count + 1) * sizeof *out->files);
    out->count = (size_t)count;
    for (int i = 0; i < count; i++) {
        if (!srv_read(out->paths[i], &out->files[i])) return srv_set_free(out), false;
        if (!srv_same_pin(&out->files[i].pin, &out->files[0].pin)) {
            cli_error("%s holds vectors of %s, but %s of %s; vectors of different models are never compared",
                      out->paths[0], srv_pin_text(&out->files[0].pin), out->paths[i], srv_pin_text(&out->files[i].pin));
            return srv_set_free(out), false;
        }
    }
    if (!count) cli_error("names of .srv files are wanted");
    return count > 0;
}

void srv_set_free(srv_set *s) {
    for (size_t i = 0; i < s->count; i++) srv_free(&s->files[i]);
    cli_list_free(s->paths, (int)s->count);
    free(s->files);
    memset(s, 0, sizeof *s);
}

float *srv_set_vectors(const srv_set *s, const labelled *l, bool quiet) {
    size_t dim = s->files[0].pin.dim;
    float *out = memory((l->count + 1) * dim * sizeof *out);
    for (size_t i = 0; i < l->count; i++) {
        const labelled_row *r = &l->rows[i];
        size_t f = 0, row = SRV_NONE;
        for (; f < s->count; f++)
            if ((row = srv_find(&s->files[f], r->hash, (sr_text){r->id, strlen(r->id)})) != SRV_NONE) break;
        if (row == SRV_NONE) {
            if (!quiet)
                cli_error("no vector for %s: line %u (id %s) in %s%s; embed this file again", l->files[r->file],
                          r->line, r->id, s->paths[0], s->count > 1 ? " and the others" : "");
            return free(out), NULL;
        }
        srv_vector(&s->files[f], row, out + i * dim);
    }
    space_unit(out, l->count, dim, 0);
    return out;
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------ */

typedef struct {
    float *rows, *out;
    const float *mean, *other;
    size_t dim, row_count, other_count;
    const sr_kernels *kernels;
} space_job;

static void centre_one(void *context, int thread, size_t i) {
    (void)thread;
    space_job *j = context;
    float *v = j->rows + i * j->dim;
    for (size_t d = 0; j->mean && d < j->dim; d++) v[d] -= j->mean[d];
    float length = sqrtf(j->kernels->dot_f32(v, v, j->dim));
    if (!(length > 0)) return;
    for (size_t d = 0; d < j->dim; d++) v[d] /= length;
}

void space_centre(float *rows, size_t count, size_t dim, const float *mean, int threads) {
    space_job j = {.rows = rows, .mean = mean, .dim = dim, .kernels = sr_kernels_best()};
    parallel_for(count, threads, NULL, centre_one, &j);
}

void space_unit(float *rows, size_t count, size_t dim, int threads) {
    space_centre(rows, count, dim, NULL, threads);
}

void space_mean(const float *rows, size_t count, size_t dim, const uint32_t *class_of, uint32_t classes, float *mean) {
    size_t *sizes = memory((classes + 1) * sizeof *sizes);
    double *sum = memory(dim * sizeof *sum);
    uint32_t seen = 0;
    for (size_t i = 0; i < count; i++)
        if (!sizes[class_of ? class_of[i] : 0]++) seen++;
    for (size_t i = 0; i < count; i++) {
        double weight = 1.0 / (double)sizes[class_of ? class_of[i] : 0] / seen;
        for (size_t d = 0; d < dim; d++) sum[d] += weight * (double)rows[i * dim + d];
    }
    for (size_t d = 0; d < dim; d++) mean[d] = (float)sum[d];
    free(sizes), free(sum);
}

enum { BLOCK = 16 };

static void similar_block(void *context, int thread, size_t block) {
    (void)thread;
    space_job *j = context;
    size_t first = block * BLOCK, end = first + BLOCK;
    if (end > j->row_count) end = j->row_count;
    for (size_t b = 0; b < j->other_count; b++)
        for (size_t a = first; a < end; a++) /* b's row stays in the first-level cache for a block of a */
            j->out[a * j->other_count + b] = j->kernels->dot_f32(j->rows + a * j->dim, j->other + b * j->dim, j->dim);
}

float *space_similarities(const float *a, size_t a_count, const float *b, size_t b_count, size_t dim, int threads,
                          const char *what) {
    float *out = memory((a_count * b_count + 1) * sizeof *out);
    space_job j = {.rows = (float *)(uintptr_t)a,
                   .out = out,
                   .other = b,
                   .other_count = b_count,
                   .row_count = a_count,
                   .dim = dim,
                   .kernels = sr_kernels_best()};
    parallel_for((a_count + BLOCK - 1) / BLOCK, threads, what, similar_block, &j);
    return out;
}

/* ---- leaks ------------------------------------------------------------------------------------------------------ */

char *space_left_out(const labelled_row *r, const char *field) {
    if (!strcmp(field, "source")) {
        sr_text s = labelled_source(r);
        return text_copy(s.data, s.bytes);
    }
    const char *value = !strcmp(field, "group") ? r->group : labelled_field(r, field);
    return text_copy(value, strlen(value));
}

/* Case of ASCII, and runs of white space, do not make another prompt. */
static uint64_t folded_hash(const char *text) {
    char *folded = text_copy(text, strlen(text)), *to = folded;
    for (const char *p = text; *p; p++) {
        bool space = strchr(" \t\r\n", *p) != NULL;
        if (space && (to == folded || to[-1] == ' ')) continue;
        *to++ = (char)(space ? ' ' : *p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    }
    if (to > folded && to[-1] == ' ') to--;
    uint64_t h = srv_hash(folded, (size_t)(to - folded));
    free(folded);
    return h;
}

typedef struct {
    uint64_t hash;
    size_t row;
} hash_row;
static int by_hash(const void *a, const void *b) {
    uint64_t x = ((const hash_row *)a)->hash, y = ((const hash_row *)b)->hash;
    return x < y ? -1 : x > y;
}

static hash_row *sorted_hashes(const labelled *l) {
    hash_row *sorted = memory((l->count + 1) * sizeof *sorted);
    for (size_t i = 0; i < l->count; i++) sorted[i] = (hash_row){folded_hash(l->rows[i].text), i};
    if (l->count) qsort(sorted, l->count, sizeof *sorted, by_hash);
    return sorted;
}

size_t space_drop_repeats(labelled *pool, const labelled *tests) {
    hash_row *sorted = sorted_hashes(tests);
    size_t kept = 0, all = pool->count;
    for (size_t i = 0; i < all; i++) {
        hash_row key = {folded_hash(pool->rows[i].text), 0};
        if (bsearch(&key, sorted, tests->count, sizeof *sorted, by_hash))
            cJSON_Delete(pool->rows[i].record);
        else
            pool->rows[kept++] = pool->rows[i];
    }
    pool->count = kept;
    free(sorted);
    return all - kept;
}

bool space_leaks(const labelled *pool, const labelled *tests, const char *field) {
    hash_row *sorted = sorted_hashes(pool);
    size_t found = 0, first_test = 0, first_pool = 0;
    for (size_t i = 0; i < tests->count; i++) {
        uint64_t hash = folded_hash(tests->rows[i].text);
        size_t low = 0, high = pool->count;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (sorted[middle].hash < hash)
                low = middle + 1;
            else
                high = middle;
        }
        bool leak = false;
        for (; low < pool->count && sorted[low].hash == hash && !leak; low++) {
            const labelled_row *p = &pool->rows[sorted[low].row];
            char *a = field ? space_left_out(p, field) : NULL,
                 *b = field ? space_left_out(&tests->rows[i], field) : NULL;
            leak = !field || strcmp(a, b) != 0;
            free(a), free(b);
            if (leak && !found++) first_test = i, first_pool = sorted[low].row;
        }
    }
    free(sorted);
    if (!found) return false;
    const labelled_row *t = &tests->rows[first_test], *p = &pool->rows[first_pool];
    cli_error(
        "%zu test prompts are in the pool too, first %s line %u (id %s) as %s line %u: such a test measures memory. "
        "Take them out%s",
        found, tests->files[t->file], t->line, t->id, pool->files[p->file], p->line,
        field ? ", or use --skip-repeats" : ", or use --skip-repeats, or --leave-out FIELD");
    return true;
}
