/* Softmax regression. */
#include "program/profile_head.h"
#include "kernel/kernel.h"
#include "program/eval_stats.h"
#include "program/files.h"
#include "program/parallel.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 256 };

typedef struct {
    head *h;
    const sr_kernels *kernels;
    const float *rows;
    const uint32_t *labels, *order; /* of the batch; order null: rows as they are */
    size_t count;
    float *probabilities; /* [count][classes]; in fitting less the truth: the gradient of the logits */
    float *m, *v, *bias_m, *bias_v, *gradient;
    float rate, decay, correct_m, correct_v;
    uint32_t *best;
    double *probability;
} head_job;

static void logits_of(const head_job *j, const float *row, float *out) {
    const head *h = j->h;
    float largest = -INFINITY, sum = 0;
    for (uint32_t c = 0; c < h->classes; c++) {
        out[c] = j->kernels->dot_f32(row, h->weights + c * h->dim, h->dim) * h->scale + h->bias[c];
        if (out[c] > largest) largest = out[c];
    }
    for (uint32_t c = 0; c < h->classes; c++) sum += out[c] = expf(out[c] - largest);
    for (uint32_t c = 0; c < h->classes; c++) out[c] /= sum;
}

static void forward_one(void *context, int thread, size_t i) {
    (void)thread;
    head_job *j = context;
    size_t row = j->order[i];
    float *p = j->probabilities + i * j->h->classes;
    logits_of(j, j->rows + row * j->h->dim, p);
    p[j->labels[row]] -= 1;
}

/* One class: its gradient over the batch, and its Adam step. */
static void step_class(void *context, int thread, size_t c) {
    (void)thread;
    head_job *j = context;
    head *h = j->h;
    size_t dim = h->dim;
    float *g = j->gradient + c * dim, *w = h->weights + c * dim, *m = j->m + c * dim, *v = j->v + c * dim;
    float bias = 0, part = h->scale / (float)j->count;
    memset(g, 0, dim * sizeof *g);
    for (size_t i = 0; i < j->count; i++) {
        float p = j->probabilities[i * h->classes + c];
        const float *row = j->rows + j->order[i] * dim;
        bias += p;
        for (size_t d = 0; d < dim; d++) g[d] += p * row[d];
    }
    for (size_t d = 0; d < dim; d++) {
        float gradient = g[d] * part + j->decay * w[d];
        m[d] = 0.9f * m[d] + 0.1f * gradient, v[d] = 0.999f * v[d] + 0.001f * gradient * gradient;
        w[d] -= j->rate * (m[d] / j->correct_m) / (sqrtf(v[d] / j->correct_v) + 1e-8f);
    }
    bias /= (float)j->count;
    j->bias_m[c] = 0.9f * j->bias_m[c] + 0.1f * bias, j->bias_v[c] = 0.999f * j->bias_v[c] + 0.001f * bias * bias;
    h->bias[c] -= j->rate * (j->bias_m[c] / j->correct_m) / (sqrtf(j->bias_v[c] / j->correct_v) + 1e-8f);
}

head head_fit(const float *rows, const uint32_t *labels, size_t count, size_t dim, uint32_t classes, uint64_t seed,
              int threads) {
    /* Unit vectors have elements of about 1 / sqrt(dim); scaled to about 1, one rate of learning suits every model. */
    head h = {dim, classes, sqrtf((float)dim), memory(classes * dim * sizeof(float)), memory(classes * sizeof(float))};
    size_t numbers = (size_t)classes * dim * sizeof(float), steps = 150 + count / 40, step = 0;
    head_job j = {.h = &h, .kernels = sr_kernels_best(), .rows = rows, .labels = labels, .decay = 1e-3f};
    j.m = memory(numbers), j.v = memory(numbers), j.gradient = memory(numbers);
    j.bias_m = memory(classes * sizeof(float)), j.bias_v = memory(classes * sizeof(float));
    j.probabilities = memory((size_t)BATCH * classes * sizeof(float));
    uint32_t *order = memory((count + 1) * sizeof *order);
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
    stats_rng r = {seed};
    if ((double)count * classes * (double)dim < 1e6) threads = 1; /* not worth starting threads for */
    while (step < steps) {
        stats_shuffle(&r, order, (uint32_t)count, (uint32_t)count);
        for (size_t first = 0; first < count && step < steps; first += BATCH, step++) {
            j.order = order + first, j.count = count - first < BATCH ? count - first : BATCH;
            j.rate = 0.01f * 0.5f * (1 + cosf(3.14159265f * (float)step / (float)steps));
            j.correct_m = 1 - powf(0.9f, (float)(step + 1)), j.correct_v = 1 - powf(0.999f, (float)(step + 1));
            parallel_for(j.count, threads, NULL, forward_one, &j);
            parallel_for(classes, threads, NULL, step_class, &j);
        }
    }
    free(j.m), free(j.v), free(j.gradient), free(j.bias_m), free(j.bias_v), free(j.probabilities), free(order);
    return h;
}

static void apply_one(void *context, int thread, size_t i) {
    head_job *j = context;
    float *p = j->probabilities + (size_t)thread * j->h->classes;
    logits_of(j, j->rows + i * j->h->dim, p);
    uint32_t best = 0;
    for (uint32_t c = 1; c < j->h->classes; c++)
        if (p[c] > p[best]) best = c;
    j->best[i] = best;
    if (j->probability) j->probability[i] = (double)p[best];
}

void head_apply(const head *h, const float *rows, size_t count, int threads, uint32_t *best, double *probability) {
    threads = parallel_threads(threads, count);
    head_job j = {.h = (head *)(uintptr_t)h,
                  .kernels = sr_kernels_best(),
                  .rows = rows,
                  .best = best,
                  .probability = probability};
    j.probabilities = memory((size_t)threads * h->classes * sizeof(float));
    parallel_for(count, threads, NULL, apply_one, &j);
    free(j.probabilities);
}

void head_free(head *h) {
    free(h->weights), free(h->bias);
}
