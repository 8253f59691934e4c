#!/bin/sh
# The manual pages are clean under mandoc's lint. Whether the pages they refer to are installed is the machine's matter.
set -eu
complaints=$(mandoc -Tlint man/hark.1 man/hark.toml.5 | grep -v 'referenced manual not found' || true)
[ -z "$complaints" ] || { echo "$complaints"; exit 1; }
