/* The whole way from bytes to a decision. The first three bytes say how many changes asset, table and model get, four
 * bytes each (where, what); the rest is the prompt. The asset's pins follow the changed files, as if compiled for them.
 */
#include "pipelines.h"
#include "reseal.h"

typedef struct {
    const uint8_t *at;
    size_t left;
} bytes_in;

static small_file changed(small_file original, bytes_in *in, size_t changes) {
    small_file f = {aligned(original.bytes), original.bytes};
    memcpy(f.data, original.data, f.bytes);
    for (; changes && in->left >= 4; changes--, in->at += 4, in->left -= 4) {
        size_t where = (size_t)(in->at[0] | in->at[1] << 8 | (in->at[2] & 1) << 16);
        f.data[where % f.bytes] = in->at[3];
    }
    reseal(f.data, f.bytes);
    return f;
}

/* Puts a changed file's content id where the asset names the original's. */
static void follow(small_file asset, small_file original, small_file now) {
    sr_container was, is;
    if (sr_container_open(original.data, original.bytes, (const char *)original.data, 255, &was) < 0) abort();
    if (sr_container_open(now.data, now.bytes, (const char *)original.data, 255, &is) < 0) return;
    for (size_t i = 0; i + 8 <= asset.bytes; i++)
        if (sr_load64(asset.data + i) == was.content) sr_store64(asset.data + i, is.content);
}

static void check(const small_pipeline *p, const sr_decision *d, const sr_match *m, const sr_why *why) {
    if (d->route >= sr_router_route_count(p->router) || d->exit >= sr_router_exit_count(p->router)) abort();
    if (!(d->confidence >= 0 && d->confidence <= 1) || d->match_count > SR_MAX_ROUTES || d->why_count > 8) abort();
    for (uint32_t i = 0; i < d->match_count; i++)
        if (!(m[i].score >= -1 && m[i].score <= 1.001f) || (i && m[i].score > m[i - 1].score)) abort();
    for (uint32_t i = 0; i < d->why_count; i++) {
        sr_utterance_info u;
        if (sr_router_utterance(p->router, why[i].utterance, &u) < 0) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static small_files f;
    if (!f.asset.data) f = make_small_files();
    if (bytes < 3) return 0;
    bytes_in in = {data + 3, bytes - 3};
    int which = data[0] >> 4 & 3; /* the model alone, both, or (quicker, so more often) the table alone */
    small_files now = {.asset = changed(f.asset, &in, data[0] % 16)};
    if (which != 1) now.table = changed(f.table, &in, data[1] % 16), follow(now.asset, f.table, now.table);
    if (which < 2) now.model = changed(f.model, &in, data[2] % 16), follow(now.asset, f.model, now.model);
    reseal(now.asset.data, now.asset.bytes);

    small_pipeline p;
    if (open_pipeline(&p, now.asset, now.model, now.table) == 0) {
        sr_decision d;
        sr_match matches[SR_MAX_ROUTES];
        sr_why why[8];
        char *prompt = malloc(in.left ? in.left : 1);
        memcpy(prompt, in.at, in.left);
        sr_pipeline_options options = {.last_exit = SR_MAX_EXITS, .always_last = data[0] >> 6 & 1};
        if (sr_pipeline_route(p.pipeline, prompt, in.left, &options, &d, matches, SR_MAX_ROUTES, why, 8) == 0)
            check(&p, &d, matches, why);
        free(prompt);
    }
    close_pipeline(&p);
    free_small_files(&now);
    return 0;
}
