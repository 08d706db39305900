"""What an agent did in a run, in lines for a terminal: from the host's copy of its transcript. Decides nothing.

Everything in it was written by a model, a command or a person: control characters are shown, never passed on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from hive.agent.transcript_reading import text_of
from hive.instance.instance import StartupError
from hive.ledger import Ledger
from hive.ledger.runs import RunRecord
from hive.outbox.run_footer import footer
from hive.reconcile.logs import shown

SHORT = 12
"""Lines that are printed of one text, unless all of it is wanted."""

FORGOTTEN = "(what was said and done in it is forgotten: `keep_days`)"
INDENT = "    "


def record(ledger: Ledger, run: int, *, whole: bool = False) -> Iterator[str]:
    """Print a run from its start; raises StartupError if there is none. Long texts are cut unless `whole`."""
    found = ledger.runs.record(run)
    if found is None:
        raise StartupError(f"there is no run {run}")
    lines = ledger.transcripts.of(run)
    yield from (shown(line) for line in _heading(found))
    if cost := footer(ledger.spending.of_run(run)):
        yield cost
    if not lines:
        yield FORGOTTEN
    step = 0
    for line in lines:
        if "turn" in line:
            step = 0
            yield shown(_turn(found, line["turn"]))
        step += line.get("role") == "assistant"
        for text in _line(line, step):
            yield from (shown(each) for each in _cut(text, whole=whole))


def _heading(found: RunRecord) -> Iterator[str]:
    yield f"run {found.id}  {found.agent}  {found.ref}  {found.state}{f': {found.outcome}' if found.outcome else ''}"
    if found.pull:
        yield f"pull request {found.pull}"
    yield f"{found.steps} steps, {found.tokens_in} tokens read, {found.tokens_out} written"


def _turn(found: RunRecord, turn: int) -> str:
    outcome = found.turns.get(turn, "")
    return f"\nturn {turn}{f'  {outcome}' if outcome else ''}"


def _line(line: Mapping[str, Any], step: int) -> Iterator[str]:
    """The texts of one line, each with what it is."""
    if "shortened" in line or "new" in line:
        yield "  the conversation was compacted" if "shortened" in line else "  the conversation started over"
    if "checkpoint" in line:
        yield "  before it is compacted"
    said = line.get("role") == "assistant"
    if said:
        usage = line["usage"]
        read = sum(usage.get(f"{kind}input_tokens") or 0 for kind in ("", "cache_creation_", "cache_read_"))
        yield f"  step {step}  ({read} tokens read, {usage.get('output_tokens') or 0} written)"
    for block in line.get("content", []):
        yield from _block(block)
    if "end" in line:
        yield f"  ended: {line['end']['outcome']}\n{line['end']['message']}"


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
            yield "\n".join([f"  {block['name']}", *given])
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
