#!/bin/sh
# One that leads through phases, each begun when the one before is done; and one that does them.
#   phased-workflow.sh lead SESSION
#   phased-workflow.sh work SESSION
set -eu
url=${HARK_URL:-http://127.0.0.1:8080}
hark() { curl -sS --fail --max-time 60 ${HARK_TOKEN:+-H "Authorization: Bearer $HARK_TOKEN"} "$@"; }

say() {  # TYPE SESSION PHASE
  hark -o /dev/null -H "Idempotency-Key: $1-$2-$3" -d "{\"topic\": \"coordination\", \"correlation_id\": \"$2\", \"data\": {\"phase\": \"$3\"}}" "$url/api/events/$1"
}
heard() {  # TYPE SESSION PHASE
  while true; do
    told=$(hark "$url/api/events/wait/$1?filter=correlation_id:$2,payload.phase:$3&after=0&timeout=30000")
    case $told in *'"timeout":true'*) ;; *) return ;; esac
  done
}

lead() {
  for phase in plan build verify; do
    say phase_begin "$1" $phase
    heard phase_done "$1" $phase
    echo "$phase done"
  done
}

work() {
  for phase in plan build verify; do
    heard phase_begin "$1" $phase
    # … the work …
    say phase_done "$1" $phase
  done
}

"$@"
