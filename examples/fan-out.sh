#!/bin/sh
# One request, several workers, all their replies gathered.
#   fan-out.sh ask SESSION COUNT
#   fan-out.sh work SESSION NAME
set -eu
url=${HARK_URL:-http://127.0.0.1:8080}
hark() { curl -sS --fail --max-time 60 ${HARK_TOKEN:+-H "Authorization: Bearer $HARK_TOKEN"} "$@"; }
member() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^,\"}]*\).*/\1/p"; }  # of what is known to be flat; programs use a JSON parser

say() {  # TYPE SESSION NAME
  hark -o /dev/null -H "Idempotency-Key: $1-$2-$3" -d "{\"topic\": \"coordination\", \"correlation_id\": \"$2\", \"data\": {\"worker\": \"$3\"}}" "$url/api/events/$1"
}

ask() {
  after=$(hark "$url/api/events/wait/reply?timeout=0" | member cursor)
  say request "$1" all
  left=$2
  while [ "$left" -gt 0 ]; do
    # One at a time, and on after each.
    reply=$(hark "$url/api/events/wait/reply?filter=correlation_id:$1&after=$after&limit=1&timeout=30000")
    after=$(printf '%s' "$reply" | member cursor)
    case $reply in *'"timeout":true'*) continue ;; esac
    printf '%s\n' "$reply" | member worker
    left=$((left - 1))
  done
}

work() {
  until hark "$url/api/events/wait/request?filter=correlation_id:$1&after=0&timeout=30000" | grep -q '"events"'; do :; done
  # … the work …
  say reply "$1" "$2"
}

"$@"
