"""Follows request data through the functions of one file until it is used, or is checked. Performs no I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hive.scan.taint.expressions import ExpressionReader, Function, either
from hive.scan.taint.places import ENDING, given_by_request, is_handler, last_name, models
from hive.scan.taint.proofs import of_value, proves, raises_unless
from hive.scan.taint.tables import Table, table
from hive.scan.taint.trail import KnownState, Trail


@dataclass(frozen=True, slots=True, order=True)
class TaintMatch:
    """A line where request data is used unchecked; `also` are the lines on the way there, nearest first."""

    line: int
    rule: str
    also: tuple[int, ...] = ()


def matches(tree: ast.Module, language: str = "python") -> list[TaintMatch]:
    """All unchecked uses of request data in one file.

    Functions are read again until none of them learns anything more about another.
    """
    functions = list(_functions(tree, in_handler=False, around=None, filled=models(tree)))
    names = table(language)
    while True:
        before = [function.learned() for function in functions]
        seen = {match for function in functions for match in _Walk(function, functions, names).matches()}
        if [function.learned() for function in functions] == before:
            return sorted(seen)


def _functions(
    node: ast.AST, *, in_handler: bool, around: Function | None, filled: frozenset[str]
) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        inner = around
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            given = {name: Trail(frozenset({child.lineno})) for name in given_by_request(child, filled)}
            inner = Function(child, in_handler=in_handler, given=given, around=around)
            yield inner
        inside = is_handler(child) if isinstance(child, ast.ClassDef) else in_handler
        yield from _functions(child, in_handler=inside, around=inner, filled=filled)


class _Walk:
    """One reading of one function, statement by statement."""

    def __init__(self, function: Function, functions: Sequence[Function], names: Table) -> None:
        self._function = function
        self._functions = functions
        self._names = names
        self._reader = ExpressionReader(function, functions, names)

    def matches(self) -> Iterator[TaintMatch]:
        known = KnownState(dict(self._function.given))
        self._block(self._function.node.body, known)
        self._hand_in(known)
        used = self._reader.used
        for line, use, trail in used:
            way = (trail.lines | trail.joins) - {line}
            yield TaintMatch(line, f"{use}-from-request", tuple(sorted(way, reverse=True)))
        met = frozenset[int]().union(*(trail.joins for _, _, trail in used))
        pending = [trail for trail in known.dirty.values() if trail.joins]
        for trail in (*self._reader.left, *pending):
            if met.isdisjoint(trail.joins):
                way = trail.lines - trail.joins
                yield TaintMatch(max(trail.joins), "path-from-request", tuple(sorted(way, reverse=True)))

    def _hand_in(self, known: KnownState) -> None:
        """Functions that are written in this one see its variables."""
        for function in self._functions:
            if function.around is self._function:
                own = {item.arg for item in function.node.args.args}
                for name in known.dirty.keys() - own - function.given.keys():
                    function.given[name] = known.dirty[name]

    def _block(self, body: Sequence[ast.stmt], known: KnownState) -> bool:
        """Read statements up to the one that leaves the block for good; whether there is one."""
        return any(self._statement(statement, known) for statement in body)

    def _statement(self, node: ast.stmt, known: KnownState) -> bool:
        match node:
            case ast.Return(value=value):
                self._return(self._reader.read(value, known))
                return True
            case ast.Raise(exc=error):
                self._reader.read(error, known)
                return True
            case ast.Continue() | ast.Break():
                return True
            case ast.Expr(value=value):
                self._leave(self._reader.read(value, known), node)
                known.prove(raises_unless(value))
                return isinstance(value, ast.Call) and ENDING.match(last_name(value.func)) is not None
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self._assign(node, known)
            case ast.If():
                return self._if(node, known)
            case ast.Assert(test=test):
                self._reader.read(test, known)
                known.prove(proves(test, when=True, aliases=known.aliases))
            case ast.While() | ast.For() | ast.AsyncFor():
                self._loop(node, known)
            case ast.Try() | ast.TryStar():
                return self._try(node, known)
            case ast.With() | ast.AsyncWith():
                return self._with(node, known)
            case ast.Match(subject=subject, cases=cases):
                self._reader.read(subject, known)
                self._branches(subject, cases, known)
        return False

    def _return(self, trail: Trail | None) -> None:
        self._function.returns(trail)
        if not self._function.called:  # otherwise its callers may still check it
            self._reader.leave(trail)

    def _leave(self, trail: Trail | None, node: ast.stmt | ast.expr) -> None:
        """A path that is joined without a name cannot be checked later."""
        made_here = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if trail is not None and any(line in made_here for line in trail.joins):
            self._reader.leave(trail)

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, known: KnownState) -> None:
        if node.value is None:
            return
        trail = self._reader.read(node.value, known)
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            old = self._reader.read(target, known) if isinstance(node, ast.AugAssign) else None
            self._reader.bind(target, either(trail, old), known)
            last = target.elts[-1] if isinstance(target, ast.Tuple) and target.elts else target
            if isinstance(last, ast.Name):
                known.aliases[last.id] = proves(node.value, when=True, aliases=known.aliases)
            self._taken_apart(target, node.value, known)
        known.prove(raises_unless(node.value))

    def _taken_apart(self, target: ast.expr, value: ast.expr, known: KnownState) -> None:
        """Parts of a request that get a name each, as in `const { query } = req`."""
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Name):
            for part in target.elts:
                if isinstance(part, ast.Name) and self._names.sources.search(f"{value.id}.{part.id}"):
                    known.assign(part.id, Trail(frozenset({part.lineno})))

    def _if(self, node: ast.If, known: KnownState) -> bool:
        self._reader.read(node.test, known)
        other = known.copy()
        known.prove(proves(node.test, when=True, aliases=known.aliases))
        other.prove(proves(node.test, when=False, aliases=other.aliases))
        ends, other_ends = self._block(node.body, known), self._block(node.orelse, other)
        if ends:
            known.dirty, known.checked, known.aliases = other.dirty, other.checked, other.aliases
        elif not other_ends:
            known.merge(other)
        return ends and other_ends

    def _loop(self, node: ast.While | ast.For | ast.AsyncFor, known: KnownState) -> None:
        for _ in range(2):  # once more, if the first round has left anything behind
            inside, before = known.copy(), dict(known.dirty)
            if isinstance(node, ast.While):
                self._reader.read(node.test, inside)
                inside.prove(proves(node.test, when=True, aliases=inside.aliases))
            else:
                self._reader.bind(node.target, self._reader.read(node.iter, inside), inside)
            self._block(node.body, inside)
            known.merge(inside)
            if known.dirty == before:
                break
        if isinstance(node, ast.While):
            known.prove(proves(node.test, when=False, aliases=known.aliases))
        self._block(node.orelse, known)

    def _try(self, node: ast.Try | ast.TryStar, known: KnownState) -> bool:
        before = known.copy()
        ends = self._block([*node.body, *node.orelse], known)
        for handler in node.handlers:
            caught = before.copy()
            if not self._block(handler.body, caught):
                known.merge(caught)
                ends = False
        return self._block(node.finalbody, known) or ends

    def _with(self, node: ast.With | ast.AsyncWith, known: KnownState) -> bool:
        for item in node.items:
            self._leave(self._reader.read(item.context_expr, known), item.context_expr)
            if item.optional_vars is not None:
                self._reader.bind(item.optional_vars, None, known)
        return self._block(node.body, known)

    def _branches(self, subject: ast.expr, cases: Sequence[ast.match_case], known: KnownState) -> None:
        for case in cases:
            branch = known.copy()
            if isinstance(case.pattern, ast.MatchValue | ast.MatchOr):
                branch.prove(of_value(subject))
            if not self._block(case.body, branch):
                known.merge(branch)
