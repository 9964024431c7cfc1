/* Training a piece table's rows; what it does stands in table_train.h. */
#include "program/table_train.h"
#include "kernel/exact.h"
#include "program/cli.h"
#include "program/files.h"
#include "program/parallel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POSITIONS = 32 }; /* whose mean stands for all */

/* ---- pieces ------------------------------------------------------------------------------------------------------ */

/* A table of all kept pieces with rows of no meaning, to cut texts with. */
static const sr_table *blank_table(const table_trainer *t, uint8_t **file, void **mem) {
    const sr_table *table = NULL;
    float *rows = memory((size_t)t->model->meta.piece_count * SR_TABLE_MIN_DIM * sizeof *rows);
    sr_table_source s = {.model = t->model, .dim = SR_TABLE_MIN_DIM, .rows = rows, .keep = t->keep};
    int64_t bytes = sr_table_write(&s, file), need = bytes < 0 ? bytes : sr_table_bytes(*file, (size_t)bytes);
    free(rows);
    int rc = (int)need;
    if (need >= 0) {
        *mem = memory((size_t)need);
        rc = sr_table_open(*mem, (size_t)need, *file, (size_t)bytes, &table);
    }
    if (rc < 0) cli_error("%s (%s)", sr_error_text(rc), sr_error_name(rc));
    return table;
}

/* Cuts all texts with the kept pieces into t->ids. */
static bool cut(table_trainer *t) {
    uint8_t *file = NULL;
    void *mem = NULL;
    const sr_table *table = blank_table(t, &file, &mem);
    if (!table) return free(file), free(mem), false;
    uint32_t pieces = t->model->meta.piece_count, *piece_of = memory((pieces + 1) * sizeof *piece_of), kept = 0;
    for (uint32_t p = 0; p < pieces; p++)
        if (t->keep[p]) piece_of[kept++] = p;
    void *work = memory(sr_table_work_bytes(table));
    uint32_t ids[SR_MAX_TOKENS];
    size_t room = 0, used = 0;
    free(t->ids);
    t->ids = NULL;
    for (size_t i = 0; i < t->count; i++) {
        int n = sr_table_pieces(table, t->texts[i].data, t->texts[i].bytes, work, sr_table_work_bytes(table), ids,
                                SR_MAX_TOKENS);
        if (used + SR_MAX_TOKENS > room) {
            room = room * 2 + 16 * SR_MAX_TOKENS;
            t->ids = memory_more(t->ids, room * sizeof *t->ids);
        }
        t->first[i] = used;
        for (int k = 0; k < n; k++) t->ids[used++] = piece_of[ids[k]];
    }
    t->first[t->count] = used;
    free(work), free(piece_of), free(mem), free(file);
    return true;
}

typedef struct {
    double worth;
    uint32_t piece;
} ranked;

static int by_worth(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    return x->worth != y->worth ? (x->worth < y->worth) - (x->worth > y->worth)
                                : (x->piece > y->piece) - (x->piece < y->piece);
}

static bool single_character(const sr_vocab_cursor *c) {
    const uint8_t *p = c->text;
    size_t n = c->bytes;
    if (n > 3 && memcmp(p, "\xe2\x96\x81", 3) == 0) p += 3, n -= 3;
    return n == (p[0] < 0x80 ? 1u : p[0] < 0xe0 ? 2u : p[0] < 0xf0 ? 3u : 4u);
}

/* The pieces that are worth most: by how often they occur, in the texts and, a tenth of the weight, by the vocabulary's
 * own chances. Single characters, which spell out whatever is cut, and control pieces stay. */
static bool choose_pieces(table_trainer *t, const double *counts, double total) {
    const sr_model_meta *m = &t->model->meta;
    ranked *list = memory(m->piece_count * sizeof *list);
    sr_section vocab;
    sr_vocab_cursor c;
    if (sr_container_find(&t->model->file, SR_MODEL_VOCAB, 0, &vocab) < 0) return free(list), false;
    sr_vocab_begin(&c, t->model->file.file + vocab.offset, vocab.bytes);
    for (uint32_t p = 0; p < m->piece_count && sr_vocab_next(&c); p++) {
        list[p].piece = p;
        list[p].worth = counts[p] / (total > 0 ? total : 1) + 0.1 * (double)sr_expf(t->model->tokenizer.scores[p]);
        if (single_character(&c) || p == m->begin || p == m->end || p == m->unknown || p == m->pad || p == m->mask)
            list[p].worth = 2;
    }
    qsort(list, m->piece_count, sizeof *list, by_worth);
    for (uint32_t i = 0; i < m->piece_count; i++)
        t->keep[list[i].piece] = i < (uint64_t)t->options.pieces || list[i].worth >= 2;
    free(list);
    return true;
}

/* ---- the start --------------------------------------------------------------------------------------------------- */

/* What the encoder makes of a piece before its first layer, at the mean position. */
static void piece_vector(const sr_model *m, const float *position, uint32_t piece, float *out) {
    size_t dim = m->meta.dim;
    const float *gain = m->embedding_norm, *shift = gain + dim;
    double mean = 0, square = 0;
    sr_model_embedding(m, piece, out);
    for (size_t d = 0; d < dim; d++) out[d] += position[d], mean += (double)out[d];
    mean /= (double)dim;
    for (size_t d = 0; d < dim; d++) square += ((double)out[d] - mean) * ((double)out[d] - mean);
    double scale = 1 / sqrt(square / (double)dim + (double)m->meta.norm_epsilon);
    for (size_t d = 0; d < dim; d++)
        out[d] = (float)((((double)out[d] - mean) * scale) * (double)gain[d] + (double)shift[d]);
}

static void mean_position(const sr_model *m, float *out) {
    size_t dim = m->meta.dim, count = m->meta.max_tokens < POSITIONS ? m->meta.max_tokens : POSITIONS;
    memset(out, 0, dim * sizeof *out);
    for (size_t p = 0; p < count; p++)
        for (size_t d = 0; d < dim; d++) out[d] += m->positions[p * dim + d] / (float)count;
}

/* Each text's weighted mean of its pieces' vectors, as unit vectors. */
static float *text_means(const table_trainer *t) {
    uint32_t pieces = t->model->meta.piece_count, *row_of = memory(pieces * sizeof *row_of), seen = 0;
    size_t width = t->width;
    float position[SR_MODEL_MAX_WIDTH];
    mean_position(t->model, position);
    for (size_t k = 0; k < t->first[t->count]; k++)
        if (!row_of[t->ids[k]]) row_of[t->ids[k]] = ++seen;
    float *vectors = memory((seen + 1) * width * sizeof *vectors), *x = memory(t->count * width * sizeof *x);
    for (uint32_t p = 0; p < pieces; p++)
        if (row_of[p]) piece_vector(t->model, position, p, vectors + row_of[p] * width);
    for (size_t i = 0; i < t->count; i++) {
        float *out = x + i * width;
        double total = 0;
        for (size_t k = t->first[i]; k < t->first[i + 1]; k++) {
            const float *v = vectors + row_of[t->ids[k]] * width, w = t->common[t->ids[k]];
            for (size_t d = 0; d < width; d++) out[d] += w * v[d];
            total += (double)w;
        }
        if (total > 0)
            for (size_t d = 0; d < width; d++) out[d] = (float)((double)out[d] / total);
    }
    free(vectors), free(row_of);
    return x;
}

bool table_prepare(table_trainer *t, const uint8_t *basis_use) {
    uint32_t pieces = t->model->meta.piece_count;
    double *counts = memory(pieces * sizeof *counts);
    t->width = t->model->meta.dim;
    t->keep = memory(pieces), t->first = memory((t->count + 1) * sizeof *t->first);
    t->common = memory(pieces * sizeof *t->common);
    memset(t->keep, 1, pieces);
    bool fine = cut(t);
    for (int round = 0; round < 2 && fine; round++) {
        double total = 0;
        memset(counts, 0, pieces * sizeof *counts);
        for (size_t i = 0; i < t->count; i++)
            for (size_t k = t->first[i]; k < t->first[i + 1]; k++)
                counts[t->ids[k]] += basis_use[i], total += basis_use[i];
        if (round == 0 && (uint64_t)t->options.pieces >= pieces) round = 1;
        if (round == 0) {
            fine = choose_pieces(t, counts, total) && cut(t);
        } else
            for (uint32_t p = 0; p < pieces; p++)
                t->common[p] = (float)(t->options.common / (t->options.common + counts[p] / (total > 0 ? total : 1)));
    }
    free(counts);
    if (!fine) return false;
    float *x = text_means(t);
    t->mean = memory(t->width * sizeof *t->mean), t->basis = memory(t->basis_dim * t->width * sizeof *t->basis);
    t->z = memory(t->count * t->basis_dim * sizeof *t->z);
    fine = fit_basis(x, t->count, t->width, basis_use, t->basis_dim, t->mean, t->basis);
    if (fine) fit_project(x, t->count, t->width, t->mean, t->basis, t->basis_dim, t->z);
    free(x);
    return fine;
}

typedef struct {
    const table_trainer *t;
    const float *map, *offset, *position;
    float *rows;
} projecting;

enum { PROJECT_BLOCK = 1024 };
static void project_block(void *context, int thread, size_t block) {
    (void)thread;
    const projecting *p = context;
    const table_trainer *t = p->t;
    float v[SR_MODEL_MAX_WIDTH];
    uint32_t pieces = t->model->meta.piece_count, from = (uint32_t)(block * PROJECT_BLOCK);
    for (uint32_t i = from; i < pieces && i < from + PROJECT_BLOCK; i++) {
        if (!t->keep[i]) continue;
        float *row = p->rows + (size_t)i * t->options.dim;
        piece_vector(t->model, p->position, i, v);
        for (size_t d = 0; d < t->width; d++) v[d] -= p->offset[d];
        for (size_t k = 0; k < t->options.dim; k++) {
            const float *a = p->map + k * t->width;
            float lanes[8] = {0};
            for (size_t d = 0; d + 8 <= t->width; d += 8)
                for (size_t l = 0; l < 8; l++) lanes[l] += a[d + l] * v[d + l];
            row[k] = t->common[i] * (((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
                                     ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7])));
        }
    }
}

/* The sum of a text's rows over their number; dropped pieces left out. Returns the number. */
static size_t sum_rows(const table_trainer *t, const float *rows, size_t i, uint64_t *random, double dropout,
                       uint32_t *used, float *sum) {
    size_t dim = t->options.dim, n = 0;
    uint64_t limit = (uint64_t)(dropout * 4294967296.0);
    memset(sum, 0, dim * sizeof *sum);
    for (size_t k = t->first[i]; k < t->first[i + 1]; k++) {
        if (random) {
            *random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
            if (*random >> 32 < limit) continue;
        }
        used[n++] = t->ids[k];
        const float *row = rows + (size_t)t->ids[k] * dim;
        for (size_t d = 0; d < dim; d++) sum[d] += row[d];
    }
    for (size_t d = 0; d < dim && n; d++) sum[d] /= (float)n;
    return n;
}

bool table_start(const table_trainer *t, const uint8_t *use, float *rows) {
    size_t dim = t->options.dim;
    float *a = memory(dim * t->basis_dim * sizeof *a), *offset = memory(t->basis_dim * sizeof *offset),
          *head = memory(t->route_count * t->basis_dim * sizeof *head), *bias = memory(t->route_count * sizeof *bias),
          *map = memory(dim * t->width * sizeof *map), *map_mean = memory(t->width * sizeof *map_mean);
    float position[SR_MODEL_MAX_WIDTH], sum[SR_TABLE_MAX_DIM];
    uint32_t used[SR_MAX_TOKENS];
    double *weight = memory(t->count * sizeof *weight);
    for (size_t i = 0; i < t->count; i++) weight[i] = use[i] ? t->weight[i] : 0;
    fit_options o = t->options.fit;
    o.row_dim = dim;
    bool fine = fit_map(t->z, t->count, t->basis_dim, t->route, t->route_count, weight, &o, a, offset, head, bias);
    if (fine) {
        fit_compose(a, offset, dim, t->basis_dim, t->mean, t->basis, t->width, map, map_mean);
        mean_position(t->model, position);
        projecting p = {t, map, map_mean, position, rows};
        uint32_t pieces = t->model->meta.piece_count;
        parallel_for((pieces + PROJECT_BLOCK - 1) / PROJECT_BLOCK, 0, NULL, project_block, &p);
        /* a text's mean row has length 1, so that rates and steps mean the same for every d and start */
        double length = 0, total = 0;
        for (size_t i = 0; i < t->count; i++) {
            if (weight[i] == 0 || !sum_rows(t, rows, i, NULL, 0, used, sum)) continue;
            double square = 0;
            for (size_t d = 0; d < dim; d++) square += (double)sum[d] * (double)sum[d];
            length += weight[i] * sqrt(square), total += weight[i];
        }
        float scale = length > 0 ? (float)(total / length) : 1;
        for (size_t k = 0; k < (size_t)pieces * dim; k++) rows[k] *= scale;
    }
    free(a), free(offset), free(head), free(bias), free(map), free(map_mean), free(weight);
    return fine;
}

/* ---- descent ----------------------------------------------------------------------------------------------------- */

typedef struct {
    const table_trainer *t;
    float *rows, *head, *bias;
    uint64_t random;
} descent;

static void one_step(descent *s, size_t i, float weight, float rate, float head_rate, double dropout) {
    const table_trainer *t = s->t;
    size_t dim = t->options.dim;
    uint32_t used[SR_MAX_TOKENS], routes = t->route_count;
    float u[SR_TABLE_MAX_DIM], g[SR_TABLE_MAX_DIM] = {0}, wrong[SR_MAX_ROUTES], total = 0, most = -1e30f, square = 0;
    size_t n = sum_rows(t, s->rows, i, &s->random, dropout, used, u);
    for (size_t d = 0; d < dim; d++) square += u[d] * u[d];
    float length = sr_sqrtf(square);
    if (n == 0 || length < 1e-6f) return;
    for (size_t d = 0; d < dim; d++) u[d] /= length;
    for (uint32_t r = 0; r < routes; r++) {
        float x = s->bias[r];
        for (size_t d = 0; d < dim; d++) x += s->head[r * dim + d] * u[d];
        wrong[r] = x;
        if (x > most) most = x;
    }
    for (uint32_t r = 0; r < routes; r++) wrong[r] = sr_expf(wrong[r] - most), total += wrong[r];
    const float *answers = t->answers && t->answers[i * routes] >= 0 ? t->answers + i * routes : NULL;
    float trust = answers ? (float)t->answers_weight : 0, smooth = (float)t->options.smoothing;
    for (uint32_t r = 0; r < routes; r++) {
        float target = (r == t->route[i] ? 1 - smooth : 0) + smooth / (float)routes;
        if (answers) target = (1 - trust) * target + trust * answers[r];
        wrong[r] = weight * (wrong[r] / total - target);
        for (size_t d = 0; d < dim; d++) g[d] += wrong[r] * s->head[r * dim + d];
    }
    for (uint32_t r = 0; r < routes; r++) {
        for (size_t d = 0; d < dim; d++) s->head[r * dim + d] -= head_rate * wrong[r] * u[d];
        s->bias[r] -= head_rate * wrong[r];
    }
    if (rate == 0) return;
    float along = 0;
    for (size_t d = 0; d < dim; d++) along += g[d] * u[d];
    float scale = rate / (length * (float)n);
    for (size_t d = 0; d < dim; d++) g[d] = scale * (g[d] - u[d] * along);
    for (size_t k = 0; k < n; k++) {
        float *row = s->rows + (size_t)used[k] * dim;
        for (size_t d = 0; d < dim; d++) row[d] -= g[d];
    }
}

void table_train(const table_trainer *t, const uint8_t *use, float *rows, float *head, float *bias) {
    size_t dim = t->options.dim, n = 0, pieces = t->model->meta.piece_count;
    double *weight = memory(t->count * sizeof *weight), sum = 0;
    uint32_t *order = memory(t->count * sizeof *order);
    uint8_t *seen = memory(pieces);
    for (size_t i = 0; i < t->count; i++) {
        weight[i] = use[i] ? t->weight[i] : 0;
        if (weight[i] == 0) continue;
        order[n++] = (uint32_t)i, sum += weight[i];
        for (size_t k = t->first[i]; k < t->first[i + 1]; k++) seen[t->ids[k]] = 1;
    }
    float *start = memory(pieces * dim * sizeof *start);
    memcpy(start, rows, pieces * dim * sizeof *start);
    memset(head, 0, t->route_count * dim * sizeof *head), memset(bias, 0, t->route_count * sizeof *bias);
    descent s = {.t = t, .rows = rows, .head = head, .bias = bias, .random = 20240607};
    enum { HEAD_EPOCHS = 4 }; /* the readout first, so that rows do not run after a wrong one */
    for (long epoch = -HEAD_EPOCHS; epoch < t->options.epochs; epoch++) {
        double left = epoch < 0 ? 0 : 1 - (double)epoch / (double)t->options.epochs;
        for (size_t i = n; i > 1; i--) {
            s.random = s.random * 6364136223846793005ULL + 1442695040888963407ULL;
            size_t k = (size_t)((s.random >> 32) * i >> 32);
            uint32_t swap = order[i - 1];
            order[i - 1] = order[k], order[k] = swap;
        }
        for (size_t k = 0; k < n; k++)
            one_step(&s, order[k], (float)(weight[order[k]] * (double)n / sum), (float)(t->options.rate * left),
                     epoch < 0 ? 0.1f : (float)(0.02 * left), epoch < 0 ? 0 : t->options.dropout);
        float keep = (float)(1 - t->options.pull);
        for (size_t p = 0; p < pieces && epoch >= 0; p++)
            for (size_t d = 0; d < dim && seen[p]; d++)
                rows[p * dim + d] = start[p * dim + d] + (rows[p * dim + d] - start[p * dim + d]) * keep;
    }
    free(weight), free(order), free(seen), free(start);
}

int64_t table_file(const table_trainer *t, const float *rows, uint8_t **out) {
    sr_table_source s = {.model = t->model,
                         .dim = (uint32_t)t->options.dim,
                         .rows = rows,
                         .keep = t->keep,
                         .step = (float)t->options.step};
    int64_t bytes = sr_table_write(&s, out);
    if (bytes < 0) cli_error("%s (%s)", sr_error_text((int)bytes), sr_error_name((int)bytes));
    return bytes;
}

void table_trainer_free(table_trainer *t) {
    free(t->keep), free(t->ids), free(t->first), free(t->common), free(t->mean), free(t->basis), free(t->z);
}
