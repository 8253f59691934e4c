#!/bin/sh
# Two agents in rounds: one writes, the other reviews, until it approves.
#   feedback-loop.sh write SESSION
#   feedback-loop.sh review SESSION    approves the third draft
set -eu
url=${HARK_URL:-http://127.0.0.1:8080}
hark() { curl -sS --fail --max-time 60 ${HARK_TOKEN:+-H "Authorization: Bearer $HARK_TOKEN"} "$@"; }
# A text stays escaped, so it may go into JSON as it is. For what is known to be flat; programs use a JSON parser.
member() { sed -nE "s/.*\"$1\": *(\"(([^\"\\\\]|\\\\.)*)\"|([^,}]*)).*/\2\4/p"; }

say() {  # TYPE SESSION ROUND DATA
  hark -o /dev/null -H "Idempotency-Key: $1-$2-$3" -d "{\"topic\": \"testing\", \"correlation_id\": \"$2\", \"data\": $4}" "$url/api/events/$1"
}
heard() {  # TYPE SESSION ROUND: waits for it, among all that are kept
  while true; do
    told=$(hark "$url/api/events/wait/$1?filter=correlation_id:$2,payload.round:$3&after=0&timeout=30000")
    case $told in *'"timeout":true'*) ;; *) printf '%s' "$told"; return ;; esac
  done
}

write() {
  round=1
  while true; do
    say draft "$1" $round "{\"round\": $round}"
    [ "$(heard review "$1" $round | member approved)" != true ] || break
    round=$((round + 1))
  done
  echo "approved in round $round"
}

review() {
  round=1
  while true; do
    heard draft "$1" $round >/dev/null
    [ $round -lt 3 ] && approved=false || approved=true
    say review "$1" $round "{\"round\": $round, \"approved\": $approved}"
    [ $approved = false ] || break
    round=$((round + 1))
  done
}

"$@"
