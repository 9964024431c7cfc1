/* smartrouter sweep: one factor at a time, and pairs, over repeated draws of utterances. */
#include "program/sweep.h"
#include "program/parallel.h"
#include "program/sweep_load.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const cli_option options[] = {
    {"--pool", "FILES", "labelled prompts to draw utterances from: JSONL or folders, with commas between; needed"},
    {"--vectors", "FILES", "vectors of pool and test prompts: .srv of one embedder and exit; needed"},
    {"--fit", "FILE", "take cosines in the space of this .srf or .srr (default: centred by the pool's mean)"},
    {"--leave-out", "FIELD", "utterances never come from a test prompt's own source, lang, topic, ..."},
    {"--where", "FIELD=VALUE", "only these test prompts"},
    {"--pool-where", "FIELD=VALUE", "only these pool prompts"},
    {"--fallback", "ROUTE", "takes what thresholds refuse (default general-chat, when it is a route)"},
    {"--skip-repeats", NULL, "leave pool prompts out that are test prompts too, rather than refuse"},
    {"--seeds", "N", "draws of each setting (default 20)"},
    {"--seed", "N", "the first seed (default 1)"},
    {"--output", "FILE", "or -o: write everything as JSON"},
    {"--json", NULL, "print JSON instead of tables"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {
    "sweep", "how many utterances, how long, in which words and languages",
    "--pool FILES --vectors FILES [options] TESTS.jsonl ...\n\n"
    "Sentence length is in words between white space. Vocabulary: thirds by surprise a character under a model of\n"
    "character triples of the same language, so that no language counts as more complex than another. Intervals (95 "
    "%)\n"
    "are of the mean over draws.",
    options,
    "  smartrouter sweep --pool routes/corpus --vectors corpus-9.srv,dev-9.srv dev.jsonl -o sweep.json\n"
    "  smartrouter sweep --pool dev.jsonl --vectors dev-9.srv --leave-out source dev.jsonl\n"};

typedef struct {
    const char *factor;
    sweep_setting setting;
} planned;

enum { MAX_PLANNED = 512, LENGTHS = 7 };
static const uint32_t lengths[LENGTHS] = {1, 2, 4, 8, 16, 32, 64};

static uint32_t plan(planned *out, uint32_t lang_count) {
    static const int32_t languages[] = {-1, 1, 2, 4, 8, 0};
    uint32_t n = 0;
#define ADD(...)                                                                                                       \
    out[n++] = (planned) {                                                                                             \
        __VA_ARGS__                                                                                                    \
    }
    for (int l = 0; l < LENGTHS; l++) ADD("length", {lengths[l], SWEEP_ANY, SWEEP_ANY, 0, lengths[l] == 16});
    for (int l = 0; l < LENGTHS; l++) {
        for (uint8_t b = 0; b < SWEEP_BANDS; b++) ADD("words", {lengths[l], b, SWEEP_ANY, 0, false});
        for (uint8_t c = 0; c < SWEEP_LEVELS; c++) ADD("vocabulary", {lengths[l], SWEEP_ANY, c, 0, false});
        for (int g = 0; g < 6; g++)
            if (languages[g] < (int32_t)lang_count)
                ADD("languages", {lengths[l], SWEEP_ANY, SWEEP_ANY, languages[g], false});
    }
    for (uint8_t b = 0; b < SWEEP_BANDS; b++) {
        for (uint8_t c = 0; c < SWEEP_LEVELS; c++) ADD("words and vocabulary", {16, b, c, 0, false});
        for (int g = 0; g < 5; g++)
            if (languages[g] < (int32_t)lang_count) ADD("words and languages", {16, b, SWEEP_ANY, languages[g], false});
    }
#undef ADD
    return n;
}

typedef struct {
    const sweep_data *data;
    const planned *plan;
    uint32_t planned_count, seeds;
    uint64_t seed;
    sweep_work *work;        /* a thread */
    sweep_outcome *outcomes; /* [planned][seeds] */
    double *recalls;
} sweeping;

static void draw_one(void *context, int thread, size_t i) {
    sweeping *s = context;
    /* long lists first: they take longest, and the last task should be a short one */
    size_t p = s->planned_count - 1 - i / s->seeds, draw = i % s->seeds, at = p * s->seeds + draw;
    sweep_outcome *o = &s->outcomes[at];
    o->recall = s->recalls + at * SWEEP_AGGREGATIONS * s->data->route_count;
    sweep_draw(s->data, &s->plan[p].setting, s->seed + draw, &s->work[thread], o);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static cJSON *interval(const double *values, size_t count) {
    double kept[4096];
    size_t n = 0;
    for (size_t i = 0; i < count && n < 4096; i++)
        if (!isnan(values[i])) kept[n++] = values[i];
    stats_interval v = stats_mean(kept, n);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddItemToObject(o, "value", json_float(v.value));
    cJSON_AddItemToObject(o, "low", json_float(v.low));
    cJSON_AddItemToObject(o, "high", json_float(v.high));
    return o;
}

/* The mean over draws of a number that lies at `offset` in each outcome. */
#define OVER_DRAWS(field)                                                                                              \
    (__extension__({                                                                                                   \
        for (uint32_t d_ = 0; d_ < s->seeds; d_++) values[d_] = outcomes[d_].field;                                    \
        interval(values, s->seeds);                                                                                    \
    }))

static cJSON *languages_json(int32_t languages) {
    return languages < 0    ? cJSON_CreateString("English")
           : languages == 0 ? cJSON_CreateString("all")
                            : cJSON_CreateNumber(languages);
}

static void add_thresholds(cJSON *all, const sweeping *s, const sweep_outcome *outcomes, double *values) {
    cJSON *grid = cJSON_AddArrayToObject(all, "thresholds");
    for (int t = 0; t < SWEEP_TAUS; t++) {
        for (int g = 0; g < SWEEP_MARGINS; g++) {
            cJSON *one = cJSON_CreateObject();
            cJSON_AddItemToObject(one, "score_quantile", json_float(0.05 * t));
            cJSON_AddItemToObject(one, "margin_quantile", json_float(0.05 * g));
            cJSON_AddItemToObject(one, "tau", OVER_DRAWS(tau[t]));
            cJSON_AddItemToObject(one, "margin", OVER_DRAWS(margin[g]));
            if (s->data->fallback >= 0) cJSON_AddItemToObject(one, "accuracy", OVER_DRAWS(grid_accuracy[t][g]));
            cJSON_AddItemToObject(one, "answered", OVER_DRAWS(grid_coverage[t][g]));
            cJSON_AddItemToObject(one, "accuracy_of_answered", OVER_DRAWS(grid_answered[t][g]));
            cJSON_AddItemToArray(grid, one);
        }
    }
}

static cJSON *results_json(const sweeping *s) {
    const sweep_data *d = s->data;
    double *values = memory(s->seeds * sizeof *values);
    cJSON *all = cJSON_CreateObject(), *settings = cJSON_AddArrayToObject(all, "settings");
    for (uint32_t p = 0; p < s->planned_count; p++) {
        const sweep_setting *set = &s->plan[p].setting;
        const sweep_outcome *outcomes = s->outcomes + (size_t)p * s->seeds;
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "factor", s->plan[p].factor);
        cJSON_AddNumberToObject(one, "length", set->length);
        cJSON_AddStringToObject(one, "words", set->band == SWEEP_ANY ? "any" : sweep_band_names[set->band]);
        cJSON_AddStringToObject(one, "vocabulary", set->level == SWEEP_ANY ? "any" : sweep_level_names[set->level]);
        cJSON_AddItemToObject(one, "languages", languages_json(set->languages));
        cJSON_AddItemToObject(one, "drawn", OVER_DRAWS(drawn));
        cJSON *results = cJSON_AddArrayToObject(one, "results");
        for (int a = 0; a < SWEEP_AGGREGATIONS; a++) {
            cJSON *r = cJSON_CreateObject();
            cJSON_AddNumberToObject(r, "k", sweep_aggregations[a]); /* 0: all */
            cJSON_AddItemToObject(r, "accuracy", OVER_DRAWS(accuracy[a]));
            cJSON_AddItemToObject(r, "balanced_accuracy", OVER_DRAWS(balanced[a]));
            if (set->languages) {
                cJSON_AddItemToObject(r, "accuracy_in_listed_languages", OVER_DRAWS(seen[a]));
                cJSON_AddItemToObject(r, "accuracy_in_other_languages", OVER_DRAWS(unseen[a]));
            }
            cJSON *routes = cJSON_AddObjectToObject(r, "recall");
            for (uint32_t c = 0; c < d->route_count && d->route_count <= 32; c++)
                cJSON_AddItemToObject(routes, d->routes[c], OVER_DRAWS(recall[(size_t)a * d->route_count + c]));
            cJSON_AddItemToArray(results, r);
        }
        cJSON_AddItemToArray(settings, one);
        if (set->thresholds) add_thresholds(all, s, outcomes, values);
    }
    free(values);
    return all;
}

static double mean_accuracy(const sweeping *s, uint32_t p, int aggregation) {
    double sum = 0;
    for (uint32_t i = 0; i < s->seeds; i++) sum += s->outcomes[(size_t)p * s->seeds + i].accuracy[aggregation];
    return 100 * sum / s->seeds;
}

static void print_tables(const sweeping *s) {
    printf("accuracy in %%, by list length a route\n%-34s", "");
    for (int l = 0; l < LENGTHS; l++) printf("%7u", lengths[l]);
    printf("\n");
    for (int a = 0; a < SWEEP_AGGREGATIONS; a++) {
        uint32_t k = sweep_aggregations[a];
        char name[40];
        snprintf(name, sizeof name, k == 0 ? "mean of all" : k == 1 ? "nearest" : "mean of the %u nearest", k);
        printf("%-34s", name);
        for (uint32_t p = 0; p < s->planned_count; p++)
            if (!strcmp(s->plan[p].factor, "length")) printf("%7.1f", mean_accuracy(s, p, a));
        printf("\n");
    }
    printf("mean of the 5 nearest, and of\n");
    for (uint32_t p = 0; p < s->planned_count; p++) {
        const sweep_setting *x = &s->plan[p].setting;
        char name[80] = "";
        bool words = !strcmp(s->plan[p].factor, "words"), level = !strcmp(s->plan[p].factor, "vocabulary");
        if ((!words && !level && strcmp(s->plan[p].factor, "languages") != 0) || x->length != 1) continue;
        if (words)
            snprintf(name, sizeof name, "%s words", sweep_band_names[x->band]);
        else if (level)
            snprintf(name, sizeof name, "%s vocabulary", sweep_level_names[x->level]);
        else if (x->languages <= 0)
            snprintf(name, sizeof name, x->languages ? "English only" : "all languages");
        else
            snprintf(name, sizeof name, "%d language%s", x->languages, x->languages == 1 ? "" : "s");
        printf("  %-32s", name);
        for (uint32_t q = p; q < s->planned_count; q++) {
            const sweep_setting *y = &s->plan[q].setting;
            if (strcmp(s->plan[q].factor, s->plan[p].factor) == 0 && y->band == x->band && y->level == x->level &&
                y->languages == x->languages)
                printf("%7.1f", mean_accuracy(s, q, 3));
        }
        printf("\n");
    }
}

int sr_cmd_sweep(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long threads, seed, seeds;
    if (!cli_number(&args, "--threads", 1, 256, cli_cores(), &threads) ||
        !cli_number(&args, "--seed", 0, 1L << 52, 1, &seed) || !cli_number(&args, "--seeds", 2, 4096, 20, &seeds))
        return CLI_USAGE;
    if (!args.rest_count || !cli_given(&args, "--pool") || !cli_given(&args, "--vectors"))
        return cli_error("--pool, --vectors and test prompts are wanted; smartrouter sweep --help shows how"),
               CLI_USAGE;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    sweep_data data;
    sweep_source source = {.pool = cli_value(&args, "--pool"),
                           .vectors = cli_value(&args, "--vectors"),
                           .fit = cli_value(&args, "--fit"),
                           .leave_out = cli_value(&args, "--leave-out"),
                           .where = cli_value(&args, "--where"),
                           .pool_where = cli_value(&args, "--pool-where"),
                           .fallback = cli_value(&args, "--fallback"),
                           .tests = args.rest,
                           .test_count = args.rest_count,
                           .threads = (int)threads,
                           .skip_repeats = cli_given(&args, "--skip-repeats")};
    char model[512];
    if (!sweep_load(&source, &data, model, sizeof model)) return CLI_FAILED;
    planned plans[MAX_PLANNED];
    sweeping s = {.data = &data, .plan = plans, .seeds = (uint32_t)seeds, .seed = (uint64_t)seed};
    s.planned_count = plan(plans, data.lang_count);
    size_t tasks = (size_t)s.planned_count * s.seeds;
    int used = parallel_threads((int)threads, tasks);
    s.work = memory((size_t)used * sizeof *s.work);
    for (int t = 0; t < used; t++) s.work[t] = sweep_work_new(&data);
    s.outcomes = memory(tasks * sizeof *s.outcomes);
    s.recalls = memory(tasks * SWEEP_AGGREGATIONS * data.route_count * sizeof *s.recalls);
    parallel_for(tasks, used, "sweeping", draw_one, &s);
    clock_gettime(CLOCK_MONOTONIC, &end);

    cJSON *all = results_json(&s);
    size_t configurations = tasks * SWEEP_AGGREGATIONS + s.seeds * SWEEP_TAUS * SWEEP_MARGINS;
    cJSON_AddStringToObject(all, "model", model);
    cJSON_AddStringToObject(all, "space", source.fit ? "fitted map" : "centred");
    cJSON_AddNumberToObject(all, "pool", (double)data.pool.count);
    cJSON_AddNumberToObject(all, "tests", (double)data.tests.count);
    cJSON_AddNumberToObject(all, "languages_in_pool", data.lang_count);
    cJSON_AddNumberToObject(all, "seed", (double)seed);
    cJSON_AddNumberToObject(all, "draws", (double)seeds);
    cJSON_AddNumberToObject(all, "configurations", (double)configurations);
    if (source.leave_out) cJSON_AddStringToObject(all, "leave_out", source.leave_out);
    bool json = cli_given(&args, "--json"), fine = true;
    char *text = cJSON_Print(all);
    if (json) fine = puts(text) >= 0;
    if (!json) print_tables(&s);
    cli_note("%zu configurations in %.1f s", configurations,
             (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9);
    if (cli_given(&args, "--output")) fine = file_write(cli_value(&args, "--output"), text, strlen(text)) && fine;
    free(text);
    cJSON_Delete(all);
    for (int t = 0; t < used; t++) sweep_work_free(&s.work[t]);
    free(s.work), free(s.outcomes), free(s.recalls);
    sweep_unload(&data);
    return fine ? CLI_OK : CLI_FAILED;
}
