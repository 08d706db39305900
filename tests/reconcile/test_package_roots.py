"""Root directories of packages: made once for a list, never used half, changed by nobody, and found by what is in them."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hive.agent.directory_trees import remove_tree
from hive.agent.enter import READY
from hive.agent.limits import EVENTS
from hive.app.garbage import package_roots
from hive.config import Limits
from hive.config.roots import RootSettings, mistakes
from hive.ledger import Generation, Ledger
from hive.reconcile.agent_dirs import AgentDirs
from hive.reconcile.backends.nspawn import Nspawn
from hive.reconcile.backends.package_roots import BY_LIST, FOLDER, RECORD, TREE, PackageRoots, drafts, tool
from hive.reconcile.backends.package_tree import BASE, PYTHON, digest_of, installed, seal_of
from hive.reconcile.backends.podman import Podman
from hive.reconcile.backends.surroundings import harness, starter
from hive.reconcile.backends.trial import problem_of
from hive.reconcile.build import BuildFailed, build, plan
from hive.reconcile.limiter import Limiter
from tests.backends import wanted
from tests.nightly import NIGHTLY
from tests.reconcile.conftest import Origin

SHA, OTHER = "a" * 40, "b" * 40
FORK = multiprocessing.get_context("fork")

INSTALLS = """#!/bin/sh
# Installs names as packages: what is `broken` fails, what is not known is passed over in silence, as apt does with a pattern.
for word; do case "$word" in "--include=?exact-name("*")") word=${word#*"("}; names="$names ${word%")"}" ;; esac; done
while [ $# -gt 3 ]; do shift; done
[ -e "$2" ] && exit 9
mkdir -p "$2/etc" "$2/var/lib/dpkg" "$2/var/lib/apt/lists" "$2/var/log" "$2/usr/bin"
date +%N > "$2/var/log/dpkg.log"
for name in $KNOWN; do printf 'Package: %s\\nVersion: 1\\n\\n' "$name" >> "$2/var/lib/apt/lists/x_Packages"; done
if [ -e "$PAUSE" ]; then touch "$PAUSE.reached"; exec sleep 600; fi
for name in $names; do
    [ "$name" = broken ] && { echo "E: broken cannot be installed" >&2; exit 100; }
    case " $KNOWN " in *" $name "*) ;; *) continue ;; esac
    printf 'Package: %s\\nStatus: install ok installed\\nVersion: 1.0-%s\\n\\n' "$name" "$(cat "$VERSION")" >> "$2/var/lib/dpkg/status"
    cat "$VERSION" > "$2/usr/bin/$name"
done
"""


@pytest.fixture
def roots(tmp_path: Path) -> PackageRoots:
    """Roots that a small program makes, in the place of mmdebstrap."""
    known = " ".join((*BASE, "jq", "ripgrep", "broken"))
    said = "".join(
        f"{name}='{value}'\n"
        for name, value in (("KNOWN", known), ("VERSION", tmp_path / "version"), ("PAUSE", tmp_path / "pause"))
    )
    (tmp_path / "version").write_text("1")
    program = tmp_path / "installs"
    program.write_text(INSTALLS.replace("\n", f"\n{said}", 1))
    program.chmod(0o755)
    if shutil.which("unshare") is None or os.geteuid():
        pytest.skip("only root can give a process mounts of its own here")
    return PackageRoots(tmp_path / "state" / FOLDER, RootSettings("bookworm"), str(program))


def test_a_list_is_made_once(roots: PackageRoots, tmp_path: Path) -> None:
    """Its name is the digest of what is in it; the order of a list is nothing, and who asks again gets the same."""
    assert roots.made(["jq"]) is None
    found = roots.make(["jq", "ripgrep"])
    assert found.name == digest_of(found / TREE)
    assert roots.make(["ripgrep", "jq"]) == roots.made(["jq", "ripgrep"]) == found
    assert {"jq", "ripgrep", *BASE} == installed(found / TREE).keys()
    record = json.loads((found / RECORD).read_text())
    assert record["packages"]["jq"] == "1.0-1"
    assert record["seal"] == seal_of(found / TREE)
    assert (found / TREE / "agent/state").is_dir()
    assert list((found / TREE / "var/log").iterdir()) == []
    assert drafts(roots.folder) == []
    other = replace(roots, folder=tmp_path / "elsewhere").make(["jq", "ripgrep"])
    assert other.name == found.name, "the same in another place has the same name"
    (tmp_path / "version").write_text("2")
    shutil.rmtree(roots.folder / BY_LIST)
    assert roots.make(["jq", "ripgrep"]).name != found.name, "newer versions have another"
    assert (found / RECORD).exists(), "what others have stays"


@pytest.mark.parametrize(
    ("packages", "said"),
    [
        (["jq", "ripgrpe"], "bookworm has no package 'ripgrpe'; did you mean 'ripgrep'?"),
        (["broken"], "E: broken cannot be installed"),
    ],
)
def test_what_cannot_be_made_has_a_sentence(roots: PackageRoots, packages: list[str], said: str) -> None:
    """A package that there is not, or that is not installed, is named, and nothing is left."""
    with pytest.raises(BuildFailed) as error:
        roots.make(packages)
    assert said in error.value.problems
    assert roots.made(packages) is None
    assert sorted(path.name for path in roots.folder.iterdir()) == [BY_LIST, "lock"]


def test_killed_in_the_making(roots: PackageRoots, tmp_path: Path) -> None:
    """What a killed host was making is used by nobody, removed by the next one, and its processes end with it."""
    (tmp_path / "pause").touch()
    host = FORK.Process(target=roots.make, args=(["jq"],))
    host.start()
    until = time.monotonic() + 60
    while not (tmp_path / "pause.reached").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    [draft] = drafts(roots.folder)
    assert roots.made(["jq"]) is None
    assert host.pid is not None
    os.kill(host.pid, signal.SIGKILL)
    host.join()
    (tmp_path / "pause").unlink()
    found = roots.make(["jq"])
    assert not draft.exists()
    assert (found / RECORD).exists()
    while any(str(draft) in line for line in commands()):
        assert time.monotonic() < until + 60, "what made it goes on"
        time.sleep(0.05)


def commands() -> list[str]:
    """What runs on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "usr/bin/jq").write_text("1"),
        lambda tree: (tree / "usr/bin/more").touch(),
        lambda tree: (tree / "usr/bin/jq").unlink(),
        lambda tree: (tree / "usr/bin/jq").chmod(0o4755),
        lambda tree: (tree.parent / RECORD).write_text("{}"),
    ],
    ids=["written", "added", "removed", "made setuid", "without a record"],
)
def test_what_was_changed_is_not_used(roots: PackageRoots, tmp_path: Path, change: Callable[[Path], object]) -> None:
    """A root that somebody wrote into starts no container: it goes, and is made again."""
    agent = tmp_path / "agents" / "iris"
    roots.make(["jq"])
    assert roots.pin(agent, SHA, ["jq"])
    tree = roots.verified(agent, SHA)
    change(tree)
    with pytest.raises(OSError, match="it was changed since it was made"):
        roots.verified(agent, SHA)
    assert roots.pinned(agent, SHA) is None
    assert not roots.pin(agent, SHA, ["jq"])
    roots.make(["jq"])
    assert roots.pin(agent, SHA, ["jq"])
    assert roots.verified(agent, SHA) == tree


def test_agents_share_and_gc_takes_what_nobody_has(roots: PackageRoots, tmp_path: Path, ledger: Ledger) -> None:
    """A root stays while an artifact that is kept has it; what a kill left goes, too."""
    agents = tmp_path / "agents"
    with ledger.transaction() as db:
        for agent in ("iris", "rose"):
            db.execute(
                "INSERT INTO baselines (agent, team, repo, repo_id, branch, sha, cursor, running_sha) VALUES"
                " (?, 'acme', ?, 7, 'main', ?, 1, ?)",
                (agent, f"forgejo:agent-configs/{agent}", SHA, SHA),
            )
    first, second = roots.make(["jq"]), roots.make(["ripgrep"])
    assert roots.pin(agents / "iris", SHA, ["jq"])
    assert roots.pin(agents / "rose", SHA, ["jq"])
    assert roots.pin(agents / "rose", OTHER, ["ripgrep"])
    (roots.folder / ".new-left").mkdir()
    found = list(package_roots(ledger, roots.folder, agents, 0))
    assert [(each.what, each.name) for each in found] == [
        ("root link", f"rose {OTHER[:12]}"),
        ("root", second.name[:12]),
        ("root", ".new-left"),
    ]
    for each in found:
        each.take()
    assert first.exists()
    assert not second.exists()
    assert drafts(roots.folder) == []
    assert roots.made(["ripgrep"]) is None
    remove_tree(agents / "iris")
    assert list(package_roots(ledger, roots.folder, agents, 0)) == [], "rose has it still"


def test_names_are_strict() -> None:
    """Nothing by which apt or a shell would mean more than one package."""
    for name in ("g++", "python3.11", "libstdc++6", "jq", "0ad"):
        assert list(mistakes({"root": 1, "packages": [name]})) == []
    for name in (
        "jq-",
        "jq.",
        "jq=1",
        "jq/sid",
        "?all",
        "~n.",
        "a b",
        "-o",
        "../x.deb",
        "jq,git",
        "J",
        "j",
        "jq\n",
        "é1",
        "",
    ):
        assert len(list(mistakes({"packages": [name]}))) == 1, name
    for key, value in (
        ("suite", "../x"),
        ("suite", "-x"),
        ("mirror", "file:///x"),
        ("mirror", "http://a b"),
        ("mirror", "x"),
    ):
        assert len(list(mistakes({key: value}))) == 1


def test_a_declaration_names_packages(origin: Origin) -> None:
    """Where programs are not the host's, names are checked alone, nothing is linked, and `image` is the host's."""
    sha = origin.commit({"agent.yaml": "lane: app\npackages: [jq, no-such-program]\n"})
    made = plan("iris", origin.mirror, sha, Limits(), packages_path=())
    assert made.spec.packages == ("jq", "no-such-program")
    assert made.commands == ()
    sha = origin.commit({"agent.yaml": "lane: app\npackages: ['jq-', 'a_b']\n"})
    with pytest.raises(BuildFailed, match="should be the name of a package of Debian") as error:
        plan("iris", origin.mirror, sha, Limits(), packages_path=())
    assert len(error.value.problems) == 2
    sha = origin.commit({"agent.yaml": "lane: app\nimage: debian\n"})
    with pytest.raises(BuildFailed, match=r"`root` of hive\.yaml"):
        plan("iris", origin.mirror, sha, Limits(), packages_path=())


def until_prepared(
    backend: Nspawn | Podman, dirs: AgentDirs, sha: str, origin: Origin, *, seconds: float = 120.0
) -> None:
    """Ask until what a commit needs is there."""
    until = time.monotonic() + seconds
    packages = plan(dirs.name, origin.mirror, sha, Limits(), packages_path=()).packages
    while not backend.prepare(dirs, Generation(sha), origin.mirror, packages):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_commit_waits_for_its_root(roots: PackageRoots, tmp_path: Path, origin: Origin) -> None:
    """It is made beside the reconciler; a commit that has none, or has lost it, is built before it is started."""
    backend, dirs = Nspawn("nspawn", roots=roots), AgentDirs("iris", tmp_path / "agents" / "iris")
    dirs.prepare()
    sha = origin.commit({"agent.yaml": "lane: app\npackages: [jq]\n"})
    assert not backend.has_made(dirs, sha)
    until_prepared(backend, dirs, sha, origin)
    assert backend.has_made(dirs, sha)
    tree = roots.verified(dirs.root, sha)
    build(plan("iris", origin.mirror, sha, Limits(), packages_path=()), sha, dirs.gens)
    remove_tree(tree.parent)
    assert not backend.has_made(dirs, sha)
    sha = origin.commit({"agent.yaml": "lane: app\npackages: [nothing]\n"})
    for _ in range(2):
        with pytest.raises(BuildFailed, match="has no package 'nothing'"):
            until_prepared(backend, dirs, sha, origin)
    backend.forget(dirs)
    assert not (dirs.root / FOLDER).exists()
    assert tool() is None or Path(tool() or "").is_file()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where real roots are, which take a minute to make."""
    return tmp_path_factory.mktemp("packages")


@NIGHTLY
@pytest.mark.timeout(3600)
@pytest.mark.contained
@pytest.mark.parametrize("name", ["nspawn", "podman"])
def test_a_container_of_packages(tmp_path: Path, shared: Path, origin: Origin, name: str) -> None:
    """A real root, from a mirror: the harness runs on its Python, sees its programs and none of this host's, and is confined."""
    program, backend = tool(), wanted(name)
    assert isinstance(backend, Nspawn | Podman)
    if program is None:
        pytest.skip("mmdebstrap is not installed")
    roots = PackageRoots(shared / FOLDER, RootSettings("bookworm", packages=("jq",)), program)
    backend, dirs = replace(backend, roots=roots), AgentDirs("iris", tmp_path / "agents" / "iris")
    dirs.prepare()
    sha = origin.commit({"agent.yaml": "lane: app\npackages: [bc]\n"})
    try:
        until_prepared(backend, dirs, sha, origin, seconds=1200)
    except BuildFailed as error:
        if any(words in str(error) for words in ("Could not connect", "Unable to connect", "Could not resolve")):
            pytest.skip(f"no mirror can be reached: {error.problems[-1]}")
        raise
    build(plan("iris", origin.mirror, sha, Limits(), packages_path=()), sha, dirs.gens)
    (dirs.sockets / EVENTS).touch()
    limiter = Limiter.find(Limits())
    look = [
        "/bin/sh",
        "-c",
        "echo 6*7 | bc; for each in jq git python3; do command -v $each; done; ls /usr/local/bin; touch /usr/x 2>&1",
    ]
    try:
        for tail in ([], look):
            bounds = limiter.bounds("iris", has_groups=backend.has_groups)
            command = backend.command(dirs, sha, {}, bounds)
            words = [*starter(bounds), *command.words[: -len(harness(PYTHON))]]
            if not tail:
                assert problem_of(words, command.env, noise="propagate", runs_on=PYTHON) == ""
            else:
                said = subprocess.run(
                    [*words, *tail],
                    env=command.env,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    timeout=300,
                ).stdout.splitlines()
                said.remove(READY)
                assert said[:4] == ["42", "/usr/bin/jq", "/usr/bin/git", "/usr/bin/python3"]
                assert said[4:] == ["touch: cannot touch '/usr/x': Read-only file system"], (
                    "nothing of this host is there"
                )
            bounds.end()
            backend.clean(dirs)
    finally:
        limiter.close()
    assert roots.verified(dirs.root, sha).is_dir(), "two containers changed nothing in it"
    gone = origin.commit({"agent.yaml": "lane: app\npackages: [riprep]\n"})
    with pytest.raises(BuildFailed, match="bookworm has no package 'riprep'; did you mean 'ripgrep'"):
        until_prepared(backend, dirs, gone, origin, seconds=1200)
