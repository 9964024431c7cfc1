/* smartrouter table: from a corpus to a piece table (.srt), the first answer of a route file.
 *
 * The table is one short row a vocabulary piece (table_train.h): no encoder, a megabyte to load, microseconds a prompt.
 * Its exit (no map, calibration fitted on what the training left out) goes into the route file's fit (.srf), before the
 * encoder's; `tune` writes that file anew, so tune first, then make the table.
 */
#include "program/table.h"
#include "asset_write.h"
#include "program/jsonl.h"
#include "program/tune.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cli_option options[] = {
    {"--routes", "FILE", "the route file (default routes/five-routes.json)"},
    {"--corpus", "FOLDER", "our own prompts (default routes/corpus)"},
    {"--public", "FILE", "public labelled JSONL to learn from, beside the corpus"},
    {"--judge", "FILE", "public labelled JSONL whose sources are left out in turn; what ships learns from it, too"},
    {"--answers", "FILE", "what 'smartrouter route --deep --jsonl' said of the same texts, to learn from"},
    {"--answers-weight", "W", "of these answers against the labels (default 0.5)"},
    {"--model", "FILE", "encoder model (.srm) whose pieces and embeddings to start from; default: what make built"},
    {"--pieces", "N", "keep the N pieces that are worth most (default 60000)"},
    {"--dim", "D", "numbers a row: 8, 16, 24 or 32 (default 8)"},
    {"--step", "S", "rows are stored in multiples of S (default 0.5; smaller: finer and larger)"},
    {"--public-weight", "W", "a public prompt's weight against one of ours (default 0.5)"},
    {"--epochs", "N", "passes over the prompts; 0 leaves the rows as they start (default 20)"},
    {"--rate", "R", "how fast rows move (default 10)"},
    {"--pull", "P", "how much of its way a row is drawn back an epoch (default 0.05)"},
    {"--dropout", "P", "share of a prompt's pieces left out at each look (default 0.2)"},
    {"--smoothing", "S", "of the labels (default 0.1)"},
    {"--common", "A", "pieces of share f start with weight A / (A + f) (default 0.003)"},
    {"--weight", "B", "at the start, the routes' directions against the texts' own (default 3)"},
    {"--k", "K", "mean of the top K (default 5)"},
    {"--no-judge", NULL, "train only: no report, no calibration, no fit"},
    {"--output", "FILE", "or -o: the table to write; its exit goes into the route file's fit"},
    {"--report", "FILE", "write what was judged as Markdown"},
    {0}};
static const cli_command command = {
    "table", "make a piece table (.srt), a route file's first answer", "[options]", options,
    "  smartrouter table -o routes/five-routes.srt\n"
    "  smartrouter table --public train.jsonl --judge dev.jsonl --pieces 60000 --report table.md\n"};

static bool read_data(table_job *job, const cli_args *args) {
    char *names[SR_MAX_ROUTES];
    dataset *d = &job->data;
    for (uint32_t i = 0; i < job->source.route_count; i++) names[i] = job->source.routes[i].id;
    dataset_routes(d, names, job->source.route_count);
    const char *corpus = cli_value(args, "--corpus"), *public = cli_value(args, "--public"),
               *judge = cli_value(args, "--judge");
    if (!dataset_read_corpus(d, corpus ? corpus : "routes/corpus")) return false;
    size_t ours = d->count;
    if (public && !dataset_read_jsonl(d, public)) return false;
    job->judge_from = d->count;
    if (judge && !dataset_read_jsonl(d, judge)) return false;
    for (uint32_t r = 0; r < d->route_count; r++) {
        size_t n = 0;
        for (size_t i = 0; i < ours; i++) n += d->rows[i].route == r;
        if (n < 2)
            return cli_error("route \"%s\" has %zu prompts in the corpus; at least 2 are needed", d->routes[r], n),
                   false;
    }
    cli_note("%zu prompts of ours, %zu public ones, of which %zu judge", ours, d->count - ours,
             d->count - job->judge_from);
    job->texts = memory(d->count * sizeof *job->texts);
    for (size_t i = 0; i < d->count; i++) job->texts[i] = (sr_text){d->rows[i].text, strlen(d->rows[i].text)};
    return true;
}

/* Rows with the same text, found by sorting: for utterances and answers. */
typedef struct {
    const char *text;
    size_t row;
} entry;
static int by_text(const void *a, const void *b) {
    return strcmp(((const entry *)a)->text, ((const entry *)b)->text);
}
static entry *text_index(const dataset *d) {
    entry *index = memory((d->count + 1) * sizeof *index);
    for (size_t i = 0; i < d->count; i++) index[i] = (entry){d->rows[i].text, i};
    qsort(index, d->count, sizeof *index, by_text);
    return index;
}

static void gather_utterances(table_job *job, const entry *index) {
    const routes_file *f = &job->source;
    job->utterances = memory((f->utterance_count + 1) * sizeof *job->utterances);
    job->utterance_route = memory((f->utterance_count + 1) * sizeof *job->utterance_route);
    job->utterance_row = memory((f->utterance_count + 1) * sizeof *job->utterance_row);
    for (uint32_t r = 0; r < f->route_count; r++)
        for (uint32_t u = 0; u < f->routes[r].utterance_count; u++) {
            entry key = {f->routes[r].utterances[u], 0}, *found;
            uint32_t n = job->utterance_count++;
            found = bsearch(&key, index, job->data.count, sizeof key, by_text);
            job->utterances[n] = (sr_text){key.text, strlen(key.text)};
            job->utterance_route[n] = r;
            job->utterance_row[n] = found ? (int64_t)found->row : -1;
        }
}

/* Each record's text and decision.scores; scores become chances by a softmax whose sharpness is the confidence's. */
static bool read_answers(table_job *job, const entry *index, const char *path) {
    jsonl in;
    uint32_t routes = job->data.route_count;
    if (!jsonl_open(&in, path)) return false;
    float *answers = memory(job->data.count * routes * sizeof *answers);
    size_t used = 0;
    for (size_t i = 0; i < job->data.count * routes; i++) answers[i] = -1;
    for (const cJSON *record; (record = jsonl_next(&in));) {
        const cJSON *decision = json_get(record, "decision"), *scores = json_get(decision, "scores"),
                    *sure = json_get(decision, "confidence");
        const char *text = json_text(record, "text"), *nearest = json_text(decision, "nearest");
        if (text && cJSON_IsObject(scores) && cJSON_IsNumber(sure) && nearest) {
            entry key = {text, 0};
            const entry *found = bsearch(&key, index, job->data.count, sizeof key, by_text);
            double rest = 0, low = 1 - sure->valuedouble;
            float *out = answers + (found ? found->row : 0) * routes;
            for (uint32_t r = 0; r < routes && found; r++) {
                const cJSON *s = json_get(scores, job->data.routes[r]);
                double v = cJSON_IsNumber(s) ? (s->valuedouble + 1) * (s->valuedouble + 1) : 0;
                out[r] = (float)v;
                if (strcmp(job->data.routes[r], nearest) != 0) rest += v;
            }
            for (uint32_t r = 0; r < routes && found; r++)
                out[r] = strcmp(job->data.routes[r], nearest) == 0 ? (float)sure->valuedouble
                         : rest > 0 ? (float)(low * (double)out[r] / rest)
                                    : (float)(low / (double)(routes > 1 ? routes - 1 : 1));
            used += found != NULL;
        }
    }
    job->trainer.answers = answers;
    if (!jsonl_close(&in)) return false;
    cli_note("%zu prompts have an answer in %s", used, path);
    return true;
}

/* Adds the table's exit to a fit, or makes one; an exit of an older table goes. */
static bool add_exit(const table_job *job, const uint8_t *file, size_t bytes, const char *fit_path) {
    static sr_write_route routes[SR_MAX_ROUTES];
    static sr_write_exit exits[SR_MAX_EXITS];
    uint32_t count = 0;
    file_bytes old = {0};
    void *old_memory = NULL;
    const sr_router *fit = NULL;
    for (uint32_t r = 0; r < job->data.route_count; r++)
        routes[r].id = (sr_text){job->data.routes[r], strlen(job->data.routes[r])};
    sr_write_exit *e = &exits[count++];
    sr_write_exit_init(e);
    e->embedder = SR_EMBEDDER_TABLE, e->pooling = SR_POOL_NONE;
    e->dim = e->row_dim = (uint32_t)job->trainer.options.dim;
    e->model_id = (sr_text){"piece-table", 11};

    e->aggregation_k = job->k;
    for (int i = 0; i < 4; i++) e->calibration[i] = (float)job->calibration[i];
    e->stop_confidence = (float)(job->stop > 1 ? 1 : job->stop);
    int64_t need = sr_table_bytes(file, bytes);
    void *mem = memory(need > 0 ? (size_t)need : 1);
    const sr_table *table;
    if (need < 0 || sr_table_open(mem, (size_t)need, file, bytes, &table) < 0) return free(mem), false;
    e->model_content = sr_table_content(table);
    free(mem);
    if (access(fit_path, F_OK) == 0) {
        fit = fit_load(fit_path, &old, &old_memory);
        if (!fit) return false;
        for (uint32_t i = 0; i < sr_router_exit_count(fit); i++) {
            sr_exit_info info;
            sr_router_exit(fit, i, &info);
            if (info.embedder == SR_EMBEDDER_TABLE || count == SR_MAX_EXITS) continue;
            sr_route_params *params = memory(sizeof *params * job->data.route_count);
            float *head = memory(sizeof *head * job->data.route_count * info.row_dim);
            sr_write_exit_take(fit, i, routes, job->data.route_count, &exits[count++], params, head);
        }
    }
    char notes[256];
    const table_options *o = &job->trainer.options;
    snprintf(
        notes, sizeof notes,
        "smartrouter tune, then table: %zu prompts, %zu of them to judge by; dim %zu, step %g, epochs %ld, rate %g, "
        "pull %g, dropout %g, k %u",
        job->data.count, job->data.count - job->judge_from, o->dim, o->step, o->epochs, o->rate, o->pull, o->dropout,
        job->k);
    sr_write_asset w = {.name = {job->source.name, strlen(job->source.name)},
                        .notes = {notes, strlen(notes)},
                        .routes = routes,
                        .route_count = job->data.route_count,
                        .exits = exits,
                        .exit_count = count};
    bool fine = fit_save(fit_path, &w);
    if (fine) cli_note("%s: the table's exit, and %u of the encoder", fit_path, count - 1);
    free(old_memory);
    file_free(&old);
    return fine;
}

static bool write_table(table_job *job, const char *path, const char *routes_path, bool with_exit) {
    table_trainer *t = &job->trainer;
    size_t pieces = t->model->meta.piece_count;
    float *rows = memory(pieces * t->options.dim * sizeof *rows),
          *head = memory(job->data.route_count * t->options.dim * sizeof *head),
          *bias = memory(job->data.route_count * sizeof *bias);
    uint8_t *use = memory(job->data.count), *file = NULL;
    memset(use, 1, job->data.count);
    int64_t bytes = -1;
    if (table_start(t, use, rows)) table_train(t, use, rows, head, bias), bytes = table_file(t, rows, &file);
    free(rows), free(head), free(bias), free(use);
    bool fine = bytes >= 0 && file_write(path, file, (size_t)bytes);
    if (fine) cli_note("%s: %lld bytes", path, (long long)bytes);
    if (fine && with_exit) {
        char fit[4096];
        const char *slash = strrchr(routes_path, '/');
        int folder = slash ? (int)(slash - routes_path + 1) : 0;
        if (job->source.fit)
            snprintf(fit, sizeof fit, "%.*s%s", folder, routes_path, job->source.fit);
        else
            snprintf(fit, sizeof fit, "%.*s.srf", (int)(strlen(path) > 4 ? strlen(path) - 4 : strlen(path)), path);
        fine = add_exit(job, file, (size_t)bytes, fit);
        if (fine && !job->source.fit) cli_note("the route file names no \"fit\"; compile with --fit %s", fit);
    }
    free(file);
    return fine;
}

static bool parse(const cli_args *args, table_job *job, double *public_weight) {
    table_trainer *t = &job->trainer;
    table_options *o = &t->options;
    long dim, k;
    if (!cli_number(args, "--dim", 8, SR_TABLE_MAX_DIM, 8, &dim) ||
        !cli_number(args, "--pieces", 256, SR_MAX_PIECES, 60000, &o->pieces) ||
        !cli_number(args, "--epochs", 0, 1000, 20, &o->epochs) || !cli_number(args, "--k", 1, SR_MAX_TOP_K, 5, &k) ||
        !cli_decimal(args, "--step", 0, 16, 0.5, &o->step) || !cli_decimal(args, "--rate", 0, 1000, 10, &o->rate) ||
        !cli_decimal(args, "--pull", 0, 1, 0.05, &o->pull) ||
        !cli_decimal(args, "--dropout", 0, 0.9, 0.2, &o->dropout) ||
        !cli_decimal(args, "--smoothing", 0, 0.9, 0.1, &o->smoothing) ||
        !cli_decimal(args, "--common", 1e-6, 1000, 0.003, &o->common) ||
        !cli_decimal(args, "--weight", 0, 100, 3, &o->fit.weight) ||
        !cli_decimal(args, "--answers-weight", 0, 1, 0.5, &t->answers_weight) ||
        !cli_decimal(args, "--public-weight", 0, 10, 0.5, public_weight))
        return false;
    if (dim % 8) return cli_error("--dim wants a multiple of 8, not %ld", dim), false;
    if (args->rest_count) return cli_error("no plain arguments are wanted; --help shows the options"), false;
    o->dim = (size_t)dim, job->k = (uint32_t)k;
    o->fit.exponent = 0.5, o->fit.lambda = 0.1;
    return true;
}

int sr_cmd_table(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    table_job *job = memory(sizeof *job);
    table_trainer *t = &job->trainer;
    double public_weight;
    if (!parse(&args, job, &public_weight)) return CLI_USAGE;
    const char *routes = cli_value(&args, "--routes"), *output = cli_value(&args, "--output");
    if (!routes) routes = "routes/five-routes.json";
    engine e;
    if (!routes_file_read(routes, &job->source)) return CLI_FAILED;
    if (job->source.route_count < 2 || t->options.dim < job->source.route_count)
        return cli_error("--dim must be at least the number of routes, of which there must be two"), CLI_USAGE;
    if (!engine_open(&e, NULL, cli_value(&args, "--model"), NULL, ENGINE_MODEL)) return CLI_FAILED;
    bool fine = read_data(job, &args);
    if (fine) {
        size_t n = job->data.count;
        entry *index = text_index(&job->data);
        gather_utterances(job, index);
        if (cli_given(&args, "--answers")) fine = read_answers(job, index, cli_value(&args, "--answers"));
        free(index);
        tune_weigh(&job->data, public_weight, &job->weight, &job->route_of);
        t->model = e.model, t->route_count = job->data.route_count, t->count = n, t->texts = job->texts;
        t->route = job->route_of, t->weight = job->weight;
        t->basis_dim = e.model->meta.dim < 256 ? e.model->meta.dim : 256;
        uint8_t *ours = memory(n);
        for (size_t i = 0; i < n; i++) ours[i] = job->data.rows[i].corpus;
        fine = fine && table_prepare(t, ours);
        free(ours);
    }
    bool judge = !cli_given(&args, "--no-judge");
    if (fine && judge) {
        fine = table_judge(job);
        if (fine) table_report(job, stdout);
        if (fine && cli_given(&args, "--report")) {
            file_writer w;
            fine = file_begin(&w, cli_value(&args, "--report"));
            if (fine) table_report(job, w.stream);
            fine = fine && file_commit(&w);
        }
    }
    if (fine && output) fine = write_table(job, output, routes, judge);
    table_trainer_free(t);
    engine_close(&e);
    return fine ? CLI_OK : CLI_FAILED;
}
