/* smartrouter inspect: what is in a file, for people and, with --json, for programs. */
#include "container.h"
#include "program/engine.h"
#include "program/srv.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--json", NULL, "answer as JSON"}, {"--utterances", NULL, "list a route asset's utterances, too"}, {0}};
static const cli_command command = {"inspect", "show what is in a .srr, .srm, .srt, .srf or .srv file",
                                    "[options] FILE ...", options,
                                    "  smartrouter inspect build/routes/five-routes.srr\n"
                                    "  smartrouter inspect --json build/model/smartrouter-model.srm\n"};

static const struct {
    char magic[5];
    const char *kind;
} kinds[] = {
    {"SRR1", "route asset"}, {"SRM1", "encoder model"}, {"SRT1", "piece table"}, {"SRF1", "fit"}, {"SRV1", "vectors"}};

static cJSON *string_json(sr_text t) {
    char *copy = text_copy(t.data, t.bytes);
    cJSON *item = cJSON_CreateString(copy);
    free(copy);
    return item;
}

static cJSON *hex_json(uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)value);
    return cJSON_CreateString(text);
}

static cJSON *router_json(const sr_router *r, bool utterances) {
    static const char *const embedders[] = {"encoder", "table", "external"};
    cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "routes");
    sr_route_info info;
    sr_router_route(r, sr_router_fallback(r), &info);
    cJSON_AddItemToObject(o, "fallback", string_json(info.id));
    for (uint32_t i = 0; i < sr_router_route_count(r); i++) {
        sr_router_route(r, i, &info);
        cJSON *one = cJSON_CreateObject();
        cJSON_AddItemToObject(one, "id", string_json(info.id));
        cJSON_AddItemToObject(one, "label", string_json(info.label));
        cJSON_AddItemToObject(one, "target", string_json(info.target));
        cJSON_AddNumberToObject(one, "utterances", info.utterance_count - info.negative_count);
        cJSON_AddNumberToObject(one, "negatives", info.negative_count);
        if (utterances) {
            cJSON *texts = cJSON_AddArrayToObject(one, "texts");
            for (uint32_t u = 0; u < info.utterance_count; u++) {
                sr_utterance_info utterance;
                sr_router_utterance(r, info.first_utterance + u, &utterance);
                cJSON_AddItemToArray(texts, string_json(utterance.text));
            }
        }
        cJSON_AddItemToArray(list, one);
    }
    list = cJSON_AddArrayToObject(o, "exits");
    for (uint32_t i = 0; i < sr_router_exit_count(r); i++) {
        sr_exit_info e;
        sr_router_exit(r, i, &e);
        cJSON *one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "embedder", embedders[e.embedder]);
        cJSON_AddNumberToObject(one, "layer", e.layer);
        cJSON *layers = cJSON_AddArrayToObject(one, "layers");
        for (uint32_t l = 0; l < SR_MAX_EXITS; l++)
            if (e.layer_mask >> l & 1) cJSON_AddItemToArray(layers, cJSON_CreateNumber(l));
        cJSON_AddItemToObject(one, "model", string_json(e.model_id));
        cJSON_AddItemToObject(one, "modelContent", hex_json(e.model_content));
        cJSON_AddItemToObject(one, "prefix", string_json(e.prefix));
        cJSON_AddNumberToObject(one, "dim", e.dim);
        cJSON_AddNumberToObject(one, "rowDim", e.row_dim);
        cJSON_AddStringToObject(one, "rows", e.row_is_f32 ? "f32" : "int8");
        cJSON_AddBoolToObject(one, "map", e.has_map != 0);
        cJSON_AddBoolToObject(one, "head", e.has_head != 0);
        cJSON_AddBoolToObject(one, "plane", e.has_plane != 0);
        cJSON_AddNumberToObject(one, "aggregationK", e.aggregation_k);
        cJSON_AddItemToObject(one, "stopConfidence", json_float(e.stop_confidence));
        cJSON *thresholds = cJSON_AddObjectToObject(one, "thresholds"),
              *margins = cJSON_AddObjectToObject(one, "margins");
        for (uint32_t j = 0; j < sr_router_route_count(r); j++) {
            float tau, margin;
            sr_router_route(r, j, &info);
            sr_router_thresholds(r, i, j, &tau, &margin);
            char *id = text_copy(info.id.data, info.id.bytes);
            cJSON_AddItemToObject(thresholds, id, json_float(tau));
            cJSON_AddItemToObject(margins, id, json_float(margin));
            free(id);
        }
        cJSON_AddItemToArray(list, one);
    }
    return o;
}

static cJSON *model_json(const sr_model *m) {
    sr_model_info info;
    cJSON *o = cJSON_CreateObject();
    if (sr_model_info_get(m, &info) < 0) return o;
    cJSON_AddItemToObject(o, "id", string_json(info.id));
    cJSON_AddItemToObject(o, "prefix", string_json(info.prefix));
    cJSON_AddNumberToObject(o, "dim", info.dim);
    cJSON_AddNumberToObject(o, "layers", info.layers);
    cJSON_AddNumberToObject(o, "heads", info.heads);
    cJSON_AddNumberToObject(o, "ffnDim", info.ffn_dim);
    cJSON_AddNumberToObject(o, "vocabulary", info.vocab);
    cJSON_AddNumberToObject(o, "maxTokens", info.max_tokens);
    return o;
}

/* Indented "name: value" lines out of the JSON, so that the two outputs never tell different things. */
static void print_plain(const cJSON *item, int depth) {
    for (const cJSON *m = item->child; m; m = m->next) {
        printf("%*s", depth * 2, "");
        if (m->string)
            printf("%s: ", m->string);
        else
            printf("- ");
        if (cJSON_IsObject(m) || cJSON_IsArray(m)) {
            bool flat = true;
            for (const cJSON *n = m->child; n; n = n->next) flat &= !cJSON_IsObject(n) && !cJSON_IsArray(n);
            if (!flat || cJSON_IsArray(m)) {
                putchar('\n');
                print_plain(m, depth + 1);
                continue;
            }
            for (const cJSON *n = m->child; n; n = n->next) {
                char *text = cJSON_IsString(n) ? NULL : cJSON_PrintUnformatted(n);
                printf("%s%s %s", n == m->child ? "" : ", ", n->string, text ? text : n->valuestring);
                free(text);
            }
            putchar('\n');
        } else {
            char *text = cJSON_IsString(m) ? NULL : cJSON_PrintUnformatted(m);
            puts(text ? text : m->valuestring);
            free(text);
        }
    }
}

static bool inspect(const char *path, bool json, bool utterances) {
    file_bytes file;
    if (!file_read(path, &file)) return false;
    int kind = -1;
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++)
        if (file.bytes >= 4 && memcmp(file.data, kinds[i].magic, 4) == 0) kind = i;
    sr_container c;
    int rc = kind < 0 ? SR_E_MAGIC : sr_container_open(file.data, file.bytes, kinds[kind].magic, UINT32_MAX, &c);
    bool whole = rc == 0 && file.bytes >= c.total_bytes;
    if (rc < 0) {
        cli_error("%s: %s (%s)", path, sr_error_text(rc), sr_error_name(rc));
        file_free(&file);
        return false;
    }
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "file", path);
    cJSON_AddStringToObject(o, "kind", kinds[kind].kind);
    cJSON_AddNumberToObject(o, "version", sr_load32((const uint8_t *)file.data + 4));
    cJSON_AddNumberToObject(o, "bytes", (double)c.total_bytes);
    if (!whole) cJSON_AddNumberToObject(o, "bytesHere", (double)file.bytes);
    cJSON_AddItemToObject(o, "content", hex_json(c.content));
    cJSON *sections = cJSON_AddArrayToObject(o, "sections");
    bool damaged = false;
    for (uint32_t i = 0; i < c.section_count; i++) {
        sr_section s;
        sr_container_section(&c, i, &s);
        int state = sr_container_verify(&c, &s, file.bytes);
        damaged |= state == SR_E_CHECKSUM;
        cJSON *one = cJSON_CreateObject();
        cJSON_AddNumberToObject(one, "kind", s.kind & 0x7fffffff);
        cJSON_AddNumberToObject(one, "index", s.index);
        cJSON_AddNumberToObject(one, "bytes", (double)s.bytes);
        cJSON_AddStringToObject(one, "state", state == 0 ? "ok" : state == SR_E_CHECKSUM ? "damaged" : "not here");
        cJSON_AddItemToArray(sections, one);
        if (s.kind == 0x80000001u && state == 0) {
            sr_text notes = {(const char *)file.data + s.offset, (size_t)s.bytes};
            cJSON_AddItemToObject(o, "notes", string_json(notes));
        }
    }
    file_bytes again = {0};
    void *open_memory = NULL;
    const sr_router *router = NULL;
    const sr_model *model = NULL;
    bool fine = !damaged && whole;
    if (fine && kind == 0 && (fine = open_router(path, &again, &open_memory, &router)))
        cJSON_AddItemToObject(o, "asset", router_json(router, utterances));
    if (fine && kind == 1 && (fine = open_model(path, &again, &open_memory, &model)))
        cJSON_AddItemToObject(o, "model", model_json(model));
    srv_file vectors;
    if (fine && kind == 4 && (fine = srv_read(path, &vectors))) {
        cJSON *one = cJSON_AddObjectToObject(o, "vectors");
        cJSON_AddStringToObject(one, "of", srv_pin_text(&vectors.pin));
        cJSON_AddNumberToObject(one, "rows", (double)vectors.count);
        cJSON_AddStringToObject(one, "numbers", vectors.is_f16 ? "f16" : "f32");
        srv_free(&vectors);
    }
    if (json) {
        char *text = cJSON_Print(o);
        puts(text);
        free(text);
    } else {
        print_plain(o, 0);
    }
    if (damaged)
        cli_error("%s: %s (%s)", path, sr_error_text(SR_E_CHECKSUM), sr_error_name(SR_E_CHECKSUM));
    else if (!whole)
        cli_error("%s: %s (%s)", path, sr_error_text(SR_E_TRUNCATED), sr_error_name(SR_E_TRUNCATED));
    cJSON_Delete(o);
    free(open_memory);
    file_free(&again);
    file_free(&file);
    return fine;
}

int sr_cmd_inspect(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    if (!args.rest_count) return cli_error("which file? smartrouter inspect FILE"), CLI_USAGE;
    int status = CLI_OK;
    for (int i = 0; i < args.rest_count; i++)
        if (!inspect(args.rest[i], cli_given(&args, "--json"), cli_given(&args, "--utterances"))) status = CLI_FAILED;
    return status;
}
