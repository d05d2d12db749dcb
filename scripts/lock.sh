#!/bin/sh
# Resolve the packages anew, with hashes and without addresses. Needs uv on the PATH.
set -eu
cd "$(dirname "$0")/.."
compile() { # OUTPUT ARGUMENTS...
    out=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --output-file "requirements/$out" "$@"
}
compile runtime.txt pyproject.toml
compile dev.txt --extra dev pyproject.toml
compile bench.txt --extra bench pyproject.toml
printf 'hatchling\neditables\n' | compile build.txt -
