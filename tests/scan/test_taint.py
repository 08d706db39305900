"""Request data that becomes a path: what is seen, and what is let pass."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable

import pytest

from bots.models import Level, Scan
from hive.scan.taint.flow import matches

UNCHECKED = {
    "route parameter": """
        @app.get("/f/<name>")
        def show(name):
            return send_file(os.path.join("/data", name))
    """,
    "braced route parameter": """
        @app.get("/f/{name}")
        async def show(name: str):
            return FileResponse(BASE / name)
    """,
    "form field, checked for emptiness only": """
        def purge():
            name = request.form["name"]
            if not name:
                return "", 400
            shutil.rmtree(STATE / name)
    """,
    "query, opened at once": """
        def show():
            return open(request.args.get("f")).read()
    """,
    "WSGI environment": """
        def app(environ, start_response):
            name = parse_qs(environ["QUERY_STRING"])["name"][0]
            path = ROOT / name
            with path.open() as file:
                return file.read()
    """,
    "WSGI environment under another name": """
        def app(env, start_response):
            return open("/srv" + env["PATH_INFO"])
    """,
    "http.server, through a method": """
        class Pages(BaseHTTPRequestHandler):
            def do_GET(self):
                return self.load(self.path.lstrip("/"))

            def load(self, name):
                return (ROOT / name).read_bytes()
    """,
    "a helper that removes": """
        def post_purge_tombstone():
            tombstone(request.view_args["name"])

        def tombstone(name):
            shutil.rmtree("/var/lib/tombs/" + name)
    """,
    "a helper that hands on": """
        def show():
            (D / trimmed(request.args["n"])).unlink()

        def trimmed(name):
            return name.strip()
    """,
    "joined and returned": """
        def where():
            return os.path.join(D, request.args["x"])
    """,
    "joined and passed on": """
        def show():
            serve(os.path.join(D, request.args["x"]))
    """,
    "joined and kept": """
        def show():
            path = D / request.args["x"]
            cache[1] = 2
    """,
    "another attribute was checked": """
        def upload():
            file = request.files["f"]
            if file.mimetype not in ALLOWED:
                abort(415)
            file.save(os.path.join(D, file.filename))
    """,
    "the suffix was checked": """
        def show():
            name = request.args["n"]
            if Path(name).suffix not in SUFFIXES:
                abort(404)
            return open(D / name)
    """,
    "existence was checked": """
        def show():
            path = os.path.join(D, request.json["p"])
            if not os.path.exists(path):
                abort(404)
            return open(path)
    """,
    "a loop over values": """
        def purge():
            for name in request.form.getlist("names"):
                os.unlink(f"{D}/{name}")
    """,
    "a comprehension": """
        def show():
            return [open(name) for name in request.form.getlist("names")]
    """,
    "a list of what is forbidden": """
        def show():
            name = request.args["n"]
            if name in ("", ".", ".."):
                abort(400)
            return open(D / name)
    """,
    "checked in one branch only": """
        def show():
            name = request.args["n"]
            if strict and not NAME.fullmatch(name):
                abort(400)
            return open(D / name)
    """,
    "assigned again after the check": """
        def show():
            name = request.args["n"]
            if not NAME.fullmatch(name):
                abort(400)
            name = request.args["m"]
            return open(D / name)
    """,
    "in a try": """
        def show():
            try:
                path = D / request.args["n"]
            except KeyError:
                path = None
            return path.read_text()
    """,
    "in a match": """
        def show():
            match request.method:
                case "GET":
                    return open(request.args["n"])
    """,
    "unpacked": """
        def show():
            folder, name = request.args["n"].split("/")
            os.rename(D, name)
    """,
    "added to": """
        def show():
            path = "/srv/"
            path += request.args["n"]
            return open(path)
    """,
    "asked for in a loop": """
        def show():
            name = ""
            while not name:
                name = request.args["n"]
            return open(name)
    """,
    "left behind by a loop": """
        def show():
            name: str
            last = "index"
            for name in request.form.getlist("names"):
                open(last)
                last = name
    """,
    "kept in a dictionary": """
        def show():
            parts = {}
            parts["n"] = request.args["n"]
            return open(parts["n"])
    """,
    "the rest of a list": """
        def show():
            [first, *rest] = request.args["n"].split("/")
            return open(rest[0])
    """,
    "an argument by its name": """
        def show():
            return load(name=request.args["n"])

        def load(*, name, **more):
            return open(name, **more)
    """,
    "a chain of helpers": """
        def a():
            return b(request.args["n"])

        def b(name):
            return c(name)

        def c(name):
            return d(name)

        def d(name):
            return open(name)
    """,
    "after a handler that goes on": """
        def show():
            name = request.args["n"]
            try:
                check_name(name)
            except ValueError:
                log.warning("odd")
            return open(D / name)
    """,
    "in both branches": """
        def show():
            if request.args["old"]:
                name = request.args["n"]
            else:
                name = "index"
            return open(D / name)
    """,
    "a Tornado handler": """
        class Pages(tornado.web.RequestHandler):
            def get(self):
                self.write(open(self.get_argument("f")).read())
    """,
    "an environment alone": """
        def page(environ):
            return open(environ["PATH_INFO"])
    """,
    "length was checked": """
        def show():
            name = request.args["n"]
            if len(name) > 9 or name is None:
                abort(400)
            return open(D / name)
    """,
    "a query of FastAPI": """
        @router.get("/f")
        async def show(name: str, count: int):
            return FileResponse(D / name)
    """,
    "a body of FastAPI": """
        class Wanted(BaseModel):
            name: str

        @router.post("/f")
        async def show(wanted: Wanted):
            return FileResponse(D / wanted.name)
    """,
    "a keyword": """
        def show():
            return open(file=request.args["n"])
    """,
}
CHECKED = {
    "number in the route": """
        @app.get("/f/<int:name>")
        def show(name):
            return open(f"/data/{name}")
    """,
    "number by its type": """
        @app.get("/f/{name}")
        def show(name: int):
            return open(f"/data/{name}")
    """,
    "cleaned": """
        def upload():
            name = secure_filename(request.files["f"].filename)
            return open(os.path.join(D, name))
    """,
    "made a number": """
        def show():
            return open(f"/data/{int(request.args['n'])}")
    """,
    "matched": """
        def show():
            name = request.args["name"]
            if not NAME.fullmatch(name):
                abort(400)
            return open(os.path.join(D, name))
    """,
    "matched, and the match looked at": """
        def show():
            name = request.args["name"]
            match = NAME.match(name)
            if match is None:
                abort(400)
            return open(D / name)
    """,
    "matched in passing": """
        def show():
            name = request.args["name"]
            if (match := NAME.match(name)) is None:
                abort(400)
            return open(D / name)
    """,
    "one of the known": """
        def purge():
            name = request.args["name"]
            if name not in KNOWN:
                raise KeyError(name)
            shutil.rmtree(D / name)
    """,
    "looked up": """
        def show():
            return open(PAGES[request.args["page"]])
    """,
    "asked of a database": """
        def show():
            return open(rows.get(request.args["n"]).path)
    """,
    "still inside": """
        def show():
            path = (BASE / request.args["p"]).resolve()
            if not path.is_relative_to(BASE):
                abort(404)
            return path.read_text()
    """,
    "still inside, or an error": """
        def show():
            name = request.args["n"]
            try:
                path = (D / name).resolve()
                path.relative_to(D)
            except ValueError:
                abort(404)
            return path.open()
    """,
    "in common": """
        def show():
            path = os.path.realpath(os.path.join(D, request.args["p"]))
            if os.path.commonpath([D, path]) != D:
                abort(403)
            return send_file(path)
    """,
    "below its folder": """
        def show():
            path = (D / request.args["n"]).resolve()
            if D not in path.parents:
                abort(404)
            return open(path)
    """,
    "the value of a case": """
        def show():
            name = request.args["n"]
            match name:
                case "a" | "b":
                    return open(D / name)
    """,
    "no way up": """
        def show():
            name = request.args["n"]
            if "/" in name or ".." in name:
                abort(400)
            return open(D / name)
    """,
    "no way up, without a variable": """
        def show():
            if ".." in request.path:
                abort(404)
            return open(D + request.path)
    """,
    "every character": """
        def show():
            name = request.args["n"]
            if all(letter in LETTERS for letter in name):
                return open(D / name)
    """,
    "checked by a function that raises": """
        def show():
            name = request.args["n"]
            check_name(name)
            return open(D / name)
    """,
    "checked in the positive": """
        def show():
            name = request.args["n"]
            if NAME.fullmatch(name):
                return open(D / name)
    """,
    "checked in the same expression": """
        def show():
            name = request.args["n"]
            return open(D / name) if valid_name(name) else None
    """,
    "checked on the way": """
        def show():
            name = request.args["n"]
            return valid_name(name) and open(D / name)
    """,
    "the same without its folder": """
        def show():
            name = request.args["n"]
            if os.path.basename(name) == name:
                return open(D / name)
    """,
    "filtered": """
        def show():
            return [open(name) for name in request.form.getlist("n") if name in KNOWN]
    """,
    "checked in a helper that joins": """
        def show():
            return inside(request.args["n"]).read_text()

        def inside(name):
            path = (D / name).resolve()
            if not path.is_relative_to(D):
                raise ValueError(name)
            return path
    """,
    "asked again until it is right": """
        def show():
            name = request.args["n"]
            while not NAME.fullmatch(name):
                name = request.args["n"]
            return open(D / name)
    """,
    "checked in every branch": """
        def show():
            name = request.args["n"]
            if strict:
                if not NAME.fullmatch(name):
                    abort(400)
            elif name not in KNOWN:
                return None
            return open(D / name)
    """,
    "a decorator that is no route": """
        @cached("/f/<name>")
        @app.get(RULE)
        @app.get("/f/<path:rest>")
        def show(name):
            with open(D / name) as file, lock:
                return file.read()
    """,
    "asserted, after a log": """
        def show():
            path = D / request.args["n"]
            log.info("reading %s", path)
            assert path.resolve().is_relative_to(D)
            return path.read_text()
    """,
    "content, not a name": """
        def upload():
            (D / "fixed").write_bytes(request.get_data())
    """,
    "a quotient": """
        def half():
            return total(request.json["a"] / 2)
    """,
    "the forge's own way": """
        def show():
            return send_from_directory(D, request.args["p"])
    """,
    "no request at all": """
        def load(name):
            return (ROOT / name).read_text()
    """,
    "the environment of the process": """
        def load():
            return open(os.environ["HOME"])
    """,
}


@pytest.mark.parametrize("code", UNCHECKED.values(), ids=UNCHECKED.keys())
def test_sees(code: str) -> None:
    """Request data that is used as a path without a check is seen, whatever way it takes."""
    assert len(matches(ast.parse(textwrap.dedent(code)))) == 1


@pytest.mark.parametrize("code", CHECKED.values(), ids=CHECKED.keys())
def test_lets_pass(code: str) -> None:
    """What was checked, cleaned, or never came from a request is no finding."""
    assert matches(ast.parse(textwrap.dedent(code))) == []


def test_newer_python_is_said(look: Callable[..., Scan]) -> None:
    """A file that this Python cannot read is no clean file: its paths were not checked, and that is said."""
    files = {"a.py": "x = 1\n\nprint(1 +)\n"}
    scan = look(files, added={"a.py": [2]}, engines="taint")
    assert [(item.line, item.level, item.title) for item in scan.findings] == [
        (2, Level.YELLOW, "Request data was not followed in this file")
    ]
    both = look(files, added={"a.py": [2]}, engines="taint ruff")
    assert [(item.engine, item.level) for item in both.findings] == [("ruff", Level.RED)]


def test_hostile_nesting_is_a_failure(look: Callable[..., Scan]) -> None:
    """A file that is made to exhaust the engine ends as a failure of the engine, never as a clean file."""
    scan = look({"a.py": "x = " + "-" * 60_000 + "1\n"}, engines="taint")
    assert [engine for engine, _ in scan.failed] == ["taint"]
    assert scan.findings == ()
