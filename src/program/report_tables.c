/* Markdown from report.json's content. */
#include "program/report_tables.h"
#include <math.h>
#include <string.h>

/* What the data sets of make evaluate are. Others are called by their names. */
static const char *yardstick(const char *name) {
    static const struct {
        const char *name, *words;
    } known[] = {{"own", "own evaluation prompts"},
                 {"dev", "public prompts (dev)"},
                 {"corpus", "corpus, languages left out"},
                 {"out-of-scope", "out of scope and odd"},
                 {"five-routes--utterances", "the five routes, utterances alone"},
                 {"support-desk", "support desk"},
                 {"support-desk--plain", "support desk, no map"},
                 {"smart-home", "smart home"},
                 {"smart-home--plain", "smart home, no map"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) return known[i].words;
    return name;
}

static const cJSON *chosen_set(const cJSON *eval) {
    const cJSON *set;
    cJSON_ArrayForEach(
        set, json_get(eval, "sets")) if (!strcmp(figure_text(set, "set"), figure_text(eval, "chosen"))) return set;
    return NULL;
}

static double coverage_at(const cJSON *set, double accuracy) {
    const cJSON *one;
    cJSON_ArrayForEach(one, json_get(set, "coverage_at_accuracy")) if (fabs(figure(one, "accuracy") - accuracy) <
                                                                       1e-6) return figure(one, "coverage");
    return NAN;
}

static void cells(FILE *to, const cJSON *e, const char *const *paths) {
    for (int i = 0; paths[i]; i++) fprintf(to, " %s |", figure_percent(figure(e, paths[i])));
}

static void accuracy_table(const cJSON *report, FILE *to) {
    const cJSON *eval, *set;
    if (!json_get(report, "eval")) return;
    fprintf(
        to,
        "| prompts | answered | layers run | accuracy, %% (95 %% interval) | mean of routes, %% | calibration error | "
        "answered at 95 %% right, %% |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    cJSON_ArrayForEach(eval, json_get(report, "eval")) {
        cJSON_ArrayForEach(set, json_get(eval, "sets")) {
            fprintf(to, "| %s | %s | %.2f | %s | %s | %.3f | %s |\n", yardstick(eval->string), figure_text(set, "set"),
                    figure(set, "mean_layers"), figure_interval(json_get(set, "accuracy")),
                    figure_percent(figure(set, "balanced_accuracy")), figure(set, "ece"),
                    figure_percent(coverage_at(set, 0.95)));
        }
    }
}

static void routes_table(const cJSON *report, FILE *to) {
    const cJSON *eval, *route;
    if (!json_get(report, "eval")) return;
    fprintf(to, "| prompts | route | prompts of it | recall, %% | precision, %% |\n| --- | --- | --- | --- | --- |\n");
    cJSON_ArrayForEach(eval, json_get(report, "eval")) {
        cJSON_ArrayForEach(route, json_get(chosen_set(eval), "routes")) {
            fprintf(to, "| %s | %s | %.0f | %s | %s |\n", yardstick(eval->string), figure_text(route, "id"),
                    figure(route, "count"), figure_interval(json_get(route, "recall")),
                    figure_interval(json_get(route, "precision")));
        }
    }
}

static void breakdown_table(const cJSON *report, FILE *to) {
    const cJSON *eval, *field, *one;
    if (!json_get(report, "eval")) return;
    fprintf(to, "| prompts | by | | count | accuracy, %% |\n| --- | --- | --- | --- | --- |\n");
    cJSON_ArrayForEach(eval, json_get(report, "eval")) {
        cJSON_ArrayForEach(field, json_get(chosen_set(eval), "by")) {
            cJSON_ArrayForEach(one, field) {
                const char *value = figure_text(one, "value");
                fprintf(to, "| %s | %s | %s | %.0f | %s |\n", yardstick(eval->string), field->string,
                        *value ? value : "(none)", figure(one, "count"), figure_interval(json_get(one, "accuracy")));
            }
        }
    }
}

/* ---- other routes, learning, spoilt prompts -------------------------------------------------------------------------
 */

/* Files are called other-TABLE.json: eval's figures of that table on its own prompts. */
static void other_table(const cJSON *report, FILE *to) {
    const cJSON *eval, *set;
    if (!json_get(report, "other")) return;
    fprintf(to,
            "| routes | number | prompts | answered | accuracy, %% (95 %% interval) | calibration error | out of scope "
            "told apart (AUROC) |\n| --- | ---: | ---: | --- | --- | ---: | ---: |\n");
    cJSON_ArrayForEach(eval, json_get(report, "other")) {
        cJSON_ArrayForEach(set, json_get(eval, "sets")) {
            if (!strcmp(figure_text(set, "set"), "anytime")) continue; /* no confidence is fitted to stop these by */
            double auroc = figure(set, "out_of_scope.auroc_score");
            fprintf(to,
                    isfinite(auroc) ? "| %s | %d | %.0f | %s | %s | %.3f | %.3f |\n"
                                    : "| %s | %d | %.0f | %s | %s | %.3f | - |\n",
                    yardstick(eval->string), cJSON_GetArraySize(json_get(set, "routes")), figure(set, "in_scope"),
                    figure_text(set, "set"), figure_interval(json_get(set, "accuracy")), figure(set, "ece"), auroc);
        }
    }
}

static void learn_table(const cJSON *report, FILE *to) {
    static const char *const columns[] = {"taught.after", "near.before",  "near.after", "rest.before",
                                          "rest.after",   "rest.changed", NULL};
    const cJSON *eval, *one;
    if (!json_get(report, "learn")) return;
    fprintf(
        to,
        "| prompts | answered | overrides | the same again right, %% | alike: right before, %% | after | all others: "
        "right before, %% | after | changed, %% |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    cJSON_ArrayForEach(eval, json_get(report, "learn")) {
        cJSON_ArrayForEach(one, figure_at(eval, "learn.overrides")) {
            fprintf(to, "| %s | %s | %.0f |", yardstick(eval->string), figure_text(eval, "learn.set"),
                    figure(one, "count"));
            cells(to, one, columns);
            fprintf(to, "\n");
        }
    }
}

static void robust_table(const cJSON *report, FILE *to) {
    const cJSON *eval, *one;
    if (!json_get(report, "robust")) return;
    fprintf(to, "| prompts | number | answered | change | right before, %% | after, %% | points (95 %% interval) |\n"
                "| --- | ---: | --- | --- | ---: | ---: | --- |\n");
    cJSON_ArrayForEach(eval, json_get(report, "robust")) {
        cJSON_ArrayForEach(one, figure_at(eval, "robust.changes"))
            fprintf(to, "| %s | %.0f | %s | %s | %s | %s | %+.1f (%+.1f to %+.1f) |\n", yardstick(eval->string),
                    figure(one, "paired"), figure_text(eval, "robust.set"), figure_text(one, "change"),
                    figure_percent(figure(one, "first_accuracy")), figure_percent(figure(one, "second_accuracy")),
                    100 * figure(one, "difference.value"), 100 * figure(one, "difference.low"),
                    100 * figure(one, "difference.high"));
    }
}

/* ---- profile -------------------------------------------------------------------------------------------------------
 */

/* The same embedder in another profile file. */
static const cJSON *same_embedder(const cJSON *profile, const cJSON *like) {
    const cJSON *e;
    cJSON_ArrayForEach(e, json_get(profile, "embedders")) {
        double a = figure(e, "layer"), b = figure(like, "layer");
        bool same_layer = (isnan(a) && isnan(b)) || a == b;
        if (same_layer && !strcmp(figure_text(e, "model"), figure_text(like, "model")) &&
            !strcmp(figure_text(e, "content"), figure_text(like, "content")))
            return e;
    }
    return NULL;
}

/* The same embedder in the first of the files whose name ends in `mark`. */
static const cJSON *other_yardstick(const cJSON *files, const cJSON *like, const char *mark) {
    const cJSON *file, *found = NULL;
    cJSON_ArrayForEach(file, files) {
        const char *its = strstr(file->string, "--");
        if (its && !strcmp(its, mark) && !found) found = same_embedder(file, like);
    }
    return found;
}

static void embedder_name(FILE *to, const cJSON *e) {
    fputs(figure_text(e, "model"), to);
    if (json_get(e, "layer")) fprintf(to, " exit %.0f", figure(e, "layer"));
}

/* Files are called profile-EMBEDDER--YARDSTICK.json; a row joins an embedder's files. */
static void profile_table(const cJSON *report, FILE *to) {
    static const char *const own[] = {"routing.utterances.1",
                                      "routing.utterances.4",
                                      "routing.utterances.16",
                                      "routing.utterances.64",
                                      "routing.prototype",
                                      "routing.head",
                                      NULL};
    static const char *const dev[] = {"routing.utterances.16", "routing.utterances.64", "routing.head", NULL};
    static const char *const bench[] = {"clinc150.shots_10.utterances.accuracy",
                                        "clinc150.shots_10.head.accuracy",
                                        "clinc150.shots_10.utterances.out_of_scope_auroc",
                                        "clinc150.full.head.accuracy",
                                        "home_intents.full.head.accuracy",
                                        NULL};
    const cJSON *profiles = json_get(report, "profile"), *profile, *e;
    if (!profiles) return;
    fprintf(to, "| embedder | dim | own prompts: 1 | 4 | 16 | 64 utterances a route | prototypes | head | dev: 16 | 64 "
                "| head | "
                "CLINC150, 10 shots: near | head | out-of-scope AUROC | all, head | home intents, head | MTEB English "
                "| MTEB European |\n"
                "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- "
                "| --- |\n");
    cJSON_ArrayForEach(profile, profiles) {
        const char *mark = strstr(profile->string, "--");
        if (!mark || strcmp(mark, "--own") != 0) continue;
        cJSON_ArrayForEach(e, json_get(profile, "embedders")) {
            const cJSON *public_figures = other_yardstick(profiles, e, "--dev");
            fprintf(to, "| ");
            embedder_name(to, e);
            fprintf(to, " | %.0f |", figure(e, "dimensions"));
            cells(to, e, own), cells(to, public_figures, dev), cells(to, public_figures, bench);
            double english = figure(public_figures, "mteb.english"), european = figure(public_figures, "mteb.european");
            if (isnan(english))
                fprintf(to, " - | - |\n");
            else
                fprintf(to, " %.1f | %.1f |\n", english, european);
        }
    }
}

/* Files are called fit-EMBEDDER--YARDSTICK.json: a row a space of an embedder, which joins its files. */
static void spaces_table(const cJSON *report, FILE *to) {
    static const struct {
        const char *name, *words;
    } spaces[] = {{"plain", "plain cosine"}, {"centred", "about the utterances' mean"},
                  {"whitened", "whitened"},  {"map", "map"},
                  {"head", "head"},          {"map_and_head", "map and head"}};
    static const struct {
        const char *table, *figure;
    } columns[] = {{"clinc150_10", "accuracy"},
                   {"clinc150_10", "out_of_scope_auroc"},
                   {"clinc150_3", "accuracy"},
                   {"clinc150_3", "out_of_scope_auroc"},
                   {"home_intents", "accuracy"}};
    const cJSON *files = json_get(report, "fit"), *file, *e;
    if (!files) return;
    fprintf(to, "| embedder | space | dev, sources left out | own prompts | CLINC150, 10 shots | out-of-scope AUROC | "
                "3 shots | out-of-scope AUROC | home intents, 3 shots | asset, KB | match, us |\n"
                "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    cJSON_ArrayForEach(file, files) {
        const char *mark = strstr(file->string, "--");
        if (!mark || strcmp(mark, "--own") != 0) continue;
        cJSON_ArrayForEach(e, json_get(file, "embedders")) {
            const cJSON *others = other_yardstick(files, e, "--dev");
            for (size_t s = 0; s < sizeof spaces / sizeof *spaces; s++) {
                const cJSON *own = figure_at(json_get(figure_at(e, "spaces"), "routing"), spaces[s].name),
                            *tables = json_get(others, "spaces");
                fprintf(to, "| ");
                embedder_name(to, e);
                fprintf(to, " | %s | %s | %s |", spaces[s].words,
                        figure_percent(figure(json_get(json_get(tables, "routing"), spaces[s].name), "accuracy")),
                        figure_percent(figure(own, "accuracy")));
                for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
                    fprintf(to, " %s |",
                            figure_percent(figure(json_get(json_get(tables, columns[c].table), spaces[s].name),
                                                  columns[c].figure)));
                fprintf(to, " %.0f | %.1f |\n", figure(own, "asset_bytes") / 1000, figure(own, "match_us"));
            }
        }
    }
}

/* ---- sweep ---------------------------------------------------------------------------------------------------------
 */

static double swept(const cJSON *sweep, const char *factor, const char *field, const char *value, double length,
                    double k) {
    const cJSON *s, *r;
    cJSON_ArrayForEach(s, json_get(sweep, "settings")) {
        const cJSON *f = field ? json_get(s, field) : NULL;
        char text[32] = "";
        if (cJSON_IsNumber(f)) snprintf(text, sizeof text, "%g", f->valuedouble);
        const char *its = cJSON_IsString(f) ? f->valuestring : text;
        if (strcmp(figure_text(s, "factor"), factor) != 0 || figure(s, "length") != length) continue;
        if (field && strcmp(its, value) != 0) continue;
        cJSON_ArrayForEach(r, json_get(s, "results")) if (figure(r, "k") == k) return figure(r, "accuracy");
    }
    return NAN;
}

static void sweep_table(const cJSON *report, FILE *to) {
    static const struct {
        const char *words, *factor, *field, *value;
        double k;
    } rows[] = {{"nearest utterance", "length", NULL, NULL, 1},
                {"mean of the 3 nearest", "length", NULL, NULL, 3},
                {"mean of the 5 nearest", "length", NULL, NULL, 5},
                {"mean of the 8 nearest", "length", NULL, NULL, 8},
                {"mean of all", "length", NULL, NULL, 0},
                {"under 4 words", "words", "words", "under 4", 5},
                {"4 to 7 words", "words", "words", "4 to 7", 5},
                {"8 to 14 words", "words", "words", "8 to 14", 5},
                {"15 to 32 words", "words", "words", "15 to 32", 5},
                {"over 32 words", "words", "words", "over 32", 5},
                {"low vocabulary", "vocabulary", "vocabulary", "low", 5},
                {"middle vocabulary", "vocabulary", "vocabulary", "middle", 5},
                {"high vocabulary", "vocabulary", "vocabulary", "high", 5},
                {"English only", "languages", "languages", "English", 5},
                {"1 language", "languages", "languages", "1", 5},
                {"2 languages", "languages", "languages", "2", 5},
                {"4 languages", "languages", "languages", "4", 5},
                {"8 languages", "languages", "languages", "8", 5},
                {"all languages", "languages", "languages", "all", 5}};
    static const double lengths[] = {1, 2, 4, 8, 16, 32, 64};
    const cJSON *sweep;
    cJSON_ArrayForEach(sweep, json_get(report, "sweep")) {
        fprintf(to,
                "%s (%.0f), utterances drawn from %.0f prompts, %.0f draws; accuracy in %%, mean of the 5 nearest "
                "where not "
                "said otherwise:\n\n| utterances a route |",
                yardstick(sweep->string), figure(sweep, "tests"), figure(sweep, "pool"), figure(sweep, "draws"));
        for (int l = 0; l < 7; l++) fprintf(to, " %.0f |", lengths[l]);
        fprintf(to, "\n| --- |");
        for (int l = 0; l < 7; l++) fprintf(to, " --- |");
        fprintf(to, "\n");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            if (isnan(swept(sweep, rows[i].factor, rows[i].field, rows[i].value, 1, rows[i].k))) continue;
            fprintf(to, "| %s |", rows[i].words);
            for (int l = 0; l < 7; l++)
                fprintf(
                    to, " %s |",
                    figure_percent(swept(sweep, rows[i].factor, rows[i].field, rows[i].value, lengths[l], rows[i].k)));
            fprintf(to, "\n");
        }
        fprintf(to, "\n");
    }
}

/* ---- configuration
 * --------------------------------------------------------------------------------------------------- */

static void configuration_table(const cJSON *report, FILE *to) {
    const cJSON *c = json_get(report, "configuration"), *e, *r;
    if (!c) return;
    fprintf(to, "| route | utterances | words each | negatives |");
    cJSON_ArrayForEach(e, json_get(c, "exits")) {
        if (!strcmp(figure_text(e, "embedder"), "encoder"))
            fprintf(to, " exit %.0f: tau, margin |", figure(e, "layer"));
        else
            fprintf(to, " %s: tau, margin |", figure_text(e, "embedder"));
    }
    fprintf(to, "\n| --- | --- | --- | --- |");
    cJSON_ArrayForEach(e, json_get(c, "exits")) fprintf(to, " --- |");
    fprintf(to, "\n");
    int i = 0;
    cJSON_ArrayForEach(r, json_get(c, "routes")) {
        fprintf(to, "| %s | %.0f | %.1f | %.0f |", figure_text(r, "id"), figure(r, "utterances"),
                figure(r, "mean_words"), figure(r, "negatives"));
        cJSON_ArrayForEach(e, json_get(c, "exits")) {
            const cJSON *p = cJSON_GetArrayItem(json_get(e, "routes"), i);
            if (figure(p, "tau") <= -1)
                fprintf(to, " none, %.3f |", figure(p, "margin"));
            else
                fprintf(to, " %.3f, %.3f |", figure(p, "tau"), figure(p, "margin"));
        }
        fprintf(to, "\n");
        i++;
    }
    fprintf(to,
            "\n| exit | vector | rows | map | score | stops at confidence |\n| --- | --- | --- | --- | --- | --- |\n");
    cJSON_ArrayForEach(e, json_get(c, "exits")) {
        double k = figure(e, "aggregation");
        fprintf(to, "| %s", figure_text(e, "embedder"));
        if (!strcmp(figure_text(e, "embedder"), "encoder")) fprintf(to, " %.0f", figure(e, "layer"));
        fprintf(to, " | %.0f | %.0f | %s | ", figure(e, "dim"), figure(e, "row_dim"),
                cJSON_IsTrue(json_get(e, "map")) ? "yes" : "no");
        if (k == 1)
            fprintf(to, "nearest");
        else
            fprintf(to, "mean of the %.0f nearest", k);
        fprintf(to, " | %.2f |\n", figure(e, "stop_confidence"));
    }
}

const report_table report_tables[] = {{"accuracy.md", accuracy_table},
                                      {"routes.md", routes_table},
                                      {"breakdown.md", breakdown_table},
                                      {"other-routes.md", other_table},
                                      {"learn.md", learn_table},
                                      {"robust.md", robust_table},
                                      {"profile.md", profile_table},
                                      {"spaces.md", spaces_table},
                                      {"sweep.md", sweep_table},
                                      {"configuration.md", configuration_table},
                                      {NULL, NULL}};
