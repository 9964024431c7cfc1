/* tokenizer.json, as the library tokenizers writes it: WordPiece with BERT's steps, Unigram with SentencePiece's.
 * Every step that the file names is either known here, or named in the error. */
#include "program/json.h"
#include "program/model_source.h"
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "tokenizer.json"
#define FAIL(...) sr_source_fail(s, FILE_NAME, __VA_ARGS__)

static const char *type_of(const cJSON *step) {
    const cJSON *type = json_get(step, "type");
    return cJSON_IsString(type) ? type->valuestring : "(without a type)";
}

static int is_type(const cJSON *step, const char *type) {
    return strcmp(type_of(step), type) == 0;
}

/* A switch of a step: fallback when it is absent or null. */
static int flag(const cJSON *step, const char *name, int fallback) {
    const cJSON *item = json_get(step, name);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

/* The steps of a Sequence one by one, or the one step itself; null ends. */
static const cJSON *first_step(const cJSON *step, const char *list) {
    return cJSON_IsNull(step)          ? NULL
           : is_type(step, "Sequence") ? (json_get(step, list) ? json_get(step, list)->child : NULL)
                                       : step;
}
static const cJSON *next_step(const cJSON *whole, const cJSON *step) {
    return step == whole ? NULL : step->next;
}

/* ---- pieces -------------------------------------------------------------------------------------------------------
 */

typedef struct {
    const char **text; /* by id; null: none */
    float *score;
    uint32_t count;
} pieces;

static int whole_id(const cJSON *item, uint32_t *id) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < SR_MAX_PIECES)) return 0;
    *id = (uint32_t)item->valuedouble;
    return (double)*id == item->valuedouble;
}

static int add_piece(sr_model_source *s, pieces *p, const char *text, uint32_t id) {
    if (strlen(text) > SR_MAX_PIECE_BYTES) return FAIL("piece %u is longer than %d bytes", id, SR_MAX_PIECE_BYTES);
    if (p->text[id] && strcmp(p->text[id], text) != 0)
        return FAIL("pieces '%.60s' and '%.60s' have the same number, %u", p->text[id], text, id);
    p->text[id] = text;
    if (id >= p->count) p->count = id + 1;
    return 0;
}

static int find_piece(const pieces *p, const char *text, uint32_t *id) {
    for (uint32_t i = 0; i < p->count; i++)
        if (p->text[i] && strcmp(p->text[i], text) == 0) {
            *id = i;
            return 1;
        }
    return 0;
}

static int read_added(sr_model_source *s, pieces *p, const cJSON *root) {
    const cJSON *item;
    cJSON_ArrayForEach(item, json_get(root, "added_tokens")) {
        const cJSON *content = json_get(item, "content");
        uint32_t id;
        if (!cJSON_IsString(content) || !whole_id(json_get(item, "id"), &id))
            return FAIL("an added token has no content or no number");
        int e = add_piece(s, p, content->valuestring, id);
        if (e < 0) return e;
    }
    return 0;
}

static int by_piece_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int store_pieces(sr_model_source *s, const pieces *p) {
    sr_source_model *m = &s->model;
    size_t bytes = 0;
    for (uint32_t i = 0; i < p->count; i++) bytes += p->text[i] ? strlen(p->text[i]) : 0;
    uint8_t *text = sr_source_own(s, bytes);
    uint32_t *offset = sr_source_own(s, ((size_t)p->count + 1) * sizeof *offset);
    const char **sorted = malloc(((size_t)p->count + 1) * sizeof *sorted);
    uint32_t n = 0;
    if (!text || !offset || !sorted) {
        free(sorted);
        return SR_E_MEMORY;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        size_t size = p->text[i] ? strlen(p->text[i]) : 0;
        if (size) memcpy(text + offset[i], p->text[i], size), sorted[n++] = p->text[i];
        offset[i + 1] = offset[i] + (uint32_t)size;
    }
    qsort(sorted, n, sizeof *sorted, by_piece_text);
    int e = 0;
    for (uint32_t i = 1; i < n && e == 0; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0) e = FAIL("piece '%.60s' stands there twice", sorted[i]);
    free(sorted);
    m->piece_count = p->count, m->text = text, m->text_offset = offset, m->scores = p->score;
    return e;
}

/* ---- what begins and ends a text ------------------------------------------------------------------------------------
 */

static int pair_id(const cJSON *pair, uint32_t *id) {
    return cJSON_IsArray(pair) && cJSON_GetArraySize(pair) == 2 && whole_id(pair->child->next, id);
}

static int template_id(const cJSON *step, const cJSON *token, uint32_t *id) {
    const cJSON *name = json_get(json_get(token, "SpecialToken"), "id");
    if (!cJSON_IsString(name)) return 0;
    const cJSON *ids = json_get(json_get(json_get(step, "special_tokens"), name->valuestring), "ids");
    return cJSON_GetArraySize(ids) == 1 && whole_id(ids->child, id);
}

static int read_ends(sr_model_source *s, const cJSON *root) {
    const cJSON *step = json_get(root, "post_processor");
    sr_model_meta *m = &s->model.meta;
    if (!step || cJSON_IsNull(step)) return FAIL("no post_processor: what begins and ends a text is not said");
    if (is_type(step, "RobertaProcessing") || is_type(step, "BertProcessing")) {
        if (!pair_id(json_get(step, "cls"), &m->begin) || !pair_id(json_get(step, "sep"), &m->end))
            return FAIL("post_processor %s: cls or sep is missing", type_of(step));
    } else if (is_type(step, "TemplateProcessing")) {
        const cJSON *single = json_get(step, "single");
        if (cJSON_GetArraySize(single) != 3 || !template_id(step, single->child, &m->begin) ||
            !json_get(single->child->next, "Sequence") || !template_id(step, single->child->next->next, &m->end))
            return FAIL("post_processor TemplateProcessing: only one token before the text and one after it are known");
    } else
        return FAIL("post_processor %.60s is not known", type_of(step));
    return 0;
}

static int check_control(sr_model_source *s, const pieces *p) {
    sr_model_meta *m = &s->model.meta;
    const uint32_t ids[] = {m->begin, m->end, m->unknown};
    static const char *const names[] = {"begins a text", "ends a text", "is unknown"};
    for (int i = 0; i < 3; i++)
        if (ids[i] >= p->count || !p->text[ids[i]] || !*p->text[ids[i]])
            return FAIL("the piece for what %s (%u) is not in the vocabulary", names[i], ids[i]);
    m->pad = m->mask = (uint32_t)SR_NO_PIECE;
    if (!find_piece(p, "[PAD]", &m->pad)) find_piece(p, "<pad>", &m->pad);
    if (!find_piece(p, "[MASK]", &m->mask)) find_piece(p, "<mask>", &m->mask);
    return 0;
}

/* ---- WordPiece
 * -------------------------------------------------------------------------------------------------------- */

static int read_wordpiece(sr_model_source *s, const cJSON *root, const cJSON *model, pieces *p) {
    const cJSON *prefix = json_get(model, "continuing_subword_prefix"),
                *most = json_get(model, "max_input_chars_per_word"), *unknown = json_get(model, "unk_token"),
                *vocab = json_get(model, "vocab"), *item;
    if (!cJSON_IsString(prefix) || strcmp(prefix->valuestring, "##") != 0)
        return FAIL("WordPiece: continuing_subword_prefix other than ## is not supported");
    if (!cJSON_IsNumber(most) || most->valuedouble != SR_WORDPIECE_MAX_CHARACTERS)
        return FAIL("WordPiece: max_input_chars_per_word other than %d is not supported", SR_WORDPIECE_MAX_CHARACTERS);
    if (!cJSON_IsString(unknown) || !cJSON_IsObject(vocab)) return FAIL("WordPiece: unk_token or vocab is missing");
    cJSON_ArrayForEach(item, vocab) {
        uint32_t id;
        if (!whole_id(item, &id)) return FAIL("piece '%.60s': its number makes no sense", item->string);
        int e = add_piece(s, p, item->string, id);
        if (e < 0) return e;
    }
    if (!find_piece(p, unknown->valuestring, &s->model.meta.unknown))
        return FAIL("unk_token '%.60s' is not in the vocabulary", unknown->valuestring);

    const cJSON *normalizer = json_get(root, "normalizer"), *words = json_get(root, "pre_tokenizer");
    if (!normalizer || !is_type(normalizer, "BertNormalizer"))
        return FAIL("normalizer %.60s is not supported with WordPiece", normalizer ? type_of(normalizer) : "(none)");
    if (!words || !is_type(words, "BertPreTokenizer"))
        return FAIL("pre_tokenizer %.60s is not supported with WordPiece", words ? type_of(words) : "(none)");
    int lower = flag(normalizer, "lowercase", 1);
    sr_bert_steps steps = {flag(normalizer, "clean_text", 1), flag(normalizer, "handle_chinese_chars", 1),
                           flag(normalizer, "strip_accents", lower), lower};
    s->model.meta.tokenizer = SR_TOKENIZER_WORDPIECE;
    return sr_source_bert_map(s, &steps);
}

/* ---- Unigram
 * ---------------------------------------------------------------------------------------------------------- */

static int read_unigram_normalizer(sr_model_source *s, const cJSON *whole) {
    int maps = 0;
    for (const cJSON *step = first_step(whole, "normalizers"); step; step = next_step(whole, step)) {
        const cJSON *map = json_get(step, "precompiled_charsmap");
        const cJSON *pattern = json_get(json_get(step, "pattern"), "Regex"), *content = json_get(step, "content");
        if (is_type(step, "Precompiled") && cJSON_IsString(map)) {
            if (maps++) return FAIL("normalizer: two precompiled maps");
            int e = sr_source_precompiled_map(s, map->valuestring);
            if (e < 0) return FAIL("normalizer Precompiled: its map is damaged");
        } else if (!(is_type(step, "Replace") && cJSON_IsString(pattern) && cJSON_IsString(content) &&
                     strcmp(pattern->valuestring, " {2,}") == 0 && strcmp(content->valuestring, " ") == 0))
            return FAIL("normalizer %.60s is not supported with Unigram", type_of(step));
    }
    return 0;
}

static int read_unigram_words(sr_model_source *s, const cJSON *whole) {
    int spaced = 0;
    for (const cJSON *step = first_step(whole, "pretokenizers"); step; step = next_step(whole, step)) {
        const cJSON *sign = json_get(step, "replacement"), *scheme = json_get(step, "prepend_scheme");
        if (is_type(step, "WhitespaceSplit"))
            s->model.meta.tokenizer_flags |= SR_TOKENIZER_TRIM;
        else if (is_type(step, "Metaspace")) {
            if (!cJSON_IsString(sign) || strcmp(sign->valuestring, "\xe2\x96\x81") != 0 ||
                (cJSON_IsString(scheme) && strcmp(scheme->valuestring, "always") != 0) ||
                !flag(step, "add_prefix_space", 1) || !flag(step, "split", 1))
                return FAIL("pre_tokenizer Metaspace: only U+2581 before every word is supported");
            spaced = 1;
        } else
            return FAIL("pre_tokenizer %.60s is not supported with Unigram", type_of(step));
    }
    return spaced ? 0 : FAIL("no pre_tokenizer Metaspace: Unigram without it is not supported");
}

static int read_unigram(sr_model_source *s, const cJSON *root, const cJSON *model, pieces *p) {
    const cJSON *vocab = json_get(model, "vocab"), *item;
    uint32_t id = 0;
    if (flag(model, "byte_fallback", 0)) return FAIL("Unigram: byte_fallback is not supported");
    if (!cJSON_IsArray(vocab)) return FAIL("Unigram: vocab is missing");
    cJSON_ArrayForEach(item, vocab) {
        const cJSON *text = cJSON_IsArray(item) ? item->child : NULL, *score = text ? text->next : NULL;
        if (!cJSON_IsString(text) || !cJSON_IsNumber(score) || id >= SR_MAX_PIECES)
            return FAIL("piece %u is not a text and a score", id);
        p->score[id] = (float)score->valuedouble;
        if (!(p->score[id] - p->score[id] == 0)) return FAIL("piece %u: its score is not finite", id);
        int e = add_piece(s, p, text->valuestring, id++);
        if (e < 0) return e;
    }
    if (!whole_id(json_get(model, "unk_id"), &s->model.meta.unknown)) return FAIL("Unigram: unk_id is missing");
    s->model.meta.tokenizer = SR_TOKENIZER_UNIGRAM;
    s->model.meta.tokenizer_flags = SR_TOKENIZER_FUSE_UNKNOWN;
    const cJSON *normalizer = json_get(root, "normalizer"), *words = json_get(root, "pre_tokenizer");
    int e = normalizer ? read_unigram_normalizer(s, normalizer) : 0;
    if (e < 0) return e;
    if (!s->model.map) { /* no map: letters stay as they are typed */
        s->model.meta.tokenizer_flags |= SR_TOKENIZER_AS_TYPED;
        if (!(s->model.map = sr_source_own(s, 1))) return SR_E_MEMORY;
    }
    return words ? read_unigram_words(s, words) : FAIL("pre_tokenizer is missing");
}

int sr_source_tokenizer(sr_model_source *s, const char *json, size_t bytes) {
    char where[200];
    cJSON *root = json_parse(json, bytes, where, sizeof where);
    if (!root) return FAIL("%s", where);
    const cJSON *model = json_get(root, "model");
    pieces p = {calloc(SR_MAX_PIECES, sizeof *p.text), sr_source_own(s, SR_MAX_PIECES * sizeof *p.score), 0};
    int e = p.text && p.score ? 0 : SR_E_MEMORY;
    if (e == 0)
        e = is_type(model, "WordPiece") ? read_wordpiece(s, root, model, &p)
            : is_type(model, "Unigram") ? read_unigram(s, root, model, &p)
                                        : FAIL("model %.60s is not supported", type_of(model));
    if (e == 0) e = read_added(s, &p, root);
    if (e == 0) e = read_ends(s, root);
    if (e == 0) e = check_control(s, &p);
    if (e == 0) e = store_pieces(s, &p);
    free(p.text);
    cJSON_Delete(root);
    return e;
}
