"""S4 and S6: a change of a configuration is planned in one comment, deployed by its merge, and undone when it does not run."""

from __future__ import annotations

from pathlib import Path

from forge.models import Comment, FileEdit, Ref
from forge.protocol import NotFound
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from tests.stories.conftest import CONFIG, Hive, raised


class Silent:
    """Has nothing to say."""

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        return ModelReply("", (ToolCall("finish", {"outcome": "answered", "message": "Nothing."}),))


def propose(hive: Hive, old: str, new: str, branch: str) -> Ref:
    """Mara proposes another `agent.yaml`."""
    text = hive.mara.file(CONFIG, "agent.yaml", "main").decode()
    assert old in text
    push(hive, text.replace(old, new), branch)
    return hive.mara.open_pull(CONFIG, head=branch, base="main", title=branch, body="").ref


def push(hive: Hive, text: str, branch: str) -> None:
    """Mara commits an `agent.yaml` to a branch."""
    edit = FileEdit("agent.yaml", text.encode())
    hive.mara.commit(CONFIG, [edit], message=branch, branch=branch, start="main")


def says(hive: Hive, ref: Ref, words: str) -> Comment | None:
    """A comment that holds some words."""
    return next((each for each in hive.mara.comments(ref) if words in each.body), None)


def tagged(hive: Hive, name: str) -> str:
    """The commit of a tag; empty without one."""
    try:
        return hive.mara.branch(CONFIG, "main").sha and hive.mara._tagged(CONFIG, name)
    except NotFound:
        return ""


def test_s4_and_s6_a_change_is_planned_deployed_and_undone(tmp_path: Path, sandbox: str) -> None:
    """Each head is pinned by a tag and told in one comment; what does not run opens the way back, and nothing is lost."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("zipper", "packer"):
        (programs / name).symlink_to("/usr/bin/gzip")
    path = f"packages_path: [{programs}, /usr/local/bin, /usr/bin, /bin]"
    with raised(tmp_path, Silent(), sandbox=sandbox, more=path) as hive:
        root = hive.instance.agents / "iris"
        pull = propose(hive, "packages: []", "packages: [sudo, git]", "a-package")
        hive.until(lambda: hive.status(pull, "hive/eval") == "failure", "the verdict")
        text = hive.mara.file(CONFIG, "agent.yaml", "a-package").decode()
        push(hive, text.replace("sudo, git", "zipper, git"), "a-package")
        hive.until(lambda: hive.status(pull, "hive/eval") == "success", "the second verdict")
        hive.until(lambda: says(hive, pull, "git: every container has it"), "the plan")
        first = hive.mara.pull(pull).head_sha
        hive.until(lambda: tagged(hive, f"proposal/{pull.number}-1") == first, "the pin")
        text = hive.mara.file(CONFIG, "agent.yaml", "a-package").decode()
        push(hive, text.replace("zipper, git", "zipper") + "health: zipper --version\n", "a-package")
        hive.until(lambda: says(hive, pull, "the proposal before"), "the third plan")
        second = hive.mara.pull(pull).head_sha
        hive.until(lambda: tagged(hive, f"proposal/{pull.number}-2") == second, "the second pin")
        plans = [
            each for each in hive.mara.comments(pull) if "Plan for iris" in each.body or "would not build" in each.body
        ]
        assert len(plans) == 1, "one comment, edited"
        assert second[:7] in plans[0].body
        assert "adds zipper" in plans[0].body
        hive.merge(pull)
        hive.until(lambda: says(hive, pull, "iris runs"), "the deployment")
        good = (root / "current").readlink().name
        hive.until(lambda: tagged(hive, f"approved/{pull.number}") == good, "the approval")
        hive.until(lambda: tagged(hive, f"deployed/{pull.number}") == good, "the tag")

        bad = propose(hive, "packages: [zipper]", "packages: [zipper, packer]", "another")
        hive.until(lambda: hive.status(bad, "hive/eval") == "success", "the verdict")
        (programs / "packer").unlink()
        hive.merge(bad)
        hive.until(lambda: says(hive, bad, "does not run"), "the failure")
        assert says(hive, bad, "this host has no 'packer'")
        assert (root / "current").readlink().name == good, "the old one goes on"
        hive.until(lambda: tagged(hive, f"failed/{bad.number}"), "the tag")
        assert not tagged(hive, f"deployed/{bad.number}")
        offered = hive.until(lambda: says(hive, bad, "undoes this"), "the way back")
        back = Ref(CONFIG, int(offered.body.split("#")[1].split()[0]))
        assert hive.mara.pull(back).author.login == "core"

        hive.mara.comment(bad, "/retry", marker="/retry")
        hive.until(lambda: says(hive, bad, "is deployed once more"), "the answer")
        hive.until(
            lambda: sum("does not run" in each.body for each in hive.mara.comments(bad)) == 2, "the second failure"
        )
        (programs / "packer").symlink_to("/usr/bin/gzip")
        hive.mara.comment(bad, "/retry\n\nNow it is there.", marker="Now it is there.")
        hive.until(lambda: says(hive, bad, "iris runs"), "the deployment after all")
        assert (root / "current").readlink().name != good

        hive.mara.comment(bad, "/rollback it is too much", marker="/rollback")
        hive.until(lambda: says(hive, bad, "a pull request undoes"), "the answer")
        hive.until(lambda: hive.status(back, "hive/eval") == "success", "its verdict")
        assert len([each for each in hive.pulls(CONFIG) if each.is_open]) == 1, "there is one way back"
        hive.merge(back)
        hive.until(lambda: says(hive, back, "iris runs"), "the return")
        assert b"packages: [zipper]" in hive.mara.file(CONFIG, "agent.yaml", "main")
        assert not (root / "current" / "bin" / "packer").exists()
        assert (root / "current" / "bin" / "zipper").exists()

        good = (root / "current").readlink().name
        ill = propose(hive, "health: zipper --version", "health: packer --version", "ill")
        hive.until(lambda: hive.status(ill, "hive/eval") == "success", "its verdict")
        hive.merge(ill)
        hive.until(lambda: says(hive, ill, "does not run"), "the failure")
        assert says(hive, ill, "its health check failed: packer --version")
        assert (root / "current").readlink().name == good, "what ran before is back"
