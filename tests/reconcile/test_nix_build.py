"""What was merged is built by the host's expression, or fails in words. The nix is real, in a store of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from hive.reconcile.build import BuildFailed
from hive.reconcile.nix_build import NO_PROGRAMS, BuildLimits, NixBuilder, quoted
from hive.reconcile.nix_version import objection

SHA, OTHER = "a" * 40, "b" * 40

STAND_IN = """
{ name, module ? null, nixpkgs ? null, harness ? null }:
let asked = if module == null then { } else import module; in
derivation {
  name = "system-${name}";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  PATH = "/usr/bin:/bin";
  script = asked.script or "mkdir -p $out; echo ${asked.says or name} > $out/init";
  args = [ "-c" "eval \\"$script\\"" ];
}
"""
"""What has the interface of `nix/agent-system.nix` and builds a closure of one file."""


@pytest.fixture
def builder(tmp_path: Path) -> NixBuilder:
    """A builder with an empty store; its builds see this machine, as it has no static shell for a sandbox."""
    nix_build = shutil.which("nix-build")
    if nix_build is None:
        pytest.skip("nix-build is not installed")
    expression = tmp_path / "expression" / "system.nix"
    for folder in ("expression", "conf", "state", "store", "home"):
        (tmp_path / folder).mkdir()
    expression.write_text(STAND_IN)
    (tmp_path / "conf" / "nix.conf").write_text("build-users-group =\nsubstituters =\n")
    env = {
        "PATH": NO_PROGRAMS,
        "HOME": str(tmp_path / "home"),
        "NIX_STORE_DIR": str(tmp_path / "store"),
        "NIX_STATE_DIR": str(tmp_path / "state"),
        "NIX_LOG_DIR": str(tmp_path / "log"),
        "NIX_CONF_DIR": str(tmp_path / "conf"),
    }
    return NixBuilder(
        nix_build,
        expression,
        tmp_path / "state" / "gcroots" / "hive",
        store=tmp_path / "store",
        more={"sandbox": "false"},
        env=env,
    )


def module(tmp_path: Path, text: str, name: str = "tree") -> Path:
    """An `agent.nix` in a directory of its own."""
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    (folder / "agent.nix").write_text(text)
    return folder / "agent.nix"


def failure(builder: NixBuilder, made: Path) -> str:
    """What is said of a build that fails; it leaves no root behind."""
    with pytest.raises(BuildFailed) as error:
        builder.build("iris", SHA, made)
    assert not (builder.gcroots / "iris" / SHA).is_symlink()
    assert all(line.isprintable() for line in error.value.problems)
    return str(error.value)


def test_a_module_becomes_a_store_path(builder: NixBuilder, tmp_path: Path) -> None:
    """The system is in the store, named after its agent, and kept by a root that is named after its commit."""
    built = builder.build("iris", SHA, module(tmp_path, '{ says = "hello"; }'))
    assert built.parent == builder.store
    assert built.name.endswith("-system-iris")
    assert (built / "init").read_text() == "hello\n"
    assert (builder.gcroots / "iris" / SHA).readlink() == built
    subprocess.run(
        [shutil.which("nix-collect-garbage") or ""], env=dict(builder.env), check=True, capture_output=True, timeout=120
    )
    assert (built / "init").exists()


def test_what_is_built_is_found(builder: NixBuilder, tmp_path: Path) -> None:
    """A commit is built once; when its path is gone, it is built again, and another commit has another."""
    made = module(tmp_path, '{ says = "hello"; }')
    built = builder.build("iris", SHA, made)
    made.write_text("throw 1")
    assert builder.build("iris", SHA, made) == built
    shutil.rmtree(built)
    assert "nix-build ended with 1" in failure(builder, made)
    assert builder.build("iris", OTHER, None) != built


def test_a_module_may_lie_anywhere(builder: NixBuilder, tmp_path: Path) -> None:
    """The path of a module is a path to nix, whatever is in its name."""
    odd = module(tmp_path, '{ says = "odd"; }', 'a "b" ${c} \\d é')
    assert (builder.build("iris", SHA, odd) / "init").read_text() == "odd\n"
    assert quoted(Path('/a"${b}\n')) == '/. + "/a\\"\\${b}\\n"'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{ script = "echo one; echo two >&2; exit 3"; }', "two"),
        ("{ says = nope; }", "undefined variable 'nope'"),
        ("{ says = builtins.readFile /etc/passwd; }", "forbidden in restricted mode"),
        (
            '{ says = import (derivation { name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; }); }',
            "build",
        ),
        ('{ says = builtins.getEnv "HOME" + throw "end"; }', "end"),
        ("{ script = \"printf 'a\\\\342\\\\200\\\\256b\\\\n'; exit 1\"; }", "a\\u202eb"),
    ],
)
def test_a_failure_has_words(builder: NixBuilder, tmp_path: Path, text: str, said: str) -> None:
    """What fails shows the last lines of its log, escaped, and leaves nothing that could be activated."""
    assert said in failure(builder, module(tmp_path, text))


def test_a_repository_beside_a_module_runs_nothing(builder: NixBuilder, tmp_path: Path) -> None:
    """Nix finds no git to which a repository in the commit could name its programs."""
    made = module(tmp_path, "{ says = builtins.readFile (builtins.fetchGit { url = ./bare; }).outPath; }")
    subprocess.run(["git", "init", "--quiet", "--bare", made.parent / "bare"], check=True)
    assert "executing 'git'" in failure(builder, made)


def test_the_expression_has_its_interface() -> None:
    """What the host builds takes the agent's name, its module, nixpkgs and the harness, and nothing else."""
    text = (Path(__file__).parents[2] / "nix" / "agent-system.nix").read_text()
    head = [line.strip() for line in text.split("}:")[0].splitlines() if not line.lstrip().startswith("#")]
    assert head == ["{", "name,", "module ? null,", "nixpkgs,", "harness ? ../hive/agent,"]


def test_a_long_trace_hides_no_error(builder: NixBuilder, tmp_path: Path) -> None:
    """What is wrong is told, however long the way to it was; with how it ended it is 40 lines at the most."""
    deep = "let f = n: if n == 0 then nope.there else 1 + f (n - 1); nope = { }; in { says = toString (f 60); }"
    said = failure(builder, module(tmp_path, deep)).splitlines()
    assert any("attribute 'there' missing" in line for line in said)
    assert said[-1] == "nix-build ended with 1"
    assert len(said) <= 40


def test_a_long_log_has_an_end(builder: NixBuilder, tmp_path: Path) -> None:
    """Of a log the end is told; one without an end is ended."""
    said = failure(builder, module(tmp_path, '{ script = "seq 1 5000; exit 1"; }'))
    assert len(said.splitlines()) <= 41
    assert "\n2500" not in said
    small = replace(builder, limits=replace(builder.limits, log=100_000))
    assert "100000 bytes" in failure(small, module(tmp_path, '{ script = "while :; do echo aaaaaaaaaaaaaa; done"; }'))


def test_a_build_has_an_end(builder: NixBuilder, tmp_path: Path) -> None:
    """A build that goes on, or is silent, is ended with its processes."""
    mark = f"86{os.getpid()}"
    made = module(tmp_path, f'{{ script = "while :; do echo; sleep 0.1; done & exec sleep {mark}"; }}')
    brief = replace(builder, limits=BuildLimits(seconds=2.0, silence=2.0))
    assert "2 s" in failure(brief, made) or "timed out" in failure(brief, made)
    assert mark not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", ["", "Iris", "iris-2", "../iris", "i" * 10, "iris\n", "--help", "9iris", "ïris"])
def test_names_are_checked(builder: NixBuilder, name: str) -> None:
    """A name that is no name of a container builds nothing; neither does what is no commit."""
    with pytest.raises(ValueError, match="no name and commit"):
        builder.build(name, SHA, None)
    for sha in ("", "a" * 39, "../" + "a" * 37, "A" * 40):
        with pytest.raises(ValueError, match="no name and commit"):
            builder.build("iris", sha, None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("nix (Nix) 2.8.0", "nix 2.8.0 has no fix for CVE-2026-39860 (the oldest that has is 2.28.6)"),
        ("nix (Nix) 2.26.3", "nix 2.26.3 has no fix for CVE-2026-39860 (the oldest that has is 2.28.6)"),
        ("nix (Nix) 2.28.5", "nix 2.28.5 has no fix for CVE-2026-39860 (this line has it since 2.28.6)"),
        ("nix (Nix) 2.28.6", ""),
        ("nix (Nix) 2.29.2", "this line has it since 2.29.3"),
        ("nix (Nix) 2.29.3", ""),
        ("nix (Nix) 2.30.3", "this line has it since 2.30.4"),
        ("nix (Nix) 2.30.4", ""),
        ("nix (Nix) 2.31.4\n", ""),
        ("nix (Nix) 2.32.6", "this line has it since 2.32.7"),
        ("nix (Nix) 2.33.4", ""),
        ("nix (Nix) 2.34", "this line has it since 2.34.5"),
        ("nix (Nix) 2.34.4+1", "this line has it since 2.34.5"),
        ("nix (Nix) 2.34.5pre20260101_abcdef", "this line has it since 2.34.5"),
        ("nix (Nix) 2.34.10", ""),
        ("nix (Nix) 2.35.0", ""),
        ("nix (Nix) 3.0.0", ""),
        ("nix (Nix) 1.11.16", "the oldest that has is 2.28.6"),
        ("nix (Lix, like Nix) 2.93.0", "its version cannot be told from 'nix (Lix, like Nix) 2.93.0'"),
        ("", "its version cannot be told from ''"),
        ("nix (Nix) ٣.٤", "its version cannot be told"),
    ],
)
def test_old_nix_builds_for_nobody(said: str, expected: str) -> None:
    """A nix without the fix is refused, and so is one whose version is not understood."""
    found = objection(said)
    assert (expected in found) if expected else (found == "")
