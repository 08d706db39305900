"""Where a finding is shown: on a line that the change touched, if its statement has one.

Engines name the line on which a fault begins, which may be an old one: the call whose argument was added, the handler
whose body was emptied. Statements are read by ast-grep, in a process of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hive.scan.comparison import Mark
from hive.scan.engine import Diagnostic, Engine
from hive.scan.sandbox_runner import EngineFailed, SandboxRunner
from hive.scan.sources import FileKind, Source

_PYTHON = (
    "expression_statement assignment return_statement call decorator import_from_statement import_statement "
    "raise_statement assert_statement delete_statement parameters with_clause list dictionary set tuple argument_list "
    "boolean_operator comparison_operator string except_clause"
)
_SCRIPT = (
    "expression_statement lexical_declaration variable_declaration return_statement call_expression arguments object array "
    "import_statement throw_statement formal_parameters parenthesized_expression template_string catch_clause"
)
_GO = (
    "call_expression argument_list short_var_declaration assignment_statement return_statement composite_literal "
    "literal_value defer_statement go_statement parameter_list import_declaration const_declaration var_declaration"
)
_RUST = (
    "call_expression macro_invocation let_declaration expression_statement arguments struct_expression parameters "
    "use_declaration return_expression match_arm"
)
_SHELL = "command pipeline list redirected_statement variable_assignment declaration_command"
_LANGUAGES = {
    "Python": _PYTHON,
    "JavaScript": _SCRIPT,
    "TypeScript": _SCRIPT,
    "Tsx": _SCRIPT,
    "Go": _GO,
    "Rust": _RUST,
    "Bash": _SHELL,
}
_CONTINUED = re.compile(r"\\\s*$|^\s*#")

Span = tuple[int, int]


def words(sources: Sequence[Source]) -> list[str]:
    """A scan for the statements of several lines, by the names of their nodes."""
    rules = "\n---\n".join(
        f"id: {language}\nlanguage: {language}\nrule: {{regex: '\\n', any: ["
        + ", ".join(f"{{kind: {kind}}}" for kind in kinds.split())
        + "]}"
        for language, kinds in _LANGUAGES.items()
    )
    return ["scan", "--json=stream", "--inline-rules", rules, "--", *(source.whole for source in sources)]


def read(said: str) -> Iterator[Diagnostic]:
    """The first and the last line of each statement."""
    for line in filter(None, said.split("\n")):
        item = json.loads(line)
        lines = item["range"]
        yield Diagnostic(item["file"], lines["start"]["line"] + 1, "statement", end=lines["end"]["line"] + 1)


STATEMENTS = Engine(
    "statements",
    "ast-grep",
    frozenset({FileKind.PYTHON, FileKind.SCRIPT, FileKind.GO, FileKind.RUST, FileKind.SHELL}),
    words,
    read,
)


def statements(marks: Iterable[Mark], on: SandboxRunner, folder: Path) -> dict[str, list[Span]]:
    """The statements of several lines in the files of diagnostics that are about old lines, by the names of copies."""
    wanted = {source.whole: source for source, mark in marks if shown_on(source, mark, ()) is None}
    files = [source for source in wanted.values() if STATEMENTS.handles(source)]
    found: dict[str, list[Span]] = {
        source.whole: list(_instructions(source)) for source in wanted.values() if source.kind is FileKind.DOCKER
    }
    if files:
        try:
            for source, mark in STATEMENTS.look(on, files, folder):
                found.setdefault(source.whole, []).append((source.line(mark.line), source.line(mark.end)))
        except EngineFailed:  # a finding keeps the line that its engine named
            return found
    return found


def shown_on(source: Source, mark: Diagnostic, spans: Iterable[Span]) -> int | None:
    """The touched line to show a diagnostic on; None if neither it nor its statement has one.

    That is where it begins, else another line that it names, else the first touched one of its code, else of the smallest
    statement around it.
    """
    own = [source.line(number) for number in (mark.line, *mark.also)]
    first, last = own[0], source.line(max(mark.end, mark.line))
    around = sorted((end - start, start, end) for start, end in spans if start <= first and last <= end)
    for lines in (own, range(first, last + 1), *(range(start, end + 1) for _, start, end in around)):
        for number in lines:
            if number in source.fresh:
                return number
    return None


def line_of(source: Source, mark: Diagnostic, spans: Mapping[str, Sequence[Span]]) -> int:
    """The line to show a diagnostic on: a touched one, or else its own."""
    shown = shown_on(source, mark, spans.get(source.whole, ()))
    return source.line(mark.line) if shown is None else shown


def instruction(source: Source, line: int) -> range:
    """The lines of the instruction of a Dockerfile that begins on a line."""
    return next(
        (range(first, last + 1) for first, last in _instructions(source) if first <= line <= last),
        range(line, line + 1),
    )


def _instructions(source: Source) -> Iterator[Span]:
    first = 1
    for number, text in enumerate(source.lines, 1):
        if not _CONTINUED.search(text):
            yield first, number
            first = number + 1
    if first <= len(source.lines):
        yield first, len(source.lines)
