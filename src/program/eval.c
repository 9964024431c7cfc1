/* smartrouter eval: how right is a router on labelled prompts? */
#include "program/eval_data.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--routes", "FILE", "route asset (.srr); default: the one that make built"},
    {"--model", "FILE", "encoder model (.srm); default: the one that make built"},
    {"--table", "FILE", "piece table (.srt)"},
    {"--vectors", "FILES",
     "the prompts' vectors, one .srv a layer, with commas between; then the encoder is not needed"},
    {"--exit", "NAME", "report only this: a layer number, table, external or anytime"},
    {"--where", "FIELD=VALUE", "only these prompts"},
    {"--group", "FIELD",
     "prompts that share this field count once in intervals (default: the field group, else versions\n"
     "by id: vic-fr-68 and vic-de-68)"},
    {"--by", "FIELDS", "accuracy by these fields (default: those of lang, source, hard, kind, style that vary)"},
    {"--false-alarm", "RATE",
     "in-scope prompts that may be rejected while out-of-scope ones are caught (default 0.05)"},
    {"--mistakes", "N", "show the N surest mistakes (default 10)"},
    {"--compare", "FILE", "paired test against another .srr, or against a file of predictions (.jsonl)"},
    {"--sample", "N", "only N of the prompts, drawn at random (default: all)"},
    {"--learn", "LIST", "and a simulated user who overrides so many mistakes of one exit: 5,20,50"},
    {"--robust", NULL, "and the same prompts badly typed, with greetings, with a pasted document, ...; embeds anew"},
    {"--predictions", "FILE", "write every decision as JSONL"},
    {"--output", "FILE", "or -o: write the figures as JSON"},
    {"--json", NULL, "print JSON instead of tables"},
    {"--seed", "N", "of all that is drawn at random (default 1)"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {
    "eval", "accuracy of a router on labelled prompts, with intervals", "[options] FILE.jsonl | FOLDER ...", options,
    "  smartrouter eval prompts.jsonl\n"
    "  smartrouter eval --routes mine.srr --vectors dev-1.srv,dev-9.srv --json dev.jsonl\n"
    "  smartrouter eval --routes new.srr --compare old.srr dev.jsonl\n"
    "  smartrouter eval --learn 5,20,50 --vectors dev-9.srv dev.jsonl\n"
    "  smartrouter eval --robust --sample 200 prompts.jsonl\n"
    "  smartrouter eval --compare a.predictions.jsonl b.predictions.jsonl\n"};

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

/* A file of predictions has no texts: its first line says. */
static bool is_predictions(const char *path) {
    char line[8192];
    FILE *f = ends_with(path, ".jsonl") ? fopen(path, "rb") : NULL;
    bool found = f && fgets(line, sizeof line, f) && strstr(line, "\"predicted\"") && strstr(line, "\"truth\"");
    if (f) fclose(f);
    return found;
}

/* Fills e from a router at asset_path (null: the default). The engine must stay open as long as e is used. */
static bool answer(evaluation *e, engine *g, const cli_args *args, const char *asset_path, const eval_options *o,
                   int threads) {
    labelled_options reading = {.where = cli_value(args, "--where"),
                                .group_field = cli_value(args, "--group"),
                                .needs_labels = true,
                                .needs_ids = true};
    const char *list = cli_value(args, "--vectors");
    int srv_count = 0;
    char **srv = cli_list(list, &srv_count);
    if (list && !srv_count) return cli_error("--vectors wants names of .srv files"), cli_list_free(srv, 0), false;
    bool fine = labelled_read(args->rest, args->rest_count, &reading, &e->data);
    if (fine && o->sample) labelled_sample(&e->data, o->sample, o->seed);
    fine = fine && engine_open(g, asset_path, NULL, cli_value(args, "--table"), ENGINE_ASSET | ENGINE_TABLE);
    if (fine && !list) {
        engine parts;
        bool external = true;
        for (uint32_t x = 0; x < sr_router_exit_count(g->router); x++) {
            sr_exit_info info;
            sr_router_exit(g->router, x, &info);
            external = external && info.embedder == SR_EMBEDDER_EXTERNAL;
        }
        engine_close(g);
        fine = engine_open(&parts, asset_path, cli_value(args, "--model"), cli_value(args, "--table"),
                           ENGINE_ASSET | ENGINE_TABLE | (external ? 0 : ENGINE_MODEL));
        *g = parts;
    }
    fine = fine && eval_predict(e, g, srv, srv_count, threads);
    cli_list_free(srv, srv_count);
    return fine;
}

/* The set that stands for a router: anytime when there is one, else the last exit. */
static const prediction_set *main_set(const evaluation *e) {
    for (uint32_t s = 0; s < e->set_count; s++)
        if (e->sets[s].is_anytime) return &e->sets[s];
    return &e->sets[e->set_count - 1];
}

static const prediction_set *named_set(const evaluation *e, const char *name) {
    if (!name) return main_set(e);
    char exit[96];
    snprintf(exit, sizeof exit, "exit %s", name);
    for (uint32_t s = 0; s < e->set_count; s++)
        if (!strcmp(e->sets[s].name, name) || !strcmp(e->sets[s].name, exit)) return &e->sets[s];
    cli_error("no answers of '%s'; there are:", name);
    for (uint32_t s = 0; s < e->set_count; s++) cli_note("  %s", e->sets[s].name);
    return NULL;
}

static void warn(const evaluation *e) {
    uint32_t seen = 0;
    for (uint32_t r = 0; r < e->route_count; r++) {
        size_t n = 0;
        for (size_t i = 0; i < e->sets[0].count; i++) n += e->sets[0].rows[i].truth == (int32_t)r;
        seen += n > 0;
    }
    if (seen == 0) cli_note("note: no prompt has a route as its label; there is no accuracy");
    if (seen == 1) cli_note("note: all prompts have one label; precision and balanced accuracy say nothing here");
}

/* "5,20,50"; no list: none. */
static bool parse_overrides(const char *list, eval_options *o) {
    for (const char *p = list; p && o->stages < EVAL_MAX_STAGES;) {
        char *end;
        unsigned long n = strtoul(p, &end, 10);
        bool rising = n > (o->stages ? o->overrides[o->stages - 1] : 0) && n <= 10000;
        if (end == p || !rising || (*end && *end != ',')) break;
        o->overrides[o->stages++] = (uint32_t)n;
        if (!*end) return true;
        p = end + 1;
    }
    if (list) cli_error("--learn wants up to %d rising numbers such as 5,20,50, not '%s'", EVAL_MAX_STAGES, list);
    return !list;
}

/* What --learn and --robust ask for beside the figures. */
static bool add_extras(cJSON *all, const evaluation *e, const engine *g, const cli_args *args, const eval_options *o,
                       int threads) {
    const prediction_set *chosen = named_set(e, cli_value(args, "--exit"));
    if (!chosen) return false;
    if (o->stages) {
        const prediction_set *one_exit = chosen->is_anytime ? chosen - 1 : chosen; /* the deepest stands before it */
        cJSON_AddItemToObject(all, "learn", eval_learn(e, one_exit, o, threads));
    }
    if (!cli_given(args, "--robust")) return true;
    cJSON *robust = eval_robust(e, g, chosen, o->seed, threads);
    if (robust) cJSON_AddItemToObject(all, "robust", robust);
    return robust;
}

static bool report(const evaluation *e, const evaluation *other, cJSON *all, const cli_args *args,
                   const eval_options *o) {
    const char *only = cli_value(args, "--exit"), *output = cli_value(args, "--output");
    bool json = cli_given(args, "--json");
    const prediction_set *chosen = named_set(e, only), *against = other ? named_set(other, only) : NULL;
    if (!chosen || (other && !against)) return false;
    cJSON *sets = cJSON_AddArrayToObject(all, "sets");
    cJSON_AddNumberToObject(all, "seed", (double)o->seed);
    cJSON_AddStringToObject(all, "chosen", chosen->name);
    for (uint32_t s = 0; s < e->set_count; s++) {
        if (only && &e->sets[s] != chosen) continue;
        eval_options each = *o;
        if (&e->sets[s] != chosen) each.mistakes = 0;
        cJSON_AddItemToArray(sets, eval_metrics(e, &e->sets[s], &each));
    }
    bool fine = true;
    if (other) {
        cJSON *compared = eval_compare(other, against, e, chosen, o->seed);
        if (!compared) cli_error("the two share no prompt with the same id and label"), fine = false;
        if (compared) cJSON_AddItemToObject(all, "compared", compared);
    }
    if (fine && !json) {
        const cJSON *m;
        if (cJSON_GetArraySize(sets) > 1) eval_print_summary(sets, stdout), putchar('\n');
        cJSON_ArrayForEach(m, sets) if (!strcmp(json_get(m, "set")->valuestring, chosen->name)) eval_print(m, stdout);
        if (other)
            printf("\n%s against --compare %s\n", chosen->name, cli_value(args, "--compare")),
                eval_print_compare(json_get(all, "compared"), stdout);
        if (json_get(all, "learn")) eval_print_learn(json_get(all, "learn"), stdout);
        if (json_get(all, "robust")) eval_print_robust(json_get(all, "robust"), stdout);
    }
    char *text = cJSON_Print(all);
    if (fine && json) fine = puts(text) >= 0;
    if (fine && output) fine = file_write(output, text, strlen(text));
    free(text);
    return fine;
}

int sr_cmd_eval(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long threads, seed, mistakes, sample;
    eval_options o = {.by = cli_value(&args, "--by")};
    if (!cli_number(&args, "--threads", 1, 256, cli_cores(), &threads) ||
        !cli_number(&args, "--seed", 0, 1L << 52, 1, &seed) ||
        !cli_number(&args, "--mistakes", 0, 1000000, 10, &mistakes) ||
        !cli_number(&args, "--sample", 1, 1L << 31, 0, &sample) ||
        !cli_decimal(&args, "--false-alarm", 0, 1, 0.05, &o.false_alarm))
        return CLI_USAGE;
    o.seed = (uint64_t)seed, o.mistakes = (int)mistakes, o.sample = (size_t)sample;
    if (!args.rest_count) return cli_error("labelled prompts are wanted: smartrouter eval FILE.jsonl"), CLI_USAGE;

    bool from_file = args.rest_count == 1 && is_predictions(args.rest[0]);
    bool robust = cli_given(&args, "--robust");
    if (!parse_overrides(cli_value(&args, "--learn"), &o)) return CLI_USAGE;
    if ((o.stages || robust) && from_file)
        return cli_error("--learn and --robust want prompts; %s holds predictions", args.rest[0]), CLI_USAGE;
    if (robust && cli_given(&args, "--vectors"))
        return cli_error("--robust changes the prompts and embeds them itself; leave --vectors out"), CLI_USAGE;
    evaluation *e = memory(sizeof *e), *other = NULL;
    engine mine = {0}, theirs = {0};
    const char *compare = cli_value(&args, "--compare"), *routes = cli_value(&args, "--routes");
    e->keep_vectors = o.stages > 0;
    bool fine = from_file ? eval_read_predictions(e, args.rest[0]) : answer(e, &mine, &args, routes, &o, (int)threads);
    if (fine && compare) {
        other = memory(sizeof *other);
        char *path = text_copy(compare, strlen(compare));
        if (is_predictions(compare))
            fine = eval_read_predictions(other, path);
        else if (from_file)
            cli_error("predictions are compared with predictions; %s holds none", compare), fine = false;
        else
            fine = answer(other, &theirs, &args, compare, &o, (int)threads);
        free(path);
    }
    if (fine) warn(e);
    cJSON *all = cJSON_CreateObject();
    fine = fine && add_extras(all, e, &mine, &args, &o, (int)threads) && report(e, other, all, &args, &o);
    cJSON_Delete(all);
    if (fine && cli_given(&args, "--predictions")) fine = eval_write_predictions(e, cli_value(&args, "--predictions"));
    eval_free(e), free(e);
    if (other) eval_free(other), free(other);
    engine_close(&mine), engine_close(&theirs);
    return fine ? CLI_OK : CLI_FAILED;
}
