"""`python -m bench.review`: the review on the corpus, by language, with all that it missed or saw in vain."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.review.corpus import BLIND, FOLDER, Change, Fault, corpus
from bots.models import Finding, Level
from hive.scan.analysis import analyse
from hive.scan.sources import Before, OldFile


@dataclass(frozen=True, slots=True)
class Score:
    """What was seen of one change or of many."""

    seen: int = 0
    missed: int = 0
    false: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.seen + other.seen, self.missed + other.missed, self.false + other.false)

    @property
    def precision(self) -> float:
        """The part of what was said that is right; 1 if nothing was said."""
        return self.seen / (self.seen + self.false) if self.seen + self.false else 1.0

    @property
    def recall(self) -> float:
        """The part of the faults that was seen; 1 if there are none."""
        return self.seen / (self.seen + self.missed) if self.seen + self.missed else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """A change with what the review says of it."""

    change: Change
    findings: tuple[Finding, ...]

    @property
    def missed(self) -> list[Fault]:
        """Faults that nothing was said of, in order."""
        return sorted(self.change.faults - self._said())

    @property
    def false(self) -> list[Finding]:
        """Findings that no fault stands behind."""
        known = self.change.faults | self.change.open_ones
        return [item for item in self.findings if Fault(item.path, item.line, item.category.value) not in known]

    @property
    def is_blocked(self) -> bool:
        """Whether the review asks for something before the merge."""
        return any(item.effective_level is Level.RED for item in self.findings)

    @property
    def score(self) -> Score:
        """The counts."""
        return Score(len(self.change.faults & self._said()), len(self.missed), len(self.false))

    def _said(self) -> set[Fault]:
        return {Fault(item.path, item.line, item.category.value) for item in self.findings}


def look(changes: Sequence[Change]) -> list[Result]:
    """Review all changes as one: no two of them have a path in common."""
    with tempfile.TemporaryDirectory(prefix="hive-bench-") as name:
        head, base = Path(name, "head"), Path(name, "base")
        added: dict[str, frozenset[int]] = {}
        old: dict[str, OldFile] = {}
        for file in (file for change in changes for file in change.files):
            _write(head / file.path, file.new)
            added[file.path] = frozenset(file.added)
            if not file.is_new:
                _write(base / file.path, file.old)
                old[file.path] = OldFile(file.path, frozenset(file.removed))
        scan = analyse(head, added, "0" * 40, before=Before(base, old))
    for who, why in (*scan.failed, *scan.skipped):
        print(f"not reviewed: {who}: {why}", file=sys.stderr)
    wanting = [item for item in scan.findings if item.level is not Level.GREEN]
    return [Result(change, tuple(_of(change, wanting))) for change in changes]


def _of(change: Change, findings: Iterable[Finding]) -> Iterable[Finding]:
    paths = {file.path for file in change.files}
    return [item for item in findings if item.path in paths]


def _write(file: Path, lines: Sequence[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def table(results: Sequence[Result]) -> str:
    """The scores, language by language."""
    rows = ["language      changes  faults    P    R   F1"]
    languages = dict.fromkeys(result.change.language for result in results)
    for language in (*languages, "all"):
        mine = [result for result in results if language in {result.change.language, "all"}]
        score = sum((result.score for result in mine), Score())
        faults = score.seen + score.missed
        numbers = f"{score.precision:5.2f}{score.recall:5.2f}{score.f1:5.2f}"
        rows.append(f"{language:<14}{len(mine):7}{faults:8}{numbers}")
    faulty = [result for result in results if result.change.faults]
    clean = [result for result in results if not result.change.faults and not result.change.open_ones]
    rows.append(f"faulty blocked: {sum(result.is_blocked for result in faulty)} of {len(faulty)}")
    rows.append(f"clean passed: {sum(not result.is_blocked for result in clean)} of {len(clean)}")
    rows.append(f"twins told apart: {_told(results)} of {sum(result.change.is_twin for result in results)}")
    return "\n".join(rows)


def _told(results: Sequence[Result]) -> int:
    """The twins of which one is blocked, and not the other."""
    by_name = {result.change.name: result for result in results}
    return sum(
        by_name[name.removesuffix("~")].is_blocked and not twin.is_blocked
        for name, twin in by_name.items()
        if name.endswith("~")
    )


def report(results: Iterable[Result]) -> Iterable[str]:
    """Each fault that was missed and each finding in vain, by name."""
    for result in results:
        for fault in result.missed:
            yield f"missed {result.change.name}: {fault.path}:{fault.line} {fault.kind}"
        for item in result.false:
            yield f"false  {result.change.name}: {item.path}:{item.line} {item.category.value} {item.engine} {item.rule}"


def main(words: Sequence[str] | None = None) -> None:
    """For each part of the corpus what was missed or false, and a table; `--only` takes changes whose name holds a word."""
    parser = argparse.ArgumentParser(prog="python -m bench.review", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD")
    parser.add_argument("--all", action="store_true", help="show every finding")
    options = parser.parse_args(words)
    for folder in (FOLDER, *BLIND):
        wanted = [change for change in corpus(folder) if options.only in f"{change.language} {change.name}"]
        results = look(wanted)
        print(f"## {folder.name}")
        for row in report(results):
            print(row)
        if options.all:
            _show(results)
        print(table(results), end="\n\n")


def _show(results: Iterable[Result]) -> None:
    for item in (item for result in results for item in result.findings):
        print(
            f"{item.path}:{item.line} {item.level.name} {item.category.value} {item.engine} {item.rule}: {item.title}"
        )


if __name__ == "__main__":
    main()
