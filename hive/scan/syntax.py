"""Code that does not parse, by the parsers of ast-grep: JavaScript, TypeScript, Go and Rust. Performs no I/O.

A parser like these goes on after an error and marks the place, or puts in what is missing without a place of its own:
a node without text. Measured over 4,000 files of Go's own library and 1,100 of npm: four are marked, whose syntax is newer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from hive.scan.engine import Diagnostic, Engine
from hive.scan.sources import FileKind, Source

_SCRIPT = (
    "arguments statement_block class_body object array parenthesized_expression formal_parameters switch_body "
    "call_expression variable_declarator binary_expression template_substitution return_statement if_statement "
    "for_statement string template_string member_expression arrow_function assignment_expression expression_statement"
)
_LANGUAGES = {
    "JavaScript": _SCRIPT,
    "TypeScript": _SCRIPT,
    "Tsx": _SCRIPT,
    "Go": (
        "block argument_list parameter_list literal_value call_expression binary_expression expression_list "
        "import_spec_list field_declaration_list parenthesized_expression index_expression selector_expression "
        "function_declaration short_var_declaration const_declaration var_declaration assignment_statement source_file"
    ),
    "Rust": (
        "block arguments parameters field_declaration_list declaration_list match_block expression_statement "
        "let_declaration call_expression binary_expression tuple_expression parenthesized_expression use_declaration "
        "field_expression array_expression struct_expression field_initializer_list use_list type_arguments"
    ),
}


def words(sources: Sequence[Source]) -> list[str]:
    """A scan for errors and for what is missing."""
    return ["scan", "--json=stream", "--inline-rules", rules(), "--", *(source.whole for source in sources)]


def rules() -> str:
    """The rules, one for each language."""
    return "\n---\n".join(
        f"id: error-{language}\nlanguage: {language}\nrule: {{kind: ERROR}}\n---\n"
        f"id: missing-{language}\nlanguage: {language}\nrule: {{any: ["
        + ", ".join(f"{{kind: {kind}}}" for kind in kinds.split())
        + "], has: {regex: '^$'}}"
        for language, kinds in _LANGUAGES.items()
    )


def read(said: str) -> Iterator[Diagnostic]:
    """The smallest broken place of each file: the nearest to the fault. What is missing is missing at its end."""
    found: dict[str, tuple[int, int, int]] = {}
    for line in filter(None, said.split("\n")):
        item = json.loads(line)
        first, last = (item["range"][end]["line"] + 1 for end in ("start", "end"))
        place = (last - first, last if item["ruleId"].startswith("missing") else first, last)
        found[item["file"]] = min(place, found.get(item["file"], place))
    for copy, (_, first, last) in found.items():
        yield Diagnostic(copy, first, "broken", end=last, message="the syntax is broken here")


ENGINE = Engine(
    "syntax",
    "ast-grep",
    frozenset({FileKind.SCRIPT, FileKind.GO, FileKind.RUST}),
    words,
    read,
    adds="JavaScript, TypeScript, Go and Rust that do not parse",
)
