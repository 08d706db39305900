"""The page: one line for each hive, and a page for each."""

import sys
from pathlib import Path
from wsgiref.simple_server import make_server

from apiary.honey import apiary, honey


def page(hives: Path) -> str:
    """The text of the page."""
    return "".join(f"{name}: {count}\n" for name, count in apiary(hives).items())


def application(hives: Path):
    """A WSGI application that serves the pages."""

    def serve(environ, start_response):
        name = environ["PATH_INFO"].strip("/")
        start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
        if name:
            hive = Path(hives, name)
            return [f"{honey(hive)}\n".encode()]
        return [page(hives).encode()]

    return serve


if __name__ == "__main__":
    with make_server("127.0.0.1", 8000, application(Path(sys.argv[1]))) as server:
        server.serve_forever()
