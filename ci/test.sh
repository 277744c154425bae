#!/usr/bin/env bash
# Everything that CI checks, in the order of what is quickest to fail; stops at the first step that does. At the end
# it says where the time went.
#
#   ci/test.sh              all steps
#   ci/test.sh lint         one of: format lint shell types imports tests coverage
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=ci/setup.sh
source ci/setup.sh

step_format() { python -m ruff format --check .; }
step_lint() { python -m ruff check .; }
step_shell() {
    local script scripts=(spark-submit.sh ci/*.sh .ci/run)
    for script in "${scripts[@]}"; do bash -n "$script"; done
    shellcheck --external-sources "${scripts[@]}"
}
step_types() { python -m mypy src tests jobs; }
step_imports() { lint-imports; }
# The tests of whole spark-submits wait for processes of their own most of the time: they run beside the others.
step_tests() {
    local submits outcome=0
    python -m coverage erase
    mkdir -p build
    python -m coverage run -m pytest tests/jobs >build/submits.log 2>&1 &
    submits=$!
    python -m coverage run -m pytest --ignore=tests/jobs || outcome=$?
    wait "$submits" || outcome=$?
    printf '\n== tests of spark-submits, which ran beside the others\n'
    cat build/submits.log
    ((outcome == 0)) || return "$outcome"
    python -m coverage combine --quiet # these processes' and those of drivers and workers
}
step_coverage() { python -m coverage report; } # of the last tests

steps=(format lint shell types imports tests coverage)
if (($#)); then
    [[ $# == 1 && " ${steps[*]} " == *" $1 "* ]] || setup_fail 2 "ci/test.sh: the steps are: ${steps[*]}"
    steps=("$1")
fi

table=''
line() { table+=$(printf '%-10s %6s s  %s' "$@")$'\n'; } # STEP SECONDS REMARK
trap 'line total "$SECONDS" ""; printf "\n%s" "$table"' EXIT

setup_python
setup_runtimes
setup_java
unset SPARKSCORE_PYTHON # a switch of the scripts, no setting of a job
PATH=$(dirname "$SETUP_PYTHON"):$PATH
export PATH
line set-up "$SECONDS" ''

for step in "${steps[@]}"; do
    printf '\n== %s\n' "$step"
    started=$SECONDS
    outcome=0
    # A process of its own: within "step || …" errexit would be off.
    set +e
    (set -e && "step_$step")
    outcome=$?
    set -e
    if ((outcome)); then
        line "$step" "$((SECONDS - started))" "failed"
        exit "$outcome"
    fi
    line "$step" "$((SECONDS - started))" ''
done
