#!/bin/sh
# One request, several workers, all their replies gathered.
#   fan-out.sh ask SESSION COUNT
#   fan-out.sh work SESSION NAME
set -eu
url=${HARK_URL:-http://127.0.0.1:8080}
hark() { curl -sS --fail --max-time 60 ${HARK_TOKEN:+-H "Authorization: Bearer $HARK_TOKEN"} "$@"; }
# A text stays escaped, so it may go into JSON as it is. For what is known to be flat; programs use a JSON parser.
member() { sed -nE "s/.*\"$1\": *(\"(([^\"\\\\]|\\\\.)*)\"|([^,}]*)).*/\2\4/p"; }

say() {  # TYPE SESSION NAME
  hark -H "Idempotency-Key: $1-$2-$3" -d "{\"topic\": \"coordination\", \"correlation_id\": \"$2\", \"data\": {\"worker\": \"$3\"}}" "$url/api/events/$1"
}

ask() {
  # Where the request stands. Asked again under its key it is the same place, and replies to it stand behind it.
  after=$(say request "$1" all | member sequence)
  left=$2 until=$(($(date +%s) + 60))
  while [ "$left" -gt 0 ]; do
    [ "$(date +%s)" -lt $until ] || { echo "$left have not replied within a minute" >&2; exit 1; }
    # One at a time, and on after each.
    reply=$(hark "$url/api/events/wait/reply?filter=correlation_id:$1&after=$after&limit=1&timeout=10000")
    after=$(printf '%s' "$reply" | member cursor)
    case $reply in *'"timeout":true'*) continue ;; esac
    printf '%s\n' "$reply" | member worker
    left=$((left - 1))
  done
}

work() {
  while told=$(hark "$url/api/events/wait/request?filter=correlation_id:$1&after=0&timeout=30000") || exit; do
    case $told in *'"timeout":true'*) ;; *) break ;; esac
  done
  # … the work …
  say reply "$1" "$2" >/dev/null
}

"$@"
