#!/bin/sh
# Writes the page of all hives as honey.txt.gz: download.sh HIVES DIRECTORY
set -eu
python3 -c 'import sys; from pathlib import Path; from apiary.page import page; print(page(Path(sys.argv[1])), end="")' "$1" |
    gzip -n >"$2/honey.txt.gz"
