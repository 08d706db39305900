"""YAML with marks: every value remembers its line and column, so that a mistake can be pointed at."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable

import yaml

from hive.codec import Codec, Malformed, Mistake, T

Place = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file; `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.text}"


class BadYaml(ValueError):
    """A file with mistakes; holds all of them, in the order of their lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


class Document:
    """One parsed YAML file: its data, and where each piece of it stands."""

    def __init__(self, file: str, text: str) -> None:
        """Parse; raises BadYaml for text that is no YAML, and for keys that stand twice."""
        self.file = file
        self._marks: dict[Place, tuple[int, int]] = {(): (1, 1)}
        self._keys: dict[Place, tuple[int, int]] = {}
        self._twice: list[Problem] = []
        self.data: typing.Any = {}
        try:
            self._parse(text)
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            raise BadYaml(
                [Problem(file, line, column, "is no YAML: a character that may not stand in a file")]
            ) from error
        except yaml.MarkedYAMLError as error:
            raise BadYaml([self._broken(error)]) from error

    def read(self, kind: type[T], *, more: Iterable[Mistake] = ()) -> T:
        """The document as a value; `more` mistakes were found elsewhere. Raises BadYaml with all."""
        mistakes = list(more)
        value: T | None = None
        try:
            value = Codec(kind).read(self.data)
        except Malformed as error:
            mistakes += [self._explained(mistake, kind) for mistake in error.mistakes]
        problems = [*self._twice, *map(self._problem, mistakes)]
        if value is None or problems:
            raise BadYaml(problems)
        return value

    def _parse(self, text: str) -> None:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                self._walk(node, ())
                self.data = loader.construct_document(node)
        finally:
            loader.dispose()

    def _walk(self, node: yaml.Node, place: Place) -> None:
        self._marks[place] = _mark(node)
        if isinstance(node, yaml.MappingNode):
            seen: dict[str, int] = {}
            for key, value in node.value:
                line, column = _mark(key)
                name = str(key.value)
                if name in seen:
                    text = f"the key {name!r} stands here twice, first on line {seen[name]}"
                    self._twice.append(Problem(self.file, line, column, text))
                seen[name] = line
                self._keys[(*place, name)] = (line, column)
                self._walk(value, (*place, name))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*place, index))

    def _problem(self, mistake: Mistake) -> Problem:
        marks = self._keys if mistake.at_key else self._marks
        place = mistake.place
        while place and place not in marks:
            place = place[:-1]
        line, column = marks.get(place) or self._marks[()]
        where = ".".join(map(str, mistake.place))
        return Problem(self.file, line, column, f"{where}: {mistake.text}" if where else mistake.text)

    def _explained(self, mistake: Mistake, kind: typing.Any) -> Mistake:
        """An unknown key gets the ones that are known, and the likeliest."""
        if not mistake.at_key:
            return mistake
        known = _fields(kind, mistake.place[:-1])
        near = difflib.get_close_matches(str(mistake.place[-1]), known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"
        return Mistake(mistake.place, mistake.text + hint, at_key=True)

    def _broken(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        return Problem(self.file, line, column, f"is no YAML: {error.problem}")


def _mark(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _fields(kind: typing.Any, place: Place) -> list[str]:
    """The keys that a dataclass knows at a place below it."""
    hints = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    if not place:
        return [field.name for field in dataclasses.fields(kind)] if hints else []
    inner = hints.get(str(place[0]), typing.Any)
    rest = place[1:]
    arguments = typing.get_args(inner)
    if arguments and rest:  # a list's or a mapping's entry: its own key leads no deeper
        inner, rest = next((a for a in arguments if dataclasses.is_dataclass(a)), typing.Any), rest[1:]
    return _fields(inner, rest)
