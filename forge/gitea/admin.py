"""Making a Forgejo or Gitea ready, as a site admin with a password: tokens are made in no other way.

Each call looks first and writes only what differs, and reads back where a forge is known to accept
a wish and drop it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from forge.gitea import hooks, protection, shapes
from forge.gitea.client import SECONDS, Client, route
from forge.gitea.connection import Connection
from forge.gitea.field import Field
from forge.protocol import Conflict, Invalid, NotFound
from forge.types import Label, Protection, Repo, User

_NO_MANUAL_MERGE = {"has_pull_requests": True, "allow_manual_merge": False, "autodetect_manual_merge": False}
"""Forgejo calls a pull request merged whose commits never came, if manual merges are allowed."""


class GiteaAdmin(Connection):
    """The hands of a site admin; used while a forge is made ready, and not held afterwards."""

    def __init__(self, *, name: str, url: str, login: str, password: str, seconds: float = SECONDS) -> None:
        """`name` is the house's name for the forge."""
        super().__init__(name, Client(url, login=login, password=password, seconds=seconds))

    def ensure_user(self, login: str, *, password: str, email: str) -> User:
        """An account that needs no change of its password; one that is there already is left as it is."""
        try:
            return shapes.user(self._client.get(route("users", login)))
        except NotFound:
            said = {"username": login, "password": password, "email": email, "visibility": "public"}
            return shapes.user(self._client.post("/admin/users", **said, must_change_password=False))

    def make_token(self, login: str, name: str, scopes: Sequence[str]) -> str:
        """A new token of that name, replacing an older one; raises Conflict for one that may do more than asked."""
        at = route("users", login, "tokens")
        for row in list(self._client.rows(at)):
            if row["name"].text() == name:
                self._client.delete(f"{at}/{row['id'].number()}")
        made = self._client.post(at, name=name, scopes=list(scopes))
        if not {scope.text() for scope in made["scopes"].each()} <= set(scopes):
            self._client.delete(f"{at}/{made['id'].number()}")
            raise Conflict(f"the forge made a token for {login} that may do more than asked")
        return made["sha1"].text()

    def ensure_org(self, name: str) -> bool:
        """An organisation."""
        if self._is(route("orgs", name)):
            return False
        self._client.post("/orgs", username=name)
        return True

    def ensure_team(
        self, org: str, name: str, *, permission: str, units: dict[str, str], members: Sequence[str]
    ) -> bool:
        """A team on all repositories of the organisation, with rights by unit, and at least these members."""
        wanted = {"name": name, "permission": permission, "units_map": units, "includes_all_repositories": True}
        team = self._named(route("orgs", org, "teams"), name)
        made = team is None
        if team is None:
            team = self._client.post(route("orgs", org, "teams"), **wanted, can_create_org_repo=False)
        changed = not _grants(team, permission, units)
        if changed and not made:
            team = self._client.patch(route("teams", team["id"].number()), **wanted)
        if changed and not _grants(team, permission, units):
            raise Conflict(f"the team {org}/{name} has other rights than asked for")
        return self._join(team["id"].number(), members) or made or changed

    def ensure_repo(self, repo: Repo, *, private: bool, default_branch: str = "main") -> bool:
        """An empty repository, manual merges off; one that is there keeps what it holds.

        A public one is made private if that is asked for; a private one is never opened to the world.
        """
        missing = not self._is(self._at(repo))
        if missing:
            said = {"name": repo.name, "private": private, "default_branch": default_branch}
            self._client.post(route("orgs", repo.owner, "repos"), **said, auto_init=False)
        # Forgejo does not show whether manual merges are allowed: say so every time.
        self._client.patch(self._at(repo), **_NO_MANUAL_MERGE, **({"private": True} if private else {}))
        return missing

    def ensure_collaborator(self, repo: Repo, login: str, permission: str) -> bool:
        """A collaborator with `read`, `write` or `admin`."""
        at = self._at(repo, "collaborators", login)
        if self._is(at) and self._client.get(f"{at}/permission")["permission"].words() == permission:
            return False
        self._client.put(at, permission=permission)
        return True

    def ensure_label(self, repo: Repo, label: Label) -> bool:
        """A label of a repository."""
        at = self._at(repo, "labels")
        said = {"name": label.name, "color": f"#{label.color}", "description": label.description}
        row = self._named(at, label.name)
        if row is None:
            self._client.post(at, **said, exclusive=label.exclusive)
            return True
        held = shapes.held_label(row)
        if held.label == label:
            return False
        self._client.patch(f"{at}/{held.id}", **said, exclusive=label.exclusive)
        return True

    def ensure_hook(self, org: str, url: str, secret: str, events: Sequence[str]) -> bool:
        """Exactly one active hook of the organisation to `url`.

        A hook that is as it should be stays: its secret can be neither read nor changed. Of several
        the newest stays, as it has the newest secret.
        """
        at, kind, hears = route("orgs", org, "hooks"), self.capabilities().kind, hooks.asked(events)
        ours = [hook for hook in map(hooks.hook, self._client.rows(at)) if hooks.same(hook.url, url)]
        good = [hook.id for hook in ours if (hook.kind, hook.hears) == (kind, hears) and hook.active and hook.plain]
        kept = max(good) if good else self._make_hook(at, kind, url, secret, events)
        for hook in ours:
            if hook.id != kept:
                self._client.delete(f"{at}/{hook.id}")
        return not good or len(ours) > 1

    def ensure_protection(self, repo: Repo, rule: Protection) -> bool:
        """A branch protection rule with exactly these settings."""
        wanted = protection.settings(rule, self.capabilities().admins_key)
        at = self._at(repo, "branch_protections")
        try:
            held = self._client.get(self._at(repo, "branch_protections", rule.branch))
        except NotFound:
            made = self._client.post(at, rule_name=rule.branch, **wanted)
        else:
            if not protection.differing(held, wanted):
                return False
            made = self._client.patch(self._at(repo, "branch_protections", rule.branch), **wanted)
        dropped = protection.differing(made, wanted)
        if dropped:
            raise Conflict(f"{repo}: the rule for {rule.branch} is not as asked in {', '.join(dropped)}")
        return True

    def _make_hook(self, at: str, kind: str, url: str, secret: str, events: Sequence[str]) -> int:
        config = {"url": url, "content_type": "json", "secret": secret}
        made = hooks.hook(self._client.post(at, type=kind, active=True, events=list(events), config=config))
        if made.hears != hooks.asked(events):
            self._client.delete(f"{at}/{made.id}")
            raise Invalid(f"the forge cannot hear {', '.join(sorted(hooks.asked(events) - made.hears))}")
        return made.id

    def _join(self, team: int, members: Sequence[str]) -> bool:
        held = {row["login"].text().lower() for row in self._client.rows(route("teams", team, "members"))}
        missing = [login for login in members if login.lower() not in held]
        for login in missing:
            self._client.put(route("teams", team, "members", login))
        return bool(missing)

    def _named(self, at: str, name: str) -> Field | None:
        rows = self._client.rows(at)
        return next((row for row in rows if row["name"].text().lower() == name.lower()), None)

    def _is(self, at: str) -> bool:
        try:
            self._client.get(at)
        except NotFound:
            return False
        return True


def _grants(team: Field, permission: str, units: Mapping[str, str]) -> bool:
    # An admin team has all units; Gitea 1.26 calls the permission of every other one "none".
    if not team["includes_all_repositories"].flag():
        return False
    if permission == "admin":
        return team["permission"].words() == "admin"
    held = {unit: right.words() for unit, right in team["units_map"].items()}
    return {unit: right for unit, right in held.items() if right != "none"} == dict(units)
