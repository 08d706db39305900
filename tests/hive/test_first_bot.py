"""The bot of the tutorial is short, and works as the tutorial says."""

from __future__ import annotations

import re
from pathlib import Path

from forge.events import IssueOpened
from hive.app.house import House
from hive.app.work import workshop
from hive.settings import load
from hive.work import Worker
from tests.hive.conftest import APP, Village

DOC = Path(__file__).parent.parent.parent / "docs" / "first-bot.md"


def test_one_short_file_and_one_line(village: Village, tmp_path: Path) -> None:
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

    house = House(load(config))
    try:
        worker = Worker(workshop(house))
        with_path = village.mara.open_issue(APP, "One", "See apiary/page.py.", marker="See").ref
        without = village.mara.open_issue(APP, "Two", "See it.", marker="See it").ref
        for ref in (with_path, with_path, without):
            event = IssueOpened(ref, village.mara.user("mara"), f"opened:{ref}")
            for job in house.ledger.jobs.owe("acme", [("thanks", event)]):
                worker.look(job)
    finally:
        house.close()
    (said,) = village.mara.comments(with_path)
    assert said.body.startswith("🙏 Thank you for naming `apiary/page.py`")
    assert said.author.login == "core"
    assert village.mara.comments(without) == []
