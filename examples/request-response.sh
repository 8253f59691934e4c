#!/bin/sh
# Asks a question and waits for its answer; or answers questions, also those of the time while nobody answered.
#   request-response.sh ask TEXT
#   request-response.sh answer [COUNT]
set -eu
url=${HARK_URL:-http://127.0.0.1:8080}
hark() { curl -sS --fail --max-time 60 ${HARK_TOKEN:+-H "Authorization: Bearer $HARK_TOKEN"} "$@"; }
# A text stays escaped, so it may go into JSON as it is. For what is known to be flat; programs use a JSON parser.
member() { sed -nE "s/.*\"$1\": *(\"(([^\"\\\\]|\\\\.)*)\"|([^,}]*)).*/\2\4/p"; }
escaped() { printf '%s' "$1" | sed 's/[\"]/\\&/g'; }  # one line of text, for JSON

ask() {
  session=question-$(date +%s)-$$
  # Where the bus is now, before asking: the answer cannot be missed.
  after=$(hark "$url/api/events/wait/answer?timeout=0" | member cursor)
  hark -o /dev/null -H "Idempotency-Key: $session" -d "{\"topic\": \"coordination\", \"correlation_id\": \"$session\", \"data\": {\"text\": \"$(escaped "$1")\"}}" "$url/api/events/question"
  reply=$(hark "$url/api/events/wait/answer?filter=correlation_id:$session&after=$after&timeout=30000")
  case $reply in *'"timeout":true'*) echo "no answer within 30 s" >&2; exit 1 ;; esac
  printf '%s\n' "$reply" | member text
}

answer() {
  left=${1:-1}
  while [ "$left" -gt 0 ]; do
    # Under a name the daemon knows how far one has read; a new one begins with what is kept.
    question=$(hark "$url/api/events/wait/question?subscriber=answerer&after=0&limit=1&timeout=30000")
    case $question in *'"timeout":true'*) continue ;; esac
    session=$(printf '%s' "$question" | member correlation_id)
    text=$(printf '%s' "$question" | member text)
    hark -o /dev/null -H "Idempotency-Key: answer-$session" -d "{\"topic\": \"coordination\", \"correlation_id\": \"$session\", \"data\": {\"text\": \"$text: yes\"}}" "$url/api/events/answer"
    hark -o /dev/null -X POST "$url/api/subscribers/answerer/ack?cursor=$(printf '%s' "$question" | member cursor)"
    left=$((left - 1))
  done
}

"$@"
