/* Forwards and backwards through the upper layers; see adapt_net.h. */
#include "program/adapt_net.h"
#include "program/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* What backwards needs of a layer. Shapes are [tokens][..]. */
typedef struct {
    float *qkv;     /* 3 dim */
    float *weights; /* attention: of text after text, head after head, [n][n] */
    float *context;
    float *normal1, *inverse1, *middle; /* normalised, before gain and bias; 1 / deviation; after the first norm */
    float *active, *slope;              /* ffn_dim: GELU, its derivative */
    float *normal2, *inverse2, *states; /* after the layer */
} kept_layer;

struct adapt_pass {
    kept_layer *layers;
    const float *input; /* states after `from` */
    const uint32_t *first;
    size_t texts;
    float *product;                              /* [tokens][dim] */
    float *d_states, *d_middle, *d_wide, *d_qkv; /* [tokens][dim | dim | ffn_dim | 3 dim] */
    float *d_weights;                            /* [longest] */
    float **owned;
    size_t owned_count;
};

adapt_layout adapt_layout_of(size_t d, size_t f) {
    adapt_layout a;
    size_t n = 0;
    a.qkv_gain = n, n += 3 * d * (d / ADAPT_BLOCK);
    a.out_gain = n, n += d * (d / ADAPT_BLOCK);
    a.up_gain = n, n += f * (d / ADAPT_BLOCK);
    a.down_gain = n, n += d * (f / ADAPT_BLOCK);
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

static size_t gain_of(const adapt_layout *at, int product) {
    const size_t gains[] = {at->qkv_gain, at->out_gain, at->up_gain, at->down_gain};
    return gains[product];
}

static const sr_matrix *matrix_of(const sr_layer *y, int product) {
    const sr_matrix *const matrices[] = {&y->qkv, &y->out, &y->up, &y->down};
    return matrices[product];
}

bool adapt_net_open(adapt_net *net, const sr_model *m, uint32_t from, uint32_t to, uint32_t exits) {
    if (m->meta.layer_coding != SR_CODING_F32 || m->meta.attention_bias_reach || m->meta.activation != 0 ||
        m->meta.pooling != SR_POOL_MEAN || from >= to || to > m->meta.layers || !exits || exits >> (to + 1) ||
        (exits & ((1u << from) - 1)))
        return false;
    *net = (adapt_net){m, from, to, exits, adapt_layout_of(m->meta.dim, m->meta.ffn_dim), 0, 0, NULL, NULL};
    net->count = (to - from) * net->at.count;
    net->feature_dim = (size_t)__builtin_popcount(exits) * m->meta.dim;
    size_t products = (size_t)(to - from) * ADAPT_PRODUCTS;
    net->ahead = memory(products * sizeof *net->ahead), net->back = memory(products * sizeof *net->back);
    for (size_t i = 0; i < products; i++) {
        const sr_matrix *w = matrix_of(&m->layer[from + i / ADAPT_PRODUCTS], (int)(i % ADAPT_PRODUCTS));
        net->ahead[i] = memory((size_t)w->rows * w->cols * sizeof(float));
        net->back[i] = memory((size_t)w->rows * w->cols * sizeof(float));
    }
    return true;
}

void adapt_net_close(adapt_net *net) {
    for (size_t i = 0; i < (size_t)(net->to - net->from) * ADAPT_PRODUCTS; i++) free(net->ahead[i]), free(net->back[i]);
    free(net->ahead), free(net->back);
}

void adapt_net_apply(const adapt_net *net, const float *numbers, size_t i) {
    const size_t strip = SR_MATMUL_STRIP, layer = i / ADAPT_PRODUCTS;
    const int product = (int)(i % ADAPT_PRODUCTS);
    const sr_matrix *w = matrix_of(&net->model->layer[net->from + layer], product);
    const float *gain = numbers + layer * net->at.count + gain_of(&net->at, product);
    for (size_t r = 0; r < w->rows; r += strip)
        for (size_t c = 0; c < w->cols; c++) {
            const float *in = w->exact + r * w->cols + c * strip;
            const float *g = gain + (r * (w->cols / ADAPT_BLOCK) + c / ADAPT_BLOCK * strip);
            float *ahead = net->ahead[i] + r * w->cols + c * strip;
            float *back = net->back[i] + (c / strip * w->rows + r) * strip + c % strip;
            for (size_t k = 0; k < strip; k++) back[k * strip] = ahead[k] = in[k] * g[k];
        }
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
        k->qkv = own(p, tokens * 3 * dim);
        k->weights = own(p, tokens * longest * net->model->meta.heads);
        k->context = own(p, tokens * dim);
        k->normal1 = own(p, tokens * dim), k->inverse1 = own(p, tokens), k->middle = own(p, tokens * dim);
        k->active = own(p, tokens * ffn), k->slope = own(p, tokens * ffn);
        k->normal2 = own(p, tokens * dim), k->inverse2 = own(p, tokens), k->states = own(p, tokens * dim);
    }
    p->product = own(p, tokens * dim);
    p->d_states = own(p, tokens * dim), p->d_middle = own(p, tokens * dim), p->d_wide = own(p, tokens * ffn);
    p->d_qkv = own(p, tokens * 3 * dim), p->d_weights = own(p, longest);
    return p;
}

void adapt_pass_free(adapt_pass *p) {
    for (size_t i = 0; i < p->owned_count; i++) free(p->owned[i]);
    free(p->owned), free(p->layers), free(p);
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* Tiles of six tokens by a strip of rows, fused multiply-adds in the order of the columns: the same bits with AVX2,
 * where 12 sums, 2 weights and 1 broadcast fill the registers and the multipliers bound it, and without. */
enum { STRIP = SR_MATMUL_STRIP, TILE = 6 };

/* x: where each token's columns begin; w: a strip. out[TILE][STRIP] gets the products; or, when `by` is given,
 * out[STRIP] has the sum over tokens of products times by[token][STRIP] added. */
static void tile_plain(const float *const x[TILE], const float *w, size_t cols, const float *const *by, float *out) {
    for (size_t r = 0; r < STRIP; r++)
        for (size_t t = 0; t < TILE; t++) {
            float sum = 0;
            for (size_t c = 0; c < cols; c++) sum = fmaf(x[t][c], w[c * STRIP + r], sum);
            if (by)
                out[r] = fmaf(sum, by[t][r], out[r]);
            else
                out[t * STRIP + r] = sum;
        }
}

#if defined(__x86_64__)
#define TOKENS(X) X(0) X(1) X(2) X(3) X(4) X(5)
__attribute__((target("avx2,fma"))) static void tile_wide(const float *const x[TILE], const float *w, size_t cols,
                                                          const float *const *by, float *out) {
    const float *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3], *x4 = x[4], *x5 = x[5];
    __m256 a0 = _mm256_setzero_ps(), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
    __m256 b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
    for (size_t c = 0; c < cols; c++, w += STRIP) {
        __m256 low = _mm256_loadu_ps(w), high = _mm256_loadu_ps(w + 8), v;
#define ADD(i)                                                                                                         \
    v = _mm256_broadcast_ss(x##i + c), a##i = _mm256_fmadd_ps(v, low, a##i), b##i = _mm256_fmadd_ps(v, high, b##i);
        TOKENS(ADD)
    }
    if (!by) {
#define STORE(i) _mm256_storeu_ps(out + (i) * STRIP, a##i), _mm256_storeu_ps(out + (i) * STRIP + 8, b##i);
        TOKENS(STORE)
        return;
    }
    __m256 low = _mm256_loadu_ps(out), high = _mm256_loadu_ps(out + 8);
#define GATHER(i)                                                                                                      \
    low = _mm256_fmadd_ps(a##i, _mm256_loadu_ps(by[i]), low);                                                          \
    high = _mm256_fmadd_ps(b##i, _mm256_loadu_ps(by[i] + 8), high);
    TOKENS(GATHER)
    _mm256_storeu_ps(out, low), _mm256_storeu_ps(out + 8, high);
}
#endif

static void tile(const float *const x[TILE], const float *w, size_t cols, const float *const *by, float *out) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        tile_wide(x, w, cols, by, out);
        return;
    }
#endif
    tile_plain(x, w, cols, by, out);
}

/* z[tokens][rows] = x[tokens][cols] times the strips of w */
static void product(const float *x, size_t tokens, const float *w, size_t rows, size_t cols, float *z) {
    float out[TILE * STRIP];
    const float *from[TILE];
    for (size_t r = 0; r < rows; r += STRIP)
        for (size_t t = 0; t < tokens; t += TILE) {
            size_t n = tokens - t < TILE ? tokens - t : TILE;
            for (size_t i = 0; i < TILE; i++) from[i] = x + (t + (i < n ? i : 0)) * cols;
            tile(from, w + r * cols, cols, NULL, out);
            for (size_t i = 0; i < n; i++) memcpy(z + (t + i) * rows + r, out + i * STRIP, STRIP * sizeof *z);
        }
}

/* Adds the slope by a matrix's gains: of each block and row, the sum over tokens of d_z times what the block, without
 * its gain, gives to z. */
static void gain_back(const float *x, const float *d_z, size_t tokens, const sr_matrix *w, float *d_gain) {
    static const float nothing[STRIP];
    const size_t rows = w->rows, cols = w->cols;
    const float *from[TILE], *by[TILE];
    for (size_t r = 0; r < rows; r += STRIP)
        for (size_t c = 0; c < cols; c += ADAPT_BLOCK, d_gain += STRIP)
            for (size_t t = 0; t < tokens; t += TILE) {
                size_t n = tokens - t < TILE ? tokens - t : TILE;
                for (size_t i = 0; i < TILE; i++) {
                    from[i] = x + (t + (i < n ? i : 0)) * cols + c;
                    by[i] = i < n ? d_z + (t + i) * rows + r : nothing;
                }
                tile(from, w->exact + r * cols + c * STRIP, ADAPT_BLOCK, by, d_gain);
            }
}

/* ---- forwards ---------------------------------------------------------------------------------------------------- */

static void add_bias(float *z, size_t tokens, size_t rows, const float *bias) {
    for (size_t t = 0; t < tokens; t++, z += rows)
        for (size_t r = 0; r < rows; r++) z[r] += bias[r];
}

/* y = layer norm(a + z + bias) */
static void add_norm(const float *a, const float *z, const float *bias, const float *norm, size_t tokens, size_t dim,
                     float epsilon, float *normal, float *inverse, float *y) {
    for (size_t t = 0; t < tokens; t++, a += dim, z += dim, normal += dim, y += dim) {
        float mean = 0, squares = 0;
        for (size_t i = 0; i < dim; i++) normal[i] = a[i] + z[i] + bias[i], mean += normal[i];
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

/* active: products in, their GELU out */
static void activate(float *active, size_t tokens, size_t rows, const float *bias, float *slope) {
    for (size_t t = 0; t < tokens; t++)
        for (size_t r = 0; r < rows; r++) {
            float u = active[t * rows + r] + bias[r], share = 0.5f * (1 + erff(u * 0.70710678f));
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
        float *const *w = net->ahead + (l - net->from) * ADAPT_PRODUCTS;
        kept_layer *k = &p->layers[l - net->from];
        const float *x = states_after(net, p, l);
        product(x, n, w[0], 3 * dim, dim, k->qkv);
        add_bias(k->qkv, n, 3 * dim, numbers + at->qkv_bias);
        attend(net, p, k);
        product(k->context, n, w[1], dim, dim, p->product);
        add_norm(x, p->product, numbers + at->out_bias, numbers + at->attention_norm, n, dim, meta->norm_epsilon,
                 k->normal1, k->inverse1, k->middle);
        product(k->middle, n, w[2], ffn, dim, k->active);
        activate(k->active, n, ffn, numbers + at->up_bias, k->slope);
        product(k->active, n, w[3], dim, ffn, p->product);
        add_norm(k->middle, p->product, numbers + at->down_bias, numbers + at->output_norm, n, dim, meta->norm_epsilon,
                 k->normal2, k->inverse2, k->states);
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

static void bias_back(const float *d_z, size_t tokens, size_t rows, float *d_bias) {
    for (size_t t = 0; t < tokens; t++, d_z += rows)
        for (size_t r = 0; r < rows; r++) d_bias[r] += d_z[r];
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
        const sr_layer *y = &net->model->layer[l];
        float *const *w = net->back + (l - net->from) * ADAPT_PRODUCTS;
        const float *own = numbers + (l - net->from) * at->count;
        float *to = gradient + (l - net->from) * at->count;
        if (net->exits >> (l + 1) & 1) pool_back(net, p, l + 1, slope);

        norm_back(p->d_states, k->normal2, k->inverse2, own + at->output_norm, n, dim, to + at->output_norm);
        bias_back(p->d_states, n, dim, to + at->down_bias);
        gain_back(k->active, p->d_states, n, &y->down, to + at->down_gain);
        product(p->d_states, n, w[3], ffn, dim, p->d_wide);
        for (size_t i = 0; i < n * ffn; i++) p->d_wide[i] *= k->slope[i];
        bias_back(p->d_wide, n, ffn, to + at->up_bias);
        gain_back(k->middle, p->d_wide, n, &y->up, to + at->up_gain);
        product(p->d_wide, n, w[2], dim, ffn, p->d_middle);
        for (size_t i = 0; i < n * dim; i++) p->d_middle[i] += p->d_states[i];

        norm_back(p->d_middle, k->normal1, k->inverse1, own + at->attention_norm, n, dim, to + at->attention_norm);
        bias_back(p->d_middle, n, dim, to + at->out_bias);
        gain_back(k->context, p->d_middle, n, &y->out, to + at->out_gain);
        product(p->d_middle, n, w[1], dim, dim, p->d_states);
        attend_back(net, p, k, p->d_states);
        bias_back(p->d_qkv, n, 3 * dim, to + at->qkv_bias);
        gain_back(states_after(net, p, l), p->d_qkv, n, &y->qkv, to + at->qkv_gain);
        product(p->d_qkv, n, w[0], dim, 3 * dim, p->d_states);
        for (size_t i = 0; i < n * dim; i++) p->d_states[i] += p->d_middle[i];
    }
}
