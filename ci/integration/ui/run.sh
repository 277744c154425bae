#!/usr/bin/env bash
# The web page in a real Chromium, by the rules of axe-core too, and with 10,000 runs. See ci/integration.sh.
set -euo pipefail

chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [[ -z $chromium ]]; then
    echo "no Chromium is installed: the Debian package is chromium"
    exit 77
fi
echo "chromium $("$chromium" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -1)" >>"$INTEGRATION_WORK/versions"

AXE_FILE=$("$INTEGRATION_PYTHON" -c 'import pathlib, axe_core_python; print(pathlib.Path(axe_core_python.__path__[0], "axe.min.js"))')
export AXE_FILE
export PYTHONPATH=$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}
"$SPARKSCORE_PYTHON" -m pytest -p no:cacheprovider -rN --no-header --basetemp="$INTEGRATION_WORK/pytest" \
    -o addopts= -v tests/ui/test_pages_in_a_browser.py tests/cli/test_ui_verb.py |
    sed -nE 's/^.*::([A-Za-z_]+::)?test_([^ ]*) PASSED.*/\2/p; /FAILED|ERROR|^E /p' | tr '_' ' '
"$SPARKSCORE_PYTHON" ci/integration/ui/many_runs.py "$INTEGRATION_WORK/home"
