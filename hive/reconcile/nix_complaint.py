"""Makes one sentence for people of what Nix said when it failed; all of its text may be somebody's invention."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection, Sequence

from hive.agent.child_process import ChildResult

MOST = 300
"""Characters of what Nix said."""

_MESSAGE = re.compile(r"\s*error: *(?P<text>.*)")
_PLACE = re.compile(r"\s*at (?P<file>/\S.*?):(?P<line>\d{1,9}):(?P<column>\d{1,9})(?::|$)")
_END = re.compile(r"\s*(at [/«(]|… |\d+\||\|)|\s*$|\(use '--show-trace'")

CLEARER = (
    (re.compile(r"path '/nix/store/\S+' is not valid|allow-import-from-derivation"), "an evaluation builds nothing"),
    (re.compile(r"executing '(git|hg)'|program '(git|hg)'"), "an evaluation fetches nothing"),
    (re.compile(r"^stack overflow|max-call-depth exceeded"), "it calls itself without end"),
    (re.compile(r"^out of memory|bad_alloc|Too many heap sections"), "it needs too much memory"),
    (re.compile(r"^memory exhausted"), "it is nested too deeply"),
)
"""What Nix says of its own insides, and what that means."""

_SIGNALS = {
    signal.SIGXCPU: "it computes without end",
    signal.SIGKILL: "it computes without end, or needs too much memory",
    signal.SIGABRT: "it needs too much memory",
    signal.SIGSEGV: "it calls itself without end",
}


def complaint(done: ChildResult, folder: str, files: Collection[str], first: str) -> str:
    """The sentence, as `FILE:LINE:COL: …`, with a place in one of the `files` of a folder; without one, in the `first`."""
    lines = done.errors.decode("utf-8", "replace").splitlines()
    at = _index(lines)
    place = _place(lines, at, folder, files) or f"{first}:1:1"
    said = done.stopped or _of_signal(done.status, lines) or _text(lines, at) or f"nix ended with {done.status}"
    return f"{place}: {visible(said.replace(folder + '/', ''))}"


def visible(text: str) -> str:
    """A text in one line, not too long, in which nothing is hidden: what is not printable stands as its escape."""
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    return shown if len(shown) <= MOST else f"{shown[: MOST - 1]}…"


def _index(lines: Sequence[str]) -> int:
    """Where the message is: at the top, or where newer ones tell how they came there, at the end."""
    found = [number for number, line in enumerate(lines) if _MESSAGE.match(line)]
    tops = [number for number in found if lines[number].startswith("error:")]
    if tops and lines[tops[0]].strip() != "error:":
        return tops[0]
    return found[-1] if found else len(lines)


def _text(lines: Sequence[str], at: int) -> str:
    """The message, which may have several lines."""
    match = _MESSAGE.match(lines[at]) if at < len(lines) else None
    if match is None:
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    parts = [match["text"].strip()]
    for line in lines[at + 1 :]:
        if _END.match(line):
            break
        parts.append(line.strip())
    text = " ".join(parts)
    return next((meaning for sign, meaning in CLEARER if sign.search(text)), text)


def _place(lines: Sequence[str], at: int, folder: str, files: Collection[str]) -> str:
    """The place that is next to the message, in a file that there is."""
    for line in (*lines[at:], *reversed(lines[:at])):
        match = _PLACE.match(line)
        name = match["file"].removeprefix(f"{folder}/") if match is not None else ""
        if match is not None and name in files:
            return f"{visible(name)}:{match['line']}:{match['column']}"
    return ""


def _of_signal(status: int, lines: Sequence[str]) -> str:
    """What a signal means that ended nix: bwrap passes it on as a shell does."""
    number = -status if status < 0 else status - 128
    meaning = next((meaning for each, meaning in _SIGNALS.items() if each == number), "")
    return (
        next((word for sign, word in CLEARER if any(sign.search(line) for line in lines)), meaning) if meaning else ""
    )
