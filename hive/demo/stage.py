"""The stage of the story: a configuration, a team, a project on the forge."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from forge.gitea.admin import GiteaAdmin
from forge.types import Repo
from hive.app.house import House, NotReady
from hive.app.up import ADMIN

FORGE = "forgejo"
TEAM = "acme"
OPERATOR = "mara"
AGENT = "iris"

CONFIG = """\
# The hive of `hive demo`; `hive up` runs the same one again.
state: .
web: {{host: 127.0.0.1, port: {web_port}}}
forges:
  {forge}: {{kind: embedded, url: "http://127.0.0.1:{forge_port}"}}
model: {{name: claude-sonnet-5-5, url: "{model_url}"}}
sweep_seconds: 5
teams:
  {team}:
    forge: {forge}
    operators: [{operator}]
    repos: [app]
    agents: [{agent}]
    lanes:
      app: {{agent: {agent}, words: [page, hive, honey, script, file, gzip], paths: ["apiary/*"]}}
    kinds:
      type/bug: [bug, wrong, broken, fails, crash, "0"]
      type/question: [does, why, how]
      type/feature: []
"""


def write_config(state: Path, *, forge_port: int, web_port: int, model_url: str) -> Path:
    """Write the configuration of the demo and return its path."""
    path = state / "hive.yaml"
    path.write_text(
        CONFIG.format(
            forge=FORGE,
            team=TEAM,
            operator=OPERATOR,
            agent=AGENT,
            forge_port=forge_port,
            web_port=web_port,
            model_url=model_url,
        )
    )
    return path


def sample(state: Path) -> Path:
    """The sample project as a git repository."""
    target = state / "sample"
    with resources.as_file(resources.files("hive.demo").joinpath("project")) as source:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    _git(target, "init", "--quiet", "--initial-branch=main")
    _git(target, "add", "--all")
    who = ("-c", "user.name=mara", "-c", "user.email=mara@forge.invalid")
    _git(target, *who, "commit", "--quiet", "--message=Begin the apiary")
    return target


def copy_project(house: House, project: Path) -> None:
    """Push a copy of a project's current branch to the forge as `main`; raises NotReady."""
    if not project.is_dir():
        raise NotReady(f"{project} is no directory; --project takes a git repository")
    password = house.vault.password(FORGE, ADMIN)
    with GiteaAdmin(name=FORGE, url=house.url(FORGE), login=ADMIN, password=password) as admin:
        admin.ensure_org(TEAM)
        admin.ensure_repo(Repo(FORGE, TEAM, "app"), private=False)
    url = f"{house.url(FORGE)}/{TEAM}/app.git"
    login = base64.b64encode(f"{ADMIN}:{password}".encode()).decode()
    env = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
    }
    _git(project, "push", "--quiet", "--no-verify", url, "HEAD:refs/heads/main", env=env)


def _git(where: Path, *words: str, env: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        ["git", "-C", str(where), *words],
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **(env or {})},
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise NotReady(f"git {words[0]} in {where} failed: {said}")
