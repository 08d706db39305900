"""A file of JavaScript, TypeScript or Go as a tree: ast-grep names the nodes, and their places nest them. Runs ast-grep."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


class Unparsed(Exception):
    """ast-grep did not answer."""


@dataclass(slots=True)
class Node:
    """A node of the kinds that were asked for, with those below it in order; `start` and `end` are offsets in bytes."""

    kind: str
    start: int
    end: int
    line: int
    last: int
    children: list[Node] = field(default_factory=list)

    def text(self, source: bytes) -> str:
        """What the file says there."""
        return source[self.start : self.end].decode("utf-8", "replace")

    def of(self, *kinds: str) -> list[Node]:
        """The children of some kinds."""
        return [child for child in self.children if child.kind in kinds]


def trees(names: Sequence[str], language: str, kinds: Sequence[str]) -> dict[str, Node]:
    """The trees of files; nodes of other kinds are left out, and what is below them is their parent's. Raises Unparsed.

    Of two nodes at the same place the one whose kind is named first is the outer one.
    """
    if not names:
        return {}
    rank = {kind: number for number, kind in enumerate(kinds)}
    found: dict[str, list[Node]] = {name: [] for name in names}
    for name, node in _nodes(names, language, kinds):
        found[name].append(node)
    return {
        name: _nested(sorted(nodes, key=lambda node: (node.start, -node.end, rank[node.kind])))
        for name, nodes in found.items()
    }


def _nested(nodes: Sequence[Node]) -> Node:
    root = Node("root", 0, sys.maxsize, 1, 1)
    way = [root]
    for node in nodes:
        while node.start >= way[-1].end:
            way.pop()
        way[-1].children.append(node)
        way.append(node)
    return root


def _nodes(names: Sequence[str], language: str, kinds: Sequence[str]) -> Iterator[tuple[str, Node]]:
    rules = "\n---\n".join(json.dumps({"id": kind, "language": language, "rule": {"kind": kind}}) for kind in kinds)
    words = ["ast-grep", "scan", "--json=stream", "--inline-rules", rules, "--", *names]
    # The words are our own, and the names are those that this program's caller made.
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for line in process.stdout:
            item = json.loads(line)
            place, offsets = item["range"], item["range"]["byteOffset"]
            first, last = place["start"]["line"] + 1, place["end"]["line"] + 1
            yield item["file"], Node(item["ruleId"], offsets["start"], offsets["end"], first, last)
    if process.returncode != 0:
        raise Unparsed(language)
