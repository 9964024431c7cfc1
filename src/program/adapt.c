/* smartrouter adapt: fits the few numbers a row of an encoder's upper layers (adapt_net.h) to labelled prompts.
 *
 * The pooled vectors of the exits, side by side, go through a linear head into cross entropy; head and numbers are
 * fitted together (Adam, warm-up and cosine), the head is thrown away: `tune` then fits its map on the adapted model.
 * The states below the first adapted layer are computed once. Texts of a batch are summed up in chunks in a fixed
 * order, so the number of threads changes nothing.
 */
#include "program/adapt_file.h"
#include "program/adapt_net.h"
#include "program/dataset.h"
#include "program/engine.h"
#include "program/parallel.h"
#include "program/routes_file.h"
#include "program/surround.h"
#include "program/tune.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--model", "FILE", "the encoder with layers in f32 (smartrouter model ... --layer-coding f32)"},
    {"--routes", "FILE", "the route file that names the routes (default routes/five-routes.json)"},
    {"--corpus", "FOLDER", "our own prompts (default routes/corpus)"},
    {"--public", "FILE", "public labelled JSONL to fit on, beside the corpus"},
    {"--judge", "FILE", "labelled JSONL that is only judged"},
    {"--leave", "LANGUAGES", "languages of the corpus that are only judged, as de,pl"},
    {"--around", "FILE", "JSONL of what people put around requests: greetings, documents, ... (surround.h)"},
    {"--around-share", "S", "prompts that are shown with something around them, too (default 0.5)"},
    {"--public-weight", "W", "a public prompt's weight against one of ours (default 0.5)"},
    {"--exits", "LAYERS", "whose pooled vectors, side by side, are to be told apart: 5+7+9 (default)"},
    {"--from", "LAYER", "layers above this one are adapted (default 2)"},
    {"--epochs", "N", "times that every prompt is seen, as 1.5 (default 2)"},
    {"--rate", "R", "largest step of a number (default 0.003)"},
    {"--output", "FILE", "or -o: the adapter to write (.sra), for smartrouter model --adapter"},
    {0}};
static const cli_command command = {
    "adapt", "fit an encoder's gains, biases and norms to labelled prompts", "--model FILE -o FILE [options]", options,
    "  smartrouter adapt --model build/tune/exact.srm --public train.jsonl -o routes/encoder.sra\n"
    "  smartrouter adapt --model build/tune/exact.srm --leave de,pl,fi,uk --judge dev.jsonl\n"};

enum { LONGEST = 128, CHUNKS = 8, CHUNK = 8, BATCH = CHUNKS * CHUNK };
static const double HEAD_RATE = 0.01, SMOOTHING = 0.1, HEAD_SCALE = 10;

typedef struct {
    adapt_net net;
    dataset data;
    float **states; /* [row]: after layer `from`; null: longer than LONGEST, left out */
    uint32_t *tokens;
    double *weight;
    uint32_t *route_of;
    uint8_t *judged; /* [row]: not fitted on */
    size_t fitted;
    /* numbers, then head [route][feature], then bias [route]; likewise gradients of each chunk */
    size_t count;
    float *numbers, *gradient[CHUNKS], *first, *second; /* moments of Adam */
    adapt_pass **passes;                                /* a thread */
    /* the batch at work */
    const size_t *rows;
    size_t row_count;
    double loss[CHUNKS], right[CHUNKS];
    bool judging;
    /* computing states */
    sr_encoder **encoders;
    float **pooled;
    int failure;
} adaptation;

/* ---- states ------------------------------------------------------------------------------------------------------ */

static void encode_row(void *context, int thread, size_t i) {
    adaptation *a = context;
    const sample *s = &a->data.rows[i];
    sr_encoder *e = a->encoders[thread];
    int rc = sr_encoder_start(e, s->text, strlen(s->text));
    if (rc >= 0 && rc <= LONGEST) {
        rc = sr_encoder_advance(e, a->net.from, a->pooled[thread]);
        const float *states = sr_encoder_states(e, &a->tokens[i]);
        size_t bytes = a->tokens[i] * (size_t)a->net.model->meta.dim * sizeof(float);
        memcpy(a->states[i] = memory(bytes), states, bytes);
    }
    if (rc < 0) a->failure = rc;
}

static bool compute_states(adaptation *a) {
    int threads = parallel_threads(0, a->data.count);
    int64_t bytes = sr_encoder_bytes(a->net.model);
    a->encoders = memory((size_t)threads * sizeof *a->encoders);
    a->pooled = memory((size_t)threads * sizeof *a->pooled);
    a->states = memory(a->data.count * sizeof *a->states), a->tokens = memory(a->data.count * sizeof *a->tokens);
    for (int t = 0; t < threads; t++) {
        sr_encoder_open(memory((size_t)bytes), (size_t)bytes, a->net.model, &a->encoders[t]);
        a->pooled[t] = memory(a->net.model->meta.dim * sizeof(float));
    }
    parallel_for(a->data.count, 0, "lower layers", encode_row, a);
    for (int t = 0; t < threads; t++) free(a->encoders[t]), free(a->pooled[t]);
    free(a->encoders), free(a->pooled);
    if (a->failure < 0) return cli_error("%s (%s)", sr_error_text(a->failure), sr_error_name(a->failure)), false;
    return true;
}

/* ---- one batch --------------------------------------------------------------------------------------------------- */

/* Cross entropy with smoothed labels of one text; writes the slope by its feature, adds those by head and bias. */
static double judge_text(const adaptation *a, size_t row, const float *feature, float *slope, float *d_head,
                         bool *right) {
    const size_t width = a->net.feature_dim, routes = a->data.route_count;
    const float *head = a->numbers + a->net.count, *bias = head + routes * width;
    float *d_bias = d_head + routes * width;
    double score[SR_MAX_ROUTES], sum = 0, loss = 0, weight = a->weight[row];
    size_t best = 0;
    for (size_t r = 0; r < routes; r++) {
        double s = 0;
        for (size_t i = 0; i < width; i++) s += (double)head[r * width + i] * feature[i];
        score[r] = s * HEAD_SCALE + bias[r];
        if (score[r] > score[best]) best = r;
    }
    double peak = score[best];
    for (size_t r = 0; r < routes; r++) sum += exp(score[r] - peak);
    memset(slope, 0, width * sizeof *slope);
    for (size_t r = 0; r < routes; r++) {
        double p = exp(score[r] - peak) / sum;
        double wanted = (r == a->route_of[row] ? 1 - SMOOTHING : 0) + SMOOTHING / (double)routes;
        double d = weight * (p - wanted);
        loss -= weight * wanted * (score[r] - peak - log(sum));
        for (size_t i = 0; i < width; i++) {
            slope[i] += (float)(d * HEAD_SCALE) * head[r * width + i];
            d_head[r * width + i] += (float)(d * HEAD_SCALE) * feature[i];
        }
        d_bias[r] += (float)d;
    }
    *right = best == a->route_of[row];
    return loss;
}

static void apply_product(void *context, int thread, size_t i) {
    const adaptation *a = context;
    (void)thread;
    adapt_net_apply(&a->net, a->numbers, i);
}

/* After each change of the numbers. */
static void apply_numbers(adaptation *a) {
    parallel_for((a->net.to - a->net.from) * ADAPT_PRODUCTS, 0, NULL, apply_product, a);
}

static void run_chunk(void *context, int thread, size_t c) {
    adaptation *a = context;
    const size_t width = a->net.feature_dim, dim = a->net.model->meta.dim;
    size_t from = c * CHUNK, to = from + CHUNK < a->row_count ? from + CHUNK : a->row_count;
    uint32_t first[CHUNK + 1] = {0};
    a->loss[c] = a->right[c] = 0;
    memset(a->gradient[c], 0, a->count * sizeof(float));
    if (from >= to) return;
    for (size_t i = from; i < to; i++) first[i - from + 1] = first[i - from] + a->tokens[a->rows[i]];
    float *states = memory(first[to - from] * dim * sizeof *states),
          *features = memory(CHUNK * width * sizeof *features), *slope = memory(CHUNK * width * sizeof *slope);
    for (size_t i = from; i < to; i++)
        memcpy(states + first[i - from] * dim, a->states[a->rows[i]], a->tokens[a->rows[i]] * dim * sizeof *states);
    adapt_forward(&a->net, a->passes[thread], a->numbers, states, first, to - from, features);
    for (size_t i = from; i < to; i++) {
        bool right;
        size_t at = (i - from) * width;
        a->loss[c] += judge_text(a, a->rows[i], features + at, slope + at, a->gradient[c] + a->net.count, &right);
        a->right[c] += right;
    }
    if (!a->judging) adapt_backward(&a->net, a->passes[thread], a->numbers, slope, a->gradient[c]);
    free(states), free(features), free(slope);
}

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

/* share: of the full step sizes */
static void adam(adaptation *a, size_t step, double share, double rate, double batch_weight) {
    const double b1 = 0.9, b2 = 0.99;
    double c1 = 1 - pow(b1, (double)step), c2 = 1 - pow(b2, (double)step);
    for (size_t i = 0; i < a->count; i++) {
        float g = 0;
        for (int c = 0; c < CHUNKS; c++) g += a->gradient[c][i];
        g /= (float)batch_weight;
        a->first[i] = (float)(b1 * a->first[i] + (1 - b1) * g);
        a->second[i] = (float)(b2 * a->second[i] + (1 - b2) * g * g);
        double size = share * (i < a->net.count ? rate : HEAD_RATE);
        a->numbers[i] -= (float)(size * (a->first[i] / c1) / (sqrt(a->second[i] / c2) + 1e-8));
    }
}

static size_t random_below(size_t n) { /* xorshift64: the same on every machine */
    static uint64_t random_state = 88172645463325252u;
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return (size_t)(random_state % n);
}

static double judge(adaptation *a, bool corpus, size_t *rows_out) {
    size_t rows[BATCH], n = 0, right = 0;
    *rows_out = 0;
    a->judging = true;
    for (size_t i = 0; i <= a->data.count; i++) {
        if (i < a->data.count && a->judged[i] && a->states[i] && a->data.rows[i].corpus == corpus) rows[n++] = i;
        if (n < BATCH && i < a->data.count) continue;
        a->rows = rows, a->row_count = n;
        parallel_for(CHUNKS, 0, NULL, run_chunk, a);
        for (int c = 0; c < CHUNKS; c++) right += (size_t)a->right[c];
        *rows_out += n, n = 0;
    }
    a->judging = false;
    return *rows_out ? 100.0 * (double)right / (double)*rows_out : 0;
}

static void fit(adaptation *a, double epochs, double rate) {
    size_t *order = memory(a->fitted * sizeof *order), n = 0, step = 0;
    for (size_t i = 0; i < a->data.count; i++)
        if (!a->judged[i] && a->states[i]) order[n++] = i;
    size_t batches = (n + BATCH - 1) / BATCH, steps = (size_t)ceil(epochs * (double)batches);
    for (size_t epoch = 0; step < steps; epoch++) {
        double loss = 0, right = 0, seen = 0;
        for (size_t i = n; i > 1; i--) {
            size_t k = random_below(i), row = order[i - 1];
            order[i - 1] = order[k], order[k] = row;
        }
        for (size_t b = 0; b < batches && step < steps; b++) {
            a->rows = order + b * BATCH, a->row_count = n - b * BATCH < BATCH ? n - b * BATCH : BATCH;
            seen += (double)a->row_count;
            double batch_weight = 0;
            for (size_t i = 0; i < a->row_count; i++) batch_weight += a->weight[a->rows[i]];
            parallel_for(CHUNKS, 0, NULL, run_chunk, a);
            for (int c = 0; c < CHUNKS; c++) loss += a->loss[c] / batch_weight, right += a->right[c];
            double done = (double)++step / (double)steps, warm = done * 20 < 1 ? done * 20 : 1;
            adam(a, step, warm * 0.5 * (1 + cos(3.14159265358979 * done)), rate, batch_weight);
            apply_numbers(a);
            cli_progress("fitting", step, steps);
        }
        size_t ours, public_rows;
        double on_ours = judge(a, true, &ours), on_public = judge(a, false, &public_rows);
        cli_note("epoch %zu of %g: loss %.3f, %.1f %% right; left out: %.1f %% of %zu prompts of ours, %.1f %% of %zu "
                 "public ones",
                 epoch + 1, epochs, loss * BATCH / seen, 100 * right / seen, on_ours, ours, on_public, public_rows);
    }
    free(order);
}

static bool read_rows(adaptation *a, const cli_args *args, char *const *labels) {
    const char *corpus = cli_value(args, "--corpus"), *public = cli_value(args, "--public"),
               *judge_path = cli_value(args, "--judge"), *leave = cli_value(args, "--leave");
    if (!dataset_read_corpus(&a->data, corpus ? corpus : "routes/corpus")) return false;
    if (public && !dataset_read_jsonl(&a->data, public)) return false;
    size_t judge_from = a->data.count;
    if (judge_path && !dataset_read_jsonl(&a->data, judge_path)) return false;
    a->judged = memory(2 * a->data.count);
    for (size_t i = 0; i < a->data.count; i++) {
        const sample *s = &a->data.rows[i];
        a->judged[i] = i >= judge_from || (s->corpus && leave && dataset_lists(leave, s->lang));
    }
    double share;
    if (!cli_decimal(args, "--around-share", 0, 1, 0.5, &share)) return false;
    return !cli_given(args, "--around") ||
           surround_rows(&a->data, a->data.count, a->judged, share, cli_value(args, "--around"), labels);
}

static bool prepare(adaptation *a) {
    if (!compute_states(a)) return false;
    size_t left_out = 0;
    for (size_t i = 0; i < a->data.count; i++) {
        left_out += !a->states[i];
        a->fitted += a->states[i] && !a->judged[i];
    }
    if (!a->fitted) return cli_error("no prompts are left to fit on"), false;
    cli_note("%zu prompts to fit on; %zu are longer than %d pieces and left out", a->fitted, left_out, LONGEST);
    size_t width = a->net.feature_dim, routes = a->data.route_count;
    a->count = a->net.count + routes * (width + 1);
    a->numbers = memory(a->count * sizeof(float));
    adapt_net_start(&a->net, a->numbers);
    apply_numbers(a);
    a->first = memory(a->count * sizeof(float)), a->second = memory(a->count * sizeof(float));
    for (int c = 0; c < CHUNKS; c++) a->gradient[c] = memory(a->count * sizeof(float));
    int threads = parallel_threads(0, CHUNKS);
    a->passes = memory((size_t)threads * sizeof *a->passes);
    for (int t = 0; t < threads; t++) a->passes[t] = adapt_pass_new(&a->net, CHUNK * LONGEST, LONGEST);
    return true;
}

int sr_cmd_adapt(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    adaptation *a = memory(sizeof *a);
    long from;
    double epochs, rate, public_weight;
    const char *exits = cli_value(&args, "--exits"), *routes = cli_value(&args, "--routes");
    const char *rest = exits ? exits : "5+7+9";
    uint32_t mask = tune_layers(&rest);
    if (!cli_number(&args, "--from", 0, SR_MAX_EXITS, 2, &from) ||
        !cli_decimal(&args, "--epochs", 0.01, 1000, 2, &epochs) || !cli_decimal(&args, "--rate", 0, 1, 0.003, &rate) ||
        !cli_decimal(&args, "--public-weight", 0, 100, 0.5, &public_weight))
        return CLI_USAGE;
    if (!mask || *rest) return cli_error("--exits wants layers such as 5+7+9, not '%s'", exits), CLI_USAGE;
    if (args.rest_count) return cli_error("no plain arguments are wanted; --help shows the options"), CLI_USAGE;
    if (!cli_given(&args, "--model")) return cli_error("--model is missing; --help shows how"), CLI_USAGE;

    routes_file file;
    engine e;
    if (!routes_file_read(routes ? routes : "routes/five-routes.json", &file)) return CLI_FAILED;
    if (!engine_open(&e, NULL, cli_value(&args, "--model"), NULL, ENGINE_MODEL)) return CLI_FAILED;
    char *names[SR_MAX_ROUTES], *labels[SR_MAX_ROUTES];
    for (uint32_t r = 0; r < file.route_count; r++) names[r] = file.routes[r].id, labels[r] = file.routes[r].label;
    dataset_routes(&a->data, names, file.route_count);
    if (!adapt_net_open(&a->net, e.model, (uint32_t)from, 31 - (uint32_t)__builtin_clz(mask), mask))
        return cli_error(
                   "%s: wanted are layers in f32 (smartrouter model --layer-coding f32) of a BERT-like encoder with "
                   "mean pooling, at least %s of them; --exits must lie above --from %ld or at it",
                   cli_value(&args, "--model"), exits ? exits : "9", from),
               CLI_USAGE;
    bool fine = read_rows(a, &args, labels);
    if (fine) tune_weigh(&a->data, public_weight, &a->weight, &a->route_of);
    fine = fine && prepare(a);
    if (fine) fit(a, epochs, rate);
    if (fine && cli_given(&args, "--output"))
        fine = adapt_file_write(cli_value(&args, "--output"), &a->net, a->numbers);
    engine_close(&e);
    return fine ? CLI_OK : CLI_FAILED;
}
