"""The contract of every forge: files, commits, tags and statuses."""

from __future__ import annotations

import pytest

from forge.gitea.client import route
from forge.protocol import Conflict, NotFound, Refused
from forge.types import CommitStatus, FileEdit, Protection, State
from tests.contract.conftest import Town


def test_files(town: Town) -> None:
    """A file that holds its content already makes no commit; protection keeps everybody off."""
    repo = town.repo()
    town.iris.put_file(repo, "dir/b.bin", b"\x00\xff", message="add", branch="main")
    before = town.iris.branch(repo, "main").sha
    town.iris.put_file(repo, "dir/b.bin", b"\x00\xff", message="again", branch="main")
    assert town.iris.branch(repo, "main").sha == before
    town.iris.put_file(repo, "dir/b.bin", b"", message="change", branch="main")
    assert (town.iris.file(repo, "dir/b.bin", "main"), town.iris.file(repo, "dir/b.bin", before)) == (b"", b"\x00\xff")
    with pytest.raises(NotFound):
        town.iris.file(repo, "dir", "main")
    with pytest.raises(NotFound):
        town.iris.put_file(repo, "c", b"", message="m", branch="nowhere")
    town.admin.ensure_protection(repo, Protection("main", mergers=(town.login("ops"),)))
    for forge in (town.iris, town.ops):
        with pytest.raises(Refused):
            forge.put_file(repo, "c", b"", message="m", branch="main")
    assert town.iris.branch(repo, "main").protected


def test_statuses(town: Town) -> None:
    """A context says its newest word, and says it once."""
    repo = town.repo()
    sha = town.ops.branch(repo, "main").sha
    for word in (State.PENDING, State.SUCCESS, State.SUCCESS):
        town.ops.set_status(repo, sha, CommitStatus("hive/eval", word, "fine", "http://hive.example/1"))
    said = CommitStatus("hive/eval", State.SUCCESS, "fine", "http://hive.example/1")
    assert town.ops.statuses(repo, sha) == [said]
    assert len(list(town.ops._client.rows(route("repos", *repo.path.split("/"), "statuses", sha)))) == 2


def test_tags(town: Town) -> None:
    """A tag stays on its commit."""
    repo = town.repo()
    first = town.ops.branch(repo, "main").sha
    for _ in range(2):
        town.ops.tag(repo, "deployed/1", first, "the first")
    town.iris.put_file(repo, "b", b"", message="more", branch="main")
    with pytest.raises(Conflict, match="deployed/1"):
        town.ops.tag(repo, "deployed/1", town.ops.branch(repo, "main").sha, "moved")


def test_statuses_of_nothing(town: Town) -> None:
    """A commit that is not there is not found, whatever the forge calls it."""
    with pytest.raises(NotFound):
        town.ops.set_status(town.repo(), "0" * 39 + "1", CommitStatus("hive/eval", State.SUCCESS))


def test_commits(town: Town) -> None:
    """Several files change in one commit; what is so already is left out, and nothing left makes no commit."""
    repo, iris = town.repo(), town.iris
    edits = [FileEdit("a.py", None), FileEdit("dir/b.bin", b"\x00\xff"), FileEdit("c.txt", "dïff\n".encode())]
    before = iris.branch(repo, "main").sha
    iris.commit(repo, edits, message="several", branch="main")
    after = iris.branch(repo, "main").sha
    assert after != before
    assert (iris.file(repo, "dir/b.bin", "main"), iris.file(repo, "c.txt", "main")) == (b"\x00\xff", "dïff\n".encode())
    with pytest.raises(NotFound):
        iris.file(repo, "a.py", "main")
    iris.commit(repo, edits, message="again", branch="main")
    assert iris.branch(repo, "main").sha == after
    iris.commit(repo, [*edits, FileEdit("c.txt.bak", b"")], message="one more", branch="main")
    assert iris.file(repo, "c.txt.bak", "main") == b""
    with pytest.raises(NotFound):
        iris.commit(repo, edits[1:], message="m", branch="nowhere")


def test_commits_on_a_new_branch(town: Town) -> None:
    """A branch that is not there begins where it is told to; one that is there goes on."""
    repo, iris = town.repo(), town.iris
    main = iris.branch(repo, "main").sha
    for _ in range(2):
        iris.commit(repo, [FileEdit("a.py", b"1\n")], message="first", branch="agent/iris/5", start="main")
    first = iris.branch(repo, "agent/iris/5").sha
    iris.commit(repo, [FileEdit("b.py", b"2\n")], message="second", branch="agent/iris/5", start="main")
    assert iris.file(repo, "a.py", "agent/iris/5") == b"1\n"
    assert first != iris.branch(repo, "agent/iris/5").sha
    assert iris.branch(repo, "main").sha == main


def test_commits_by_those_who_may_not(town: Town) -> None:
    """Protection keeps several files off as it does one."""
    repo = town.repo()
    town.admin.ensure_protection(repo, Protection("main", mergers=(town.login("ops"),)))
    for forge in (town.iris, town.ops):
        with pytest.raises(Refused):
            forge.commit(repo, [FileEdit("b", b""), FileEdit("c", b"")], message="m", branch="main")
