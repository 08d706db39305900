"""The embedded forge in the tests of other projects."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from forge.embedded import FLAVOURS
from forge.embedded.fixture import every_forge

if TYPE_CHECKING:
    from forge.embedded.fixture import SmallForge

ROOT = Path(__file__).parents[2]
every = pytest.fixture(every_forge, params=FLAVOURS)


def test_the_admin_is_ready(every: SmallForge) -> None:
    """The fixture's admin may do everything by his token, on a forge of each flavour."""
    answer = requests.get(f"{every.url}/api/v1/admin/users", headers=every.headers, timeout=30)
    assert [user["login"] for user in answer.json()] == [every.login]
    assert requests.get(f"{every.url}/api/v1/user", auth=(every.login, every.password), timeout=30).json()["is_admin"]


def test_the_example_of_the_docs_runs(tmp_path: Path) -> None:
    """What the documentation says to write is a test that passes."""
    text = (ROOT / "docs" / "embedded-forge.md").read_text()
    (example,) = re.findall(r"```python\n(import pytest\n.*?)```", text, re.DOTALL)
    (tmp_path / "test_example.py").write_text(example)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "."]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr
