"""S3 and S14: an agent comes by two merges, goes by one, returns with its notes, and is forgotten when two comments want it."""

from __future__ import annotations

from pathlib import Path

from forge.models import Comment, FileEdit, PullRequest, Ref, Repo
from hive.config.roster import FILE
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from hive.demo.scripted_replies import Task
from hive.demo.setup import FORGE
from hive.reconcile.report import LOG
from tests.nightly import NIGHTLY
from tests.stories.conftest import META, Hive, raised

OPS = Repo(FORGE, "hive", "ops")
LEXIS = Repo(FORGE, "agent-configs", "lexis")
FORM = "### Name\n\n{name}\n\n### Lane\n\n{lane}\n\n### Why\n\nNobody writes the manual.\n"


class Answers:
    """Answers everything."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        return ModelReply("", (ToolCall("finish", {"outcome": "answered", "message": "It is in the manual."}),))


def ask_for(hive: Hive, name: str, lane: str = "docs") -> Ref:
    """Mara fills in the form for a new agent."""
    return hive.mara.open_issue(OPS, f"spawn: {name}", FORM.format(name=name, lane=lane), marker=f"\n\n{name}\n\n").ref


def pull_on(hive: Hive, repo: Repo, words: str) -> Ref | None:
    """The open pull request whose title holds some words."""
    found = [pull for pull in hive.pulls(repo) if pull.is_open and words in pull.title]
    return found[-1].ref if found else None


def says(hive: Hive, ref: Ref, words: str) -> Comment | None:
    """A comment that holds some words."""
    return next((each for each in hive.mara.comments(ref) if words in each.body), None)


def merge(hive: Hive, repo: Repo, title: str) -> PullRequest:
    """Mara merges the pull request of a title, once the forge lets her."""
    ref = hive.until(lambda: pull_on(hive, repo, title), title)
    hive.merge(ref)
    return hive.mara.pull(ref)


def spawn(hive: Hive, name: str) -> Ref:
    """Mara asks for an agent and merges it; returns the issue."""
    asked = ask_for(hive, name)
    merged = merge(hive, META, f"Add {name} to acme")
    hive.until(lambda: says(hive, merged.ref, f"{name} joins acme"), "the report")
    return asked


def push_roster(hive: Hive, text: str, branch: str) -> None:
    """Mara commits a roster to a branch."""
    hive.mara.commit(META, [FileEdit(FILE, text.encode())], message="The roster", branch=branch, start="main")


def edit_roster(hive: Hive, old: str, new: str, branch: str, title: str) -> Ref:
    """Mara proposes another roster by hand."""
    text = hive.mara.file(META, FILE, "main").decode()
    assert old in text
    push_roster(hive, text.replace(old, new), branch)
    return hive.mara.open_pull(META, head=branch, base="main", title=title, body="").ref


def test_s3_and_s14_an_agent_comes_goes_and_returns(tmp_path: Path, sandbox: str) -> None:
    """Two merges make it, one ends it and keeps its notes, one brings it back with them, two comments delete them."""
    with raised(tmp_path, Answers(), sandbox=sandbox) as hive:
        root = hive.instance.agents / "lexis"
        asked = spawn(hive, "lexis")
        ready = hive.until(lambda: says(hive, asked, "is ready in agent-configs/lexis#1"), "the configuration")
        assert ready.author.login == "core"
        assert not (root / "current").exists(), "no container before its configuration is merged"
        first = merge(hive, LEXIS, "first configuration")
        hive.until(lambda: says(hive, first.ref, "lexis runs"), "the container")
        assert b"Nobody writes the manual." in hive.mara.file(LEXIS, "prompts/role.md", "main")
        hive.until(lambda: hive.mara.file(META, "deployed/lexis", LOG), "the log")

        works = hive.file(Task("The manual is missing", "Where is the docs page?"))
        hive.mara.assign(works, ["lexis"])
        hive.until(lambda: says(hive, works, "It is in the manual."), "the answer")
        (root / "state" / "notes.md").write_text("the manual is short")
        (root / "gens" / "outside").write_text("gone")

        leaving = edit_roster(hive, ", lexis]", "]", "lexis-goes", "lexis goes")
        hive.until(lambda: hive.status(leaving, "hive/roster") == "failure", "the refusal")
        hive.until(lambda: says(hive, leaving, "lanes.docs.agent: should be one of iris"), "a lane is somebody's")
        text = hive.mara.file(META, FILE, "lexis-goes").decode()
        push_roster(hive, text.replace("      docs: {agent: lexis}\n", ""), "lexis-goes")
        hive.until(lambda: says(hive, leaving, "lexis leaves acme: its container is removed"), "the plan")
        hive.merge(leaving)
        tomb = hive.until(
            lambda: next((each for each in hive.subjects(META) if "lexis was destroyed" in each.title), None),
            "the tomb",
        )
        assert "its token for the forge" in tomb.body
        hive.until(lambda: not (root / "gens").exists(), "the end of its container")
        assert (root / "state" / "notes.md").read_text() == "the manual is short"
        hive.until(lambda: says(hive, works, "lexis was taken off the roster"), "the end of its run")

        hive.mara.comment(tomb.ref, "/revive lexis", marker="/revive lexis")
        back = merge(hive, META, "Bring lexis back to acme")
        hive.until(lambda: says(hive, back.ref, "lexis returns to acme"), "the return")
        hive.until((root / "current").exists, "its container")
        hive.until(lambda: not hive.mara.issue(tomb.ref).is_open, "the end of the tomb")
        assert (root / "state" / "notes.md").read_text() == "the manual is short"
        assert not (root / "gens" / "outside").exists()
        again = hive.file(Task("The manual is missing again", "Where is the docs page now?"))
        hive.mara.assign(again, ["lexis"])
        hive.until(lambda: says(hive, again, "It is in the manual."), "work without a login")

        hive.merge(edit_roster(hive, ", lexis]", "]", "lexis-goes-again", "lexis goes again"))
        tomb = hive.until(
            lambda: next(
                (each for each in hive.subjects(META) if "lexis was destroyed" in each.title and each.is_open), None
            ),
            "the second tomb",
        )
        hive.mara.comment(tomb.ref, "/purge lexis confirm\n\nI mean it.", marker="I mean it.")
        hive.until(lambda: says(hive, tomb.ref, "once more"), "the question")
        assert (root / "state" / "notes.md").exists()
        hive.mara.comment(tomb.ref, "/purge lexis confirm\n\nI do.", marker="I do.")
        hive.until(lambda: not root.exists(), "the purge")
        hive.until(lambda: not hive.mara.issue(tomb.ref).is_open, "the end of the second tomb")
        assert not hive.instance.secret_store.has_token(FORGE, "lexis")


@NIGHTLY
def test_a_name_that_cannot_be(tmp_path: Path) -> None:
    """A request with a name that no agent can have is answered with the reason, and nothing is made."""
    with raised(tmp_path, Answers()) as hive:
        for name, why in (
            ("documentation", "1 to 9 small letters"),
            ("..", "1 to 9 small letters"),
            ("core", "the hive's own"),
            ("iris", "an agent of that name already"),
        ):
            asked = ask_for(hive, name)
            hive.until(lambda asked=asked, why=why: says(hive, asked, why), why)  # type: ignore[misc]
        assert hive.pulls(META) == []
