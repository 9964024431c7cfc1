/* Opens assets and models for the commands, and writes decisions as JSON. */
#include "program/engine.h"
#include "container.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *engine_default(const char *name) {
    static char paths[4][4200];
    static int turn;
    char *path = paths[turn++ % 4];
    char program[2048];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = 0;
    /* build/release/smartrouter -> build/; an installed bin/smartrouter -> share/smartrouter/ */
    static const char *const places[] = {"/..", "/../share/smartrouter", "/../../.."};
    char *slash = strrchr(program, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof paths[0], "%s%s/%s", program, places[i], name);
        if (access(path, R_OK) == 0) return path;
    }
    snprintf(path, sizeof paths[0], "build/%s", name);
    return path;
}

static bool refuse(const char *path, int code) {
    cli_error("%s: %s (%s)", path, sr_error_text(code), sr_error_name(code));
    return false;
}

/* The three kinds are opened alike: sizes, memory, open; only the functions differ. */
#define OPEN(kind, type, bytes_call, open_call)                                                                        \
    bool open_##kind(const char *path, file_bytes *file, void **memory_out, type **out) {                              \
        if (!file_read(path, file)) return false;                                                                      \
        int64_t need = bytes_call;                                                                                     \
        if (need < 0) return refuse(path, (int)need);                                                                  \
        *memory_out = memory((size_t)need);                                                                            \
        int rc = open_call;                                                                                            \
        return rc < 0 ? refuse(path, rc) : true;                                                                       \
    }

OPEN(router, const sr_router, sr_router_bytes(file->data, file->bytes),
     sr_router_open(*memory_out, (size_t)need, file->data, file->bytes, out))
OPEN(table, const sr_table, sr_table_bytes(file->data, file->bytes),
     sr_table_open(*memory_out, (size_t)need, file->data, file->bytes, out))
OPEN(model, const sr_model, sr_model_bytes(file->data, file->bytes),
     sr_model_open(*memory_out, (size_t)need, file->data, file->bytes, (sr_model **)out))

/* The content id in a file's header; 0 when there is none to read. */
static uint64_t content_of(const char *path) {
    uint8_t header[24] = {0};
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    size_t n = fread(header, 1, sizeof header, f);
    fclose(f);
    return n == sizeof header ? sr_load64(header + 16) : 0;
}

const char *engine_model(const sr_router *made_with) {
    const char *fitted = engine_default("model/smartrouter-model.srm"),
               *general = engine_default("model/general-model.srm");
    uint64_t content = content_of(general);
    for (uint32_t i = 0; made_with && content && i < sr_router_exit_count(made_with); i++) {
        sr_exit_info exit;
        sr_router_exit(made_with, i, &exit);
        if (exit.embedder == SR_EMBEDDER_ENCODER && exit.model_content == content) return general;
    }
    return fitted;
}

bool engine_open(engine *e, const char *asset_path, const char *model_path, const char *table_path, int parts) {
    memset(e, 0, sizeof *e);
    if (parts & ENGINE_ASSET && !open_router(asset_path ? asset_path : engine_default("routes/five-routes.srr"),
                                             &e->asset_file, &e->asset_memory, &e->router))
        return false;
    if (parts & ENGINE_MODEL &&
        !open_model(model_path ? model_path : engine_model(e->router), &e->model_file, &e->model_memory, &e->model))
        return false;
    if (parts & ENGINE_TABLE) {
        const char *path = table_path ? table_path : engine_default("routes/five-routes.srt");
        bool wanted = table_path || access(path, R_OK) == 0;
        /* another route file's asset has no use for the default table */
        if (wanted && !table_path && (!e->router || sr_router_find_exit(e->router, SR_EMBEDDER_TABLE, 0) < 0))
            wanted = false;
        if (wanted && !open_table(path, &e->table_file, &e->table_memory, &e->table)) return false;
    }
    return true;
}

void engine_close(engine *e) {
    free(e->asset_memory), free(e->model_memory), free(e->table_memory);
    file_free(&e->asset_file), file_free(&e->model_file), file_free(&e->table_file);
    memset(e, 0, sizeof *e);
}

static void print_pins(const engine *e) {
    sr_model_info info = {0};
    if (e->model && sr_model_info_get(e->model, &info) == 0)
        cli_note("  the model is %.*s, content %016llx", (int)info.id.bytes, info.id.data,
                 (unsigned long long)info.content);
    for (uint32_t i = 0; i < sr_router_exit_count(e->router); i++) {
        sr_exit_info exit;
        sr_router_exit(e->router, i, &exit);
        cli_note("  exit %u of the asset wants %.*s, content %016llx", i, (int)exit.model_id.bytes, exit.model_id.data,
                 (unsigned long long)exit.model_content);
    }
}

sr_pipeline *engine_pipeline(const engine *e, void **memory_out) {
    int64_t need = sr_pipeline_bytes(e->router, e->model, e->table);
    sr_pipeline *p = NULL;
    *memory_out = NULL;
    int rc = (int)need;
    if (need >= 0) {
        *memory_out = memory((size_t)need);
        rc = sr_pipeline_open(*memory_out, (size_t)need, e->router, e->model, e->table, &p);
    }
    if (rc < 0) {
        cli_error("%s (%s); compile the routes again with this model", sr_error_text(rc), sr_error_name(rc));
        if (rc == SR_E_MODEL) print_pins(e);
        return NULL;
    }
    return p;
}

static void add_member(builder *b, const char *name, float value) {
    build_text(b, name);
    build_json_float(b, value);
}

static void add_route(builder *b, const char *name, const sr_router *r, uint32_t route) {
    sr_route_info info = {0};
    sr_router_route(r, route, &info);
    build_text(b, name);
    build_json_text(b, info.id.data, info.id.bytes);
}

void build_decision(builder *b, const sr_router *r, const sr_decision *d, const sr_match *matches, const sr_why *why) {
    static const char *const embedders[] = {"encoder", "table", "external"};
    sr_exit_info exit = {0};
    sr_router_exit(r, d->exit, &exit);
    add_route(b, "{\"route\":", r, d->route);
    add_member(b, ",\"score\":", d->score);
    add_member(b, ",\"margin\":", d->margin);
    add_member(b, ",\"confidence\":", d->confidence);
    add_route(b, ",\"nearest\":", r, d->nearest);
    build_text(b, d->flags & SR_BELOW_THRESHOLD ? ",\"belowThreshold\":true" : ",\"belowThreshold\":false");
    build_text(b, d->flags & (SR_UNCERTAIN | SR_BELOW_MARGIN) ? ",\"uncertain\":true" : ",\"uncertain\":false");
    build_text(b, ",\"embedder\":");
    build_json_text(b, embedders[exit.embedder], strlen(embedders[exit.embedder]));
    if (exit.embedder == SR_EMBEDDER_ENCODER) {
        char layer[32];
        snprintf(layer, sizeof layer, ",\"layer\":%u", exit.layer);
        build_text(b, layer);
    }
    for (uint32_t i = 0; i < d->match_count; i++) {
        add_route(b, i ? "," : ",\"scores\":{", r, matches[i].route);
        add_member(b, ":", matches[i].score);
    }
    build_text(b, d->match_count ? "},\"why\":[" : ",\"scores\":{},\"why\":[");
    for (uint32_t i = 0, n = 0; i < d->why_count; i++) {
        sr_utterance_info u = {0};
        if (sr_router_utterance(r, why[i].utterance, &u) < 0) continue;
        add_route(b, n++ ? ",{\"route\":" : "{\"route\":", r, why[i].route);
        add_member(b, ",\"similarity\":", why[i].similarity);
        build_text(b, ",\"text\":");
        build_json_text(b, u.text.data, u.text.bytes);
        build_text(b, "}");
    }
    build_text(b, "]}");
}
