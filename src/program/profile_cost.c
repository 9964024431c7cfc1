/* What an embedder costs: bytes, and milliseconds a prompt. */
#include "program/engine.h"
#include "program/profile.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of this thread's work: what else the machine does counts little. */
static double milliseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* Median over up to MOST prompts, spread over all; the quicker of two runs each. NaN when nothing could be encoded. */
static double prompt_ms(const sr_model *m, uint32_t layer, const labelled *tests, double *pieces) {
    enum { MOST = 64 };
    size_t count = tests->count < MOST ? tests->count : MOST;
    int64_t need = sr_encoder_bytes(m);
    void *mem = memory((size_t)need);
    float *vector = memory(SR_MAX_DIM * sizeof *vector);
    double times[MOST], total = 0;
    sr_encoder *e;
    sr_encoder_open(mem, (size_t)need, m, &e);
    for (size_t i = 0; i < count; i++) {
        const char *text = tests->rows[i * tests->count / count].text;
        times[i] = 1e300;
        for (int run = 0; run < 2; run++) {
            double started = milliseconds();
            int n = sr_encoder_start(e, text, strlen(text));
            if (n >= 0) sr_encoder_advance(e, layer, vector);
            double took = milliseconds() - started;
            if (took < times[i]) times[i] = took;
            if (!run && n > 0) total += n;
        }
    }
    *pieces = total / (double)count;
    double median = stats_quantile(times, count, 0.5);
    free(mem), free(vector);
    return median;
}

cJSON *profile_cost(const char *path, const srv_set *set, const labelled *tests) {
    const srv_pin *pin = &set->files[0].pin;
    file_bytes file = {0};
    void *mem = NULL;
    const sr_model *m;
    cJSON *o = NULL;
    if (!open_model(path, &file, &mem, &m)) return NULL;
    sr_model_info info = {0};
    sr_model_info_get(m, &info);
    if (pin->embedder != SR_EMBEDDER_ENCODER || info.content != pin->content) {
        cli_error("%s is not what made the vectors of %s", path, srv_pin_text(pin));
    } else {
        double pieces, ms = prompt_ms(m, pin->layer, tests, &pieces);
        o = cJSON_CreateObject();
        cJSON_AddNumberToObject(o, "bytes", (double)file.bytes);
        cJSON_AddItemToObject(o, "ms", json_float(ms));
        cJSON_AddItemToObject(o, "pieces", json_float(pieces));
        cJSON_AddNumberToObject(o, "layers", info.layers);
    }
    file_free(&file), free(mem);
    return o;
}
