"""The bot of the tutorial is short, and works as the tutorial says."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forge.events import IssueOpened
from hive.app.work import worker_deps
from hive.config import load
from hive.demo.setup import write_config
from hive.instance.instance import Instance, StartupError
from hive.worker.worker import Worker
from tests.backends import everyday
from tests.hive.conftest import APP, HiveEnv

DOC = Path(__file__).parent.parent.parent / "docs" / "first-bot.md"


def test_one_short_file_and_one_line(hive_env: HiveEnv, tmp_path: Path) -> None:
    """Copied from the page, with its line of configuration, it thanks once and only for a path."""
    text = DOC.read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    line = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert code is not None
    assert line is not None
    assert code[1].count("\n") < 40
    assert line[1].count("\n") == 1
    (tmp_path / "thanks.py").write_text(code[1])
    config = tmp_path / "hive.yaml"
    config.write_text(config.read_text() + line[1])

    instance = Instance(load(config))
    try:
        worker = Worker(worker_deps(instance))
        with_path = hive_env.mara.open_issue(APP, "One", "See apiary/page.py.", marker="See").ref
        without = hive_env.mara.open_issue(APP, "Two", "See it.", marker="See it").ref
        for ref in (with_path, with_path, without):
            event = IssueOpened(ref, hive_env.mara.user("mara"), f"opened:{ref}")
            for job in instance.ledger.jobs.enqueue("acme", [("thanks", event)]):
                worker.run_job(job)
    finally:
        instance.close()
    (said,) = hive_env.mara.comments(with_path)
    assert said.body.startswith("🙏 Thank you for naming `apiary/page.py`")
    assert said.author.login == "core"
    assert hive_env.mara.comments(without) == []


BOT = "from bots.bot import Bot\nbot = Bot({name!r}, may=set())\n"


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str, str, str], str]:
    """Write a file beside a configuration that names a module; returns what is said of it, or the bots there are."""

    def write(module: str, file: str, text: str) -> str:
        (tmp_path / "helper.py").write_text("")
        config = write_config(tmp_path, forge_port=1, web_port=1, model_url="http://127.0.0.1:1", sandbox=everyday())
        config.write_text(config.read_text() + f"bots: [bots.triage, {module}]\n")
        if file:
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(text)
        try:
            return " ".join(Instance(load(config)).bots)
        except StartupError as error:
            return str(error)

    return write


@pytest.mark.parametrize(
    ("module", "file", "text", "said"),
    [
        ("mine", "mine.py", BOT.format(name="mine"), "triage mine"),
        ("own.mine", "own/mine.py", BOT.format(name="mine"), "triage mine"),
        ("mine", "", "", "bots: mine holds no bot: it is not installed, and there is no "),
        ("bots.traige", "", "", "bots: bots.traige holds no bot: it is not installed"),
        ("mine", "mine.py", "x = 1\n", "bots: mine holds no bot: it has no `bot = Bot(…)`"),
        ("mine", "mine.py", "bot = (\n", "bots: mine cannot be read (SyntaxError: "),
        ("mine", "mine.py", "1 / 0\n", "bots: mine cannot be read (ZeroDivisionError: "),
        (
            "mine",
            "mine.py",
            "import nobody_has_this\n",
            "bots: mine cannot be read (ModuleNotFoundError: No module named",
        ),
        (
            "mine",
            "mine.py",
            "import helper\n",
            "bots: mine cannot be read (ModuleNotFoundError: No module named 'helper'",
        ),
        ("mine", "mine.py", BOT.format(name="triage"), "bots: mine holds a bot whose name is taken: triage"),
        ("json", "json.py", BOT.format(name="mine"), "bots: json holds no bot: it has no `bot = Bot(…)`"),
        ("yaml", "yaml.py", BOT.format(name="mine"), "bots: yaml holds no bot: it has no `bot = Bot(…)`"),
    ],
)
def test_an_own_bot_is_one_file(
    own: Callable[[str, str, str], str], module: str, file: str, text: str, said: str
) -> None:
    """The file of the name that is configured, in the folder of the configuration, and nothing else from there."""
    before = list(sys.path)
    assert own(module, file, text).startswith(said)
    assert sys.path == before


def test_a_file_that_anybody_can_write_is_no_bot(own: Callable[[str, str, str], str], tmp_path: Path) -> None:
    """Whoever can write a bot can say what the hive does."""
    assert own("mine", "mine.py", BOT.format(name="mine")) == "triage mine"
    (tmp_path / "mine.py").chmod(0o666)
    assert "run: chmod o-w" in own("mine", "", "")


def test_an_account_of_no_bot(own: Callable[[str, str, str], str], tmp_path: Path) -> None:
    """A slip in the name of a bot would let it speak under another account: it is told, with the nearest name."""
    own("mine", "mine.py", BOT.format(name="mine"))
    config = tmp_path / "hive.yaml"
    config.write_text(config.read_text().replace("accounts: {", "accounts: {mien: somebody, "))
    with pytest.raises(StartupError, match="accounts: no bot is named 'mien'; did you mean 'mine'"):
        assert Instance(load(config)).bots
