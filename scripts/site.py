"""Lays out the documents for the site: site/src, from which `make docs` builds. Changes no document.

    python scripts/site.py [DIRECTORY]     where to write; site/src unless it is said

Links between documents work in the repository, on a forge and in an editor. Here they become links of the site, and
what they lead to outside of `docs/` is taken along.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUTSIDE = (
    "README.md",
    "CONTRIBUTING.md",
    "AGENTS.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "findings/README.md",
    "nix/README.md",
)
"""Documents outside of `docs/`."""

LINK = re.compile(r'(?P<before>\]\(|src=")(?P<path>[^)\s"#:]+)(?P<after>[^)\s":]*[)"])')
FENCE = re.compile(r"^ *(```|~~~)")
BLOCK = re.compile(r"^([-*] |\d+\. |\|)")
PLAIN = re.compile(r"^[^\s|#>`~<-]")


def write(target: Path) -> None:
    """Write every document, and every file that one of them links to, below an empty directory."""
    shutil.rmtree(target, ignore_errors=True)
    pages = [*OUTSIDE, *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md")))]
    texts = {page: (ROOT / page).read_text() for page in pages}
    files = {file for page, text in texts.items() for file in linked(page, text)} - texts.keys()
    for page, text in texts.items():
        file = target / address(page)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(separated(LINK.sub(lambda link, page=page: relinked(link, page), text)))  # type: ignore[misc]
    for name in files:
        if (ROOT / name).is_file():
            file = target / address(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, file)


def linked(page: str, text: str) -> Iterator[str]:
    """The paths in the repository that a document links to."""
    return (resolved(link, page) for link in LINK.finditer(text))


def resolved(link: re.Match[str], page: str) -> str:
    """The path in the repository that a link of a document leads to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link["path"]))


def relinked(link: re.Match[str], page: str) -> str:
    """A link of a document as one of the site."""
    here = posixpath.dirname(address(page)) or "."
    return f"{link['before']}{posixpath.relpath(address(resolved(link, page)), here)}{link['after']}"


def address(path: str) -> str:
    """Where a file of the repository lies on the site."""
    return "index.md" if path == "README.md" else path.removeprefix("docs/")


def separated(markdown: str) -> str:
    """CommonMark lets a list or a table follow a line of text; Python-Markdown wants a blank line between them."""
    lines: list[str] = []
    fenced = False
    for line in markdown.split("\n"):
        if FENCE.match(line):
            fenced = not fenced
        if not fenced and lines and BLOCK.match(line) and PLAIN.match(lines[-1]) and not BLOCK.match(lines[-1]):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site" / "src")
