"""The first morning: one command makes a forge ready, and says what it did."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from forge.gitea.client import route
from forge.models import Repo
from forge.protocol import ForgeError, NotFound, Refused
from hive.config import read_agent
from hive.instance.instance import Instance
from hive.provision import Provisioner
from tests.provision.conftest import ADMIN, APP, BO, EVERY, IRIS, PASSWORD, SITE, Build, ProvisionEnv


@EVERY
def test_a_fresh_forge(build: Build, flavour: str) -> None:
    """A fresh forge is made ready, the doctor finds nothing wrong, and a second run changes nothing."""
    provision_env = build(flavour)
    made = provision_env.init()
    assert {"created organisation acme", "created account core", "created token of iris"} <= set(made)
    assert provision_env.init() == []
    assert provision_env.plan() == []
    assert provision_env.ills() == []
    assert provision_env.ills(admin=False) == []


def test_the_plan(fresh: ProvisionEnv) -> None:
    """A plan names each step that is taken afterwards, in the same order, and changes nothing on the forge."""
    before = fresh.snapshot()
    planned = fresh.plan()
    assert fresh.snapshot() == before
    assert not (fresh.config.parent / "state" / "secrets").exists()
    assert [line.removeprefix("would ") for line in planned] == [
        line.replace("created ", "create ", 1).replace("fixed ", "fix ", 1) for line in fresh.init()
    ]


def test_a_plan_of_little(provision_env: ProvisionEnv) -> None:
    """A plan for a forge that is ready all but for one thing is that one thing, and it stays as it is."""
    provision_env.raw.patch(f"/orgs/acme/hooks/{provision_env.hooks('acme')[0]}", active=True)
    before = provision_env.snapshot()
    (step,) = provision_env.plan()
    assert step.startswith("would fix hook of acme to http://127.0.0.1:")
    assert "does not hear create, delete, issue_assign" in step
    assert provision_env.snapshot() == before


def test_what_is_made(provision_env: ProvisionEnv) -> None:
    """Organisations with one hook where it is needed, the hive's own repositories, forms, and a roster."""
    assert [len(provision_env.hooks(org)) for org in ("acme", "birch", "agent-configs", "hive")] == [1, 1, 1, 1]
    with provision_env.by("core") as core:
        repos = {each.repo.name: each.private for each in core.repositories("hive")}
        assert repos == {"meta": True, "ops": True, "knowledge": True}
        ops, meta = (core.repository(Repo("work", "hive", name)).repo for name in ("ops", "meta"))
        for form in ("spawn", "config-request", "ask-the-lead"):
            assert b"body:" in core.file(ops, f".gitea/ISSUE_TEMPLATE/{form}.yaml", "main")
        assert b"  birch:\n    agents: [bo]\n" in core.file(meta, "roster.yaml", "main")


def test_tokens_are_secrets(provision_env: ProvisionEnv, tmp_path: Path) -> None:
    """Tokens are in files that nobody else can read, and in no configuration of git."""
    files = list((tmp_path / "state" / "secrets" / "work").iterdir())
    assert {path.name for path in files} >= {f"{login}.token" for login in ("core", "triage", "argus", "iris", "bo")}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    tokens = [path.read_bytes() for path in files]
    for place, _, names in os.walk(tmp_path):
        for name in names:
            path = Path(place, name)
            if path.parent != files[0].parent and not name.startswith("forge.db"):
                assert not any(token in path.read_bytes() for token in tokens), path


def test_tokens_are_narrow(provision_env: ProvisionEnv) -> None:
    """Where a forge binds tokens to repositories, an agent's is good for its own work and nothing else."""
    (token,) = provision_env.raw.get("/users/iris/tokens").each()
    assert {scope.text() for scope in token["scopes"].each()} == {"write:repository", "write:issue"}
    bound = {repo["full_name"].text() for repo in token["repositories"].each()}
    assert bound == {"acme/app", "agent-configs/iris", "hive/knowledge"}


@pytest.mark.parametrize("flavour", ["forgejo-10", "gitea-1.26"])
def test_tokens_of_older_forges(build: Build, flavour: str) -> None:
    """Where a forge would ignore that wish, it is not made."""
    provision_env = build(flavour)
    provision_env.init()
    (token,) = provision_env.raw.get("/users/iris/tokens").each()
    assert {scope.text() for scope in token["scopes"].each()} == {"write:repository", "write:issue", "read:user"}


def test_agents_cannot_merge(provision_env: ProvisionEnv) -> None:
    """An agent's token merges nothing, by either method, on its own configuration or on its work."""
    with provision_env.by("core") as core:
        core._client.post("/repos/agent-configs/iris/branches", new_branch_name="side", old_ref_name="main")
        core.put_file(IRIS, "notes", b"x", message="x", branch="side")
        pull = core.open_pull(IRIS, head="side", base="main", title="Notes", body="").ref
        before = core.branch(IRIS, "main").sha
    with provision_env.by("iris") as iris:
        at = route("repos", *pull.repo.path.split("/"), "pulls", pull.number, "merge")
        for ask in (iris._client.post, iris._client.put):
            with pytest.raises(ForgeError) as caught:
                ask(at, Do="merge")
            assert caught.value.status in {403, 405}
    with provision_env.by("core") as core:
        assert core.branch(IRIS, "main").sha == before


def test_teams_do_not_meet(provision_env: ProvisionEnv) -> None:
    """An agent of one team cannot read another team's configuration, nor write to its work."""
    with provision_env.by("bo") as bo, provision_env.by("core") as core:
        with pytest.raises(NotFound):
            bo.file(IRIS, "agent.yaml", "main")
        core.put_file(SITE, "a", b"a", message="a", branch="other")
        with pytest.raises(Refused):
            bo.put_file(APP, "x", b"x", message="x", branch="side")
        with pytest.raises(Refused):
            bo.label(core.open_issue(APP, "one", "two", marker="two").ref, add=["type/bug"])


def test_triage_labels_without_push(provision_env: ProvisionEnv) -> None:
    """Triage sets labels, and pushes nothing."""
    with provision_env.by("triage") as triage, provision_env.by("core") as core:
        issue = core.open_issue(APP, "one", "two", marker="two").ref
        triage.label(issue, add=["type/bug"])
        with pytest.raises(Refused):
            triage.put_file(APP, "x", b"x", message="x", branch="side")


def test_engine_of_a_new_agent(provision_env: ProvisionEnv) -> None:
    """A new agent asks a model if there is one, else it gets an engine that needs none, and that is said; so is another choice."""
    instance = provision_env.instance
    with provision_env.by("core") as core:
        assert b"\nengine: native " in core.file(IRIS, "agent.yaml", "main")
    poor = Instance(replace(instance.settings, model=replace(instance.settings.model, url="")))
    for settings, engine, says in (
        (
            poor,
            "",
            "agent.yaml in agent-configs/bo, with engine: mechanic (bo has no key for claude-sonnet-5-5; give it one: hive login bo)",
        ),
        (instance, "claude-code", "agent.yaml in agent-configs/bo, with engine: claude-code"),
    ):
        provision_env.raw.delete("/repos/agent-configs/bo/branch_protections/main")
        entry = provision_env.raw.get("/repos/agent-configs/bo/contents/agent.yaml")["sha"].text()
        path = route("repos", "agent-configs", "bo", "contents", "agent.yaml")
        provision_env.raw._json("DELETE", path, json={"sha": entry, "message": "x", "branch": "main"})
        said: list[str] = []
        Provisioner.run(settings, "work", ADMIN, PASSWORD, said.append, engine=engine)
        assert f"created {says}" in said
    with provision_env.by("core") as core:
        text = core.file(Repo("work", "agent-configs", "bo"), "agent.yaml", "main").decode()
    assert (read_agent("bo", text).engine, read_agent("bo", text).packages) == ("claude-code", ("claude",))


def test_killed_while_seeding(provision_env: ProvisionEnv) -> None:
    """A configuration that was begun and not ended is ended by the next run."""
    provision_env.raw.delete("/repos/agent-configs/bo/branch_protections/main")
    entry = provision_env.raw.get("/repos/agent-configs/bo/contents/prompts/role.md")["sha"].text()
    path = route("repos", "agent-configs", "bo", "contents", "prompts", "role.md")
    provision_env.raw._json("DELETE", path, json={"sha": entry, "message": "x", "branch": "main"})
    assert provision_env.init() == [
        "created prompts/role.md in agent-configs/bo",
        "created protection of main in agent-configs/bo",
    ]


def test_what_people_changed(provision_env: ProvisionEnv) -> None:
    """A form or a configuration that people changed stays as they want it."""
    with provision_env.by("core") as core:
        ops = Repo("work", "hive", "ops")
        core.put_file(ops, ".gitea/ISSUE_TEMPLATE/spawn.yaml", b"name: ours\n", message="ours", branch="main")
    assert provision_env.init() == []


def complaint(provision_env: ProvisionEnv, *words: str, password: str = PASSWORD) -> str:
    """What a command complains of: one sentence, and no traceback."""
    done = provision_env.hive(*words, password=password)
    assert done.returncode == 1, done.stdout
    (line,) = done.stderr.strip().splitlines()
    assert password not in line
    return line


def test_a_wrong_password(fresh: ProvisionEnv) -> None:
    """Who is not let in is told so."""
    said = complaint(fresh, "init", "--admin", ADMIN, password="wrong-password")
    assert f"refuses the password of {ADMIN}" in said


def test_no_admin(fresh: ProvisionEnv) -> None:
    """Who is no admin is told so, before anything is made."""
    before = fresh.snapshot()
    assert "mara is no site admin" in complaint(fresh, "init", "--admin", "mara", password="mara-password")
    assert fresh.snapshot()["users"] == before["users"]
    assert "--admin" in complaint(fresh, "init")


def test_no_forge(fresh: ProvisionEnv) -> None:
    """A forge that is not there is said to be so."""
    fresh.forge.stop()
    said = complaint(fresh, "init", "--admin", ADMIN)
    assert f"the forge does not go along: GET /user: {fresh.forge.url} does not answer: Connection refused" in said


def test_no_operator(fresh: ProvisionEnv) -> None:
    """Nothing is made for an operator who has no account."""
    fresh.raw.delete("/admin/users/noor")
    assert "operator noor has no account" in complaint(fresh, "init", "--admin", ADMIN, "--create-missing")
    with pytest.raises(NotFound):
        fresh.raw.get("/users/core")


def test_an_operator_who_is_a_bot(fresh: ProvisionEnv) -> None:
    """Whoever approves is no account of the hive."""
    fresh.config.write_text(fresh.config.read_text() + "accounts: {core: mara}\n")
    done = fresh.hive("init", "--admin", ADMIN)
    assert done.returncode == 1
    assert "'mara' is an account of the hive's own bots; an operator is a person" in done.stderr
    fresh.config.write_text(fresh.config.read_text().replace("core: mara", f"core: {ADMIN}"))
    assert "the hive needs accounts of its own" in complaint(fresh, "init", "--admin", ADMIN, "--create-missing")


def test_on_the_command_line(fresh: ProvisionEnv) -> None:
    """Each step is a line, and the last one counts them."""
    planned = fresh.hive("init", "--admin", ADMIN, "--plan", "--create-missing")
    made = fresh.hive("init", "--admin", ADMIN, "--create-missing")
    again = fresh.hive("init", "--admin", ADMIN, "--create-missing")
    assert (planned.returncode, made.returncode, again.returncode) == (0, 0, 0), made.stderr
    count = len(made.stdout.splitlines()) - 1
    assert planned.stdout.splitlines()[-1] == f"work: {count} changes would be made"
    assert made.stdout.splitlines()[-1] == f"work: {count} changes"
    assert again.stdout == "work: 0 changes\n"
    assert BO.path in made.stdout


def test_a_secret_that_was_lost(provision_env: ProvisionEnv, tmp_path: Path) -> None:
    """A hook whose secret nobody knows any more is made anew."""
    before = provision_env.hooks("acme")
    (tmp_path / "state" / "secrets" / "work" / "hook.secret").unlink()
    assert provision_env.init() == ["created hooks of acme, birch, agent-configs, hive with a new secret"]
    assert len(provision_env.hooks("acme")) == 1
    assert provision_env.hooks("acme") != before
