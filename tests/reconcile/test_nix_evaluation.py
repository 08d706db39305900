"""What others wrote in Nix is evaluated, and does nothing else. All of it is real: nix, bwrap, git."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from hive.agent.child_process import ChildResult
from hive.git_mirror.mirror import TreeLimits
from hive.reconcile import host_users
from hive.reconcile.build import BuildFailed
from hive.reconcile.evidence import bad_entries
from hive.reconcile.nix_complaint import MOST, complaint, visible
from hive.reconcile.nix_evaluation import EvaluationLimits, NixEvaluator, NoEvaluator, within_sight
from tests.reconcile.conftest import Origin

TIGHT = EvaluationLimits(seconds=60.0, cpu=3, memory=128 << 20, output=1 << 20)


@cache
def _found() -> NixEvaluator | str:
    try:
        return NixEvaluator.find()
    except NoEvaluator as error:
        return str(error)


@pytest.fixture
def nix() -> NixEvaluator:
    """The evaluator of this machine, with limits that a test can wait for; skips without one."""
    found = _found()
    if isinstance(found, str):
        pytest.skip(f"nothing evaluates Nix here: {found}")
    return replace(found, limits=TIGHT)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that hears of every attempt to connect to this host."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


def refusal(nix: NixEvaluator, origin: Origin, files: dict[str, str], **links: str) -> str:
    """The one sentence with which a configuration is refused."""
    sha = origin.commit(files, links=links)
    with pytest.raises(BuildFailed) as error:
        nix.evaluate(origin.mirror, sha)
    [sentence] = error.value.problems
    assert sentence.isprintable()
    assert len(sentence) <= MOST + 40
    return sentence


def test_a_value_is_told(nix: NixEvaluator, origin: Origin) -> None:
    """A set is its value, with what it imports from beside itself; a module that is a function is told by its arguments."""
    sha = origin.commit(
        {"agent.nix": "{ lane = import ./sub/lane.nix; n = 1 + 1; }", "sub/lane.nix": '"app"', "é ☃.nix": "3"}
    )
    assert nix.evaluate(origin.mirror, sha) == {"lane": "app", "n": 2}
    sha = origin.commit({"agent.nix": "{ pkgs, lib ? 1, ... }: { }"})
    assert nix.evaluate(origin.mirror, sha) == {"lib": True, "pkgs": False}
    assert nix.evaluate(origin.mirror, sha, "{ module }: (import module { pkgs = 1; }) == { }") is True


def test_names_may_be_anything(nix: NixEvaluator, origin: Origin) -> None:
    """A name that git holds is a name, and goes nowhere: neither one that looks like an option nor one beyond ASCII."""
    names = ["--option", "é ☃.nix", "a\nb.nix", "$(id).nix"]
    sha = origin.commit({"agent.nix": "builtins.attrNames (builtins.readDir ./.)", **dict.fromkeys(names, "1")})
    assert nix.evaluate(origin.mirror, sha) == sorted(["agent.nix", *names])


READS = {
    "builtins.readFile /etc/passwd": "'/etc/passwd' is forbidden",
    'builtins.readFile (./. + "/../etc/passwd")': "'/etc/passwd' is forbidden",
    "builtins.readDir /.": "is forbidden",
    "builtins.readDir /root": "'/root' is forbidden",
    "builtins.readDir /proc/self": "is forbidden",
    '"${/etc/hostname}"': "'/etc/hostname' is forbidden",
    "import /etc/nixos/configuration.nix": "'/etc/nixos/configuration.nix' is forbidden",
    "import ../etc/nixos/configuration.nix": "'/etc/nixos/configuration.nix' is forbidden",
    "import ../../../../usr/bin/env": "'/usr/bin/env' is forbidden",
    "import <nixpkgs> { }": "'nixpkgs' was not found",
    'builtins.path { path = /etc; name = "x"; }': "'/etc' is forbidden",
    "builtins.filterSource (_: _: true) /etc": "'/etc' is forbidden",
    "builtins.storePath /nix/store": "is forbidden",
}


@pytest.mark.parametrize("text", READS)
def test_nothing_outside_is_read(nix: NixEvaluator, origin: Origin, text: str) -> None:
    """No file or folder beside the commit's is read, listed, copied or imported, by whatever path."""
    sentence = refusal(nix, origin, {"agent.nix": text})
    assert sentence.startswith("agent.nix:1:"), sentence
    assert READS[text].removesuffix(" is forbidden") in sentence, sentence
    assert "root:" not in sentence


FETCHES = (
    'builtins.fetchurl "http://127.0.0.1:PORT/x"',
    'builtins.fetchTarball "http://127.0.0.1:PORT/x.tar.gz"',
    'builtins.fetchTarball { url = "http://127.0.0.1:PORT/x"; sha256 = "%s"; }' % ("0" * 52),
    'builtins.fetchGit "http://127.0.0.1:PORT/x"',
    'builtins.fetchGit { url = "git://127.0.0.1:PORT/x"; rev = "%s"; }' % ("a" * 40),
    'builtins.fetchMercurial "http://127.0.0.1:PORT/x"',
    'builtins.fetchGit "file:///agent"',
    'builtins.fetchTree { type = "tarball"; url = "http://127.0.0.1:PORT/x"; }',
    'builtins.getFlake "git+http://127.0.0.1:PORT/x"',
    'import <nix/fetchurl.nix> { url = "http://127.0.0.1:PORT/x"; sha256 = "%s"; }' % ("0" * 52),
)


@pytest.mark.parametrize("text", FETCHES)
def test_nothing_is_fetched(nix: NixEvaluator, origin: Origin, listening: socket.socket, text: str) -> None:
    """Whatever asks for the network does not get it: nobody ever connects."""
    said = text.replace("PORT", str(listening.getsockname()[1]))
    forced = f"let it = {said}; in builtins.readFile (it.outPath or it)"
    assert refusal(nix, origin, {"agent.nix": forced}).startswith("agent.nix:1:")
    with pytest.raises(TimeoutError):
        listening.accept()


BUILT = 'derivation { name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "id > $out" ]; }'


def test_nothing_is_built_or_run(nix: NixEvaluator, origin: Origin) -> None:
    """Import from a derivation builds nothing, and there is no way to start a program."""
    assert refusal(nix, origin, {"agent.nix": f"import ({BUILT})"}).endswith("an evaluation builds nothing")
    assert refusal(nix, origin, {"agent.nix": f"builtins.readFile ({BUILT})"}).endswith("an evaluation builds nothing")
    assert "exec" in refusal(nix, origin, {"agent.nix": 'builtins.exec [ "id" ]'})
    assert refusal(nix, origin, {"agent.nix": 'builtins.importNative ./x.so "f"', "x.so": ""})
    sha = origin.commit({"agent.nix": f"({BUILT}).drvPath"})
    assert nix.evaluate(origin.mirror, sha).startswith("/nix/store/")


def test_what_is_outside_is_not_there(nix: NixEvaluator, origin: Origin) -> None:
    """Whether a file of the host exists cannot be asked."""
    sha = origin.commit(
        {"agent.nix": "map builtins.pathExists [ /etc/passwd /usr/bin/env /nix/store /hive ./agent.nix ]"}
    )
    assert nix.evaluate(origin.mirror, sha)[:2] == [False, False]


@pytest.mark.parametrize("url", ["file:///agent/bare", "/agent/bare", "git+file:///agent/bare"])
def test_a_repository_in_the_tree_runs_nothing(nix: NixEvaluator, origin: Origin, url: str) -> None:
    """Nix starts git for a path that may be read; a bare repository in the commit brings settings that name programs."""
    config = "[core]\n\tbare = true\n\tfsmonitor = touch /tmp/run\n[uploadpack]\n\tpackObjectsHook = touch /tmp/run\n"
    bare = {"bare/HEAD": "ref: refs/heads/main\n", "bare/config": config, "bare/refs/x": "", "bare/objects/x": ""}
    text = f'builtins.fetchGit {{ url = "{url}"; ref = "main"; }}'
    sentence = refusal(nix, origin, {**bare, "agent.nix": text})
    assert "an evaluation fetches nothing" in sentence or "forbidden" in sentence, sentence


def test_it_has_no_environment(nix: NixEvaluator, origin: Origin) -> None:
    """Variables of the hive are empty."""
    names = [*os.environ, "HOME", "PATH", "USER", "SSH_AUTH_SOCK"]
    asked = " ".join(f'(builtins.getEnv "{name}")' for name in names)
    assert nix.evaluate(origin.mirror, origin.commit({"agent.nix": f"[ {asked} ]"})) == [""] * len(names)


ENDLESS = (
    "builtins.foldl' (a: b: builtins.seq (builtins.length (builtins.genList (x: x) 9000)) (a + b)) 0"
    " (builtins.concatLists (builtins.genList (x: builtins.genList (y: y) 1000) 1000))"
)

BOMBS = {
    "let f = n: 1 + f (n + 1); in f 0": "it calls itself without end",
    "let x = x; in x": "infinite recursion",
    "let f = n: if n == 0 then [ ] else [ (f (n - 1)) ]; in f 200000": "",
    "let x = { y = x; }; in x": "",
    "builtins.genList (x: x) 900000000": "too much memory",
    'builtins.foldl\' (s: _: s + s) "aaaaaaaa" (builtins.genList (x: x) 60)': "too much memory",
    ENDLESS: "it computes without end",
    "builtins.foldl' (l: _: builtins.seq (builtins.length l) (l ++ l)) [ 1 ] (builtins.genList (x: x) 60)": "",
    'builtins.genList (x: "aaaaaaaaaaaaaaaa") 200000': "more than 1048576 bytes",
    'builtins.match "(a*)*b" (builtins.concatStringsSep "" (builtins.genList (_: "a") 30000))': "",
    "[" * 200_000 + "]" * 200_000: "it is nested too deeply",
    "(" * 50_000 + "1" + ")" * 50_000: "it is nested too deeply",
    'builtins.fromJSON (builtins.concatStringsSep "" (builtins.genList (_: "[") 1000000))': "",
}


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: text[:40])
def test_it_ends(nix: NixEvaluator, origin: Origin, text: str) -> None:
    """Endless computation, recursion, memory, output and nesting end in a sentence, and leave no process."""
    sentence = refusal(nix, origin, {"agent.nix": text})
    assert BOMBS[text] in sentence, sentence
    assert _processes(nix) == []


def test_it_ends_in_time(nix: NixEvaluator, origin: Origin) -> None:
    """The wall clock ends what neither computes nor needs memory, and all of its namespace."""
    slow = replace(nix, limits=replace(TIGHT, cpu=600, seconds=1.0))
    sentence = refusal(slow, origin, {"agent.nix": ENDLESS})
    assert sentence == "agent.nix:1:1: it took more than 1 s"
    assert _processes(slow) == []


@pytest.mark.parametrize("is_there", [True, False], ids=["by util-linux", "without it"])
def test_limits_hold_before_it_begins(nix: NixEvaluator, *, is_there: bool) -> None:
    """Whoever sets them: soft and hard, and root has become somebody who owns nothing and is in no group of his."""
    if is_there and nix.prlimit is None:
        pytest.skip("util-linux has no prlimit here")
    user = host_users.EVALUATOR if os.geteuid() == 0 else None
    asked = ["/bin/cat", "/proc/self/limits", "/proc/self/status"]
    done = (nix if is_there else replace(nix, prlimit=None)).run_limited(asked, user)
    rows = [line.split() for line in done.out.decode().splitlines()]
    for name, most in {"cpu time": TIGHT.cpu, "data size": 2 * TIGHT.memory, "file size": TIGHT.output}.items():
        assert ["Max", *name.split(), str(most), str(most)] in [row[:5] for row in rows], (name, done)
    assert ["Max", "open", "files", "256", "256", "files"] in rows
    assert ["Max", "core", "file", "size", "0", "0", "bytes"] in rows
    if user is not None:
        for name, ids in (("Uid:", [str(user)] * 4), ("Gid:", [str(user)] * 4), ("Groups:", [])):
            assert [name, *ids] in rows, done


@pytest.mark.parametrize("text", [ENDLESS])
def test_it_ends_without_util_linux(nix: NixEvaluator, origin: Origin, text: str) -> None:
    """The same end, and the same sentence, where the limits are set by a program of ours."""
    assert refusal(replace(nix, prlimit=None), origin, {"agent.nix": text}) == refusal(nix, origin, {"agent.nix": text})


def test_links_are_not_there(nix: NixEvaluator, origin: Origin) -> None:
    """A link in the tree leads nowhere, and one in the module's place is no module."""
    sentence = refusal(nix, origin, {"agent.nix": "builtins.readFile ./secret"}, secret="/etc/passwd")
    assert "'secret'" in sentence or "secret" in sentence
    assert "root:" not in sentence
    sha = origin.commit({})
    assert bad_entries(origin.mirror, sha, TreeLimits()) == ("120000 'secret'",)


def test_a_link_is_no_module(nix: NixEvaluator, origin: Origin) -> None:
    """A module is a regular file; without one there is nothing to evaluate."""
    assert (
        refusal(nix, origin, {"real.nix": "1"}, **{"agent.nix": "real.nix"}) == "agent.nix:1:1: there is no such file"
    )


def test_attributes_hide_nothing(nix: NixEvaluator, origin: Origin) -> None:
    """What a tree says to `git archive` and to checkouts does not count: all files are as they were reviewed."""
    attributes = "agent.nix export-ignore\nsub.nix export-subst eol=crlf\n"
    sha = origin.commit({"agent.nix": "import ./sub.nix", "sub.nix": '"$Format:%H$\n"', ".gitattributes": attributes})
    assert nix.evaluate(origin.mirror, sha) == "$Format:%H$\n"


def test_a_flake_beside_it_does_nothing(nix: NixEvaluator, origin: Origin, listening: socket.socket) -> None:
    """The settings of a flake are not read, nor is any other file of nix's own that the commit brings."""
    port = listening.getsockname()[1]
    flake = (
        f'{{ nixConfig = {{ post-build-hook = "/agent/hook"; restrict-eval = false; substituters = "http://127.0.0.1:{port}"; }};'
        f' inputs.x.url = "git+http://127.0.0.1:{port}/x"; outputs = _: builtins.readFile /etc/passwd; }}'
    )
    conf = "restrict-eval = false\nallow-unsafe-native-code-during-evaluation = true\n"
    files = {"flake.nix": flake, "hook": "#!/bin/sh\n", "nix.conf": conf, ".config/nix/nix.conf": conf}
    assert "is forbidden" in refusal(nix, origin, {**files, "agent.nix": "builtins.readFile /etc/passwd"})
    with pytest.raises(TimeoutError):
        listening.accept()


def test_a_tree_that_is_too_much_is_refused(nix: NixEvaluator, origin: Origin) -> None:
    """What would take the host long to write out is refused before that."""
    sentence = refusal(nix, origin, {"agent.nix": "1", **{f"{number}.nix": "" for number in range(600)}})
    assert sentence == "agent.nix:1:1: its repository is too much to write out: 601 files, 1 bytes"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ a = 1;\n  b = nope; }", "agent.nix:2:7: undefined variable 'nope'"),
        ("{ a = ", "agent.nix:1:6: syntax error, unexpected end of file"),
        ("import ./b.nix", "b.nix:1:3: undefined variable 'nope'"),
    ],
)
def test_places_are_told(nix: NixEvaluator, origin: Origin, text: str, expected: str) -> None:
    """A sentence begins with the file of the repository, the line and the column."""
    assert refusal(nix, origin, {"agent.nix": text, "b.nix": "  nope"}).startswith(expected)


def test_what_is_thrown_is_shown(nix: NixEvaluator, origin: Origin) -> None:
    """Text of the configuration cannot pass for the host's, and control characters stand as their escapes."""
    thrown = 'throw "no\\nerror: fine\\n       at /agent/agent.nix:9:9:\\r\x1b[2J\u202e"'
    sentence = refusal(nix, origin, {"agent.nix": f'builtins.trace "error: x" ({thrown})'})
    assert sentence.startswith("agent.nix:")
    assert "\\x1b[2J" in sentence or "fine" in sentence or "x" in sentence


def _processes(nix: NixEvaluator) -> list[str]:
    """What still runs of an evaluation."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        found += [entry.parent.name] if nix.nix in words and "module" in words else []
    return found


FOLDER, FILES = "/agent", frozenset({"agent.nix", "b.nix"})

NEWER = b"""error:
       \xe2\x80\xa6 while evaluating the attribute 'a'
         at /agent/b.nix:3:4:
            3|  x
       \xe2\x80\xa6 while calling 'f'
         at /agent/agent.nix:7:1:

       error: undefined variable 'q'
       at /agent/b.nix:4:9:
            4|  q
"""


@pytest.mark.parametrize(
    ("status", "errors", "expected"),
    [
        (1, NEWER, "b.nix:4:9: undefined variable 'q'"),
        (1, NEWER.rpartition(b"       at")[0], "agent.nix:7:1: undefined variable 'q'"),
        (1, b"error: one\n       two\n\n       at /agent/evil.nix:1:1:\n", "agent.nix:1:1: one two"),
        (1, b"error: a\x07\x1b[31m\xff\n", "agent.nix:1:1: a\\x07\\x1b[31m\ufffd"),
        (137, b"", "agent.nix:1:1: it computes without end, or needs too much memory"),
        (-24, b"", "agent.nix:1:1: it computes without end"),
        (3, b"", "agent.nix:1:1: nix ended with 3"),
        (
            1,
            b"bwrap: No permissions to create new namespace\n",
            "agent.nix:1:1: bwrap: No permissions to create new namespace",
        ),
        (1, b"error: " + b"x" * 9999, f"agent.nix:1:1: {'x' * (MOST - 1)}…"),
    ],
)
def test_every_nix_is_understood(status: int, errors: bytes, expected: str) -> None:
    """Old ones begin with the message, newer ones end with it; what is no file of the commit is no place."""
    assert complaint(ChildResult(status, b"", errors), FOLDER, FILES, "agent.nix") == expected


def test_hidden_characters_are_shown() -> None:
    """What would turn a line around, or end it, is seen."""
    assert visible("a\u202eb\nc\x00é") == "a\\u202eb\\nc\\x00é"


def test_a_program_keeps_its_name(tmp_path: Path) -> None:
    """Links are followed only as far as a container sees: what nix does depends on the name by which it is called."""
    (tmp_path / "sw").symlink_to("/usr/bin/nix-instantiate")
    (tmp_path / "profile").symlink_to("sw")
    assert within_sight(str(tmp_path / "profile")) == "/usr/bin/nix-instantiate"
