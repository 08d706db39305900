"""The reviewers bot: who owns what a pull request changes is asked for a review, by lane and by CODEOWNERS. Performs no I/O.

Nobody is asked twice: a forge asks code owners itself, and a person may have taken a request back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bots.bot import AGENTS, Bot, Context
from bots.codeowners import OwnersDialect, owners_of
from bots.intents import Intent
from bots.models import Lane, Team
from bots.review_intents import RequestReviewers
from forge.events import PullChanged
from forge.models import FileChange, PullRequest, Ref, User
from forge.protocol import NotFound, Refused

MOST = 5
"""Requests that may be open on a pull request for anybody to be asked besides."""

OF_THE_FORGE = ("CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS")
"""Where Forgejo and Gitea look, in this order; the first one that is there ends the search, whatever is in it."""

OF_FORGEJO = ".forgejo/CODEOWNERS"
OF_GITHUB = ".github/CODEOWNERS"

bot = Bot("reviewers", may={RequestReviewers}, listens_to_bots={"core", AGENTS})


@bot.on(PullChanged)
def ask_owners(event: PullChanged, ctx: Context) -> Iterator[Intent]:
    """Ask those who own what an open pull request changes, once it is no draft, and who have not been asked yet."""
    if event.ref.repo not in ctx.team.repos:
        return
    pull = ctx.forge.pull(event.ref)
    if not pull.is_open or pull.draft:
        return
    paths = changed_paths(ctx.forge.files(event.ref))
    wanted = [user for user in owners(pull, paths, ctx) if user.id != pull.author.id]
    if not wanted:
        return
    known = asked_before(pull.ref, ctx) | {user.id for user in pull.reviewers}
    asked = tuple(dict.fromkeys(user.login for user in wanted if user.id not in known))
    if asked and len(pull.reviewers) < MOST:
        logins = asked[: MOST - len(pull.reviewers)]
        yield RequestReviewers(event.ref, logins, key=f"owners:{event.key}")


def owners(pull: PullRequest, paths: Sequence[str], ctx: Context) -> Iterator[User]:
    """Who owns what is changed. On a pull request of a stranger, whom no agent works for, people are asked only."""
    is_trusted = ctx.team.is_trusted(pull.author)
    for lane in touched(paths, ctx.team):
        if is_trusted and lane.agent in ctx.team.agents:
            yield ctx.team.agents[lane.agent]
        elif not is_trusted:
            yield from people(lane.operators or ctx.team.operator_logins, ctx)
    for user in people(code_owners(pull, paths, ctx), ctx):
        if is_trusted or not ctx.team.is_machine(user):
            yield user


def touched(paths: Iterable[str], team: Team) -> list[Lane]:
    """The lanes whose paths are changed, in the order of the configuration."""
    names = tuple(paths)
    return [lane for lane in team.lanes if lane.owned(names)]


def changed_paths(files: Iterable[FileChange]) -> tuple[str, ...]:
    """The paths that are changed; of a file that was moved both."""
    return tuple(dict.fromkeys(path for file in files for path in (file.path, file.previous_path) if path))


def code_owners(pull: PullRequest, paths: Sequence[str], ctx: Context) -> tuple[str, ...]:
    """The owners by the CODEOWNERS of the base branch, as far as the forge does not ask them itself.

    Forgejo and Gitea ask those of the default branch's file, whatever the base is, and know nothing of GitHub's place. Their
    own file goes before GitHub's.
    """
    repo, base = pull.ref.repo, pull.base_branch
    is_default = ctx.forge.repository(repo).default_branch == base
    github = file(pull, OF_GITHUB, ctx)
    if is_default and github is None:
        return ()
    places = (*OF_THE_FORGE, OF_FORGEJO) if ctx.forge.capabilities().kind == "forgejo" else OF_THE_FORGE
    own = next((text for place in places if (text := file(pull, place, ctx)) is not None), None)
    if own is not None:
        return () if is_default else owners_of(own, OwnersDialect.REGEX, paths)
    return () if github is None else owners_of(github, OwnersDialect.GLOB, paths)


def file(pull: PullRequest, path: str, ctx: Context) -> str | None:
    """A file of the base branch; None if it is not there. What the pull request says of it does not count."""
    try:
        return ctx.forge.file(pull.ref.repo, path, pull.base_branch).decode(errors="replace")
    except (NotFound, Refused):
        return None


def people(logins: Iterable[str], ctx: Context) -> Iterator[User]:
    """The accounts of these names; one that is not there is asked nothing."""
    for login in tuple(logins)[: 2 * MOST]:
        try:
            yield ctx.forge.user(login)
        except (NotFound, Refused):
            continue


def asked_before(ref: Ref, ctx: Context) -> set[int]:
    """The ids of all who were asked for a review, or have given one."""
    rows = (row.user.id for row in ctx.forge.timeline(ref) if row.kind == "review_request" and row.user is not None)
    return {*rows, *(review.author.id for review in ctx.forge.reviews(ref))}
