"""The command line for tests that look at its words: a process for each command, forked from one that has imported all.

A start from nothing takes longer than most commands do, and is proved where `hive` is started as a stranger does.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["hive.cli", "hive.provision", "hive.demo.demo", "hive.app.preload", "hive.app.up"])


def hive(
    *words: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `hive WORDS` to its end; `env` is added to what there is. Raises TimeoutError."""
    with TemporaryDirectory(prefix="hive-said-") as place:
        out, err = Path(place, "out"), Path(place, "err")
        told = (words, str(cwd or Path.cwd()), {**os.environ, **(env or {})}, str(out), str(err))
        process = _FORKS.Process(target=_main, args=told)
        process.start()
        process.join(timeout=300)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"hive {' '.join(words)} came to no end: {err.read_text()}")
        status = process.exitcode
        process.close()
        return subprocess.CompletedProcess(words, status, out.read_text(), err.read_text())


def _main(words: tuple[str, ...], cwd: str, env: dict[str, str], out: str, err: str) -> None:
    for path, stream in ((out, sys.stdout), (err, sys.stderr)):
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.dup2(file, stream.fileno())
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["hive", *words]
    runpy.run_module("hive", run_name="__main__")
