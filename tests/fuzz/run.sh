#!/bin/sh
# One fuzz target: tests/fuzz/run.sh PROGRAM SECONDS. Replays what lies in golden/, hostile/ and its own corpus, then goes on with
# new inputs. A finding is left beside the program as NAME.crash-…; put it into tests/hostile/ with the fix. NAME.row, a row of the
# README's table (make fuzz-readme), is written at the end.
set -eu
mkdir -p "$1.corpus"
rm -f "$1.row"
case $1 in
*_asset | *_model | *_table | *_safetensors | *_onnx | *_tokenizer_json) most=65536 ;;
*) most=2048 ;; # texts and changes to files: longer ones only take longer
esac
# the program under test may print what it likes: only the fuzzer's own words are kept
"$1" -max_total_time="$2" -max_len=$most -close_fd_mask=3 -print_final_stats=1 -artifact_prefix="$1." \
    "$1.corpus" tests/golden tests/hostile >"$1.log" 2>&1 || { tail -n 40 "$1.log"; exit 1; }
times >"$1.times" # of this shell, then of what it ran: user, system
processor=$(awk -F '[ms ]+' 'NR == 2 { printf "%.0f", $1 * 60 + $2 + $3 * 60 + $4 }' "$1.times")
executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$1.log")
name=${1##*/}
about=$(sed -n '1 { s|^/\* ||; s/[:.] .*//; s/[:.]$//; p; }' "tests/fuzz/$name.c")
echo "| ${name#fuzz_} | $about | $2 | $processor | $executions executions | none |" | sed ':a; s/\B[0-9]\{3\}\>/,&/; ta' >"$1.row"
echo "$1: $2 s ($processor of a processor), $executions executions, no finding"
