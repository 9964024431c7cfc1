/* smartrouter route: prompts as arguments, lines or JSONL; answers as text, JSON or JSONL, in order, on all cores. */
#include "container.h"
#include "program/builder.h"
#include "program/engine.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OUT_TEXT, OUT_BRIEF, OUT_JSON };
enum { WHY_MOST = 64, LINE_MOST = 32 << 20, BATCH_MOST = 4096, BATCH_BYTES = 4 << 20 };

typedef struct {
    const char *text;
    size_t bytes, number;
    char *answer; /* malloc'ed; null: nothing to print */
    bool failed;
} job;

typedef struct {
    const engine *engine;
    sr_pipeline_options options;
    int output, why;
    bool jsonl;
    const char *field;
    /* one batch */
    job *jobs;
    size_t count;
    atomic_size_t next;
    /* the threads that work on it */
    int threads;
    pthread_t *ids;
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    unsigned long round;
    int busy;
    bool stop;
    atomic_bool broken; /* a thread could not make its pipeline */
} router_run;

typedef struct {
    router_run *run;
    sr_pipeline *pipeline;
    sr_match matches[SR_MAX_ROUTES];
    sr_why why[WHY_MOST];
    builder scratch, decision;
} worker;

/* One line for a terminal: control characters would move its cursor, so they become spaces. */
static void add_shown(builder *b, const char *text, size_t bytes, size_t most) {
    size_t shown = bytes > most ? most : bytes;
    while (shown < bytes && shown && ((unsigned char)text[shown] & 0xc0) == 0x80) shown--;
    for (size_t i = 0; i < shown; i++) {
        unsigned char c = (unsigned char)text[i];
        char plain = c < 0x20 || c == 0x7f ? ' ' : (char)c;
        build(b, &plain, 1);
    }
    if (shown < bytes) build_text(b, "…");
}

static char *error_record(const job *j, const char *what) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "error", what);
    cJSON_AddNumberToObject(o, "line", (double)j->number);
    char *text = cJSON_PrintUnformatted(o);
    cJSON_Delete(o);
    return text;
}

static char *text_answer(const sr_router *r, const sr_decision *d, const worker *w, const job *j, int output) {
    builder b = {0};
    sr_route_info info;
    char number[128];
    sr_router_route(r, d->route, &info);
    build(&b, info.id.data, info.id.bytes);
    if (output == OUT_BRIEF) return b.data;
    snprintf(number, sizeof number, "%*s %3.0f %%  ", info.id.bytes < 18 ? (int)(18 - info.id.bytes) : 1, "",
             100.0 * (double)d->confidence);
    build_text(&b, number);
    add_shown(&b, j->text, j->bytes, 200);
    for (uint32_t i = 0; i < d->why_count; i++) {
        sr_utterance_info u;
        if (sr_router_utterance(r, w->why[i].utterance, &u) < 0) continue;
        sr_router_route(r, w->why[i].route, &info);
        snprintf(number, sizeof number, "\n    %5.2f  %.*s%*s ", (double)w->why[i].similarity, (int)info.id.bytes,
                 info.id.data, info.id.bytes < 17 ? (int)(17 - info.id.bytes) : 0, "");
        build_text(&b, number);
        add_shown(&b, u.text.data, u.text.bytes, 120);
    }
    return b.data;
}

/* The record as it came, with the decision put before its closing brace: numbers and spelling stay as they were. */
static char *spliced(const job *j, bool empty, const builder *decision) {
    size_t end = j->bytes;
    while (end > 1 && j->text[end - 1] != '}') end--;
    builder b = {.room = end + decision->bytes + 16};
    b.data = memory_more(NULL, b.room);
    build(&b, j->text, end - 1);
    build_text(&b, empty ? "\"decision\":" : ",\"decision\":");
    build(&b, decision->data, decision->bytes);
    build_text(&b, "}");
    return b.data;
}

static char *merged(cJSON *record, const builder *decision) {
    cJSON_DeleteItemFromObjectCaseSensitive(record, "decision");
    cJSON_AddItemToObject(record, "decision", cJSON_CreateRaw(decision->data));
    return cJSON_PrintUnformatted(record);
}

static void answer(worker *w, job *j) {
    const router_run *run = w->run;
    const sr_router *r = run->engine->router;
    cJSON *record = NULL;
    const char *text = j->text;
    size_t bytes = j->bytes;
    sr_text member;
    bool plain = run->jsonl && json_plain_member(j->text, j->bytes, run->field, &w->scratch, &member);
    if (plain) {
        text = member.data, bytes = member.bytes;
    } else if (run->jsonl) {
        char message[160];
        record = json_parse(j->text, j->bytes, message, sizeof message);
        const cJSON *field = json_get(record, run->field);
        if (!record || !cJSON_IsString(field)) {
            char what[256];
            if (!record)
                snprintf(what, sizeof what, "%s", message);
            else if (!cJSON_IsObject(record))
                snprintf(what, sizeof what, "the line is no JSON object");
            else if (!field)
                snprintf(what, sizeof what, "the record has no field \"%s\"", run->field);
            else
                snprintf(what, sizeof what, "field \"%s\" is no string", run->field);
            /* a JSONL place is "line N" of the stream; within the record only the column says anything */
            const char *column = strncmp(what, "line 1, ", 8) == 0 ? what + 8 : what;
            j->answer = error_record(j, column);
            j->failed = true;
            cJSON_Delete(record);
            return;
        }
        text = field->valuestring, bytes = strlen(text);
    }
    sr_decision d;
    int rc = sr_pipeline_route(w->pipeline, text, bytes, &run->options, &d, w->matches, SR_MAX_ROUTES, w->why,
                               (size_t)run->why);
    if (rc < 0) {
        char what[256];
        snprintf(what, sizeof what, "%s (%s)", sr_error_text(rc), sr_error_name(rc));
        j->failed = true;
        j->answer = error_record(j, what);
    } else if (run->output == OUT_JSON) {
        w->decision.bytes = 0;
        build_decision(&w->decision, r, &d, w->matches, w->why);
        if (!record && !plain) {
            record = cJSON_CreateObject();
            char *copy = text_copy(text, bytes);
            if (sr_utf8_valid(text, bytes)) cJSON_AddStringToObject(record, "text", copy);
            free(copy);
        }
        if (plain || (run->jsonl && !json_get(record, "decision")))
            j->answer = spliced(j, record && !record->child, &w->decision);
        else
            j->answer = merged(record, &w->decision);
    } else {
        job shown = *j;
        shown.text = text, shown.bytes = bytes;
        j->answer = text_answer(r, &d, w, &shown, run->output);
    }
    cJSON_Delete(record);
}

static void work_through(worker *w) {
    for (size_t i; (i = atomic_fetch_add(&w->run->next, 1)) < w->run->count;) answer(w, &w->run->jobs[i]);
}

static void *work(void *argument) {
    router_run *run = argument;
    worker *w = memory(sizeof *w);
    void *pipeline_memory;
    w->run = run;
    w->pipeline = engine_pipeline(run->engine, &pipeline_memory);
    if (!w->pipeline) atomic_store(&run->broken, true);
    unsigned long seen = 0;
    pthread_mutex_lock(&run->lock);
    for (;;) {
        if (--run->busy == 0) pthread_cond_signal(&run->done);
        while (run->round == seen && !run->stop) pthread_cond_wait(&run->wake, &run->lock);
        if (run->stop) break;
        seen = run->round;
        pthread_mutex_unlock(&run->lock);
        if (w->pipeline) work_through(w);
        pthread_mutex_lock(&run->lock);
    }
    pthread_mutex_unlock(&run->lock);
    free(pipeline_memory);
    free(w->scratch.data), free(w->decision.data);
    free(w);
    return NULL;
}

static bool start_threads(router_run *run) {
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->wake, NULL);
    pthread_cond_init(&run->done, NULL);
    run->ids = memory(sizeof *run->ids * (size_t)run->threads);
    run->busy = run->threads;
    for (int i = 0, rc; i < run->threads; i++)
        if ((rc = pthread_create(&run->ids[i], NULL, work, run)) != 0) {
            cli_error("cannot start thread %d of %d: %s", i + 1, run->threads, strerror(rc));
            run->threads = i;
            return false;
        }
    pthread_mutex_lock(&run->lock);
    while (run->busy) pthread_cond_wait(&run->done, &run->lock);
    pthread_mutex_unlock(&run->lock);
    return !atomic_load(&run->broken);
}

static void stop_threads(router_run *run) {
    pthread_mutex_lock(&run->lock);
    run->stop = true;
    pthread_cond_broadcast(&run->wake);
    pthread_mutex_unlock(&run->lock);
    for (int i = 0; i < run->threads; i++) pthread_join(run->ids[i], NULL);
    free(run->ids);
}

/* Routes the batch on all threads and prints the answers in order. Returns failures, or -1 when output is closed. */
static long run_batch(router_run *run) {
    if (!run->count) return 0;
    pthread_mutex_lock(&run->lock);
    atomic_store(&run->next, 0);
    run->busy = run->threads;
    run->round++;
    pthread_cond_broadcast(&run->wake);
    while (run->busy) pthread_cond_wait(&run->done, &run->lock);
    pthread_mutex_unlock(&run->lock);
    long failures = 0;
    for (size_t i = 0; i < run->count; i++) {
        job *j = &run->jobs[i];
        if (j->failed) {
            failures++;
            if (!run->jsonl) cli_error("line %zu: %s", j->number, j->answer ? j->answer : "failed");
        }
        if (j->answer && !(j->failed && !run->jsonl)) {
            fputs(j->answer, stdout);
            putchar('\n');
        }
        free(j->answer);
        *j = (job){0};
    }
    run->count = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_error("cannot write to standard output: %s", strerror(errno));
        return -1;
    }
    return failures;
}

/* Lines from standard input: a batch is what has arrived, so a typed line is answered at once and a file in bulk. */
static int run_lines(router_run *run) {
    size_t room = BATCH_BYTES, used = 0, number = 0;
    char *buffer = memory(room + 1);
    long failures = 0;
    bool end = false, skipping = false;
    while (!end) {
        ssize_t n = read(0, buffer + used, room - used);
        if (n < 0) {
            if (errno == EINTR) continue;
            cli_error("cannot read standard input: %s", strerror(errno));
            free(buffer);
            return CLI_FAILED;
        }
        used += (size_t)n;
        end = n == 0;
        size_t from = 0;
        while (from < used) {
            char *newline = memchr(buffer + from, '\n', used - from);
            if (!newline && !end) break;
            size_t to = newline ? (size_t)(newline - buffer) : used;
            if (skipping) { /* the rest of a line that was too long */
                skipping = false;
                from = to + 1;
                continue;
            }
            job *j = &run->jobs[run->count];
            *j = (job){.text = buffer + from, .bytes = to - from, .number = ++number};
            if (j->bytes && j->text[j->bytes - 1] == '\r') j->bytes--;
            from = to + 1;
            bool empty = strspn(j->text, " \t") >= j->bytes;
            if (!(run->jsonl && empty)) run->count++;
            if (run->count == BATCH_MOST) {
                long failed = run_batch(run);
                if (failed < 0) return free(buffer), CLI_FAILED;
                failures += failed;
            }
        }
        long failed = run_batch(run);
        if (failed < 0) return free(buffer), CLI_FAILED;
        failures += failed;
        if (from > used) from = used;
        memmove(buffer, buffer + from, used - from);
        used -= from;
        if (used == room && !skipping) {
            if (room >= LINE_MOST) {
                job j = {.number = ++number};
                char *record = error_record(&j, "the line is longer than 32 MiB");
                if (run->jsonl)
                    puts(record);
                else
                    cli_error("line %zu is longer than 32 MiB", number);
                free(record);
                failures++, used = 0, skipping = true;
            } else {
                char *larger = memory(room * 2 + 1);
                memcpy(larger, buffer, used);
                free(buffer);
                buffer = larger, room *= 2;
            }
        } else if (skipping) {
            used = 0;
        }
    }
    free(buffer);
    return failures ? CLI_SOME_FAILED : CLI_OK;
}

static const cli_option options[] = {
    {"--routes", "FILE", "route asset (.srr); default: the five routes that make built"},
    {"--model", "FILE", "encoder model (.srm); default: the one that make built"},
    {"--table", "FILE", "piece table (.srt); default: the one that belongs to the five routes"},
    {"--json", NULL, "answer each prompt as a JSON object"},
    {"--jsonl", NULL, "read JSONL from standard input and add \"decision\" to each record"},
    {"--field", "NAME", "the JSONL field that holds the prompt (default text)"},
    {"--brief", NULL, "print the route's id alone"},
    {"--why", "N", "how many of the nearest utterances to show (default 3; 0 to 64)"},
    {"--exit", "LAYER", "answer after this layer of the encoder, or 'table'; default: stop when sure"},
    {"--deep", NULL, "always go to the last exit"},
    {"--threads", "N", "default: all cores"},
    {0}};
static const cli_command command = {"route", "say which route should answer each prompt",
                                    "[options] [PROMPT ...]   (or prompts on standard input, a line each)", options,
                                    "  smartrouter route 'Schreibe ein trauriges Gedicht über den Herbst'\n"
                                    "  echo 'why does my pod restart?' | smartrouter route --brief\n"
                                    "  smartrouter route --jsonl < prompts.jsonl > routed.jsonl\n"
                                    "  smartrouter route --exit table --jsonl < ten-million.jsonl > routed.jsonl\n"};

static bool choose_exit(router_run *run, const char *name) {
    int exit;
    if (strcmp(name, "table") == 0) {
        exit = sr_router_find_exit(run->engine->router, SR_EMBEDDER_TABLE, 0);
    } else {
        char *end;
        long layer = strtol(name, &end, 10);
        exit = *end || end == name || layer < 0
                   ? SR_E_EXIT
                   : sr_router_find_exit(run->engine->router, SR_EMBEDDER_ENCODER, (uint32_t)layer);
    }
    if (exit >= 0) {
        run->options.first_exit = run->options.last_exit = (uint32_t)exit;
        return true;
    }
    fprintf(stderr, "smartrouter route: --exit %s: this asset has the exits", name);
    for (uint32_t i = 0; i < sr_router_exit_count(run->engine->router); i++) {
        sr_exit_info e;
        sr_router_exit(run->engine->router, i, &e);
        if (e.embedder == SR_EMBEDDER_TABLE)
            fprintf(stderr, " table");
        else
            fprintf(stderr, " %u", e.layer);
    }
    fputc('\n', stderr);
    return false;
}

int sr_cmd_route(int argc, char **argv) {
    cli_args args;
    int parsed = cli_parse(&command, argc, argv, &args);
    if (parsed) return parsed > 0 ? CLI_OK : CLI_USAGE;
    long why, threads;
    if (!cli_number(&args, "--why", 0, WHY_MOST, 3, &why) ||
        !cli_number(&args, "--threads", 1, 256, cli_cores(), &threads))
        return CLI_USAGE;
    bool jsonl = cli_given(&args, "--jsonl");
    if (jsonl && args.rest_count)
        return cli_error("--jsonl reads standard input; no prompts as arguments then"), CLI_USAGE;

    engine e;
    const char *exit = cli_value(&args, "--exit");
    int parts = ENGINE_ASSET | ENGINE_TABLE | (exit && strcmp(exit, "table") == 0 ? 0 : ENGINE_MODEL);
    if (!engine_open(&e, cli_value(&args, "--routes"), cli_value(&args, "--model"), cli_value(&args, "--table"), parts))
        return CLI_FAILED;
    router_run run = {.engine = &e, .jsonl = jsonl, .why = (int)why, .threads = (int)threads};
    run.options.last_exit = SR_MAX_EXITS;
    run.options.always_last = cli_given(&args, "--deep");
    run.field = cli_given(&args, "--field") ? cli_value(&args, "--field") : "text";
    run.output = jsonl || cli_given(&args, "--json") ? OUT_JSON : cli_given(&args, "--brief") ? OUT_BRIEF : OUT_TEXT;
    if (exit && !choose_exit(&run, exit)) return engine_close(&e), CLI_USAGE;

    if (args.rest_count && run.threads > args.rest_count) run.threads = args.rest_count;
    run.jobs = memory(sizeof(job) * BATCH_MOST);
    int status = CLI_FAILED;
    if (start_threads(&run)) {
        status = CLI_OK;
        if (args.rest_count) {
            for (int i = 0; i < args.rest_count && status != CLI_FAILED; i++) {
                run.jobs[run.count++] =
                    (job){.text = args.rest[i], .bytes = strlen(args.rest[i]), .number = (size_t)i + 1};
                if (run.count < BATCH_MOST && i + 1 < args.rest_count) continue;
                long failed = run_batch(&run);
                if (failed) status = failed < 0 ? CLI_FAILED : CLI_SOME_FAILED;
            }
        } else {
            if (isatty(0) && isatty(2)) cli_note("Type a prompt and press Enter; Ctrl-D ends.");
            status = run_lines(&run);
        }
    }
    stop_threads(&run);
    free(run.jobs);
    engine_close(&e);
    return status;
}
