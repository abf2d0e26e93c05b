#!/bin/sh
# exports.sh LIBRARY: every symbol that the library defines is quern_*.
set -eu
symbols=$(nm -D --defined-only "$1" | awk '{print $NF}')
[ -n "$symbols" ] || { echo "no symbols in $1"; exit 1; }
other=$(echo "$symbols" | grep -v '^quern_' || true)
[ -z "$other" ] || { echo "exported by mistake:"; echo "$other"; exit 1; }
echo "$symbols" | grep -q '^quern_generate$'
