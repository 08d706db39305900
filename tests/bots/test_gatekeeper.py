"""The gatekeeper says what a configuration would do, and never more."""

from __future__ import annotations

from collections.abc import Callable

from bots.bot import Context
from bots.gatekeeper import bot
from bots.intents import Deploy, PostComment, Propose, SetStatus
from bots.types import Evaluation
from forge.events import PullChanged, PullMerged
from forge.types import Ref, State
from tests.bots.conftest import APP, CONFIG, IRIS, MARA, Still, StillForge, pull

Golden = Callable[[str, str], None]
REF = Ref(CONFIG, 3)
GOOD = Evaluation("a" * 40, "c" * 40, changes=("adds gzip", "model: default → claude-opus-5-5"))
BAD = Evaluation("a" * 40, "c" * 40, problems=("agent.yaml:4:12: packages.0: no `@mara` #7 <b>",))


def changed(forge: StillForge, still: Still, ctx: Context, seen: Evaluation) -> list[object]:
    """What it wants when a pull request changes."""
    forge.pulls[REF] = pull(3, repo=CONFIG)
    still.evaluation = seen
    return list(bot.handle(PullChanged(REF, IRIS, "k"), ctx))


def test_pins_what_it_evaluated_golden(forge: StillForge, still: Still, ctx: Context, golden: Golden) -> None:
    """A head that builds is pinned with its tree, gets a green status, and a plan in words."""
    propose, status, comment = changed(forge, still, ctx, GOOD)
    assert isinstance(propose, Propose)
    assert (propose.head_sha, propose.tree) == ("a" * 40, "c" * 40)
    assert isinstance(status, SetStatus)
    assert (status.status.context, status.status.state) == ("hive/eval", State.SUCCESS)
    assert isinstance(comment, PostComment)
    golden("gatekeeper/plan.md", comment.body)


def test_never_pins_what_would_not_build_golden(forge: StillForge, still: Still, ctx: Context, golden: Golden) -> None:
    """A head with problems is red and not pinned: it cannot be deployed."""
    status, comment = changed(forge, still, ctx, BAD)
    assert isinstance(status, SetStatus)
    assert status.status.state == State.FAILURE
    assert isinstance(comment, PostComment)
    golden("gatekeeper/problems.md", comment.body)


def test_change_of_nothing_golden(forge: StillForge, still: Still, ctx: Context, golden: Golden) -> None:
    """A change that changes nothing that runs says so."""
    comment = changed(forge, still, ctx, Evaluation("a" * 40, "c" * 40))[-1]
    assert isinstance(comment, PostComment)
    golden("gatekeeper/nothing.md", comment.body)


def test_merge_is_only_a_nudge(ctx: Context) -> None:
    """Of a merge it wants that the host looks: not one word of the event is believed."""
    assert bot.handle(PullMerged(REF, MARA, "k"), ctx) == [Deploy(REF, "iris", key=f"deploy:{REF}")]


def test_other_repositories_are_not_its_own(ctx: Context) -> None:
    """It looks at configurations only."""
    assert bot.handle(PullChanged(Ref(APP, 1), IRIS, "k"), ctx) == []
    assert bot.handle(PullMerged(Ref(APP, 1), MARA, "k"), ctx) == []
