#!/usr/bin/env bash
# Sets up what every command of this repository needs: a Python environment in .venv with exactly what
# requirements.lock lists, the project itself installed in it (editable), and Java. Where nothing has changed it
# is done in a few hundredths of a second. Everything it says goes to stderr, nothing to stdout.
#
#   ci/setup.sh              sets up and says where the environment is
#   source ci/setup.sh       for scripts: defines setup_python and setup_java, which set, for the caller,
#                            SETUP_PYTHON (the environment's Python) and JAVA_HOME; and setup_runtimes, which puts what
#                            requirements-runtimes.lock lists (torch and onnxruntime, gigabytes, for the tests alone) into
#                            a folder beside the environment and sets SETUP_RUNTIMES to it, for PYTHONPATH: whatever
#                            imports scikit-learn whole would import torch as well; and setup_programs, which in CI adds programs of Debian that some tests start; and
#                            setup_classes, which sets SETUP_CLASSES: an archive of the classes that Spark loads
#
#   PYTHON=…                 the Python (>= 3.11) that .venv is made from; default: the first that works
#   SPARKSCORE_PYTHON=…      the Python of an environment of your own (an image, conda): nothing is installed then

setup_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
setup_venv=$setup_root/.venv

# The stamp is removed first and written last: what was interrupted is seen, and done again.
setup_stamp=$setup_venv/.setup.stamp
setup_lock=$setup_venv/.setup.lock
setup_runtimes_folder=$setup_venv/runtimes
setup_runtimes_stamp=$setup_runtimes_folder/.stamp
setup_is_ours= # whether the environment is .venv, which is ours to add to

setup_say() { printf '%s\n' "$*" >&2; }

# setup_fail EXIT_CODE LINE...
setup_fail() {
    local code=$1
    shift
    printf '%s\n' "$@" >&2
    exit "$code"
}

setup_digest() {
    local line
    if command -v sha256sum >/dev/null; then line=$(sha256sum); else line=$(shasum -a 256); fi
    printf '%s' "${line%% *}"
}

# Whether the files that a list of sha256sum names lie in this folder and are what it says.
setup_verify() { # LIST
    if command -v sha256sum >/dev/null; then sha256sum --check --status "$1" 2>/dev/null; else shasum -a 256 --check --status "$1" 2>/dev/null; fi
}

# A candidate has to run and to be new enough: version managers leave commands on PATH that only print an error.
# Without uv it also needs what the venv module needs, which Debian packs apart.
setup_python_works() {
    local modules=sys
    command -v uv >/dev/null || modules='sys, ensurepip, venv'
    "$1" -c "import $modules; sys.exit(sys.version_info < (3, 11))" </dev/null >/dev/null 2>&1
}

setup_find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3 python; do
        if setup_python_works "$candidate"; then
            printf '%s' "$candidate"
            return 0
        elif [[ -n ${PYTHON:-} && $candidate == "$PYTHON" ]]; then
            setup_say "set-up: PYTHON=$PYTHON is not a Python >= 3.11 that can make environments; looking for another"
        fi
    done
    return 1
}

# What the stamp of a finished set-up says: what the environment is made from (where, which Python, which packages),
# and the project as installed in it.
setup_wanted_environment() {
    local version
    version=$("$setup_venv/bin/python" -I -S -c 'import sys; print(sys.version)' 2>/dev/null) || version=none
    { printf '%s\n' "$setup_root" "$version" && cat "$setup_root/requirements.lock"; } | setup_digest
}

# pyproject.toml takes the version from the package.
setup_wanted_project() {
    { cat "$setup_root/pyproject.toml" && grep '^__version__' "$setup_root/src/sparkscore/__init__.py"; } | setup_digest
}

setup_wanted() { printf '%s %s' "$(setup_wanted_environment)" "$(setup_wanted_project)"; }

# Takes the set-up's lock on descriptor 9. flock(1) is not everywhere, but a lock that a child takes on an inherited
# descriptor stays with the descriptor: any Python will do.
setup_take_lock() {
    exec 9>>"$setup_lock"
    if ! "$1" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
        setup_say "set-up: another one is under way in $setup_venv; waiting for it"
        "$1" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
    fi
}

# An environment that uv has made lacks pip: where uv is gone since, it has to be made anew.
setup_has_installer() { command -v uv >/dev/null || "$setup_venv/bin/python" -c 'import pip' 2>/dev/null; }

# pip works on one core, so that several install parts of the lock beside one another: it lists all there is, and nothing
# has to be resolved. Where one fails (another connection, perhaps) all of it is tried once more in one piece.
setup_pip_install() { # LOCK [OPTION...]
    local lock=$1 parts=$setup_venv/.parts part pids=() failed=''
    local pip=("$setup_venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes)
    shift
    rm -rf "$parts" && mkdir "$parts"
    awk -v folder="$parts" '/^[a-z0-9]/ { part = entries++ % 3 } { print > (folder "/" part + 0) }' "$lock"
    for part in "$parts"/*; do
        "${pip[@]}" "$@" -r "$part" >"$part.log" 2>&1 &
        pids+=($!)
    done
    for part in "${pids[@]}"; do wait "$part" || failed=yes; done
    rm -rf "$parts"
    [[ -z $failed ]] || "${pip[@]}" "$@" -r "$lock"
}

setup_install_locked() { # LOCK [PREFIX]
    local lock=$setup_root/$1 to=()
    [[ -z ${2:-} ]] || to=(--prefix "$2")
    # Compiled once, by all cores: where Python may not keep what it compiles, each process spends 8 s on it anew. Some
    # packages bring files that no Python compiles; nobody imports their tests.
    if command -v uv >/dev/null; then
        uv pip install --quiet --compile-bytecode --python "$setup_venv/bin/python" --no-deps --require-hashes \
            ${to[@]+"${to[@]}"} -r "$lock"
    else
        setup_pip_install "$lock" ${to[@]+"${to[@]}" --ignore-installed} || return
        "$setup_venv/bin/python" -m compileall -qq -j 0 -x '/tests/' \
            "${2:-$setup_venv}"/lib/python*/site-packages >/dev/null 2>&1 || true
    fi
}

# Refuses a disk that would be full in the middle: pip says then what no one would take for that.
setup_need_space() { # MEGABYTES
    local free
    free=$(df -Pk "$setup_venv" 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }') || free=
    [[ -z $free ]] || ((free >= $1)) || setup_fail 2 "set-up: $setup_venv needs about $1 MB more, and its disk has $free MB left." \
        "Free some and run the command again, or use an environment elsewhere:  SPARKSCORE_PYTHON=/path/to/python $0 …"
}

setup_install_project() {
    if "$setup_venv/bin/python" -c 'import pip' 2>/dev/null; then
        "$setup_venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
            --editable "$setup_root"
    else
        uv pip install --quiet --python "$setup_venv/bin/python" --no-deps --no-build-isolation --editable "$setup_root"
    fi
}

setup_install() {
    local python wanted had started=$SECONDS
    python=$(setup_find_python) || setup_fail 2 \
        "No working Python >= 3.11 was found (tried: ${PYTHON:+$PYTHON, }python3.13, python3.12, python3.11, python3, python)." \
        "Install one, for example:  apt-get install python3 python3-venv     (Debian 12, Ubuntu 24.04)" \
        "or name one:               PYTHON=/path/to/python3.11 $0 …"

    if [[ -L $setup_venv ]]; then
        setup_fail 2 "$setup_venv is a link: the set-up would change what another checkout uses." \
            "Remove the link, or use that environment as it is:  SPARKSCORE_PYTHON='$setup_venv/bin/python' $0 …"
    fi
    if [[ -d $setup_venv && ! -e $setup_lock && -n $(ls -A "$setup_venv") ]]; then
        setup_fail 2 "$setup_venv exists and was not made by this set-up, which would have to replace it." \
            "Move it away:              mv '$setup_venv' '$setup_venv.old'" \
            "or use it as it is:        SPARKSCORE_PYTHON='$setup_venv/bin/python' $0 …"
    fi
    mkdir -p "$setup_venv"
    setup_take_lock "$python"

    had=$(cat "$setup_stamp" 2>/dev/null) || had=
    wanted=$(setup_wanted)
    if [[ $had != "$wanted" ]]; then # else: the one that we waited for has done it
        if [[ ${had%% *} != "${wanted%% *}" ]] || ! setup_has_installer; then
            setup_say "set-up: making $setup_venv with $("$python" --version 2>&1) and installing" \
                "$(grep -c '^[a-z0-9]' "$setup_root/requirements.lock") packages: this takes minutes, once"
            rm -f "$setup_stamp"
            setup_need_space 2500
            find "$setup_venv" -mindepth 1 -maxdepth 1 ! -name .setup.lock ! -name jdk -exec rm -rf {} +
            if command -v uv >/dev/null; then "$python" -m venv --without-pip "$setup_venv"; else "$python" -m venv "$setup_venv"; fi
            setup_install_locked requirements.lock || setup_fail 2 "set-up: installing requirements.lock failed (above); run the command again to continue"
        fi
        printf '%s -' "$(setup_wanted_environment)" >"$setup_stamp"
        setup_install_project || setup_fail 2 "set-up: installing the project itself failed (above)"
        setup_wanted >"$setup_stamp"
        setup_say "set-up: the environment is ready ($((SECONDS - started)) s)"
    fi
    exec 9>&-
}

# Sets SETUP_PYTHON to the Python of an environment in which everything is installed; makes that first where needed.
setup_python() {
    if [[ -n ${SPARKSCORE_PYTHON:-} ]]; then
        SETUP_PYTHON=$(command -v "$SPARKSCORE_PYTHON") ||
            setup_fail 2 "SPARKSCORE_PYTHON=$SPARKSCORE_PYTHON cannot be run: name the Python of an environment that has what requirements.lock lists"
        [[ $SETUP_PYTHON == /* ]] || SETUP_PYTHON=$PWD/$SETUP_PYTHON
        return
    fi
    if [[ ! -e $setup_stamp || $(<"$setup_stamp") != "$(setup_wanted)" ]]; then setup_install >&2; fi
    SETUP_PYTHON=$setup_venv/bin/python
    setup_is_ours=yes
}

# What the stamp of finished runtimes says: on top of which environment they are, and which they are.
setup_wanted_runtimes() {
    { setup_wanted_environment && cat "$setup_root/requirements-runtimes.lock"; } | setup_digest
}

setup_install_runtimes() {
    local started=$SECONDS
    setup_take_lock "$SETUP_PYTHON"
    if [[ ! -e $setup_runtimes_stamp || $(<"$setup_runtimes_stamp") != "$(setup_wanted_runtimes)" ]]; then
        setup_has_installer || setup_fail 2 "set-up: $setup_venv was made by uv, which is no longer installed: remove it, and run the command again"
        setup_say "set-up: installing $(grep -c '^[a-z0-9]' "$setup_root/requirements-runtimes.lock") packages of" \
            "runtimes: gigabytes, once"
        rm -rf "$setup_runtimes_folder"
        setup_need_space 7000
        # what they need beside one another is in requirements.lock, with the same versions
        setup_install_locked requirements-runtimes.lock "$setup_runtimes_folder" ||
            setup_fail 2 "set-up: installing requirements-runtimes.lock failed (above); run the command again to continue"
        setup_wanted_runtimes >"$setup_runtimes_stamp"
        setup_say "set-up: the runtimes are ready ($((SECONDS - started)) s)"
    fi
    exec 9>&-
}

# Sees to torch and onnxruntime beside the environment of setup_python, and sets SETUP_RUNTIMES to their folder. An
# environment of your own is left as it is: tests of what it lacks are skipped.
setup_runtimes() {
    SETUP_RUNTIMES=
    [[ -n $setup_is_ours ]] || return 0
    if [[ ! -e $setup_runtimes_stamp || $(<"$setup_runtimes_stamp") != "$(setup_wanted_runtimes)" ]]; then
        setup_install_runtimes >&2
    fi
    # shellcheck disable=SC2034  # the caller's
    SETUP_RUNTIMES=$(echo "$setup_runtimes_folder"/lib/python*/site-packages)
}

# Programs that some tests start; those are skipped where a program is not there.
setup_wanted_programs=(prometheus chromium postgresql)

setup_has_programs() {
    local program
    for program in "${setup_wanted_programs[@]}"; do
        # Debian keeps the programs of a PostgreSQL server off the PATH, one folder per version
        if [[ $program == postgresql ]]; then compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || return 1; else
            command -v "$program" >/dev/null || return 1
        fi
    done
}

# Debian's packages start a Prometheus and a PostgreSQL of their own, unless a policy forbids it.
setup_install_programs() {
    local policy=/usr/sbin/policy-rc.d ours='' outcome=0
    local apt=(timeout 300 apt-get -qq -o Acquire::Retries=2 -o Acquire::http::Timeout=30)
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && ours=$policy
    fi
    { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${setup_wanted_programs[@]}"; } ||
        outcome=$?
    [[ -z $ours ]] || rm -f "$ours"
    return "$outcome"
}

# Adds the programs where this is CI's own machine: on a person's, nobody asked for them.
setup_programs() {
    local started=$SECONDS
    if [[ ${CI:-} != true || $(id -u) != 0 ]] || ! command -v apt-get >/dev/null || setup_has_programs; then return; fi
    setup_say "set-up: installing ${setup_wanted_programs[*]}"
    if setup_install_programs >/dev/null; then
        setup_say "set-up: the programs are ready ($((SECONDS - started)) s)"
    else
        setup_say "set-up: installing the programs failed (above); tests that need them are skipped"
    fi
}

# The file "release" of a Java, where it has one: starting it to ask for its version takes much longer.
setup_java_release() {
    local java=$1 line
    while [[ -L $java ]]; do
        line=$(readlink "$java")
        [[ $line == /* ]] || line=${java%/*}/$line
        java=$line
    done
    [[ ! -x $java || ! -r ${java%/*}/../release ]] || printf '%s' "${java%/*}/../release"
}

# The major version of a Java.
setup_java_major() {
    local line version='' release
    release=$(setup_java_release "$1")
    if [[ -n $release ]]; then
        while IFS= read -r line; do
            [[ $line == JAVA_VERSION=* ]] && version=${line#*\"}
        done <"$release"
    elif line=$("$1" -version 2>&1 </dev/null); then
        version=${line#*\"}
    fi
    [[ $version == 1.* ]] && version=${version#1.}
    version=${version%%[!0-9]*}
    printf '%s' "${version:-0}"
}

setup_java_works() { (($(setup_java_major "$1") >= 17)); }

setup_fetched_java() {
    local java
    for java in "$setup_venv"/jdk/*/bin/java "$setup_venv"/jdk/*/Contents/Home/bin/java; do
        [[ -x $java ]] && printf '%s' "$java" && return 0
    done
    return 1
}

# The fetched JDK appears in .venv/jdk all at once: a fetch that was interrupted leaves nothing that looks whole.
setup_fetch_java() {
    local started=$SECONDS
    setup_take_lock "$SETUP_PYTHON"
    if ! setup_fetched_java >/dev/null; then
        setup_say "set-up: no Java >= 17 was found; fetching one into $setup_venv/jdk"
        rm -rf "$setup_venv/jdk" "$setup_venv/jdk.part"
        "$SETUP_PYTHON" "$setup_root/ci/fetch_java.py" "$setup_venv/jdk.part" >&2 || return 1
        mv "$setup_venv/jdk.part" "$setup_venv/jdk"
        setup_say "set-up: Java is ready ($((SECONDS - started)) s)"
    fi
    exec 9>&-
}

# Sees to a Java >= 17: that of JAVA_HOME, the one on PATH, or one fetched into .venv. Sets JAVA_HOME accordingly.
setup_java() {
    local java found=
    if [[ -n ${JAVA_HOME:-} ]]; then
        if setup_java_works "$JAVA_HOME/bin/java"; then
            export JAVA_HOME
            return
        fi
        found="JAVA_HOME=$JAVA_HOME is no Java >= 17; "
        unset JAVA_HOME # else Spark would take it before the one on PATH
    fi
    if java=$(command -v java); then
        if setup_java_works "$java"; then return; fi
        found+="$java is no Java >= 17; "
    fi
    if [[ -z ${SPARKSCORE_PYTHON:-} ]]; then
        if java=$(setup_fetched_java) || { setup_fetch_java && java=$(setup_fetched_java); }; then
            export JAVA_HOME=${java%/bin/java}
            return
        fi
    fi
    setup_fail 2 "Spark needs Java >= 17 and none was found: ${found:-JAVA_HOME is not set and no java is on PATH; }install one, for example:" \
        "  apt-get install openjdk-17-jre-headless     (Debian, Ubuntu)" \
        "  dnf install java-17-openjdk-headless        (Fedora, RHEL)" \
        "  brew install openjdk@17                     (macOS)" \
        "or set JAVA_HOME to one."
}

# What an archive of classes is made from: the Java, Spark and Delta.
setup_wanted_classes() {
    local release
    if [[ -n ${JAVA_HOME:-} ]]; then release=$(setup_java_release "$JAVA_HOME/bin/java"); else release=$(setup_java_release "$(command -v java)"); fi
    { cat "${release:-/dev/null}" && cut -d' ' -f1 "$setup_stamp" && cat "$setup_root/ci/classes.py" "$setup_root/src/sparkscore/spark/delta-jars.sha256"; } | setup_digest
}

# It appears all at once. Where it cannot be made an empty file takes its place: it is not tried again, nor missed.
setup_archive_classes() { # ARCHIVE
    local started=$SECONDS log=$setup_venv/.classes.log
    setup_take_lock "$SETUP_PYTHON"
    if [[ ! -e $1 ]]; then
        setup_say "set-up: Delta's jars, and an archive of the classes that Spark loads, so that it starts faster: half a minute, once"
        rm -f "$setup_venv"/classes-*
        SPARK_SUBMIT_OPTS="'-XX:ArchiveClassesAtExit=$1.part' -XX:TieredStopAtLevel=1 -Xlog:disable" \
            "$SETUP_PYTHON" "$setup_root/ci/classes.py" >"$log" 2>&1 </dev/null || rm -f "$1.part"
        if [[ -s $1.part ]]; then
            mv -f "$1.part" "$1"
            setup_say "set-up: Spark is ready ($((SECONDS - started)) s)"
        else
            : >"$1"
            setup_say "set-up: there is no archive of classes, and Spark starts slower: $log tells why"
        fi
    fi
    exec 9>&-
}

# Sets SETUP_CLASSES to an archive of the classes that the JVM of a job loads, in the environment of setup_python; to
# nothing where there is none. An environment of your own is left as it is.
setup_classes() {
    SETUP_CLASSES=
    [[ -n $setup_is_ours ]] || return 0
    SETUP_CLASSES=$setup_venv/classes-$(setup_wanted_classes).jsa
    if [[ ! -e $SETUP_CLASSES ]]; then setup_archive_classes "$SETUP_CLASSES" >&2; fi
    [[ -s $SETUP_CLASSES ]] || SETUP_CLASSES=
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
    set -euo pipefail
    setup_python
    setup_java
    setup_say "set-up: $SETUP_PYTHON, Java from ${JAVA_HOME:-$(command -v java)}"
fi
