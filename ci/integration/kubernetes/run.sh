#!/usr/bin/env bash
# Kubernetes: the manifests of conf/orchestration/kubernetes by the schemas of its own API, and the command of the
# container as the process that it would be. No cluster: what a kubelet and the job controller do is played here.
set -euo pipefail
exec "$INTEGRATION_PYTHON" ci/integration/kubernetes/check_manifests.py
