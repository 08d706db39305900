"""The one place that starts engines: with a bare environment, limits, and an end that they cannot put off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hive.agent.child_process import Share, confine

_PACKAGES = Path(__file__).parents[2]


class EngineFailed(Exception):
    """An engine did not finish; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class SandboxRunner:
    """Where engines run: the folders of their executables, and what one run may use.

    `seconds` is wall-clock time, `output` and `memory` are bytes. Measured: half a megabyte of Python, JavaScript, shell or
    YAML needs less than the default of `memory` with every engine; 370 bytes of YAML aliases take detect-secrets 1.5 beyond any.
    """

    folders: tuple[Path, ...]
    seconds: float = 60.0
    output: int = 32 * 1024 * 1024
    memory: int = 512 * 1024 * 1024

    def run(self, program: str, words: Sequence[str], folder: Path) -> tuple[int, str]:
        """Run a program in a folder; returns its exit status and what it wrote to standard output.

        Raises EngineFailed if it is missing, or was ended because it took too much of anything.
        """
        found = self.find(program)
        if found is None:
            raise EngineFailed("is not installed")
        with tempfile.TemporaryFile() as out:
            with self._started([found, *words], folder, out.fileno()) as process:
                try:
                    status = process.wait(self.seconds)
                except subprocess.TimeoutExpired as error:
                    raise EngineFailed(f"did not finish within {self.seconds:g} seconds") from error
            if out.seek(0, os.SEEK_END) >= self.output:
                raise EngineFailed(f"wrote more than {self.output} bytes")
            if status < 0:
                raise EngineFailed(f"was ended by {signal.Signals(-status).name}")
            out.seek(0)
            return status, out.read().decode("utf-8", "replace")

    def find(self, program: str) -> str | None:
        """Where a program is; None if it is not installed."""
        return shutil.which(program, path=os.pathsep.join(map(str, self.folders)))

    @contextmanager
    def _started(self, words: Sequence[str], folder: Path, out: int) -> Iterator[subprocess.Popen[bytes]]:
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=self._environment(folder),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.DEVNULL,  # may quote the change, secrets and all
                start_new_session=True,
            )
        except OSError as error:
            raise EngineFailed(f"could not be started: {error.strerror}") from error
        try:
            confine(process.pid, Share(self.memory, file=self.output, output=self.output, cpu=int(self.seconds) + 1))
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _environment(self, folder: Path) -> dict[str, str]:
        return {
            "PATH": os.pathsep.join(map(str, self.folders)),
            "PYTHONPATH": str(_PACKAGES),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
        }


def bench() -> SandboxRunner:
    """The bench of this installation: executables stand next to its Python first, then on PATH."""
    places = (Path(place) for place in os.get_exec_path())
    return SandboxRunner((Path(sys.executable).parent, *(place for place in places if place.is_absolute())))
