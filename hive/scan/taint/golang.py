"""Go for the follower. Performs no I/O."""

from __future__ import annotations

import ast
import re

from hive.scan.taint.syntax import Node
from hive.scan.taint.translate import InlineFunction, Translator

KINDS = (
    *("expression_statement", "expression_list", "var_spec", "parameter_declaration"),
    *("function_declaration", "method_declaration", "func_literal", "parameter_list", "block"),
    *("short_var_declaration", "assignment_statement", "if_statement", "for_statement", "range_clause"),
    *("return_statement", "expression_switch_statement", "expression_case", "default_case", "call_expression"),
    *("break_statement", "continue_statement", "goto_statement"),
    *("argument_list", "selector_expression", "field_identifier", "identifier", "index_expression"),
    *("binary_expression", "unary_expression", "interpreted_string_literal", "raw_string_literal", "int_literal"),
    *("comment", "nil", "type_arguments"),
)
"""Of two nodes at the same place the first is the outer one."""

_SETTING = ("short_var_declaration", "assignment_statement", "expression_statement")
_REQUEST = re.compile(r"\*http\.Request$")


class GoTranslator(Translator):
    """Turns the nodes of a Go file into Python's; a parameter that is a request is called `request`."""

    nothings = frozenset({"nil"})
    silent = frozenset(("comment", "type_arguments"))

    def __init__(self, source: bytes) -> None:
        super().__init__(source)
        self._requests: set[str] = set()
        self.ways = {
            **dict.fromkeys(("identifier", "field_identifier"), self._name),
            **dict.fromkeys(("comment", "nil", "type_arguments"), self.nothing),
            "int_literal": lambda node: self.at(ast.Constant(0), node),
            **dict.fromkeys(("interpreted_string_literal", "raw_string_literal"), self._string),
            "selector_expression": self._selector,
            "index_expression": self._index,
            "call_expression": self._call,
            "binary_expression": self.binary,
            "unary_expression": self.unary,
            **dict.fromkeys(("short_var_declaration", "assignment_statement", "var_spec"), self._assignment),
            "expression_statement": lambda node: self.at(ast.Expr(self.values(self.code(node))), node),
            "if_statement": self._if,
            "for_statement": self._for,
            "return_statement": lambda node: self.at(ast.Return(self.values(self.code(node))), node),
            "expression_switch_statement": self._switch,
            **dict.fromkeys(("break_statement", "goto_statement"), lambda node: self.at(ast.Break(), node)),
            "continue_statement": lambda node: self.at(ast.Continue(), node),
            "block": lambda node: self.block(self.code(node)),
            **dict.fromkeys(("function_declaration", "method_declaration", "func_literal"), self._function),
        }

    def _name(self, node: Node) -> ast.expr:
        text = node.text(self.source)
        return self.name("request" if text in self._requests else text, node)

    def _string(self, node: Node) -> ast.expr:
        return self.at(ast.Constant(node.text(self.source)[1:-1]), node)

    def _selector(self, node: Node) -> ast.expr:
        if len(node.children) < 2:
            return self.values(node.children)
        whole, last = node.children[0], node.children[-1]
        return self.at(ast.Attribute(self.value(whole), last.text(self.source), ast.Load()), node)

    def _index(self, node: Node) -> ast.expr:
        parts = self.code(node)
        if len(parts) != 2:
            return self.values(parts)
        return self.at(ast.Subscript(self.value(parts[0]), self.value(parts[1]), ast.Load()), node)

    def _call(self, node: Node) -> ast.expr:
        given = node.of("argument_list")[-1:]
        called = [part for part in self.code(node) if part not in given]
        if not called:
            return self.values(given)
        return self.at(
            ast.Call(self.value(called[0]), [self.value(part) for part in self.code(given[0])] if given else [], []),
            node,
        )

    def _assignment(self, node: Node) -> ast.stmt:
        lists = node.of("expression_list")
        if node.kind == "var_spec":
            names, values = node.of("identifier"), lists
        elif len(lists) == 2:
            names, values = self.code(lists[0]), lists[1:]
        else:
            names, values = [], []
        if not names or not values:
            return self.at(ast.Pass(), node)
        made = [self.value(name) for name in names]
        target = made[0] if len(made) == 1 else self.at(ast.Tuple(made, ast.Store()), node)
        value = self.values(self.code(values[0]))
        if self.source[lists[0].end : lists[-1].start].strip() == b"+=" and isinstance(target, ast.Name):
            return self.at(ast.AugAssign(target, ast.Add(), value), node)
        return self.at(ast.Assign([target], value), node)

    def _if(self, node: Node) -> list[ast.stmt]:
        parts = self.code(node)
        first = [part for part in parts if part.kind in _SETTING]
        blocks = [part for part in parts if part.kind in {"block", "if_statement"}]
        test = [part for part in parts if part not in first and part not in blocks]
        body = self.block(blocks[:1]) or [self.at(ast.Pass(), node)]
        made = self.at(ast.If(self.values(test), body, self.block(blocks[1:])), node)
        return [*self.block(first), made]

    def _for(self, node: Node) -> ast.stmt:
        ranges, blocks = node.of("range_clause"), node.of("block")
        body = self.block(blocks)
        parts = self.code(ranges[0]) if ranges else []
        if not parts:
            return self.at(ast.While(self.nothing(node), body, []), node)
        names = [self.value(name) for part in parts[:-1] for name in (self.code(part) or [part])]
        target = self.at(ast.Tuple(names, ast.Store()), node)
        return self.at(ast.For(target, self.value(parts[-1]), body, [], None), node)

    def _switch(self, node: Node) -> ast.stmt:
        cases = node.of("expression_case", "default_case")
        subject = [part for part in self.code(node) if part not in cases]
        bodies = [self.block(part for part in self.code(case) if part.kind != "expression_list") for case in cases]
        return self.switched(
            node,
            self.values(subject),
            [(case.kind == "expression_case", b) for case, b in zip(cases, bodies, strict=True)],
        )

    def _function(self, node: Node) -> ast.stmt | ast.expr:
        lists = node.of("parameter_list")
        mine = lists[1:2] if node.kind == "method_declaration" else lists[:1]
        names = node.of("identifier", "field_identifier")[:1] if node.kind != "func_literal" else []
        outer = self._requests
        self._requests = outer | {name for part in mine for name in self._parameters(part, requests=True)}
        parameters = [name for part in mine for name in self._parameters(part)]
        body = self.block(node.of("block"))
        made = self.function_of(names[0].text(self.source) if names else "", parameters, body, node)
        if node.kind == "method_declaration":
            made.args.args.insert(0, ast.arg("self"))
        self._requests = outer
        return made if node.kind != "func_literal" else self.at(InlineFunction(made), node)

    def _parameters(self, node: Node, *, requests: bool = False) -> list[str]:
        return [
            name.text(self.source)
            for part in node.of("parameter_declaration")
            for name in part.of("identifier")
            if not requests or _REQUEST.search(part.text(self.source))
        ]
