"""Which version of the hive runs is a matter of a few files, each of which is whole or not there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from hive.supervisor.generations import CURRENT, INSTALLED, TRIAL, WANTED, Generations, VersionChange, VersionOutcome

OLD, NEW = "a" * 40, "b" * 40
CHANGE = VersionChange(NEW, OLD, 7, 60.0)


@pytest.fixture
def generations(tmp_path: Path) -> Generations:
    """Two versions that were built."""
    made = Generations(tmp_path)
    for sha in (OLD, NEW):
        made.place(sha).mkdir()
        made.mark_built(sha)
    return made


def test_what_is_pointed_at_runs(generations: Generations) -> None:
    """Without a word it is what the operator installed, and so it is where a version is not whole, or no version."""
    assert generations.current() == INSTALLED
    generations.point(OLD)
    generations.point(NEW)
    assert generations.current() == NEW
    (generations.place(NEW) / "built.json").unlink()
    assert generations.current() == INSTALLED
    generations.point(INSTALLED)
    generations.point(INSTALLED)
    (generations.root / CURRENT).symlink_to("..")
    assert generations.current() == INSTALLED


@pytest.mark.parametrize("name", ["", "..", "../../etc", "A" * 40, "a" * 41, "main"])
def test_only_commits_are_versions(generations: Generations, name: str) -> None:
    """Nothing else becomes a path."""
    with pytest.raises(ValueError, match="not a commit"):
        generations.place(name)


def test_a_change_goes_its_way(generations: Generations) -> None:
    """Asked for, tried, settled, taken note of: each is one file, in the place of the one before."""
    generations.request(CHANGE)
    assert (generations.wanted(), generations.trial()) == (CHANGE, None)
    generations.begin()
    assert (generations.wanted(), generations.trial()) == (None, CHANGE)
    generations.note(replace(CHANGE, failed="it ended"))
    found = generations.trial()
    assert found is not None
    assert found.failed == "it ended"
    generations.settle(VersionOutcome(NEW, 7, runs=False, why="it ended"))
    assert generations.trial() is None
    assert generations.outcome() == VersionOutcome(NEW, 7, runs=False, why="it ended")
    generations.forget_outcome()
    generations.forget_outcome()
    assert generations.outcome() is None


def test_what_is_not_built_is_not_wanted(generations: Generations) -> None:
    """A request for a version that is not there is none."""
    generations.request(replace(CHANGE, sha="c" * 40))
    assert generations.wanted() is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '{"sha": "x"}',
        json.dumps({"sha": NEW}),
        json.dumps({"sha": "../x", "previous": OLD, "deployment": 1, "seconds": 1}),
    ],
)
def test_files_that_nobody_wrote(generations: Generations, content: str) -> None:
    """What cannot be read is not there; what another version added is left out."""
    for name in (WANTED, TRIAL):
        (generations.root / name).write_text(content)
    assert (generations.wanted(), generations.trial()) == (None, None)
    (generations.root / TRIAL).write_text(
        json.dumps({"sha": NEW, "previous": OLD, "deployment": 7, "seconds": 60.0, "later": True})
    )
    assert generations.trial() == CHANGE


def test_only_the_version_that_was_asked_is_up(generations: Generations) -> None:
    """What another one said, or one of before, proves nothing."""
    assert not generations.is_up(NEW)
    generations.say_up(OLD)
    assert not generations.is_up(NEW)
    generations.say_up(NEW)
    assert generations.is_up(NEW)
    generations.forget_up()
    assert not generations.is_up(NEW)


def test_old_versions_go(generations: Generations) -> None:
    """What neither runs nor is kept is deleted, and nothing else that lies there."""
    third = generations.place("c" * 40)
    third.mkdir()
    (generations.root / "launcher.lock").touch()
    generations.point(NEW)
    generations.tidy({OLD})
    assert not third.exists()
    assert generations.is_built(OLD)
    generations.tidy(set())
    assert generations.current() == NEW
    assert not generations.place(OLD).exists()
    assert (generations.root / "launcher.lock").exists()
