/* Tables of what `make profile` compared. Files are called models-EMBEDDER--YARDSTICK.json. */
#include "program/report_tables.h"
#include <math.h>
#include <string.h>

/* What each table has a row for: an embedder on a yardstick. */
typedef struct {
    const cJSON *profile, *embedder;
    const char *yardstick;
} measured;

enum { MOST_ROWS = 128 };

static bool deeper(const measured *a, const measured *b) {
    int model = strcmp(figure_text(a->embedder, "model"), figure_text(b->embedder, "model"));
    if (model) return model > 0;
    return figure(a->embedder, "layer") > figure(b->embedder, "layer");
}

/* In order of their names and layers. */
static int gather(const cJSON *report, const char *yardstick, measured out[MOST_ROWS]) {
    const cJSON *profile, *e;
    int n = 0;
    cJSON_ArrayForEach(profile, json_get(report, "models")) {
        const char *mark = strstr(profile->string, "--");
        if (!mark || strcmp(mark + 2, yardstick) != 0) continue;
        cJSON_ArrayForEach(e, json_get(profile, "embedders")) {
            if (n == MOST_ROWS) return n;
            measured one = {profile, e, yardstick};
            int at = n++;
            for (; at && deeper(&out[at - 1], &one); at--) out[at] = out[at - 1];
            out[at] = one;
        }
    }
    return n;
}

/* An encoder's last layer is the model; before it, an exit of it. */
static void name(FILE *to, const cJSON *e) {
    fprintf(to, "| %s", figure_text(e, "model"));
    double layer = figure(e, "layer"), layers = figure(e, "cost.layers");
    bool ours = !strcmp(figure_text(e, "model"), "multilingual-e5-small");
    if (layer < layers || ours) fprintf(to, ", layer %.0f", layer);
    fprintf(to, " |");
}

static void number(FILE *to, double v, int digits) {
    if (isnan(v))
        fprintf(to, " - |");
    else
        fprintf(to, " %.*f |", digits, v);
}

static const char *const yardsticks[][2] = {{"own", "own evaluation prompts"}, {"dev", "public prompts (dev)"}};
enum { YARDSTICKS = 2 };

static const cJSON *general_chat(const cJSON *e, const char *similarity) {
    const cJSON *one;
    cJSON_ArrayForEach(one,
                       figure_at(e, similarity)) if (!strcmp(figure_text(one, "route"), "general-chat")) return one;
    return NULL;
}

static void accuracy_head(FILE *to, const char *first) {
    static const char *const spaces[] = {"plain", "centred", "map"};
    static const int counts[] = {1, 4, 16, 64};
    fprintf(to, "%s", first);
    for (int s = 0; s < 3; s++)
        for (int c = 0; c < 4; c++)
            if (c)
                fprintf(to, " %d |", counts[c]);
            else
                fprintf(to, " %s: 1 |", spaces[s]);
    fprintf(to, " head |");
}

static void write_accuracy(FILE *to, const measured *rows, int n, const char *words) {
    static const char *const spaces[] = {"raw", "utterances", "mapped"};
    static const char *const counts[] = {"1", "4", "16", "64"};
    fprintf(to, "%s (%.0f), utterances drawn from %.0f prompts of the corpus, %.0f draws; right, %%:\n\n", words,
            figure(rows[0].embedder, "routing.tests"), figure(rows[0].embedder, "routing.pool"),
            figure(rows[0].profile, "draws"));
    accuracy_head(to, "| embedder |");
    fprintf(to, " General Chat, AUROC: plain | centred |\n| --- |");
    for (int i = 0; i < 15; i++) fprintf(to, " ---: |");
    fprintf(to, "\n");
    char inverted[2000] = "";
    bool has_general_chat = false;
    for (int i = 0; i < n; i++) {
        const cJSON *e = rows[i].embedder;
        name(to, e);
        for (int s = 0; s < 3; s++)
            for (int c = 0; c < 4; c++) {
                char path[64];
                snprintf(path, sizeof path, "routing.%s.%s", spaces[s], counts[c]);
                fprintf(to, " %s |", figure_percent(figure(e, path)));
            }
        fprintf(to, " %s |", figure_percent(figure(e, "routing.head")));
        double raw = figure(general_chat(e, "routing.raw_similarity"), "auroc");
        number(to, raw, 2), number(to, figure(general_chat(e, "routing.similarity"), "auroc"), 2);
        fprintf(to, "\n");
        has_general_chat = has_general_chat || !isnan(raw);
        size_t used = strlen(inverted);
        if (raw < 0.5 && used + 100 < sizeof inverted)
            snprintf(inverted + used, sizeof inverted - used, "%s%s after layer %.0f", used ? ", " : "",
                     figure_text(e, "model"), figure(e, "layer"));
    }
    if (inverted[0])
        fprintf(to,
                "\nInverted (its prompts are as a rule nearer to another route's utterances than to its own: AUROC "
                "under 0.5), General Chat is by plain cosine with: %s.\n\n",
                inverted);
    else if (!has_general_chat)
        fprintf(to, "\n");
    else
        fprintf(to, "\nGeneral Chat is inverted (its prompts nearer to another route's utterances than to its own: "
                    "AUROC under 0.5) with none of these.\n\n");
}

/* What was compared, and how right it is. */
static void models_table(const cJSON *report, FILE *to) {
    static measured rows[MOST_ROWS];
    for (int y = 0; y < YARDSTICKS; y++) {
        int n = gather(report, yardsticks[y][0], rows);
        if (n) write_accuracy(to, rows, n, yardsticks[y][1]);
    }
}

/* Time, bytes, benchmarks, published figures, versions. */
static void costs_table(const cJSON *report, FILE *to) {
    static measured rows[MOST_ROWS];
    static const char *const bench[] = {"clinc150.shots_10.utterances.accuracy",
                                        "clinc150.shots_10.head.accuracy",
                                        "clinc150.shots_10.utterances.out_of_scope_auroc",
                                        "clinc150.full.head.accuracy",
                                        "home_intents.full.head.accuracy",
                                        NULL};
    int n = gather(report, "dev", rows);
    if (!n) n = gather(report, "own", rows);
    if (!n) return;
    const cJSON *first = rows[0].embedder;
    double clinc = figure(first, "clinc150.train"), home = figure(first, "home_intents.train");
    fprintf(to, "Milliseconds of processor time for a prompt, median, one thread, native; MB are the whole file.");
    if (!isnan(clinc))
        fprintf(to, " CLINC150: a sample of %.0f rows to learn from and %.0f to be told; home intents: %.0f and %.0f.",
                clinc, figure(first, "clinc150.tests"), home, figure(first, "home_intents.tests"));
    fprintf(to, "\n\n| embedder | numbers | MB | ms |");
    if (!isnan(clinc))
        fprintf(to, " CLINC150, 10 shots: near | head | out-of-scope AUROC | all, head | home intents, head |");
    fprintf(to, " MTEB English | MTEB European |\n| --- |");
    for (int i = isnan(clinc) ? 5 : 0; i < 10; i++) fprintf(to, " ---: |");
    fprintf(to, "\n");
    for (int i = 0; i < n; i++) {
        const cJSON *e = rows[i].embedder;
        name(to, e);
        number(to, figure(e, "dimensions"), 0), number(to, figure(e, "cost.bytes") / 1e6, 1);
        number(to, figure(e, "cost.ms"), 2);
        for (int c = 0; bench[c] && !isnan(clinc); c++) fprintf(to, " %s |", figure_percent(figure(e, bench[c])));
        number(to, figure(e, "mteb.english"), 1), number(to, figure(e, "mteb.european"), 1);
        fprintf(to, "\n");
    }
    const cJSON *source, *sources = figure_at(json_get(report, "source"), "models");
    if (!sources || !sources->child) return;
    fprintf(to, "\n| weights | from |\n| --- | --- |\n");
    cJSON_ArrayForEach(source, sources) fprintf(to, "| %s | %s |\n", source->string, source->valuestring);
}

/* By route: plain and mapped at 64 utterances, and the head. */
static void by_route_table(const cJSON *report, FILE *to) {
    static measured rows[MOST_ROWS];
    static const char *const ways[][2] = {{"routing.raw.1.routes", "plain, 1"},
                                          {"routing.raw.64.routes", "plain, 64"},
                                          {"routing.utterances.64.routes", "centred, 64"},
                                          {"routing.mapped.1.routes", "map, 1"},
                                          {"routing.mapped.64.routes", "map, 64"},
                                          {"routing.head_routes", "head"}};
    for (int y = 0; y < YARDSTICKS; y++) {
        int n = gather(report, yardsticks[y][0], rows);
        const cJSON *route;
        if (!n) continue;
        if (y == 0 || ftell(to) == 0) {
            fprintf(to, "| embedder | prompts | by |");
            cJSON_ArrayForEach(route, figure_at(rows[0].embedder, "routing.head_routes"))
                fprintf(to, " %s |", route->string);
            fprintf(to, "\n| --- | --- | --- |");
            cJSON_ArrayForEach(route, figure_at(rows[0].embedder, "routing.head_routes")) fprintf(to, " ---: |");
            fprintf(to, "\n");
        }
        for (int i = 0; i < n; i++)
            for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
                const cJSON *recalls = figure_at(rows[i].embedder, ways[w][0]);
                if (!recalls) continue;
                name(to, rows[i].embedder);
                fprintf(to, " %s | %s |", yardsticks[y][1], ways[w][1]);
                cJSON_ArrayForEach(route, recalls) fprintf(to, " %s |", figure_percent(figure(route, "")));
                fprintf(to, "\n");
            }
    }
}

const report_table report_models_tables[] = {
    {"models.md", models_table}, {"models-costs.md", costs_table}, {"models-routes.md", by_route_table}, {NULL, NULL}};
