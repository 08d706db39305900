"""Where request data becomes dangerous: the parts of a call, and text that is put together. Performs no I/O."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from hive.scan.taint.places import dotted, last_name
from hive.scan.taint.tables import Sink, Table

_SQL = re.compile(
    r"^\s*(?:select\b.+\bfrom|insert\s+into|update\s+\S+\s+set|delete\s+from)\b", re.IGNORECASE | re.DOTALL
)
_MARKUP = re.compile(r"<[a-zA-Z][\w-]*(?:\s[^<>]*)?/?>|</[a-zA-Z]")
_HOME = re.compile(r"https?://[^/%{]+/|/\w|[?#]")
_FORMATS = frozenset({"format", "Sprintf", "Fprintf", "Fprint", "Fprintln", "Sprint", "concat", "WriteString", "Write"})
_SHELLS = re.compile(r"^(?:/usr)?(?:/bin/)?(?:ba|da|z)?sh$|^cmd(?:\.exe)?$|^powershell$")


def uses(call: ast.Call, names: Table) -> Iterator[tuple[str, ast.expr]]:
    """The parts of a call that must not be request data, each with its use."""
    name, last = dotted(call.func), last_name(call.func)
    for sink in names.sinks:
        if not sink.takes(name, last, dotted=isinstance(call.func, ast.Attribute)) or not _applies(sink, call):
            continue
        for position, part in enumerate(call.args):
            if sink.args is None or position in sink.args:
                yield sink.use, part
        yield from ((sink.use, item.value) for item in call.keywords if item.arg and sink.keywords.match(item.arg))
        if sink.before and isinstance(call.func, ast.Attribute):
            yield sink.use, call.func.value


def told_by(node: ast.expr) -> str:
    """The use of text that is put together here, by the words that are in it: `sql`, `html` or none."""
    text = _words(node)
    if _SQL.search(text):
        return "sql"
    return "html" if _MARKUP.search(text) else ""


def stays_at_home(node: ast.expr) -> bool:
    """Whether text begins with a host, or with a path of this site: what follows cannot lead elsewhere."""
    while isinstance(node, ast.BinOp):
        node = node.left
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    if isinstance(first, ast.Call) and last_name(first.func) == "Sprintf" and first.args:
        first = first.args[0]
    return isinstance(first, ast.Constant) and isinstance(first.value, str) and _HOME.match(first.value) is not None


def _words(node: ast.expr) -> str:
    match node:
        case ast.JoinedStr(values=parts):
            return " ".join(str(part.value) for part in parts if isinstance(part, ast.Constant))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return f"{_words(left)} {_words(right)}"
        case ast.BinOp(left=left, op=ast.Mod()):
            return _words(left)
        case ast.Constant(value=str(text)):
            return text
        case ast.Call(func=called) if last_name(called) in _FORMATS:
            before = [called.value] if isinstance(called, ast.Attribute) else []
            return " ".join(part.value for part in (*before, *node.args) if _is_text(part))  # type: ignore[attr-defined]
    return ""


def is_location(node: ast.expr | None) -> bool:
    """Whether a word names the header that redirects."""
    return isinstance(node, ast.Constant) and str(node.value).lower() == "location"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _applies(sink: Sink, call: ast.Call) -> bool:
    options = {
        str(key.value): value
        for part in call.args
        if isinstance(part, ast.Dict)
        for key, value in zip(part.keys, part.values, strict=True)
        if isinstance(key, ast.Constant)
    }
    options |= {item.arg: item.value for item in call.keywords if item.arg}
    if sink.without and sink.without in options:
        return False
    if sink.where == "shell":
        shell = options.get("shell")
        switched = isinstance(shell, ast.Constant) and shell.value in {True, "true"}
        return switched or any(_is_text(part) and _SHELLS.match(part.value) for part in call.args)  # type: ignore[attr-defined]
    if sink.where == "location":
        return bool(call.args) and is_location(call.args[0])
    if sink.where == "markup":
        return bool(call.args) and not isinstance(call.args[0], ast.Dict | ast.List)
    return True
