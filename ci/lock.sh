#!/usr/bin/env bash
# Writes requirements.lock anew from pyproject.toml: every package that the jobs, the demo and the tests need,
# for every Python from 3.11 on, each with its hashes and without any registry's address.
#
#   ci/lock.sh                             keeps the versions that are locked already, where they still fit
#   ci/lock.sh --upgrade                   takes the newest of everything
#   ci/lock.sh --upgrade-package mlflow    takes the newest of one package
#
# Needs uv (https://docs.astral.sh/uv) on PATH; set-up itself does not. The extra "gpu" is left out on purpose: it is
# gigabytes, and what fits depends on the machine's driver.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! command -v uv >/dev/null; then
    echo "ci/lock.sh: needs uv, which is not on PATH: pip install uv" >&2
    exit 2
fi

uv pip compile pyproject.toml --extra spark --extra demo --extra dev \
    --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet \
    --output-file requirements.lock "$@"

if grep -nE '^(-i|--index-url|--extra-index-url|-f|--find-links)|://' requirements.lock >&2; then
    echo "ci/lock.sh: requirements.lock names an address (above): it must not" >&2
    exit 1
fi
echo "requirements.lock: $(grep -c '^[a-z0-9]' requirements.lock) packages" >&2
