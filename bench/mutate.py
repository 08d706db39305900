"""Mutants of a module: its source with one small fault each. Runs nothing."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Parent = ast.AST | list[ast.AST]

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}
BUILTINS = {"any": "all", "all": "any", "min": "max", "max": "min"}
WIDTH = 100
"""Characters of a source that are shown."""

NOT_RUN = frozenset({"annotation", "returns", "decorator_list", "bases", "type_params"})
"""Fields of syntax nodes that decide nothing when the code runs."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: its line in the original, what it changes, and the source of the whole module with it."""

    line: int
    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Each mutant of a module's source, in the order of its lines."""
    tree = ast.parse(source)
    for parent, key, node, line in _places(tree, 1):
        for changed in _variants(node):
            _put(parent, key, changed)
            yield Mutant(line, _change(node, changed), ast.unparse(tree))
            _put(parent, key, node)


def _places(parent: ast.AST, line: int) -> Iterator[tuple[Parent, str | int, ast.AST, int]]:
    """Where each node below a parent hangs, with the line it stands on."""
    for field, value in ast.iter_fields(parent):
        if field in NOT_RUN:
            continue
        items: list[tuple[Parent, str | int, ast.AST]] = []
        if isinstance(value, ast.AST):
            items = [(parent, field, value)]
        elif isinstance(value, list):
            items = [(value, index, item) for index, item in enumerate(value) if isinstance(item, ast.AST)]
        for holder, key, node in items:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # a docstring
            at = getattr(node, "lineno", line)
            yield holder, key, node, at
            yield from _places(node, at)


def _put(parent: Parent, key: str | int, node: ast.AST) -> None:
    if isinstance(parent, list):
        parent[int(key)] = node
    else:
        setattr(parent, str(key), node)


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.stmt):
        yield from _statements(node)
    elif isinstance(node, ast.expr):
        yield from _expressions(node)
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.comprehension):
        for rest in _without_one(node.ifs):
            yield _with(node, ifs=rest)


def _statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) not in {"None", "False"}:
            yield ast.Return(ast.Constant(None))
        case ast.Expr() | ast.Raise() | ast.AugAssign() | ast.Delete() | ast.Continue() | ast.Break() | ast.Return():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()


def _expressions(node: ast.expr) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield _with(node, ops=[*ops[:index], other(), *ops[index + 1 :]])
        case ast.BoolOp(op=op, values=values):
            yield _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
            for rest in _without_one(values):
                yield _with(node, values=rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=op) if type(op) in ARITHMETIC:
            yield _with(node, op=ARITHMETIC[type(op)]())
        case ast.Constant(value=bool() as truth):
            yield ast.Constant(not truth)
        case ast.Constant(value=int() | float() as number):
            yield from (ast.Constant(number + 1), ast.Constant(number - 1))
        case ast.Set(elts=items) | ast.List(elts=items, ctx=ast.Load()) | ast.Tuple(elts=items, ctx=ast.Load()):
            for rest in _without_one(items):
                if rest or not isinstance(node, ast.Set):
                    yield _with(node, elts=rest)
        case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
            yield _with(node, func=ast.Name(BUILTINS[name]))
        case ast.Call(keywords=words):
            for fewer in _without_one(words):
                yield _with(node, keywords=fewer)


def _without_one(items: list[T]) -> Iterator[list[T]]:
    return (items[:index] + items[index + 1 :] for index in range(len(items)))


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node with other fields."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _change(before: ast.AST, after: ast.AST) -> str:
    """What a change does, in a line: the two sources from a little before they part."""
    old, new = (" ".join(ast.unparse(node).split()) for node in (before, after))
    same = next((index for index, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
    start = 0 if len(old) <= WIDTH else max(0, same - WIDTH // 3)
    return " → ".join(f"{'…' if start else ''}{text[start : start + WIDTH]}" for text in (old, new))
