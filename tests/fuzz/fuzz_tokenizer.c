/* Any bytes through both tokenizers: every id is a piece, nothing is left over from the text before, and a long text's
 * pieces are the first and the last of those that it has uncut. */
#include "models.h"

enum { ROOM = 1 << 16 };

static sr_tokenizer *tokenizers(int wordpiece) {
    static opened models[2];
    opened *m = &models[wordpiece];
    if (!m->model) {
        sr_source_model s = model_source();
        sr_write_options w = model_options();
        uint8_t *file;
        if (wordpiece) {
            s.meta.tokenizer = SR_TOKENIZER_WORDPIECE;
            s.meta.tokenizer_flags = SR_TOKENIZER_SPACE_IDEOGRAPHS | SR_TOKENIZER_SPLIT_HANGUL;
        }
        s.meta.tokenizer_flags |= SR_TOKENIZER_READ_CAPITALS;
        int64_t bytes = sr_model_write(&s, &w, &file);
        if (bytes < 0 || open_bytes(m, file, (size_t)bytes) < 0) abort();
    }
    return &m->model->tokenizer;
}

static void try_one(const sr_tokenizer *t, const char *text, size_t bytes, size_t cap, size_t head) {
    static sr_tokenizer_work work;
    static sr_known_words both[2]; /* what one input left there must not harm the next */
    sr_known_words *known = &both[t->flags & SR_TOKENIZER_WORDPIECE_WORDS ? 1 : 0];
    static uint32_t all[ROOM], cut[ROOM];
    size_t total, cut_total;
    memset(&work, 0xa5, sizeof work);
    size_t n = sr_tokenize(t, &work, 0, "query: ", 7, text, bytes, all, ROOM, ROOM, &total);
    if (n != (total < ROOM ? total : ROOM)) abort();
    for (size_t i = 0; i < n; i++)
        if (all[i] >= MODEL_PIECES) abort();
    if (total > ROOM) return;
    size_t kept = sr_tokenize(t, &work, known, "query: ", 7, text, bytes, cut, cap, head, &cut_total);
    if (cut_total != total || kept != (total < cap ? total : cap)) abort();
    size_t first = total <= cap ? total : head;
    if (memcmp(cut, all, first * sizeof *cut) != 0) abort();
    if (total > cap && memcmp(cut + head, all + total - (cap - head), (cap - head) * sizeof *cut) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    if (bytes < 2) return 0;
    size_t cap = 1 + data[0] % 64, head = data[1] % (cap + 1);
    char *text = malloc(bytes - 2 ? bytes - 2 : 1);
    memcpy(text, data + 2, bytes - 2);
    for (int wordpiece = 0; wordpiece < 2; wordpiece++) try_one(tokenizers(wordpiece), text, bytes - 2, cap, head);
    free(text);
    return 0;
}
