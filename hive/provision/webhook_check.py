"""Checks that deliveries reach the receiver: creates and deletes a branch, and waits for its delivery."""

from __future__ import annotations

import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence

from forge.doctor_probe import BRANCH
from forge.gitea.permission_probe import PermissionProbe
from forge.models import Branch, Repo
from hive.instance.instance import Instance
from hive.ledger import Act, AuditRow
from hive.provision.check_results import CheckResult, kept, ok, problem, warning
from hive.provision.hooks import Hooks

POLL_SECONDS = 0.1
ALLOW = "Forgejo, Gitea: [webhook] ALLOWED_HOST_LIST = loopback,private (from Gitea 1.27 on in [security]); is {url} where the forge finds the receiver?"


class WebhookCheck:
    """Deliveries of one forge; `retry` is how many seconds to wait, an idle Forgejo takes up to four."""

    def __init__(self, instance: Instance, forge: str, config: str, retry: float) -> None:
        self._instance = instance
        self._forge = forge
        self._config = config
        self._retry = retry
        self._kept: list[str] = []

    def arrives(self, places: Sequence[tuple[Repo, Branch]]) -> Iterator[CheckResult]:
        """One check for each organisation that has a branch."""
        web = self._instance.settings.web
        if not _answers(f"http://{web.host}:{web.port}/livez"):
            what = f"no receiver runs at {web.host}:{web.port}: deliveries were not checked"
            yield warning(what, f"hive up {self._config}, and run the doctor again")
            return
        firsts = {repo.owner: (repo, branch) for repo, branch in reversed(places)}
        arrived = []
        for org, (repo, branch) in firsts.items():
            row = self._try(repo, branch)
            if row is None:
                url = Hooks.url(self._instance, self._forge)
                yield problem(f"nothing arrives from {org}, waited {self._retry:.0f} s", ALLOW.format(url=url))
            elif row.action == Act.REQUEST_REJECTED:
                why = row.detail.get("why", "")
                yield problem(f"deliveries of {org} are rejected: {why}", f"hive rotate {self._config} --hooks")
            else:
                arrived.append(org)
        if arrived:
            yield ok(f"deliveries arrive: {', '.join(arrived)}")
        yield from kept(self._kept)

    def _try(self, repo: Repo, branch: Branch) -> AuditRow | None:
        """The audit row of the branch's delivery; None if none arrived."""
        core = self._instance.settings.account("core")
        token, before = self._instance.secret_store.token(self._forge, core), self._instance.ledger.audit.last()
        name = f"{BRANCH}{secrets.token_hex(4)}"
        url, current = self._instance.url(self._forge), self._instance.names.current
        with PermissionProbe(name=self._forge, url=url, token=token, current=current) as probe:
            try:
                probe.make_branch(repo, name, branch.name)
                return self._wait(before)
            finally:
                if not probe.drop_branch(repo, name):
                    self._kept.append(f"{name} of {repo.path}")

    def _wait(self, before: int) -> AuditRow | None:
        until = time.monotonic() + self._retry
        while time.monotonic() < until:
            for row in self._instance.ledger.audit.after(before):
                arrived = row.actor == f"forge:{self._forge}"
                if arrived or (row.action == Act.REQUEST_REJECTED and row.detail.get("door") == self._forge):
                    return row
            time.sleep(POLL_SECONDS)
        return None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  an address of our own settings
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
