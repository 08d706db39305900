"""hive.yaml as the module writes it: what the hive itself reads from it is what was set."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from hive.config import PACKAGES_PATH, Settings, load
from tests.nix.evaluation import NIX, ROOT, STORE, evaluate, hive, needs_nix

pytestmark = needs_nix
SCHEMA = json.loads((ROOT / "config" / "hive.schema.json").read_text())
EXAMPLE = str(ROOT / "nix" / "tests" / "example.nix")


def written(*modules: str) -> str:
    return str(evaluate(*modules, facts=("hiveYaml",))["hiveYaml"])


def read(text: str, folder: Path) -> Settings:
    file = folder / "hive.yaml"
    file.write_text(text)
    return load(file)


def test_the_example_is_what_the_hive_reads(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    """The documents' own configuration becomes this file, which the hive accepts."""
    text = written(f"import {EXAMPLE}")
    golden("nix/hive.yaml", text.rstrip("\n"))
    settings = read(text, tmp_path)
    assert list(settings.teams["acme"].lanes) == ["app", "infra"]
    assert settings.forges["forgejo"].url == "http://10.77.0.2:3000"
    assert settings.state == Path("/var/lib/hive")


def test_what_the_documents_show_is_a_hive(tmp_path: Path) -> None:
    """Each piece of Nix on the page about NixOS is parsed, and its ten lines are a configuration without a fault."""
    blocks = re.findall(r"^```nix\n(.*?)^```$", (ROOT / "docs" / "nixos.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        whole = block if block.startswith("{") else f"{{ forgehive }}: {{ {block} }}"
        subprocess.run([str(NIX), "--parse", "-E", whole], check=True, capture_output=True)
    (module,) = (block for block in blocks if "credentials" in block)
    found = evaluate(module, facts=("failed", "warnings", "hiveYaml"))
    assert (found["failed"], found["warnings"]) == ([], [])
    assert read(found["hiveYaml"], tmp_path).model.credential == "anthropic"


def test_a_small_hive_has_the_hives_own_defaults(tmp_path: Path) -> None:
    """What is not set is not written: the defaults are those of the version that runs."""
    settings = read(written(hive()), tmp_path)
    assert settings.packages_path == (f"{STORE}-forgehive-agent-programs/bin",)
    bare = dataclasses.replace(settings, packages_path=PACKAGES_PATH)
    assert bare == Settings(settings.forges, settings.teams, home=settings.home)


def test_the_order_of_lanes_and_kinds_stays(tmp_path: Path) -> None:
    """The first lane and the last kind take what fits no other: not those of the alphabet."""
    more = """
      teams.acme.lanes = lib.mkForce [ { name = "zoo"; agent = "iris"; paths = [ "zoo/*" ]; } { name = "app"; agent = "iris"; } ];
      teams.acme.kinds = [ { name = "type/question"; words = [ "why" ]; } { name = "type/bug"; words = [ "bug" ]; } ];
    """
    team = read(written(hive(settings=more)), tmp_path).teams["acme"]
    assert [(lane.name, lane.paths) for lane in team.lane_list()] == [("zoo", ("zoo/*",)), ("app", ())]
    assert [(kind.label, kind.words) for kind in team.kind_list()] == [
        ("type/question", ("why",)),
        ("type/bug", ("bug",)),
    ]


@pytest.mark.parametrize(
    "text", ["a: b", "no", "null", "1e3", "# no comment", "{x}", "&a *b", '"', "\\n", "ä 🟢", "'", "- x"]
)
def test_a_text_stays_a_text(text: str, tmp_path: Path) -> None:
    """No text of a setting becomes another key, a number, nothing, or a comment."""
    nix = json.dumps(text, ensure_ascii=False).replace("${", "\\${")
    lanes = f'teams.acme.lanes = lib.mkForce [ {{ name = "app"; agent = "iris"; words = [ {nix} ]; }} ];'
    assert read(written(hive(settings=lanes)), tmp_path).teams["acme"].lanes["app"].words == (text,)


def test_a_name_without_keys_says_something(tmp_path: Path) -> None:
    """A price of nothing is a model at home; it is not left out as empty."""
    settings = read(written(hive(settings='model.prices."home/qwen" = { };')), tmp_path)
    assert list(settings.model.prices) == ["home/qwen"]


def test_every_key_can_be_set() -> None:
    """Each key with a bound may be at it, and the text says so: no option differs from the key of its name."""
    bounds = {(group, key): entry["maximum"] for group, key, entry in keys() if "maximum" in entry}
    assert len(bounds) > 20
    lines = " ".join(f"{group}.{key} = {value};" for (group, key), value in bounds.items())
    data = yaml.safe_load(written(hive(settings=lines)))
    assert {(group, key): data[group][key] for group, key in bounds} == bounds


def keys() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The keys of the groups of hive.yaml: limits, keep and so on."""
    for group, value in SCHEMA["properties"].items():
        if "$ref" in value:
            for key, entry in SCHEMA["$defs"][value["$ref"].rpartition("/")[2]]["properties"].items():
                yield group, key, entry


def test_own_bots_lie_beside_it() -> None:
    """A bot of one's own is a file beside hive.yaml, and `hive check` reads it while the system is built."""
    text = evaluate(hive('bots.greeter = "/etc/greeter.py";'), facts=("configuration",))["configuration"]
    assert "cp /etc/greeter.py $out/greeter.py" in text
    assert text.index("greeter") < text.index("hive check")


def test_it_is_checked_while_the_system_is_built() -> None:
    """`hive check` reads it in the build, unless that is switched off."""
    text = evaluate(hive(), facts=("configuration",))["configuration"]
    assert "bin/hive check checked/hive.yaml" in text
    assert "hive check" not in evaluate(hive("checkSettings = false;"), facts=("configuration",))["configuration"]
