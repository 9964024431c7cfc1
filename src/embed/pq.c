/* Product quantisation of the embedding table: each row is cut into `subspaces` parts, each replaced by the nearest of
 * the 256 means that k-means found for that part. Sums run in a fixed order, so a table is the same on every machine.
 */
#include "model_write.h"
#include <stdlib.h>
#include <string.h>

enum { MEANS = 256, ROUNDS = 12, SAMPLE = 32768, MAX_WIDTH = 64 };

/* Nearest mean; means transposed, [width][MEANS], so that a lane is a mean. Ties: lower number. */
static uint32_t nearest(const float *x, uint32_t width, const float *means, float *distance) {
    float d[MEANS];
    for (int c = 0; c < MEANS; c++) {
        float v = x[0] - means[c];
        d[c] = v * v;
    }
    for (uint32_t i = 1; i < width; i++)
        for (int c = 0; c < MEANS; c++) {
            float v = x[i] - means[i * MEANS + (uint32_t)c];
            d[c] += v * v;
        }
    uint32_t best = 0;
    for (uint32_t c = 1; c < MEANS; c++)
        if (d[c] < d[best]) best = c;
    if (distance) *distance = d[best];
    return best;
}

static uint32_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(*state >> 33);
}

static void train_part(const float *rows, const float *weights, const uint32_t *sample, uint32_t sample_count,
                       uint32_t dim, uint32_t first, uint32_t width, uint64_t *random, float *means, double *sums) {
    for (uint32_t c = 0; c < MEANS; c++) {
        const float *x = rows + (size_t)sample[next_random(random) % sample_count] * dim + first;
        for (uint32_t i = 0; i < width; i++) means[i * MEANS + c] = x[i];
    }
    double *mass = sums + (size_t)MEANS * width;
    for (int round = 0; round < ROUNDS; round++) {
        memset(sums, 0, (size_t)MEANS * (width + 1) * sizeof *sums);
        for (uint32_t k = 0; k < sample_count; k++) {
            const float *x = rows + (size_t)sample[k] * dim + first;
            uint32_t c = nearest(x, width, means, 0);
            double w = weights[sample[k]];
            for (uint32_t i = 0; i < width; i++) sums[(size_t)c * width + i] += w * (double)x[i];
            mass[c] += w;
        }
        for (uint32_t c = 0; c < MEANS; c++) {
            const float *lost = rows + (size_t)sample[next_random(random) % sample_count] * dim + first;
            for (uint32_t i = 0; i < width; i++)
                means[i * MEANS + c] = mass[c] > 0 ? (float)(sums[(size_t)c * width + i] / mass[c]) : lost[i];
        }
    }
}

int sr_pq_train(const float *rows, const float *weights, uint32_t count, uint32_t dim, uint32_t subspaces, float *books,
                uint8_t *codes, void (*progress)(const char *what, double done)) {
    uint32_t width = subspaces && dim % subspaces == 0 ? dim / subspaces : 0;
    if (width == 0 || width > MAX_WIDTH || count == 0) return SR_E_ARGUMENT;
    uint32_t sample_count = count < SAMPLE ? count : SAMPLE;
    uint32_t *sample = malloc((size_t)sample_count * sizeof *sample);
    float *means = malloc((size_t)MEANS * width * sizeof *means);
    double *sums = malloc((size_t)MEANS * (width + 1) * sizeof *sums);
    int e = sample && means && sums ? 0 : SR_E_MEMORY;
    uint64_t random = 20240607;
    for (uint32_t k = 0; e == 0 && k < sample_count; k++) sample[k] = (uint32_t)((uint64_t)k * count / sample_count);
    for (uint32_t s = 0; e == 0 && s < subspaces; s++) {
        train_part(rows, weights, sample, sample_count, dim, s * width, width, &random, means, sums);
        float *book = books + (size_t)s * MEANS * width;
        for (uint32_t c = 0; c < MEANS; c++)
            for (uint32_t i = 0; i < width; i++) {
                float v = sr_half_to_float(sr_float_to_half(means[i * MEANS + c]));
                book[c * width + i] = means[i * MEANS + c] = v;
            }
        for (uint32_t r = 0; r < count; r++)
            codes[(size_t)r * subspaces + s] = (uint8_t)nearest(rows + (size_t)r * dim + s * width, width, means, 0);
        if (progress) progress("quantising the embedding table", (double)(s + 1) / subspaces);
    }
    free(sample);
    free(means);
    free(sums);
    return e;
}
