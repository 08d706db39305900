"""A demo works with the engine that was asked for, else with one that is of use where it runs."""

from __future__ import annotations

import pytest

from hive.agent.engines.mechanic.request_reader import read
from hive.agent.turn import PlainRequest
from hive.demo import engines
from hive.demo.scripted_replies import HONEY, HOST, Task, welcome
from hive.instance.instance import StartupError


@pytest.mark.parametrize("wanted", ["", "native", "claude-code", "mechanic"])
def test_choice(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of one's own without a key gets the engine that needs none; a scripted model plays for those that need one."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    assert engines.chosen(wanted, is_own_project=False) == (wanted or "native")
    assert engines.chosen(wanted, is_own_project=True) == (wanted or "mechanic")
    assert engines.is_scripted(wanted) == (wanted != "mechanic")
    assert not engines.thinks(wanted)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    assert engines.chosen(wanted, is_own_project=True) == (wanted or "native")
    assert not engines.is_scripted(wanted)
    assert engines.thinks(wanted) == (wanted != "mechanic")


def test_a_missing_program() -> None:
    """One sentence says what is missing, and what else there is."""
    with pytest.raises(StartupError, match="no `claude` where containers see it, in /nowhere: npm install"):
        engines.require("claude-code", ("/nowhere",))
    engines.require("native", ("/nowhere",))


@pytest.mark.parametrize("task", [HONEY, HOST, welcome(()), engines.RENAME])
def test_stories_need_no_model(task: Task) -> None:
    """Each issue of the story that a demo without a model files can be done without one."""
    assert read(PlainRequest(title=task.title, body=task.body)).wishes
