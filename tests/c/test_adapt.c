/* The gradient of adapt_net against finite differences, its forward pass against the encoder, and adapters built into
 * models. */
#include "models.h"
#include "program/adapt_file.h"
#include <unistd.h>

enum { TEXTS = 3, TOKENS = 12 };
static const uint32_t first_token[TEXTS + 1] = {0, 5, 6, TOKENS};

static void apply(const adapt_net *net, const float *numbers) {
    for (size_t i = 0; i < (size_t)(net->to - net->from) * ADAPT_PRODUCTS; i++) adapt_net_apply(net, numbers, i);
}

static double objective(const adapt_net *net, adapt_pass *pass, const float *numbers, const float *states,
                        const float *slope) {
    float *features = test_alloc(TEXTS * net->feature_dim * sizeof *features);
    double sum = 0;
    apply(net, numbers);
    adapt_forward(net, pass, numbers, states, first_token, TEXTS, features);
    for (size_t i = 0; i < TEXTS * net->feature_dim; i++) sum += (double)features[i] * slope[i];
    free(features);
    return sum;
}

TEST(gradient_is_that_of_finite_differences) {
    sr_write_options options = model_options();
    opened o = open_small(&options);
    adapt_net net;
    CHECK(adapt_net_open(&net, o.model, 1, 3, 1 << 1 | 1 << 2 | 1 << 3));
    CHECK_INT(net.feature_dim, 3 * MODEL_DIM);
    float *numbers = test_alloc(net.count * sizeof *numbers), *gradient = test_alloc(net.count * sizeof *gradient);
    float *states = test_alloc(TOKENS * MODEL_DIM * sizeof *states);
    float *slope = test_alloc(TEXTS * net.feature_dim * sizeof *slope);
    adapt_net_start(&net, numbers);
    for (size_t i = 0; i < net.at.qkv_bias; i++) numbers[i] += test_random_f32() * 0.2f;
    for (size_t i = 0; i < TOKENS * MODEL_DIM; i++) states[i] = test_random_f32();
    for (size_t i = 0; i < TEXTS * net.feature_dim; i++) slope[i] = test_random_f32();
    adapt_pass *pass = adapt_pass_new(&net, TOKENS, 6);
    objective(&net, pass, numbers, states, slope);
    memset(gradient, 0, net.count * sizeof *gradient);
    adapt_backward(&net, pass, numbers, slope, gradient);
    const adapt_layout *a = &net.at;
    const size_t parts[] = {a->qkv_gain, a->out_gain,  a->up_gain,        a->down_gain,   a->qkv_bias, a->out_bias,
                            a->up_bias,  a->down_bias, a->attention_norm, a->output_norm, a->count};
    for (size_t l = 0; l < 2; l++)
        for (size_t p = 0; p < 10; p++) { /* along a random direction within each part: single numbers drown in f32 */
            size_t from = l * a->count + parts[p], n = parts[p + 1] - parts[p];
            float *other = test_alloc(net.count * sizeof *other), *direction = test_alloc(n * sizeof *direction);
            double along = 0, measured = 0;
            for (size_t i = 0; i < n; i++) {
                direction[i] = test_random_f32();
                along += (double)gradient[from + i] * direction[i];
            }
            for (int side = -1; side <= 1; side += 2) {
                memcpy(other, numbers, net.count * sizeof *other);
                for (size_t i = 0; i < n; i++) other[from + i] += (float)side * 3e-3f * direction[i];
                measured += side * objective(&net, pass, other, states, slope) / 6e-3;
            }
            CHECK_NEAR(along, measured, 0.02 * fabs(measured) + 2e-3);
            free(other), free(direction);
        }
    adapt_pass_free(pass), adapt_net_close(&net), close_model(&o);
    free(numbers), free(gradient), free(states), free(slope);
}

/* The unit vectors of an encoder after layer 3. */
static void embed(opened *o, const char *text, float *vector) {
    CHECK(sr_encoder_start(o->encoder, text, strlen(text)) > 0);
    CHECK_INT(sr_encoder_advance(o->encoder, 3, vector), 0);
}

TEST(forward_pass_is_the_encoder_and_a_built_in_adapter_is_what_was_fitted) {
    sr_write_options options = model_options();
    opened o = open_small(&options);
    adapt_net net;
    float vector[MODEL_DIM], feature[MODEL_DIM], states[MODEL_TOKENS * MODEL_DIM];
    CHECK(adapt_net_open(&net, o.model, 1, 3, 1 << 3));
    float *numbers = test_alloc(net.count * sizeof *numbers);
    adapt_net_start(&net, numbers);
    CHECK(sr_encoder_start(o.encoder, "abc de", 6) > 0);
    CHECK_INT(sr_encoder_advance(o.encoder, 1, vector), 0);
    uint32_t first[2] = {0, 0};
    memcpy(states, sr_encoder_states(o.encoder, &first[1]), sizeof states);
    adapt_pass *pass = adapt_pass_new(&net, MODEL_TOKENS, MODEL_TOKENS);
    apply(&net, numbers);
    adapt_forward(&net, pass, numbers, states, first, 1, feature);
    embed(&o, "abc de", vector);
    for (int i = 0; i < MODEL_DIM; i++) CHECK_NEAR(feature[i], vector[i], 1e-4);

    for (size_t i = 0; i < net.count; i++) numbers[i] += test_random_f32() * 0.1f;
    apply(&net, numbers);
    adapt_forward(&net, pass, numbers, states, first, 1, feature);
    char path[] = "/tmp/test_adapt.XXXXXX";
    close(mkstemp(path));
    CHECK(adapt_file_write(path, &net, numbers));
    static sr_model_source source;
    source.model = model_source();
    CHECK_INT(sr_source_adapt(&source, path), 0);
    uint8_t *file = NULL;
    int64_t bytes = sr_model_write(&source.model, &options, &file);
    opened adapted;
    CHECK(bytes > 0 && open_bytes(&adapted, file, (size_t)bytes) == 0);
    embed(&adapted, "abc de", vector);
    for (int i = 0; i < MODEL_DIM; i++) CHECK_NEAR(feature[i], vector[i], 1e-4);
    close_model(&adapted);

    /* damaged or of another shape: named, and refused */
    FILE *f = fopen(path, "r+b");
    fseek(f, -5, SEEK_END), fputc(1, f), fclose(f);
    CHECK(sr_source_adapt(&source, path) < 0);
    CHECK(strstr(source.error, "layer 3 is missing or damaged"));
    CHECK(adapt_file_write(path, &net, numbers));
    source.model.meta.dim = 64;
    CHECK(sr_source_adapt(&source, path) < 0);
    CHECK(strstr(source.error, "not for this model"));
    sr_source_close(&source);
    remove(path);
    adapt_pass_free(pass), adapt_net_close(&net), close_model(&o);
    free(numbers);
}

TEST(a_model_that_is_not_in_f32_is_refused) {
    sr_write_options options = model_options();
    options.layer_coding = SR_CODING_Q4;
    opened o = open_small(&options);
    adapt_net net;
    CHECK(!adapt_net_open(&net, o.model, 1, 3, 1 << 3));
    close_model(&o);
    options.layer_coding = SR_CODING_F32;
    o = open_small(&options);
    CHECK(!adapt_net_open(&net, o.model, 2, 3, 1 << 1));
    CHECK(!adapt_net_open(&net, o.model, 1, 4, 1 << 4));
    close_model(&o);
}

TEST_MAIN()
