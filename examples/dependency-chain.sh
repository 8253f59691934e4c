#!/bin/sh
# A step that begins when all that it needs is done, in whatever order.
#   dependency-chain.sh SESSION STEP [NEEDS...]
set -eu
url=${HARK_URL:-http://127.0.0.1:8080}
hark() { curl -sS --fail --max-time 60 ${HARK_TOKEN:+-H "Authorization: Bearer $HARK_TOKEN"} "$@"; }

session=$1 step=$2
shift 2
for need in "$@"; do
  while told=$(hark "$url/api/events/wait/step_done?filter=correlation_id:$session,payload.step:$need&after=0&timeout=30000") || exit; do
    case $told in *'"timeout":true'*) ;; *) break ;; esac
  done
done
# … the work …
hark -o /dev/null -H "Idempotency-Key: step-$session-$step" -d "{\"topic\": \"implementation\", \"correlation_id\": \"$session\", \"data\": {\"step\": \"$step\"}}" "$url/api/events/step_done"
echo "$step done"
