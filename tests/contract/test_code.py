"""The contract of every forge: files, commits, tags and statuses."""

from __future__ import annotations

import pytest

from forge.gitea.client import route
from forge.issue_templates import FormField, IssueTemplate
from forge.models import CommitStatus, FileEdit, Protection, State
from forge.protocol import Conflict, NotFound, Refused
from tests.contract.conftest import ContractForge


def test_files(contract_forge: ContractForge) -> None:
    """A file that holds its content already makes no commit; protection keeps everybody off."""
    repo = contract_forge.repo()
    contract_forge.iris.put_file(repo, "dir/b.bin", b"\x00\xff", message="add", branch="main")
    before = contract_forge.iris.branch(repo, "main").sha
    contract_forge.iris.put_file(repo, "dir/b.bin", b"\x00\xff", message="again", branch="main")
    assert contract_forge.iris.branch(repo, "main").sha == before
    contract_forge.iris.put_file(repo, "dir/b.bin", b"", message="change", branch="main")
    assert (
        contract_forge.iris.file(repo, "dir/b.bin", "main"),
        contract_forge.iris.file(repo, "dir/b.bin", before),
    ) == (b"", b"\x00\xff")
    with pytest.raises(NotFound):
        contract_forge.iris.file(repo, "dir", "main")
    with pytest.raises(NotFound):
        contract_forge.iris.put_file(repo, "c", b"", message="m", branch="nowhere")
    contract_forge.admin.ensure_protection(repo, Protection("main", mergers=(contract_forge.login("ops"),)))
    for forge in (contract_forge.iris, contract_forge.ops):
        with pytest.raises(Refused):
            forge.put_file(repo, "c", b"", message="m", branch="main")
    assert contract_forge.iris.branch(repo, "main").protected


FORM = b"""\
name: Report
about: Something is wrong
labels: [bug]
body:
- type: markdown
  attributes: {value: Thanks}
- type: textarea
  attributes: {label: What happens}
  validations: {required: true}
- type: input
  attributes: {label: Version}
- type: checkboxes
  attributes: {label: Terms, options: [{label: I agree, required: true}]}
"""
MARKDOWN = b"---\nname: Wish\nabout: What is missing\n---\n## Why\n"


def test_issue_templates(contract_forge: ContractForge) -> None:
    """Forms and Markdown of the default branch; what is no template is left out, and without any there is none."""
    repo = contract_forge.repo()
    assert contract_forge.iris.issue_templates(repo) == []
    files = {
        "report.yaml": FORM,
        "wish.md": MARKDOWN,
        "config.yaml": b"blank_issues_enabled: true\n",
        "bad.yaml": b"name: [",
    }
    for name, content in files.items():
        contract_forge.iris.put_file(repo, f".gitea/ISSUE_TEMPLATE/{name}", content, message="m", branch="main")
    found = {each.name: each for each in contract_forge.iris.issue_templates(repo)}
    fields = (FormField("What happens", required=True), FormField("Version"))
    assert found["Report"] == IssueTemplate("Report", labels=("bug",), fields=fields)
    assert found["Wish"] == IssueTemplate("Wish", content="## Why\n")
    assert len(found) == 2


def test_statuses(contract_forge: ContractForge) -> None:
    """A context says its newest word, and says it once."""
    repo = contract_forge.repo()
    sha = contract_forge.ops.branch(repo, "main").sha
    for word in (State.PENDING, State.SUCCESS, State.SUCCESS):
        contract_forge.ops.set_status(repo, sha, CommitStatus("hive/eval", word, "fine", "http://hive.example/1"))
    said = CommitStatus("hive/eval", State.SUCCESS, "fine", "http://hive.example/1")
    assert contract_forge.ops.statuses(repo, sha) == [said]
    assert len(list(contract_forge.ops._client.rows(route("repos", *repo.path.split("/"), "statuses", sha)))) == 2


def test_tags(contract_forge: ContractForge) -> None:
    """A tag stays on its commit."""
    repo = contract_forge.repo()
    first = contract_forge.ops.branch(repo, "main").sha
    for _ in range(2):
        contract_forge.ops.tag(repo, "deployed/1", first, "the first")
    contract_forge.iris.put_file(repo, "b", b"", message="more", branch="main")
    with pytest.raises(Conflict, match="deployed/1"):
        contract_forge.ops.tag(repo, "deployed/1", contract_forge.ops.branch(repo, "main").sha, "moved")


def test_statuses_of_nothing(contract_forge: ContractForge) -> None:
    """A commit that is not there is not found, whatever the forge calls it."""
    with pytest.raises(NotFound):
        contract_forge.ops.set_status(contract_forge.repo(), "0" * 39 + "1", CommitStatus("hive/eval", State.SUCCESS))


def test_commits(contract_forge: ContractForge) -> None:
    """Several files change in one commit; what is so already is left out, and nothing left makes no commit."""
    repo, iris = contract_forge.repo(), contract_forge.iris
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


def test_commits_on_a_new_branch(contract_forge: ContractForge) -> None:
    """A branch that is not there begins where it is told to; one that is there goes on."""
    repo, iris = contract_forge.repo(), contract_forge.iris
    main = iris.branch(repo, "main").sha
    for _ in range(2):
        iris.commit(repo, [FileEdit("a.py", b"1\n")], message="first", branch="agent/iris/5", start="main")
    first = iris.branch(repo, "agent/iris/5").sha
    iris.commit(repo, [FileEdit("b.py", b"2\n")], message="second", branch="agent/iris/5", start="main")
    assert iris.file(repo, "a.py", "agent/iris/5") == b"1\n"
    assert first != iris.branch(repo, "agent/iris/5").sha
    assert iris.branch(repo, "main").sha == main


def test_commits_by_those_who_may_not(contract_forge: ContractForge) -> None:
    """Protection keeps several files off as it does one."""
    repo = contract_forge.repo()
    contract_forge.admin.ensure_protection(repo, Protection("main", mergers=(contract_forge.login("ops"),)))
    for forge in (contract_forge.iris, contract_forge.ops):
        with pytest.raises(Refused):
            forge.commit(repo, [FileEdit("b", b""), FileEdit("c", b"")], message="m", branch="main")
