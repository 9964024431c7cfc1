/* The figures of eval as text. */
#include "program/eval_data.h"
#include "program/figures.h"
#include <math.h>
#include <string.h>

static void padded(FILE *to, const char *text, int width) {
    int n = (int)figure_characters(text);
    fprintf(to, "%s%*s", text, width > n ? width - n : 1, "");
}

void eval_print_summary(const cJSON *sets, FILE *to) {
    const cJSON *m;
    fprintf(to, "             layers  accuracy                 balanced                 calibration error\n");
    cJSON_ArrayForEach(m, sets) {
        padded(to, figure_text(m, "set"), 13);
        fprintf(to, "%6.2f  ", figure(m, "mean_layers"));
        padded(to, figure_interval(json_get(m, "accuracy")), 25);
        padded(to, figure_interval(json_get(m, "balanced_accuracy")), 25);
        fprintf(to, "%.3f\n", figure(m, "ece"));
    }
}

void eval_print(const cJSON *m, FILE *to) {
    const cJSON *one, *routes = json_get(m, "routes"), *confusion = json_get(m, "confusion");
    fprintf(to, "%s: %.0f prompts", figure_text(m, "set"), figure(m, "in_scope"));
    if (figure(m, "count") > figure(m, "in_scope"))
        fprintf(to, " and %.0f out of scope", figure(m, "count") - figure(m, "in_scope"));
    if (figure(m, "mean_layers") > 0) fprintf(to, ", %.2f layers on average", figure(m, "mean_layers"));
    fprintf(to, "\n  accuracy           %s\n", figure_interval(json_get(m, "accuracy")));
    fprintf(to, "  balanced accuracy  %s\n", figure_interval(json_get(m, "balanced_accuracy")));
    if (json_get(m, "ece")) fprintf(to, "  calibration error  %.3f\n", figure(m, "ece"));

    int width = 6;
    cJSON_ArrayForEach(one, routes) {
        int n = (int)figure_characters(figure_text(one, "id"));
        if (n > width) width = n;
    }
    fprintf(to, "\n  ");
    padded(to, "route", width + 2);
    fprintf(to, "prompts  recall                   precision\n");
    cJSON_ArrayForEach(one, routes) {
        fputs("  ", to);
        padded(to, figure_text(one, "id"), width + 2);
        fprintf(to, "%7.0f  ", figure(one, "count"));
        padded(to, figure_interval(json_get(one, "recall")), 25);
        fprintf(to, "%s\n", figure_interval(json_get(one, "precision")));
    }
    if (cJSON_GetArraySize(routes) <= 12) {
        fprintf(to, "\n  decisions (columns, in the same order) by route\n");
        int r = 0;
        cJSON_ArrayForEach(one, confusion) {
            const cJSON *cell;
            fputs("  ", to);
            padded(to, figure_text(cJSON_GetArrayItem(routes, r++), "id"), width + 2);
            cJSON_ArrayForEach(cell, one) fprintf(to, "%6.0f", cell->valuedouble);
            fputc('\n', to);
        }
    }
    const cJSON *by;
    cJSON_ArrayForEach(by, json_get(m, "by")) {
        fprintf(to, "\n  by %s\n", by->string);
        cJSON_ArrayForEach(one, by) {
            fputs("  ", to);
            padded(to, *figure_text(one, "value") ? figure_text(one, "value") : "(none)",
                   width + 2 > 40 ? width + 2 : 40);
            fprintf(to, "%7.0f  %s\n", figure(one, "count"), figure_interval(json_get(one, "accuracy")));
        }
    }
    if (json_get(m, "coverage")) {
        fprintf(to, "\n  when only the surest are answered\n  coverage    ");
        int i = 0;
        cJSON_ArrayForEach(one, json_get(m, "coverage")) if (i++ % 2)
            fprintf(to, "%6.0f %%", 100 * figure(one, "coverage"));
        fprintf(to, "\n  accuracy    ");
        i = 0;
        cJSON_ArrayForEach(one, json_get(m, "coverage")) if (i++ % 2)
            fprintf(to, "%6.1f %%", 100 * figure(one, "accuracy"));
        fputc('\n', to);
    }
    if ((one = json_get(m, "out_of_scope")))
        fprintf(
            to,
            "\n  out of scope: %.1f %% of %.0f are caught when %.0f %% of the others are rejected too; AUROC %.3f\n",
            100 * figure(one, "recall"), figure(one, "count"), 100 * figure(one, "false_alarm"),
            figure(one, "auroc_score"));
    if (cJSON_GetArraySize(json_get(m, "mistakes"))) {
        fprintf(to, "\n  the surest of %.0f mistakes\n", figure(m, "mistake_count"));
        cJSON_ArrayForEach(one, json_get(m, "mistakes")) {
            const cJSON *why = cJSON_GetArrayItem(json_get(one, "why"), 0);
            fprintf(to, "  %s: %s, not %s (%.2f): %s\n", figure_text(one, "id"), figure_text(one, "predicted"),
                    figure_text(one, "truth"), figure(one, "confidence"),
                    labelled_short(figure_text(one, "text"), 100));
            if (why)
                fprintf(to, "      near (%.2f) %s\n", figure(why, "similarity"),
                        labelled_short(figure_text(why, "text"), 100));
        }
    }
}

void eval_print_compare(const cJSON *c, FILE *to) {
    const cJSON *d = json_get(c, "difference");
    fprintf(to, "first %.1f %%, second %.1f %% of %.0f prompts: second less first %+.1f points (%+.1f to %+.1f)\n",
            100 * figure(c, "first_accuracy"), 100 * figure(c, "second_accuracy"), figure(c, "paired"),
            100 * figure(d, "value"), 100 * figure(d, "low"), 100 * figure(d, "high"));
    fprintf(to, "only the first is right on %.0f, only the second on %.0f; McNemar p = %.3g\n",
            figure(c, "only_first_right"), figure(c, "only_second_right"), figure(c, "mcnemar_p"));
    if (figure(c, "unpaired") > 0)
        fprintf(to, "%.0f prompts are not in both with the same label and were left out\n", figure(c, "unpaired"));
}
