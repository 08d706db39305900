"""Reads one expression: does it hold request data, and does anything dangerous get to see it? Performs no I/O."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hive.scan.taint.places import FILLING, dotted, is_handler_data, last_name
from hive.scan.taint.proofs import proves
from hive.scan.taint.tables import Table, cleaners
from hive.scan.taint.trail import KnownState, Trail
from hive.scan.taint.translate import InlineFunction
from hive.scan.taint.uses import is_location, stays_at_home, told_by, uses

_PATH_CLASSES = frozenset({"Path", "PurePath", "PosixPath", "PurePosixPath"})
_NUMBERS = frozenset({"int", "float", "bool", "UUID", "uuid.UUID"})
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


@dataclass(slots=True)
class Function:
    """A function of the file and what is known of it so far; knowledge only grows.

    `given` are parameters that hold request data, `lent` those among them that only callers fill. `around` is the function
    that it is written in.
    """

    node: ast.FunctionDef | ast.AsyncFunctionDef
    in_handler: bool
    given: dict[str, Trail]
    around: Function | None = None
    lent: set[str] = field(default_factory=set)
    result: Trail | None = None
    called: bool = False

    def learned(self) -> tuple[dict[str, Trail], Trail | None, bool]:
        """All of it, to be compared with what was known before."""
        return dict(self.given), self.result, self.called

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters as a caller counts them."""
        names = [item.arg for item in (*self.node.args.posonlyargs, *self.node.args.args)]
        return names[1:] if names[:1] in (["self"], ["cls"]) else names

    def lend(self, name: str, trail: Trail) -> None:
        """A caller passes request data."""
        if name not in self.given:
            self.lent.add(name)
        self.given[name] = either(self.given.get(name), trail) or trail

    def returns(self, trail: Trail | None) -> None:
        """The function returns something."""
        self.result = either(self.result, trail)


def either(one: Trail | None, other: Trail | None) -> Trail | None:
    """The trail of something that is made of two."""
    return one | other if one and other else one or other


class ExpressionReader:
    """Reads expressions of one function and collects what it found.

    `used` are lines where request data is used, with the use; `left` are joined paths that went elsewhere.
    """

    def __init__(self, function: Function, functions: Sequence[Function], table: Table) -> None:
        self._function = function
        self._functions = functions
        self._table = table
        self.used: list[tuple[int, str, Trail]] = []
        self.left: list[Trail] = []

    def leave(self, trail: Trail | None) -> None:
        """A value goes where it cannot be followed."""
        if trail is not None and trail.joins:
            self.left.append(trail)

    def bind(self, target: ast.expr, trail: Trail | None, known: KnownState) -> None:
        """A value gets a name."""
        match target:
            case ast.Name(id=name):
                known.assign(name, trail)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self.bind(part, trail, known)
            case ast.Starred(value=value):
                self.bind(value, trail, known)
            case ast.Subscript(value=ast.Name(id=name)) if trail is not None:
                known.assign(name, either(known.dirty.get(name), trail))

    def read(self, node: ast.expr | None, known: KnownState) -> Trail | None:
        """The trail of an expression, None if it holds no request data."""
        if node is None or (known.checked and ast.unparse(node) in known.checked):
            return None
        match node:
            case ast.Name(id=name):
                return known.dirty.get(name)
            case ast.Attribute(value=value):
                return Trail(frozenset({node.lineno})) if self._is_source(node) else self.read(value, known)
            case ast.Subscript(value=value, slice=index):
                self.read(index, known)
                return self.read(value, known)
            case ast.Call():
                return self._call(node, known)
            case ast.BinOp(op=ast.Div()):
                return self._divide(node, known)
            case ast.NamedExpr(target=target, value=value):
                trail = self.read(value, known)
                self.bind(target, trail, known)
                return trail
            case ast.BoolOp() | ast.IfExp() | ast.Compare():
                return self._choose(node, known)
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    trail = self.read(value, known) if is_location(key) else None
                    if trail is not None and "redirect" not in trail.fit:
                        self.used.append((value.lineno, "redirect", trail))
                return self._parts(node, known)
            case ast.Lambda():
                return None
            case _:
                return self._told(node, self._parts(node, known))

    def _is_source(self, node: ast.expr) -> bool:
        name = dotted(node)
        found = self._table.sources.search(name) is not None
        return found or (self._function.in_handler and is_handler_data(name))

    def _told(self, node: ast.expr, trail: Trail | None) -> Trail | None:
        """The trail of text that is put together: request data in it may be a fault by itself."""
        if trail is not None and stays_at_home(node):
            trail = replace(trail, fit=trail.fit | {"redirect", "address"})
        use = told_by(node) if trail is not None else ""
        if trail is None or not use:
            return trail
        if use not in trail.fit:
            self.used.append((node.lineno, use, trail))
        return replace(trail, fit=trail.fit | {use})

    def _parts(self, node: ast.expr, known: KnownState) -> Trail | None:
        if isinstance(node, _COMPREHENSIONS):
            known = self._inside(node, known)
        trail = None
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                trail = either(trail, self.read(part, known))
        return trail

    def _inside(self, node: _COMPREHENSIONS, known: KnownState) -> KnownState:
        inside = known.copy()
        for part in node.generators:
            self.bind(part.target, self.read(part.iter, inside), inside)
            for test in part.ifs:
                self.read(test, inside)
                inside.prove(proves(test, when=True, aliases=inside.aliases))
        return inside

    def _choose(self, node: ast.BoolOp | ast.IfExp | ast.Compare, known: KnownState) -> Trail | None:
        if isinstance(node, ast.Compare):
            self._parts(node, known)
            return None
        if isinstance(node, ast.IfExp):
            self.read(node.test, known)
            yes, no = known.copy(), known.copy()
            yes.prove(proves(node.test, when=True, aliases=known.aliases))
            no.prove(proves(node.test, when=False, aliases=known.aliases))
            return either(self.read(node.body, yes), self.read(node.orelse, no))
        trail, so_far = None, known.copy()
        for value in node.values:
            trail = either(trail, self.read(value, so_far))
            so_far.prove(proves(value, when=isinstance(node.op, ast.And), aliases=so_far.aliases))
        return trail

    def _divide(self, node: ast.BinOp, known: KnownState) -> Trail | None:
        trail = either(self.read(node.left, known), self.read(node.right, known))
        if any(isinstance(side, ast.Constant) and not isinstance(side.value, str) for side in (node.left, node.right)):
            return None
        return _joined(trail, node.lineno)

    def _call(self, node: ast.Call, known: KnownState) -> Trail | None:
        receiver = self.read(node.func, known) if isinstance(node.func, ast.Attribute) else None
        arguments = [*node.args, *(item.value for item in node.keywords)]
        trails = {id(part): self.read(part, known) for part in arguments}
        given = None
        for trail in trails.values():
            given = either(given, trail)
        if isinstance(node.func, ast.Attribute):
            trails[id(node.func.value)] = receiver
        opened = False
        for use, part in uses(node, self._table):
            trail = trails[id(part)]
            if trail is not None and use not in trail.fit:
                self.used.append((node.lineno, use, trail))
                opened = opened or use == "path"
        self._called_back(node, receiver)
        self._filled(node, either(receiver, given), known)
        if opened:  # what a file holds is not what the sender wrote
            return None
        return self._told(node, self._outcome(node, receiver, given, trails))

    def _filled(self, node: ast.Call, trail: Trail | None, known: KnownState) -> None:
        """A variable into which request data is decoded holds it."""
        if FILLING.match(last_name(node.func)) and node.args and isinstance(node.args[-1], ast.Name):
            trail = trail or (Trail(frozenset({node.lineno})) if self._is_source(node.func) else None)
            if trail is not None:
                known.assign(node.args[-1].id, trail)

    def _called_back(self, node: ast.Call, receiver: Trail | None) -> None:
        """A function that is given to a collection of request data gets its elements."""
        for part in node.args:
            if receiver is not None and isinstance(part, InlineFunction):
                for function in self._functions:
                    if function.node is part.function and function.parameters:
                        function.lend(function.parameters[0], receiver)

    def _outcome(
        self, node: ast.Call, receiver: Trail | None, given: Trail | None, trails: dict[int, Trail | None]
    ) -> Trail | None:
        """The value of a call."""
        name, last = dotted(node.func), last_name(node.func)
        if cleaners()["any"].match(last) or _is_turned(node):
            return None
        if self._is_source(node.func):
            return Trail(frozenset({node.lineno}))
        fit = frozenset(use for use, pattern in cleaners().items() if pattern.match(last))
        if fit and either(receiver, given) is not None:
            return _fitting(either(receiver, given), fit)
        if self._table.joins.search(name) or last == "joinpath" or (last in _PATH_CLASSES and len(node.args) > 1):
            return _joined(either(receiver, given), node.lineno)
        ours = list(self._ours(node))
        if ours:
            return self._handed_on(ours, node, given, trails)
        if receiver is not None:
            return receiver
        if given is None or not self._carries(node.func, name):
            return None
        # What an unknown function makes of it is no longer the sender's text alone: it may be rendered, or written as JSON.
        return given if isinstance(node.func, ast.Attribute) else _fitting(given, frozenset({"html"}))

    def _carries(self, called: ast.expr, name: str) -> bool:
        """Whether a call returns what it is given: plain functions do, lookups in an object do not."""
        if not isinstance(called, ast.Attribute):
            return True
        first = name.split(".", maxsplit=1)[0]
        return self._table.carriers.match(first) is not None or isinstance(called.value, ast.Constant | ast.JoinedStr)

    def _handed_on(
        self, ours: list[Function], node: ast.Call, given: Trail | None, trails: dict[int, Trail | None]
    ) -> Trail | None:
        result = None
        for function in ours:
            function.called = True
            pairs = [*zip(function.parameters, node.args, strict=False)]
            pairs += [(item.arg, item.value) for item in node.keywords if item.arg]
            for name, part in pairs:
                if (trail := trails.get(id(part))) is not None:
                    function.lend(name, trail)
            if given is not None or not function.lent:
                result = either(result, function.result)
        return result

    def _ours(self, node: ast.Call) -> Iterator[Function]:
        """Functions of this file that a call may mean."""
        match node.func:
            case ast.Name(id=name):
                method = False
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                method = True
            case _:
                return
        for function in self._functions:
            first = function.node.args.args[:1]
            if function.node.name == name and method == bool(first and first[0].arg in {"self", "cls"}):
                yield function


def _is_turned(node: ast.Call) -> bool:
    """Whether a call turns what it reads into a number, as `args.get("n", type=int)` does."""
    return any(item.arg == "type" and dotted(item.value) in _NUMBERS for item in node.keywords)


def _joined(trail: Trail | None, line: int) -> Trail | None:
    return replace(trail, joins=trail.joins | {line}) if trail is not None else None


def _fitting(trail: Trail | None, fit: frozenset[str]) -> Trail | None:
    return replace(trail, fit=trail.fit | fit) if trail is not None else None
