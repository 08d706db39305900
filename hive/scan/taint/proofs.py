"""What a condition proves: which expressions have been checked once it is known to be true, or false. No I/O."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from hive.scan.taint.places import FRAGMENTS, PROVING, RAISING, last_name

Proofs = frozenset[str]
Aliases = Mapping[str, Proofs]
"""Variables that hold the outcome of a check, with what it proves."""

_NOTHING: Proofs = frozenset()
_HOSTS = frozenset({"Host", "Hostname", "host", "hostname", "origin", "netloc"})
_SAME_IN_OTHER_WORDS = frozenset(
    {
        *("abspath", "normpath", "realpath", "commonpath", "commonprefix", "resolve", "absolute", "Path", "str"),
        *("lower", "upper", "casefold", "strip", "fspath", "toLowerCase", "toUpperCase", "trim", "normalize", "String"),
        *("ToLower", "ToUpper", "TrimSpace", "Clean", "Abs", "EvalSymlinks"),
    }
)


def proves(test: ast.expr, *, when: bool, aliases: Aliases) -> Proofs:
    """The expressions, as source text, that are in order if `test` turns out to be `when`."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return proves(operand, when=not when, aliases=aliases)
        case ast.BoolOp(op=op, values=values):
            each = [proves(value, when=when, aliases=aliases) for value in values]
            all_hold = isinstance(op, ast.And) == when
            return frozenset.union(*each) if all_hold else frozenset.intersection(*each)
        case ast.NamedExpr(value=value):
            return proves(value, when=when, aliases=aliases)
        case ast.Name(id=name):
            return aliases.get(name, _NOTHING) if when else _NOTHING
        case ast.Call():
            return _called(test, when=when)
        case ast.Subscript(slice=index):  # what stands in a table is one of its keys
            return _texts(index) if when else _NOTHING
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _compared(left, op, right, when=when, aliases=aliases)
    return _NOTHING


def raises_unless(value: ast.expr) -> Proofs:
    """What is clean after a call has returned, because it raises otherwise."""
    if isinstance(value, ast.Call) and RAISING.match(last_name(value.func)):
        return _subjects(value)
    return _NOTHING


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr, *, when: bool, aliases: Aliases) -> Proofs:
    if isinstance(right, ast.Constant) and right.value is None:  # `match is None` of a check that was made before
        made = isinstance(op, ast.Is | ast.IsNot) and isinstance(op, ast.IsNot) == when
        return proves(left, when=True, aliases=aliases) if made else _NOTHING
    positive = isinstance(op, ast.In | ast.Eq)
    if not positive and not isinstance(op, ast.NotIn | ast.NotEq):
        return _NOTHING
    if isinstance(op, ast.Eq | ast.NotEq):
        return _texts(left) | _texts(right) | _found_in(left) if positive == when else _NOTHING
    if isinstance(right, ast.Attribute) and right.attr == "parents":
        return _texts(right.value) if positive == when else _NOTHING
    if _is_fragment(left):  # `".." in name`: in order when it is not there
        return _texts(right) if positive != when else _NOTHING
    return _texts(left) if positive == when else _NOTHING


def of_value(subject: ast.expr) -> Proofs:
    """What is clean where a subject is one of the values that are written down."""
    return _texts(subject)


def _found_in(node: ast.expr) -> Proofs:
    """The text in which something was looked for by its place."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in {"indexOf", "find"}:
        return _texts(node.func.value)
    return _NOTHING


def _is_fragment(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Attribute) and node.attr in {"sep", "pardir"})


def _called(call: ast.Call, *, when: bool) -> Proofs:
    name = last_name(call.func)
    if FRAGMENTS.match(name) and any(isinstance(part, ast.Constant) for part in call.args):
        return _NOTHING if when else _subjects(call)
    if not when:
        return _NOTHING
    if name == "all" and call.args and isinstance(call.args[0], ast.GeneratorExp):
        return _texts(call.args[0].generators[0].iter)
    return _subjects(call) if PROVING.match(name) else _NOTHING


def _subjects(call: ast.Call) -> Proofs:
    receiver = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    return _NOTHING.union(*(_texts(node) for node in (*receiver, *call.args)))


def _texts(node: ast.expr) -> Proofs:
    """The source text of an expression, and of what it only writes differently: `name` for `name.lower()`.

    A check of a part, such as of a suffix, proves nothing of the whole, except that of an address' host.
    """
    texts = {ast.unparse(node)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _HOSTS:
        node = node.func
    if isinstance(node, ast.Attribute) and node.attr in _HOSTS:
        texts |= {ast.unparse(node.value), f"*{ast.unparse(node.value)}"}
    if isinstance(node, ast.Call) and last_name(node.func) in _SAME_IN_OTHER_WORDS:
        inner = [*node.args, *([node.func.value] if isinstance(node.func, ast.Attribute) else [])]
        return frozenset(texts).union(*(_texts(part) for part in inner))
    if isinstance(node, ast.List | ast.Tuple):
        return frozenset(texts).union(*(_texts(part) for part in node.elts))
    return frozenset(texts)
