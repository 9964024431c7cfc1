#!/bin/sh
# Writes the reference of all commands, as they explain themselves: src/program/commands.sh PROGRAM > src/program/COMMANDS.md
set -eu
explained() { printf '```\n'; "$@" --help; printf '```\n'; }
printf '# Commands\n\nWritten by `make commands` from each `--help`; `make check` fails when this file is out of date.\n\n'
explained "$1"
for command in $("$1" --help | sed -n 's/^  \([a-z]\{1,\}\)  .*/\1/p'); do
    printf '\n## %s\n\n' "$command"
    explained "$1" "$command"
done
