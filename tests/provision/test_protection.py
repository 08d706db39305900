"""The rule that counts: not the one that bears the branch's name, and nobody gets past it unseen."""

from __future__ import annotations

import pytest

from bots.models import Level
from forge.gitea.protection import settings, unescaped
from forge.models import Protection
from forge.protocol import Refused
from hive.provision.permission_checks import PermissionChecks
from hive.reconcile.evidence import open_to_us
from tests.nightly import by_night
from tests.provision.conftest import APP, IRIS, Build, ProvisionEnv

PUSH_TO_ALL = {"enable_push": True, "enable_merge_whitelist": False}


def loosen(provision_env: ProvisionEnv, repo: str, name: str, **more: object) -> None:
    """Make a rule that lets everybody push, older than the hive's own, as people do."""
    at = f"/repos/{repo}/branch_protections"
    provision_env.raw.post(at, rule_name=name, **PUSH_TO_ALL)
    provision_env.raw.patch(f"{at}/{name.replace('*', '%2A')}", priority=0, **more)


def project(provision_env: ProvisionEnv) -> None:
    """A project that was there before the hive."""
    provision_env.raw.post("/orgs", username="acme")
    provision_env.raw.post("/orgs/acme/repos", name="app", auto_init=True, default_branch="main")


def pushes(provision_env: ProvisionEnv) -> list[str]:
    """What agents may push to, found out by trying."""
    with provision_env.by("core") as core:
        places = [(repo, core.branch(repo, "main")) for repo in (APP, IRIS)]
    return [
        sign.what
        for sign in PermissionChecks(provision_env.instance, "work", "again").pushes(places)
        if sign.level is Level.RED
    ]


@pytest.mark.parametrize(("flavour", "name"), [("gitea-1.27", "**"), *by_night(("gitea-1.26", "m*"))])
def test_a_pattern_that_comes_first(build: Build, flavour: str, name: str) -> None:
    """On Gitea an older pattern counts for `main` before `main` does: it is seen by all who look, and put behind."""
    provision_env = build(flavour)
    project(provision_env)
    provision_env.init()
    for repo in (APP, IRIS):
        loosen(provision_env, repo.path, name)
    assert "iris may push to main of acme/app" in pushes(provision_env), "as on Gitea 1.27.1"
    with provision_env.by("core") as core:
        seen = core.branch(IRIS, "main")
        assert seen.protected
        assert "the hive's own account may push" in open_to_us(seen), "the reconciler's proof sees the same"
        with pytest.raises(Refused):
            core.protection(IRIS, "main")
    blind = "\n".join(provision_env.ills(admin=False))
    assert "main of agent-configs/iris lets every writer push: another rule takes precedence" in blind
    said = "\n".join(provision_env.ills())
    assert f"protection of main in agent-configs/iris: the rule {name} counts in its place" in said
    repaired = [line for line in provision_env.init() if "protection" in line]
    assert repaired == [
        f"fixed protection of main in {repo.path}: the rule {name} counts in its place" for repo in (APP, IRIS)
    ]
    assert pushes(provision_env) == []
    assert provision_env.init() == []
    assert [line for line in provision_env.ills() if "hive-doctor-" not in line] == []


def test_a_pattern_that_keeps_all_branches(build: Build) -> None:
    """Where a rule covers every branch, what the doctor tries with cannot be taken away again: that is said."""
    provision_env = build("gitea-1.26")
    project(provision_env)
    provision_env.init()
    provision_env.raw.post("/repos/acme/app/branch_protections", rule_name="*")
    (said,) = provision_env.ills()
    assert said.startswith("🟡 hive-doctor-")
    assert said.endswith(
        "of acme/app was created as a probe, and a rule keeps it from being deleted → let no rule cover hive-doctor-*"
    )


def test_a_pattern_that_was_there_before(build: Build) -> None:
    """A project with rules of its own: the hive's comes first from the beginning, and the others stay."""
    provision_env = build("gitea-1.26")
    project(provision_env)
    loosen(provision_env, "acme/app", "*")
    assert "created protection of main in acme/app" in provision_env.init()
    assert pushes(provision_env) == []
    rules = {row["rule_name"].text() for row in provision_env.raw.get("/repos/acme/app/branch_protections").each()}
    assert rules == {"*", "main"}
    assert provision_env.plan() == []


def test_names_come_first_on_forgejo(provision_env: ProvisionEnv) -> None:
    """Forgejo takes the rule of the branch's name before each pattern: nothing is wrong, and nothing changes."""
    provision_env.raw.post("/repos/agent-configs/iris/branch_protections", rule_name="m*", **PUSH_TO_ALL)
    assert provision_env.plan() == []
    assert provision_env.ills() == []


LOOSE = {
    "enable_bypass_allowlist": True,
    "bypass_allowlist_usernames": ["triage"],
    "enable_force_push": True,
    "enable_force_push_allowlist": True,
    "force_push_allowlist_usernames": ["iris"],
    "force_push_allowlist_deploy_keys": True,
    "push_whitelist_deploy_keys": True,
}


def test_what_lets_somebody_past(build: Build) -> None:
    """Whatever the forge shows that loosens a rule is a fault: found, set off, and said."""
    provision_env = build("gitea-1.27")
    provision_env.init()
    rule = "/repos/agent-configs/iris/branch_protections/main"
    provision_env.raw.patch(rule, **LOOSE)
    switches = [name for name, value in LOOSE.items() if value is True]
    said = "\n".join(provision_env.ills())
    for name in switches:
        assert f"{name} is on in the protection of main of agent-configs/iris: it allows bypassing it" in said
    (line,) = provision_env.init()
    assert line == f"fixed protection of main in agent-configs/iris: differs in {', '.join(sorted(switches))}"
    assert not any(provision_env.raw.get(rule)[name].flag() for name in switches)
    assert provision_env.ills() == []


def test_a_required_check_is_meant_to_the_letter() -> None:
    """A rule holds patterns: what is written is escaped, and read back as it was meant; a pattern of somebody else's stays one."""
    names = ("ci (linux) [fast]", "a*b", "{x}", "what?", "back\\slash", "hive/review")
    rule = Protection("main", mergers=("mara",), required_statuses=names)
    written = settings(rule, "apply_to_admins")["status_check_contexts"]
    assert written == ["ci (linux) \\[fast\\]", "a\\*b", "\\{x\\}", "what\\?", "back\\\\slash", "hive/review"]
    assert tuple(map(unescaped, written)) == names
    assert unescaped("ci/*") == "ci/*"
