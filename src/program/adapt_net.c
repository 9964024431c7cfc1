/* Forwards and backwards through the upper layers; see adapt_net.h. */
#include "program/adapt_net.h"
#include "program/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What backwards needs of a layer. z: products before gain and bias. Shapes are [tokens][..]. */
typedef struct {
    float *z_qkv, *qkv; /* 3 dim */
    float *weights;     /* attention: of text after text, head after head, [n][n] */
    float *context, *z_out;
    float *normal1, *inverse1, *middle; /* normalised, before gain and bias; 1 / deviation; after the first norm */
    float *z_up, *active, *slope;       /* ffn_dim: product, GELU of it, GELU's derivative */
    float *z_down;
    float *normal2, *inverse2, *states; /* after the layer */
} kept_layer;

struct adapt_pass {
    kept_layer *layers;
    const float *input; /* states after `from` */
    const uint32_t *first;
    size_t texts;
    float *d_states, *d_middle, *d_wide, *d_qkv, *d_z; /* [tokens][dim | dim | ffn_dim | 3 dim | ffn_dim or 3 dim] */
    float *d_weights;                                  /* [longest] */
    float **owned;
    size_t owned_count;
};

adapt_layout adapt_layout_of(size_t d, size_t f) {
    adapt_layout a;
    size_t n = 0;
    a.qkv_gain = n, n += 3 * d;
    a.out_gain = n, n += d;
    a.up_gain = n, n += f;
    a.down_gain = n, n += d;
    a.qkv_bias = n, n += 3 * d;
    a.out_bias = n, n += d;
    a.up_bias = n, n += f;
    a.down_bias = n, n += d;
    a.attention_norm = n, n += 2 * d;
    a.output_norm = n, n += 2 * d;
    a.count = n;
    return a;
}

/* ---- the net ----------------------------------------------------------------------------------------------------- */

static float *transposed(const sr_matrix *w) {
    const size_t strip = SR_MATMUL_STRIP;
    float *back = memory((size_t)w->rows * w->cols * sizeof *back);
    for (size_t r = 0; r < w->rows; r++)
        for (size_t c = 0; c < w->cols; c++)
            back[(c / strip * w->rows + r) * strip + c % strip] =
                w->exact[(r / strip * w->cols + c) * strip + r % strip];
    return back;
}

bool adapt_net_open(adapt_net *net, const sr_model *m, uint32_t from, uint32_t to, uint32_t exits) {
    if (m->meta.layer_coding != SR_CODING_F32 || m->meta.attention_bias_reach || m->meta.activation != 0 ||
        m->meta.pooling != SR_POOL_MEAN || from >= to || to > m->meta.layers || !exits || exits >> (to + 1) ||
        (exits & ((1u << from) - 1)))
        return false;
    *net = (adapt_net){m, from, to, exits, adapt_layout_of(m->meta.dim, m->meta.ffn_dim), 0, 0, NULL, NULL};
    net->count = (to - from) * net->at.count;
    net->feature_dim = (size_t)__builtin_popcount(exits) * m->meta.dim;
    net->back = memory((to - from) * 4 * sizeof *net->back);
    for (uint32_t l = from; l < to; l++) {
        const sr_layer *y = &m->layer[l];
        const sr_matrix *const w[] = {&y->qkv, &y->out, &y->up, &y->down};
        for (int i = 0; i < 4; i++) net->back[(l - from) * 4 + (uint32_t)i] = transposed(w[i]);
    }
    net->zero = memory((m->meta.ffn_dim + 3 * m->meta.dim) * sizeof(float));
    return true;
}

void adapt_net_close(adapt_net *net) {
    for (uint32_t i = 0; i < (net->to - net->from) * 4; i++) free(net->back[i]);
    free(net->back), free(net->zero);
}

void adapt_net_start(const adapt_net *net, float *numbers) {
    const adapt_layout *at = &net->at;
    const size_t dim = net->model->meta.dim, ffn = net->model->meta.ffn_dim;
    for (uint32_t l = net->from; l < net->to; l++, numbers += at->count) {
        const sr_layer *y = &net->model->layer[l];
        for (size_t i = 0; i < at->qkv_bias; i++) numbers[i] = 1;
        memcpy(numbers + at->qkv_bias, y->qkv.bias, 3 * dim * sizeof(float));
        memcpy(numbers + at->out_bias, y->out.bias, dim * sizeof(float));
        memcpy(numbers + at->up_bias, y->up.bias, ffn * sizeof(float));
        memcpy(numbers + at->down_bias, y->down.bias, dim * sizeof(float));
        memcpy(numbers + at->attention_norm, y->attention_norm, 2 * dim * sizeof(float));
        memcpy(numbers + at->output_norm, y->output_norm, 2 * dim * sizeof(float));
    }
}

/* ---- memory of a pass -------------------------------------------------------------------------------------------- */

static float *own(adapt_pass *p, size_t count) {
    return p->owned[p->owned_count++] = memory(count * sizeof(float));
}

adapt_pass *adapt_pass_new(const adapt_net *net, size_t tokens, size_t longest) {
    const size_t dim = net->model->meta.dim, ffn = net->model->meta.ffn_dim, layers = net->to - net->from;
    adapt_pass *p = memory(sizeof *p);
    p->owned = memory((layers * 16 + 8) * sizeof *p->owned);
    p->layers = memory(layers * sizeof *p->layers);
    for (size_t l = 0; l < layers; l++) {
        kept_layer *k = &p->layers[l];
        k->z_qkv = own(p, tokens * 3 * dim), k->qkv = own(p, tokens * 3 * dim);
        k->weights = own(p, tokens * longest * net->model->meta.heads);
        k->context = own(p, tokens * dim), k->z_out = own(p, tokens * dim);
        k->normal1 = own(p, tokens * dim), k->inverse1 = own(p, tokens), k->middle = own(p, tokens * dim);
        k->z_up = own(p, tokens * ffn), k->active = own(p, tokens * ffn), k->slope = own(p, tokens * ffn);
        k->z_down = own(p, tokens * dim);
        k->normal2 = own(p, tokens * dim), k->inverse2 = own(p, tokens), k->states = own(p, tokens * dim);
    }
    size_t wide = ffn > 3 * dim ? ffn : 3 * dim;
    p->d_states = own(p, tokens * dim), p->d_middle = own(p, tokens * dim), p->d_wide = own(p, tokens * ffn);
    p->d_qkv = own(p, tokens * 3 * dim), p->d_z = own(p, tokens * wide), p->d_weights = own(p, longest);
    return p;
}

void adapt_pass_free(adapt_pass *p) {
    for (size_t i = 0; i < p->owned_count; i++) free(p->owned[i]);
    free(p->owned), free(p->layers), free(p);
}

/* ---- forwards ---------------------------------------------------------------------------------------------------- */

/* z[tokens][rows] = x[tokens][cols] times the strips of w */
static void product(const adapt_net *net, const float *x, size_t tokens, const float *w, size_t rows, size_t cols,
                    float *z) {
    for (size_t r = 0; r < rows; r += SR_MATMUL_STRIP)
        net->model->kernels->exact(x, tokens, w + r * cols, cols, net->zero, -1, z + r, rows);
}

/* y = z * gain + bias, a row each */
static void scale(const float *z, size_t tokens, size_t rows, const float *gain, const float *bias, float *y) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t r = 0; r < rows; r++) y[t * rows + r] = z[t * rows + r] * gain[r] + bias[r];
}

/* y = layer norm(a + (z * gain + bias)) */
static void add_norm(const float *a, const float *z, const float *gain, const float *bias, const float *norm,
                     size_t tokens, size_t dim, float epsilon, float *normal, float *inverse, float *y) {
    for (size_t t = 0; t < tokens; t++, a += dim, z += dim, normal += dim, y += dim) {
        float mean = 0, squares = 0;
        for (size_t i = 0; i < dim; i++) normal[i] = a[i] + z[i] * gain[i] + bias[i], mean += normal[i];
        mean /= (float)dim;
        for (size_t i = 0; i < dim; i++) normal[i] -= mean, squares += normal[i] * normal[i];
        inverse[t] = 1 / sqrtf(squares / (float)dim + epsilon);
        for (size_t i = 0; i < dim; i++) {
            normal[i] *= inverse[t];
            y[i] = normal[i] * norm[i] + norm[dim + i];
        }
    }
}

static float dot(const float *a, const float *b, size_t n) {
    float lane[8] = {0};
    for (size_t i = 0; i < n; i += 8)
        for (int j = 0; j < 8; j++) lane[j] += a[i + (size_t)j] * b[i + (size_t)j];
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* sum += factor * x */
static void add_times(float *sum, float factor, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) sum[i] += factor * x[i];
}

static void attend(const adapt_net *net, const adapt_pass *p, kept_layer *k) {
    const size_t dim = net->model->meta.dim, heads = net->model->meta.heads, width = dim / heads;
    const float size = 1 / sqrtf((float)width);
    float *w = k->weights;
    memset(k->context, 0, p->first[p->texts] * dim * sizeof(float));
    for (size_t i = 0; i < p->texts; i++)
        for (size_t h = 0; h < heads; h++)
            for (uint32_t t = p->first[i]; t < p->first[i + 1]; t++) {
                size_t n = p->first[i + 1] - p->first[i];
                const float *row = k->qkv + (size_t)p->first[i] * 3 * dim + h * width;
                float peak = -1e30f, sum = 0;
                for (size_t s = 0; s < n; s++) {
                    w[s] = dot(k->qkv + t * 3 * dim + h * width, row + s * 3 * dim + dim, width) * size;
                    if (w[s] > peak) peak = w[s];
                }
                for (size_t s = 0; s < n; s++) sum += w[s] = expf(w[s] - peak);
                for (size_t s = 0; s < n; s++) {
                    w[s] /= sum;
                    add_times(k->context + t * dim + h * width, w[s], row + s * 3 * dim + 2 * dim, width);
                }
                w += n;
            }
}

static void activate(const float *z, size_t tokens, size_t rows, const float *gain, const float *bias, float *active,
                     float *slope) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t r = 0; r < rows; r++) {
            float u = z[t * rows + r] * gain[r] + bias[r], share = 0.5f * (1 + erff(u * 0.70710678f));
            active[t * rows + r] = u * share;
            slope[t * rows + r] = share + u * 0.39894228f * expf(-0.5f * u * u);
        }
}

/* The unit sum of text i's states; returns 1 / length. */
static float pool(const adapt_pass *p, const float *states, size_t dim, size_t i, float *unit) {
    memset(unit, 0, dim * sizeof *unit);
    for (uint32_t t = p->first[i]; t < p->first[i + 1]; t++) add_times(unit, 1, states + t * dim, dim);
    float inverse = 1 / sqrtf(dot(unit, unit, dim) + 1e-30f);
    for (size_t d = 0; d < dim; d++) unit[d] *= inverse;
    return inverse;
}

static const float *states_after(const adapt_net *net, const adapt_pass *p, uint32_t layer) {
    return layer == net->from ? p->input : p->layers[layer - net->from - 1].states;
}

/* Where exit `layer` stands in a feature. */
static size_t place(const adapt_net *net, uint32_t layer) {
    return (size_t)__builtin_popcount(net->exits & ((1u << layer) - 1)) * net->model->meta.dim;
}

void adapt_forward(const adapt_net *net, adapt_pass *p, const float *numbers, const float *states,
                   const uint32_t *first, size_t texts, float *features) {
    const sr_model_meta *meta = &net->model->meta;
    const adapt_layout *at = &net->at;
    const size_t dim = meta->dim, ffn = meta->ffn_dim, n = first[texts];
    p->input = states, p->first = first, p->texts = texts;
    for (uint32_t l = net->from; l < net->to; l++, numbers += at->count) {
        const sr_layer *y = &net->model->layer[l];
        kept_layer *k = &p->layers[l - net->from];
        const float *x = states_after(net, p, l);
        product(net, x, n, y->qkv.exact, 3 * dim, dim, k->z_qkv);
        scale(k->z_qkv, n, 3 * dim, numbers + at->qkv_gain, numbers + at->qkv_bias, k->qkv);
        attend(net, p, k);
        product(net, k->context, n, y->out.exact, dim, dim, k->z_out);
        add_norm(x, k->z_out, numbers + at->out_gain, numbers + at->out_bias, numbers + at->attention_norm, n, dim,
                 meta->norm_epsilon, k->normal1, k->inverse1, k->middle);
        product(net, k->middle, n, y->up.exact, ffn, dim, k->z_up);
        activate(k->z_up, n, ffn, numbers + at->up_gain, numbers + at->up_bias, k->active, k->slope);
        product(net, k->active, n, y->down.exact, dim, ffn, k->z_down);
        add_norm(k->middle, k->z_down, numbers + at->down_gain, numbers + at->down_bias, numbers + at->output_norm, n,
                 dim, meta->norm_epsilon, k->normal2, k->inverse2, k->states);
    }
    for (uint32_t l = net->from; l <= net->to; l++)
        for (size_t i = 0; (net->exits >> l & 1) && i < texts; i++)
            pool(p, states_after(net, p, l), dim, i, features + i * net->feature_dim + place(net, l));
}

/* ---- backwards --------------------------------------------------------------------------------------------------- */

/* d: slope by norm's output, becomes the slope by its input; the norm's own slopes are added to d_norm. */
static void norm_back(float *d, const float *normal, const float *inverse, const float *norm, size_t tokens, size_t dim,
                      float *d_norm) {
    for (size_t t = 0; t < tokens; t++, d += dim, normal += dim) {
        float mean = 0, along = 0;
        for (size_t i = 0; i < dim; i++) {
            d_norm[i] += d[i] * normal[i];
            d_norm[dim + i] += d[i];
            d[i] *= norm[i];
            mean += d[i], along += d[i] * normal[i];
        }
        mean /= (float)dim, along /= (float)dim;
        for (size_t i = 0; i < dim; i++) d[i] = (d[i] - mean - normal[i] * along) * inverse[t];
    }
}

/* d_y by y = z * gain + bias: adds the slopes by gain and bias, writes that by z (may be d_y). */
static void scale_back(const float *d_y, const float *z, size_t tokens, size_t rows, const float *gain, float *d_gain,
                       float *d_bias, float *d_z) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t r = 0; r < rows; r++) {
            float d = d_y[t * rows + r];
            d_gain[r] += d * z[t * rows + r];
            d_bias[r] += d;
            d_z[t * rows + r] = d * gain[r];
        }
}

/* From the slope by the context to that by queries, keys and values. */
static void attend_back(const adapt_net *net, adapt_pass *p, const kept_layer *k, const float *d_context) {
    const size_t dim = net->model->meta.dim, heads = net->model->meta.heads, width = dim / heads;
    const float size = 1 / sqrtf((float)width), *w = k->weights;
    memset(p->d_qkv, 0, p->first[p->texts] * 3 * dim * sizeof(float));
    for (size_t i = 0; i < p->texts; i++)
        for (size_t h = 0; h < heads; h++)
            for (uint32_t t = p->first[i]; t < p->first[i + 1]; t++) {
                size_t n = p->first[i + 1] - p->first[i], from = (size_t)p->first[i] * 3 * dim + h * width;
                const float *d = d_context + t * dim + h * width, *row = k->qkv + from;
                const float *query = k->qkv + t * 3 * dim + h * width;
                float *d_row = p->d_qkv + from, *d_query = p->d_qkv + t * 3 * dim + h * width, along = 0;
                for (size_t s = 0; s < n; s++) {
                    p->d_weights[s] = dot(d, row + s * 3 * dim + 2 * dim, width);
                    along += p->d_weights[s] * w[s];
                    add_times(d_row + s * 3 * dim + 2 * dim, w[s], d, width);
                }
                for (size_t s = 0; s < n; s++) {
                    float slope = w[s] * (p->d_weights[s] - along) * size;
                    add_times(d_query, slope, row + s * 3 * dim + dim, width);
                    add_times(d_row + s * 3 * dim + dim, slope, query, width);
                }
                w += n;
            }
}

/* Adds what the pooled vectors of a layer ask of its states. */
static void pool_back(const adapt_net *net, adapt_pass *p, uint32_t layer, const float *slope) {
    const size_t dim = net->model->meta.dim;
    float unit[SR_MODEL_MAX_WIDTH];
    for (size_t i = 0; i < p->texts; i++) {
        const float *d = slope + i * net->feature_dim + place(net, layer);
        float inverse = pool(p, states_after(net, p, layer), dim, i, unit), along = dot(d, unit, dim);
        for (uint32_t t = p->first[i]; t < p->first[i + 1]; t++)
            for (size_t c = 0; c < dim; c++) p->d_states[t * dim + c] += (d[c] - unit[c] * along) * inverse;
    }
}

void adapt_backward(const adapt_net *net, adapt_pass *p, const float *numbers, const float *slope, float *gradient) {
    const adapt_layout *at = &net->at;
    const size_t dim = net->model->meta.dim, ffn = net->model->meta.ffn_dim, n = p->first[p->texts];
    memset(p->d_states, 0, n * dim * sizeof(float));
    for (uint32_t l = net->to; l-- > net->from;) {
        kept_layer *k = &p->layers[l - net->from];
        float *const *back = net->back + (l - net->from) * 4;
        const float *own = numbers + (l - net->from) * at->count;
        float *to = gradient + (l - net->from) * at->count;
        if (net->exits >> (l + 1) & 1) pool_back(net, p, l + 1, slope);

        norm_back(p->d_states, k->normal2, k->inverse2, own + at->output_norm, n, dim, to + at->output_norm);
        scale_back(p->d_states, k->z_down, n, dim, own + at->down_gain, to + at->down_gain, to + at->down_bias, p->d_z);
        product(net, p->d_z, n, back[3], ffn, dim, p->d_wide);
        for (size_t i = 0; i < n * ffn; i++) p->d_wide[i] *= k->slope[i];
        scale_back(p->d_wide, k->z_up, n, ffn, own + at->up_gain, to + at->up_gain, to + at->up_bias, p->d_wide);
        product(net, p->d_wide, n, back[2], dim, ffn, p->d_middle);
        for (size_t i = 0; i < n * dim; i++) p->d_middle[i] += p->d_states[i];

        norm_back(p->d_middle, k->normal1, k->inverse1, own + at->attention_norm, n, dim, to + at->attention_norm);
        scale_back(p->d_middle, k->z_out, n, dim, own + at->out_gain, to + at->out_gain, to + at->out_bias, p->d_z);
        product(net, p->d_z, n, back[1], dim, dim, p->d_states);
        attend_back(net, p, k, p->d_states);
        scale_back(p->d_qkv, k->z_qkv, n, 3 * dim, own + at->qkv_gain, to + at->qkv_gain, to + at->qkv_bias, p->d_qkv);
        product(net, p->d_qkv, n, back[0], dim, 3 * dim, p->d_states);
        for (size_t i = 0; i < n * dim; i++) p->d_states[i] += p->d_middle[i];
    }
}
