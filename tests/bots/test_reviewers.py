"""Who owns what a pull request changes is asked for a review: once, few, never the author."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bots.bot import Context
from bots.models import Lane
from bots.review_intents import RequestReviewers
from bots.reviewers import MOST, bot
from forge.events import PullChanged
from forge.models import FileChange, Review, ReviewState, TimelineEvent, User
from forge.protocol import Capabilities
from tests.bots.conftest import ARGUS, CORE, EVE, IRIS, MARA, NOON, StillForge, pull

NOAH = User(9, "noah")
UMA = User(10, "uma")


@pytest.fixture
def acme(ctx: Context, forge: StillForge) -> Context:
    """Two agents with a lane each; the second lane has an operator of its own."""
    lanes = (
        Lane("app", "iris", "area/app", paths=("apiary/*",)),
        Lane("nix", "noah", "area/nix", paths=("*.nix",), operators=("uma",)),
    )
    forge.users = {user.login: user for user in (MARA, IRIS, NOAH, UMA, EVE, ARGUS)}
    return replace(ctx, team=replace(ctx.team, lanes=lanes, agents={"iris": IRIS, "noah": NOAH}))


def changed(ctx: Context, *paths: str, **facts: object) -> tuple[str, ...]:
    """Who is asked when a pull request changes these paths."""
    assert isinstance(ctx.forge, StillForge)
    made = pull(**facts)  # type: ignore[arg-type]
    ctx.forge.pulls[made.ref] = made
    ctx.forge.changed[made.ref] = [FileChange(path, "changed", 1, 0) for path in paths]
    wanted = bot.handle(PullChanged(made.ref, made.author, "k"), ctx)
    assert all(isinstance(want, RequestReviewers) and want.key == "owners:k" for want in wanted)
    return next((want.logins for want in wanted if isinstance(want, RequestReviewers)), ())


def test_owners_of_lanes(acme: Context) -> None:
    """The agent of each lane that is touched, but not the author; of a file that was moved both places count."""
    assert changed(acme, "apiary/a.py") == ()
    assert changed(acme, "apiary/a.py", "flake.nix") == ("noah",)
    assert changed(acme, "flake.nix", author=MARA) == ("noah",)
    assert changed(acme, "README.md", author=MARA) == ()
    assert isinstance(acme.forge, StillForge)
    made = pull()
    acme.forge.changed[made.ref] = [FileChange("x", "renamed", 0, 0, previous_path="flake.nix")]
    (wanted,) = bot.handle(PullChanged(made.ref, IRIS, "k"), acme)
    assert isinstance(wanted, RequestReviewers)
    assert wanted.logins == ("noah",)


def test_strangers_are_reviewed_by_people(acme: Context, forge: StillForge) -> None:
    """No agent works on what a stranger sends, whoever names it as an owner; the lane's operators are asked."""
    forge.contents[".github/CODEOWNERS", "main"] = b"* @noah @argus @uma\n"
    assert changed(acme, "apiary/a.py", author=EVE) == ("mara", "uma")
    assert changed(acme, "flake.nix", author=EVE) == ("uma",)


@pytest.mark.parametrize("facts", [{"is_open": False}, {"draft": True}])
def test_drafts_and_closed_ones_wait(acme: Context, facts: dict[str, object]) -> None:
    """As forges do it with code owners."""
    assert changed(acme, "flake.nix", **facts) == ()


def test_other_repositories(acme: Context) -> None:
    """Only those of the team."""
    assert changed(replace(acme, team=replace(acme.team, repos=frozenset())), "flake.nix") == ()


def test_nobody_is_asked_twice(acme: Context, forge: StillForge) -> None:
    """Neither who was asked, even if that was taken back, nor who has reviewed, nor who is asked now."""
    ref = pull().ref
    forge.rows[ref] = [
        TimelineEvent(1, "review_request", CORE, NOON, user=NOAH),
        TimelineEvent(2, "review_request", MARA, NOON, user=NOAH, removed=True),
    ]
    assert changed(acme, "flake.nix") == ()
    forge.rows[ref] = []
    forge.reviewed[ref] = [Review(1, ref, NOAH, ReviewState.COMMENT, "", "a", False, False, False, NOON, "")]
    assert changed(acme, "flake.nix") == ()
    forge.reviewed[ref] = []
    assert changed(acme, "flake.nix", reviewers=(NOAH,)) == ()
    assert changed(acme, "flake.nix") == ("noah",)


def test_few_are_asked(acme: Context, forge: StillForge) -> None:
    """Those who are asked already count, and a name without an account asks nobody."""
    for number in range(20):
        forge.users[f"p{number}"] = User(100 + number, f"p{number}")
    forge.contents[".github/CODEOWNERS", "main"] = b"* @nobody " + b" ".join(b"@p%d" % n for n in range(20))
    assert len(changed(acme, "README.md", author=MARA)) == MOST
    three = tuple(User(200 + number, f"q{number}") for number in range(3))
    assert len(changed(acme, "README.md", author=MARA, reviewers=three)) == MOST - 3
    assert changed(acme, "README.md", author=MARA, reviewers=(*three, *three)) == ()


@pytest.mark.parametrize(
    ("files", "base", "asked"),
    [
        ({".github/CODEOWNERS": "*.md @uma"}, "main", ("uma",)),
        ({".github/CODEOWNERS": "*.md @uma"}, "rel", ("uma",)),
        ({"CODEOWNERS": ".*[.]md @uma"}, "main", ()),
        ({"CODEOWNERS": ".*[.]md @uma"}, "rel", ("uma",)),
        ({"docs/CODEOWNERS": ".*[.]md @uma", ".github/CODEOWNERS": "* @mara"}, "rel", ("uma",)),
        ({"CODEOWNERS": "# nothing", "docs/CODEOWNERS": ".* @uma"}, "rel", ()),
        ({".gitea/CODEOWNERS": ".* @uma", ".github/CODEOWNERS": "* @mara"}, "main", ()),
        ({".forgejo/CODEOWNERS": ".* @uma"}, "rel", ()),
        ({}, "main", ()),
    ],
)
def test_code_owners_of_the_base(
    acme: Context, forge: StillForge, files: dict[str, str], base: str, asked: tuple[str, ...]
) -> None:
    """What the forge does itself it is left to do: its own file of the default branch. The base's file counts otherwise."""
    forge.contents = {(path, base): text.encode() for path, text in files.items()}
    assert changed(acme, "README.md", author=EVE if "uma" not in asked else MARA, base_branch=base) == asked


def test_forgejo_has_a_place_of_its_own(acme: Context, forge: StillForge) -> None:
    """Gitea does not know it."""

    class Forgejo(StillForge):
        def capabilities(self) -> Capabilities:
            return Capabilities("forgejo", "17")

    there = Forgejo(users=forge.users, contents={(".forgejo/CODEOWNERS", "rel"): b".* @uma"})
    assert changed(replace(acme, forge=there), "README.md", author=MARA, base_branch="rel") == ("uma",)
