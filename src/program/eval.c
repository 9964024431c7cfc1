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
    {"--predictions", "FILE", "write every decision as JSONL"},
    {"--output", "FILE", "or -o: write the figures as JSON"},
    {"--json", NULL, "print JSON instead of tables"},
    {"--seed", "N", "of the bootstrap (default 1)"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {
    "eval", "accuracy of a router on labelled prompts, with intervals", "[options] FILE.jsonl | FOLDER ...", options,
    "  smartrouter eval prompts.jsonl\n"
    "  smartrouter eval --routes mine.srr --vectors dev-1.srv,dev-9.srv --json dev.jsonl\n"
    "  smartrouter eval --routes new.srr --compare old.srr dev.jsonl\n"
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
static bool answer(evaluation *e, engine *g, const cli_args *args, const char *asset_path, int threads) {
    labelled_options reading = {.where = cli_value(args, "--where"),
                                .group_field = cli_value(args, "--group"),
                                .needs_labels = true,
                                .needs_ids = true};
    const char *list = cli_value(args, "--vectors");
    int srv_count = 0;
    char **srv = cli_list(list, &srv_count);
    if (list && !srv_count) return cli_error("--vectors wants names of .srv files"), cli_list_free(srv, 0), false;
    bool fine = labelled_read(args->rest, args->rest_count, &reading, &e->data) &&
                engine_open(g, asset_path, NULL, cli_value(args, "--table"), ENGINE_ASSET | ENGINE_TABLE);
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

static bool report(const evaluation *e, const evaluation *other, const cli_args *args, const eval_options *o) {
    const char *only = cli_value(args, "--exit"), *output = cli_value(args, "--output");
    bool json = cli_given(args, "--json");
    const prediction_set *chosen = named_set(e, only), *against = other ? named_set(other, only) : NULL;
    if (!chosen || (other && !against)) return false;
    cJSON *all = cJSON_CreateObject(), *sets = cJSON_AddArrayToObject(all, "sets");
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
    }
    char *text = cJSON_Print(all);
    if (fine && json) fine = puts(text) >= 0;
    if (fine && output) fine = file_write(output, text, strlen(text));
    free(text);
    cJSON_Delete(all);
    return fine;
}

int sr_cmd_eval(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long threads, seed, mistakes;
    eval_options o = {.by = cli_value(&args, "--by")};
    if (!cli_number(&args, "--threads", 1, 256, cli_cores(), &threads) ||
        !cli_number(&args, "--seed", 0, 1L << 52, 1, &seed) ||
        !cli_number(&args, "--mistakes", 0, 1000000, 10, &mistakes) ||
        !cli_decimal(&args, "--false-alarm", 0, 1, 0.05, &o.false_alarm))
        return CLI_USAGE;
    o.seed = (uint64_t)seed, o.mistakes = (int)mistakes;
    if (!args.rest_count) return cli_error("labelled prompts are wanted: smartrouter eval FILE.jsonl"), CLI_USAGE;

    evaluation *e = memory(sizeof *e), *other = NULL;
    engine mine = {0}, theirs = {0};
    const char *compare = cli_value(&args, "--compare"), *routes = cli_value(&args, "--routes");
    bool from_file = args.rest_count == 1 && is_predictions(args.rest[0]);
    bool fine = from_file ? eval_read_predictions(e, args.rest[0]) : answer(e, &mine, &args, routes, (int)threads);
    if (fine && compare) {
        other = memory(sizeof *other);
        char *path = text_copy(compare, strlen(compare));
        if (is_predictions(compare))
            fine = eval_read_predictions(other, path);
        else if (from_file)
            cli_error("predictions are compared with predictions; %s holds none", compare), fine = false;
        else
            fine = answer(other, &theirs, &args, compare, (int)threads);
        free(path);
    }
    if (fine) warn(e);
    fine = fine && report(e, other, &args, &o);
    if (fine && cli_given(&args, "--predictions")) fine = eval_write_predictions(e, cli_value(&args, "--predictions"));
    eval_free(e), free(e);
    if (other) eval_free(other), free(other);
    engine_close(&mine), engine_close(&theirs);
    return fine ? CLI_OK : CLI_FAILED;
}
