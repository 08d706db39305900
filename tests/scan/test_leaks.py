"""A secret is found in whatever disguise a model can think of, and ordinary text is let through."""

from __future__ import annotations

import base64
import codecs
import random
import string
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hive.scan.leaks import LeakScanner, keys_in

ROOT = Path(__file__).parents[2]
ALPHABETS = ("0123456789abcdef", string.ascii_letters + string.digits + "-_")


def split(by: str, every: int = 4) -> Callable[[str], str]:
    """A disguise: something between the pieces."""
    return lambda text: by.join(text[at : at + every] for at in range(0, len(text), every))


def wide(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char.isalnum() else char for char in text)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


DISGUISES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "without its beginning": lambda text: text[7:],
    "a piece": lambda text: text[4:26],
    "spaces": split(" ", 1),
    "lines": split("\n", 8),
    "dashes": split("-"),
    "quoted pieces": split('" + "', 5),
    "zero width": split("\u200b", 1),
    "word joiners": split("\u2060"),
    "bold": split("**"),
    "tags": split("<b></b>", 2),
    "HTML comments": split("<!-- x -->"),
    "backwards": lambda text: text[::-1],
    "backwards with spaces": lambda text: " ".join(text[::-1]),
    "ROT13": lambda text: codecs.encode(text, "rot13"),
    "base64": b64,
    "base64 in a text": lambda text: b64(f"the key is {text}, keep it"),
    "base64 in lines": lambda text: "\n".join(b64(f"x{text}{text}")[at : at + 20] for at in range(0, 200, 20)),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f">>>{text}???".encode()).decode(),
    "base64 backwards": lambda text: b64(text[::-1]),
    "base64 twice": lambda text: b64(f"a{b64(f'bc{text}')}"),
    "hexadecimal": lambda text: text.encode().hex(),
    "HEXADECIMAL": lambda text: text.encode().hex(" ").upper(),
    "hexadecimal escapes": lambda text: "".join(f"\\x{ord(char):02x}" for char in text),
    "hexadecimal numbers": lambda text: ", ".join(f"0x{ord(char):02x}" for char in text),
    "hexadecimal backwards": lambda text: text[::-1].encode().hex(),
    "unicode escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "octal escapes": lambda text: "".join(f"\\{ord(char):03o}" for char in text),
    "percent": lambda text: "".join(f"%{ord(char):02X}" for char in text),
    "percent here and there": lambda text: "".join(f"%{ord(c):02x}" if i % 3 else c for i, c in enumerate(text)),
    "percent twice": lambda text: quote("".join(f"%{ord(char):02X}" for char in text)),
    "references": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "hexadecimal references": lambda text: "".join(f"&#x{ord(c):x};" if i % 2 else c for i, c in enumerate(text)),
    "full width": wide,
    "UTF-16": "\0".join,
}


@st.composite
def secret_of(draw: st.DrawFn) -> str:
    """A token as forges and model providers make them."""
    alphabet, length = draw(st.sampled_from(ALPHABETS)), draw(st.integers(40, 64))
    made = random.Random(draw(st.integers(0, 1 << 32)))
    return "".join(made.choice(alphabet) for _ in range(length))


@pytest.mark.parametrize("disguise", DISGUISES)
@settings(max_examples=10, deadline=None)
@given(secret=secret_of(), before=st.text(max_size=40), after=st.text(max_size=40))
def test_a_secret_is_found_in_disguise(disguise: str, secret: str, before: str, after: str) -> None:
    """Wherever it stands in a text, and whatever stands around it."""
    text = f"{before} {DISGUISES[disguise](secret)} {after}".encode("utf-8", "ignore")
    assert LeakScanner([secret, "x" * 40]).finds(text)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32), size=st.integers(0, 20_000))
def test_what_looks_random_is_no_secret(seed: int, size: int) -> None:
    """Images in base64, digests and noise are let through: only what is the secret is."""
    made = random.Random(seed)
    scanner = LeakScanner("".join(made.choice(alphabet) for _ in range(40)) for alphabet in ALPHABETS * 20)
    noise = made.randbytes(size)
    for text in (noise, base64.b64encode(noise), noise.hex().encode(), base64.b85encode(noise)):
        assert not scanner.finds(text)
        assert keys_in(text) == frozenset()


def test_code_and_prose_are_let_through() -> None:
    """All that this project consists of holds no secret and no key."""
    made = random.Random(5)
    scanner = LeakScanner("".join(made.choice(alphabet) for _ in range(40)) for alphabet in ALPHABETS * 20)
    files = [path for room in ("hive", "bots", "forge", "docs") for path in (ROOT / room).rglob("*.*")]
    texts = [path.read_bytes() for path in files if path.suffix in {".py", ".md", ".html", ".css", ".sql", ".json"}]
    assert len(texts) > 200
    assert not scanner.finds(b"\n".join(texts))
    assert keys_in(b"\n".join(texts)) == frozenset()


def test_words_are_not_looked_for() -> None:
    """What is too short or too monotonous to be a secret would be found everywhere."""
    assert LeakScanner(["", "no-key", "changeme", "aaaaaaaaaaaaaaaaaaaaaaaa", "12121212121212"]).secrets == frozenset()
    assert not LeakScanner([]).finds(b"anything")
    assert LeakScanner(["correct-horse"]).also("battery staple 9").finds(b"my battery  staple, 9")


def test_keys_are_known_by_their_form() -> None:
    """Keys of known issuers are found without being known; what only begins like one is none."""
    filler = "aB3" * 40
    keys = (
        *(f"ghp_{filler[:36]}", f"github_pat_{filler[:70]}", f"glpat-{filler[:20]}", f"sk-ant-api03-{filler[:90]}"),
        *(f"sk-{filler[:48]}", f"sk_live_{filler[:24]}", "AKIA" + "Q3" * 8, f"AIza{filler[:35]}", f"npm_{filler[:36]}"),
        f"-----BEGIN RSA PRIVATE KEY-----\n{filler[:64]}\n{filler[:64]}",
    )
    for key in keys:
        assert keys_in(f"x = '{key}'".encode()), key
    for text in (
        "sk-learn and ghp_short",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN PRIVATE KEY-----\n…",
        "task-" + "a" * 50,
    ):
        assert not keys_in(text.encode()), text
