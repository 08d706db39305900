"""What an agent did in a run, in lines for a terminal: from the host's copy of its transcript. Decides nothing.

All engines write the same lines, so it shows them alike. Everything in them was written by a model, a command or a person:
control characters are shown, never passed on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bots.money import dollars
from hive.agent.transcript_reading import TOKENS_IN, text_of
from hive.instance.instance import StartupError
from hive.ledger import BookedAnswer, Ledger
from hive.ledger.runs import RunRecord
from hive.outbox.progress_text import short_count, state
from hive.outbox.run_footer import footer
from hive.reconcile.logs import shown

SHORT = 12
"""Lines that are printed of one text, unless all of it is wanted."""

NEWEST = 20
"""Runs that are listed."""

NO_RUNS = "no agent has worked on anything yet"
FORGOTTEN = "(what was said and done in it is forgotten: `keep_days`)"
INDENT = "    "
OWN_TOOLS = "mcp__hive__"
"""How engines with a server of tools name those of the hive."""


def runs(ledger: Ledger) -> Iterator[str]:
    """One line for each of the newest runs: whose, where, how it stands, and what it used."""
    rows = []
    for run in ledger.runs.newest(NEWEST):
        found = ledger.progress.of(run)
        if found is not None:
            at = found[0]
            pull = f"#{at.pull.number}" if at.pull else ""
            used = footer(ledger.spending.of_run(run)) or f"{at.steps} steps"
            rows.append((str(run), at.agent, str(at.ref), pull, _plain(state(at)), used))
    if not rows:
        yield NO_RUNS
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield shown("  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip())


def record(ledger: Ledger, run: int, *, whole: bool = False) -> Iterator[str]:
    """Print a run from its start; raises StartupError if there is none. Long texts are cut unless `whole`."""
    printer = RunPrinter(ledger, run, whole=whole)
    yield from printer.heading()
    found = list(printer.news())
    yield from found or [FORGOTTEN]


def follow(ledger: Ledger, run: int, wait: Callable[[], None], *, whole: bool = False) -> Iterator[str]:
    """Print a run from its start, then what is new after each `wait`, until it has ended."""
    printer = RunPrinter(ledger, run, whole=whole)
    yield from printer.heading()
    while True:
        is_over = printer.is_over()  # asked first: what came before the end is printed
        yield from printer.news()
        yield from printer.changes()
        if is_over:
            return
        wait()


@dataclass
class RunPrinter:
    """Prints a run piece by piece; raises StartupError if there is none."""

    ledger: Ledger
    run: int
    whole: bool = False
    _lines: int = 0
    _step: int = 0
    _turn: int = 0
    _state: str = ""
    _booked: dict[int, list[BookedAnswer]] = field(default_factory=dict)

    def heading(self) -> Iterator[str]:
        """Whose it is, where, and what it used so far."""
        found = self._record()
        ended = f": {found.outcome}" if found.outcome else ""
        yield shown(f"run {found.id}  {found.agent}  {found.ref}  {found.state}{ended}")
        if found.pull:
            yield shown(f"pull request {found.pull}")
        yield f"{found.steps} steps, {found.tokens_in} tokens read, {found.tokens_out} written"
        if cost := footer(self.ledger.spending.of_run(self.run)):
            yield cost

    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self._record().state != "open"

    def news(self) -> Iterator[str]:
        """What the transcript holds since the last time."""
        lines = self.ledger.transcripts.since(self.run, self._lines)
        if not lines:
            return
        self._read_bookings()
        found = self._record()
        for at, line in lines:
            self._lines += 1
            if "turn" in line:
                self._turn, self._step = line["turn"], 0
                yield shown(self._heading_of_turn(found, at))
            self._step += line.get("role") == "assistant"
            for text in self._texts(line, at):
                yield from (shown(each) for each in _cut(text, whole=self.whole))

    def changes(self) -> Iterator[str]:
        """How the run stands, if that has changed."""
        found = self.ledger.progress.of(self.run)
        now = "" if found is None else _plain(state(found[0]))
        if now != self._state:
            self._state = now
            yield shown(f"\n{now}")

    def _record(self) -> RunRecord:
        found = self.ledger.runs.record(self.run)
        if found is None:
            raise StartupError(f"there is no run {self.run}")
        return found

    def _read_bookings(self) -> None:
        self._booked = {}
        for answer in self.ledger.spending.answers(self.run):
            self._booked.setdefault(answer.turn, []).append(answer)

    def _heading_of_turn(self, found: RunRecord, at: float) -> str:
        words = [found.turns.get(self._turn, ""), _time(at)]
        booked = self._booked.get(self._turn, [])
        if booked:
            words.append(dollars(sum(answer.cost for answer in booked)))
        return f"\nturn {self._turn}  {'  '.join(filter(None, words))}"

    def _texts(self, line: Mapping[str, Any], at: float) -> Iterator[str]:
        """The texts of one line, each with what it is."""
        if "shortened" in line or "new" in line:
            yield "  the conversation was compacted" if "shortened" in line else "  the conversation started over"
        if "checkpoint" in line:
            yield "  before it is compacted"
        if line.get("role") == "assistant":
            yield f"  step {self._step}  {_time(at)}  {self._used(line['usage'])}"
        for block in line.get("content", []):
            yield from _block(block)
        if "end" in line:
            yield f"  ended: {line['end']['outcome']}\n{line['end']['message']}"

    def _used(self, usage: Mapping[str, Any]) -> str:
        """What a reply used: tokens as its transcript has them, and money if an answer with these was booked."""
        read = sum(usage.get(kind) or 0 for kind in TOKENS_IN)
        wrote, cached = usage.get("output_tokens") or 0, usage.get("cache_read_input_tokens") or 0
        share = f" ({100 * cached // read} % cached)" if cached else ""
        words = [f"{short_count(read)} tokens read{share}", f"{short_count(wrote)} written"]
        mine = self._booked.get(self._turn, [])
        for index, answer in enumerate(mine):
            if (answer.input + answer.cache_read + answer.cache_write, answer.output) == (read, wrote):
                del mine[: index + 1]
                words += [dollars(answer.cost), answer.model]
                break
        return ", ".join(words)


def _block(block: Mapping[str, Any]) -> Iterator[str]:
    match block["type"]:
        case "text":
            yield f"  text\n{block['text']}"
        case "thinking":
            yield f"  thought\n{block['thinking']}"
        case "tool_use":
            given = (
                f"{key}: {value if isinstance(value, str) else json.dumps(value)}"
                for key, value in block["input"].items()
            )
            yield "\n".join([f"  {block['name'].removeprefix(OWN_TOOLS)}", *given])
        case "tool_result":
            yield f"  {'error' if block.get('is_error') else 'result'}\n{text_of(block)}"
        case other:
            yield f"  {other}"


def _cut(text: str, *, whole: bool) -> Iterator[str]:
    """The lines of a text, all but the first indented."""
    first, *rest = text.split("\n")
    kept = rest if whole else rest[:SHORT]
    yield first
    yield from (INDENT + line for line in kept)
    if len(rest) > len(kept):
        yield f"{INDENT}… {len(rest) - len(kept)} more lines (--all)"


def _plain(line: str) -> str:
    """A line of the progress comment without its markup."""
    return line.replace("**", "").replace("\\", "").replace("\u2060", "")


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"
