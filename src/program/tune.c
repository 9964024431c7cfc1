/* smartrouter tune: from the written corpus and public prompts to a route file and its fit.
 *
 * For each exit: a basis without labels, a map (fit.h), utterances, calibration and the confidence at which to stop;
 * each judged on rows that the map and the utterances did not see (tune_judge.c): the corpus with languages left out,
 * public prompts with their whole source left out. What ships is then fitted on everything.
 */
#include "program/tune.h"
#include "program/eval_stats.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--routes", "FILE", "the route file whose routes are tuned (default routes/five-routes.json)"},
    {"--corpus", "FOLDER", "our own prompts (default routes/corpus)"},
    {"--public", "FILE",
     "public labelled JSONL to fit on, beside the corpus; may be given up to three times as --public2, --public3"},
    {"--public2", "FILE", ""},
    {"--public3", "FILE", ""},
    {"--judge", "FILE",
     "public labelled JSONL whose sources are left out in turn; the shipped fit is made with it, too"},
    {"--model", "FILE", "encoder model (.srm); default: the one that make built"},
    {"--unseen", "LANGUAGES",
     "of the corpus only these judge and calibrate, as nl,sv: those that adapt left out (default all)"},
    {"--share", "S", "of the corpus only so much is fitted on, to see what more of it is worth (default 1)"},
    {"--exits", "LIST", "layers of each exit's vector: 1,4,5+7+9 (default)"},
    {"--per-route", "N", "utterances a route (default 64)"},
    {"--row-dim", "N", "numbers a mapped row (default 16)"},
    {"--basis", "N", "principal directions kept before fitting (default 384)"},
    {"--public-weight", "W", "a public prompt's weight against one of ours (default 0.1)"},
    {"--lambda", "L", "ridge (default 0.1)"},
    {"--exponent", "E", "whitening (default 0.5)"},
    {"--weight", "B", "discriminant directions against whitened ones (default 1)"},
    {"--trials", "N", "exchanges of utterances tried (default 3000)"},
    {"--k", "K", "mean of the top K (default 5)"},
    {"--cache", "FOLDER", "where vectors are kept between runs (default build/tune)"},
    {"--output", "FILE", "or -o: the route file to write; its fit gets the ending .srf"},
    {"--report", "FILE", "write the table of what was judged as Markdown"},
    {0}};
static const cli_command command = {
    "tune", "make a route file and its fit from a corpus", "[options]", options,
    "  smartrouter tune -o routes/five-routes.json\n"
    "  smartrouter tune --public train.jsonl --judge dev.jsonl --per-route 64 -o routes/five-routes.json\n"};

uint32_t tune_layers(const char **list) {
    uint32_t mask = 0;
    for (;; ++*list) {
        char *end;
        unsigned long layer = strtoul(*list, &end, 10);
        if (end == *list || layer >= SR_MAX_EXITS) return 0;
        mask |= 1u << layer;
        *list = end;
        if (*end != '+') return mask;
    }
}

/* "0+1,5+7+9" to layer masks. */
static bool parse_exits(const char *list, tune_job *job) {
    for (const char *p = list; *p && job->exit_count + 1 < SR_MAX_EXITS; p += *p == ',') {
        uint32_t mask = tune_layers(&p);
        if (!mask || (*p && *p != ','))
            return cli_error("--exits wants layers such as 0+1,4,7+9, not '%s'", list), false;
        if (job->exit_count && mask <= job->masks[job->exit_count - 1])
            return cli_error("--exits: each exit must go deeper than the one before"), false;
        job->masks[job->exit_count++] = mask;
    }
    return job->exit_count > 0;
}

/* Leaves out all but a share of the corpus, drawn at random; languages that judge stay whole. */
static void thin_out(tune_job *job, double share) {
    stats_rng random = {1};
    size_t kept = 0;
    for (size_t i = 0; i < job->data.count; i++) {
        sample *s = &job->data.rows[i];
        bool keep = stats_below(&random, 1u << 20) < share * (1u << 20);
        if (keep || !s->corpus || (job->unseen && dataset_lists(job->unseen, s->lang)))
            job->data.rows[kept++] = *s;
        else
            free(s->text);
    }
    job->data.count = kept;
}

static bool read_data(tune_job *job, const cli_args *args) {
    char *names[SR_MAX_ROUTES];
    for (uint32_t i = 0; i < job->source.route_count; i++) names[i] = job->source.routes[i].id;
    dataset_routes(&job->data, names, job->source.route_count);
    const char *corpus = cli_value(args, "--corpus"), *judge = cli_value(args, "--judge");
    double share;
    if (!cli_decimal(args, "--share", 0, 1, 1, &share) ||
        !dataset_read_corpus(&job->data, corpus ? corpus : "routes/corpus"))
        return false;
    if (share < 1) thin_out(job, share);
    static const char *const names_of_public[] = {"--public", "--public2", "--public3"};
    for (int i = 0; i < 3; i++)
        if (cli_given(args, names_of_public[i]) && !dataset_read_jsonl(&job->data, cli_value(args, names_of_public[i])))
            return false;
    job->judge_from = job->data.count;
    if (judge && !dataset_read_jsonl(&job->data, judge)) return false;
    size_t corpus_rows = 0;
    for (size_t i = 0; i < job->data.count; i++) corpus_rows += job->data.rows[i].corpus;
    for (uint32_t r = 0; r < job->data.route_count; r++) {
        size_t n = 0;
        for (size_t i = 0; i < job->data.count; i++) n += job->data.rows[i].corpus && job->data.rows[i].route == r;
        if (n < 2)
            return cli_error("route \"%s\" has %zu prompts in the corpus; at least 2 are needed", job->data.routes[r],
                             n),
                   false;
    }
    cli_note("%zu prompts of ours, %zu public ones, of which %zu judge", corpus_rows, job->data.count - corpus_rows,
             job->data.count - job->judge_from);
    return true;
}

void tune_weigh(const dataset *d, double public_weight, double **weight, uint32_t **route_of) {
    size_t counts[2][SR_MAX_ROUTES] = {0}, totals[2] = {0};
    *weight = memory(d->count * sizeof **weight);
    *route_of = memory(d->count * sizeof **route_of);
    for (size_t i = 0; i < d->count; i++) {
        const sample *s = &d->rows[i];
        counts[s->corpus][s->route]++, totals[s->corpus]++;
        (*route_of)[i] = s->route;
    }
    for (size_t i = 0; i < d->count; i++) {
        const sample *s = &d->rows[i];
        double even = (double)totals[s->corpus] / (double)d->route_count / (double)counts[s->corpus][s->route];
        (*weight)[i] = (s->corpus ? 1 : public_weight) * even;
    }
}

/* Everything is fitted once more on all rows; this is what ships. */
static bool fit_final(tune_job *job) {
    size_t n = job->data.count;
    for (uint32_t x = 0; x < job->exit_count; x++) {
        tuned_exit *e = &job->exits[x];
        size_t rows = job->fit.row_dim, dim = job->basis_dim;
        e->a = memory(rows * dim * sizeof(float)), e->offset = memory(dim * sizeof(float));
        e->head = memory(job->data.route_count * dim * sizeof(float)),
        e->bias = memory(job->data.route_count * sizeof(float));
        if (!fit_map(e->z, n, dim, job->route_of, job->data.route_count, job->weight, &job->fit, e->a, e->offset,
                     e->head, e->bias))
            return false;
        e->map = memory(rows * e->dim * sizeof(float)), e->map_mean = memory(e->dim * sizeof(float));
        fit_compose(e->a, e->offset, rows, dim, e->mean, e->basis, e->dim, e->map, e->map_mean);
    }
    /* one list of utterances serves all exits: chosen where the router is at its best, in the last one */
    tuned_exit *last = &job->exits[job->exit_count - 1];
    float *u = memory(n * job->fit.row_dim * sizeof(float));
    uint8_t *use = memory(n);
    for (size_t i = 0; i < n; i++) use[i] = job->data.rows[i].corpus;
    fit_apply(last->z, n, job->basis_dim, last->a, last->offset, job->fit.row_dim, u);
    job->chosen = memory((job->per_route + 1) * job->data.route_count * sizeof(uint32_t));
    job->chosen_count =
        fit_choose(u, n, job->fit.row_dim, use, job->route_of, job->data.route_count, job->per_route, job->chosen);
    fit_refine(u, n, job->fit.row_dim, use, job->weight, job->route_of, job->data.route_count, job->k, job->chosen,
               job->chosen_count, job->trials);
    free(u), free(use);
    return true;
}

static bool prepare(tune_job *job, const char *cache) {
    float *vectors[SR_MAX_EXITS];
    sr_model_info info;
    sr_model_info_get(job->model, &info);
    for (uint32_t x = 0; x < job->exit_count; x++) {
        uint32_t deepest = 31 - (uint32_t)__builtin_clz(job->masks[x]);
        if (deepest > info.layers)
            return cli_error("the model has %u layers; --exits asks for layer %u", info.layers, deepest), false;
    }
    if (!dataset_vectors(&job->data, job->model, job->masks, job->exit_count, cache, vectors)) return false;
    size_t n = job->data.count;
    uint8_t *use = memory(n);
    for (size_t i = 0; i < n; i++) use[i] = job->data.rows[i].corpus; /* never public rows: they are judged by this */
    bool fine = true;
    for (uint32_t x = 0; x < job->exit_count && fine; x++) {
        tuned_exit *e = &job->exits[x];
        uint32_t blocks = (uint32_t)__builtin_popcount(job->masks[x]);
        e->dim = blocks * info.dim;
        size_t basis_dim = job->basis_dim < e->dim ? job->basis_dim : e->dim;
        if (basis_dim < job->basis_dim)
            return cli_error("--basis %zu is larger than an exit's %zu", job->basis_dim, e->dim), false;
        float scale = 1.0f / sqrtf((float)blocks); /* the matcher makes the whole vector unit length */
        for (size_t i = 0; i < n * e->dim; i++) vectors[x][i] *= scale;
        e->mean = memory(e->dim * sizeof(float)), e->basis = memory(basis_dim * e->dim * sizeof(float));
        e->z = memory(n * basis_dim * sizeof(float));
        cli_progress("principal directions, exit", x, job->exit_count);
        fine = fit_basis(vectors[x], n, e->dim, use, basis_dim, e->mean, e->basis);
        if (fine) fit_project(vectors[x], n, e->dim, e->mean, e->basis, basis_dim, e->z);
        free(vectors[x]);
    }
    cli_progress("principal directions, exit", job->exit_count, job->exit_count);
    free(use);
    return fine;
}

int sr_cmd_tune(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    tune_job *job = memory(sizeof *job);
    long per_route, row_dim, basis, k, trials = 0;
    double public_weight;
    if (!cli_number(&args, "--per-route", 1, 20000, 64, &per_route) ||
        !cli_number(&args, "--basis", 8, 1024, 384, &basis) || !cli_number(&args, "--k", 1, SR_MAX_TOP_K, 5, &k) ||
        !cli_number(&args, "--row-dim", 5, 512, 16, &row_dim) ||
        !cli_decimal(&args, "--public-weight", 0, 10, 0.1, &public_weight) ||
        !cli_decimal(&args, "--lambda", 1e-6, 100, 0.1, &job->fit.lambda) ||
        !cli_decimal(&args, "--exponent", 0, 2, 0.5, &job->fit.exponent) ||
        !cli_decimal(&args, "--weight", 0, 100, 1, &job->fit.weight))
        return CLI_USAGE;
    job->per_route = (size_t)per_route, job->basis_dim = (size_t)basis, job->k = (uint32_t)k,
    job->trials = (size_t)trials;
    job->fit.row_dim = (size_t)row_dim;
    const char *exits = cli_value(&args, "--exits"), *routes = cli_value(&args, "--routes"),
               *cache = cli_value(&args, "--cache");
    if (!parse_exits(exits ? exits : "1,4,5+7+9", job)) return CLI_USAGE;
    if (args.rest_count) return cli_error("no plain arguments are wanted; --help shows the options"), CLI_USAGE;
    engine e;
    if (!routes_file_read(routes ? routes : "routes/five-routes.json", &job->source)) return CLI_FAILED;
    if (job->source.route_count < 2) return cli_error("one route alone needs no tuning"), CLI_FAILED;
    if (job->fit.row_dim < job->source.route_count)
        return cli_error("--row-dim must be at least the number of routes"), CLI_USAGE;
    if (!engine_open(&e, NULL, cli_value(&args, "--model"), NULL, ENGINE_MODEL)) return CLI_FAILED;
    job->model = e.model;
    job->unseen = cli_value(&args, "--unseen");
    bool fine = read_data(job, &args);
    if (fine) tune_weigh(&job->data, public_weight, &job->weight, &job->route_of);
    fine = fine && prepare(job, cache ? cache : "build/tune");
    fine = fine && tune_judge(job) && fit_final(job) && tune_calibrate(job);
    if (fine) tune_report(job, stdout);
    if (fine && cli_given(&args, "--report")) {
        file_writer w;
        fine = file_begin(&w, cli_value(&args, "--report"));
        if (fine) tune_report(job, w.stream);
        fine = fine && file_commit(&w);
    }
    if (fine && cli_given(&args, "--output")) fine = tune_write(job, cli_value(&args, "--output"));
    engine_close(&e);
    return fine ? CLI_OK : CLI_FAILED;
}
