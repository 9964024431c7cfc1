/* smartrouter whiten: the whitening that a model gives to tables without a fit, from prompts whose topics are known.
 *
 * An embedder's strongest directions are largely those in which prompts about one thing differ: language, length,
 * manner. Routes are told apart by the others. So each direction is divided by (a power of) its spread within topics,
 * and of what results those directions are kept in which the topics' means differ most. Nothing is known of routes.
 */
#include "program/fit.h"
#include "program/labelled.h"
#include "program/srv.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--vectors", "FILES",
     "the prompts' vectors, one .srv an exit, with commas between (smartrouter embed makes them)"},
    {"--topic", "FIELD", "the field that says what a prompt is about (default topic); topics count by route"},
    {"--row-dim", "N", "numbers a mapped row (default 320)"},
    {"--exponent", "E", "whitening: 0 none, 1 full (default 0.75)"},
    {"--output", "FILE", "or -o: the fit to write, for smartrouter model --whitening (default whitening.srf)"},
    {0}};
static const cli_command command = {
    "whiten", "make a model's whitening from prompts with topics", "[options] --vectors FILES FILE.jsonl | FOLDER ...",
    options,
    "  smartrouter embed --exits 1,4,9 --f16 routes/corpus -o corpus-{exit}.srv\n"
    "  smartrouter whiten --vectors corpus-1.srv,corpus-4.srv,corpus-9.srv routes/corpus -o routes/whitening.srf\n"
    "  smartrouter model --from e5-small-q4.bin -o general-model.srm --whitening routes/whitening.srf\n"};

enum { MAX_BASIS = 384 };

typedef struct {
    labelled prompts;
    uint32_t *topic; /* [prompts] */
    uint32_t topic_count;
    size_t row_dim;
    double exponent;
} whitening;

typedef struct {
    char *name;
    size_t row;
} named_row;
static int by_name(const void *a, const void *b) {
    return strcmp(((const named_row *)a)->name, ((const named_row *)b)->name);
}

static bool number_topics(whitening *job, const char *field) {
    size_t n = job->prompts.count;
    named_row *sorted = memory(n * sizeof *sorted);
    job->topic = memory(n * sizeof *job->topic);
    bool fine = true;
    for (size_t i = 0; i < n; i++) {
        const labelled_row *r = &job->prompts.rows[i];
        const char *topic = labelled_field(r, field);
        if (!*topic && fine)
            cli_error("%s: line %u: no \"%s\"; --topic names the field", job->prompts.files[r->file], r->line, field),
                fine = false;
        size_t room = strlen(r->label) + strlen(topic) + 2;
        sorted[i] = (named_row){memory(room), i};
        snprintf(sorted[i].name, room, "%s/%s", r->label, topic);
    }
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 0; i < n; i++) {
        job->topic_count += i == 0 || strcmp(sorted[i].name, sorted[i - 1].name) != 0;
        job->topic[sorted[i].row] = job->topic_count - 1;
    }
    for (size_t i = 0; i < n; i++) free(sorted[i].name);
    free(sorted);
    return fine;
}

/* means[topics][dim] of z, which then holds each row less its topic's mean. */
static void split_topics(const whitening *job, float *z, size_t dim, float *means) {
    size_t n = job->prompts.count;
    double *sum = memory((size_t)job->topic_count * dim * sizeof *sum);
    size_t *count = memory(job->topic_count * sizeof *count);
    for (size_t i = 0; i < n; i++) {
        count[job->topic[i]]++;
        for (size_t d = 0; d < dim; d++) sum[job->topic[i] * dim + d] += z[i * dim + d];
    }
    for (uint32_t t = 0; t < job->topic_count; t++)
        for (size_t d = 0; d < dim; d++) means[t * dim + d] = (float)(sum[t * dim + d] / (double)count[t]);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < dim; d++) z[i * dim + d] -= means[job->topic[i] * dim + d];
    free(sum), free(count);
}

/* map[row_dim][dim] and mean[dim] for vectors x[prompts][dim]. */
static bool fit_one(const whitening *job, const float *x, size_t dim, float *map, float *mean) {
    size_t n = job->prompts.count, basis_dim = dim < MAX_BASIS ? dim : MAX_BASIS, rows = job->row_dim;
    float *centre = memory(dim * sizeof *centre), *basis = memory(basis_dim * dim * sizeof *basis);
    float *z = memory(n * basis_dim * sizeof *z), *means = memory(job->topic_count * basis_dim * sizeof *means);
    float *white = memory(basis_dim * basis_dim * sizeof *white), *offset = memory(basis_dim * sizeof *offset);
    float *head = memory(basis_dim * sizeof *head), bias, *spread = memory(basis_dim * sizeof *spread);
    float *differ = memory(rows * basis_dim * sizeof *differ), *a = memory(rows * basis_dim * sizeof *a);
    double *weight = memory(n * sizeof *weight);
    uint32_t *one_route = memory(n * sizeof *one_route);
    for (size_t i = 0; i < n; i++) weight[i] = 1;
    bool fine = fit_basis(x, n, dim, NULL, basis_dim, centre, basis);
    if (fine) {
        fit_project(x, n, dim, centre, basis, basis_dim, z);
        split_topics(job, z, basis_dim, means);
        fit_options whole = {.row_dim = basis_dim, .exponent = job->exponent, .lambda = 1};
        fine = fit_map(z, n, basis_dim, one_route, 1, weight, &whole, white, offset, head, &bias);
    }
    if (fine) { /* the topics' means in the whitened space, and the directions in which they differ most */
        memset(offset, 0, basis_dim * sizeof *offset); /* z is centred already */
        float *there = memory(job->topic_count * basis_dim * sizeof *there);
        fit_project(means, job->topic_count, basis_dim, offset, white, basis_dim, there);
        fine = fit_basis(there, job->topic_count, basis_dim, NULL, rows, spread, differ);
        free(there);
    }
    if (fine) {
        fit_compose(differ, offset, rows, basis_dim, offset, white, basis_dim, a, spread);
        fit_compose(a, offset, rows, basis_dim, centre, basis, dim, map, mean);
    }
    free(centre), free(basis), free(z), free(means), free(white), free(offset), free(head), free(spread);
    free(differ), free(a), free(weight), free(one_route);
    return fine;
}

static bool read_vectors(const whitening *job, const char *path, srv_file *file, float **out) {
    if (!srv_read(path, file)) return false;
    size_t dim = file->pin.dim;
    *out = memory(job->prompts.count * dim * sizeof **out);
    for (size_t i = 0; i < job->prompts.count; i++) {
        const labelled_row *r = &job->prompts.rows[i];
        size_t row = srv_find(file, r->hash, (sr_text){r->id, strlen(r->id)});
        if (row == SRV_NONE)
            return cli_error("%s has no vector for %s: line %u; embed this file again", path,
                             job->prompts.files[r->file], r->line),
                   false;
        srv_vector(file, row, *out + i * dim);
    }
    return true;
}

static bool whiten_all(const whitening *job, const char *list, const char *output) {
    sr_write_exit exits[SR_MAX_EXITS];
    srv_file files[SR_MAX_EXITS] = {0};
    float *maps[SR_MAX_EXITS] = {0}, *means[SR_MAX_EXITS] = {0};
    uint32_t count = 0;
    bool fine = true;
    int path_count = 0;
    char **paths = cli_list(list, &path_count);
    if (path_count < 1 || path_count > SR_MAX_EXITS)
        cli_error("--vectors wants 1 to %d names of .srv files", SR_MAX_EXITS), fine = false;
    for (; fine && count < (uint32_t)path_count; count++) {
        const char *path = paths[count];
        float *x = NULL;
        fine = read_vectors(job, path, &files[count], &x);
        const srv_pin *pin = &files[count].pin;
        if (fine && (job->row_dim > pin->dim || job->row_dim >= job->topic_count))
            cli_error("--row-dim %zu: %s has %u dimensions, and there are %u topics; it must be less", job->row_dim,
                      path, pin->dim, job->topic_count),
                fine = false;
        if (fine) {
            cli_note("%s: %zu prompts of %u topics", srv_pin_text(pin), job->prompts.count, job->topic_count);
            maps[count] = memory(job->row_dim * pin->dim * sizeof(float));
            means[count] = memory(pin->dim * sizeof(float));
            fine = fit_one(job, x, pin->dim, maps[count], means[count]);
            sr_write_exit *e = &exits[count];
            sr_write_exit_init(e);
            e->embedder = pin->embedder, e->layer = pin->layer, e->pooling = pin->pooling;
            e->dim = pin->dim, e->row_dim = (uint32_t)job->row_dim;
            e->model_id = pin->model_id, e->prefix = pin->prefix, e->model_content = pin->content;
            e->map = maps[count], e->mean = means[count];
        }
        free(x);
    }
    char notes[256];
    snprintf(notes, sizeof notes, "smartrouter whiten: %zu prompts of %u topics; row_dim %zu, exponent %g",
             job->prompts.count, job->topic_count, job->row_dim, job->exponent);
    sr_write_asset w = {.name = {"whitening", 9}, .notes = {notes, strlen(notes)}, .exits = exits, .exit_count = count};
    fine = fine && fit_save(output, &w);
    for (uint32_t i = 0; i < count; i++) srv_free(&files[i]), free(maps[i]), free(means[i]);
    cli_list_free(paths, path_count);
    return fine;
}

int sr_cmd_whiten(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    whitening job = {0};
    long row_dim;
    if (!cli_number(&args, "--row-dim", SR_MIN_DIM, MAX_BASIS, 320, &row_dim) ||
        !cli_decimal(&args, "--exponent", 0, 2, 0.75, &job.exponent))
        return CLI_USAGE;
    job.row_dim = (size_t)row_dim;
    const char *list = cli_value(&args, "--vectors"), *field = cli_value(&args, "--topic"),
               *output = cli_value(&args, "--output");
    if (!list || !args.rest_count)
        return cli_error("prompts and their vectors are wanted: smartrouter whiten --vectors FILES PROMPTS"), CLI_USAGE;
    bool fine = labelled_read(args.rest, args.rest_count, &(labelled_options){0}, &job.prompts);
    if (fine) {
        fine =
            number_topics(&job, field ? field : "topic") && whiten_all(&job, list, output ? output : "whitening.srf");
        labelled_free(&job.prompts);
    }
    free(job.topic);
    return fine ? CLI_OK : CLI_FAILED;
}
