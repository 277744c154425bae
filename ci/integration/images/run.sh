#!/usr/bin/env bash
# The images of conf/docker: built by buildah, and the commands of conf/orchestration/kubernetes run in containers of
# them, with Spark on the one machine in the place of pods.
#
# Spark's own image lies in a registry of images. Where it cannot be pulled, a stand-in is made: Debian's Java and
# Python, pip's Spark in /opt/spark, a user 185; and an image with pip's uv in the place of uv's own.
set -euo pipefail

missing=
for program in buildah mmdebstrap; do
    command -v "$program" >/dev/null || missing+=" $program"
done
[[ -z $missing ]] || { echo "not installed:$missing (Debian's packages)" && exit 77; }
((EUID == 0)) || { echo "buildah and mmdebstrap need root here" && exit 77; }
exec "$SPARKSCORE_PYTHON" ci/integration/images/check_images.py
