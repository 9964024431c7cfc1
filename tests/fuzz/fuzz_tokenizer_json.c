/* tokenizer.json from hostile bytes: read, or refused in words. */
#include "program/model_source.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    sr_model_source s;
    memset(&s, 0, sizeof s);
    int e = sr_source_tokenizer(&s, (const char *)data, bytes);
    if (e == SR_E_FORMAT && !s.error[0]) abort();
    if (e == 0) {
        const sr_source_model *m = &s.model;
        if (m->meta.begin >= m->piece_count || m->meta.end >= m->piece_count || m->meta.unknown >= m->piece_count)
            abort();
        for (uint32_t i = 0; i < m->piece_count; i++)
            if (m->text_offset[i] > m->text_offset[i + 1] || m->scores[i] - m->scores[i] != 0) abort();
    }
    sr_source_close(&s);
    return 0;
}
