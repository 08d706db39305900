"""What a change brings is its own, wherever it shows; what was there before is not. Real commits, real engines."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bots.models import Category, Level, Scan, Verdict, verdict

Change = Callable[..., Scan]


def said(scan: Scan) -> list[tuple[str, int, str]]:
    """What was found that wants something."""
    assert scan.failed == ()
    return [(item.path, item.line, item.rule) for item in scan.findings if item.level is not Level.GREEN]


@pytest.mark.parametrize(
    ("name", "before", "after", "line"),
    [
        (
            "a.py",
            "import json\n\n\ndef f(x):\n    try:\n        return json.dumps(x)\n    except Exception:\n        raise\n",
            "import json\n\n\ndef f(x):\n    try:\n        return json.dumps(x)\n    except Exception:\n        pass\n",
            8,
        ),
        (
            "a.js",
            "export function f() {\n  try {\n    g();\n  } catch (error) {\n    throw error;\n  }\n}\n",
            "export function f() {\n  try {\n    g();\n  } catch (error) {\n    // never mind\n  }\n}\n",
            5,
        ),
        (
            "a.go",
            "package a\n\nfunc f() error {\n\terr := g()\n\tif err != nil {\n\t\treturn err\n\t}\n\treturn nil\n}\n",
            "package a\n\nfunc f() error {\n\terr := g()\n\tif err != nil {\n\t\treturn nil\n\t}\n\treturn nil\n}\n",
            6,
        ),
    ],
)
def test_a_handler_that_was_there_falls_silent(change: Change, name: str, before: str, after: str, line: int) -> None:
    """A failure that a change makes silent in an old handler is red, on the line that was touched."""
    scan = change({name: before}, {name: after})
    found = [(item.line, item.category, item.level) for item in scan.findings]
    assert found == [(line, Category.SILENT_FAILURE, Level.RED)]


def test_a_call_over_several_lines(change: Change) -> None:
    """An argument on a line of its own is the change's, though the call began before."""
    code = (
        "import subprocess\n\n\ndef f(name):\n    subprocess.run(\n        f'ls {name}',\n        check=True,\n    )\n"
    )
    scan = change({"a.py": code}, {"a.py": code.replace("check=True,", "check=True,\n        shell=True,")})
    assert said(scan) == [("a.py", 8, "S602")]


def test_what_a_deletion_breaks_elsewhere(change: Change) -> None:
    """A name that a change takes away is missing on an old line: it is said there."""
    code = "def g():\n    return 1\n\n\ndef f():\n    return g()\n"
    assert said(change({"a.py": code}, {"a.py": code[code.index("def f") :]})) == [("a.py", 2, "F821")]


def test_an_import_of_what_is_gone(change: Change) -> None:
    """A module or a name that a change takes away is missing in files that it does not touch: it is said there."""
    before = {
        "app/__init__.py": "",
        "app/store.py": "def save():\n    return 1\n\n\ndef load():\n    return 2\n",
        "app/old.py": "X = 1\n",
        "app/main.py": "from app.store import (\n    load,  # both\n    save,\n)\n\nprint(load(), save())\n",
        "app/other.py": "from . import old\nfrom .store import load\n\nprint(old, load)\n",
        "app/third.py": "try:\n    from app import old\nexcept ImportError:\n    old = None\n",
        "elsewhere/old.py": "import json\n",
        "web/a.js": 'import { b } from "./b";\nconst c = require("./c.js");\nconsole.log(b, c);\n',
        "web/b.js": "export const b = 1;\n",
        "web/c.js": "module.exports = 1;\n",
    }
    after = {"app/store.py": "def load():\n    return 2\n", "app/old.py": None, "web/b.js": None, "web/c.js": None}
    scan = change(before, {**after, "web/b.ts": "export const b: number = 1;\n"})
    assert said(scan) == [
        ("app/main.py", 1, "import-of-what-is-gone"),
        ("app/other.py", 1, "import-of-what-is-gone"),
        ("web/a.js", 2, "import-of-what-is-gone"),
    ]


def test_what_moved_and_is_imported_from_there(change: Change) -> None:
    """A module that became a package, and a name that comes from elsewhere now, are still there."""
    before = {
        "store.py": "def save():\n    return 1\n",
        "main.py": "from store import save\n\nprint(save())\n",
        "a.py": "A = 1\n",
    }
    after = {"store.py": None, "store/__init__.py": "from store.disk import save\n\n__all__ = ['save']\n"}
    disk = {
        "store/disk.py": "def save():\n    return 1\n",
        "a.py": None,
        "b.py": "import a_library\n\nprint(a_library)\n",
    }
    assert said(change(before, {**after, **disk})) == []


OLD = """\
import os


def f():
    try:
        g()
    except ValueError:
        pass
"""


def test_what_was_there_is_not_said_again(change: Change) -> None:
    """Old faults are nobody's, also where lines above them are new and where a file has another name now."""
    scan = change(
        {"a.py": OLD, "b.py": OLD}, {"a.py": '"""Says what it is."""\n\n' + OLD, "b.py": None, "c.py": OLD + "\n"}
    )
    assert said(scan) == []


def test_code_that_only_moved(change: Change) -> None:
    """A fault that was indented, or put elsewhere in its file, is the old one."""
    block = OLD[OLD.index("    try") :]
    deep = "".join(f"    {line}\n" for line in block.splitlines())
    after = OLD.replace(block, f"    while f:\n{deep}")
    assert said(change({"a.py": OLD}, {"a.py": after})) == []


def test_a_copy_is_new(change: Change) -> None:
    """The same fault a second time is a new one."""
    block = "    try:\n        h()\n    except ValueError:\n        pass\n"
    head = "from x import h\n\n\n"
    one = f"{head}def f():\n{block}"
    assert said(change({"a.py": one}, {"a.py": f"{one}\n\ndef g():\n{block}"})) == [("a.py", 14, "py-passed-over")]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.js", "function f( {\n  return 1\n}\n", 2),
        ("b.ts", "const x: number = (1;\n", 1),
        ("c.go", "package c\n\nfunc f() {\n\tx := 1\n", 4),
        ("d.rs", "fn main() {\n    let x = ;\n}\n", 2),
        ("e.json", '{"a": 1,}\n', 1),
        ("f.toml", "a = 1\nb =\n", 2),
        ("g.py", "def f(:\n", 1),
    ],
)
def test_what_does_not_parse_blocks(change: Change, name: str, text: str, line: int) -> None:
    """Code and documents of any language that do not parse are red, and no praise is said."""
    scan = change({}, {name: text})
    assert [(item.line, item.level, item.category) for item in scan.findings] == [(line, Level.RED, Category.BROKEN)]


@pytest.mark.parametrize("name", ["a.js", "a.py", "a.go", "notes.md", "a.txt"])
def test_a_conflict_blocks(change: Change, name: str) -> None:
    """Marks of a conflict are red in any text, once."""
    scan = change({name: "x\n"}, {name: "x\n<<<<<<< HEAD\nlet a = 1\n=======\nlet a = 2\n>>>>>>> other\n"})
    assert [(item.line, item.level, item.rule) for item in scan.findings] == [(2, Level.RED, "conflict")]


def test_a_heading_is_no_conflict(change: Change) -> None:
    """A line of equal signs below a title is a title."""
    assert said(change({}, {"a.md": "Title\n=======\n\n>>>>>>> quoted\n", "b.json": '{"a": 1}\n'})) == []


def test_comments_in_configuration_that_allows_them(change: Change) -> None:
    """Files whose readers allow comments in JSON are not taken for broken."""
    assert said(change({}, {"tsconfig.json": '{\n  // strict\n  "a": 1,\n}\n', ".vscode/x.json": "// x\n{}\n"})) == []


def test_links_are_looked_at(change: Change) -> None:
    """A link inside of the repository is fine; one that leads out is red."""
    scan = change({"d/a": "x\n"}, {"d/b": b"-> a", "d/c": b"-> ../../etc/passwd", "e": b"-> /etc/passwd"})
    assert [(item.path, item.line, item.level) for item in scan.findings] == [
        ("d/c", 1, Level.RED),
        ("e", 1, Level.RED),
    ]
    assert scan.ran == ("tree",)


def test_what_is_no_text_is_said(change: Change) -> None:
    """A binary file is a remark and never clean; a deletion is nothing to mend."""
    scan = change({"old": "x\n"}, {"a.bin": b"\0\1\2", "b.bin": b"\0\2", "old": None})
    assert [(item.path, item.level, item.rule) for item in scan.findings] == [("a.bin", Level.YELLOW, "binary")]
    assert verdict(scan.findings, failed=False) is Verdict.REMARKS


def test_attributes_hide_nothing(change: Change) -> None:
    """Text that a change declares binary is read all the same."""
    scan = change({"a.py": "x = 1\n"}, {"a.py": "import os\nx = 1\n", ".gitattributes": "*.py -diff\n"})
    assert [item.rule for item in scan.findings if item.level is not Level.GREEN] == ["F401"]


def test_a_base_that_nobody_can_read_is_no_excuse(change: Change) -> None:
    """If the base does not parse, the head is still reviewed, by its own lines."""
    scan = change({"a.py": "def f(:\n"}, {"a.py": "import os\n\n\ndef f():\n    return 1\n"})
    assert said(scan) == [("a.py", 1, "F401")]
