/* Judging a piece table by what its training left out, and its calibration. */
#include "container.h"
#include "program/table.h"
#include "program/tune.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDS = 4 };

/* Vectors of count texts by a table file; memory(). */
static float *vectors(const uint8_t *file, size_t bytes, const sr_text *texts, size_t count) {
    const sr_table *table;
    int64_t need = sr_table_bytes(file, bytes);
    int rc = (int)need;
    float *out = NULL;
    void *mem = NULL;
    if (need >= 0) {
        mem = memory((size_t)need);
        rc = sr_table_open(mem, (size_t)need, file, bytes, &table);
    }
    if (rc < 0) {
        cli_error("%s (%s)", sr_error_text(rc), sr_error_name(rc));
    } else {
        size_t dim = sr_table_dim(table), work_bytes = sr_table_work_bytes(table);
        void *work = memory(work_bytes);
        out = memory(count * dim * sizeof *out);
        for (size_t i = 0; i < count; i++) /* a text without any direction keeps the zero vector */
            sr_table_embed(table, texts[i].data, texts[i].bytes, work, work_bytes, out + i * dim);
        free(work);
    }
    free(mem);
    return out;
}

/* Scores of the tested rows by the route file's utterances, those that are tested rows left out. */
static void score(const table_job *job, const float *v, const float *utterances, const uint8_t *test, float *scores) {
    size_t dim = job->trainer.options.dim, n = job->data.count, count = 0;
    uint32_t routes = job->data.route_count, *chosen = memory((job->utterance_count + 1) * sizeof *chosen), used = 0;
    for (uint32_t i = 0; i < job->utterance_count; i++)
        if (job->utterance_row[i] < 0 || !test[job->utterance_row[i]]) chosen[used++] = i;
    float *rows = memory((n + 1) * dim * sizeof *rows), *out = memory((n + 1) * routes * sizeof *out);
    for (size_t i = 0; i < n; i++)
        if (test[i]) memcpy(rows + count++ * dim, v + i * dim, dim * sizeof *v);
    fit_scores(rows, count, dim, utterances, chosen, used, job->utterance_route, routes, job->k, out);
    count = 0;
    for (size_t i = 0; i < n; i++)
        if (test[i]) memcpy(scores + i * routes, out + count++ * routes, routes * sizeof *out);
    free(chosen), free(rows), free(out);
}

static bool judge_fold(table_job *job, const uint8_t *train, const uint8_t *test, table_judged *out) {
    table_trainer *t = &job->trainer;
    size_t dim = t->options.dim, n = job->data.count, pieces = t->model->meta.piece_count;
    uint32_t routes = job->data.route_count;
    float *rows = memory(pieces * dim * sizeof *rows), *head = memory(routes * dim * sizeof *head),
          *bias = memory(routes * sizeof *bias);
    bool fine = table_start(t, train, rows);
    for (int trained = 0; trained < 2 && fine; trained++) {
        uint8_t *file = NULL;
        if (trained) table_train(t, train, rows, head, bias);
        int64_t bytes = table_file(t, rows, &file);
        float *v = bytes < 0 ? NULL : vectors(file, (size_t)bytes, job->texts, n);
        float *u = v ? vectors(file, (size_t)bytes, job->utterances, job->utterance_count) : NULL;
        fine = u != NULL;
        if (fine) score(job, v, u, test, trained ? out->scores : out->start);
        for (size_t i = 0; i < n && fine && trained; i++)
            for (uint32_t r = 0; r < routes && test[i]; r++) {
                float x = bias[r];
                for (size_t d = 0; d < dim; d++) x += head[r * dim + d] * v[i * dim + d];
                out->readout[i * routes + r] = x, out->tested[i] = 1;
            }
        free(file), free(v), free(u);
    }
    free(rows), free(head), free(bias);
    return fine;
}

/* Languages in the order of their names, dealt out to folds in turn. */
static uint32_t language_fold(const dataset *d, const char *lang) {
    char before[64][8];
    uint32_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        uint32_t at = 0;
        if (!d->rows[i].corpus || strcmp(d->rows[i].lang, lang) >= 0) continue;
        while (at < count && strcmp(before[at], d->rows[i].lang) != 0) at++;
        if (at == count && count < 64) strcpy(before[count++], d->rows[i].lang);
    }
    return count % FOLDS;
}

/* Does every route have a row to learn from? */
static bool covers(const dataset *d, const uint8_t *train) {
    uint8_t has[SR_MAX_ROUTES] = {0};
    uint32_t count = 0;
    for (size_t i = 0; i < d->count; i++)
        if (train[i] && !has[d->rows[i].route]) has[d->rows[i].route] = 1, count++;
    return count == d->route_count;
}

bool table_judge(table_job *job) {
    size_t n = job->data.count;
    const dataset *d = &job->data;
    uint8_t *train = memory(n), *test = memory(n), *fold = memory(n);
    enum { ALL_FOLDS = JUDGE_KINDS * FOLDS };
    uint8_t *is_judged = memory(d->source_count);
    bool fine = true;
    for (size_t i = job->judge_from; i < n; i++) is_judged[d->rows[i].source] = 1;
    for (int kind = 0; kind < JUDGE_KINDS; kind++) {
        table_judged *out = &job->judged[kind];
        size_t room = n * d->route_count * sizeof(float);
        out->tested = memory(n);
        out->scores = memory(room), out->readout = memory(room), out->start = memory(room);
    }
    for (size_t i = 0; i < n; i++)
        fold[i] = i && d->rows[i].corpus && strcmp(d->rows[i].lang, d->rows[i - 1].lang) == 0
                      ? fold[i - 1]
                      : (uint8_t)language_fold(d, d->rows[i].lang);
    for (uint32_t f = 0; f < ALL_FOLDS && fine; f++) {
        int kind = f < FOLDS ? JUDGE_LANGUAGES : f < 2 * FOLDS ? JUDGE_PROMPTS : JUDGE_SOURCES;
        size_t tested = 0;
        for (size_t i = 0; i < n; i++) {
            const sample *s = &d->rows[i];
            test[i] = kind == JUDGE_LANGUAGES ? s->corpus && fold[i] == f
                      : kind == JUDGE_PROMPTS ? s->corpus && sr_hash64(s->text, strlen(s->text)) % FOLDS == f - FOLDS
                                              : i >= job->judge_from && s->source % FOLDS == f % FOLDS;
            /* a source is left out wherever it stands */
            train[i] =
                kind == JUDGE_SOURCES ? s->corpus || !is_judged[s->source] || s->source % FOLDS != f % FOLDS : !test[i];
            tested += test[i];
        }
        if (tested && covers(d, train)) fine = judge_fold(job, train, test, &job->judged[kind]);
        cli_progress("judging by what was left out", f + 1, ALL_FOLDS);
    }
    free(train), free(test), free(fold), free(is_judged);
    if (!fine) return false;

    /* calibration: the yardsticks count alike, however many rows they have */
    double *features = memory(JUDGE_KINDS * n * 4 * sizeof *features),
           *target = memory(JUDGE_KINDS * n * sizeof *target), *weight = memory(JUDGE_KINDS * n * sizeof *weight);
    size_t count = 0;
    for (int kind = 0; kind < JUDGE_KINDS; kind++) {
        const table_judged *j = &job->judged[kind];
        size_t rows = 0;
        for (size_t i = 0; i < n; i++) rows += j->tested[i];
        for (size_t i = 0; i < n; i++) {
            if (!j->tested[i]) continue;
            double *f = features + count * 4;
            uint32_t r = tune_features(j->scores + i * d->route_count, d->route_count, f);
            target[count] = r == job->route_of[i];
            weight[count++] = 1000.0 / (double)rows;
        }
    }
    job->calibration[1] = 12; /* the writer's guess */
    fine = !count || fit_logistic(features, count, 4, target, weight, job->calibration);
    /* Stopping here must cost at most half a point even if deeper exits were never wrong: the lowest confidence above
     * which wrong answers are at most 0.5 % of all. */
    double all = 0;
    for (size_t i = 0; i < count; i++) all += weight[i];
    for (job->stop = 0.5; job->stop < 0.995 && fine; job->stop += 0.005) {
        double wrong = 0;
        for (size_t i = 0; i < count; i++)
            if (!target[i] && tune_confidence(job->calibration, features + i * 4) >= job->stop) wrong += weight[i];
        if (wrong <= 0.005 * all) break;
    }
    if (!count) job->stop = 1;
    free(features), free(target), free(weight);
    return fine ? true : (cli_error("the calibration did not converge"), false);
}

typedef struct {
    double right, count, english, english_right, readout, start, sure_right, stopped, stopped_wrong, error;
} tally;

static int best(const float *scores, uint32_t routes) {
    int at = 0;
    for (uint32_t r = 1; r < routes; r++)
        if (scores[r] > scores[at]) at = (int)r;
    return at;
}

static int descending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static tally count_up(const table_job *job, const table_judged *j) {
    tally t = {0};
    uint32_t routes = job->data.route_count;
    double *sure = memory((job->data.count + 1) * sizeof *sure), bins[10] = {0};
    for (size_t i = 0; i < job->data.count; i++) {
        if (!j->tested[i]) continue;
        double f[4], c;
        uint32_t truth = job->route_of[i];
        int right = tune_features(j->scores + i * routes, routes, f) == truth,
            english = strcmp(job->data.rows[i].lang, "en") == 0;
        c = tune_confidence(job->calibration, f);
        sure[(size_t)t.count++] = right ? c : -c;
        t.right += right, t.english += english, t.english_right += english && right;
        t.readout += best(j->readout + i * routes, routes) == (int)truth;
        t.start += best(j->start + i * routes, routes) == (int)truth;
        t.stopped += c >= job->stop, t.stopped_wrong += c >= job->stop && !right;
        bins[c >= 1 ? 9 : (int)(c * 10)] += right - c;
    }
    for (int b = 0; b < 10; b++) t.error += fabs(bins[b]) / (t.count > 0 ? t.count : 1);
    /* the surer half: order by confidence, right or wrong */
    size_t n = (size_t)t.count;
    double *order = memory((n + 1) * sizeof *order);
    for (size_t i = 0; i < n; i++) order[i] = fabs(sure[i]);
    qsort(order, n, sizeof *order, descending);
    double half = 0;
    for (size_t i = 0; i < n; i++)
        if (fabs(sure[i]) >= order[n / 2]) half++, t.sure_right += sure[i] > 0;
    t.sure_right /= half > 0 ? half : 1;
    free(sure), free(order);
    return t;
}

void table_report(const table_job *job, FILE *to) {
    static const char *const kinds[] = {"our corpus, languages left out", "our corpus, prompts left out",
                                        "public prompts, their source left out"};
    fputs("| judged on | prompts | start, % | table, % | English | others | surer half | readout | calibration error | "
          "answers at once |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
          to);
    for (int kind = 0; kind < JUDGE_KINDS; kind++) {
        tally t = count_up(job, &job->judged[kind]);
        if (t.count < 1) continue;
        double others = t.count - t.english;
        fprintf(to,
                "| %s | %.0f | %.1f | **%.1f** | %.1f | %.1f | %.1f | %.1f | %.3f | %.1f %%, %.1f %% of them wrong |\n",
                kinds[kind], t.count, 100 * t.start / t.count, 100 * t.right / t.count,
                100 * t.english_right / (t.english > 0 ? t.english : 1),
                100 * (t.right - t.english_right) / (others > 0 ? others : 1), 100 * t.sure_right,
                100 * t.readout / t.count, t.error, 100 * t.stopped / t.count,
                100 * t.stopped_wrong / (t.stopped > 0 ? t.stopped : 1));
    }
}
