/* Options, messages and progress for all commands. */
#include "program/cli.h"
#include "program/files.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *cli_name = "";

void cli_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "smartrouter%s%s: ", *cli_name ? " " : "", cli_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void cli_note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static void help(const cli_command *command, FILE *to) {
    fprintf(to, "smartrouter %s: %s\n\nusage: smartrouter %s %s\n", command->command, command->summary,
            command->command, command->usage);
    int width = 0;
    for (const cli_option *o = command->options; o->name; o++) {
        int n = (int)(strlen(o->name) + (o->argument ? strlen(o->argument) + 1 : 0));
        if (n > width) width = n;
    }
    fputc('\n', to);
    for (const cli_option *o = command->options; o->name; o++) {
        int n = fprintf(to, "  %s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        fprintf(to, "%*s%s\n", width + 4 - n, "", o->help);
    }
    fprintf(to, "\nexamples:\n%s", command->examples);
}

static int option_index(const cli_command *command, const char *name, size_t bytes) {
    for (int i = 0; command->options[i].name; i++)
        if (strlen(command->options[i].name) == bytes && memcmp(command->options[i].name, name, bytes) == 0) return i;
    return -1;
}

int cli_parse(const cli_command *command, int argc, char **argv, cli_args *out) {
    cli_name = command->command;
    memset(out, 0, sizeof *out);
    out->command = command;
    out->rest = argv + 1; /* compacted in place */
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (strcmp(a, "--") == 0) {
            for (i++; i < argc; i++) out->rest[out->rest_count++] = argv[i];
            break;
        }
        if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0) return help(command, stdout), 1;
        if (strcmp(a, "-o") == 0) a = "--output";
        if (strncmp(a, "--", 2) != 0) {
            out->rest[out->rest_count++] = argv[i];
            continue;
        }
        const char *equals = strchr(a, '=');
        int o = option_index(command, a, equals ? (size_t)(equals - a) : strlen(a));
        if (o < 0) {
            cli_error("unknown option %s; smartrouter %s --help lists the options", a, command->command);
            return -1;
        }
        if (!command->options[o].argument) {
            if (equals) return cli_error("option %s takes no value", command->options[o].name), -1;
            out->values[o] = "";
        } else if (equals) {
            out->values[o] = equals + 1;
        } else if (i + 1 < argc) {
            out->values[o] = argv[++i];
        } else {
            return cli_error("option %s needs a value: %s %s", a, a, command->options[o].argument), -1;
        }
    }
    return 0;
}

const char *cli_value(const cli_args *args, const char *name) {
    int o = option_index(args->command, name, strlen(name));
    return o < 0 ? NULL : args->values[o];
}

bool cli_given(const cli_args *args, const char *name) {
    return cli_value(args, name) != NULL;
}

bool cli_decimal(const cli_args *args, const char *name, double lowest, double highest, double fallback, double *out) {
    const char *text = cli_value(args, name);
    *out = fallback;
    if (!text) return true;
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno || end == text || *end || !(value >= lowest && value <= highest)) {
        cli_error("%s wants a number from %g to %g, not '%s'", name, lowest, highest, text);
        return false;
    }
    *out = value;
    return true;
}

bool cli_number(const cli_args *args, const char *name, long lowest, long highest, long fallback, long *out) {
    double value;
    if (!cli_decimal(args, name, (double)lowest, (double)highest, (double)fallback, &value)) return false;
    if (value != floor(value))
        return cli_error("%s wants a whole number, not '%s'", name, cli_value(args, name)), false;
    *out = (long)value;
    return true;
}

char **cli_list(const char *list, int *count) {
    char **out = memory(((list ? strlen(list) : 0) + 1) * sizeof *out);
    for (*count = 0; list && *list;) {
        size_t bytes = strcspn(list, ",");
        if (bytes) out[(*count)++] = text_copy(list, bytes);
        list += bytes + (list[bytes] == ',');
    }
    return out;
}

void cli_list_free(char **items, int count) {
    for (int i = 0; i < count; i++) free(items[i]);
    free(items);
}

int cli_cores(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 256 ? 256 : (int)n;
}

void cli_progress(const char *what, size_t done, size_t total) {
    static double started, shown;
    static const char *current;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double now = (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
    bool terminal = isatty(2);
    if (current != what) current = what, started = now, shown = now;
    bool last = done >= total;
    if (now - shown < (terminal ? 0.1 : 10) && !(last && (terminal || shown > started))) return;
    shown = now;
    double left = done ? (now - started) / (double)done * (double)(total - done) : 0;
    fprintf(stderr, "%s%s %zu of %zu (%.0f %%), %.0f s left%s", terminal ? "\r\033[K" : "", what, done, total,
            total ? 100.0 * (double)done / (double)total : 100.0, left, terminal && !last ? "" : "\n");
}
