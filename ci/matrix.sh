#!/usr/bin/env bash
# The versions of Spark and pandas that the project is said to run with, each tried: an environment of its own under
# build/matrix, and in it ci/matrix_check.py, a small but whole set of runs. Prints a table; exit 0 if all cells passed.
#
#   ci/matrix.sh                  all cells
#   ci/matrix.sh 4.0-2 4.2-3      Spark 4.0 with pandas 2, Spark 4.2 with pandas 3
#
# Environment: PYTHON (the Python >= 3.11 of the environments; default: python3), UV (default: uv on PATH).
# uv makes the environments: pip has no way to take another pandas than the project declares. Spark resolves Delta's
# jars by itself, from Maven.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cells=(4.0-2 4.0-3 4.1-2 4.1-3 4.2-2 4.2-3)
delta=4.4.0
work=$root/build/matrix
python=${PYTHON:-python3}
uv=${UV:-uv}

fail() {
    printf '%s\n' "$@" >&2
    exit 2
}

command -v "$uv" >/dev/null || fail "ci/matrix.sh needs uv: pip install uv, or set UV"
(($#)) || set -- "${cells[@]}"
for cell in "$@"; do
    [[ " ${cells[*]} " == *" $cell "* ]] || fail "There is no cell $cell. The cells are: ${cells[*]}"
done

# The environment of a cell, made anew where what it is made of has changed.
prepare() { # SPARK PANDAS FOLDER
    local spark=$1 pandas=$2 folder=$3 wanted
    wanted=$(cat "$root/pyproject.toml" "$0" <("$python" --version) | sha256sum | cut -d' ' -f1)
    [[ ! -e $folder/stamp || $(<"$folder/stamp") != "$wanted" ]] || return 0
    rm -rf "$folder"
    mkdir -p "$folder"
    printf '%s\n' "pandas==$pandas.*" "pyspark==$spark.*" "delta-spark==$delta" >"$folder/versions.txt"
    "$uv" --quiet venv --python "$python" "$folder/env"
    # the versions of the cell take the place of those that the project declares
    "$uv" --quiet pip install --python "$folder/env/bin/python" --override "$folder/versions.txt" \
        "${root}[spark,demo]"
    printf '%s' "$wanted" >"$folder/stamp"
}

# The wheel of the project as it is now, in the place of the one with which the environment was made.
install_project() { # FOLDER
    "$uv" --quiet pip install --python "$1/env/bin/python" --no-deps --reinstall-package sparkscore "$root"
}

failed=0
mkdir -p "$work"
rows=()
for cell in "$@"; do
    spark=${cell%-*} pandas=${cell#*-}
    folder=$work/$cell
    printf 'cell %s: Spark %s, pandas %s\n' "$cell" "$spark" "$pandas" >&2
    if ! { prepare "$spark" "$pandas" "$folder" && install_project "$folder"; } >&2; then
        failed=1
        rows+=("| $spark | $pandas |  |  |  |  | its environment cannot be made |")
        continue
    fi
    rm -rf "${folder:?}/home"
    # -P and env -i: nothing of this checkout, nor of the caller's Spark, gets in; the wheel is what is tried
    if line=$(cd "$folder" && env -u PYTHONPATH -u SPARK_HOME -u PYSPARK_SUBMIT_ARGS \
        PYSPARK_PYTHON="$folder/env/bin/python" "$folder/env/bin/python" -P "$root/ci/matrix_check.py" "$folder/home" 2>"$folder/log"); then
        rows+=("$line passed |")
    else
        failed=1
        rows+=("${line:-| $spark | $pandas |  |  |  |} $(tail -n 1 "$folder/log" | tr '|' '/' | cut -c -160) |")
        printf 'cell %s failed: %s tells why\n' "$cell" "$folder/log" >&2
    fi
done
printf '%s\n' '| Spark | pandas | Delta | pyarrow | MLflow | Python | |' '|---|---|---|---|---|---|---|' "${rows[@]}"
exit $failed
