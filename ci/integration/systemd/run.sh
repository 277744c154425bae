#!/usr/bin/env bash
# systemd: a manager of its own (`systemd --user`) in a namespace, with the units of conf/orchestration/systemd.
set -euo pipefail
skip() { echo "$*" && exit 77; }
if [[ ! -x /lib/systemd/systemd ]] || ! command -v systemd-analyze >/dev/null; then skip "there is no systemd"; fi
if [[ $(id -u) != 0 ]] || ! unshare --mount --pid --fork true 2>/dev/null; then
    skip "a manager beside the machine's own needs root, and namespaces"
fi
printf 'systemd %s\n' "$(systemctl --version | awk 'NR == 1 { print $2 }')" >"$INTEGRATION_WORK/versions"
# shellcheck disable=SC2016  # the inner shell's variable
exec unshare --mount --pid --fork --kill-child --mount-proc bash -c '
    set -eu
    mount -t tmpfs tmpfs /run
    mkdir -p /run/systemd/system /run/user/0 # systemd asks for the first, to know that it is on a machine of its kind
    exec "$INTEGRATION_PYTHON" ci/integration/systemd/check_systemd.py'
