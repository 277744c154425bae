#!/usr/bin/env bash
# Runs the suite with real systems around it: schedulers, registries, other engines, each in an environment of its own.
# It is no part of ci/test.sh: together these environments are gigabytes.
#
#   ci/integration.sh            all of them, one after the other
#   ci/integration.sh NAME…      these
#   ci/integration.sh --list     their names and versions
#
# What is run is ci/integration/NAME/run.sh, from the root of the repository, with
#   INTEGRATION_PYTHON    the Python of build/integration/NAME: an environment with exactly what
#                         ci/integration/NAME/requirements.lock lists; the suite's own where there is no lock
#   SPARKSCORE_PYTHON     the Python of the suite's own environment, for ./spark-submit.sh and -m sparkscore
#   INTEGRATION_WORK      an empty folder of its own. "name version" lines in its file "versions" are shown beside the
#                         versions of the lock
# Its stdout is a line per check that says what was shown, its stderr goes into build/integration/NAME.log. It ends with
# 0: passed; 77: skipped, and the last line of stdout says why; anything else, or no end after INTEGRATION_LIMIT seconds
# (default 1800): failed. What it has started and not stopped is stopped then, also when this script is interrupted.
#
# At the end a table says what was run; build/integration/results.json has it for programs, and keeps what earlier
# calls have run. The exit code: 0, nothing failed; 1, something did; 2, a name that is not there, or a missing requirement.
# shellcheck disable=SC2329  # functions are called through attend and by traps
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=ci/setup.sh
source ci/setup.sh

usage() { sed -n '2,/^# shellcheck/{/^# shellcheck/d;s/^# \{0,1\}//;p;}' ci/integration.sh; }

names=()
for file in ci/integration/*/run.sh; do
    [[ ! -f $file ]] || names+=("$(basename "$(dirname "$file")")")
done
case ${1:-} in
-h | --help) usage && exit 0 ;;
esac
is_list='' chosen=()
for name in "$@"; do
    if [[ $name == --list ]]; then
        is_list=yes
    elif [[ " ${names[*]} " == *" $name "* && $name != *' '* && -n $name ]]; then
        chosen+=("$name")
    else
        setup_fail 2 "ci/integration.sh: there is no $name; there are: ${names[*]}"
    fi
done
((${#chosen[@]})) || chosen=(${names[@]+"${names[@]}"})

setup_python
supervise() { "$SETUP_PYTHON" ci/integration/supervise.py "$@"; }
if [[ -n $is_list ]]; then
    supervise list ${chosen[@]+"${chosen[@]}"}
    exit
fi
setup_java
SPARKSCORE_PYTHON=$SETUP_PYTHON
export SPARKSCORE_PYTHON
build=$PWD/build/integration
mkdir -p "$build"

# What the stamp of a finished environment says: where it is, the Python it is made from, and the lock.
wanted() { # NAME
    { printf '%s\n' "$build/$1" && "$SETUP_PYTHON" -c 'import sys; print(sys.base_prefix, sys.version)' && cat "ci/integration/$1/requirements.lock"; } | setup_digest
}

# The stamp is written last: what was interrupted is made anew.
make_environment() { # NAME
    local lock=ci/integration/$1/requirements.lock environment=$build/$1 stamp started=$SECONDS
    stamp=$(wanted "$1")
    [[ ! -e $environment/.stamp || $(<"$environment/.stamp") != "$stamp" ]] || return 0
    setup_say "$1: installing $(grep -c '^[a-z0-9]' "$lock") packages into $environment: minutes, once"
    rm -rf "$environment"
    if command -v uv >/dev/null; then
        "$SETUP_PYTHON" -m venv --without-pip "$environment" &&
            uv pip install --quiet --compile-bytecode --python "$environment/bin/python" --no-deps --require-hashes -r "$lock" || return
    else
        "$SETUP_PYTHON" -m venv "$environment" &&
            "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock" || return
    fi
    printf '%s' "$stamp" >"$environment/.stamp"
    setup_say "$1: installed ($((SECONDS - started)) s)"
}

# Two calls in one checkout take turns with a name. Like the set-up's lock: flock(1) is not everywhere.
take_turn() { # NAME
    exec 8>>"$build/$1.lock"
    if ! "$SETUP_PYTHON" -c 'import fcntl; fcntl.flock(8, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
        setup_say "$1: another call runs it; waiting for that"
        "$SETUP_PYTHON" -c 'import fcntl; fcntl.flock(8, fcntl.LOCK_EX)'
    fi
}

# In the background, since bash hears a signal only when it waits; in a process group of its own, which can be stopped.
attend() { # COMMAND...
    local outcome=0
    set -m
    "$@" 8>&- &
    child=$!
    set +m
    wait "$child" || outcome=$?
    child=
    return "$outcome"
}

run_one() { # NAME
    local outcome=0
    take_turn "$1"
    ran+=("$1")
    printf '\n== %s\n' "$1"
    if [[ -f ci/integration/$1/requirements.lock ]]; then
        export INTEGRATION_PYTHON=$build/$1/bin/python
        attend make_environment "$1" || outcome=$?
    else
        export INTEGRATION_PYTHON=$SETUP_PYTHON
    fi
    if ((outcome)); then
        supervise note "$1" "its environment could not be made"
    else
        attend "$SETUP_PYTHON" ci/integration/supervise.py run "$1" --limit "${INTEGRATION_LIMIT:-1800}" || outcome=$?
    fi
    exec 8>&-
    return "$outcome"
}

# Passes the signal on, and waits until what it has started is stopped.
interrupt() { # EXIT-CODE
    trap '' INT TERM
    if [[ -n $child ]]; then
        kill -TERM -- "-$child" 2>/dev/null || true
        wait "$child" || true
    fi
    exit "$1"
}
conclude() { ((!${#ran[@]})) || { echo && supervise table "${ran[@]}"; }; }
child='' ran=()
trap 'interrupt 130' INT
trap 'interrupt 143' TERM
trap conclude EXIT

failed=0
for name in ${chosen[@]+"${chosen[@]}"}; do run_one "$name" || failed=1; done
exit "$failed"
