"""YAML from outside, read within bounds: plain mappings, lists and scalars, each with its line and column.

Never builds an object, never expands anything: what a text of one kilobyte becomes is about a kilobyte.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 16
MAX_NODES: Final = 5_000
MAX_TEXT: Final = 32 * 1024
MAX_KEY: Final = 200
MAX_DIGITS: Final = 15

Place = tuple[str | int, ...]
Mark = tuple[int, int]
"""Line and column, counted from 1."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")


class UnreadableYaml(ValueError):
    """A text that is not read: where, and why."""

    def __init__(self, mark: Mark, text: str) -> None:
        super().__init__(f"{mark[0]}:{mark[1]}: {text}")
        self.mark = mark
        self.text = text


@dataclass(slots=True)
class YamlTree:
    """A text that was read: its data, where each value and each key stands, and what is wrong with single ones."""

    data: Any = field(default_factory=dict)
    marks: dict[Place, Mark] = field(default_factory=lambda: {(): (1, 1)})
    keys: dict[Place, Mark] = field(default_factory=dict)
    faults: list[tuple[Mark, str]] = field(default_factory=list)


def parse(text: str) -> YamlTree:
    """Read one document; raises UnreadableYaml, and nothing else, for anything else.

    Plain scalars follow YAML 1.2's core schema: `yes` is text and `1:30` is no number
    (PyYAML 6.0 itself follows YAML 1.1). Aliases, anchors, merge keys and tags are refused.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise UnreadableYaml((1, 1), f"is larger than {MAX_BYTES} bytes")
    tree = YamlTree()
    _Reading(text, tree).document()
    return tree


class _Reading:
    """The way through one text, event by event: nothing is composed that was not counted."""

    def __init__(self, text: str, tree: YamlTree) -> None:
        self._events = _events(text)
        self._tree = tree
        self._nodes = 0

    def document(self) -> None:
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return
        data = self._value(next(self._events), ())
        self._tree.data = {} if data is None else data
        next(self._events)  # the document's end
        more = next(self._events)
        if not isinstance(more, yaml.StreamEndEvent):
            raise UnreadableYaml(_mark(more), "a second document begins here; one is read")

    def _value(self, event: yaml.Event, place: Place) -> Any:
        self._count(event, place)
        self._tree.marks[place] = _mark(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(place)
        assert isinstance(event, yaml.ScalarEvent)
        return self._text(event) if event.style is not None else self._plain(event)

    def _mapping(self, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, place)
            mark = _mark(event)
            if key in found:
                first = self._tree.keys[*place, key][0]
                self._fault(mark, f"the key {shown(key)} stands here twice, first on line {first}")
            else:
                self._tree.keys[*place, key] = mark
            found[key] = self._value(next(self._events), (*place, key))
        return found

    def _sequence(self, place: Place) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(event, (*place, len(found))))
        return found

    def _key(self, event: yaml.Event, place: Place) -> str:
        self._count(event, place)
        if not isinstance(event, yaml.ScalarEvent):
            raise UnreadableYaml(_mark(event), "a key should be text, not a list or a mapping")
        if event.style is None and event.value == "<<":
            raise UnreadableYaml(_mark(event), "a merge key (<<) is not read here: write the keys out")
        if len(event.value) > MAX_KEY:
            raise UnreadableYaml(_mark(event), f"a key should have at most {MAX_KEY} characters")
        if event.style is None and not isinstance(self._plain(event), str):
            self._fault(_mark(event), f"a key should be text: put {shown(event.value)} in quotes")
        return self._text(event)

    def _text(self, event: yaml.ScalarEvent) -> str:
        text: str = event.value
        if found := _UNPRINTABLE.search(text):
            self._fault(_mark(event), f"holds a character that may not stand in text (U+{ord(found[0]):04X})")
            return _UNPRINTABLE.sub("\ufffd", text)
        return text

    def _plain(self, event: yaml.ScalarEvent) -> Any:
        text: str = event.value
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > MAX_DIGITS:
                raise UnreadableYaml(
                    _mark(event), f"a number should have at most {MAX_DIGITS} digits; quote what is text"
                )
            return int(text)
        if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
            return number
        return self._text(event)

    def _count(self, event: yaml.Event, place: Place) -> None:
        """Refuse what a document may not hold, before anything is made of it."""
        self._nodes += 1
        mark = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            raise UnreadableYaml(mark, "an alias (*) is not read here: write the value out")
        if getattr(event, "anchor", None) is not None:
            raise UnreadableYaml(mark, "an anchor (&) is not read here: write each value out")
        if getattr(event, "tag", None) is not None:
            raise UnreadableYaml(mark, "a tag (!) is not read here: write the value alone")
        if self._nodes > MAX_NODES:
            raise UnreadableYaml(mark, f"holds more than {MAX_NODES} values")
        if len(place) >= MAX_DEPTH:
            raise UnreadableYaml(mark, f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_TEXT:
            raise UnreadableYaml(mark, f"is text of more than {MAX_TEXT} characters")

    def _fault(self, mark: Mark, text: str) -> None:
        self._tree.faults.append((mark, text))


def shown(text: str) -> str:
    """A piece of the text for a sentence: quoted, escaped, and short."""
    quoted = repr(text)
    return quoted if len(quoted) <= 60 else f"{quoted[:57]}…"


def _events(text: str) -> Iterator[yaml.Event]:
    """The events of a text; raises UnreadableYaml for every failure of PyYAML."""
    reached = (1, 1)
    try:
        for event in yaml.parse(text, yaml.SafeLoader):
            reached = _place(event.end_mark)
            yield event
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        at = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise UnreadableYaml(at, "is no YAML: a character that may not stand in a file") from error
    except yaml.MarkedYAMLError as error:
        raise UnreadableYaml(
            _place(error.problem_mark or error.context_mark), f"is no YAML: {shortened(str(error.problem))}"
        ) from error
    except (ValueError, OverflowError, IndexError) as error:
        # PyYAML 6.0.3 lets these through: "\UFFFFFFFF", a %YAML directive of 5,000 digits, an end within an escape.
        raise UnreadableYaml(reached, "is no YAML: an escape or a number that stands for nothing") from error


def shortened(text: str) -> str:
    """A text for a sentence: on one line, printable, and limited."""
    plain = "".join(c if c.isprintable() else " " for c in text[:200])
    return plain if len(text) <= 200 else f"{plain}…"


def _mark(event: yaml.Event) -> Mark:
    return _place(event.start_mark)


def _place(mark: Any) -> Mark:
    """The position of a PyYAML mark, which counts from 0; the start without one."""
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
