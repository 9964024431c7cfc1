/* The upper layers of an encoder in f32, forwards and backwards, for fitting a few numbers of them.
 *
 * What is fitted, of each layer: a gain for each block of 32 weights of its four products, their biases, and both layer
 * norms. A block of a model in 4 bits has a scale of its own, which the gain goes into: the weights' 4 bits stay, and
 * the model costs no more to run. (Fitting the scales alone is "PEQA", Kim and others 2023; the biases alone "BitFit",
 * Ben Zaken and others 2022.)
 */
#ifndef SR_ADAPT_NET_H
#define SR_ADAPT_NET_H
#include "embed/model.h"
#include <stdbool.h>

enum { ADAPT_BLOCK = 32, ADAPT_PRODUCTS = 4 };

/* A layer's numbers stand in this order; `qkv` is 3 dim long, `up` ffn_dim, the others dim, a norm 2 dim (gain, bias).
 * Gains: [rows / 16][columns / 32][16 rows], as the strips of sr_matrix.exact. */
typedef struct {
    size_t qkv_gain, out_gain, up_gain, down_gain, qkv_bias, out_bias, up_bias, down_bias, attention_norm, output_norm;
    size_t count; /* of a layer */
} adapt_layout;
adapt_layout adapt_layout_of(size_t dim, size_t ffn_dim);

typedef struct {
    const sr_model *model; /* its layers in f32 */
    uint32_t from, to;     /* layers from + 1 .. to are fitted */
    uint32_t exits;        /* layers from .. to whose pooled unit vectors, side by side, are the feature */
    adapt_layout at;
    size_t count, feature_dim;
    float **ahead, **back; /* [to - from][ADAPT_PRODUCTS]: the matrices with their gains, in strips of 16 as
                              sr_matrix.exact; and the same transposed */
} adapt_net;

/* False when layers are not in f32 or the range makes no sense. Memory from memory(). */
bool adapt_net_open(adapt_net *net, const sr_model *model, uint32_t from, uint32_t to, uint32_t exits);
void adapt_net_close(adapt_net *net);
/* The model's own numbers: numbers[count]. */
void adapt_net_start(const adapt_net *net, float *numbers);
/* Puts the gains into product i, of (to - from) * ADAPT_PRODUCTS: wanted of all after each change of them. */
void adapt_net_apply(const adapt_net *net, const float *numbers, size_t i);

/* Working memory for some texts at a time, at most `tokens` in all and `longest` each. */
typedef struct adapt_pass adapt_pass;
adapt_pass *adapt_pass_new(const adapt_net *net, size_t tokens, size_t longest);
void adapt_pass_free(adapt_pass *pass);
/* states[tokens][dim] after layer `from`, text after text; text i has tokens first[i] .. first[i + 1]. Writes
 * features[texts][feature_dim]. */
void adapt_forward(const adapt_net *net, adapt_pass *pass, const float *numbers, const float *states,
                   const uint32_t *first, size_t texts, float *features);
/* After adapt_forward on the same pass: adds the gradient of sum(slope * features) by the numbers to gradient[count].
 */
void adapt_backward(const adapt_net *net, adapt_pass *pass, const float *numbers, const float *slope, float *gradient);
#endif
