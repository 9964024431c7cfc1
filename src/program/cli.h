/* What all commands share: options, messages, exit codes, progress. Only programs print or exit. */
#ifndef SR_CLI_H
#define SR_CLI_H
#include "smartrouter.h"
#include <stdbool.h>
#include <stdio.h>

/* Exit codes: 0 all went well; 1 some records failed, the rest were done; 2 wrong use; 3 a file or server failed. */
enum { CLI_OK = 0, CLI_SOME_FAILED = 1, CLI_USAGE = 2, CLI_FAILED = 3 };

typedef struct {
    const char *name;     /* "--routes" */
    const char *argument; /* "FILE", or null for a switch */
    const char *help;
} cli_option;

typedef struct {
    const char *command, *summary, *usage;
    const cli_option *options; /* ends with a null name */
    const char *examples;
} cli_command;

enum { CLI_MAX_VALUES = 64 };
typedef struct {
    const cli_command *command;
    const char *values[CLI_MAX_VALUES]; /* by option index; "" for a switch that was given; null when absent */
    int rest_count;
    char **rest; /* arguments that are no options, in order */
} cli_args;

/* Parses argv[1..]; prints help (returns 1) or an error (returns -1). 0: go on. */
int cli_parse(const cli_command *command, int argc, char **argv, cli_args *out);
const char *cli_value(const cli_args *args, const char *name); /* null when absent */
bool cli_given(const cli_args *args, const char *name);
/* A whole number lowest..highest, or fallback when absent; on nonsense prints an error and returns false. */
bool cli_number(const cli_args *args, const char *name, long lowest, long highest, long fallback, long *out);
bool cli_decimal(const cli_args *args, const char *name, double lowest, double highest, double fallback, double *out);
/* "a,b" at its commas, empty parts left out; none of null. */
char **cli_list(const char *list, int *count);
void cli_list_free(char **items, int count);

/* "smartrouter route: message", to standard error. */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A progress line with the time left, on standard error: in place on a terminal, else a line every ten seconds. */
void cli_progress(const char *what, size_t done, size_t total);

extern const char *cli_name; /* the running command, for messages; empty before there is one */

typedef int (*cli_main)(int argc, char **argv);
int cli_cores(void);

int sr_cmd_adapt(int argc, char **argv);
int sr_cmd_compile(int argc, char **argv);
int sr_cmd_route(int argc, char **argv);
int sr_cmd_corpus(int argc, char **argv);
int sr_cmd_embed(int argc, char **argv);
int sr_cmd_inspect(int argc, char **argv);
int sr_cmd_model(int argc, char **argv);
int sr_cmd_tune(int argc, char **argv);
int sr_cmd_table(int argc, char **argv);
int sr_cmd_bench(int argc, char **argv);
int sr_cmd_eval(int argc, char **argv);
int sr_cmd_import(int argc, char **argv);
int sr_cmd_profile(int argc, char **argv);
int sr_cmd_report(int argc, char **argv);
int sr_cmd_sweep(int argc, char **argv);
int sr_cmd_whiten(int argc, char **argv);

#endif
