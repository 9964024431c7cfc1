/* What tune found: the table for people, the route file and the fit. */
#include "asset_write.h"
#include "program/tune.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    double right, count, english, english_right, route_right[SR_MAX_ROUTES], route_count[SR_MAX_ROUTES];
} tally;

static tally count_up(const tune_job *job, const float *scores, int kind) {
    tally t = {0};
    uint32_t routes = job->data.route_count;
    for (size_t i = 0; i < job->data.count; i++) {
        const sample *s = &job->data.rows[i];
        if (!job->was_judged[i] || s->corpus == (kind == 1)) continue;
        uint32_t best = 0;
        for (uint32_t r = 1; r < routes; r++)
            if (scores[i * routes + r] > scores[i * routes + best]) best = r;
        int right = best == s->route, english = strcmp(s->lang, "en") == 0;
        t.right += right, t.count++;
        t.english += english, t.english_right += english && right;
        t.route_right[s->route] += right, t.route_count[s->route]++;
    }
    return t;
}

static void mask_text(uint32_t mask, char *out, size_t room) {
    size_t used = 0;
    out[0] = 0;
    for (uint32_t l = 0; l < 32; l++)
        if (mask >> l & 1) used += (size_t)snprintf(out + used, room - used, "%s%u", used ? "+" : "", l);
}

static void put_share(FILE *to, double right, double count) {
    if (count > 0)
        fprintf(to, " %.1f |", 100 * right / count);
    else
        fputs(" - |", to);
}

void tune_report(const tune_job *job, FILE *to) {
    static const char *const kinds[] = {"our corpus, languages left out", "public prompts, their source left out"};
    fputs("| exit after | judged on | prompts | centred cosine, % | map, % | head, % | English | others |", to);
    for (uint32_t r = 0; r < job->data.route_count; r++) fprintf(to, " %s |", job->data.routes[r]);
    fprintf(to, " calibration error | stops at |\n|%s", " --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for (uint32_t r = 0; r < job->data.route_count; r++) fputs(" ---: |", to);
    fputs(" ---: | ---: |\n", to);
    for (int kind = 0; kind < 2; kind++) {
        for (uint32_t x = 0; x < job->exit_count; x++) {
            const tuned_exit *e = &job->exits[x];
            tally map = count_up(job, e->held_out.scores, kind), head = count_up(job, e->held_out.head_scores, kind),
                  raw = count_up(job, e->held_out.raw_scores, kind);
            char mask[128];
            if (!map.count) continue;
            mask_text(job->masks[x], mask, sizeof mask);
            fprintf(to, "| %s | %s | %.0f | %.1f | **%.1f** | %.1f |", mask, kinds[kind], map.count,
                    100 * raw.right / map.count, 100 * map.right / map.count, 100 * head.right / map.count);
            put_share(to, map.english_right, map.english);
            put_share(to, map.right - map.english_right, map.count - map.english);
            for (uint32_t r = 0; r < job->data.route_count; r++)
                fprintf(to, " %.1f |", 100 * map.route_right[r] / (map.route_count[r] ? map.route_count[r] : 1));
            fprintf(to, " %.3f | %.2f |\n", e->ece[kind], e->stop);
        }
        if (job->anytime_accuracy[kind] > 0)
            fprintf(to, "| anytime | %s | | | **%.1f** | | | |%*s mean depth %.1f layers | |\n", kinds[kind],
                    100 * job->anytime_accuracy[kind], 0, "", job->anytime_layers[kind]);
    }
    fprintf(to, "\n%zu utterances a route, rows of %zu numbers, mean of the top %u.\n", job->per_route,
            job->fit.row_dim, job->k);
    if (job->unseen)
        fprintf(to,
                "Of our corpus only %s judge and calibrate: the encoder was adapted to the other languages, and to no "
                "source that judges.\n",
                job->unseen);
}

/* "name": "value", as JSON. */
static void put_field(FILE *to, const char *indent, const char *name, const char *value, const char *end) {
    cJSON *item = cJSON_CreateString(value);
    char *text = cJSON_PrintUnformatted(item);
    fprintf(to, "%s%s%s%s%s%s", indent, name ? "\"" : "", name ? name : "", name ? "\": " : "", text, end);
    free(text);
    cJSON_Delete(item);
}

static void put_texts(FILE *to, const char *name, const char *const *texts, size_t count) {
    fprintf(to, ",\n      \"%s\": [\n", name);
    for (size_t i = 0; i < count; i++) put_field(to, "        ", NULL, texts[i], i + 1 < count ? ",\n" : "\n");
    fputs("      ]", to);
}

/* One utterance a line, so that a change is a diff that a person can read. */
static bool write_routes(const tune_job *job, const char *path, const char *fit_name) {
    const routes_file *f = &job->source;
    const char **texts = memory((job->chosen_count + 1) * sizeof *texts);
    file_writer w;
    if (!file_begin(&w, path)) return free(texts), false;
    fputs("{\n", w.stream);
    put_field(w.stream, "  ", "name", f->name, ",\n");
    put_field(w.stream, "  ", "$made-by",
              "smartrouter tune; edit freely: utterances decide, the fit only says how they are measured", ",\n");
    put_field(w.stream, "  ", "fallback", f->routes[f->fallback].id, ",\n");
    put_field(w.stream, "  ", "fit", fit_name, ",\n");
    put_field(w.stream, "  ", "low_margin", f->low_margin_flags ? "uncertain" : "fallback", ",\n");
    fputs("  \"routes\": [\n", w.stream);
    for (uint32_t r = 0; r < f->route_count; r++) {
        const route_source *s = &f->routes[r];
        put_field(w.stream, "    {\n      ", "id", s->id, "");
        if (s->label) put_field(w.stream, ",\n      ", "label", s->label, "");
        if (s->description) put_field(w.stream, ",\n      ", "description", s->description, "");
        if (s->target) put_field(w.stream, ",\n      ", "target", s->target, "");
        if (s->has_threshold) fprintf(w.stream, ",\n      \"threshold\": %.6g", (double)s->threshold);
        if (s->has_margin) fprintf(w.stream, ",\n      \"margin\": %.6g", (double)s->margin);
        size_t count = 0;
        for (size_t i = 0; i < job->chosen_count; i++)
            if (job->route_of[job->chosen[i]] == r) texts[count++] = job->data.rows[job->chosen[i]].text;
        put_texts(w.stream, "utterances", texts, count);
        if (s->negative_count) put_texts(w.stream, "negatives", (const char *const *)s->negatives, s->negative_count);
        fprintf(w.stream, "\n    }%s\n", r + 1 < f->route_count ? "," : "");
    }
    fputs("  ]\n}\n", w.stream);
    free(texts);
    return file_commit(&w);
}

static bool write_fit(const tune_job *job, const char *path) {
    sr_write_route routes[SR_MAX_ROUTES] = {0};
    sr_write_exit exits[SR_MAX_EXITS];
    sr_model_info info;
    sr_model_info_get(job->model, &info);
    for (uint32_t r = 0; r < job->data.route_count; r++)
        routes[r].id = (sr_text){job->data.routes[r], strlen(job->data.routes[r])};
    for (uint32_t x = 0; x < job->exit_count; x++) {
        const tuned_exit *e = &job->exits[x];
        sr_write_exit *out = &exits[x];
        sr_write_exit_init(out);
        out->embedder = SR_EMBEDDER_ENCODER, out->pooling = info.pooling;
        out->layer_mask = job->masks[x], out->layer = 31 - (uint32_t)__builtin_clz(job->masks[x]);
        out->dim = (uint32_t)e->dim, out->row_dim = (uint32_t)job->fit.row_dim;
        out->model_id = info.id, out->prefix = info.prefix, out->model_content = info.content;
        out->aggregation_k = job->k;
        out->mean = e->map_mean, out->map = e->map;
        for (int i = 0; i < 4; i++) out->calibration[i] = (float)e->calibration[i];
        out->stop_confidence = (float)(e->stop > 1 ? 1 : e->stop);
    }
    char notes[512];
    snprintf(notes, sizeof notes,
             "smartrouter tune: %zu prompts; %zu of them public; row_dim %zu, basis %zu, lambda %g, exponent %g, "
             "weight %g, k %u",
             job->data.count, job->data.count - job->judge_from, job->fit.row_dim, job->basis_dim, job->fit.lambda,
             job->fit.exponent, job->fit.weight, job->k);
    sr_write_asset w = {.name = {job->source.name, strlen(job->source.name)},
                        .notes = {notes, strlen(notes)},
                        .routes = routes,
                        .route_count = job->data.route_count,
                        .exits = exits,
                        .exit_count = job->exit_count};
    return fit_save(path, &w);
}

bool tune_write(tune_job *job, const char *path) {
    char fit[4096];
    const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
    size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);
    snprintf(fit, sizeof fit, "%.*s.srf", (int)stem, path);
    const char *name = strrchr(fit, '/');
    if (!write_fit(job, fit) || !write_routes(job, path, name ? name + 1 : fit)) return false;
    cli_note("%s and %s written", path, fit);
    return true;
}
