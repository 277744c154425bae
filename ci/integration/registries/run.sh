#!/usr/bin/env bash
# Registries as other people run them: MLflow's own server with its app basic-auth over PostgreSQL, and Vertex AI's API
# as a stub, with Cloud Storage as an emulator. Started by ci/integration.sh, which says in the environment:
#   INTEGRATION_PYTHON   an environment with requirements.lock of this folder; it holds the suite's dependencies, too
#   INTEGRATION_WORK     an empty folder
# Needs Debian's packages postgresql and a Java.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

if ! command -v initdb >/dev/null && ! compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null; then
    echo "no PostgreSQL is installed: apt-get install postgresql"
    exit 77
fi
if ! command -v java >/dev/null && [[ ! -x "${JAVA_HOME:-}/bin/java" ]]; then
    echo "no Java is installed: apt-get install openjdk-17-jre-headless"
    exit 77
fi

export PYTHONPATH="$PWD/src:$PWD" MLFLOW_DISABLE_TELEMETRY=true GX_ANALYTICS_ENABLED=false
"$INTEGRATION_PYTHON" -m pytest -q -p no:cacheprovider --basetemp "$INTEGRATION_WORK/vertex" \
    tests/model/registry/test_vertex_registry.py >"$INTEGRATION_WORK/vertex.log" 2>&1 ||
    { cat "$INTEGRATION_WORK/vertex.log" && exit 1; }
echo "Vertex AI: $(grep -Eo '[0-9]+ passed' "$INTEGRATION_WORK/vertex.log") against a stub of its API and an emulator of Cloud Storage"
exec "$INTEGRATION_PYTHON" ci/integration/registries/check_servers.py "$INTEGRATION_WORK/servers"
