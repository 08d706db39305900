"""A YAML file as a value: every mistake in it is pointed at by line and column."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable

from hive.codec import Codec, FieldError, InvalidData, T
from hive.config.yaml_loader import Place, UnreadableYaml, parse, shortened

MAX_PROBLEMS = 50


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
    """A file with errors; holds the first fifty by line, and the number of others."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        found = sorted(set(problems))
        more = len(found) - MAX_PROBLEMS
        if more > 0:
            found = [*found[:MAX_PROBLEMS], dataclasses.replace(found[MAX_PROBLEMS], text=f"and {more} more mistakes")]
        self.problems = tuple(found)
        super().__init__("\n".join(map(str, self.problems)))


class Document:
    """One parsed YAML file: its data, and where each piece of it stands."""

    def __init__(self, file: str, text: str) -> None:
        """Parse; raises BadYaml for unreadable text."""
        self.file = file
        try:
            self._tree = parse(text)
        except UnreadableYaml as error:
            raise BadYaml([Problem(file, *error.mark, error.text)]) from error
        self.data: typing.Any = self._tree.data

    def read(self, kind: type[T], *, more: Iterable[FieldError] = ()) -> T:
        """The document as a value; `more` mistakes were found elsewhere. Raises BadYaml with all.

        A key that `more` has something to say about is not called unknown as well.
        """
        field_errors = list(more)
        told = {field_error.place for field_error in field_errors if field_error.at_key}
        value: T | None = None
        try:
            value = Codec(kind).read_exactly(self.data)
        except InvalidData as error:
            found = [each for each in error.field_errors if not (each.at_key and each.place in told)]
            field_errors += [self._explained(field_error, kind) for field_error in found[:MAX_PROBLEMS]]
            field_errors += found[MAX_PROBLEMS:]
        faults = [Problem(self.file, *mark, text) for mark, text in self._tree.faults]
        problems = [*faults, *map(self._problem, field_errors)]
        if value is None or problems:
            raise BadYaml(problems)
        return value

    def _problem(self, field_error: FieldError) -> Problem:
        marks = self._tree.keys if field_error.at_key else self._tree.marks
        place = field_error.place
        while place and place not in marks:
            place = place[:-1]
        line, column = marks.get(place) or self._tree.marks[()]
        where = shortened(".".join(map(str, field_error.place)))
        return Problem(self.file, line, column, f"{where}: {field_error.text}" if where else field_error.text)

    def _explained(self, field_error: FieldError, kind: typing.Any) -> FieldError:
        """An unknown key gets the ones that are known, and the likeliest."""
        if not field_error.at_key:
            return field_error
        known = _fields(kind, field_error.place[:-1])
        return FieldError(field_error.place, field_error.text + nearest(str(field_error.place[-1]), known), at_key=True)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all of them."""
    names = list(known)
    return likeliest(word, names) or f"; known here: {', '.join(names) or 'none'}"


def likeliest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one; empty if none is near."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def _fields(kind: typing.Any, place: Place) -> list[str]:
    """The keys that a dataclass knows at a place below it."""
    hints = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    if not place:
        return [field.name for field in dataclasses.fields(kind)] if hints else []
    inner = hints.get(str(place[0]), typing.Any)
    rest = place[1:]
    arguments = typing.get_args(inner)
    if arguments and rest:  # an entry of a list or mapping: its own key leads no deeper
        inner, rest = next((a for a in arguments if dataclasses.is_dataclass(a)), typing.Any), rest[1:]
    return _fields(inner, rest)
