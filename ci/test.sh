#!/usr/bin/env bash
# Everything that CI checks, in the order of what is quickest to fail; stops at the first step that does. At the end
# it says where the time went, and where all of it passed on a clean checkout, build/passed holds the tree that did.
#
#   ci/test.sh              format lint shell types imports docs tests
#   ci/test.sh lint         one of them
#   ci/test.sh slow         the tests that take longest, which are no part of "tests": of each kind one is
#   ci/test.sh coverage     all tests, and what they reach: before a release
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
(($#)) || rm -f build/passed
# shellcheck source=ci/setup.sh
source ci/setup.sh

step_format() { python -m ruff format --check .; }
step_lint() {
    python -m ruff check .
    python ci/names.py
}
step_shell() {
    local script scripts=(spark-submit.sh ci/*.sh .ci/run)
    for script in "${scripts[@]}"; do bash -n "$script"; done
    shellcheck --external-sources "${scripts[@]}"
}
step_types() { python -m mypy src tests jobs; }
step_imports() { lint-imports; }
# The reference is what the code says; the site has no link that leads nowhere.
step_docs() {
    python -m ci.reference --check
    NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict
}
# Of all tests: the ones that are not slow (tests/conftest.py says which are), or the slow ones. A whole run of both is
# `ci/test.sh coverage`, which measures what they reach.
step_tests() { lanes -m "not slow"; }
step_slow() { TESTS_EXAMPLES=all lanes -m "slow or examples" --seconds tests/seconds-slow.txt; }
step_coverage() {
    python -m coverage erase
    coverage=(-m coverage run)
    lanes
    python -m coverage combine --quiet # these processes' and those of drivers and workers
    python -m coverage report
}

# lanes PYTEST-OPTION...: several processes beside one another, each of which takes the next file that none has taken yet:
# while one waits for a process that it has killed, the others go on. JVMs are many and live short: each compiles with its
# quick compiler alone and collects garbage with one thread (75 s of CPU instead of 117 for a session and four runs), and
# takes Spark's classes from an archive (48 s instead of 76 for a session that writes and reads a table, on a busy
# machine). With the quick compiler alone a JVM would have 48 MB for what it compiled, which a quickstart has filled: from
# there on it interprets.
coverage=()
quick="-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
# Sets SETUP_CLASSES to the archive of the set-up; to one in build where that has none.
find_archive() {
    setup_classes
    [[ -z $SETUP_CLASSES ]] || return 0
    SETUP_CLASSES=$PWD/build/spark.jsa
    [[ ! -e $SETUP_CLASSES ]] || return 0
    SPARK_SUBMIT_OPTS="$quick -XX:ArchiveClassesAtExit=$SETUP_CLASSES" python ci/classes.py >build/classes.log 2>&1 || cat build/classes.log
}
beside=2 # further processes: two cores have a little left where two processes wait at the same time
lanes() {
    local name outcome=0 queue=$PWD/build/queue pids=() words names=()
    rm -rf "$queue"
    mkdir "$queue"
    find_archive
    # a JVM that finds the archive unfit says so on stdout, where the result line belongs
    export SPARK_SUBMIT_OPTS="$quick '-XX:SharedArchiveFile=$SETUP_CLASSES' -Xshare:auto -Xlog:disable" SPARK_DAEMON_JAVA_OPTS="$quick"
    words=("${coverage[@]}" -m pytest -p tests.lanes --queue "$queue" "$@")
    for ((name = 1; name <= beside; name++)); do
        python "${words[@]}" >"build/lane-$name.log" 2>&1 &
        pids+=($!)
        names+=("$name")
    done
    with_runtimes python "${words[@]}" --runtimes >build/lane-runtimes.log 2>&1 &
    pids+=($!)
    names+=(runtimes)
    python "${words[@]}" || outcome=$?
    for name in "${!names[@]}"; do
        wait "${pids[name]}" || outcome=$?
        printf '\n== lane %s, beside the others\n' "${names[name]}"
        cat "build/lane-${names[name]}.log"
    done
    sort -rn "$queue"/seconds-*.txt >build/seconds.txt # what tests/seconds.txt, or seconds-slow.txt, is to be now and then
    return "$outcome"
}
# The process that tests with torch and onnxruntime begins when they are there, and alone has them: see tests/lanes.py.
with_runtimes() {
    setup_runtimes || return
    [[ -z $SETUP_RUNTIMES ]] || export PYTHONPATH=$SETUP_RUNTIMES${PYTHONPATH:+:$PYTHONPATH}
    "$@"
}

steps=(format lint shell types imports docs tests)
more=(slow coverage)
if (($#)); then
    [[ $# == 1 && " ${steps[*]} ${more[*]} " == *" $1 "* ]] || setup_fail 2 "ci/test.sh: the steps are: ${steps[*]}; and ${more[*]}"
    steps=("$1")
fi

table=''
line() { table+=$(printf '%-10s %6s s  %s' "$@")$'\n'; } # STEP SECONDS REMARK
# What tests alone need is made while other things happen: programs from the beginning on; then what they begin with; then
# the runtimes, for which one of their processes waits.
prepare() {
    PATH=$(dirname "$SETUP_PYTHON"):$PATH
    python -m compileall -qq src tests jobs # each of hundreds of processes would, where Python may not keep it
    python -m tests.postgres || setup_say "PostgreSQL's JDBC driver could not be fetched (above); tests that need it are skipped"
    [[ " ${steps[*]} " != " slow " ]] || python -m tests.maven_jars s3a || setup_say "Hadoop's S3A could not be fetched (above); tests that need it are skipped"
    [[ " ${steps[*]} " != " slow " ]] || python -m tests.maven_jars kafka || setup_say "Spark's connector for Kafka could not be fetched (above); tests that need it are skipped"
    rm -f build/spark.jsa # of another Spark, perhaps
    find_archive
    (setup_runtimes) >build/runtimes.log 2>&1 &
}
# Starts a function in a process group of its own, which ends with this script; sets begun to its number.
begin() { # FUNCTION
    set -m
    (set -e && "$1") </dev/null >"build/$1.log" 2>&1 &
    begun=$!
    set +m
    groups+=("$begun")
}
groups=() waited=()
end() {
    local group
    for group in ${groups[@]+"${groups[@]}"}; do kill -- "-$group" 2>/dev/null || true; done
    line total "$SECONDS" ""
    printf "\n%s" "$table"
}
trap end EXIT

mkdir -p build
with_tests=
[[ " ${steps[*]} " =~ \ (tests|slow|coverage)\  ]] && with_tests=yes
if [[ -n $with_tests && " ${steps[*]} " != " slow " ]]; then
    begin setup_programs
    waited+=("$begun")
fi
setup_python
setup_java
if [[ -n $with_tests ]]; then
    begin prepare
    waited+=("$begun")
fi
unset SPARKSCORE_PYTHON # a switch of the scripts, no setting of a job
PATH=$(dirname "$SETUP_PYTHON"):$PATH
export PATH
line set-up "$SECONDS" ''

for step in "${steps[@]}"; do
    printf '\n== %s\n' "$step"
    started=$SECONDS
    outcome=0
    if [[ $step =~ ^(tests|slow|coverage)$ ]]; then
        for begun in ${waited[@]+"${waited[@]}"}; do wait "$begun" || outcome=$?; done
        waited=()
        cat build/{setup_programs,prepare}.log 2>/dev/null || true
        ((outcome == 0)) || exit "$outcome"
        printf 'begins %s s after the step did\n' "$((SECONDS - started))"
    fi
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

# What passed, for whoever asks whether this very tree did: a whole run of what is committed, and nothing else.
if (($# == 0)) && [[ -z $(git status --porcelain 2>/dev/null || echo no checkout) ]]; then
    git rev-parse 'HEAD^{tree}' >build/passed
fi
