"""What a change has to pass before it is pushed: its size, no keys in it, and the repository's own checks on a clean copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hive.agent.broker_client import CheckOutcome
from hive.agent.clean_copy import CleanCopy
from hive.agent.commit_check import MARKED, has_marks
from hive.agent.errors import ToolError
from hive.agent.key_patterns import keys_in
from hive.agent.large_files import named
from hive.agent.shell import CommandResult
from hive.agent.turn import TurnBrief
from hive.agent.worktree import WorkTree

CHECK_FAILED = """\
Not submitted, because a check failed on a clean copy of the commit, without what git ignores: {command}
{outcome}"""
TOO_MANY = "Not submitted: the change has {count} {what}, and {most} is the most here. Make it smaller, or do a part of it and say what is not done."
KEY = """\
Not submitted: what you add to {path} looks like a key or a token. Nothing like it may be pushed, not even in an earlier commit: take it \
out, and if you committed it yourself, commit again without it (git reset --soft origin/{base})."""
NO_LFS = """\
Not submitted: .gitattributes keeps {paths} in Git LFS, and what it holds cannot be uploaded from here; in a commit it would be a file that \
nobody can check out as it should be. Leave it as the base has it (git checkout origin/{base} -- PATH, or git rm for a new one) and commit \
again without it (git reset --soft origin/{base}), and say at the end of your turn what is missing."""


@dataclass(frozen=True, slots=True)
class PushGate:
    """The gate of one turn. `check` runs a command in the clean copy, by the clock of the turn."""

    turn: TurnBrief
    tree: WorkTree
    copy: CleanCopy
    check: Callable[[str], CommandResult]

    def weigh(self) -> None:
        """Raise ToolError for a change that is too large, or holds what looks like a key."""
        files, lines = self.tree.view.size()
        for count, most, what in ((files, self.turn.max_files, "files"), (lines, self.turn.max_lines, "lines")):
            if most and count > most:
                raise ToolError(TOO_MANY.format(count=count, most=most, what=what))
        if raw := self.tree.view.raw_files():
            raise ToolError(NO_LFS.format(paths=named(raw), base=self.turn.base))
        for file in self.tree.view.change():
            if has_marks(b"\n".join(file.added)) and not has_marks(b"\n".join(file.removed)):
                raise ToolError(MARKED.format(paths=file.path, has="has"))
            if keys_in(b"\n".join(file.added)) - keys_in(b"\n".join(file.removed)):
                raise ToolError(KEY.format(path=file.path, base=self.turn.base))

    def run_checks(self) -> list[CheckOutcome]:
        """Run the repository's checks on the newest commit; raises ToolError with the output of one that fails."""
        if not self.turn.checks:
            return []
        with self.copy.of(self.tree.view.head(), hash_function=self.tree.hash_function()):
            for command in self.turn.checks:
                outcome = self.check(command)
                if not outcome.is_good:
                    raise ToolError(CHECK_FAILED.format(command=command, outcome=outcome))
        return [{"command": command, "ok": True} for command in self.turn.checks]
