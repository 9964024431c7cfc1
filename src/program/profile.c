/* smartrouter profile: which embedding model should draw the map? */
#include "program/eval_data.h"
#include "program/figures.h"
#include "program/profile_fit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--pool", "FILES", "labelled prompts to draw utterances from: JSONL or folders, with commas between"},
    {"--tests", "FILES", "labelled prompts to route"},
    {"--leave-out", "FIELD", "utterances never come from a test prompt's own source, lang, topic, ..."},
    {"--clinc", "FILE", "CLINC150 as JSONL with split train and test: 10 shots and full, out of scope"},
    {"--home", "FILE", "another such benchmark, as it is: home-intents.jsonl"},
    {"--mteb", "FILE", "published figures to set beside: mteb-classification.csv"},
    {"--fit", NULL, "instead: plain and centred cosine, whitening, map and head on the same utterances; wants --pool"},
    {"--one-in", "K", "of the pool a sample, embed's with the same K"},
    {"--tests-one-in", "K", "of the tests"},
    {"--benchmarks-one-in", "K", "of the benchmarks"},
    {"--model", "FILE", "the encoder (.srm) that made the vectors: its bytes and milliseconds a prompt, too"},
    {"--skip-repeats", NULL, "leave pool prompts out that are test prompts too, rather than refuse"},
    {"--seeds", "N", "draws of utterances (default 20); a quarter of them for shots"},
    {"--seed", "N", "the first seed (default 1)"},
    {"--output", "FILE", "or -o: write everything as JSON"},
    {"--json", NULL, "print JSON instead of a table"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {
    "profile", "embedding models side by side, from their .srv files",
    "[options] VECTORS.srv ...\n\n"
    "Files of one model and exit count as one embedder. An embedder is measured on what it has vectors for. All "
    "spaces\n"
    "are centred by the training rows' mean. With --fit, pool prompts that are left out for no test are ordinary\n"
    "prompts and utterances, and each space is an asset that the matcher answers by: accuracy, bytes, time.",
    options,
    "  smartrouter profile --pool routes/corpus --tests dev.jsonl corpus-9.srv dev-9.srv corpus-minilm.srv "
    "dev-minilm.srv\n"
    "  smartrouter profile --clinc clinc150.jsonl --mteb mteb-classification.csv clinc-*.srv -o profile.json\n"
    "  smartrouter profile --fit --pool routes/corpus,dev.jsonl --tests dev.jsonl --leave-out source corpus-9.srv "
    "dev-9.srv\n"};

typedef struct {
    srv_set sets[SR_MAX_EXITS * 4];
    uint32_t count;
} embedders;

static bool group_files(char *const *paths, int count, embedders *out) {
    for (int i = 0; i < count; i++) {
        srv_file f;
        if (!srv_read(paths[i], &f)) return false;
        uint32_t e = 0;
        while (e < out->count && !srv_same_pin(&out->sets[e].files[0].pin, &f.pin)) e++;
        if (e == sizeof out->sets / sizeof *out->sets) return cli_error("too many embedders"), srv_free(&f), false;
        srv_set *s = &out->sets[e];
        if (e == out->count) {
            out->count++;
            s->files = memory((size_t)count * sizeof *s->files), s->paths = memory((size_t)count * sizeof *s->paths);
        }
        s->files[s->count] = f, s->paths[s->count++] = text_copy(paths[i], strlen(paths[i]));
    }
    return true;
}

static void cell(double share) {
    if (isnan(share))
        printf("%8s", "-");
    else
        printf("%8.1f", 100 * share);
}

static void print_name(const cJSON *e) {
    char name[320];
    const cJSON *layer = json_get(e, "layer");
    snprintf(name, sizeof name, "%s", json_get(e, "model")->valuestring);
    if (layer) snprintf(name + strlen(name), 32, " exit %d", layer->valueint);
    printf("%-34s", name);
}

static void print_spaces(const cJSON *list) {
    const cJSON *e, *table, *space;
    printf("%-34s %-13s%-14s   right   AUROC     bytes      us\n", "accuracy in %", "table", "space");
    cJSON_ArrayForEach(e, list) {
        cJSON_ArrayForEach(table, json_get(e, "spaces")) {
            cJSON_ArrayForEach(space, table) {
                print_name(e);
                printf(" %-13s%-14s", table->string, space->string);
                cell(figure(space, "accuracy")), cell(figure(space, "out_of_scope_auroc"));
                printf("%10.0f%8.1f\n", figure(space, "asset_bytes"), figure(space, "match_us"));
            }
        }
    }
}

static void print_table(const cJSON *list) {
    const cJSON *e;
    printf("%-34s   routing, utterances a route             CLINC150, 10 shots       full    home    MTEB\n", "");
    printf("%-34s       1       4      16      64    head    near    head   AUROC    head    head     en\n",
           "accuracy in %");
    cJSON_ArrayForEach(e, list) {
        print_name(e);
        static const char *const columns[] = {"routing.utterances.1",
                                              "routing.utterances.4",
                                              "routing.utterances.16",
                                              "routing.utterances.64",
                                              "routing.head",
                                              "clinc150.shots_10.utterances.accuracy",
                                              "clinc150.shots_10.head.accuracy",
                                              "clinc150.shots_10.utterances.out_of_scope_auroc",
                                              "clinc150.full.head.accuracy",
                                              "home_intents.full.head.accuracy"};
        for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) cell(figure(e, columns[c]));
        double mteb = figure(e, "mteb.english");
        if (isnan(mteb))
            printf("%7s\n", "-");
        else
            printf("%7.1f\n", mteb);
    }
}

typedef struct {
    sweep_source source;
    sweep_data data;
    benchmark clinc, home;
    bool has_routing, has_clinc, has_home;
    int seeds, threads;
    uint64_t seed;
    const char *mteb, *model;
    bool fit;
} profiling;

static cJSON *profile_one(profiling *p, const srv_set *set) {
    const srv_pin *pin = &set->files[0].pin;
    cJSON *o = cJSON_CreateObject(), *part;
    char *model = text_copy(pin->model_id.data, pin->model_id.bytes), content[32];
    cJSON_AddStringToObject(o, "model", model);
    if (pin->embedder == SR_EMBEDDER_ENCODER) cJSON_AddNumberToObject(o, "layer", pin->layer);
    cJSON_AddNumberToObject(o, "dimensions", pin->dim);
    snprintf(content, sizeof content, "%016llx", (unsigned long long)pin->content);
    if (pin->content) cJSON_AddStringToObject(o, "content", content);
    int shot_seeds = p->seeds / 4 < 1 ? 1 : p->seeds / 4 > PROFILE_MAX_DRAWS ? PROFILE_MAX_DRAWS : p->seeds / 4;
    if (p->fit) {
        part = profile_fit(&p->data, p->has_clinc ? &p->clinc : NULL, p->has_home ? &p->home : NULL, set, shot_seeds,
                           p->seed, p->threads);
        if (part) cJSON_AddItemToObject(o, "spaces", part);
        free(model);
        return part ? o : (cJSON_Delete(o), NULL);
    }
    if (p->has_routing && sweep_load_vectors(&p->source, set, &p->data, true, true))
        cJSON_AddItemToObject(o, "routing", profile_routing(&p->data, set, p->seeds, p->seed, p->threads));
    if (p->model) {
        part = profile_cost(p->model, set, p->has_routing ? &p->data.tests : &p->clinc.test);
        if (!part) return free(model), cJSON_Delete(o), NULL;
        cJSON_AddItemToObject(o, "cost", part);
    }
    if (p->has_clinc && (part = profile_benchmark(&p->clinc, set, 10, shot_seeds, p->seed, p->threads)))
        cJSON_AddItemToObject(o, "clinc150", part);
    if (p->has_home && (part = profile_benchmark(&p->home, set, 0, 1, p->seed, p->threads)))
        cJSON_AddItemToObject(o, "home_intents", part);
    if (p->mteb && (part = profile_mteb(p->mteb, model, pin->model_id.bytes))) cJSON_AddItemToObject(o, "mteb", part);
    if (!json_get(o, "routing") && !json_get(o, "clinc150") && !json_get(o, "home_intents")) {
        cli_error("%s: these files have vectors for none of the prompts asked for", srv_pin_text(pin));
        cJSON_Delete(o);
        o = NULL;
    }
    free(model);
    return o;
}

int sr_cmd_profile(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long threads, seed, seeds, one_in, tests_one_in, benchmarks_one_in;
    if (!cli_number(&args, "--one-in", 1, 1000000, 1, &one_in) ||
        !cli_number(&args, "--tests-one-in", 1, 1000000, 1, &tests_one_in) ||
        !cli_number(&args, "--benchmarks-one-in", 1, 1000000, 1, &benchmarks_one_in) ||
        !cli_number(&args, "--threads", 1, 256, cli_cores(), &threads) ||
        !cli_number(&args, "--seed", 0, 1L << 52, 1, &seed) || !cli_number(&args, "--seeds", 2, 1000, 20, &seeds))
        return CLI_USAGE;
    const char *pool = cli_value(&args, "--pool"), *tests = cli_value(&args, "--tests");
    const char *clinc = cli_value(&args, "--clinc"), *home = cli_value(&args, "--home");
    if (!pool != !tests) return cli_error("--pool and --tests go together"), CLI_USAGE;
    if (cli_given(&args, "--fit") && !pool) return cli_error("--fit wants --pool and --tests"), CLI_USAGE;
    if (cli_given(&args, "--model") && !pool && !clinc) return cli_error("--model wants --tests or --clinc"), CLI_USAGE;
    if (!args.rest_count) return cli_error(".srv files are wanted; smartrouter profile --help shows how"), CLI_USAGE;
    if (!pool && !clinc && !home) return cli_error("measure on what? --pool and --tests, --clinc, --home"), CLI_USAGE;
    profiling *p = memory(sizeof *p);
    embedders *all = memory(sizeof *all);
    int test_count = 0;
    char **test_paths = cli_list(tests, &test_count);
    p->seeds = (int)seeds, p->seed = (uint64_t)seed, p->threads = (int)threads, p->mteb = cli_value(&args, "--mteb");
    p->model = cli_value(&args, "--model");
    p->fit = cli_given(&args, "--fit");
    p->source = (sweep_source){.pool = pool,
                               .leave_out = cli_value(&args, "--leave-out"),
                               .tests = test_paths,
                               .test_count = test_count,
                               .threads = (int)threads,
                               .one_in = (uint32_t)one_in,
                               .tests_one_in = (uint32_t)tests_one_in,
                               .skip_repeats = cli_given(&args, "--skip-repeats")};
    bool fine = group_files(args.rest, args.rest_count, all);
    if (fine && pool) fine = p->has_routing = sweep_load_texts(&p->source, &p->data);
    char *clinc_path = text_copy(clinc ? clinc : "", strlen(clinc ? clinc : ""));
    char *home_path = text_copy(home ? home : "", strlen(home ? home : ""));
    if (fine && clinc) fine = p->has_clinc = benchmark_read(&p->clinc, clinc_path, (uint32_t)benchmarks_one_in);
    if (fine && home) fine = p->has_home = benchmark_read(&p->home, home_path, (uint32_t)benchmarks_one_in);
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "embedders");
    cJSON_AddNumberToObject(o, "seed", (double)seed);
    cJSON_AddNumberToObject(o, "draws", (double)seeds);
    cJSON_AddNumberToObject(o, "one_in", (double)one_in);
    cJSON_AddNumberToObject(o, "tests_one_in", (double)tests_one_in);
    cJSON_AddNumberToObject(o, "benchmarks_one_in", (double)benchmarks_one_in);
    for (uint32_t e = 0; e < all->count && fine; e++) {
        cli_progress("profiling", e, all->count);
        cJSON *one = profile_one(p, &all->sets[e]);
        fine = one != NULL;
        if (one) cJSON_AddItemToArray(list, one);
    }
    if (fine) {
        char *text = cJSON_Print(o);
        if (cli_given(&args, "--json"))
            fine = puts(text) >= 0;
        else if (p->fit)
            print_spaces(list);
        else
            print_table(list);
        if (cli_given(&args, "--output")) fine = file_write(cli_value(&args, "--output"), text, strlen(text)) && fine;
        free(text);
    }
    cJSON_Delete(o);
    for (uint32_t e = 0; e < all->count; e++) srv_set_free(&all->sets[e]);
    cli_list_free(test_paths, test_count);
    if (p->has_routing) sweep_unload(&p->data);
    benchmark_free(&p->clinc), benchmark_free(&p->home);
    free(clinc_path), free(home_path), free(all), free(p);
    return fine ? CLI_OK : CLI_FAILED;
}
