#!/usr/bin/env bash
# run-verb.sh VERB [OPTION…]: runs a verb of sparkscore for cron, which knows neither retries nor limits.
#
# Exit code 75 is tried again, and no other. What the verb has said is printed where it did not end with 0, so that cron
# sends a mail then and only then.
#
#   JOB_RETRY_SECONDS    how long to wait before each retry; default: 300 900 1800
#   JOB_LIMIT            after this time the verb gets SIGTERM, and two minutes later SIGKILL; default: 4h
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.." || exit 2

log=$(mktemp) || exit 75
trap 'rm -f "$log"' EXIT
read -ra delays <<<"${JOB_RETRY_SECONDS:-300 900 1800}"
for delay in "${delays[@]}" ''; do
    timeout --kill-after=120 "${JOB_LIMIT:-4h}" ./spark-submit.sh "jobs/$1.py" "${@:2}" </dev/null >>"$log" 2>&1
    code=$?
    [[ $code == 75 && -n $delay ]] || break
    sleep "$delay"
done
((code == 0)) || { cat "$log" && echo "sparkscore $1 ended with exit code $code"; }
exit "$code"
