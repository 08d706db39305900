"""What the review bot does with a model: what it asks, what it says of the answer, and what it remembers of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bots.bot import Context
from bots.intents import Intent, SetVerdict
from bots.model_review import MODEL, ModelReview, with_model
from bots.models import Category, Finding, Level, Scan, Verdict
from bots.money import CENT
from bots.review import bot
from bots.review_intents import PostReview, ShowReview
from bots.review_policy import ReviewPolicy
from bots.review_rounds import ReadByModel
from forge.events import ReviewAsked
from forge.models import Repo, State, User
from hive.replay.recording import played, recorded, unpack
from tests.bots.conftest import IRIS, Still, pull
from tests.review.conftest import DIFF, SHA, Eyes, ReadingModel, ShownForge, only
from tests.review.test_review import CLEAN, RAN, SWALLOWED, page

Golden = Callable[[str, str], None]
Handle = Callable[..., list[Intent]]
Review = Callable[..., tuple[PostReview, SetVerdict, ShowReview]]

BASE = "b" * 40
EVE = User(99, "eve")
SAID = Finding(
    *("store.py", 12, Level.RED, Category.BUG, "model-bug", "The record is written before it is checked"),
    "A record without `id` is kept, and `load` fails at it.",
    engine=MODEL, evidence="Its confidence is high.", suggestion="        return json.dumps(checked(record))",
)  # fmt: skip
READ = ModelReview(
    "claude-sonnet-5-5", (SAID,), ("store.py", "a.py"), checked=1, cost=6 * CENT, total=21 * CENT, tokens=12_000,
    withheld=(("about code that is not there", 2), ("of low confidence", 1)),
)  # fmt: skip
PARTLY = replace(
    READ, findings=(), checked=0, withheld=(), unread=(("large`.py", "is larger than all that may be shown"),)
)
FAILED = ModelReview(
    "home/qwen3", read=("store.py",), failed="529 overloaded_error: [busy](http://x) @mara", tokens=900
)
SEEN = Scan(SHA, ran=RAN, base_sha=BASE)


def test_it_says_what_the_model_did(review: Review, reading: ReadingModel, golden: Golden) -> None:
    """What it read, what of it was not used, what it cost: in the one comment, and its cost in the review."""
    reading.says = READ
    golden("review/model-blocked.md", page(*review(replace(SEEN, findings=(CLEAN, SWALLOWED)))))


def test_it_says_what_the_model_did_not_read(
    review: Review, handle: Handle, reading: ReadingModel, eyes: Eyes, golden: Golden
) -> None:
    """What had no room is named, and a change that was not read as a whole is not approved; read at last, it is."""
    reading.says, eyes.wanted = PARTLY, ReviewPolicy(approve=True)
    posted, status, shown = review(replace(SEEN, findings=(CLEAN,)))
    assert (posted.approves, status.status.state) == (False, State.SUCCESS)
    golden("review/model-partly.md", page(posted, status, shown))
    reading.says = replace(PARTLY, unread=())
    assert only(handle(replace(SEEN, findings=(CLEAN,)), again=True), PostReview).approves
    assert not [each for each in handle(replace(SEEN, findings=(CLEAN,)), again=True) if isinstance(each, PostReview)]


def test_it_says_why_there_is_no_answer(review: Review, reading: ReadingModel, golden: Golden) -> None:
    """A model that fails is an engine that failed: the reason is told, and the head is not reviewed, whatever analysers say."""
    reading.says = FAILED
    posted, status, shown = review(replace(SEEN, findings=(CLEAN,)))
    assert (posted.verdict, status.status.state) == (Verdict.NOT_REVIEWED, State.ERROR)
    golden("review/model-failed.md", page(posted, status, shown))


def test_what_is_asked(review: Review, reading: ReadingModel) -> None:
    """The texts of the pull request with who wrote them, and what was said already; at first all of the change."""
    reading.says = READ
    review(replace(SEEN, findings=(CLEAN, SWALLOWED)), title="Keep it", body="Text")
    [task] = reading.asked
    assert (task.title, task.description, task.author, task.standing) == ("Keep it", "Text", "iris", "of the hive")
    assert (task.base_sha, task.since, task.unread, task.again) == (BASE, "", (), "")
    assert task.findings == (SWALLOWED,)


def test_later_it_is_asked_about_what_is_new(handle: Handle, reading: ReadingModel, still: Still) -> None:
    """It reads on from the head that it has read, with what it could not read then; after a failure from where it was before."""
    reading.says = PARTLY
    shown = only(handle(SEEN), ShowReview)
    assert shown.round.read == ReadByModel(SHA, ("large`.py",))
    reading.says = FAILED
    second = only(handle(replace(SEEN, head_sha="2" * 40), head_sha="2" * 40), ShowReview)
    assert second.round.read == shown.round.read
    reading.says = READ
    handle(replace(SEEN, head_sha="3" * 40), head_sha="3" * 40)
    assert [(task.since, task.unread) for task in reading.asked] == [
        ("", ()),
        (SHA, ("large`.py",)),
        (SHA, ("large`.py",)),
    ]
    handle(replace(SEEN, head_sha="3" * 40), head_sha="3" * 40, again=True, full=True)
    assert (reading.asked[-1].since, reading.asked[-1].again) == ("", "k")
    handle(replace(SEEN, head_sha="4" * 40), head_sha="4" * 40, base_branch="dev")
    assert reading.asked[-1].since == "", "another base is another change"


def test_what_it_forgets_stays(handle: Handle, reading: ReadingModel, eyes: Eyes) -> None:
    """A red finding of a model ends with its line; neither silence nor a full review ends it."""
    text = "\n".join(["x"] * 9 + DIFF.split("\n")[5:11])
    eyes.texts = {SHA: {"store.py": text}, "2" * 40: {"store.py": f"new\n{text}"}, "3" * 40: {"store.py": "other"}}
    reading.says = READ
    handle(SEEN)
    reading.says = replace(READ, findings=())
    second = only(handle(replace(SEEN, head_sha="2" * 40), head_sha="2" * 40, again=True, full=True), ShowReview)
    [kept] = second.round.findings
    assert (kept.is_open, kept.finding.line) == (True, 13)
    third = only(handle(replace(SEEN, head_sha="3" * 40), head_sha="3" * 40), ShowReview)
    assert not third.round.findings[0].is_open


@pytest.mark.parametrize(
    "facts",
    [
        {"author": EVE, "head_repo": Repo("forgejo", "eve", "app")},
        {"author": EVE, "head_repo": None},
    ],
)
def test_no_model_for_a_stranger(handle: Handle, reading: ReadingModel, facts: dict[str, object]) -> None:
    """Nobody from outside has a model asked, whether the fork is there or not, in a full review neither."""
    reading.says = READ
    handle(SEEN, **facts)
    handle(SEEN, again=True, full=True, **facts)
    assert reading.asked == []


@pytest.mark.parametrize(
    "scan", [Scan(SHA, failed=(("change", "is too large"),)), replace(SEEN, head_sha="9" * 40), Scan(SHA, ran=RAN)]
)
def test_no_model_without_a_scan(handle: Handle, reading: ReadingModel, scan: Scan) -> None:
    """Where it is not known what the change brings, there is nothing to be read."""
    reading.says = READ
    handle(scan)
    assert reading.asked == []


def test_a_base_branch_may_refuse_it(handle: Handle, reading: ReadingModel, eyes: Eyes) -> None:
    """`model: false` keeps it out."""
    reading.says, eyes.wanted = READ, ReviewPolicy(model=False)
    shown = only(handle(SEEN), ShowReview)
    assert reading.asked == []
    assert "No model was asked." in shown.body


def test_a_policy_counts_for_the_model_too(handle: Handle, reading: ReadingModel, eyes: Eyes) -> None:
    """What a base branch does not want said is not said by a model either."""
    reading.says, eyes.wanted = READ, ReviewPolicy(ignored=("store.py",))
    assert only(handle(SEEN), ShowReview).round.findings == ()
    assert reading.asked[0].policy is eyes.wanted


def test_praise_of_all_ends_with_a_finding() -> None:
    """`Clean` is no longer said where a model finds something or fails, what was done well in a file is."""
    praise = replace(CLEAN, path="tests/test_a.py", line=4)
    scan = replace(SEEN, findings=(CLEAN, praise))
    assert with_model(scan, READ).findings == (praise, SAID)
    assert with_model(scan, FAILED).findings == (praise,)
    assert with_model(scan, PARTLY).findings == (CLEAN, praise)


def test_a_recorded_review_is_played_again(ctx: Context, eyes: Eyes, reading: ReadingModel) -> None:
    """The model's part is in the recording: decided again without it, the same is wanted. One without a model asks for none."""
    changed = pull(head_sha=SHA)
    eyes.seen = SEEN
    shown = ShownForge(pulls={changed.ref: changed})
    event = ReviewAsked(changed.ref, IRIS, "k")
    for says in (READ, None):
        reading.says = says
        seen = replace(ctx, forge=shown, scanner=eyes, reviewer=None if says is None else reading)
        context, recording = recorded(seen)
        wanted = bot.handle(event, context)
        reading.says = None
        assert bot.handle(event, played(ctx, unpack(recording.pack()))) == wanted
