#!/bin/sh
# One would guess that `kind: ERROR` finds each place at which a file does not parse: it is ast-grep's word for it, and `ast-grep`
# has no other. In fact tree-sitter repairs what it can by putting in a token that is missing, and such a node is no ERROR: a
# file of which a closing bracket or brace is missing has no match, the run ends with status 0, and "no error" would be said of
# code that no JavaScript engine reads. The put-in token is a node without text, and can be found as a child of its parent by
# `has: {regex: '^$'}`; not by its kind alone, and not without a list of the kinds of parents.
# Known since ast-grep-cli 0.51.1. The hive minds it in hive/scan/syntax.py: it looks for both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv env || exit 2
env/bin/pip install --quiet ast-grep-cli==0.51.1 || exit 2
env/bin/ast-grep --version

printf 'const total = sum([1, 2, 3];\n' >bracket.js
printf 'function area(w, h) {\n  return w * h;\n' >brace.js
printf 'const = 3;\n' >other.js

scan() { # scan RULE FILE: how many places it finds
    env/bin/ast-grep scan --json=stream --inline-rules "{id: found, language: JavaScript, rule: $1}" "$2" | grep -c . || true
}
same=0
for row in "bracket.js 0 1" "brace.js 0 1" "other.js 1 0"; do
    # shellcheck disable=SC2086 # three words
    set -- $row
    error=$(scan '{kind: ERROR}' "$1")
    missing=$(scan "{any: [{kind: arguments}, {kind: statement_block}], has: {regex: '^\$'}}" "$1")
    echo "$1: $error by kind ERROR, $missing by a node without text"
    [ "$error $missing" = "$2 $3" ] || same=1
done
exit $same
