#!/usr/bin/env bash
# Dagster: its daemon with the schedule of conf/orchestration/dagster, its command line, its Pipes, an instance on SQLite.
set -euo pipefail
exec "$INTEGRATION_PYTHON" ci/integration/dagster/check_dagster.py
