"""The reference says what the code does: both are compared, so neither can change alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from hive.config import load
from scripts.reference import FILES, schema

ROOT = Path(__file__).parent.parent


@dataclass
class Undocumented:
    """A file whose key nobody explained."""

    key: str


@dataclass
class Documented:
    """A file whose key is explained."""

    key: str = "value"
    """What it is for."""


def test_is_what_the_code_says(tmp_path: Path) -> None:
    """Command line, configuration keys and schemas are documented as they are; if not: make reference."""
    subprocess.run([sys.executable, ROOT / "scripts" / "reference.py", tmp_path], check=True, cwd=ROOT)
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 2 + len(FILES)
    for path in written:
        assert (tmp_path / path).read_text() == (ROOT / path).read_text(), f"{path} differs; run: make reference"


def test_every_key_says_what_it_is_for() -> None:
    """A key without a docstring is not documented by its name: it is an error."""
    assert schema(Documented, "file")["properties"]["key"]["description"] == "What it is for."
    with pytest.raises(LookupError, match=r"Undocumented\.key has no docstring"):
        schema(Undocumented, "file")


def test_the_example_has_a_schema() -> None:
    """The example names the schema that editors check it with, is read, and has no key that the schema lacks."""
    text = (ROOT / "config" / "hive.yaml").read_text()
    hint = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (ROOT / "config" / hint).is_file()
    assert load(ROOT / "config" / "hive.yaml").teams
    whole = schema(FILES["hive.yaml"][0], "hive.yaml")
    unknown = list(unknown_keys(yaml.safe_load(text), whole, whole["$defs"]))
    assert not unknown
    assert list(unknown_keys({"teams": {"acme": {"colour": 1}}, "colour": 1}, whole, whole["$defs"])) == ["colour"] * 2


def unknown_keys(data: Any, entry: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    """Keys of some data that a schema does not know."""
    entry = definitions[entry["$ref"].rpartition("/")[2]] if "$ref" in entry else entry
    for key, value in data.items() if isinstance(data, dict) else ():
        inner = entry["properties"].get(key) if "properties" in entry else entry["additionalProperties"]
        if inner is None:
            yield key
        else:
            yield from unknown_keys(value, inner, definitions)
