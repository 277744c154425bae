#!/usr/bin/env bash
# Writes ci/bench/requirements.lock anew from ci/bench/requirements.in, with hashes and without any registry's address.
# What the repository's own environment has too gets the version that is locked there: equal libraries, equal chances.
#
#   ci/bench/lock.sh [--upgrade]
#
# Needs uv (https://docs.astral.sh/uv) on PATH.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! command -v uv >/dev/null; then
    echo "ci/bench/lock.sh: needs uv, which is not on PATH: pip install uv" >&2
    exit 2
fi

shared='deltalake|mlflow-skinny|numpy|pandas|pyarrow|scikit-learn|scipy|skops'
uv pip compile requirements.in \
    --constraints <(grep -E "^($shared)==" ../../requirements.lock | sed 's/ *\\$//') \
    --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet \
    --output-file requirements.lock "$@"

if grep -nE '^(-i|--index-url|--extra-index-url|-f|--find-links)|://' requirements.lock >&2; then
    echo "ci/bench/lock.sh: requirements.lock names an address (above): it must not" >&2
    exit 1
fi
echo "ci/bench/requirements.lock: $(grep -c '^[a-z0-9]' requirements.lock) packages" >&2
