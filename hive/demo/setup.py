"""The stage of the story: a configuration, a team, a project on the forge."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from forge.gitea.admin import GiteaAdmin
from hive.agent.git_env import settings
from hive.app.set_up import ADMIN
from hive.config import EMBEDDED, ForgeSettings
from hive.demo.forge_access import ForgeAccess
from hive.demo.names import PLAIN, DemoNames
from hive.demo.own_project import copied
from hive.instance.instance import Instance, StartupError
from hive.reconcile.backends import look_for

FORGE = PLAIN.app.forge
TEAM = PLAIN.team
OPERATOR = PLAIN.operator
AGENT = PLAIN.agent

CONFIG = """\
# The hive of `hive demo`; `hive up` runs the same one again.
state: .
web: {{host: 127.0.0.1, port: {web_port}}}
forges:
  {forge}: {{kind: {kind}, url: "{url}"}}
model: {{name: claude-sonnet-5-5, url: "{model_url}"}}
accounts: {{{accounts}}}
configs: {cast.configs}
meta: {cast.meta}/meta
sandbox: {sandbox}
sweep_seconds: 5
teams:
  {cast.team}:
    forge: {forge}
    operators: [{cast.operator}]
    repos: [app]
    agents: [{cast.agent}]
    lanes:
      app: {{agent: {cast.agent}, {field}}}
    kinds:
      type/bug: [{bugs}]
      type/question: [does, why, how]
      type/feature: []
"""


BEES = 'words: [page, hive, honey, script, file, gzip], paths: ["apiary/*"]'
BUGS = "bug, wrong, broken, fails, crash"
ANYTHING = 'paths: ["*"]'


def write_config(state: Path, *, forge_port: int, web_port: int, model_url: str, sandbox: str = "") -> Path:
    """Write the configuration of the demo on an embedded forge and return its path."""
    here = ForgeSettings(f"http://127.0.0.1:{forge_port}", EMBEDDED)
    return write_config_for(state, here, PLAIN, web_port=web_port, model_url=model_url, sandbox=sandbox)


def write_config_for(
    state: Path,
    forge: ForgeSettings,
    cast: DemoNames,
    *,
    web_port: int,
    model_url: str,
    field: str = BEES,
    sandbox: str = "",
) -> Path:
    """Write the configuration of a demo with these names on a forge and return its path; `field` is its agent's lane.

    A `sandbox` that is not named is looked for. If none works here, agents of a demo on an embedded forge run unconfined:
    there is nothing to steal.
    """
    if not sandbox:
        sandbox = "none" if forge.kind == EMBEDDED and look_for("bubblewrap")[0] is None else "bubblewrap"
    path = state / "hive.yaml"
    path.write_text(
        CONFIG.format(
            forge=FORGE,
            kind=forge.kind,
            url=forge.url,
            cast=cast,
            accounts=", ".join(f"{bot}: {login}" for bot, login in cast.accounts.items()),
            sandbox=sandbox,
            web_port=web_port,
            model_url=model_url,
            field=field,
            bugs=BUGS + (', "0"' if field == BEES else ""),
        )
    )
    return path


def sample(state: Path) -> Path:
    """The sample project as a git repository."""
    target = state / "sample"
    with resources.as_file(resources.files("hive.demo").joinpath("project")) as source:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (target, *target.rglob("*")):  # they come with the modes of the package
        path.chmod(path.stat().st_mode & 0o700)
    _git(target, "init", "--quiet", "--initial-branch=main")
    _git(target, "add", "--all")
    who = ("-c", "user.name=mara", "-c", "user.email=mara@forge.invalid")
    _git(target, *who, "commit", "--quiet", "--message=Begin the apiary")
    return target


def copy_project(instance: Instance, project: Path) -> None:
    """Push a copy of a project's current branch to an embedded forge as `main`; raises StartupError."""
    push_project(ForgeAccess(instance.url(FORGE), ADMIN, instance.secret_store.password(FORGE, ADMIN)), PLAIN, project)


def push_project(door: ForgeAccess, cast: DemoNames, project: Path) -> None:
    """Push a copy of a project's current branch to a forge as `main`, as its admin; raises StartupError."""
    with GiteaAdmin(name=FORGE, url=door.url, login=door.login, password=door.password) as admin:
        admin.ensure_org(cast.team)
        admin.ensure_repo(cast.app, private=False)
    login = base64.b64encode(f"{door.login}:{door.password}".encode()).decode()
    env = settings([("http.extraHeader", f"Authorization: Basic {login}")])
    url = f"{door.url}/{cast.app.path}.git"
    with copied(project) as (commit, more):
        words = ("push", "--quiet", "--no-verify", "--no-follow-tags", "--no-recurse-submodules", "--no-signed")
        _git(project, *words, url, f"{commit}:refs/heads/main", env={**env, **more})


def _git(where: Path, *words: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        ["git", "-C", str(where), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **(env or {})},
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise StartupError(f"git {words[0]} in {where} failed: {said}")
