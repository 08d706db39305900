"""What the taint rule knows by name: where request data comes in, where paths are used, what cleans. No I/O."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

_REQUEST = re.compile(
    r"(?:^|\.)(?:request|req)\.(?:args|body|cookies|data|environ|files|form|forms|full_path|get_data|get_json|headers|"
    r"json|match_info|params|path|path_params|post|query|query_params|query_string|stream|text|url|values|view_args|"
    r"FILES|GET|POST)$"
)
_HANDLER_DATA = re.compile(r"^self\.(?:path|headers|rfile|path_args|path_kwargs|get_(?:query_|body_)?arguments?)$")
_HANDLER_CLASS = re.compile(r"RequestHandler$")

_ROUTES = frozenset({"route", "get", "post", "put", "patch", "delete", "head", "options", "api_route", "websocket"})
_ROUTE_NAME = re.compile(r"<(?:(?P<converter>[^<>:]*):)?(?P<flask>\w+)>|\{(?P<braced>\w+)(?::\w+)?\}")
_SAFE_TYPES = frozenset({"int", "float", "bool", "uuid", "UUID", "uuid.UUID", "any"})

CLEANERS = re.compile(
    r"^(?:secure_filename|safe_join|basename|int|float|bool|len|ord|hash|sum|abs|round|range|isinstance|type|id|repr|"
    r"UUID|hexdigest|digest|token_\w+|uuid\d|_?(?:safe|sanit|clean|valid|check|verif|secure|slug|allow|ensure|require)\w*)$"
)
"""Functions whose result is clean."""

PROVING = re.compile(
    r"^(?:fullmatch|match|isidentifier|isalnum|isalpha|isdigit|isdecimal|isnumeric|is_relative_to|startswith|"
    r"\w*(?:safe|valid|allowed|known|permitted|legal|trusted|inside|within)\w*)$"
)
"""Functions that are true only of what is in order."""

RAISING = re.compile(r"^(?:relative_to|_?(?:check|validate|ensure|require|verify|assert|reject|guard)\w*)$")
"""Functions that raise for what is not in order."""

ENDING = re.compile(r"^(?:abort|fail|exit|_exit|bail|die)$")
"""Functions that do not return."""

CARRYING = frozenset(
    {"os", "path", "posixpath", "pathlib", "re", "urllib", "parse", "json", "base64", "html", "codecs", "unicodedata"}
)
"""Modules whose functions return what they are given."""

JOINS = frozenset({"os.path.join", "path.join", "posixpath.join", "joinpath"})

_PATH_FIRST = frozenset(
    {
        *(
            "open",
            "io.open",
            "codecs.open",
            "gzip.open",
            "os.open",
            "os.remove",
            "os.unlink",
            "os.rmdir",
            "os.removedirs",
        ),
        *("os.mkdir", "os.makedirs", "os.listdir", "os.scandir", "os.walk", "os.chmod", "os.chown", "os.truncate"),
        *("shutil.rmtree", "rmtree", "unlink", "makedirs", "send_file", "flask.send_file", "send_from_directory"),
        *("flask.send_from_directory", "FileResponse", "web.FileResponse", "tarfile.open", "sqlite3.connect"),
    }
)
_PATH_TWICE = frozenset(
    {
        *("os.rename", "os.renames", "os.replace", "os.link", "os.symlink", "shutil.move", "shutil.copy"),
        *("shutil.copy2", "shutil.copyfile", "shutil.copytree", "copyfile", "copytree", "zipfile.ZipFile", "ZipFile"),
    }
)
_PATH_KEYWORDS = frozenset({"file", "filename", "path", "src", "dst", "name", "directory", "path_or_file"})
_ON_A_PATH = frozenset(
    {
        *(
            "open",
            "read_text",
            "read_bytes",
            "write_text",
            "write_bytes",
            "unlink",
            "rmdir",
            "mkdir",
            "touch",
            "iterdir",
        ),
        *("rename", "symlink_to", "hardlink_to", "chmod", "rglob"),
    }
)
_SAVING = frozenset({"save", "extractall", "extract"})


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


def is_source(name: str, *, in_handler: bool) -> bool:
    """Whether a dotted name is data of a request."""
    return _REQUEST.search(name) is not None or (in_handler and _HANDLER_DATA.match(name) is not None)


def is_handler(node: ast.ClassDef) -> bool:
    """Whether a class answers requests, as those of `http.server` and Tornado do."""
    return any(_HANDLER_CLASS.search(last_name(base)) for base in node.bases)


def given_by_request(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """Parameters that hold request data from the start: parts of a route, and a WSGI environment."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    typed = {item.arg for item in arguments if item.annotation and dotted(item.annotation) in _SAFE_TYPES}
    names = [item.arg for item in arguments]
    for decorator in function.decorator_list:
        yield from (name for name in _in_route(decorator) if name in names and name not in typed)
    if "start_response" in names:
        yield from names[: names.index("start_response")][-1:]
    elif "environ" in names:
        yield "environ"


def _in_route(decorator: ast.expr) -> Iterator[str]:
    if not isinstance(decorator, ast.Call) or last_name(decorator.func) not in _ROUTES or not decorator.args:
        return
    rule = decorator.args[0]
    if isinstance(rule, ast.Constant) and isinstance(rule.value, str):
        for match in _ROUTE_NAME.finditer(rule.value):
            if match["converter"] not in _SAFE_TYPES:
                yield match["flask"] or match["braced"]


def paths_of(call: ast.Call) -> Iterator[ast.expr]:
    """The parts of a call that the file system will take for a path."""
    name, last = dotted(call.func), last_name(call.func)
    if name in _PATH_FIRST or name in _PATH_TWICE:
        yield from call.args[: 1 if name in _PATH_FIRST else 2]
        yield from (item.value for item in call.keywords if item.arg in _PATH_KEYWORDS)
        return
    if isinstance(call.func, ast.Attribute) and last in _ON_A_PATH:
        yield call.func.value
    if isinstance(call.func, ast.Attribute) and last in _SAVING:
        yield from call.args[:1]
