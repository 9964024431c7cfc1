/* smartrouter corpus check: is the written corpus as its README wants it? */
#include "program/corpus.h"
#include "program/engine.h"
#include "program/eval_space.h"
#include "program/vectors.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--against", "FOLDER", "evaluation prompts that must not be paraphrases of the corpus; only their ids are shown"},
    {"--vectors", "FILES", "look for near meanings by these .srv files of all these prompts"},
    {"--model", "FILE", "or by this encoder model (.srm)"},
    {"--exit", "LAYER", "of the model (default 9, or its last)"},
    {"--text-limit", "J", "near duplicate: share of common five-letter runs (default 0.6)"},
    {"--limit", "COSINE", "near duplicate or paraphrase: centred cosine (default 0.92)"},
    {"--all", NULL, "print every problem rather than the first 100"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {
    "corpus", "check the written corpus: fields, topics, openings, near duplicates", "check [options] [FOLDER]",
    options,
    "  smartrouter corpus check\n"
    "  smartrouter corpus check --model build/model/smartrouter-model.srm --against tests/prompts routes/corpus\n"};

static const char *const styles[] = {"terse", "plain", "polite", "typos", "chatty",   "formal",   "voice", "code",
                                     "list",  "paste", "mixed",  "slang", "translit", "roleplay", NULL};

static size_t shown_problems = 100;

void corpus_problem(corpus *c, size_t row, const char *format, ...) {
    va_list args;
    if (c->problems++ >= shown_problems) return;
    const labelled_row *r = &c->prompts.rows[row];
    printf("%s:%u: ", c->prompts.files[r->file], r->line);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

/* ---- fields and topics ---------------------------------------------------------------------------------------------
 */

typedef struct {
    char *folder; /* .../ROUTE */
    char **names;
    uint32_t *uses;
    size_t count;
} topic_list;

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return text_copy(path, slash ? (size_t)(slash - path) : 0);
}

static bool read_topics(corpus *c, topic_list *t) {
    char *path = memory(strlen(t->folder) + 16);
    sprintf(path, "%s/topics.txt", t->folder);
    file_bytes file;
    bool fine = file_read(path, &file);
    if (fine) {
        t->names = memory((file.bytes + 1) * sizeof *t->names), t->uses = memory((file.bytes + 1) * sizeof *t->uses);
        for (char *line = file.data; *line;) {
            size_t bytes = strcspn(line, "\r\n");
            size_t word = strcspn(line, " \t\r\n#");
            if (word) {
                char *name = text_copy(line, word);
                if (labelled_index((const char *const *)t->names, (uint32_t)t->count, name) >= 0)
                    printf("%s: topic %s stands twice\n", path, name), c->problems++;
                t->names[t->count++] = name;
            }
            line += bytes;
            line += strspn(line, "\r\n");
        }
        file_free(&file);
    }
    free(path);
    return fine;
}

static topic_list *topics_of(corpus *c, const char *path, topic_list *lists, size_t *count) {
    char *folder = folder_of(path);
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(lists[i].folder, folder) != 0) continue;
        free(folder);
        return &lists[i];
    }
    topic_list *t = &lists[(*count)++];
    *t = (topic_list){.folder = folder};
    return read_topics(c, t) ? t : NULL;
}

static bool check_fields(corpus *c) {
    const labelled *l = &c->prompts;
    topic_list *lists = memory((l->file_count + 1) * sizeof *lists);
    size_t list_count = 0;
    bool fine = true;
    for (size_t i = 0; i < l->count && fine; i++) {
        const labelled_row *r = &l->rows[i];
        const char *path = l->files[r->file], *topic = labelled_field(r, "topic"), *style = labelled_field(r, "style");
        for (const cJSON *f = r->record->child; f; f = f->next)
            if (strcmp(f->string, "text") && strcmp(f->string, "topic") && strcmp(f->string, "style"))
                corpus_problem(c, i, "unknown field \"%s\"; a prompt has text, topic and style", f->string);
        if (!r->text[strspn(r->text, " \t\r\n")]) corpus_problem(c, i, "the text is empty");
        int s = 0;
        while (styles[s] && strcmp(styles[s], style) != 0) s++;
        if (!styles[s]) corpus_problem(c, i, "unknown style \"%s\"; the README lists them", style);
        topic_list *t = topics_of(c, path, lists, &list_count);
        fine = t != NULL;
        int at = t ? labelled_index((const char *const *)t->names, (uint32_t)t->count, topic) : -1;
        if (t && at < 0) corpus_problem(c, i, "topic \"%s\" is not in %s/topics.txt", topic, t->folder);
        if (at >= 0) t->uses[at]++;
    }
    for (size_t i = 0; i < list_count; i++) {
        for (size_t n = 0; n < lists[i].count; n++) {
            if (fine && !lists[i].uses[n])
                printf("%s/topics.txt: no file covers %s\n", lists[i].folder, lists[i].names[n]), c->problems++;
            free(lists[i].names[n]);
        }
        free(lists[i].folder), free(lists[i].names), free(lists[i].uses);
    }
    free(lists);
    return fine;
}

/* ---- openings ------------------------------------------------------------------------------------------------------
 */

typedef struct {
    char *words;
    uint32_t file;
    size_t row;
} opening;

static int by_opening(const void *a, const void *b) {
    const opening *x = a, *y = b;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    int order = strcmp(x->words, y->words);
    return order ? order : x->row < y->row ? -1 : 1;
}

/* The first four words in lower case (ASCII), without signs at their ends; null for shorter texts. */
static char *first_words(const char *text) {
    char *out = memory(strlen(text) + 2), *to = out;
    int words = 0;
    while (words < 4) {
        text += strspn(text, " \t\r\n");
        size_t bytes = strcspn(text, " \t\r\n");
        if (!bytes) break;
        size_t end = bytes, begin = 0;
        while (end > begin && strchr(".,;:!?()\"'", text[end - 1])) end--;
        while (begin < end && strchr("(\"'", text[begin])) begin++;
        for (size_t i = begin; i < end; i++) *to++ = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + 32) : text[i];
        *to++ = ' ';
        text += bytes;
        words++;
    }
    *to = 0;
    if (words == 4) return out;
    free(out);
    return NULL;
}

static void check_openings(corpus *c) {
    const labelled *l = &c->prompts;
    opening *all = memory((l->count + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++) {
        char *words = first_words(l->rows[i].text);
        if (words) all[n++] = (opening){words, l->rows[i].file, i};
    }
    if (n) qsort(all, n, sizeof *all, by_opening);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && all[end].file == all[i].file && !strcmp(all[end].words, all[i].words); end++) continue;
        if (end - i > 3)
            corpus_problem(c, all[i + 3].row, "\"%s...\" opens %zu prompts of this file", all[i].words, end - i);
    }
    for (size_t i = 0; i < n; i++) free(all[i].words);
    free(all);
}

/* ---- counts --------------------------------------------------------------------------------------------------------
 */

static void print_counts(const corpus *c) {
    const labelled *l = &c->prompts;
    size_t shorter = 0, longer = 0, pasted = 0;
    for (size_t i = 0; i < l->count; i++) {
        size_t words = labelled_words(l->rows[i].text);
        shorter += words < 12, longer += words > 30;
        pasted += !strcmp(labelled_field(&l->rows[i], "style"), "paste");
    }
    double n = (double)l->count / 100;
    printf("%zu prompts in %zu files: %.0f %% under 12 words, %.0f %% over 30, %zu paste a document\n", l->count,
           l->file_count, (double)shorter / n, (double)longer / n, pasted);
    for (uint32_t f = 0; f < l->file_count; f++) {
        size_t count = 0, few = 0, many = 0, pastes = 0;
        for (size_t i = 0; i < l->count; i++) {
            if (l->rows[i].file != f) continue;
            size_t words = labelled_words(l->rows[i].text);
            const char *style = labelled_field(&l->rows[i], "style");
            count++, few += words < 12, many += words > 30;
            pastes += !strcmp(style, "paste") || !strcmp(style, "code") || !strcmp(style, "list");
        }
        bool english = strstr(l->files[f], "/en.jsonl") != NULL;
        if (count < (english ? 150u : 60u) || few * 10 < count * 4 || many * 10 < count || pastes < 2)
            printf("note: %s: %zu prompts, %zu under 12 words, %zu over 30, %zu with something pasted\n", l->files[f],
                   count, few, many, pastes);
    }
}

/* ---- meaning -------------------------------------------------------------------------------------------------------
 */

static float *encode(const engine *g, const labelled *l, uint32_t layer, int threads) {
    sr_text *texts = memory((l->count + 1) * sizeof *texts);
    float *out = NULL;
    for (size_t i = 0; i < l->count; i++) texts[i] = (sr_text){l->rows[i].text, strlen(l->rows[i].text)};
    bool fine = vectors_encode(g->model, texts, l->count, &(uint32_t){1u << layer}, 1, threads, &out);
    free(texts);
    return fine ? out : NULL;
}

static bool check_meaning(corpus *c, const cli_args *args, const labelled *others, double limit, long layer,
                          int threads) {
    srv_set set = {0};
    engine g = {0};
    float *rows = NULL, *other_rows = NULL, *mean = NULL;
    size_t dim = 0;
    bool fine;
    if (cli_given(args, "--vectors")) {
        fine = srv_set_read(cli_value(args, "--vectors"), &set);
        if (fine) dim = set.files[0].pin.dim, rows = srv_set_vectors(&set, &c->prompts, false);
        if (rows && others->count) other_rows = srv_set_vectors(&set, others, false);
    } else {
        sr_model_info info = {0};
        fine = engine_open(&g, NULL, cli_value(args, "--model"), NULL, ENGINE_MODEL) &&
               sr_model_info_get(g.model, &info) >= 0;
        uint32_t exit = layer >= 0 ? (uint32_t)layer : info.layers < 9 ? info.layers : 9;
        dim = info.dim;
        if (fine) rows = encode(&g, &c->prompts, exit, threads);
        if (rows && others->count) other_rows = encode(&g, others, exit, threads);
    }
    fine = fine && rows && (!others->count || other_rows);
    if (fine) {
        mean = memory(dim * sizeof *mean);
        space_mean(rows, c->prompts.count, dim, NULL, 1, mean);
        space_centre(rows, c->prompts.count, dim, mean, threads);
        corpus_near_vectors(c, rows, dim, limit, threads);
        if (others->count) {
            space_centre(other_rows, others->count, dim, mean, threads);
            size_t found = corpus_paraphrases(c, rows, others, other_rows, dim, limit, threads);
            printf("%zu of %zu evaluation prompts are paraphrases of the corpus (cosine %.2f or more)\n", found,
                   others->count, limit);
            c->problems += found;
        }
    }
    free(rows), free(other_rows), free(mean);
    srv_set_free(&set);
    engine_close(&g);
    return fine;
}

int sr_cmd_corpus(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long threads, layer;
    double text_limit, limit;
    if (!cli_number(&args, "--threads", 1, 256, cli_cores(), &threads) ||
        !cli_number(&args, "--exit", 0, SR_MAX_EXITS, -1, &layer) ||
        !cli_decimal(&args, "--text-limit", 0.1, 1, 0.6, &text_limit) ||
        !cli_decimal(&args, "--limit", 0, 1, 0.92, &limit))
        return CLI_USAGE;
    if (args.rest_count < 1 || strcmp(args.rest[0], "check") != 0 || args.rest_count > 2)
        return cli_error("smartrouter corpus check [FOLDER]"), CLI_USAGE;
    if (cli_given(&args, "--all")) shown_problems = (size_t)-1;
    static char usual[] = "routes/corpus";
    char *folder = args.rest_count > 1 ? args.rest[1] : usual;
    const char *against = cli_value(&args, "--against");
    bool meaning = cli_given(&args, "--vectors") || cli_given(&args, "--model");
    if (against && !meaning) return cli_error("--against needs --model or --vectors"), CLI_USAGE;
    corpus c = {0};
    labelled others = {0};
    if (!labelled_read(&folder, 1, &(labelled_options){.needs_labels = true}, &c.prompts)) return CLI_FAILED;
    char *against_path = text_copy(against ? against : "", strlen(against ? against : ""));
    bool fine = !against || labelled_read(&against_path, 1, &(labelled_options){0}, &others);
    if (fine) fine = check_fields(&c);
    if (fine) {
        check_openings(&c);
        corpus_near_texts(&c, text_limit);
        if (meaning) fine = check_meaning(&c, &args, &others, limit, layer, (int)threads);
    }
    if (fine) {
        if (c.problems > shown_problems) printf("... and more; --all prints them\n");
        print_counts(&c);
        printf("%zu problems\n", c.problems);
    }
    labelled_free(&c.prompts), labelled_free(&others);
    free(against_path);
    return !fine ? CLI_FAILED : c.problems ? CLI_SOME_FAILED : CLI_OK;
}
