"""The base of all containers: one merge rebuilds each of them in its order, what fails fails alone, and only a merge does it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from forge.gitea.admin import GiteaAdmin
from forge.gitea.writer import GiteaForge
from forge.models import Comment, FileEdit, Issue, Ref, Repo
from forge.protocol import NotFound
from hive.app.set_up import ADMIN
from hive.config.base_yaml import FILE
from hive.demo.model import ModelConversation, ModelReply, ToolCall
from hive.demo.scripted_replies import Task
from hive.demo.setup import FORGE
from hive.ledger import Baseline, Generation
from tests.stories.conftest import META, Hive, raised

OPS = Repo(FORGE, "hive", "ops")
ATLAS, LEXIS = (Repo(FORGE, "agent-configs", name) for name in ("atlas", "lexis"))


class Told:
    """Ends each turn, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def reply(self, conversation: ModelConversation) -> ModelReply:
        """The next reply."""
        self.told.append(str(conversation.messages))
        return ModelReply(
            "", (ToolCall("finish", {"outcome": "answered", "message": f"Read {len(self.told)} times."}),)
        )


def propose(hive: Hive, repo: Repo, path: str, text: str, branch: str) -> Ref:
    """Mara proposes a file."""
    hive.mara.commit(repo, [FileEdit(path, text.encode())], message=branch, branch=branch, start="main")
    return hive.mara.open_pull(repo, head=branch, base="main", title=branch, body="").ref


def change(hive: Hive, repo: Repo, more: str, branch: str) -> Ref:
    """Mara proposes more lines of an agent.yaml."""
    return propose(hive, repo, "agent.yaml", hive.mara.file(repo, "agent.yaml", "main").decode() + more, branch)


def says(hive: Hive, ref: Ref, words: str) -> Comment | None:
    """A comment that holds some words."""
    return next((each for each in hive.mara.comments(ref) if words in each.body), None)


def tagged(hive: Hive, name: str) -> str:
    """The commit of a tag of the hive's repository; empty without one."""
    try:
        return hive.mara._tagged(META, name)
    except NotFound:
        return ""


def baseline(hive: Hive, agent: str) -> Baseline:
    """How an agent stands."""
    found = hive.instance.ledger.deployments.baseline(agent)
    assert found is not None
    return found


def pointed(hive: Hive, agent: str) -> Path:
    """What the container of an agent starts from."""
    return (hive.instance.agents / agent / "current").resolve()


def status_of(hive: Hive, agent: str) -> Issue | None:
    """The status issue of an agent."""
    return next((each for each in hive.subjects(OPS) if each.title == f"🐝 {agent}"), None)


def test_a_base_is_rolled_out_and_fails_alone(tmp_path: Path, sandbox: str) -> None:
    """Planned in one comment, rolled out in order through a kill, one of three goes on as it was until it is mended; a push does nothing."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "zipper").symlink_to("/usr/bin/gzip")
    path = f"packages_path: [{programs}, /usr/local/bin, /usr/bin, /bin]"
    model = Told()
    with raised(tmp_path, model, sandbox=sandbox, more=path, others=", atlas, lexis") as hive:
        issue = hive.file(Task("A question", "What is in the base?"))
        hive.mara.assign(issue, ["iris"])
        hive.until(lambda: says(hive, issue, "Read 1 times."), "the first answer")
        cycle = change(hive, LEXIS, "depends_on: [lexis, atlass]\n", "a-cycle")
        hive.until(lambda: hive.status(cycle, "hive/eval") == "failure", "the refusal")
        hive.until(lambda: says(hive, cycle, "the team has no agent 'atlass'"), "the sentence")
        for repo, more in ((ATLAS, "depends_on: [lexis]\n"), (LEXIS, 'health: "! command -v zipper"\n')):
            hive.merge(change(hive, repo, more, "wants"))
        hive.until(lambda: baseline(hive, "atlas").running_sha == hive.mara.branch(ATLAS, "main").sha, "atlas")
        hive.until(lambda: baseline(hive, "lexis").running_sha == hive.mara.branch(LEXIS, "main").sha, "lexis")
        before = pointed(hive, "lexis")

        stale = propose(hive, META, FILE, "lock: {git: stale}\n", "stale")
        hive.until(lambda: hive.status(stale, "hive/roster") == "failure", "the refusal")
        hive.until(lambda: says(hive, stale, "`hive base update`") or says(hive, stale, "git: stale →"), "the sentence")
        pull = propose(hive, META, FILE, "# For all.\npackages: [zipper]\nenv: {PLANET: earth}\n", "the-base")
        hive.until(lambda: hive.status(pull, "hive/roster") == "success", "the verdict")
        hive.until(lambda: says(hive, pull, "every container gets zipper"), "the plan")
        hive.merge(pull)
        hive.until(lambda: baseline(hive, "iris").running_base, "the first one")
        with suppress(ProcessLookupError):
            os.kill(hive.tree.pid("host"), signal.SIGKILL)
        shown = hive.until(lambda: says(hive, pull, "could not be rebuilt on the base"), "the end")
        cascade = hive.instance.ledger.cascades.newest(FORGE)
        assert cascade is not None
        steps = hive.instance.ledger.cascades.steps(cascade.id)
        assert [step.agent for step in steps] == ["iris", "lexis", "atlas"], (
            "the lead, and what atlas depends on before it"
        )
        assert [step.has_failed for step in steps] == [False, True, False]
        rows = [line for line in shown.body.splitlines() if line.startswith("| ") and "agent" not in line]
        assert [("🟢 rebuilt" in row, "🔴" in row) for row in rows] == [(True, False), (False, True), (True, False)]
        assert "its health check failed" in shown.body
        assert sum("base of" in each.body for each in hive.mara.comments(pull)) == 1, "one comment, edited"
        for agent in ("iris", "atlas"):
            now = baseline(hive, agent)
            assert pointed(hive, agent).name == Generation(now.running_sha, cascade.base) == now.generation
            assert (pointed(hive, agent) / "bin" / "zipper").exists()
        assert pointed(hive, "lexis") == before, "it goes on as it was"
        hive.until(lambda: hive.instance.ledger.deployments.is_healthy("lexis"), "its old container")
        hive.until(lambda: tagged(hive, f"failed/{pull.number}") == cascade.sha, "the tag")
        assert not tagged(hive, f"deployed/{pull.number}")
        hive.until(lambda: "last failure" in (status_of(hive, "lexis") or shown).body, "its status")

        hive.mara.comment(issue, "And now?", marker="And now?")
        hive.until(lambda: says(hive, issue, "Read 2 times."), "the second answer")
        assert "Your container was rebuilt" in model.told[-1]
        assert not any("Your container was rebuilt" in told for told in model.told[:-1])

        text = hive.mara.file(LEXIS, "agent.yaml", "main").decode().replace('health: "! command -v zipper"\n', "")
        mended = propose(hive, LEXIS, "agent.yaml", text, "mended")
        hive.until(lambda: hive.status(mended, "hive/eval") == "success", "the verdict")
        hive.merge(mended)
        hive.until(
            lambda: baseline(hive, "lexis").running_base == cascade.base, "its next change brings the base along"
        )
        assert (pointed(hive, "lexis") / "bin" / "zipper").exists()
        asked = hive.file(Task("Another question", "What do you have?"))
        hive.mara.assign(asked, ["lexis"])
        hive.until(lambda: says(hive, asked, "Read "), "an answer of one whose commit was built on this base alone")

        forged = push(hive, "packages: [zipper]\nenv: {PLANET: mars}\n")
        refused = hive.until(
            lambda: next(
                (each for each in hive.subjects(META) if "is not approved" in each.title or forged[:7] in each.title),
                None,
            ),
            "the issue",
        )
        assert "not what an operator merged" in refused.body
        assert hive.instance.ledger.cascades.newest(FORGE) == hive.instance.ledger.cascades.get(cascade.id)
        assert hive.instance.ledger.bases.accepted(FORGE) == cascade.base


def push(hive: Hive, text: str) -> str:
    """A push of the hive's own account past the protection, as a site admin can bring about; returns the head."""
    password = hive.instance.secret_store.password(FORGE, ADMIN)
    at = f"/repos/{META.path}/branch_protections"
    with GiteaAdmin(name=FORGE, url=hive.instance.url(FORGE), login=ADMIN, password=password) as admin:
        rule = admin._client.get(f"{at}/main").value
        assert isinstance(rule, dict)
        admin._client.delete(f"{at}/main")
        with GiteaForge(
            name=FORGE, url=hive.instance.url(FORGE), token=hive.instance.secret_store.token(FORGE, "core")
        ) as core:
            core.put_file(META, FILE, text.encode(), message="past the rule", branch="main")
        admin._client.post(at, **{key: value for key, value in rule.items() if not key.endswith("_at")})
    return hive.mara.branch(META, "main").sha
