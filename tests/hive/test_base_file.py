"""A base is read with every mistake, edited where people left it, and its lock is what the host holds."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from hive.config import BadYaml
from hive.config.base_yaml import NO_BASE, Base, read_base, with_lock, write_base
from hive.reconcile.base_lock import lock_differences, lock_of
from hive.reconcile.build import BASE

WHOLE = """\
# Ours.
packages: [ripgrep]   # everybody searches
lock:
  bash: "0123456789abcdef"
  # between
  git: 89abcdef01234567

env: {TZ: UTC}
"""


def test_a_base_is_what_it_says() -> None:
    """Comments, order and empty values make no other base; any word makes another one."""
    base = read_base(WHOLE)
    assert base == Base(("ripgrep",), (("TZ", "UTC"),), (("bash", "0123456789abcdef"), ("git", "89abcdef01234567")))
    assert len(base.digest) == 40
    assert read_base(write_base(base)) == base
    assert read_base(write_base(base)).digest == base.digest
    assert read_base("{}\n") == NO_BASE
    assert NO_BASE.digest == ""
    digests = {
        read_base(text).digest
        for text in ("packages: [jq]", "packages: [yq]", "env: {A: b}", "lock: {a: b}", "packages: [jq]\nenv: {A: b}")
    }
    assert len(digests) == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("packages: [ripgrep, 'rm -rf /']", "base.yaml:1:21: packages.1: should be the name of a package"),
        ("packages: ripgrep", "base.yaml:1:11: packages"),
        ("env: {LD_PRELOAD: /tmp/x.so}", "base.yaml:1:7: env.LD_PRELOAD"),
        ('env: {A: "two\\nlines"}', "should be one line of text"),
        ("network: host", "base.yaml:1:1: network: unknown key"),
        ("package: [jq]", "did you mean 'packages'?"),
        ("lock: {git: 'two words'}", "lock.git: should be one word"),
        (f"lock: {{git: {'x' * 300}}}", "lock.git: should be one word"),
        ("env: {A: b}\nenv: {A: c}", "base.yaml:2:1"),
        ("[]", "base.yaml:1:1"),
        ("a: [", "base.yaml:"),
    ],
)
def test_mistakes_have_their_place(text: str, said: str) -> None:
    """What no container may get is refused with line and column."""
    with pytest.raises(BadYaml) as error:
        read_base(text)
    assert said in str(error.value)


def test_a_lock_is_edited_in_place() -> None:
    """Everything but the lock stays as people wrote it; a first one is added, an empty one taken away."""
    edited = with_lock(WHOLE, {"git": "new"})
    assert edited == "# Ours.\npackages: [ripgrep]   # everybody searches\nenv: {TZ: UTC}\nlock:\n  git: new\n"
    assert with_lock("packages: [jq]\n", {"jq": "1"}) == "packages: [jq]\nlock:\n  jq: '1'\n"
    assert read_base(with_lock("", {"git": "new"})) == Base(lock=(("git", "new"),))
    assert with_lock("", {"git": "new"}).startswith("# What the container of every agent holds")
    assert read_base(with_lock(WHOLE, {})).lock == ()
    assert read_base(with_lock("{packages: [jq], lock: {jq: a}}", {"jq": "b"})) == Base(("jq",), (), (("jq", "b"),))
    with pytest.raises(BadYaml):
        with_lock("packages: [", {"git": "new"})


def test_a_lock_is_what_the_host_holds(tmp_path: Path) -> None:
    """Each package of every container has its word; one that is absent, too."""
    path = ("/usr/local/bin", "/usr/bin", "/bin")
    lock = lock_of(NO_BASE, path)
    assert lock.keys() == set(BASE)
    assert all(len(word) == 16 for word in lock.values())
    assert lock_of(NO_BASE, path) == lock
    absent = lock_of(Base(("nosuchprogram",)), path)
    assert absent == {**lock, "nosuchprogram": "absent"}
    nixpkgs = tmp_path / "nixpkgs"
    nixpkgs.symlink_to(tmp_path / "abc-nixpkgs")
    assert lock_of(NO_BASE, path, nixpkgs)["nixpkgs"] == str(tmp_path / "abc-nixpkgs")
    assert list(lock_differences(lock, absent)) == ["nosuchprogram is absent, and not in the lock"]
    assert list(lock_differences({"git": "a"}, {"git": "b"})) == ["git: a → b"]
    assert list(lock_differences({"git": "a"}, {})) == ["git is in the lock, and no container holds it for all"]


@pytest.mark.skipif(not os.access("/usr/local/bin", os.W_OK), reason="only who may write to /usr can upgrade a program")
def test_an_upgrade_in_place_is_another_lock() -> None:
    """A program whose file was written again has another word, though its path is the same."""
    with tempfile.TemporaryDirectory(dir="/usr/local", prefix="hive-test-") as folder:
        program = Path(folder) / "zipper"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        first = lock_of(Base(("zipper",)), [folder, "/usr/bin"])["zipper"]
        assert lock_of(Base(("zipper",)), [folder, "/usr/bin"])["zipper"] == first != "absent"
        program.write_text("#!/bin/sh\nexit 1\n")
        assert lock_of(Base(("zipper",)), [folder, "/usr/bin"])["zipper"] not in {first, "absent"}
