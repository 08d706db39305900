"""Says in Python's tree what a file of another language says, as far as the follower looks: the parts both languages share."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, TypeVar

from hive.scan.taint.syntax import Node

_Placed = TypeVar("_Placed", bound=ast.expr | ast.stmt)

Made = ast.expr | ast.stmt | list[ast.stmt]
"""What a node becomes: an expression, a statement, or several."""

OPERATORS: dict[str, type[ast.cmpop]] = {
    "==": ast.Eq,
    "===": ast.Eq,
    "!=": ast.NotEq,
    "!==": ast.NotEq,
    "in": ast.In,
    **dict.fromkeys(("<", ">", "<=", ">=", "instanceof"), ast.Lt),
}


class InlineFunction(ast.Lambda):
    """A function that is written as a value; the follower reads its body like any other's."""

    _fields = (*ast.Lambda._fields, "function")

    def __init__(self, function: ast.FunctionDef) -> None:
        super().__init__(args=function.args, body=ast.Constant(None))
        self.function = function


class Translator:
    """Turns nodes into Python's; what is not known is the list of its parts.

    `ways` has a method for each kind of node that means more than its parts. A language says which words are its `nothings`,
    and which kinds of nodes are `silent`: comments and types.
    """

    nothings: ClassVar[frozenset[str]] = frozenset()
    silent: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.ways: dict[str, Callable[[Node], Made]] = {}

    def module(self, root: Node) -> ast.Module:
        """The whole file: its own statements count as a function, too."""
        body = self.block(root.children)
        return ast.Module(body=[self.function_of("", [], body, root)], type_ignores=[])

    def block(self, nodes: Iterable[Node]) -> list[ast.stmt]:
        """Statements; an expression becomes one."""
        return [item for node in nodes for item in self.statements(node)]

    def statements(self, node: Node) -> list[ast.stmt]:
        """A node as statements."""
        made = self.one(node)
        if isinstance(made, list):
            return made
        return [made if isinstance(made, ast.stmt) else self.at(ast.Expr(made), node)]

    def one(self, node: Node) -> Made:
        """What a node means."""
        way = self.ways.get(node.kind)
        return way(node) if way else self.at(ast.List([self.value(part) for part in node.children], ast.Load()), node)

    def value(self, node: Node | None) -> ast.expr:
        """A node as an expression; a statement in its place is nothing."""
        if node is None:
            return self.nothing()
        made = self.one(node)
        if isinstance(made, ast.Assign):
            return self.at(ast.List([made.value], ast.Load()), node)
        if isinstance(made, ast.Expr):
            return made.value
        return made if isinstance(made, ast.expr) else self.nothing(node)

    def values(self, nodes: Sequence[Node]) -> ast.expr:
        """Nodes as one expression."""
        if len(nodes) == 1:
            return self.value(nodes[0])
        made = ast.List([self.value(node) for node in nodes], ast.Load())
        return self.at(made, nodes[0]) if nodes else self.nothing()

    def nothing(self, node: Node | None = None) -> ast.expr:
        """A constant that stands for something without a meaning."""
        return self.at(ast.Constant(None), node)

    def name(self, text: str, node: Node) -> ast.Name:
        """A variable."""
        return self.at(ast.Name(text, ast.Load()), node)

    def at(self, made: _Placed, node: Node | None) -> _Placed:
        """The same, at the place of a node."""
        made.lineno, made.end_lineno = (node.line, node.last) if node else (1, 1)
        made.col_offset = made.end_col_offset = 0
        return made

    def function_of(self, name: str, parameters: Sequence[str], body: list[ast.stmt], node: Node) -> ast.FunctionDef:
        """A function by its parts."""
        arguments = ast.arguments([], [ast.arg(item) for item in parameters], None, [], [], None, [])
        made = ast.FunctionDef(name=name, args=arguments, body=body, decorator_list=[], returns=None, type_comment=None)
        return self.at(made, node)

    def switched(self, node: Node, subject: ast.expr, cases: Sequence[tuple[bool, list[ast.stmt]]]) -> ast.stmt:
        """A choice by value: each case with whether it names values."""
        made = [
            ast.match_case(ast.MatchValue(ast.Constant(0)) if names else ast.MatchAs(), None, body)
            for names, body in cases
        ]
        return self.at(ast.Match(subject, made), node)

    def code(self, node: Node) -> list[Node]:
        """The parts of a node that are not silent."""
        return [child for child in node.children if child.kind not in self.silent]

    def binary(self, node: Node) -> ast.expr:
        """An operation of two values."""
        parts = self.code(node)
        return self.compared(node, self.between(*parts), *parts) if len(parts) == 2 else self.values(parts)

    def unary(self, node: Node) -> ast.expr:
        """An operation of one value, of which only the negation means something."""
        inner = self.values(self.code(node))
        return self.at(ast.UnaryOp(ast.Not(), inner), node) if node.text(self.source)[0] == "!" else inner

    def compared(self, node: Node, sign: str, left: Node, right: Node) -> ast.expr:
        """A comparison, or an operation of two values."""
        one, other = self.value(left), self.value(right)
        if sign in {"&&", "||", "??", "and", "or"}:
            return self.at(ast.BoolOp(ast.And() if sign in {"&&", "and"} else ast.Or(), [one, other]), node)
        if sign not in OPERATORS:
            return self.at(ast.BinOp(one, ast.Add() if sign == "+" else ast.Mult(), other), node)
        made = OPERATORS[sign]
        if right.text(self.source) in self.nothings and made in {ast.Eq, ast.NotEq}:
            made, other = ast.Is if made is ast.Eq else ast.IsNot, self.nothing(right)
        return self.at(ast.Compare(one, [made()], [other]), node)

    def between(self, left: Node, right: Node) -> str:
        """What stands between two nodes."""
        return self.source[left.end : right.start].decode("utf-8", "replace").strip(" \t\n()")
