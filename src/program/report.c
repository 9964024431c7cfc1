/* smartrouter report: everything measured, in one JSON and in Markdown tables. web/report makes the page of it. */
#include "asset.h"
#include "program/engine.h"
#include "program/figures.h"
#include "program/report_tables.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const cli_option options[] = {
    {"--data", "FOLDER", "where eval-NAME.json, sweep-NAME.json and the like lie (default build/report/data)"},
    {"--routes", "FILE", "the route asset whose configuration is shown; default: the one that make built"},
    {"--output", "FOLDER", "or -o: where report.json and the tables go (default build/report)"},
    {0}};
static const cli_command command = {
    "report", "gather what was measured: report.json, and tables in Markdown", "[options]", options,
    "  smartrouter report --data build/report/data -o build/report && node web/report/render.js\n"};

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files KIND-NAME.json of the folder, as members NAME of the object KIND. */
static bool gather(const char *folder, cJSON *out) {
    DIR *d = opendir(folder);
    if (!d) return cli_error("cannot open the folder %s; make evaluate fills it", folder), false;
    char **names = NULL;
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".json") != 0 || !strchr(entry->d_name, '-')) continue;
        names = memory_more(names, (count + 1) * sizeof *names);
        names[count++] = text_copy(entry->d_name, strlen(entry->d_name));
    }
    closedir(d);
    if (count) qsort(names, count, sizeof *names, by_name);
    bool fine = count > 0;
    if (!count) cli_error("%s holds no eval-NAME.json, sweep-NAME.json or profile-NAME.json", folder);
    for (size_t i = 0; i < count; i++) {
        char *path = memory(strlen(folder) + strlen(names[i]) + 2), message[200];
        sprintf(path, "%s/%s", folder, names[i]);
        file_bytes file = {0};
        cJSON *value =
            fine && file_read(path, &file) ? json_parse(file.data, file.bytes, message, sizeof message) : NULL;
        if (file.data && !value) cli_error("%s: %s", path, message);
        fine = fine && value;
        if (value) {
            char *dash = strchr(names[i], '-'), *dot = strrchr(names[i], '.');
            *dash = *dot = 0;
            cJSON *kind = cJSON_GetObjectItemCaseSensitive(out, names[i]);
            if (!kind) kind = cJSON_AddObjectToObject(out, names[i]);
            cJSON_AddItemToObject(kind, dash + 1, value);
        }
        file_free(&file);
        free(path), free(names[i]);
    }
    free(names);
    return fine;
}

static void add_text(cJSON *o, const char *name, sr_text t) {
    char *copy = text_copy(t.data ? t.data : "", t.bytes);
    cJSON_AddStringToObject(o, name, copy);
    free(copy);
}

static cJSON *exit_json(const sr_router *r, uint32_t x) {
    static const char *const embedders[] = {"encoder", "table", "external"};
    const sr_asset_exit *e = &r->exits[x];
    cJSON *o = cJSON_CreateObject(), *routes = cJSON_AddArrayToObject(o, "routes");
    cJSON_AddStringToObject(o, "embedder", embedders[e->info.embedder]);
    add_text(o, "model", e->info.model_id);
    cJSON_AddNumberToObject(o, "layer", e->info.layer);
    cJSON_AddNumberToObject(o, "dim", e->info.dim);
    cJSON_AddNumberToObject(o, "row_dim", e->info.row_dim);
    cJSON_AddNumberToObject(o, "aggregation", e->info.aggregation_k);
    cJSON_AddBoolToObject(o, "map", e->info.has_map);
    cJSON_AddBoolToObject(o, "head", e->info.has_head);
    cJSON_AddItemToObject(o, "stop_confidence", json_float((double)e->info.stop_confidence));
    cJSON *calibration = cJSON_AddArrayToObject(o, "calibration");
    for (int i = 0; i < 4; i++) cJSON_AddItemToArray(calibration, json_float((double)e->calibration[i]));
    for (uint32_t i = 0; i < r->route_count; i++) {
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToObject(one, "tau", json_float((double)e->params[i].tau));
        cJSON_AddItemToObject(one, "margin", json_float((double)e->params[i].margin));
        cJSON_AddItemToArray(routes, one);
    }
    return o;
}

/* The final configuration, as the asset has it. */
static void add_configuration(cJSON *out, const sr_router *r) {
    cJSON *o = cJSON_AddObjectToObject(out, "configuration");
    char content[24];
    snprintf(content, sizeof content, "%016llx", (unsigned long long)sr_router_content(r));
    add_text(o, "name", r->name);
    cJSON_AddStringToObject(o, "content", content);
    cJSON_AddNumberToObject(o, "bytes", (double)r->container.total_bytes);
    sr_route_info info;
    sr_router_route(r, r->fallback, &info);
    add_text(o, "fallback", info.id);
    cJSON *routes = cJSON_AddArrayToObject(o, "routes"), *exits = cJSON_AddArrayToObject(o, "exits");
    for (uint32_t i = 0; i < r->route_count; i++) {
        sr_router_route(r, i, &info);
        cJSON *one = cJSON_CreateObject();
        add_text(one, "id", info.id), add_text(one, "label", info.label);
        cJSON_AddNumberToObject(one, "utterances", info.utterance_count - info.negative_count);
        cJSON_AddNumberToObject(one, "negatives", info.negative_count);
        double words = 0;
        for (uint32_t u = 0; u < info.utterance_count; u++) {
            sr_utterance_info text;
            sr_router_utterance(r, info.first_utterance + u, &text);
            char *copy = text_copy(text.text.data ? text.text.data : "", text.text.bytes);
            words += (double)labelled_words(copy);
            free(copy);
        }
        if (info.utterance_count) cJSON_AddItemToObject(one, "mean_words", json_float(words / info.utterance_count));
        cJSON_AddItemToArray(routes, one);
    }
    for (uint32_t x = 0; x < r->exit_count; x++) cJSON_AddItemToArray(exits, exit_json(r, x));
}

static bool write_in(const char *folder, const char *name, const char *text, size_t bytes) {
    char *path = memory(strlen(folder) + strlen(name) + 2);
    sprintf(path, "%s/%s", folder, name);
    bool fine = file_write(path, text, bytes);
    free(path);
    return fine;
}

static bool write_tables(const char *output, const report_table *tables, const cJSON *all) {
    bool fine = true;
    for (int t = 0; tables[t].name && fine; t++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *to = open_memstream(&text, &bytes);
        if (!to) return cli_error("out of memory"), false;
        tables[t].write(all, to);
        fclose(to);
        if (bytes) fine = write_in(output, tables[t].name, text, bytes), cli_note("%s/%s", output, tables[t].name);
        free(text);
    }
    return fine;
}

int sr_cmd_report(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    if (args.rest_count) return cli_error("report takes options only"), CLI_USAGE;
    const char *data = cli_value(&args, "--data"), *output = cli_value(&args, "--output");
    if (!data) data = "build/report/data";
    if (!output) output = "build/report";
    mkdir(output, 0777);
    cJSON *all = cJSON_CreateObject();
    engine g = {0};
    bool fine = gather(data, all) && engine_open(&g, cli_value(&args, "--routes"), NULL, NULL, ENGINE_ASSET);
    if (fine) {
        add_configuration(all, g.router);
        char *text = cJSON_PrintUnformatted(all);
        fine = write_in(output, "report.json", text, strlen(text));
        free(text);
    }
    fine = fine && write_tables(output, report_tables, all) && write_tables(output, report_models_tables, all);
    cJSON_Delete(all);
    engine_close(&g);
    return fine ? CLI_OK : CLI_FAILED;
}
