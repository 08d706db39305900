"""A change of the agent's own `agent.yaml`: one more program in its container. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hive.agent.errors import ToolError

DECLARATION = "agent.yaml"
_INLINE = re.compile(r"^packages:[ \t]*\[(?P<items>[^\]\n#]*)\]", re.MULTILINE)
_BLOCK = re.compile(r"^packages:[ \t]*(?:#[^\n]*)?\n(?P<items>(?:[ \t]*(?:-[ \t][^\n]*|#[^\n]*)?\n)*)", re.MULTILINE)
_EMPTY = re.compile(r"^packages:[ \t]*(?:~|null)?[ \t]*(?=#|$)", re.MULTILINE)


def with_packages(text: str, programs: Iterable[str]) -> str:
    """An `agent.yaml` that asks for programs as well; raises ToolError if it is written in a way that I cannot change."""
    wanted = list(programs)
    inline = _INLINE.search(text)
    if inline is not None:
        have = [item.strip() for item in inline["items"].split(",") if item.strip()]
        items = ", ".join([*have, *(each for each in wanted if each not in have)])
        return f"{text[: inline.start()]}packages: [{items}]{text[inline.end() :]}"
    block = _BLOCK.search(text)
    if block is not None and "-" in block["items"]:
        rows = re.findall(r"^([ \t]*)-[ \t]", block["items"], re.MULTILINE)
        end = block.start("items") + len(block["items"].rstrip()) if block["items"].strip() else block.end()
        return text[:end] + "".join(f"\n{rows[-1]}- {each}" for each in wanted) + text[end:]
    empty = _EMPTY.search(text)
    if empty is not None:
        return f"{text[: empty.start()]}packages: [{', '.join(wanted)}] {text[empty.end() :]}".replace("] \n", "]\n")
    if re.search(r"^packages:", text, re.MULTILINE):
        raise ToolError(f"the packages of `{DECLARATION}` are written in a way that I cannot change")
    return f"{text.rstrip()}\npackages: [{', '.join(wanted)}]\n" if text.strip() else text
