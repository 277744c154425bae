#!/usr/bin/env bash
# Writes the locks anew from pyproject.toml, for every Python from 3.11 on, each package with its hashes and without any
# registry's address:
#   requirements.lock            what the jobs, the demo, the tests and the documentation's site need
#   requirements-runtimes.lock   what the extras "gpu" (torch, onnxruntime), "optimize", "forecasts", "reasons", "video" and
#                                "models" add to it, and nothing else: gigabytes that only tests of these need. Installed
#                                on top of the other, without dependencies. ("embeddings" would bring onnxruntime beside
#                                onnxruntime-gpu; what else it needs "models" brings.)
#
#   ci/lock.sh                             keeps the versions that are locked already, where they still fit
#   ci/lock.sh --upgrade                   takes the newest of everything
#   ci/lock.sh --upgrade-package mlflow    takes the newest of one package
#
# Needs uv (https://docs.astral.sh/uv) on PATH; set-up itself does not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v uv >/dev/null; then
    echo "ci/lock.sh: needs uv, which is not on PATH: pip install uv" >&2
    exit 2
fi

# compile OUTPUT OPTION...: what OUTPUT holds already is kept where it fits
compile() {
    uv pip compile pyproject.toml --extra spark --extra connect --extra postgresql --extra snowflake --extra lineage --extra llm --extra ui --extra init --extra demo --extra dev --extra docs \
        --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet \
        --output-file "$@"
}

compile requirements.lock "$@"

all=$(mktemp)
trap 'rm -f "$all"' EXIT
cat requirements.lock requirements-runtimes.lock >"$all" 2>/dev/null || true # the second may not be there yet
compile "$all" --extra gpu --extra optimize --extra forecasts --extra reasons --extra video --extra models \
    --constraints requirements.lock "$@"

# An entry is its first line (name, version, marker) and the lines below it; a name may have several, for other Pythons.
{
    echo "# What the extras gpu, optimize, forecasts, reasons, video and models add to requirements.lock; written by ci/lock.sh, installed by ci/setup.sh."
    awk '
        /^[a-z0-9]/ { mine = FILENAME != ARGV[1] && !($0 in locked); if (FILENAME == ARGV[1]) locked[$0] }
        mine && !/^ *#/
    ' requirements.lock "$all"
} >requirements-runtimes.lock

for lock in requirements.lock requirements-runtimes.lock; do
    if grep -nE '^(-i|--index-url|--extra-index-url|-f|--find-links)|://' "$lock" >&2; then
        echo "ci/lock.sh: $lock names an address (above): it must not" >&2
        exit 1
    fi
    echo "$lock: $(grep -c '^[a-z0-9]' "$lock") packages" >&2
done
