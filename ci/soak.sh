#!/usr/bin/env bash
# Publishes many as_ofs with random kills at random points and two writers at once, and checks every row of every table
# after each of them. docs/faults.md says what is looked at.
#
#   ci/soak.sh                         200 runs, at most 20 minutes
#   ci/soak.sh --seed 7                what is done to which run is the same again; the outcome says its seed
#   ci/soak.sh --runs 1000 --minutes 90 --out build/long.json
#   ci/soak.sh --short                 two runs, each with a kill: does it work?
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=ci/setup.sh
source "$root/ci/setup.sh"

setup_python
setup_java
unset SPARKSCORE_PYTHON # a switch of the scripts, no setting of a job
cd "$root"
export MLFLOW_DISABLE_TELEMETRY=true GX_ANALYTICS_ENABLED=false
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH} # the soak is one of the tests
exec "$SETUP_PYTHON" -m tests.faults.soak "$@"
