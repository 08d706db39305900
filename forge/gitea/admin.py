"""Sets up a Forgejo or Gitea, as a site admin with a password.

Each call reads first and writes only differences, after asking for consent, and reads back
where a forge is known to accept a setting and ignore it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from forge.gitea import decode_models, hooks, protection
from forge.gitea.account_admin import AccountAdmin
from forge.gitea.client import route
from forge.gitea.json_value import JsonValue
from forge.models import Label, Protection, Ref, Repo
from forge.protocol import Conflict, Invalid, NotFound

_NO_MANUAL_MERGE = {"has_pull_requests": True, "allow_manual_merge": False, "autodetect_manual_merge": False}
"""Forgejo calls a pull request merged whose commits never came, if manual merges are allowed."""

_UNSEEN = "cannot be seen"
_MISSING = "is missing"


class GiteaAdmin(AccountAdmin):
    """Writes of a site admin; used during a set-up only."""

    def ensure_org(self, name: str) -> bool:
        """An organisation."""
        if self._is(route("orgs", name)):
            return False
        if self._consent(_MISSING):
            self._client.post("/orgs", username=name)
        return True

    def ensure_team(
        self, org: str, name: str, *, permission: str, units: dict[str, str], members: Sequence[str]
    ) -> bool:
        """A team on all repositories of the organisation, with rights by unit, and at least these members."""
        at = route("orgs", org, "teams")
        wanted = {"name": name, "permission": permission, "units_map": units, "includes_all_repositories": True}
        held = self._named(at, name)
        right = held is not None and _grants(held, permission, units)
        if not right and not self._consent(_MISSING if held is None else _rights(held)):
            return True
        if held is None:
            held = self._client.post(at, **wanted, can_create_org_repo=False)
        elif not right:
            held = self._client.patch(route("teams", held["id"].number()), **wanted)
        if not _grants(held, permission, units):
            raise Conflict(f"the team {org}/{name} has other rights than asked for")
        return self._join(held["id"].number(), members) or not right

    def ensure_places(self, org: str, places: Mapping[str, Sequence[str]]) -> bool:
        """Each of these logins is in no other team of the organisation than those named."""
        bound = {login.lower(): allowed for login, allowed in places.items()}
        wrong = [
            (team, login)
            for team in self._rows(route("orgs", org, "teams"))
            for login in self._members(team["id"].number())
            if team["name"].text().lower() not in bound.get(login.lower(), [team["name"].text().lower()])
        ]
        for team, login in wrong:
            if self._consent(f"{login} is in the team {team['name'].text()}"):
                self._client.delete(route("teams", team["id"].number(), "members", login))
        return bool(wrong)

    def ensure_repo(self, repo: Repo, *, private: bool, default_branch: str = "main") -> bool:
        """An empty repository, manual merges off; an existing one keeps its content.

        A public one is made private if asked for; a private one is never made public.
        """
        held = self._found(self._at(repo))
        said = {"name": repo.name, "private": private, "default_branch": default_branch}
        loose = "" if held is None else _looseness(held, private)
        if held is None and self._consent(_MISSING):
            self._client.post(route("orgs", repo.owner, "repos"), **said, auto_init=False)
        # Forgejo does not show whether manual merges are allowed: set it every time.
        if self._consent(loose or _UNSEEN):
            self._client.patch(self._at(repo), **_NO_MANUAL_MERGE, **({"private": True} if private else {}))
        return held is None or bool(loose)

    def ensure_collaborator(self, repo: Repo, login: str, permission: str) -> bool:
        """A collaborator with `read`, `write` or `admin`."""
        at = self._at(repo, "collaborators", login)
        held = self._client.get(f"{at}/permission")["permission"].words() if self._is(at) else ""
        if held == permission:
            return False
        if self._consent(f"is {held}" if held else _MISSING):
            self._client.put(at, permission=permission)
        return True

    def ensure_strangers(self, repo: Repo, logins: Sequence[str]) -> bool:
        """None of these is a collaborator."""
        held = [row["login"].text() for row in self._rows(self._at(repo, "collaborators"))]
        wrong = [login for login in held if login.lower() in {each.lower() for each in logins}]
        for login in wrong:
            if self._consent(f"{login} is a collaborator"):
                self._client.delete(self._at(repo, "collaborators", login))
        return bool(wrong)

    def ensure_label(self, repo: Repo, label: Label) -> bool:
        """A label of a repository."""
        at = self._at(repo, "labels")
        said = {"name": label.name, "color": f"#{label.color}", "description": label.description}
        row = self._named(at, label.name)
        held = None if row is None else decode_models.held_label(row)
        if held is not None and held.label == label:
            return False
        if not self._consent(_MISSING if held is None else "looks otherwise"):
            return True
        if held is None:
            self._client.post(at, **said, exclusive=label.exclusive)
        else:
            self._client.patch(f"{at}/{held.id}", **said, exclusive=label.exclusive)
        return True

    def ensure_hook(self, org: str, url: str, secret: str, events: Sequence[str]) -> bool:
        """Exactly one active hook of the organisation to `url`, and none of this hive to another address.

        A hook that is as it should be stays: its secret can be neither read nor changed. Of several
        the newest stays, as it has the newest secret.
        """
        at, kind = route("orgs", org, "hooks"), self.capabilities().kind
        ours = self._hooks(at, url)
        good = [hook.id for hook in ours if hooks.same(hook.url, url) and not hooks.faults(hook, kind, events)]
        if good and len(ours) == 1:
            return False
        if self._consent(_why(ours, url, kind, events)):
            kept = max(good) if good else self._make_hook(at, kind, url, secret, events)
            self._drop_hooks(at, ours, but=kept)
        return True

    def renew_hook(self, org: str, url: str, secret: str, events: Sequence[str]) -> None:
        """A new hook in the place of those to `url`; the old ones go when the new one is there.

        A secret in a PATCH is ignored by all forges.
        """
        at = route("orgs", org, "hooks")
        old = self._hooks(at, url)
        self._drop_hooks(at, old, but=self._make_hook(at, self.capabilities().kind, url, secret, events))

    def ensure_no_hook(self, repo: Repo, url: str) -> bool:
        """No hook of the repository itself to `url`: it would deliver everything once more."""
        at = self._at(repo, "hooks")
        ours = self._hooks(at, url)
        if ours and self._consent("delivers what the organisation's hook delivers"):
            self._drop_hooks(at, ours)
        return bool(ours)

    def ensure_protection(self, repo: Repo, rule: Protection) -> bool:
        """A branch protection rule with exactly these settings, and no other rule that counts in its place."""
        rules, at = self._rules(repo), self._at(repo, "branch_protections")
        held = next((row for row in rules if row["rule_name"].text() == rule.branch), None)
        key = self.capabilities().admins_key
        wanted = protection.settings(rule, key, held)
        differs = [] if held is None else protection.differing(held, wanted)
        why = [_MISSING] if held is None else [f"differs in {', '.join(differs)}"] if differs else []
        counts = self._rule_of(repo, rule.branch)
        beaten = counts not in {"", rule.branch}
        why += [f"the rule {counts} counts in its place"] if beaten else []
        if not why or not self._consent("; ".join(why)):
            return bool(why)
        if held is None:
            held = self._client.post(at, rule_name=rule.branch, **wanted)
        # Gitea takes a rank of 0 in a POST for none: a rule is put first when it is there.
        wanted = {**protection.settings(rule, key, held), **(protection.first(rules, rule.branch) if beaten else {})}
        if protection.differing(held, wanted):
            held = self._client.patch(self._at(repo, "branch_protections", rule.branch), **wanted)
        dropped = protection.differing(held, wanted)
        if dropped:
            raise Conflict(f"{repo}: the rule for {rule.branch} is not as asked in {', '.join(dropped)}")
        if beaten and self._rule_of(repo, rule.branch) == counts:
            raise Conflict(f"{repo}: the rule {counts} counts for {rule.branch} all the same: take it away")
        return True

    def delete_issue(self, ref: Ref) -> None:
        """Take an issue or a pull request away, as if it had never been."""
        self._client.delete(self._issue_at(ref))

    def _hooks(self, at: str, url: str) -> list[hooks.Hook]:
        return [hook for hook in map(hooks.hook, self._rows(at)) if hooks.ours(hook.url, url)]

    def _make_hook(self, at: str, kind: str, url: str, secret: str, events: Sequence[str]) -> int:
        config = {"url": url, "content_type": "json", "secret": secret}
        made = hooks.hook(self._client.post(at, type=kind, active=True, events=list(events), config=config))
        if made.listens_to_bots != hooks.asked(events):
            self._client.delete(f"{at}/{made.id}")
            raise Invalid(f"the forge cannot hear {', '.join(sorted(hooks.asked(events) - made.listens_to_bots))}")
        return made.id

    def _drop_hooks(self, at: str, old: Sequence[hooks.Hook], *, but: int = 0) -> None:
        for hook in old:
            if hook.id != but:
                self._client.delete(f"{at}/{hook.id}")

    def _join(self, team: int, members: Sequence[str]) -> bool:
        held = {login.lower() for login in self._members(team)}
        missing = [login for login in members if login.lower() not in held]
        for login in missing:
            if self._consent(f"{login} is not in it"):
                self._client.put(route("teams", team, "members", login))
        return bool(missing)

    def _members(self, team: int) -> list[str]:
        return [row["login"].text() for row in self._client.counted(route("teams", team, "members"))]

    def _named(self, at: str, name: str) -> JsonValue | None:
        return next((row for row in self._rows(at) if row["name"].text().lower() == name.lower()), None)

    def _rows(self, at: str) -> Iterator[JsonValue]:
        """The rows of a list; none of something that is not there, as before it is made."""
        try:
            yield from self._client.counted(at)
        except NotFound:
            return

    def _found(self, at: str) -> JsonValue | None:
        try:
            return self._client.get(at)
        except NotFound:
            return None

    def _is(self, at: str) -> bool:
        return self._found(at) is not None


def _why(ours: Sequence[hooks.Hook], url: str, kind: str, events: Sequence[str]) -> str:
    """What is wrong with the hooks of an organisation, in a few words."""
    if not ours:
        return _MISSING
    strays = [hook.url for hook in ours if not hooks.same(hook.url, url)]
    if strays:
        return f"delivers to {', '.join(strays)}"
    return hooks.faults(ours[-1], kind, events) or "delivers everything twice"


def _looseness(repo: JsonValue, private: bool) -> str:
    """What a repository allows that it should not, as far as the forge shows it."""
    said = {
        "can be seen by everybody": private and not repo["private"].flag(),
        "allows manual merges": repo["allow_manual_merge"].flag() or repo["autodetect_manual_merge"].flag(),
        "takes no pull requests": repo["has_pull_requests"].present and not repo["has_pull_requests"].flag(),
    }
    return ", ".join(text for text, is_so in said.items() if is_so)


def _grants(team: JsonValue, permission: str, units: Mapping[str, str]) -> bool:
    # An admin team has all units; Gitea 1.26 calls the permission of every other one "none".
    if not team["includes_all_repositories"].flag():
        return False
    if permission == "admin":
        return team["permission"].words() == "admin"
    return _units(team) == dict(units)


def _units(team: JsonValue) -> dict[str, str]:
    held = {unit: right.words() for unit, right in team["units_map"].items()}
    return {unit: right for unit, right in held.items() if right != "none"}


def _rights(team: JsonValue) -> str:
    """What a team may do, in a few words."""
    if not team["includes_all_repositories"].flag():
        return "does not see every repository"
    if team["permission"].words() == "admin":
        return "may do everything"
    held = ", ".join(f"{right} {unit.removeprefix('repo.')}" for unit, right in sorted(_units(team).items()))
    return f"may {held or 'nothing'}"
