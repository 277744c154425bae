#!/usr/bin/env bash
# spark-submit for the jobs of this repository: sets up Python, Java and jars, then calls Spark's own
# spark-submit; or starts the job in Python, which starts Spark, where nobody says anything of Spark. See --help.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=ci/setup.sh
source "$root/ci/setup.sh"

usage() {
    cat <<'HELP'
Usage: spark-submit.sh [spark-submit options] jobs/<verb>.py [job options]

Sets up what is missing (a Python environment in .venv, Java, Delta's jars) and submits the job.

  ./spark-submit.sh jobs/quickstart.py
      real data, a model and a scored table, on this machine

  ./spark-submit.sh jobs/score.py --config conf/quickstart.yaml --as-of 2013-12-31
      one job for one as_of; jobs/score.py --help lists the options of a job

  ./spark-submit.sh --master 'local[2,4]' --driver-memory 6g jobs/score.py --config my.yaml --as-of 2013-12-31
      options before the job go to spark-submit

  PYSPARK_PYTHON=/opt/env/bin/python ./spark-submit.sh --master spark://host:7077 jobs/score.py …
  ./spark-submit.sh --master yarn --deploy-mode cluster --archives env.tar.gz#env \
      --conf spark.pyspark.python=env/bin/python jobs/score.py --config conf/score.yaml --as-of 2013-12-31
      on a cluster, whose nodes need a Python with pyarrow, pandas, numpy and the model's own packages
      (jobs/pack_env.py makes the archive of these: --archives env.tar.gz#environment
      --conf spark.pyspark.python=./environment/bin/python)
      (a driver on the cluster: everything in requirements.lock)

Without a master (in the options or spark-defaults.conf) it runs on this machine with conf/spark/local.conf.
On a cluster it uses conf/spark/cluster.conf on top of the cluster's spark-defaults.conf and ships this project with
the job. --deploy-mode cluster also ships the configs that --config names and the suites that these name: all must be
files in conf/.
--properties-file replaces these files.

Environment:
  SPARK_HOME           the Spark to submit with; default: the pyspark in the environment
  JAVA_HOME            a Java >= 17; default: java on PATH, else a Java that is downloaded into .venv/jdk
  PYTHON               the Python >= 3.11 that .venv is made from
  SPARKSCORE_PYTHON    the Python of your own environment; then nothing is installed

The exit code is the job's. 2 also means that a requirement is missing; the message says how to get it.
HELP
}

fail() { setup_fail 2 "$@"; }

# The options of Spark 4.2 that take a value: a value is never the job, even where it ends in .py.
takes_value() {
    case $1 in
    --archives | --class | --conf | -c | --deploy-mode | --driver-class-path | --driver-cores | \
        --driver-default-class-path | --driver-java-options | --driver-library-path | --driver-memory | \
        --exclude-packages | --executor-cores | --executor-memory | --extra-properties-file | --files | --jars | \
        --keytab | --kill | --master | --name | --num-executors | --packages | --principal | --properties-file | \
        --proxy-user | --py-files | --queue | --remote | --repositories | --status | --total-executor-cores) return 0 ;;
    *) return 1 ;;
    esac
}

# ---------------------------------------------------------------------- options of spark-submit, the job, its options
is_plain= # whether nobody says anything of Spark: it is this script's own then, on this machine
[[ ${1:-} != *.py || -n ${MASTER:-}${SPARK_HOME:-} ]] || is_plain=yes
has_own_jars='' # whether somebody says which jars Spark has
options=()
job=''
job_options=()
no_job_needed=''
load_defaults=''
master=''
deploy_mode=''
properties_file=''
py_files=''
archives=''

take() { # NAME VALUE
    case $1 in
    --master) master=$2 ;;
    --deploy-mode) deploy_mode=$2 ;;
    --properties-file) properties_file=$2 ;;
    --kill | --status) no_job_needed=yes ;;
    --packages | --jars | --repositories | --exclude-packages | --driver-class-path | \
        --driver-default-class-path | --extra-properties-file) has_own_jars=yes ;;
    --remote) fail "Spark Connect (--remote $2) needs no spark-submit: SPARK_REMOTE=$2 sparkscore <verb> …" ;;
    --py-files) py_files=$2 && return ;; # these two are passed on at the end, with what is added to them
    --archives) archives=$2 && return ;;
    -c | --conf)
        case $2 in
        spark.master=*) master=${master:-${2#*=}} ;;
        spark.submit.deployMode=*) deploy_mode=${deploy_mode:-${2#*=}} ;;
        spark.submit.pyFiles=*) py_files=${py_files:-${2#*=}} && return ;;
        spark.jars* | spark.driver.*ClassPath=*) has_own_jars=yes ;;
        spark.archives=*) archives=${archives:-${2#*=}} && return ;;
        esac
        ;;
    esac
    options+=("$1" "$2")
}

while (($#)); do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --version | --load-spark-defaults)
        if [[ $1 == --version ]]; then no_job_needed=yes; else load_defaults=yes; fi
        options+=("$1")
        ;;
    --*=*) take "${1%%=*}" "${1#*=}" ;;
    -*)
        if takes_value "$1"; then
            (($# > 1)) || fail "$1 needs a value"
            take "$1" "$2"
            shift
        else
            options+=("$1")
        fi
        ;;
    *.py)
        job=$1
        shift
        job_options=("$@")
        break
        ;;
    *) fail "$1 is neither an option of spark-submit nor a job: a job is a file that ends in .py" "Try: $0 --help" ;;
    esac
    shift
done

if [[ -n $job && ! -f $job ]]; then
    if [[ $job != /* && -f $root/$job ]]; then
        job=$root/$job
    else
        fail "There is no job $job. The jobs are: $(cd "$root" && echo jobs/*.py)"
    fi
elif [[ -z $job && -z $no_job_needed ]]; then
    usage >&2
    exit 2
fi

# --------------------------------------------------------------------------------------------------- what is needed
setup_python
setup_java
unset SPARKSCORE_PYTHON # a switch of this script, no setting of a job

if [[ -z ${SPARK_HOME:-} ]]; then
    SPARK_HOME=$(echo "$setup_venv"/lib/python3*/site-packages/pyspark)
    [[ -n $setup_is_ours && -d $SPARK_HOME ]] ||
        SPARK_HOME=$("$SETUP_PYTHON" -c 'from importlib.util import find_spec as f; print(*f("pyspark").submodule_search_locations)' 2>/dev/null) ||
        fail "There is no pyspark in the environment of $SETUP_PYTHON: install one, or set SPARK_HOME"
    export SPARK_HOME
fi
[[ -x $SPARK_HOME/bin/spark-submit ]] || fail "SPARK_HOME=$SPARK_HOME has no bin/spark-submit"

export MLFLOW_DISABLE_TELEMETRY=${MLFLOW_DISABLE_TELEMETRY:-true}
export GX_ANALYTICS_ENABLED=${GX_ANALYTICS_ENABLED:-false}

[[ -n $job ]] || exec "$SPARK_HOME/bin/spark-submit" "${options[@]}"

# ------------------------------------------------------------------------------------- here, or on which cluster
conf_dir=${SPARK_CONF_DIR:-$SPARK_HOME/conf}
defaults=$conf_dir/spark-defaults.conf
[[ -r $defaults && (-z $properties_file || -n $load_defaults) ]] || defaults=
[[ -z $defaults ]] || is_plain=

# The value of a property in the files that Spark is going to read, or nothing.
property() { # NAME
    local file
    for file in "$properties_file" "$defaults"; do
        if [[ -r $file ]] && sed -nE "s/^[[:space:]]*${1//./\\.}[[:space:]=:]+//p" "$file" | sed 's/[[:space:]]*$//' | tail -n 1 | grep .; then
            return
        fi
    done
}

master=${master:-$(property spark.master)}
master=${master:-${MASTER:-local}}
deploy_mode=${deploy_mode:-$(property spark.submit.deployMode)}
deploy_mode=${deploy_mode:-client}

# Delta's jars from where Spark's resolver has put them, if all are there and are what they should be: else it resolves
# them, which takes a second or two, writes 35 lines to stderr, and asks the network for what is missing.
use_resolved_jars() {
    local folder=${HOME:-}/.ivy2.5.2/jars digests=$root/src/sparkscore/spark/delta-jars.sha256 name jars=
    if [[ -n $has_own_jars$properties_file$defaults || $folder == *:* || ! -d $folder || ! -r $digests ]]; then return 0; fi
    (cd "$folder" && setup_verify "$digests") || return 0
    while read -r _ name; do jars+=${jars:+:}$folder/$name; done <"$digests"
    options+=(--conf spark.jars.packages= --conf spark.jars.excludes= --driver-class-path "$jars")
}

# The classes that the JVM loads, from an archive that the set-up has made. A JVM that finds it unfit does without it,
# and says nothing: options of the user's come after these.
use_class_archive() {
    setup_classes
    [[ -n $SETUP_CLASSES ]] || return 0
    SPARK_SUBMIT_OPTS="'-XX:SharedArchiveFile=$SETUP_CLASSES' -Xlog:disable -Xlog:all=warning:stderr -Xlog:cds*=off:stderr -Xlog:class+path*=off:stderr${SPARK_SUBMIT_OPTS:+ $SPARK_SUBMIT_OPTS}"
}

# For a driver on this machine: our Python, and a quiet log unless Spark has been given one of its own.
# What the JVM itself says (a full code cache) goes to stderr: stdout is the result line's.
driver_here() {
    export SPARK_SUBMIT_OPTS="-XX:+DisplayVMOutputToStderr${SPARK_SUBMIT_OPTS:+ $SPARK_SUBMIT_OPTS}"
    # of the JVM that only prints the command of the other one: 0.2 s of CPU instead of 0.3
    export SPARK_LAUNCHER_OPTS=${SPARK_LAUNCHER_OPTS:--XX:TieredStopAtLevel=1 -XX:+UseSerialGC}
    export PYSPARK_DRIVER_PYTHON=$SETUP_PYTHON
    if [[ ! -e $conf_dir/log4j2.properties && -z $(property spark.driver.defaultJavaOptions) ]]; then
        options=(--conf "spark.driver.defaultJavaOptions=-Dlog4j2.configurationFile=file:${root// /%20}/conf/spark/log4j2.properties" ${options[@]+"${options[@]}"})
    fi
}

# The driver's stderr is kept apart from its stdout, which Spark would mix (see ci/driver-python.sh): a terminal stays
# one; else it flows through a pipe, which this process, soon Spark's, holds open too, so that its reader ends with Spark.
split_output() {
    local folder
    if SPARK_SUBMIT_STDERR=$(tty <&2); then :; else
        folder=$(mktemp -d "${TMPDIR:-/tmp}/spark-submit.XXXXXX")
        SPARK_SUBMIT_STDERR=$folder/stderr
        mkfifo "$SPARK_SUBMIT_STDERR"
        (
            trap '' HUP INT TERM
            cat <"$SPARK_SUBMIT_STDERR"
            rm -rf "$folder"
        ) >&2 &
        exec 7>"$SPARK_SUBMIT_STDERR"
    fi
    export SPARK_SUBMIT_STDERR
    options=(--conf "spark.pyspark.driver.python=$root/ci/driver-python.sh" ${options[@]+"${options[@]}"})
}

# Python first: it starts Spark itself, with the same options, where the job turns out to need it; to say that there is
# nothing to do, or to list runs, it does not. Spark's JVM then starts while Python imports, and ends before it.
drive() {
    local option
    PYSPARK_SUBMIT_ARGS=
    for option in "${options[@]}"; do PYSPARK_SUBMIT_ARGS+="'${option//\'/\'\\\'\'}' "; done
    export PYSPARK_SUBMIT_ARGS+=pyspark-shell SPARK_SUBMIT_PREPARED=yes
    exec "$SETUP_PYTHON" "$job" ${job_options[@]+"${job_options[@]}"}
}

submit() {
    exec "$SPARK_HOME/bin/spark-submit" ${options[@]+"${options[@]}"} "$job" ${job_options[@]+"${job_options[@]}"}
}

# Adds one of our property files, unless the user has brought one: the cluster's own defaults stay underneath.
use_properties() { # FILE
    [[ -z $properties_file ]] || return 0
    options=(--properties-file "$root/conf/spark/$1" ${options[@]+"${options[@]}"})
    if [[ -n $defaults && -z $load_defaults ]]; then options=(--load-spark-defaults "${options[@]}"); fi
}

# A config that is not found from here is looked for from the root of the repository, like the job.
rebase_config() { # FILE
    if [[ ! -e $1 && $1 != /* && -e $root/$1 ]]; then printf '%s' "$root/$1"; else printf '%s' "$1"; fi
}

# Where the driver runs on the cluster, it sees what is shipped of conf/, unpacked in its working directory.
ship_config() { # FILE
    local file folder
    file=$(rebase_config "$1")
    if folder=$(cd "$(dirname "$file")" 2>/dev/null && pwd -P) && [[ -f $file && $folder/ == "$root"/conf/* ]]; then
        printf 'conf%s/%s' "${folder#"$root/conf"}" "${file##*/}"
    else
        fail "--deploy-mode cluster ships only the configs in $root/conf, and --config $1 is not one of them." \
            "Put the file there, or submit with --deploy-mode client."
    fi
}

each_config() { # COMMAND: replaces the file of every --config among the job's options by what COMMAND makes of it
    local i file
    for ((i = 0; i < ${#job_options[@]}; i++)); do
        case ${job_options[i]} in
        --config=*)
            file=$("$1" "${job_options[i]#*=}")
            job_options[i]=--config=$file
            ;;
        --config)
            i=$((i + 1))
            if ((i < ${#job_options[@]})); then
                file=$("$1" "${job_options[i]}")
                job_options[i]=$file
            fi
            ;;
        esac
    done
}

# An archive that pack_env has made lies beside its sha256: it is shipped as it was packed, or not at all.
verify_archives() { # ARCHIVES
    local entry file
    while IFS= read -r -d , entry; do
        file=${entry%%#*}
        file=${file#file://}
        if [[ -r $file && -r $file.sha256 ]] && ! (cd "$(dirname "$file")" && setup_verify "$(basename "$file").sha256"); then
            fail "$file was changed after it was packed: its sha256 is another than $file.sha256 says." \
                "Pack it again: sparkscore pack_env"
        fi
    done <<<"$1,"
}

# Packs the project (its wheel under the name of a zip: Spark takes no wheels) into build/submit, in a folder named by
# the digest of what it is made from, and says where. Where the driver runs on the cluster, it also packs the files of
# conf/ that the job's options name, and those that these name in their turn (suites): configs of other jobs are nobody
# else's business, and may hold secrets.
pack() { # [OPTION OF THE JOB]...
    "$SETUP_PYTHON" - "$root" "$deploy_mode" "$@" <<'PYTHON'
import contextlib
import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import yaml

root, deploy_mode, options = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
os.chdir(root)


def files(*parts: str) -> list[Path]:
    found = (p for part in parts for p in ([Path(part)] if Path(part).is_file() else Path(part).rglob("*")))
    return sorted(p for p in found if p.is_file() and "__pycache__" not in p.parts)


def packed(sources: list[Path], make: Callable[[Path], None]) -> Path:
    parts = [part for p in sources for part in (os.fsencode(p), p.read_bytes())]
    digest = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).hexdigest()
    target = root / "build" / "submit" / digest[:16]
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            make(Path(folder, "new"))
            with contextlib.suppress(OSError):  # another submit was quicker
                Path(folder, "new").rename(target)
    return next(target.iterdir())


def wheel(folder: Path) -> None:
    from hatchling.build import build_wheel

    with contextlib.redirect_stdout(sys.stderr):
        built = folder / build_wheel(str(folder))
    built.rename(built.with_suffix(".zip"))


def texts(value: object) -> list[str]:
    if isinstance(value, dict | list):
        inner = list(value.values()) if isinstance(value, dict) else value
        return [text for one in inner for text in texts(one)]
    return [value] if isinstance(value, str) else []


def named_by(config: Path) -> list[Path]:
    try:
        found = texts(yaml.load(config.read_text(encoding="utf-8"), yaml.BaseLoader))
        paths = [(text, Path(os.path.normpath(config.parent / text))) for text in found if "\0" not in text]
        here = [(text, path) for text, path in paths if not os.path.isabs(text) and path.is_file()]
    except (OSError, RecursionError, ValueError, yaml.YAMLError):  # the job says what is wrong with it
        return []
    for text, path in here:
        if path.parts[0] != "conf":
            sys.exit(f"--deploy-mode cluster ships only files in {root}/conf, and {config} names {text}")
    return [path for _, path in here]


def named_files() -> list[Path]:
    words = [Path(os.path.normpath(word)) for option in options for word in (option, option.partition("=")[2])]
    named = [word for word in words if word.parts[:1] == ("conf",) and word.is_file()]
    suites = [path for config in named if config.suffix != ".json" for path in named_by(config)]
    return sorted({*named, *suites})


def configs(folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(folder / "conf.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in named_files():
            archive.write(path, path.relative_to("conf"))


demo = ("conf/quickstart.yaml", "conf/expectations/flights.json", "conf/expectations/predictions.json")
print(packed(files("pyproject.toml", "README.md", "LICENSE", "src", *demo), wheel))
if deploy_mode == "cluster" and named_files():
    print(packed(named_files(), configs))
PYTHON
}

verify_archives "${archives:-$(property spark.archives)}"
if [[ $master == local || $master == local\[* ]]; then
    export PYSPARK_PYTHON=$SETUP_PYTHON
    export SPARK_LOCAL_IP=${SPARK_LOCAL_IP:-127.0.0.1} # no host name that has to resolve
    use_class_archive
    use_resolved_jars
    use_properties local.conf
    [[ -z $py_files ]] || options+=(--py-files "$py_files")
    [[ -z $archives ]] || options+=(--archives "$archives")
    each_config rebase_config
    driver_here
    if [[ -n $is_plain && $(cd "$(dirname "$job")" && pwd -P) == "$root/jobs" ]]; then drive; fi
    split_output
    submit
fi

use_properties cluster.conf
if [[ $deploy_mode == cluster ]]; then each_config ship_config; else each_config rebase_config; fi
shipped=$(pack ${job_options[@]+"${job_options[@]}"}) || fail "Packing the project failed (above)"
py_files=${py_files:-$(property spark.submit.pyFiles)}
options+=(--py-files "$(head -n 1 <<<"$shipped")${py_files:+,$py_files}")
archives=${archives:-$(property spark.archives)}
if [[ $deploy_mode == cluster ]]; then
    configs=$(tail -n +2 <<<"$shipped")
    [[ -z $configs ]] || archives=$configs#conf${archives:+,$archives}
else
    driver_here
    split_output
fi
[[ -z $archives ]] || options+=(--archives "$archives")
submit
