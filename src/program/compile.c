/* smartrouter compile: a route file (.json) to a route asset (.srr). */
#include "asset_write.h"
#include "embed/model.h"
#include "own_map.h"
#include "program/engine.h"
#include "program/fit.h"
#include "program/http.h"
#include "program/routes_file.h"
#include "program/vectors.h"
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--output", "FILE", "or -o: the asset to write (default: the route file's name with .srr)"},
    {"--model", "FILE", "encoder model (.srm); default: the one that make built"},
    {"--table", "FILE", "piece table (.srt), for a fit that has an exit for it"},
    {"--fit", "FILE", "what tune learned (.srf); default: the route file's \"fit\""},
    {"--no-map", NULL, "without a fit: plain cosine, rather than the model's whitening and the routes' own directions"},
    {"--server", "URL", "embed by an OpenAI-compatible server: .../v1/embeddings"},
    {"--server-model", "NAME", "the model to ask the server for; default: the route file's"},
    {"--key-variable", "NAME", "environment variable that holds the server's key"},
    {"--f32", NULL, "store rows as f32 rather than int8"},
    {"--no-texts", NULL, "leave the utterances' texts out (then no reasons are shown)"},
    {"--no-plane", NULL, "leave the drawing coordinates out"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {
    "compile", "make a route asset (.srr) from a route file (.json)", "[options] ROUTES.json", options,
    "  smartrouter compile routes/five-routes.json --output five-routes.srr\n"
    "  smartrouter compile support-desk.json --no-map -o plain.srr\n"
    "  smartrouter compile support-desk.json --server http://127.0.0.1:8000/v1 --server-model Qwen3-Embedding-8B\n"};

/* One compile under way: everything that the writer reads stays alive here. */
typedef struct {
    routes_file source;
    engine engine; /* model and table */
    file_bytes fit_file;
    void *fit_memory;
    const sr_router *fit;
    sr_write_route routes[SR_MAX_ROUTES];
    sr_text *texts;
    sr_write_exit exits[SR_MAX_EXITS];
    float *vectors[SR_MAX_EXITS], *means[SR_MAX_EXITS], *heads[SR_MAX_EXITS], *maps[SR_MAX_EXITS];
    sr_route_params *params[SR_MAX_EXITS];
    uint32_t exit_count;
    bool refuses_a_map;
} compile_job;

static sr_text text_of(const char *s) {
    return s ? (sr_text){s, strlen(s)} : (sr_text){NULL, 0};
}

static void gather_routes(compile_job *job) {
    const routes_file *f = &job->source;
    job->texts = memory(sizeof *job->texts * f->utterance_count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->route_count; i++) {
        const route_source *r = &f->routes[i];
        job->routes[i] = (sr_write_route){.id = text_of(r->id),
                                          .label = text_of(r->label ? r->label : r->id),
                                          .description = text_of(r->description),
                                          .target = text_of(r->target),
                                          .utterance_count = r->utterance_count + r->negative_count,
                                          .negative_count = r->negative_count};
        for (uint32_t u = 0; u < r->utterance_count; u++) job->texts[n++] = text_of(r->utterances[u]);
        for (uint32_t u = 0; u < r->negative_count; u++) job->texts[n++] = text_of(r->negatives[u]);
    }
}

static bool open_fit(compile_job *job, const char *routes_path, const char *fit_path) {
    char beside[4096];
    if (!fit_path && job->source.fit) {
        const char *slash = strrchr(routes_path, '/');
        snprintf(beside, sizeof beside, "%.*s%s", slash ? (int)(slash - routes_path + 1) : 0, routes_path,
                 job->source.fit);
        fit_path = beside;
    }
    if (!fit_path) return true;
    job->fit = fit_load(fit_path, &job->fit_file, &job->fit_memory);
    return job->fit != NULL;
}

/* The exits: the fit's when there is one, else the route file's layers. */
static bool plan_exits(compile_job *job, const char *routes_path) {
    static const uint32_t usual[] = {1, 4, 9};
    const routes_file *f = &job->source;
    sr_model_info info;
    sr_model_info_get(job->engine.model, &info);
    if (job->fit) {
        for (uint32_t i = 0; i < sr_router_exit_count(job->fit); i++) {
            sr_exit_info e;
            sr_router_exit(job->fit, i, &e);
            if (e.embedder == SR_EMBEDDER_TABLE && !job->engine.table) continue; /* a first answer less, no worse one */
            sr_write_exit *out = &job->exits[job->exit_count];
            job->params[job->exit_count] = memory(sizeof(sr_route_params) * f->route_count);
            job->heads[job->exit_count] = memory(sizeof(float) * f->route_count * e.row_dim);
            sr_write_exit_init(out);
            sr_write_exit_take(job->fit, i, job->routes, f->route_count, out, job->params[job->exit_count],
                               job->heads[job->exit_count]);
            job->exit_count++;
        }
        return true;
    }
    uint32_t count = f->layer_count ? f->layer_count : 3;
    for (uint32_t i = 0; i < count; i++) {
        sr_write_exit *out = &job->exits[job->exit_count];
        if (!f->layer_count && i && usual[i - 1] >= info.layers) break; /* a small model: its last layer once */
        if (f->layer_count && f->layers[i] > info.layers) {
            cli_error("%s: embedder: \"exits\" asks for layer %u; the model has %u layers", routes_path, f->layers[i],
                      info.layers);
            return false;
        }
        sr_write_exit_init(out);
        out->embedder = SR_EMBEDDER_ENCODER;
        out->layer = f->layer_count ? f->layers[i] : usual[i] < info.layers ? usual[i] : info.layers;
        out->dim = out->row_dim = info.dim;
        out->pooling = info.pooling;
        out->model_id = info.id, out->prefix = info.prefix, out->model_content = info.content;
        job->exit_count++;
    }
    return true;
}

/* What the route file says itself goes before what the fit learned. */
static void apply_source(compile_job *job) {
    const routes_file *f = &job->source;
    for (uint32_t x = 0; x < job->exit_count; x++) {
        sr_write_exit *e = &job->exits[x];
        if (f->aggregation_k && !job->fit) e->aggregation_k = f->aggregation_k;
        e->low_margin_flags = f->low_margin_flags;
        bool said = false;
        for (uint32_t i = 0; i < f->route_count; i++) said |= f->routes[i].has_threshold || f->routes[i].has_margin;
        if (!job->params[x] && said) {
            job->params[x] = memory(sizeof(sr_route_params) * f->route_count);
            for (uint32_t i = 0; i < f->route_count; i++) job->params[x][i].tau = -1;
        }
        for (uint32_t i = 0; i < f->route_count && job->params[x]; i++) {
            if (f->routes[i].has_threshold) job->params[x][i].tau = f->routes[i].threshold;
            if (f->routes[i].has_margin) job->params[x][i].margin = f->routes[i].margin;
        }
        e->params = job->params[x];
    }
}

static bool embed_with_encoder(compile_job *job, int threads) {
    uint32_t masks[SR_MAX_EXITS], at[SR_MAX_EXITS], count = 0;
    float *out[SR_MAX_EXITS];
    const routes_file *f = &job->source;
    sr_model_info info;
    sr_model_info_get(job->engine.model, &info);
    for (uint32_t x = 0; x < job->exit_count; x++) {
        sr_write_exit *e = &job->exits[x];
        if (e->embedder == SR_EMBEDDER_TABLE) {
            if (e->model_content != sr_table_content(job->engine.table)) {
                cli_error("the fit was made for another piece table (content %016llx); give the right --table",
                          (unsigned long long)e->model_content);
                return false;
            }
            if (!vectors_table(job->engine.table, job->texts, f->utterance_count, threads, &job->vectors[x]))
                return false;
            e->vectors = job->vectors[x];
            continue;
        }
        if (e->model_content != info.content) {
            cli_error("the fit was made for model %.*s with content %016llx; this model is %.*s, content %016llx",
                      (int)e->model_id.bytes, e->model_id.data, (unsigned long long)e->model_content,
                      (int)info.id.bytes, info.id.data, (unsigned long long)info.content);
            return false;
        }
        at[count] = x, masks[count++] = e->layer_mask ? e->layer_mask : 1u << e->layer;
    }
    if (!vectors_encode(job->engine.model, job->texts, f->utterance_count, masks, count, threads, out)) return false;
    for (uint32_t i = 0; i < count; i++) job->exits[at[i]].vectors = job->vectors[at[i]] = out[i];
    return true;
}

static bool embed_with_server(compile_job *job, const cli_args *args) {
    const routes_file *f = &job->source;
    const char *name = cli_value(args, "--server-model"), *variable = cli_value(args, "--key-variable");
    if (!name) name = f->model;
    if (!name)
        return cli_error("which model? --server-model NAME, or \"embedder\": {\"model\": …} in the route file"), false;
    if (variable && !getenv(variable)) return cli_error("the environment has no %s", variable), false;
    http_embedder h = {.url = cli_value(args, "--server"),
                       .model = name,
                       .key = variable ? getenv(variable) : NULL,
                       .prefix = f->prefix,
                       .dim = f->dimensions};
    const char **texts = memory(sizeof *texts * f->utterance_count);
    for (uint32_t i = 0; i < f->utterance_count; i++) texts[i] = job->texts[i].data;
    size_t dim = 0;
    bool fine = http_embed(&h, texts, f->utterance_count, &job->vectors[0], &dim);
    free(texts);
    if (!fine) return false;
    sr_write_exit *e = &job->exits[job->exit_count++];
    sr_write_exit_init(e);
    e->embedder = SR_EMBEDDER_EXTERNAL, e->pooling = SR_POOL_NONE;
    e->dim = e->row_dim = (uint32_t)dim;
    e->model_id = text_of(name), e->prefix = text_of(f->prefix);
    e->vectors = job->vectors[0];
    return true;
}

/* Without a fit: the model's whitening, where it has one of this layer, and what tells these routes apart in it. */
static bool learn_map(compile_job *job, uint32_t x) {
    sr_write_exit *e = &job->exits[x];
    const sr_write_route *routes = job->routes;
    uint32_t route_count = job->source.route_count;
    int rows = sr_model_whitening(job->engine.model, e->layer, NULL, NULL);
    if (rows == 0) return true;
    int rc = rows;
    if (rows > 0) {
        float *whitening = memory((size_t)rows * e->dim * sizeof *whitening);
        void *work = memory(sr_own_map_work_bytes(routes, route_count, e->dim, (uint32_t)rows));
        e->mean = job->means[x] = memory(e->dim * sizeof(float));
        job->maps[x] =
            memory((size_t)sr_own_map_rows(routes, route_count, e->dim, (uint32_t)rows) * e->dim * sizeof(float));
        rc = sr_model_whitening(job->engine.model, e->layer, job->means[x], whitening);
        if (rc >= 0) rc = sr_own_map(routes, route_count, e, whitening, (uint32_t)rows, job->maps[x], work);
        free(whitening), free(work);
    }
    if (rc < 0) cli_error("the map after layer %u: %s (%s)", e->layer, sr_error_text(rc), sr_error_name(rc));
    return rc >= 0;
}

static bool learn_maps(compile_job *job) {
    for (uint32_t x = 0; x < job->exit_count; x++)
        if (!learn_map(job, x)) return false;
    return true;
}

/* Which exits, and why these. */
static void note_exits(const compile_job *job) {
    char layers[256] = "";
    uint32_t mapped = 0;
    for (uint32_t x = 0; x < job->exit_count; x++) {
        const sr_write_exit *e = &job->exits[x];
        mapped += e->map != NULL;
        size_t used = strlen(layers);
        if (e->embedder == SR_EMBEDDER_ENCODER)
            snprintf(layers + used, sizeof layers - used, "%slayer %u", used ? ", " : "", e->layer);
        else
            snprintf(layers + used, sizeof layers - used, "%s%s", used ? ", " : "",
                     e->embedder == SR_EMBEDDER_TABLE ? "piece table" : "the server's model");
    }
    cli_note("exits: %s%s, by %s", layers,
             job->fit                  ? " (the fit's)"
             : job->source.layer_count ? " (the route file's)"
             : job->engine.model       ? " (the usual ones; \"exits\" in the route file chooses others)"
                                       : "",
             job->fit                                   ? "the fit's maps"
             : mapped == job->exit_count                ? "the model's whitening and what tells these routes apart"
             : mapped                                   ? "the model's whitening where it has one, else plain cosine"
             : job->engine.model && !job->refuses_a_map ? "plain cosine: the model has no whitening of these layers"
                                                        : "plain cosine");
}

static bool write_asset(compile_job *job, const cli_args *args, const char *path) {
    const routes_file *f = &job->source;
    for (uint32_t x = 0; x < job->exit_count; x++) {
        job->exits[x].rows_are_f32 = cli_given(args, "--f32");
        job->exits[x].with_plane = !cli_given(args, "--no-plane") && f->utterance_count > 2;
    }
    sr_write_asset w = {.name = text_of(f->name),
                        .routes = job->routes,
                        .route_count = f->route_count,
                        .texts = cli_given(args, "--no-texts") ? NULL : job->texts,
                        .utterance_count = f->utterance_count,
                        .fallback = f->fallback,
                        .exits = job->exits,
                        .exit_count = job->exit_count};
    int64_t bytes = sr_asset_write_bytes(&w), work_bytes = sr_asset_write_work_bytes(&w);
    int rc = bytes < 0 ? (int)bytes : work_bytes < 0 ? (int)work_bytes : 0;
    bool fine = false;
    if (rc >= 0) {
        uint32_t bad = SR_NO_UTTERANCE;
        void *work = memory((size_t)work_bytes), *out = memory((size_t)bytes);
        rc = sr_asset_write(&w, work, (size_t)work_bytes, out, (size_t)bytes, &bad);
        if (rc < 0 && bad != SR_NO_UTTERANCE)
            cli_error("utterance \"%.*s\": %s (%s)", (int)job->texts[bad].bytes, job->texts[bad].data,
                      sr_error_text(rc), sr_error_name(rc));
        fine = rc >= 0 && file_write(path, out, (size_t)bytes);
        if (fine && strcmp(path, "-") != 0)
            cli_note("%s: %u routes, %u utterances, %u exits, %lld bytes", path, f->route_count, f->utterance_count,
                     job->exit_count, (long long)bytes),
                note_exits(job);
        free(work), free(out);
    }
    if (rc < 0) cli_error("%s: %s (%s)", path, sr_error_text(rc), sr_error_name(rc));
    return fine;
}

static void free_job(compile_job *job) {
    for (uint32_t i = 0; i < SR_MAX_EXITS; i++)
        free(job->vectors[i]), free(job->means[i]), free(job->heads[i]), free(job->params[i]), free(job->maps[i]);
    free(job->texts), free(job->fit_memory);
    file_free(&job->fit_file);
    routes_file_free(&job->source);
    engine_close(&job->engine);
    free(job);
}

int sr_cmd_compile(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long threads;
    if (!cli_number(&args, "--threads", 1, 256, cli_cores(), &threads)) return CLI_USAGE;
    if (args.rest_count != 1) return cli_error("one route file is wanted: smartrouter compile ROUTES.json"), CLI_USAGE;
    const char *path = args.rest[0], *output = cli_value(&args, "--output");
    char *named = text_copy(path, strlen(path) + 4);
    char *dot = strrchr(named, '.');
    strcpy(dot && !strchr(dot, '/') ? dot : named + strlen(named), ".srr");

    compile_job *job = memory(sizeof *job);
    bool server = cli_given(&args, "--server");
    job->refuses_a_map = cli_given(&args, "--no-map");
    bool fine = routes_file_read(path, &job->source);
    bool named_fit = cli_given(&args, "--fit");
    if (fine && server && (named_fit || job->source.fit))
        cli_error("%s%s and --server exclude each other: a fit is pinned to the vectors that it was made of",
                  named_fit ? "" : path, named_fit ? "--fit" : ": \"fit\""),
            fine = false;
    if (fine) gather_routes(job);
    if (fine && !server) {
        const char *table = cli_value(&args, "--table"), *model = cli_value(&args, "--model");
        fine = open_fit(job, path, cli_value(&args, "--fit"));
        if (!model) model = job->fit ? engine_model(job->fit) : engine_default("model/general-model.srm");
        fine = fine && engine_open(&job->engine, NULL, model, table, ENGINE_MODEL | (table ? ENGINE_TABLE : 0));
        if (fine) fine = plan_exits(job, path);
        if (fine) apply_source(job);
        fine = fine && embed_with_encoder(job, (int)threads);
        if (fine && !job->fit && !job->refuses_a_map) fine = learn_maps(job);
    } else if (fine) {
        fine = embed_with_server(job, &args);
        if (fine) apply_source(job);
    }
    fine = fine && write_asset(job, &args, output ? output : named);
    free(named);
    free_job(job);
    return fine ? CLI_OK : CLI_FAILED;
}
