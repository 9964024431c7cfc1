#!/bin/sh
# make evaluate: measures everything and writes build/report/report.html, its tables and its data.
#
# evaluate.sh PROGRAM [OUTPUT]. Each step writes its file when it is done; a step whose file is newer than what it is made
# from is not done again, and embedding goes on where it was broken off. Environment: SHARED_DATA, a folder with prompts/ and
# benchmarks/ (default ../shared/data; left out when it is not there); MODELS (make profile): instead of all that, these
# encoder models are compared, each FILE.srm for its last exit or FILE.srm:10,11 for those exits; ONE_IN, what samples that takes of
# corpus, own prompts, public prompts and benchmarks; SOURCES, lines "MODEL: where its weights come from".
set -eu
program=$1
out=${2:-build/report}
shared=${SHARED_DATA:-../shared/data}
model=${MODEL:-build/model/smartrouter-model.srm}
general=${GENERAL:-build/model/general-model.srm}
routes=${ROUTES:-build/routes/five-routes.srr}
corpus=routes/corpus
exits=${EXITS:-all}
vectors=$out/vectors data=$out/data
mkdir -p "$vectors" "$data"

dev=$shared/prompts/dev.jsonl clinc=$shared/benchmarks/clinc150.jsonl home=$shared/benchmarks/home-intents.jsonl
mteb=$shared/benchmarks/mteb-classification.csv
[ -r "$dev" ] || { dev=; echo "evaluate: no $shared/prompts: only the project's own prompts are measured" >&2; }
[ -r "$clinc" ] && [ -r "$home" ] || clinc= home=
own=$(ls tests/prompts/??.jsonl)

started=$(date +%s) step=0 steps=15
[ -z "$dev" ] || steps=$((steps + 6))
[ -z "$clinc" ] || steps=$((steps + 1))
say() { printf '%3d s  step %d of about %d: %s\n' $(($(date +%s) - started)) "$step" "$steps" "$1" >&2; }

# made FILE WHAT DEPENDENCY ... : counts the step; true when FILE is newer than all dependencies
made() {
    file=$1 what=$2
    shift 2
    step=$((step + 1))
    if [ -e "$file" ]; then
        newer=1
        for dependency in "$@"; do [ "$file" -nt "$dependency" ] || newer=0; done
        [ $newer = 1 ] && { say "$what (there already)"; return 0; }
    fi
    say "$what"
    return 1
}

# ---- make profile: which model draws the map, all on the same rows ----
finish() {
    "$program" report --data "$data" --routes "$routes" -o "$out"
    node web/report/render.js "$out/report.json" "$out/report.html"
    say done
}
compare() { # compare MODEL EXIT YARDSTICK TESTS VECTORS... : what profile says of one exit
    by=$1 name=$(basename "$1" .srm)-$2 kind=$3 tests=$4
    shift 4
    made "$data/models-$name--$kind.json" "$name on $kind prompts" "$@" ||
        "$program" profile --model "$by" --one-in "$one_in" --skip-repeats --pool "$corpus" --tests "$tests" $more \
            -o "$data/models-$name--$kind.json" "$@" >/dev/null
}
if [ -n "${MODELS:-}" ]; then
    # Ten shots want ten rows of each intent's hundred. A larger sample goes on from what is there: samples nest.
    set -- ${ONE_IN:-32 2 6 10}
    one_in=$1 own_one_in=$2 dev_one_in=$3 bench_one_in=$4 steps=0
    [ "$bench_one_in" != 0 ] || clinc= home= # 0: without benchmarks
    sets="own:$own_one_in corpus:$one_in ${dev:+dev:$dev_one_in} ${clinc:+bench:$bench_one_in}"
    printf '%s\n' "${SOURCES:-}" | node -e '
        const lines = require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean).map((l) => l.split(": "));
        console.log(JSON.stringify(Object.fromEntries(lines)));' >"$data/source-models.json"
    for m in $MODELS; do steps=$((steps + $(echo $sets | wc -w) + 2 * $(echo "${m#*:}," | tr -dc , | wc -c))); done
    for m in $MODELS; do
        srm=${m%%:*} layers=${m#"${m%%:*}"}
        id=$(basename "$srm" .srm)
        # a model with other content starts afresh
        pin=$vectors/models-$id-$(cksum <"$srm" | cut -d' ' -f1)
        [ -e "$pin" ] || { rm -f "$vectors/models-$id"-*; touch "$pin"; }
        for set in $sets; do
            step=$((step + 1)) && say "vectors of ${set%:*} by $id"
            case $set in
            own:*) from=$own ;;
            dev:*) from=$dev ;;
            corpus:*) from=$corpus ;;
            bench:*) from="$clinc $home" ;;
            esac
            "$program" embed --model "$srm" ${layers:+--exits "${layers#:}"} --one-in "${set#*:}" --f16 \
                -o "$vectors/models-$id-${set%:*}-{exit}.srv" $from
        done
        for e in $(ls "$vectors" | sed -n "s/^models-$id-own-\([0-9]*\)\.srv\$/\1/p" | sort -n); do
            v=$vectors/models-$id more="--tests-one-in $own_one_in"
            compare "$srm" "$e" own "$(echo $own | tr ' ' ,)" "$v-own-$e.srv" "$v-corpus-$e.srv"
            [ -n "$dev" ] || continue
            more="--tests-one-in $dev_one_in"
            [ ! -r "$mteb" ] || more="$more --mteb $mteb"
            [ -z "$clinc" ] || more="$more --clinc $clinc --home $home --benchmarks-one-in $bench_one_in"
            compare "$srm" "$e" dev "$dev" "$v-dev-$e.srv" "$v-corpus-$e.srv" $([ -z "$clinc" ] || echo "$v-bench-$e.srv")
        done
    done
    finish
    exit
fi

# Models with other content ids start afresh.
pin=$vectors/model-$(cat "$model" "$general" | cksum | cut -d' ' -f1)
[ -e "$pin" ] || {
    rm -f "$vectors"/own-*.srv* "$vectors"/corpus-*.srv* "$vectors"/dev-*.srv* "$vectors"/bench-*.srv* "$vectors"/routes-*.srv* "$vectors"/model-*
    touch "$pin"
}

made "$data/../corpus.txt" "corpus check" "$program" $corpus/*/* ||
    { "$program" corpus check "$corpus" >"$out/corpus.txt.part" || true; mv "$out/corpus.txt.part" "$out/corpus.txt"; }

# The pool that models are profiled on and sweeps draw from: every fourth prompt, so that all of it ends in a quarter of an hour.
made "$out/pool.made" "a pool of a quarter of the corpus" $corpus/*/* || {
    for topics in $corpus/*/topics.txt; do
        mkdir -p "$out/pool/$(basename "$(dirname "$topics")")"
        cp "$topics" "$out/pool/${topics#$corpus/}"
    done
    for file in $corpus/*/*.jsonl; do
        awk 'NR % 4 == 1' "$file" >"$out/pool/${file#$corpus/}"
    done
    touch "$out/pool.made"
}
corpus=$out/pool

# ---- vectors: each text once. The asset is judged by those of its own model, whose upper layers are fitted to it; all else, by the
# encoder as published ----
embed() { # embed NAME MODEL EXITS FILES...
    name=$1 by=$2 at=$3
    shift 3
    step=$((step + 1))
    say "vectors of $name"
    "$program" embed --model "$by" --exits "$at" --f16 -o "$vectors/$name-{exit}.srv" "$@"
}
files_for() { # files_for own|corpus|dev|bench
    case $1 in
    own) echo $own tests/prompts/out-of-scope.jsonl ;;
    corpus) echo "$corpus" ;;
    dev) echo "$dev" ;;
    bench) echo "$clinc" "$home" ;;
    esac
}
for set in own corpus ${dev:+dev}; do embed $set "$general" "$exits" $(files_for $set); done
[ -z "$clinc" ] || embed bench "$general" "${BENCH_EXITS:-0,1,4,7,9}" $(files_for bench)

# ---- how right is the shipped asset ----
# The layers that its exits read; a piece table reads texts itself.
layers=$("$program" inspect --json "$routes" | node -e '
    const { asset } = JSON.parse(require("fs").readFileSync(0, "utf8"));
    console.log([...new Set(asset.exits.flatMap((e) => e.layers ?? (e.layer === undefined ? [] : [e.layer])))].join(" "))')
for set in own ${dev:+dev}; do embed routes-$set "$model" $(echo $layers | tr ' ' ,) $(files_for $set); done
files_of() { for l in $layers; do printf '%s,' "$vectors/routes-$1-$l.srv"; done; }
judge() { # judge NAME VECTORS OPTIONS... PROMPTS...
    name=$1 files=$(files_of "$2")
    shift 2
    made "$data/eval-$name.json" "the asset on $name prompts" "$program" "$routes" $(echo "$files" | tr , ' ') ||
        "$program" eval --routes "$routes" --vectors "$files" -o "$data/eval-$name.json" "$@" >/dev/null
}
# No mistakes are shown of the project's own prompts: nobody looks at them one by one.
judge own own --group id --mistakes 0 --by lang,hard $own
judge out-of-scope own --mistakes 0 --by kind tests/prompts/out-of-scope.jsonl
[ -z "$dev" ] || judge dev dev --mistakes 20 "$dev"

# ---- a user who corrects it, and prompts that come badly typed or among other text ----
learn() { # learn NAME PROMPTS...: how the deepest exit learns; its layers' vectors are there
    name=$1 files=$(files_of "$1")
    shift
    made "$data/learn-$name.json" "learning on $name prompts" "$program" "$routes" $(echo "$files" | tr , ' ') ||
        "$program" eval --routes "$routes" --vectors "$files" --learn 5,20,50 --mistakes 0 -o "$data/learn-$name.json" "$@" >/dev/null
}
robust() { # robust NAME PROMPTS...
    name=$1
    shift
    made "$data/robust-$name.json" "spoilt $name prompts" "$program" "$routes" "$@" ||
        "$program" eval --routes "$routes" --model "$model" --robust --sample "${ROBUST:-200}" --mistakes 0 -o "$data/robust-$name.json" "$@" >/dev/null
}
learn own $own
robust own $own
[ -z "$dev" ] || { learn dev "$dev"; robust dev "$dev"; }

# ---- the route file alone, without what tune fitted: its utterances in the shipped model and plain cosine ----
asset=$out/utterances.srr
made "$data/other-five-routes--utterances.json" "the utterances alone" "$program" "$routes" $own || {
    grep -v '"fit":' routes/five-routes.json >"$out/utterances.json"
    "$program" compile --model "$model" --no-map -o "$asset" "$out/utterances.json"
    "$program" eval --routes "$asset" --model "$model" --mistakes 0 -o "$data/other-five-routes--utterances.json" $own >/dev/null
}

# ---- other people's routes: as compile makes them, and by plain cosine ----
for table in support-desk smart-home; do
    prompts=tests/prompts/other-routes/$table.jsonl asset=$(dirname "$routes")/$table.srr
    made "$data/other-$table.json" "the $table" "$program" "$asset" "$prompts" ||
        "$program" eval --routes "$asset" --model "$general" --mistakes 0 -o "$data/other-$table.json" "$prompts" >/dev/null
    made "$data/other-$table--plain.json" "the $table, no map" "$program" "$asset" "$prompts" && continue
    "$program" compile --model "$general" --no-map -o "$out/$table.srr" "routes/$table.json"
    "$program" eval --routes "$out/$table.srr" --model "$general" --mistakes 0 -o "$data/other-$table--plain.json" "$prompts" >/dev/null
done

# ---- how should utterances be written ----
layer=${SWEEP_LAYER:-9}
sweep() { # sweep NAME VECTORS OPTIONS... TESTS...
    name=$1 files=$2
    shift 2
    made "$data/sweep-$name.json" "sweeps over $name" "$program" $(echo "$files" | tr , ' ') ||
        "$program" sweep --skip-repeats --pool "$corpus" --vectors "$files" --seeds "${SEEDS:-20}" -o "$data/sweep-$name.json" "$@" >/dev/null
}
sweep own "$vectors/corpus-$layer.srv,$vectors/own-$layer.srv" $own
[ -z "$dev" ] || sweep dev "$vectors/corpus-$layer.srv,$vectors/dev-$layer.srv" "$dev"

# ---- which model draws the map ----
profile() { # profile EMBEDDER VECTORS...
    name=$1
    shift
    all=$(for f in "$@"; do if [ -e "$f" ]; then echo "$f"; fi; done)
    made "$data/profile-$name--own.json" "profile of $name" "$program" $all ||
        "$program" profile --skip-repeats --pool "$corpus" --tests "$(echo $own | tr ' ' ,)" -o "$data/profile-$name--own.json" $all >/dev/null
    [ -n "$dev" ] || return 0
    bench=
    [ -z "$clinc" ] || ! ls $all | grep -q bench || bench="--clinc $clinc --home $home"
    [ ! -r "$mteb" ] || bench="$bench --mteb $mteb"
    made "$data/profile-$name--dev.json" "profile of $name, public prompts" "$program" $all ||
        "$program" profile --skip-repeats --pool "$corpus" --tests "$dev" $bench -o "$data/profile-$name--dev.json" $all >/dev/null
}
ours=$(ls "$vectors" | sed -n 's/^own-\([0-9]*\)\.srv$/\1/p' | sort -n)
for e in $ours; do steps=$((steps + 1)) && [ -z "$dev" ] || steps=$((steps + 1)); done
for e in $ours; do
    profile "e5-$e" "$vectors/own-$e.srv" "$vectors/corpus-$e.srv" "$vectors/dev-$e.srv" "$vectors/bench-$e.srv"
done

# ---- what a map and a head add, on the same utterances ----
for e in ${FIT_EXITS:-0 1 4 7 9}; do steps=$((steps + 1)) && [ -z "$dev" ] || steps=$((steps + 1)); done
for e in ${FIT_EXITS:-0 1 4 7 9}; do
    all="$vectors/corpus-$e.srv $vectors/own-$e.srv"
    made "$data/fit-e5-$e--own.json" "spaces after layer $e" "$program" $all ||
        "$program" profile --fit --skip-repeats --pool "$corpus" --tests "$(echo $own | tr ' ' ,)" -o "$data/fit-e5-$e--own.json" $all >/dev/null
    [ -n "$dev" ] || continue
    all="$vectors/corpus-$e.srv $vectors/dev-$e.srv" bench=
    [ -z "$clinc" ] || all="$all $vectors/bench-$e.srv" bench="--clinc $clinc --home $home"
    made "$data/fit-e5-$e--dev.json" "spaces after layer $e, public prompts" "$program" $all ||
        "$program" profile --fit --seeds 12 --pool "$corpus,$dev" --tests "$dev" --leave-out source $bench -o "$data/fit-e5-$e--dev.json" $all >/dev/null
done

finish
