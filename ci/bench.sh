#!/usr/bin/env bash
# Measures ours beside what people use today and beside the bare limit, in one interleaved run, and writes
# docs/benchmarks: the JSON, the tables, the picture. docs/benchmarks/README.md says how to read them.
#
#   ci/bench.sh                                  everything: 16 M rows, 5 rounds; hours, 12 GiB of memory, 15 of disk
#   ci/bench.sh --rows 1_000_000 --only throughput/linear,job --repeats 3 --out build/bench
#   ci/bench.sh --contenders ours,bare           only contenders whose names hold one of these
#   ci/bench.sh --short                          proves in a minute that it runs; no peers; its numbers mean nothing
#   ci/bench.sh --help                           all options
#
# Ours, the bare limit and what people do with Spark run in the environment of ci/setup.sh, with onnxruntime and torch
# from requirements-runtimes.lock; Ray Data and Daft in build/bench-venv, made here from ci/bench/requirements.lock.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=ci/setup.sh
source "$root/ci/setup.sh"

peers=$root/build/bench-venv

# An interrupted set-up leaves no stamp, and is done again.
peers_wanted() { { printf '%s\n' "$root" && cat "$root/ci/bench/requirements.lock"; } | setup_digest; }

peers_install() {
    rm -rf "$peers"
    if command -v uv >/dev/null; then
        uv venv --quiet --python "$SETUP_PYTHON" "$peers"
        uv pip install --quiet --python "$peers/bin/python" --require-hashes -r "$root/ci/bench/requirements.lock"
    else
        "$SETUP_PYTHON" -m venv "$peers"
        "$peers/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            -r "$root/ci/bench/requirements.lock"
    fi
    peers_wanted >"$peers/.bench.stamp"
}

peers_setup() {
    if [[ ! -e $peers/.bench.stamp || $(<"$peers/.bench.stamp") != "$(peers_wanted)" ]]; then
        setup_say "bench: installing the peers into build/bench-venv"
        peers_install >&2 || setup_fail 2 "bench: installing ci/bench/requirements.lock failed (above)"
    fi
}

setup_python
setup_java
arguments=("$@")
if [[ " $* " != *" --short "* && " $* " != *" --help "* ]]; then
    setup_runtimes
    PYTHONPATH=$SETUP_RUNTIMES${PYTHONPATH:+:$PYTHONPATH}
    peers_setup
    arguments+=(--peers "$peers/bin/python")
fi
unset SPARKSCORE_PYTHON # a switch of the scripts, no setting of a job
cd "$root"
export MLFLOW_DISABLE_TELEMETRY=true GX_ANALYTICS_ENABLED=false RAY_USAGE_STATS_ENABLED=0 DO_NOT_TRACK=1
export PYTHONPATH=$root/ci${PYTHONPATH:+:$PYTHONPATH}
exec "$SETUP_PYTHON" -m bench "${arguments[@]}"
