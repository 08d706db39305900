#!/bin/sh
# One would guess that a git that is told its work tree (GIT_DIR and GIT_WORK_TREE) finds `.gitattributes` there, wherever it is
# started, as `git check-attr` and `git status` do. In fact `git merge-tree --write-tree` looks for them below the current
# directory: with a work tree that holds `merge=union` it reports a conflict from everywhere else, and merges cleanly only when it
# is started in that work tree. Nothing warns: the same two commits give two answers.
# Known since git 2.39.5. The hive minds it in hive/git_mirror/attributes.py: a merge is started in the folder with the attributes.
set -eu
command -v git >/dev/null || exit 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
git --version
export HOME="$folder" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org

git init -q -b main made
cd made
echo 'list merge=union' >.gitattributes
echo one >list
git add . && git commit -qm base
git checkout -qb side && echo side >>list && git commit -qam side
git checkout -q main && echo main >>list && git commit -qam main
cd ..
git clone -q --bare made bare.git
mkdir tree elsewhere
cp made/.gitattributes tree/
export GIT_DIR="$folder/bare.git" GIT_WORK_TREE="$folder/tree"

merged() { # merged DIRECTORY: 0 without a conflict
    (cd "$1" && git merge-tree --write-tree main side >/dev/null)
}

same=0
echo "check-attr, started elsewhere: $(cd elsewhere && git check-attr merge list 2>&1)"
for row in "elsewhere 1" "bare.git 1" "tree 0"; do
    # shellcheck disable=SC2086 # two words
    set -- $row
    status=0
    merged "$1" || status=$?
    echo "merge-tree, started in $1: exit $status"
    [ "$status" = "$2" ] || same=1
done
exit $same
