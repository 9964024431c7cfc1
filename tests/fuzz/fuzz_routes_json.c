/* Route files from hostile bytes: refused, or every field within what the rest of the program builds on. */
#include "as_file.h"
#include "container.h"
#include "program/routes_file.h"
#include <string.h>

static void check_texts(char *const *texts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!*texts[i] || !sr_utf8_valid(texts[i], strlen(texts[i]))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    int fd = memory_file(data, bytes);
    routes_file f;
    if (routes_file_read(memory_file_path(fd), &f)) {
        uint32_t utterances = 0;
        if (!f.name || !f.route_count || f.route_count > SR_MAX_ROUTES || f.fallback >= f.route_count) abort();
        if (f.aggregation_k > SR_MAX_TOP_K || f.layer_count >= SR_MAX_EXITS) abort();
        for (uint32_t i = 0; i < f.route_count; i++) {
            const route_source *r = &f.routes[i];
            if (!r->id || !*r->id) abort();
            if (r->has_threshold && !(r->threshold >= -1 && r->threshold <= 1)) abort();
            if (r->has_margin && !(r->margin >= 0 && r->margin <= 2)) abort();
            check_texts(r->utterances, r->utterance_count), check_texts(r->negatives, r->negative_count);
            utterances += r->utterance_count + r->negative_count;
        }
        if (!utterances || utterances != f.utterance_count || utterances > SR_MAX_UTTERANCES) abort();
        routes_file_free(&f);
    }
    close(fd);
    return 0;
}
