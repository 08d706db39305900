"""Trees of files as a change would leave them, and the engines that look at them for real."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bots.models import Scan
from hive.scan.analysis import ENGINES, analyse
from hive.scan.engine import Engine
from hive.scan.sandbox_runner import SandboxRunner, bench

Look = Callable[..., Scan]


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Write files and have them analysed; every line counts as added unless `added` says which."""

    def run(
        files: Mapping[str, str | bytes],
        *,
        added: Mapping[str, Sequence[int]] | None = None,
        engines: Sequence[Engine] | str = ENGINES,
        on: SandboxRunner | None = None,
    ) -> Scan:
        root = tmp_path / "head"
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
        whole = {name: range(1, len((root / name).read_bytes().split(b"\n")) + 1) for name in files}
        changed = {name: frozenset(lines) for name, lines in (whole if added is None else added).items()}
        if isinstance(engines, str):
            engines = [engine for engine in ENGINES if engine.name in engines.split()]
        return analyse(root, changed, "c0ffee", engines=engines, on=on or bench())

    return run
