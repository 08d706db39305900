"""What the follower knows of Python's functions, and of checks in any language. Performs no I/O."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_HANDLER_DATA = re.compile(r"^self\.(?:path|headers|rfile|path_args|path_kwargs|get_(?:query_|body_)?arguments?)$")
_HANDLER_CLASS = re.compile(r"RequestHandler$")

_ROUTES = frozenset({"route", "get", "post", "put", "patch", "delete", "head", "options", "api_route", "websocket"})
_ROUTE_NAME = re.compile(r"<(?:(?P<converter>[^<>:]*):)?(?P<flask>\w+)>|\{(?P<braced>\w+)(?::\w+)?\}")
_TEXT = re.compile(r"^(?:typing\.)?(?:Annotated\[|Optional\[|list\[|List\[)*(?:str|bytes|UploadFile)\b")
_SAFE_TYPES = frozenset({"int", "float", "bool", "uuid", "UUID", "uuid.UUID", "any"})

PROVING = re.compile(
    r"^(?:fullmatch|match|isidentifier|isalnum|isalpha|isdigit|isdecimal|isnumeric|is_relative_to|startswith|"
    r"test|matches|Match|MatchString|startsWith|HasPrefix|IsLocal|includes|has|hasOwn|hasOwnProperty|Contains|EqualFold|"
    r"\w*(?:[sS]afe|[vV]alid|[aA]llowed|[kK]nown|[pP]ermitted|[lL]egal|[tT]rusted|[iI]nside|[wW]ithin)\w*)$"
)
"""Functions that are true only of what is in order."""

RAISING = re.compile(
    r"^(?:relative_to|_?(?:check|validate|ensure|require|verify|assert|reject|guard)\w+|check|validate|ensure|verify)$"
)
"""Functions that raise for what is not in order."""

FILLING = re.compile(r"^(?:Decode|Unmarshal|Bind\w*|ShouldBind\w*|MustBind\w*|BodyParser|ReadJSON|Sscan\w*)$")
"""Functions that put what they read into their last argument."""

FRAGMENTS = re.compile(r"^(?:includes|Contains|ContainsAny|ContainsRune)$")
"""Functions that are true of text that holds a certain part."""

ENDING = re.compile(r"^(?:abort|fail|exit|_exit|bail|die|panic|Fatal|Fatalf|Fatalln)$")
"""Functions that do not return."""


def dotted(node: ast.expr) -> str:
    """`a.b.c` for names and attributes of names, empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join((node.id, *reversed(parts)))


def last_name(node: ast.expr) -> str:
    """The last name of what is called: `c` for `a.b.c` and for `f().c`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def is_handler_data(name: str) -> bool:
    """Whether a dotted name is data of a request in the method of a handler."""
    return _HANDLER_DATA.match(name) is not None


def is_handler(node: ast.ClassDef) -> bool:
    """Whether a class answers requests, as those of `http.server` and Tornado do."""
    return any(_HANDLER_CLASS.search(last_name(base)) for base in node.bases)


def models(tree: ast.AST) -> frozenset[str]:
    """Classes of a file that are filled from a request's body, as FastAPI does with those of pydantic."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    return frozenset(node.name for node in classes if any(last_name(base) == "BaseModel" for base in node.bases))


def given_by_request(
    function: ast.FunctionDef | ast.AsyncFunctionDef, filled: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Parameters that hold request data from the start: parts of a route, a WSGI environment, and `filled` classes."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    typed = {item.arg for item in arguments if item.annotation and dotted(item.annotation) in _SAFE_TYPES}
    names = [item.arg for item in arguments]
    for decorator in function.decorator_list:
        yield from (name for name in _in_route(decorator) if name in names and name not in typed)
        if _is_route(decorator):  # what FastAPI takes from the query, the body or a form
            told = {item.arg: ast.unparse(item.annotation) for item in arguments if item.annotation}
            yield from (name for name, kind in told.items() if kind in filled or _TEXT.match(kind))
    if "start_response" in names:
        yield from names[: names.index("start_response")][-1:]
    elif "environ" in names:
        yield "environ"


def _is_route(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Call) and last_name(decorator.func) in _ROUTES and bool(decorator.args)


def _in_route(decorator: ast.expr) -> Iterator[str]:
    if not isinstance(decorator, ast.Call) or not _is_route(decorator):
        return
    rule = decorator.args[0]
    if isinstance(rule, ast.Constant) and isinstance(rule.value, str):
        for match in _ROUTE_NAME.finditer(rule.value):
            if match["converter"] not in _SAFE_TYPES:
                yield match["flask"] or match["braced"]
