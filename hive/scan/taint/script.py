"""JavaScript and TypeScript for the follower. Performs no I/O."""

from __future__ import annotations

import ast
import re

from hive.scan.taint.syntax import Node
from hive.scan.taint.translate import InlineFunction, Made, Translator

_FUNCTIONS = (
    "function_declaration",
    "generator_function_declaration",
    "method_definition",
    "function_expression",
    "arrow_function",
)
_TYPES = ("type_annotation", "type_arguments", "type_parameters")
_FROM_REQUEST = re.compile(r"@(?:Query|Param|Body|Headers|UploadedFile|Cookies)\b")
KINDS = (
    *("expression_statement", "variable_declarator"),
    *("comment", "identifier", "property_identifier", "shorthand_property_identifier", "string", "number", "regex"),
    *("shorthand_property_identifier_pattern", "object_pattern", "array_pattern", "pair_pattern", "rest_pattern"),
    *("assignment_pattern", "object", "pair", "template_string", "template_substitution", "member_expression"),
    *(
        "subscript_expression",
        "call_expression",
        "new_expression",
        "arguments",
        "binary_expression",
        "unary_expression",
    ),
    *("ternary_expression", "assignment_expression", "augmented_assignment_expression"),
    *("if_statement", "else_clause", "return_statement", "throw_statement", "for_statement"),
    *("for_in_statement", "while_statement", "do_statement", "try_statement", "catch_clause", "finally_clause"),
    *("switch_statement", "switch_case", "switch_default", "break_statement", "continue_statement", "statement_block"),
    *("formal_parameters", "this", "null", "undefined", *_FUNCTIONS),
)
"""Of two nodes at the same place the first is the outer one."""

TYPED_KINDS = ("required_parameter", "decorator", *KINDS, *_TYPES)


class ScriptExpressions(Translator):
    """Turns the expressions of a script into Python's."""

    nothings = frozenset({"null", "undefined"})
    silent = frozenset(("comment", *_TYPES))

    def __init__(self, source: bytes) -> None:
        super().__init__(source)
        self.ways |= {
            **dict.fromkeys(
                ("identifier", "shorthand_property_identifier", "shorthand_property_identifier_pattern"), self._name
            ),
            **dict.fromkeys(("comment", "null", "undefined", "regex", "number", *_TYPES), self._constant),
            "this": lambda node: self.name("self", node),
            "string": lambda node: self.at(ast.Constant(node.text(source)[1:-1]), node),
            "template_string": self._template,
            "member_expression": self._member,
            "subscript_expression": self._subscript,
            **dict.fromkeys(("call_expression", "new_expression"), self._call),
            "object": self._object,
            "binary_expression": self.binary,
            "unary_expression": self.unary,
            "ternary_expression": self._ternary,
            **dict.fromkeys(
                ("assignment_expression", "augmented_assignment_expression", "variable_declarator"), self._assignment
            ),
            **dict.fromkeys(("object_pattern", "array_pattern", "rest_pattern"), self._pattern),
            "pair_pattern": lambda node: self.value(node.children[-1] if node.children else None),
            "assignment_pattern": lambda node: self.value(node.children[0] if node.children else None),
        }

    def _name(self, node: Node) -> ast.expr:
        return self.name(node.text(self.source), node)

    def _constant(self, node: Node) -> ast.expr:
        return self.at(ast.Constant(0 if node.kind == "number" else None), node)

    def _template(self, node: Node) -> ast.expr:
        parts: list[ast.expr] = []
        at = node.start + 1
        for child in node.of("template_substitution"):
            parts.append(ast.Constant(self.source[at : child.start].decode("utf-8", "replace")))
            parts.append(self.at(ast.FormattedValue(self.values(self.code(child)), -1, None), child))
            at = child.end
        parts.append(ast.Constant(self.source[at : node.end - 1].decode("utf-8", "replace")))
        return self.at(ast.JoinedStr(parts), node)

    def _member(self, node: Node) -> ast.expr:
        if len(node.children) < 2:
            return self.values(node.children)
        whole, last = node.children[0], node.children[-1]
        return self.at(ast.Attribute(self.value(whole), last.text(self.source), ast.Load()), node)

    def _subscript(self, node: Node) -> ast.expr:
        if len(node.children) < 2:
            return self.values(node.children)
        return self.at(ast.Subscript(self.value(node.children[0]), self.value(node.children[1]), ast.Load()), node)

    def _call(self, node: Node) -> ast.expr:
        given = node.of("arguments", "template_string")[-1:]
        called = [child for child in self.code(node) if child not in given]
        if not called:
            return self.values(given)
        arguments = [self.value(part) for part in self.code(given[0])] if given else []
        return self.at(ast.Call(self.value(called[0]), arguments, []), node)

    def _object(self, node: Node) -> ast.expr:
        keys: list[ast.expr | None] = []
        values: list[ast.expr] = []
        for child in self.code(node):
            pair = self.code(child) if child.kind == "pair" else []
            key = pair[0].text(self.source).strip("\"'") if pair else child.text(self.source)
            keys.append(ast.Constant(key))
            values.append(self.values(pair[1:]) if len(pair) > 1 else self._plain(child, key))
        return self.at(ast.Dict(keys, values), node)

    def _plain(self, node: Node, key: str) -> ast.expr:
        """A pair whose value is no node, such as `true`, or a part that is no pair."""
        if node.kind == "pair":
            return self.at(ast.Constant(node.text(self.source).removeprefix(key).strip(" :\"'")), node)
        return self.value(node)

    def _ternary(self, node: Node) -> ast.expr:
        parts = self.code(node)
        if len(parts) != 3:
            return self.values(parts)
        test, yes, no = map(self.value, parts)
        return self.at(ast.IfExp(test, yes, no), node)

    def _assignment(self, node: Node) -> ast.stmt | ast.expr:
        parts = self.code(node)
        if len(parts) < 2:
            return self.values([])
        target, value = self.value(parts[0]), self.values(parts[1:])
        if node.kind == "augmented_assignment_expression" and isinstance(target, ast.Name):
            return self.at(ast.AugAssign(target, ast.Add(), value), node)
        return self.at(ast.Assign([target], value), node)

    def _pattern(self, node: Node) -> ast.expr:
        return self.at(ast.Tuple([self.value(part) for part in self.code(node)], ast.Store()), node)


class ScriptTranslator(ScriptExpressions):
    """Turns the statements and functions of a script into Python's."""

    def __init__(self, source: bytes) -> None:
        super().__init__(source)
        self.ways |= {
            "expression_statement": self._expression,
            "if_statement": self._if,
            "return_statement": lambda node: self.at(ast.Return(self.values(self.code(node))), node),
            "throw_statement": lambda node: self.at(ast.Raise(self.values(self.code(node)), None), node),
            "break_statement": lambda node: self.at(ast.Break(), node),
            "continue_statement": lambda node: self.at(ast.Continue(), node),
            **dict.fromkeys(("for_in_statement",), self._for),
            **dict.fromkeys(("while_statement", "do_statement", "for_statement"), self._while),
            "try_statement": self._try,
            "switch_statement": self._switch,
            **dict.fromkeys(("statement_block", "else_clause", "finally_clause"), self._block),
            **dict.fromkeys(_FUNCTIONS, self._function),
        }

    def _expression(self, node: Node) -> Made:
        parts = self.code(node)
        made = self.one(parts[0]) if len(parts) == 1 else self.values(parts)
        return made if isinstance(made, ast.stmt) else self.at(ast.Expr(self.values(parts)), node)

    def _block(self, node: Node) -> list[ast.stmt]:
        return self.block(self.code(node))

    def _if(self, node: Node) -> ast.stmt:
        parts = self.code(node)
        other = [part for part in parts if part.kind == "else_clause"]
        parts = [part for part in parts if part not in other]
        body = self.block(parts[1:]) or [self.at(ast.Pass(), node)]
        return self.at(ast.If(self.values(parts[:1]), body, self.block(other)), node)

    def _for(self, node: Node) -> ast.stmt:
        parts = self.code(node)
        if len(parts) < 2:
            return self.at(ast.Pass(), node)
        loop = ast.For(self.value(parts[0]), self.value(parts[1]), self.block(parts[2:]), [], None)
        return self.at(loop, node)

    def _while(self, node: Node) -> ast.stmt:
        return self.at(ast.While(self.nothing(node), self.block(self.code(node)), []), node)

    def _try(self, node: Node) -> ast.stmt:
        catches, last = node.of("catch_clause"), node.of("finally_clause")
        body = [part for part in self.code(node) if part not in catches and part not in last]
        handlers = [ast.ExceptHandler(None, None, self.block(part.of("statement_block"))) for part in catches]
        return self.at(ast.Try(self.block(body), handlers, [], self.block(last)), node)

    def _switch(self, node: Node) -> ast.stmt:
        cases = node.of("switch_case", "switch_default")
        subject = [part for part in self.code(node) if part not in cases]
        bodies = [self.block(self.code(case)[case.kind == "switch_case" :]) for case in cases]
        return self.switched(
            node, self.values(subject), [(case.kind == "switch_case", b) for case, b in zip(cases, bodies, strict=True)]
        )

    def _function(self, node: Node) -> ast.stmt | ast.expr:
        parts = self.code(node)
        bodies = [part for part in parts if part.kind == "statement_block"]
        listed = node.of("formal_parameters")
        names = parts[:1] if node.kind not in {"function_expression", "arrow_function"} else []
        parameters = (
            self.code(listed[0])
            if listed
            else [part for part in parts[:1] if part.kind == "identifier"][: len(parts) - 1]
        )
        body: list[ast.stmt] = (
            self.block(bodies[-1:]) if bodies else [self.at(ast.Return(self.values(parts[1:])), node)]
        )
        self._unpack(parameters, body, node)
        made = self.function_of(
            names[0].text(self.source) if names else "", [self._parameter(part) for part in parameters], body, node
        )
        if node.kind == "method_definition":
            made.args.args.insert(0, ast.arg("self"))
        return made if names else self.at(InlineFunction(made), node)

    def _parameter(self, node: Node) -> str:
        if node.kind == "required_parameter":
            inner = [child for child in self.code(node) if child.kind != "decorator"]
            return self._parameter(inner[0]) if inner else f"({node.start})"
        made = self.value(node)
        return made.id if isinstance(made, ast.Name) else f"({node.start})"

    def _unpack(self, parameters: list[Node], body: list[ast.stmt], node: Node) -> None:
        """Parameters that are taken apart: their parts are assigned first; those that a decorator fills from a request, too."""
        for part in parameters:
            if part.kind == "required_parameter":
                inner = [child for child in self.code(part) if child.kind != "decorator"]
                if part.of("decorator") and inner and _FROM_REQUEST.match(part.text(self.source)):
                    request = self.at(ast.Attribute(self.name("request", part), "query", ast.Load()), part)
                    body.insert(0, self.at(ast.Assign([self.value(inner[0])], request), part))
                self._unpack(inner, body, node)
            if part.kind in {"object_pattern", "array_pattern"}:
                given = self.name(f"({part.start})", part)
                body.insert(0, self.at(ast.Assign([self.value(part)], given), node))
