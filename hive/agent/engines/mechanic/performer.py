"""Performs one wish on a checkout. Whatever cannot be done raises ToolError with a sentence, and changes nothing."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

from hive.agent.engines.mechanic import formatters, identifiers, patches, texts
from hive.agent.engines.mechanic.bumping import bump_dependency, bump_version
from hive.agent.engines.mechanic.checkout import REGULAR, Checkout
from hive.agent.engines.mechanic.formatters import Formatter
from hive.agent.engines.mechanic.identifiers import Occurrences
from hive.agent.engines.mechanic.phrasings import is_list
from hive.agent.engines.mechanic.reports import StepReport, code, place
from hive.agent.engines.mechanic.wishes import (
    AddLines,
    ApplyPatch,
    BumpDependency,
    BumpVersion,
    DeleteLines,
    DeletePath,
    HaveProgram,
    PutFile,
    Rename,
    ReplaceLine,
    ReplaceText,
    RunFormatters,
    Wish,
)
from hive.agent.errors import ToolError
from hive.agent.shell import CommandResult

MAX_CHANGED = 500
"""Files that one wish may change."""

PROGRAM = re.compile(r"[a-z0-9][a-z0-9+._-]{0,63}")
SO_ALREADY = "{path} reads so already"


@dataclass(frozen=True, slots=True)
class Performer:
    """Performs wishes; `run` lets a command run in the checkout."""

    checkout: Checkout
    run: Callable[[str], CommandResult]

    def perform(self, wish: Wish) -> StepReport:
        """Do it; raises ToolError if that is not possible."""
        match wish:
            case ApplyPatch(text):
                changed = patches.apply(self.checkout, text)
                said = f"applied the patch to {', '.join(map(code, changed[:10]))}{' …' * (len(changed) > 10)}"
                return StepReport(done=[said]) if changed else StepReport(same=[f"the patch: {patches.APPLIED}"])
            case ReplaceLine(path, line, new, old):
                patches.check_path(path)
                said = f"changed {place(path, line) if line else code(path)} as given"
                return self._edit(path, lambda text: texts.line_replaced(text, line, new, old, path), said)
            case AddLines(path, lines, where, beside):
                if is_list(path) and path not in self.checkout.modes():
                    return self._put(PutFile(path, "\n".join(lines) + "\n"))
                said = f"added {len(lines)} line{'s' * (len(lines) > 1)} to {code(path)}"
                return self._edit(path, lambda text: texts.lines_added(text, lines, where, beside, path), said)
            case DeleteLines(path, lines):
                said = f"deleted {len(lines)} line{'s' * (len(lines) > 1)} of {code(path)}"
                return self._edit(path, lambda text: texts.lines_deleted(text, lines, path), said)
            case ReplaceText():
                return self._replace(wish)
            case PutFile():
                return self._put(wish)
            case DeletePath():
                return self._delete(wish)
            case Rename():
                return self._rename(wish)
            case BumpDependency():
                return bump_dependency(self.checkout, wish)
            case BumpVersion():
                return bump_version(self.checkout, wish)
            case RunFormatters():
                return self._format(wish)
            case HaveProgram():
                return self._look_for(wish)

    def _edit(self, path: str, change: Callable[[str], str], said: str) -> StepReport:
        """Change one file's text."""
        [named] = self.checkout.chosen(self.checkout.modes(), [path])[:1]
        text = self.checkout.must_read(named)
        after = change(text)
        if after == text:
            return StepReport(same=[SO_ALREADY.format(path=code(named))])
        self.checkout.write(named, after)
        return StepReport(done=[said])

    def _replace(self, wish: ReplaceText) -> StepReport:
        changed: dict[str, tuple[str, int]] = {}
        has_new = []
        for path, text in self.checkout.sources(wish.paths):
            after, count = texts.replaced(text, wish.old, wish.new, whole=wish.whole)
            if count:
                changed[path] = after, count
            elif wish.new and wish.new in text:
                has_new.append(path)
        if not changed:
            where = ", ".join(map(code, wish.paths)) or "any text file"
            if has_new and wish.paths:
                return StepReport(same=[SO_ALREADY.format(path=code(path)) for path in has_new])
            raise ToolError(f"{code(wish.old)} does not stand in {where}")
        self._not_too_many(len(changed))
        for path, (after, _) in changed.items():
            self.checkout.write(path, after)
        return StepReport(done=[_replaced(wish, path, count) for path, (_, count) in changed.items()])

    def _put(self, wish: PutFile) -> StepReport:
        patches.check_path(wish.path)
        mode = self.checkout.modes().get(wish.path)
        if mode is not None and mode not in REGULAR:
            raise ToolError(f"{code(wish.path)} is a link or a repository of its own")
        text = self.checkout.text(wish.path) if mode is not None else None
        if text == wish.text:
            return StepReport(same=[SO_ALREADY.format(path=code(wish.path))])
        if mode is not None and not wish.replaces:
            raise ToolError(f"{code(wish.path)} is there already; to replace it, say: overwrite it with …")
        self.checkout.write(wish.path, texts.fitted(text, wish.text) if text else wish.text)
        return StepReport(done=[f"{'created' if mode is None else 'replaced'} {code(wish.path)}"])

    def _delete(self, wish: DeletePath) -> StepReport:
        modes = self.checkout.modes()
        found = self.checkout.chosen(modes, [wish.path])
        if not wish.is_folder and any(path.startswith(f"{wish.path}/") for path in found):
            raise ToolError(f"{code(wish.path)} is a folder with {len(found)} files; say: delete the folder")
        self._not_too_many(len(found))
        self.checkout.delete(found)
        return StepReport(done=[f"deleted {', '.join(map(code, found[:10]))}{' …' * (len(found) > 10)}"])

    def _rename(self, wish: Rename) -> StepReport:
        modes = self.checkout.modes()
        old = wish.old.removeprefix("./").rstrip("/")
        is_there = old in modes or any(path.startswith(f"{old}/") for path in modes)
        named = [path for path in modes if path.rpartition("/")[2] == old]
        if wish.kind == "file" or (not wish.kind and (is_there or named) and ("." in old or "/" in old)):
            return self._move(old if is_there or len(named) != 1 else named[0], wish.new, modes)
        return self._rename_identifier(wish)

    def _move(self, old: str, new: str, modes: dict[str, str]) -> StepReport:
        new = new.removeprefix("./")
        if not any(path == old or path.startswith(f"{old}/") for path in modes):
            near = get_close_matches(old, modes, 1)
            raise ToolError(f"there is no file {code(old)}{f'; the nearest is {code(near[0])}' if near else ''}")
        if new.endswith("/"):
            new += old.rpartition("/")[2]
        elif "/" not in new and "/" in old:
            new = f"{old.rpartition('/')[0]}/{new}"
        patches.check_path(new)
        clash = next((path for path in modes if path.lower() == new.lower() and path != old), None)
        if clash is not None:
            raise ToolError(f"{code(clash)} is there already: moving would lose one of the two")
        self.checkout.move(old, new)
        mentions = list(self._mentions(old))
        report = StepReport(done=[f"moved {code(old)} to {code(new)}"])
        if mentions:
            said = ", ".join(mentions[:10]) + " …" * (len(mentions) > 10)
            report.notes.append(f"{code(old)} is still named in {said}")
        return report

    def _mentions(self, path: str) -> list[str]:
        """Where a path, or a module by its name, is still named."""
        name = path.rpartition("/")[2]
        stem = name.rpartition(".")[0] if name.endswith(identifiers_suffixes()) else ""
        found = []
        for each, text in self.checkout.sources():
            for number, line in enumerate(text.split("\n"), 1):
                is_import = bool(stem) and re.search(rf"\b(?:import|from|require)\b.*\b{re.escape(stem)}\b", line)
                if name in line or is_import:
                    found.append(place(each, number))
        return found

    def _rename_identifier(self, wish: Rename) -> StepReport:
        old, new = identifiers.plain_name(wish.old), identifiers.plain_name(wish.new)
        if old == new:
            raise ToolError("both names are the same")
        found: dict[str, Occurrences] = {}
        known: set[str] = set()
        for path, text in self.checkout.sources(wish.paths):
            occurrences = identifiers.rename(path, text, old, new, in_text=wish.in_text)
            if occurrences.renamed or occurrences.left:
                found[path] = occurrences
            if not found and identifiers.kind(path) in {"python", "code"} and len(known) < 50_000:
                known.update(re.findall(r"[A-Za-z_]\w{2,60}", text))
        renamed = {path: each for path, each in found.items() if each.renamed}
        if not any(identifiers.kind(path) != "prose" for path in renamed):
            raise ToolError(_not_found(old, found, known))
        used = [
            place(path, line)
            for path, each in renamed.items()
            if identifiers.kind(path) != "prose"
            for line in each.has_new
        ]
        if used:
            more = f" and {len(used) - 5} more places" if len(used) > 5 else ""
            raise ToolError(
                f"{code(new)} is in use already, in {', '.join(used[:5])}{more}: renaming would merge the two"
            )
        self._not_too_many(len(renamed))
        for path, each in renamed.items():
            self.checkout.write(path, each.text)
        return _renamed(old, new, renamed, found)

    def _format(self, wish: RunFormatters) -> StepReport:
        checkout = self.checkout
        base = checkout.base_paths()
        tools = formatters.configured(base, checkout.base_text)
        report = StepReport(notes=formatters.not_run(base))
        asked = formatters.named(wish.tools)
        missing = sorted(
            set(wish.tools) - {name for name in wish.tools if formatters.named([name]) & {tool.name for tool in tools}}
        )
        report.undone += [f"{code(name)} is not configured in this repository" for name in missing]
        tools = [tool for tool in tools if (not asked or tool.name in asked) and (tool.layout or wish.fixes)]
        if not tools:
            report.undone += [] if missing else ["this repository configures no formatter that I know"]
            return report
        files = checkout.chosen(checkout.modes(), wish.paths)
        for tool in tools:
            self._run_tool(report, tool, files, wish)
        return report

    def _run_tool(self, report: StepReport, tool: Formatter, files: list[str], wish: RunFormatters) -> None:
        if not self._has(tool.program):
            report.lacks += [] if tool.program in report.lacks else [tool.program]
            return
        before = self.checkout.stage()
        for command in formatters.commands(tool, files, wish.paths, fixes=wish.fixes):
            self.checkout.between()
            result = self.run(command)
            if not result.is_good:
                report.undone.append(f"{code(tool.name)} failed: {code(str(result)[-MAX_OUTPUT:])}")
        changed = self.checkout.git("diff-tree", "-r", "--name-only", before, self.checkout.stage()).splitlines()
        if changed:
            report.done.append(f"{code(tool.name)} changed {len(changed)} file{'s' * (len(changed) > 1)}")
        else:
            report.same.append(f"{code(tool.name)} found nothing to change")

    def _look_for(self, wish: HaveProgram) -> StepReport:
        name = wish.name.lower()
        if not PROGRAM.fullmatch(name):
            raise ToolError(f"{code(wish.name)} is no name of a program")
        return StepReport(answers=[f"{code(name)} is in my container"]) if self._has(name) else StepReport(lacks=[name])

    def _has(self, program: str) -> bool:
        return self.run(f"command -v {shlex.quote(program)} >/dev/null").is_good

    @staticmethod
    def _not_too_many(count: int) -> None:
        if count > MAX_CHANGED:
            raise ToolError(f"that changes {count} files, and I change {MAX_CHANGED} at once at the most")


MAX_OUTPUT = 600


def identifiers_suffixes() -> tuple[str, ...]:
    """Suffixes of files that others import by their name."""
    return (".py", ".js", ".ts", ".jsx", ".tsx", ".mjs")


def _replaced(wish: ReplaceText, path: str, count: int) -> str:
    times = "once" if count == 1 else f"{count} times"
    if "\n" in wish.old.strip() or "\n" in wish.new.strip():
        return f"replaced the given lines in {code(path)}, {times}"
    what = f"{code(wish.old)} with {code(wish.new)}" if wish.new else f"{code(wish.old)} with nothing"
    return f"replaced {what} in {code(path)}, {times}"


def _renamed(old: str, new: str, renamed: dict[str, Occurrences], found: dict[str, Occurrences]) -> StepReport:
    lines = sum(len(each.renamed) for each in renamed.values())
    where = ", ".join(map(code, [*renamed][:8])) + " …" * (len(renamed) > 8)
    said = f"renamed {code(old)} to {code(new)} on {lines} line{'s' * (lines > 1)} of {where}"
    left = [place(path, line) for path, each in found.items() for line in each.left]
    report = StepReport(done=[said])
    if left:
        more = f" and {len(left) - 10} more places" if len(left) > 10 else ""
        report.notes.append(f"{code(old)} is left in text: {', '.join(left[:10])}{more}")
    return report


def _not_found(old: str, found: dict[str, Occurrences], known: set[str]) -> str:
    if found:
        where = [place(path, line) for path, each in found.items() for line in (*each.renamed, *each.left)]
        return f"{code(old)} is no identifier of the code: it stands in text only, in {', '.join(where[:5])}"
    near = get_close_matches(old, known, 1, 0.75)
    return f"there is no {code(old)} in the code{f'; the nearest is {code(near[0])}' if near else ''}"
