"""What all agents have learned is there for each turn, and is no reason not to work."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hive.agent.knowledge import MAX_BYTES
from hive.demo.model import DiffResponder, ModelReply, Scene, Script, ToolCall
from tests.agent.conftest import GIT, World

LOOK = 'cat "$KNOWLEDGE/README.md"; echo "[$KNOWLEDGE]"; ls -A "$KNOWLEDGE"'
LORE = "hive/knowledge"


def looks(world: World, repo: str = LORE) -> str:
    """What a command of a turn sees of it; the turn ends well in any case."""
    calls = (ToolCall("run", {"command": LOOK}),)
    finish = ToolCall("finish", {"outcome": "answered", "message": "So it is."})
    world.responder = Script(
        [Scene("", (ModelReply("Let me see.", calls), ModelReply(calls=(finish,))))], DiffResponder()
    )
    number = 7 + len(world.turns)
    assert world.hold(knowledge=repo, run=number)["outcome"] == "answered"
    return world.results(number)[0]


def learn(world: World, folder: Path, **files: str) -> None:
    """An operator merges something."""
    subprocess.run(["git", "clone", "-q", world.folder / "git" / f"{LORE}.git", folder], env=GIT, check=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    for words in (["add", "-A"], ["commit", "-q", "-m", "learn"], ["push", "-q", "origin", "HEAD:main"]):
        subprocess.run(["git", *words], cwd=folder, env=GIT, check=True)


def test_each_turn_reads_what_is_known_by_then(world: World, tmp_path: Path) -> None:
    """It lies at one place, which commands are told, as it is on the forge when the turn begins, and without its past."""
    place = world.place.state / "knowledge"
    assert looks(world) == f"Bees dance.\n[{place}]\nREADME.md\n[exit status 0]"
    learn(world, tmp_path / "more", MORE="Wasps do not.")
    assert "MORE" in looks(world)
    assert not place.with_name("knowledge.part").exists()


def test_what_cannot_be_fetched_is_no_reason_not_to_work(world: World, tmp_path: Path) -> None:
    """Without an answer, without the repository, or when it is too large, there is what was there before, or nothing."""
    assert "[]" in looks(world, "hive/none")
    assert "Bees dance." in looks(world)
    world.answers["git-upload-pack"] = [500]
    assert "Bees dance." in looks(world)
    learn(world, tmp_path / "more", LARGE="\0" * (MAX_BYTES + 1))
    assert "LARGE" not in looks(world)
    assert "[]" in looks(world, ""), "a hive that has none of it leaves nothing of it"


def test_what_a_command_put_in_its_place_is_taken_away(world: World, tmp_path: Path) -> None:
    """Where nothing is confined a command can write there; the next turn does not follow it."""
    (tmp_path / "README.md").write_text("precious")
    for name in ("knowledge", "knowledge.part"):
        (world.place.state / name).symlink_to(tmp_path)
    assert "Bees dance." in looks(world)
    assert (tmp_path / "README.md").read_text() == "precious"
