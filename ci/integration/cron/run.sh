#!/usr/bin/env bash
# cron: Debian's, with the crontab of conf/orchestration/cron; in a mount namespace, so that it sees no other crontab.
# It needs root for that, and Debian's package, which is unpacked where it is not installed.
set -euo pipefail
skip() { echo "$*" && exit 77; }
if [[ $(id -u) != 0 ]] || ! unshare --mount --pid --fork true 2>/dev/null; then
    skip "cron needs root, and namespaces, to be started beside the machine's own"
fi
PATH=$PATH:/usr/sbin
if ! command -v cron >/dev/null; then
    command -v apt-get >/dev/null || skip "there is no cron, and no apt-get to fetch it"
    (cd "$INTEGRATION_WORK" && apt-get download cron && dpkg -x cron_*.deb cron) >&2 || skip "the Debian package cron was not to be had"
    PATH=$INTEGRATION_WORK/cron/usr/sbin:$INTEGRATION_WORK/cron/usr/bin:$PATH
fi
export PATH
printf 'cron %s\n' "$(dpkg-query -Wf '${Version}' cron 2>/dev/null | grep . || dpkg-deb -f "$INTEGRATION_WORK"/cron_*.deb Version)" >"$INTEGRATION_WORK/versions"
exec unshare --mount --pid --fork --kill-child --mount-proc "$INTEGRATION_PYTHON" ci/integration/cron/check_cron.py
