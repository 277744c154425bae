#!/usr/bin/env bash
# Prefect: its server on SQLite, the flows of conf/orchestration/prefect served as deployments, run through the API.
set -euo pipefail
exec "$INTEGRATION_PYTHON" ci/integration/prefect/check_prefect.py
