/* Texts to .srv files, resumable. */
#include "program/srv_run.h"
#include "program/engine.h"
#include "program/vectors.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    char *path, *part;
    srv_file old[2]; /* the output that is there already, and PATH.part */
    srv_pin pin;
    float *vectors; /* [count][dim] */
    bool complete;  /* the output already holds just these rows */
} target;

typedef struct {
    const srv_job *job;
    const labelled *texts;
    target targets[SR_MAX_EXITS];
    uint8_t *have; /* [count]: all targets have this row */
    size_t have_count;
    double checked, check_cost; /* seconds: the last checkpoint, and what it took */
} run;

static volatile sig_atomic_t interrupted;
static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static char *output_name(const char *pattern, uint32_t layer, const char *suffix) {
    char *out = memory(strlen(pattern) + strlen(suffix) + 16);
    const char *hole = strstr(pattern, "{exit}");
    if (hole)
        sprintf(out, "%.*s%u%s%s", (int)(hole - pattern), pattern, layer, hole + 6, suffix);
    else
        sprintf(out, "%s%s", pattern, suffix);
    return out;
}

/* An old file under another pin is never overwritten: its vectors cost time, and a name that lies costs more. */
static bool open_old(target *t, const char *path, srv_file *old) {
    if (access(path, F_OK) != 0) return true;
    if (!srv_read(path, old)) return cli_error("give another --output, or delete %s", path), false;
    if (t->pin.dim == 0) t->pin.dim = old->pin.dim; /* a server that has not answered yet */
    if (srv_same_pin(&old->pin, &t->pin)) return true;
    cli_error("%s holds vectors of %s; these would be of %s. Give another --output, or delete it", path,
              srv_pin_text(&old->pin), srv_pin_text(&t->pin));
    return false;
}

static bool old_vector(const run *r, const target *t, size_t row, float *out) {
    static const sr_text no_id;
    for (int i = 0; i < 2; i++) {
        if (!t->old[i].count || (t->old[i].is_f16 && !r->job->is_f16)) continue;
        size_t at = srv_find(&t->old[i], r->texts->rows[row].hash, no_id);
        if (at == SRV_NONE || srv_text_hash(&t->old[i], at) == 0) continue;
        if (out) srv_vector(&t->old[i], at, out);
        return true;
    }
    return false;
}

static bool same_rows(const run *r, const srv_file *f) {
    if (f->count != r->texts->count || f->is_f16 != r->job->is_f16) return false;
    for (size_t i = 0; i < f->count; i++) {
        sr_text id = srv_id(f, i);
        const labelled_row *row = &r->texts->rows[i];
        if (srv_text_hash(f, i) != row->hash || id.bytes != strlen(row->id) || memcmp(id.data, row->id, id.bytes) != 0)
            return false;
    }
    return true;
}

static void take_old(run *r) {
    size_t count = r->texts->count;
    memset(r->have, 1, count);
    for (uint32_t x = 0; x < r->job->layer_count; x++) {
        target *t = &r->targets[x];
        if (t->pin.dim && !t->vectors) t->vectors = memory(count * t->pin.dim * sizeof(float));
        for (size_t i = 0; i < count; i++)
            if (!old_vector(r, t, i, t->vectors ? t->vectors + i * t->pin.dim : NULL)) r->have[i] = 0;
        t->complete = t->old[0].file.data && same_rows(r, &t->old[0]);
    }
    r->have_count = 0;
    for (size_t i = 0; i < count; i++) r->have_count += r->have[i];
}

/* The rows that are there, or all. */
static bool save(const run *r, bool all) {
    size_t count = 0;
    bool fine = true;
    sr_text *ids = memory(r->texts->count * sizeof *ids);
    uint64_t *hashes = memory(r->texts->count * sizeof *hashes);
    for (uint32_t x = 0; x < r->job->layer_count && fine; x++) {
        const target *t = &r->targets[x];
        size_t dim = t->pin.dim;
        float *vectors = all ? t->vectors : memory(r->texts->count * dim * sizeof(float));
        count = 0;
        for (size_t i = 0; i < r->texts->count; i++) {
            if (!r->have[i]) continue;
            const labelled_row *row = &r->texts->rows[i];
            ids[count] = (sr_text){row->id, strlen(row->id)}, hashes[count] = row->hash;
            if (!all) memcpy(vectors + count * dim, t->vectors + i * dim, dim * sizeof(float));
            count++;
        }
        fine = srv_save(all ? t->path : t->part, &(srv_write){t->pin, r->job->is_f16, count, ids, hashes, vectors});
        if (!all) free(vectors);
    }
    free(ids), free(hashes);
    return fine;
}

/* One batch of rows, all exits. */
static bool embed_batch(run *r, const size_t *rows, size_t count) {
    const srv_job *j = r->job;
    float *out[SR_MAX_EXITS] = {0};
    size_t dim = r->targets[0].pin.dim;
    bool fine;
    if (j->server) {
        const char **texts = memory(count * sizeof *texts);
        for (size_t i = 0; i < count; i++) texts[i] = r->texts->rows[rows[i]].text;
        http_embedder h = *j->server;
        h.dim = dim, h.quiet = true;
        fine = http_embed(&h, texts, count, &out[0], &dim);
        free(texts);
        target *t = &r->targets[0];
        if (fine && !t->vectors) {
            t->pin.dim = (uint32_t)dim;
            t->vectors = memory(r->texts->count * dim * sizeof(float));
        }
    } else {
        sr_text *texts = memory(count * sizeof *texts);
        for (size_t i = 0; i < count; i++) {
            const char *text = r->texts->rows[rows[i]].text;
            texts[i] = (sr_text){text, strlen(text)};
        }
        uint32_t masks[SR_MAX_EXITS];
        for (uint32_t x = 0; x < j->layer_count; x++) masks[x] = 1u << j->layers[x];
        fine = j->table ? vectors_table(j->table, texts, count, j->threads, out)
                        : vectors_encode(j->model, texts, count, masks, j->layer_count, j->threads, out);
        free(texts);
    }
    for (uint32_t x = 0; x < j->layer_count && fine; x++) {
        for (size_t i = 0; i < count; i++)
            memcpy(r->targets[x].vectors + rows[i] * dim, out[x] + i * dim, dim * sizeof(float));
        free(out[x]);
    }
    for (size_t i = 0; i < count && fine; i++) r->have[rows[i]] = 1, r->have_count++;
    return fine;
}

static bool embed_missing(run *r) {
    enum { BATCH = 128 };
    size_t count = r->texts->count, rows[BATCH], n = 0;
    r->checked = seconds();
    for (size_t i = 0; i < count; i++) {
        if (!r->have[i]) rows[n++] = i;
        if (n < BATCH && (i + 1 < count || n == 0)) continue;
        bool fine = embed_batch(r, rows, n);
        n = 0;
        double now = seconds();
        /* rewriting the whole part file now and then costs at most a tenth of the time */
        if (fine && !interrupted && (now - r->checked < 20 || now - r->checked < 10 * r->check_cost)) {
            cli_progress("embedding", r->have_count, count);
            continue;
        }
        if (r->have_count && r->targets[0].vectors && save(r, false) && (!fine || interrupted))
            cli_note("%zu of %zu texts are done and kept; the same command goes on from there", r->have_count, count);
        if (!fine || interrupted) return false;
        r->checked = seconds(), r->check_cost = r->checked - now;
    }
    return true;
}

static void pin_targets(run *r) {
    const srv_job *j = r->job;
    sr_model_info info = {0};
    if (j->model) sr_model_info_get(j->model, &info);
    for (uint32_t x = 0; x < j->layer_count; x++) {
        target *t = &r->targets[x];
        t->path = output_name(j->pattern, j->layers[x], ""), t->part = output_name(j->pattern, j->layers[x], ".part");
        if (j->model)
            t->pin = (srv_pin){info.id,      info.prefix,  info.content, SR_EMBEDDER_ENCODER,
                               j->layers[x], info.pooling, info.dim};
        else if (j->table)
            t->pin =
                (srv_pin){{"piece table", 11},   {0}, sr_table_content(j->table), SR_EMBEDDER_TABLE, 0, SR_POOL_MEAN,
                          sr_table_dim(j->table)};
        else
            t->pin = (srv_pin){{j->server->model, strlen(j->server->model)},
                               {j->server->prefix, j->server->prefix ? strlen(j->server->prefix) : 0},
                               0,
                               SR_EMBEDDER_EXTERNAL,
                               0,
                               SR_POOL_NONE,
                               (uint32_t)j->server->dim};
    }
}

bool srv_run(const srv_job *job, const labelled *texts) {
    run *r = memory(sizeof *r);
    r->job = job, r->texts = texts;
    if (job->layer_count > 1 && !strstr(job->pattern, "{exit}")) {
        cli_error("several exits need a name with {exit} in it: --output prompts-{exit}.srv");
        return free(r), false;
    }
    r->have = memory(texts->count);
    pin_targets(r);
    bool fine = true;
    for (uint32_t x = 0; x < job->layer_count && fine; x++) {
        target *t = &r->targets[x];
        fine = open_old(t, t->path, &t->old[0]) && open_old(t, t->part, &t->old[1]);
    }
    if (fine) {
        take_old(r);
        if (r->have_count) cli_note("%zu of %zu texts are there already", r->have_count, texts->count);
        struct sigaction act = {.sa_handler = on_signal}, was[2];
        sigaction(SIGINT, &act, &was[0]), sigaction(SIGTERM, &act, &was[1]);
        fine = embed_missing(r);
        sigaction(SIGINT, &was[0], NULL), sigaction(SIGTERM, &was[1], NULL);
    }
    bool complete = fine;
    for (uint32_t x = 0; x < job->layer_count; x++) complete = complete && r->targets[x].complete;
    fine = fine && (complete || save(r, true));
    for (uint32_t x = 0; x < job->layer_count; x++) {
        target *t = &r->targets[x];
        if (fine) unlink(t->part);
        if (fine && !complete) cli_note("%s: %zu vectors of %s", t->path, texts->count, srv_pin_text(&t->pin));
        srv_free(&t->old[0]), srv_free(&t->old[1]);
        free(t->path), free(t->part), free(t->vectors);
    }
    free(r->have), free(r);
    return fine;
}
