/* Standard benchmarks: k-shot and full, by utterances, prototypes and heads, with what is out of scope. */
#include "program/eval_data.h"
#include "program/profile.h"
#include "program/profile_head.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool benchmark_read(benchmark *b, char *path, uint32_t one_in) {
    memset(b, 0, sizeof *b);
    labelled_options train = {.where = "split=train", .one_in = one_in, .needs_labels = true},
                     test = {.where = "split=test", .one_in = one_in, .needs_labels = true};
    if (!labelled_read(&path, 1, &train, &b->train) || !labelled_read(&path, 1, &test, &b->test)) return false;
    size_t kept = 0;
    for (size_t i = 0; i < b->train.count; i++) { /* out-of-scope training rows are not used */
        if (labelled_is_out(b->train.rows[i].label))
            cJSON_Delete(b->train.rows[i].record);
        else
            b->train.rows[kept++] = b->train.rows[i];
    }
    b->train.count = kept;
    b->label_count = labelled_names(&b->train, &b->labels);
    if (b->label_count < 2) return cli_error("%s: training rows of one label only", path), false;
    b->train_label = memory((kept + 1) * sizeof *b->train_label);
    for (size_t i = 0; i < kept; i++)
        b->train_label[i] = (uint32_t)labelled_index(b->labels, b->label_count, b->train.rows[i].label);
    return true;
}

void benchmark_free(benchmark *b) {
    labelled_free(&b->train), labelled_free(&b->test);
    free(b->labels), free(b->train_label);
    memset(b, 0, sizeof *b);
}

int32_t *benchmark_truth(const benchmark *b) {
    int32_t *truth = memory((b->test.count + 1) * sizeof *truth);
    for (size_t i = 0; i < b->test.count; i++)
        truth[i] = labelled_index(b->labels, b->label_count, b->test.rows[i].label);
    return truth;
}

typedef struct {
    const benchmark *b;
    size_t dim, test_count;
    const float *test;
    int32_t *truth; /* [test_count]; -1 out of scope */
    uint32_t *best;
    double *score;
    int threads;
} bench_job;

profile_outcome profile_outcome_of(const int32_t *truth, const uint32_t *best, const double *score, size_t count) {
    double right = 0, inside = 0, caught = 0, out = 0;
    bool *in = memory(count + 1);
    double *in_scores = memory((count + 1) * sizeof *in_scores);
    for (size_t i = 0; i < count; i++) {
        in[i] = truth[i] >= 0;
        right += in[i] && (uint32_t)truth[i] == best[i];
        if (in[i]) in_scores[(size_t)inside] = score[i], inside++;
    }
    profile_outcome o = {right / inside, NAN, NAN};
    if (inside < (double)count) {
        double threshold = stats_quantile(in_scores, (size_t)inside, 0.05);
        for (size_t i = 0; i < count; i++)
            if (!in[i]) out++, caught += score[i] < threshold;
        o.auroc = stats_auroc(score, in, count), o.recall = caught / out;
    }
    free(in), free(in_scores);
    return o;
}

static profile_outcome outcome_of(const bench_job *j) {
    return profile_outcome_of(j->truth, j->best, j->score, j->test_count);
}

/* The mean of the 5 nearest utterances of each label. */
static profile_outcome by_utterances(bench_job *j, const float *rows, const uint32_t *labels, size_t count) {
    uint32_t n = j->b->label_count;
    float *similar = space_similarities(j->test, j->test_count, rows, count, j->dim, j->threads, NULL);
    float *top = memory((size_t)n * 5 * sizeof *top);
    uint32_t *held = memory(n * sizeof *held);
    for (size_t i = 0; i < j->test_count; i++) {
        memset(held, 0, n * sizeof *held);
        for (size_t u = 0; u < count; u++) {
            float v = similar[i * count + u], *t = top + labels[u] * 5;
            uint32_t at = held[labels[u]];
            if (at == 5 && v <= t[4]) continue;
            if (at == 5)
                at = 4;
            else
                held[labels[u]]++;
            for (; at && v > t[at - 1]; at--) t[at] = t[at - 1];
            t[at] = v;
        }
        j->score[i] = -2;
        for (uint32_t c = 0; c < n; c++) {
            double sum = 0;
            for (uint32_t k = 0; k < held[c]; k++) sum += (double)top[c * 5 + k];
            if (held[c] && sum / held[c] > j->score[i]) j->score[i] = sum / held[c], j->best[i] = c;
        }
    }
    free(similar), free(top), free(held);
    return outcome_of(j);
}

static profile_outcome by_prototypes(bench_job *j, const float *rows, const uint32_t *labels, size_t count) {
    uint32_t n = j->b->label_count;
    float *means = memory(n * j->dim * sizeof *means);
    for (size_t i = 0; i < count; i++)
        for (size_t d = 0; d < j->dim; d++) means[labels[i] * j->dim + d] += rows[i * j->dim + d];
    space_unit(means, n, j->dim, 1);
    float *similar = space_similarities(j->test, j->test_count, means, n, j->dim, j->threads, NULL);
    for (size_t i = 0; i < j->test_count; i++) {
        j->score[i] = -2;
        for (uint32_t c = 0; c < n; c++)
            if ((double)similar[i * n + c] > j->score[i]) j->score[i] = (double)similar[i * n + c], j->best[i] = c;
    }
    free(means), free(similar);
    return outcome_of(j);
}

static profile_outcome by_head(bench_job *j, const float *rows, const uint32_t *labels, size_t count, uint64_t seed) {
    head h = head_fit(rows, labels, count, j->dim, j->b->label_count, seed, j->threads);
    head_apply(&h, j->test, j->test_count, j->threads, j->best, j->score);
    head_free(&h);
    return outcome_of(j);
}

cJSON *profile_add_outcomes(cJSON *to, const char *name, const profile_outcome *o, size_t count) {
    double values[3][PROFILE_MAX_DRAWS];
    for (size_t i = 0; i < count; i++)
        values[0][i] = o[i].accuracy, values[1][i] = o[i].auroc, values[2][i] = o[i].recall;
    cJSON *one = cJSON_AddObjectToObject(to, name);
    cJSON_AddItemToObject(one, "accuracy", eval_interval_json(stats_mean(values[0], count)));
    if (isnan(o[0].auroc)) return one;
    cJSON_AddItemToObject(one, "out_of_scope_auroc", eval_interval_json(stats_mean(values[1], count)));
    cJSON_AddItemToObject(one, "out_of_scope_recall", eval_interval_json(stats_mean(values[2], count)));
    return one;
}

size_t benchmark_draw(const benchmark *b, uint32_t k, stats_rng *r, uint32_t *rows) {
    size_t n = 0;
    for (uint32_t c = 0; c < b->label_count; c++) {
        uint32_t *mine = rows + n, count = 0;
        for (uint32_t i = 0; i < b->train.count; i++)
            if (b->train_label[i] == c) mine[count++] = i;
        uint32_t kept = k && count > k ? k : count;
        if (kept < count) stats_shuffle(r, mine, count, kept);
        n += kept;
    }
    return n;
}

static void one_size(bench_job *j, const float *train, uint32_t k, int seeds, uint64_t seed, cJSON *out) {
    const benchmark *b = j->b;
    uint32_t *rows = memory((b->train.count + 1) * sizeof *rows),
             *labels = memory((b->train.count + 1) * sizeof *labels);
    float *x = memory((b->train.count + 1) * j->dim * sizeof *x);
    profile_outcome utterances[PROFILE_MAX_DRAWS], prototypes[PROFILE_MAX_DRAWS], heads[PROFILE_MAX_DRAWS];
    for (int s = 0; s < seeds; s++) {
        stats_rng r = {seed + (uint64_t)s};
        size_t count = benchmark_draw(b, k, &r, rows);
        for (size_t i = 0; i < count; i++) {
            memcpy(x + i * j->dim, train + rows[i] * j->dim, j->dim * sizeof *x);
            labels[i] = b->train_label[rows[i]];
        }
        utterances[s] = by_utterances(j, x, labels, count);
        prototypes[s] = by_prototypes(j, x, labels, count);
        heads[s] = by_head(j, x, labels, count, seed + (uint64_t)s);
    }
    profile_add_outcomes(out, "utterances", utterances, (size_t)seeds);
    profile_add_outcomes(out, "prototype", prototypes, (size_t)seeds);
    profile_add_outcomes(out, "head", heads, (size_t)seeds);
    free(rows), free(labels), free(x);
}

cJSON *profile_benchmark(const benchmark *b, const srv_set *set, uint32_t shots, int seeds, uint64_t seed,
                         int threads) {
    size_t dim = set->files[0].pin.dim;
    float *train = srv_set_vectors(set, &b->train, true), *test = train ? srv_set_vectors(set, &b->test, true) : NULL;
    if (!test) return free(train), NULL;
    float *mean = memory(dim * sizeof *mean);
    space_mean(train, b->train.count, dim, b->train_label, b->label_count, mean);
    space_centre(train, b->train.count, dim, mean, threads);
    space_centre(test, b->test.count, dim, mean, threads);
    free(mean);
    bench_job j = {.b = b, .dim = dim, .test_count = b->test.count, .test = test, .threads = threads};
    j.truth = benchmark_truth(b), j.best = memory((j.test_count + 1) * sizeof *j.best);
    j.score = memory((j.test_count + 1) * sizeof *j.score);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "labels", b->label_count);
    cJSON_AddNumberToObject(o, "train", (double)b->train.count);
    cJSON_AddNumberToObject(o, "tests", (double)b->test.count);
    if (shots) {
        char name[32];
        snprintf(name, sizeof name, "shots_%u", shots);
        one_size(&j, train, shots, seeds, seed, cJSON_AddObjectToObject(o, name));
    }
    one_size(&j, train, 0, 1, seed, cJSON_AddObjectToObject(o, "full"));
    free(train), free(test), free(j.truth), free(j.best), free(j.score);
    return o;
}

/* model,task,english,european_mean,european_subsets */
cJSON *profile_mteb(const char *path, const char *model, size_t model_bytes) {
    file_bytes file;
    if (!file_read(path, &file)) return NULL;
    double english = 0, european = 0;
    int english_count = 0, european_count = 0;
    char name[256] = "";
    for (char *line = file.data; line && *line;) {
        char *end = strchr(line, '\n'), *comma = strchr(line, ',');
        if (comma && (!end || comma < end)) {
            const char *slash = memchr(line, '/', (size_t)(comma - line)), *base = slash ? slash + 1 : line;
            bool same = ((size_t)(comma - base) == model_bytes && !memcmp(base, model, model_bytes)) ||
                        ((size_t)(comma - line) == model_bytes && !memcmp(line, model, model_bytes));
            char *second = strchr(comma + 1, ','), *third = second ? strchr(second + 1, ',') : NULL;
            if (same && third) {
                snprintf(name, sizeof name, "%.*s", (int)(comma - line), line);
                if (second[1] != ',') english += strtod(second + 1, NULL), english_count++;
                if (third[1] != ',') european += strtod(third + 1, NULL), european_count++;
            }
        }
        line = end ? end + 1 : NULL;
    }
    file_free(&file);
    if (!english_count) return NULL;
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "model", name);
    cJSON_AddItemToObject(o, "english", json_float(english / english_count));
    cJSON_AddItemToObject(o, "european", json_float(european_count ? european / european_count : NAN));
    cJSON_AddNumberToObject(o, "tasks", english_count);
    return o;
}
