"""A hive is destroyed and brought back: the same agents with their notes go on with what they were at, and nothing is done twice."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from click.testing import CliRunner

from forge.models import FileEdit
from hive.app.up import PRELOADED, begin
from hive.cli import main
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from hive.demo.scripted_replies import Task
from hive.demo.setup import AGENT, FORGE
from hive.supervisor.processes import Supervisor
from tests.stories.conftest import CONFIG, Hive, raised

ANSWER = "It is the first page."


class Slow:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.asked = threading.Event()

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        self.asked.set()
        self.may.wait(120)
        return ModelReply("", (ToolCall("finish", {"outcome": "answered", "message": ANSWER}),))


def hive_says(*words: str) -> str:
    """What a command says, which has to succeed."""
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 0, done.output
    return done.output


def raise_again(hive: Hive, config: Path) -> None:
    """Start its processes anew."""
    logs = hive.instance.settings.state / "logs"
    hive.tree = Supervisor(logs, lambda name, status: hive.deaths.append((name, status)), 10.0, PRELOADED)
    begin(config, hive.instance, hive.tree, lambda _: None)


def test_a_hive_is_destroyed_and_brought_back(tmp_path: Path, sandbox: str) -> None:
    """Its open run ends, its notes are there, nothing is posted twice; what was merged since the backup waits for an operator."""
    model = Slow()
    with raised(tmp_path, model, sandbox=sandbox) as hive:
        config, state, backup = tmp_path / "hive.yaml", hive.instance.settings.state, tmp_path.with_name("hive.tar")
        issue = hive.file(Task("A page is wrong", "Which one is it?"))
        assert model.asked.wait(120)
        notes = hive.instance.agents / AGENT / "state" / "notes.md"
        notes.write_text("the first page is the wrong one")
        hive.until(lambda: len(hive.mara.comments(issue)) == 2, "the comments on routing and progress")
        said = hive_says("backup", str(backup), str(config))
        assert f"{backup} is complete" in said
        text = hive.mara.file(CONFIG, "agent.yaml", "main").decode()
        edit = FileEdit("agent.yaml", text.replace("packages: []", "packages: [gzip]").encode())
        hive.mara.commit(CONFIG, [edit], message="x", branch="since", start="main")
        change = hive.mara.open_pull(CONFIG, head="since", base="main", title="since", body="").ref
        hive.until(lambda: hive.status(change, "hive/eval") == "success", "the plan")
        hive.merge(change)
        hive.until(lambda: any("iris runs" in each.body for each in hive.mara.comments(change)), "the deployment")

        hive.tree.stop()
        hive.instance.close()
        for name in ("ledger", "queue"):
            hive.instance.__dict__.pop(name, None)
        forge = tmp_path.with_name("forge-that-is-elsewhere")
        (state / FORGE).rename(forge)
        kept = config.read_text()
        shutil.rmtree(state)
        state.mkdir()
        config.write_text(kept)
        model.may.set()

        place = tmp_path.with_name("place.yaml")
        place.write_text(kept.replace("state: .", f"state: {tmp_path.with_name('brought-back')}"))
        assert "1 agents' directories" in hive_says("restore", str(backup), str(place))
        for path in tmp_path.with_name("brought-back").iterdir():
            path.rename(state / path.name)
        forge.rename(state / FORGE)
        raise_again(hive, config)
        try:
            assert notes.read_text() == "the first page is the wrong one"
            hive.until(lambda: any(ANSWER in each.body for each in hive.mara.comments(issue)), "the end of the run")
            current = hive.instance.agents / AGENT / "current"
            refused = "is on the branch and not approved"
            hive.until(lambda: [each for each in hive.subjects(CONFIG) if refused in each.title], "the refusal")
            assert not (current / "bin" / "gzip").exists(), "what it evaluated since, it does not remember"
            hive_says("adopt", AGENT, str(config), "--yes")
            hive.until((current / "bin" / "gzip").exists, "what was merged since")
            hive.settle()
            bodies = [comment.body for comment in hive.mara.comments(issue)]
            assert len(bodies) == len(set(bodies)) == 3, bodies
            reports = [each.body for each in hive.mara.comments(change) if "iris runs" in each.body]
            plans = [each.body for each in hive.mara.comments(change) if "Plan for iris" in each.body]
            assert (len(reports), len(plans)) == (1, 1)
        finally:
            hive.tree.stop()
