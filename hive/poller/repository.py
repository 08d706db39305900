"""What changed in one repository: its name, its refs and its releases. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from forge.models import Repo, User
from forge.poll_changes import SOMEBODY, Activity, Change, ChangeKind, Release, RepositoryEntry
from forge.protocol import PollReader
from hive.poller.snapshots import KnownRepo
from hive.poller.sources import Ask, SourceUnavailable

MOVES = frozenset(
    {
        "commit_repo",
        "push_tag",
        "delete_branch",
        "delete_tag",
        "publish_release",
        "create_repo",
        "merge_pull_request",
        "auto_merge_pull_request",
        "mirror_sync_push",
        "mirror_sync_create",
        "mirror_sync_delete",
    }
)
"""Rows of a feed after which refs may be others."""

TAGS = "refs/tags/"


@dataclass(frozen=True, slots=True)
class RepositorySnapshot:
    """A repository in a list, with its rows of the feed, newest first, and the time of this pass."""

    forge: str
    listed: RepositoryEntry
    feed: Sequence[Activity]
    at: datetime

    @property
    def repo(self) -> Repo:
        """Its name."""
        return self.listed.repository.repo

    @property
    def id(self) -> int:
        """What outlives a rename."""
        return self.listed.repository.id

    def change(self, key: str, kind: ChangeKind, *, place: str = "", what: str = "", actor: User = SOMEBODY) -> Change:
        """A change of this repository that a comparison found: its key holds when."""
        key = f"{key}:{self.at.timestamp():.0f}"
        return Change(key, kind, self.id, place, actor, self.at, what)

    def by(self, *kinds: str, ref: str = "") -> User:
        """Who left the newest such row in the feed."""
        found = (row.actor for row in self.feed if row.kind in kinds and ref in {"", row.ref})
        return next(found, SOMEBODY)


def blank(place: RepositorySnapshot) -> KnownRepo:
    """A repository of which nothing is known."""
    seen = place.listed
    return KnownRepo(place.repo.path, seen.repository.archived, seen.updated_at, again=True)


def standing(place: RepositorySnapshot, known: KnownRepo) -> Iterator[Change]:
    """Changes that the list itself shows."""
    key, seen = f"repo:{place.forge}:{place.id}", place.listed.repository
    if known.path != place.repo.path:
        actor = place.by("rename_repo", "transfer_repo")
        yield place.change(f"{key}:name:{place.repo.path}", ChangeKind.REPO_RENAMED, what=place.repo.path, actor=actor)
    if known.archived != seen.archived:
        kind = ChangeKind.REPO_ARCHIVED if seen.archived else ChangeKind.REPO_UNARCHIVED
        yield place.change(f"{key}:{kind.value}", kind)


def created(place: RepositorySnapshot) -> Change:
    """A repository that was not there before."""
    actor = place.by("create_repo")
    key, seen = f"repo:{place.forge}:{place.id}", place.listed
    return Change(key, ChangeKind.REPO_CREATED, place.id, "", actor, seen.created_at, place.repo.path)


def moved(place: RepositorySnapshot, known: KnownRepo) -> bool:
    """Whether its refs have to be asked for."""
    return known.again or known.updated != place.listed.updated_at or any(row.kind in MOVES for row in place.feed)


def look(watcher: PollReader, place: RepositorySnapshot, known: KnownRepo, ask: Ask) -> tuple[list[Change], KnownRepo]:
    """Ask for refs and releases, and compare; two requests, one for an empty repository."""
    seen = place.listed
    try:
        refs = {} if seen.repository.empty else ask("refs", place.repo, lambda: watcher.refs(place.repo))
    except SourceUnavailable:
        refs = known.refs
    now = replace(
        known,
        path=place.repo.path,
        archived=seen.repository.archived,
        updated=seen.updated_at,
        # `updated_at` has whole seconds: a second push within one of them shows nothing new.
        again=known.updated != seen.updated_at,
        refs=refs,
    )
    found = list(_refs(place, known.refs, refs))
    with suppress(SourceUnavailable):
        listed = ask("releases", place.repo, lambda: watcher.releases(place.repo))
        changes, now = _releases(listed, place, known, now)
        found += changes
    return found, now


def _refs(place: RepositorySnapshot, old: dict[str, str], new: dict[str, str]) -> Iterator[Change]:
    for ref in sorted(old.keys() | new.keys()):
        before, after = old.get(ref, ""), new.get(ref, "")
        if before == after:
            continue
        kind = ChangeKind.REF_MOVED if before and after else ChangeKind.REF_CREATED if after else ChangeKind.REF_DELETED
        gone = ("delete_branch", "delete_tag")
        kinds = gone if kind is ChangeKind.REF_DELETED else tuple(MOVES - set(gone))
        actor = place.by(*kinds, ref=ref)
        key = f"ref:{place.forge}:{place.id}:{ref}:{before[:12]}..{after[:12]}"
        yield place.change(key, kind, place=ref, what=after, actor=actor)


def _releases(
    listed: list[Release], place: RepositorySnapshot, known: KnownRepo, now: KnownRepo
) -> tuple[list[Change], KnownRepo]:
    found, seen = [], {release.id: release for release in listed}
    for number, release in seen.items():
        key, tag = f"release:{place.forge}:{number}", TAGS + release.tag
        before = known.releases.get(number)
        if before is None:
            found.append(Change(key, ChangeKind.RELEASED, place.id, tag, release.author, place.at, str(number)))
        elif before != release.digest:
            found.append(
                place.change(f"{key}:{release.digest}", ChangeKind.RELEASE_EDITED, place=tag, what=str(number))
            )
    for gone in known.releases.keys() - seen.keys():
        key = f"release:{place.forge}:{gone}:deleted"
        found.append(place.change(key, ChangeKind.RELEASE_DELETED, what=str(gone)))
    return found, replace(now, releases={number: release.digest for number, release in seen.items()})
