"""A mention is what a reader of the page takes for one."""

from __future__ import annotations

import pytest

from bots.mentions import MAX_READ, mentioned


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@iris look", ["iris"]),
        ("Look, @Iris.", ["iris"]),
        ("(@iris) and @noah, @iris", ["iris", "noah"]),
        ("**@iris** and *@noah*: look", ["iris", "noah"]),
        ("- @iris\n- [ ] @noah", ["iris", "noah"]),
        ("# @iris", ["iris"]),
        ("| a |\n|---|\n| @iris |", ["iris"]),
        ("line\n@iris", ["iris"]),
        ("@iris's page", ["iris"]),
        ("@hive/agents: a freeze", ["hive/agents"]),
        ("@iris-bot", ["iris-bot"]),
        ("@iris/team", ["iris/team"]),
        ("`@iris`", []),
        ("```\n@iris\n```", []),
        ("~~~ @iris\n@iris\n~~~", []),
        ("    @iris", []),
        ("> @iris look", []),
        ("> said\n@iris lazily", []),
        ("> > @iris", []),
        ("> @iris\n\nYes, @noah.", ["noah"]),
        ("<!-- @iris -->", []),
        ("<details hidden>@iris</details>", []),
        ("<div\n@iris>", []),
        ("[@iris](https://x.invalid)", []),
        ("[x](https://x.invalid/@iris)", []),
        ("![@iris](x.png)", []),
        ("<https://x.invalid/@iris>", []),
        ("https://x.invalid/@iris", []),
        ("mail a@iris or x.@iris", []),
        ("a@@iris", []),
        ("@\u2060iris", []),
        ("@ir\u200bis", []),
        ("@noah\u200biris", []),
        ("\u2060@iris", ["iris"]),
        ("@", []),
        ("iris", []),
        ("", []),
        ("x" * MAX_READ + " @iris", []),
    ],
)  # fmt: skip
def test_mentions(text: str, names: list[str]) -> None:
    """Not in code, in a citation, in a link or hidden; each once, in small letters, as a whole name."""
    assert list(mentioned(text)) == names


@pytest.mark.parametrize("part", ["@", "@a", "`", "> ", "[", "<", "**@a", "|", "\n- @a", "@a/" * 3])
def test_hostile_text_takes_no_time(part: str) -> None:
    """It is read once, whatever is repeated; a slow pattern would not come back."""
    assert len(mentioned(part * 20_000)) < 10
