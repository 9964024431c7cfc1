/* The native program: finds the command and hands over. */
#include "program/cli.h"
#include "program/files.h"
#include "program/json.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *summary;
    cli_main run;
} commands[] = {
    {"route", "say which route should answer each prompt", sr_cmd_route},
    {"compile", "make a route asset (.srr) from a route file (.json)", sr_cmd_compile},
    {"inspect", "show what is in a .srr, .srm, .srt, .srf or .srv file", sr_cmd_inspect},
    {"embed", "turn texts into vectors", sr_cmd_embed},
    {"adapt", "fit an encoder's gains, biases and norms to labelled prompts", sr_cmd_adapt},
    {"tune", "make a route file and its fit from a corpus", sr_cmd_tune},
    {"whiten", "make a model's whitening from prompts with topics", sr_cmd_whiten},
    {"import", "make a .srv file of vectors from elsewhere", sr_cmd_import},
    {"eval", "accuracy of a router on labelled prompts, with intervals", sr_cmd_eval},
    {"sweep", "how many utterances, how long, in which words and languages", sr_cmd_sweep},
    {"profile", "embedding models side by side", sr_cmd_profile},
    {"report", "gather what was measured, and write tables", sr_cmd_report},
    {"corpus", "check the written corpus", sr_cmd_corpus},
    {"table", "make a piece table (.srt), a route file's first answer", sr_cmd_table},
    {"model", "make an encoder model (.srm) from published weights", sr_cmd_model},
    {"bench", "time matcher and encoder", sr_cmd_bench},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void help(FILE *to) {
    fputs("smartrouter " SR_VERSION ": which route should answer this prompt?\n\nusage: smartrouter COMMAND ...\n\n",
          to);
    for (int i = 0; i < COMMAND_COUNT; i++) fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\nsmartrouter COMMAND --help explains one, with examples.\n"
          "\nexit status: 0 done; 1 some records failed; 2 wrong use; 3 a file or server failed\n",
          to);
}

static void *json_memory(size_t bytes) {
    return memory_more(NULL, bytes);
}

/* What a command printed counts only once it has arrived. */
static int after(int status) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    if (status != CLI_FAILED) cli_error("cannot write to standard output: %s", strerror(errno));
    return CLI_FAILED;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of writing, told like any other */
    cJSON_InitHooks(&(cJSON_Hooks){json_memory, free});
    if (argc < 2) return help(stderr), CLI_USAGE;
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) return help(stdout), after(CLI_OK);
    if (!strcmp(name, "--version")) return puts("smartrouter " SR_VERSION), after(CLI_OK);
    for (int i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(name, commands[i].name)) return after(commands[i].run(argc - 1, argv + 1));
    cli_error("no command '%s'; smartrouter --help lists the commands", name);
    return CLI_USAGE;
}
