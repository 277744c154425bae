#!/usr/bin/env bash
# Airflow itself (api-server, scheduler with its LocalExecutor, dag-processor) and an MLflow server around the example's DAGs.
set -euo pipefail
exec "$INTEGRATION_PYTHON" ci/integration/airflow/show_airflow.py
