#!/usr/bin/env bash
# Ray Data and Dask run the tasks of real runs: the same rows, rejects and names as Spark's, attempts that another one
# has left open, workers that are killed. The packages come from INTEGRATION_PYTHON, all else from SPARKSCORE_PYTHON.
set -euo pipefail
packages=$("$INTEGRATION_PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
export PYTHONPATH=$PWD/src:$PWD:$packages TMPDIR=$INTEGRATION_WORK/tmp
# Ray's sockets have names of 107 letters at most
RAY_TMPDIR=$(mktemp -d /tmp/ray-XXXXXX)
export RAY_TMPDIR
trap 'rm -rf "$RAY_TMPDIR"' EXIT
mkdir -p "$TMPDIR"
"$SPARKSCORE_PYTHON" - >"$INTEGRATION_WORK/versions" <<'PYTHON'
from importlib.metadata import version

for name in ("ray", "dask", "distributed"):
    print(name, version(name))
PYTHON
status=0
"$SPARKSCORE_PYTHON" -m pytest -q -p no:cacheprovider --junitxml "$INTEGRATION_WORK/tests.xml" tests/engines >&2 || status=$?
"$SPARKSCORE_PYTHON" - "$INTEGRATION_WORK/tests.xml" <<'PYTHON'
import sys
from xml.etree import ElementTree

for test in ElementTree.parse(sys.argv[1]).iter("testcase"):
    found = {part.tag for part in test} & {"failure", "error", "skipped"}
    words = test.get("name", "").removeprefix("test_").replace("_", " ")
    print(f"{found.pop() if found else 'passed'}: {words} ({float(test.get('time', 0)):.0f} s)")
PYTHON
exit "$status"
