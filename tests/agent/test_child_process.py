"""A child process under watch."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

from hive.agent.child_process import ChildResult, Deadlines, watch

SCRIPT = "sleep 600 & read word && echo $word"


@dataclass
class ShortOfTime:
    """A process on a machine so busy that it writes and ends between a look into its output and the question whether it has ended."""

    process: subprocess.Popen[bytes]
    pid: int = field(init=False)

    def __post_init__(self) -> None:
        self.pid = self.process.pid

    def poll(self) -> int | None:
        """Its status: it has ended when it is asked for."""
        return self.wait()

    def wait(self) -> int:
        """Its status."""
        assert self.process.stdin is not None
        if not self.process.stdin.closed:
            self.process.stdin.write(b"late\n")
            self.process.stdin.close()
        return self.process.wait()


def test_last_words_are_heard() -> None:
    """What a process writes before it ends is read, however late that is noticed, and although what it left holds its output open."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        ["sh", "-c", SCRIPT], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        came = watch(ShortOfTime(process), process.stdout, process.stderr, Deadlines(60.0, 60.0))
    assert came == ChildResult(0, b"late\n", b"")
