"""The scripted model's part of the story: files that it writes, and what it says. Data only."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from hive.demo.model import ClaudeDialect, DiffResponder, ModelReply, Responder, Scene, Script, ToolCall
from hive.provision.seeds import PROGRAMS

FILED = r"^You were assigned issue"
REVIEWED = r"was reviewed at \w+: request changes"
REBUILT = r"your container was rebuilt"


@dataclass(frozen=True, slots=True)
class Task:
    """An issue of the story, as the operator files it."""

    title: str
    body: str


HONEY = Task(
    "Every hive shows 0",
    "The page says `linden: 0`, and the same for all the others: that is wrong, they are full.\n\n"
    "Frames hang in boxes now, and this works for me:\n\n"
    "```diff\n"
    "--- a/apiary/honey.py\n"
    "+++ b/apiary/honey.py\n"
    "@@ -1,8 +1,9 @@\n"
    ' """Counts honey: the bytes of what is in a hive."""\n'
    " \n"
    "+import os\n"
    " from pathlib import Path\n"
    " \n"
    " \n"
    " def honey(hive: Path) -> int:\n"
    '     """The bytes of all frames of a hive."""\n'
    '-    return sum(frame.stat().st_size for frame in hive.glob("*.frame"))\n'
    '+    return sum(frame.stat().st_size for frame in hive.rglob("*.frame"))\n'
    "```\n\n"
    "Please add a page for one hive as well, such as `/linden`.",
)
"""An engine that thinks finds a way of its own; one that does not takes the change that is given. The review reads both."""

DOWNLOAD = Task(
    "Offer the page as a compressed file",
    "Visitors want to take the page home. Please add a script that writes it as `honey.txt.gz`.",
)
SORT = Task("Sort the hives by honey", "The fullest one first, please. It should be a function of its own.")

HOST = Task("Add `gzip` to your container", "Please see that `gzip` is in it; propose it if it is not.")
_WELCOME = """\
People should know it before they wonder.

```diff
--- /dev/null
+++ b/{file}
@@ -0,0 +1,3 @@
+# Agents work here
+
+File an issue to assign work, merge a pull request to approve it.
```
"""


def welcome(taken: Container[str]) -> Task:
    """The issue for your own project: a file that does not exist yet."""
    names = ("AGENTS-WORK-HERE.md", *(f"AGENTS-WORK-HERE-{number}.md" for number in range(2, 100)))
    return Task("Say that agents work here", _WELCOME.format(file=next(name for name in names if name not in taken)))


def script(engine: str = "native") -> Responder:
    """The responder of the story; without a scene for it, it applies a diff or says that it cannot.

    What an agent of another `engine` proposes for its configuration keeps that.
    """
    keeps = _declaration(engine)
    scenes = [*_honey(), *_download(keeps), *_sort(), *_host(keeps)]
    return ClaudeDialect(Script(scenes, otherwise=DiffResponder()))


def _declaration(engine: str) -> str:
    """The `agent.yaml` that is proposed: the one that is there, with `gzip` in it."""
    text = _take("gzip").joinpath("agent.yaml").read_text()
    programs = ", ".join([*PROGRAMS.get(engine, ()), "gzip"])
    return text.replace("[gzip]", f"[{programs}]").replace("role: agent\n", f"role: agent\nengine: {engine}\n")


def _honey() -> Iterator[Scene]:
    yield Scene(
        FILED,
        (
            ModelReply(
                "First I look at what is there.", (_run("cat apiary/honey.py apiary/page.py tests/test_honey.py"),)
            ),
            ModelReply(
                "`honey` looks at the top of a hive only, and frames hang in boxes. I count them however deep.",
                tuple(_writes("honey-1")),
            ),
            ModelReply(
                "",
                (
                    _submit(
                        "Count frames however deep they hang",
                        "`honey` looked at the top of a hive only; frames in boxes were not counted.\n\n"
                        "- counts all frames below a hive\n- a page for each hive\n- a test with boxes",
                    ),
                ),
            ),
        ),
        about=HONEY.title,
    )
    yield Scene(
        REVIEWED,
        (
            ModelReply(
                "Review is right. An unreadable frame has to be seen, a name from an address may not become a path, "
                "and nobody needs `os`.",
                tuple(_writes("honey-2")),
            ),
            ModelReply(
                "", (_submit("Count frames however deep they hang", "Fixed what the review found, each with a test."),)
            ),
        ),
        about=HONEY.title,
    )


def _download(declaration: str) -> Iterator[Scene]:
    propose = ToolCall(
        "propose",
        {
            "path": "agent.yaml",
            "content": declaration,
            "title": "Add gzip",
            "why": "The script that compresses the page needs `gzip`, and its test has to run it.",
        },
    )
    yield Scene(
        FILED,
        (
            ModelReply("Is there a `gzip` to compress with?", (_run("gzip --version"),)),
            ModelReply("There is none. I cannot install anything, so I ask for it.", (propose,)),
        ),
        about=DOWNLOAD.title,
    )
    yield Scene(
        REBUILT,
        (
            ModelReply("Now it should be there.", (_run("gzip --version"),)),
            ModelReply("It is. On with the script.", tuple(_writes("download"))),
            ModelReply(
                "", (_submit("Offer the page as honey.txt.gz", "A script that compresses the page, and its test."),)
            ),
        ),
        about=DOWNLOAD.title,
    )


def _sort() -> Iterator[Scene]:
    yield Scene(
        FILED,
        (
            ModelReply("A function of its own, and a test.", tuple(_writes("sort-1"))),
            ModelReply("", (_submit("Sort the hives by honey", "The fullest one first."),)),
        ),
        about=SORT.title,
    )
    yield Scene(
        REVIEWED,
        (
            ModelReply("True: a caller that gets an empty list never learns why.", tuple(_writes("sort-2"))),
            ModelReply("", (_submit("Sort the hives by honey", "Counts that cannot be compared are an error again."),)),
        ),
        about=SORT.title,
    )


def _host(declaration: str) -> Iterator[Scene]:
    yield Scene(
        FILED,
        (
            ModelReply("I try it.", (_run("gzip --version"),)),
            ModelReply(
                "There is none.",
                (
                    ToolCall(
                        "propose",
                        {
                            "path": "agent.yaml",
                            "content": declaration,
                            "title": "Add gzip",
                            "why": "It was asked for.",
                        },
                    ),
                ),
            ),
        ),
        about=_literal(HOST.title),
    )
    yield Scene(
        REBUILT,
        (
            ModelReply("Now it should be there.", (_run("gzip --version"),)),
            ModelReply("", (ToolCall("finish", {"outcome": "answered", "message": "`gzip` is in my container now."}),)),
        ),
        about=_literal(HOST.title),
    )


def _literal(text: str) -> str:
    return text.replace("?", r"\?")


def _run(command: str) -> ToolCall:
    return ToolCall("run", {"command": command})


def _submit(title: str, summary: str) -> ToolCall:
    return ToolCall("submit", {"title": title, "summary": summary})


def _writes(take: str) -> Iterator[ToolCall]:
    """A `write` for each file of a take."""
    for path, text in _files(_take(take), ""):
        yield ToolCall("write", {"path": path, "content": text})


def _files(place: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield prefix + entry.name, entry.read_text(encoding="utf-8")


def _take(name: str) -> Traversable:
    return resources.files("hive.demo").joinpath("takes", name)
