"""The review bot says what was seen, where it was seen, and never more than it knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bots.bot import Context
from bots.intents import Intent, RefreshVerdict, RequestBotReview, SetVerdict
from bots.models import Category, Finding, Level, Scan, Verdict
from bots.review import bot
from bots.review_intents import CloseReview, DismissFinding, EditRemarks, PostReview, ShowReview
from bots.review_policy import DEFAULT_POLICY
from bots.scan_names import CHANGE
from bots.views import RunView, VerdictView
from forge.events import PullChanged
from forge.models import PullRequest, State
from hive.codec import Codec
from tests.bots.conftest import MARA, Still, StillForge, pull
from tests.review.conftest import only

Golden = Callable[[str, str], None]
Handle = Callable[..., list[Intent]]
Review = Callable[..., tuple[PostReview, SetVerdict, ShowReview]]

SHA = "abc1234" + "0" * 33
RAN = ("ruff", "ast-grep", "taint", "detect-secrets")
SWALLOWED = Finding(
    "store.py", 13, Level.RED, Category.SILENT_FAILURE, "py-swallowed", "Error swallowed",
    "Whatever goes wrong here leaves no trace.", engine="ast-grep",
)  # fmt: skip
QUICK = Finding(
    "store.py", 15, Level.YELLOW, Category.INCONSISTENCY, "F541", "Nothing to fill in",
    "f-string without any placeholders", fix_seconds=10, suggestion='    print("done")', engine="ruff",
)  # fmt: skip
REMARK = Finding(
    "store.py", 11, Level.YELLOW, Category.BUG, "B018", "Found useless expression", engine="ruff"
)  # fmt: skip
UNUSED = replace(QUICK, line=12, rule="F401", title="Unused import", why="`os` imported but unused", suggestion="")
BROKEN = Finding(
    "old.py", 0, Level.RED, Category.BROKEN, "invalid-syntax", "Does not parse", "Line 3: no", engine="ruff"
)
ELSEWHERE = replace(REMARK, path="run.sh", line=70, rule="SC2164", title="Use 'cd ... || exit' in case cd fails.")
TESTS = Finding(
    "tests/test_a.py", 4, Level.GREEN, Category.PRAISE, "tests-with-code", "Tests come with the code", "2 new tests."
)
CLEAN = Finding("", 0, Level.GREEN, Category.PRAISE, "all-clean", "Clean", "4 analysers found nothing to fix.")

HOSTILE = "d/`@mara` #1 <img src=x> [x](javascript:1)\n## fixes #2 </details> | !3\u202e https://forge/a/b/issues/4.py"


def page(posted: PostReview, status: SetVerdict, shown: ShowReview) -> str:
    """Everything that a forge gets to show, in one text."""
    said = status.status
    parts = [f"{said.context} {said.state}: {said.description}", f"{posted.verdict.name}\n\n{posted.body}"]
    parts += [f"{remark.path!r}:{remark.line}\n\n{remark.body}" for remark in posted.comments]
    parts.append(shown.body)
    return "\n\n================\n\n".join(parts)


def seen_as(still: Still, changed: PullRequest, **facts: str) -> None:
    """What was said last of a pull request."""
    known = {"head_sha": changed.head_sha, "base": changed.base_branch, "base_sha": changed.base_sha, **facts}
    still.verdicts[changed.ref, "hive/review"] = VerdictView(**known)


@pytest.mark.parametrize(
    "facts",
    [{"head_sha": "d" * 40}, {"base": "dev"}, {"base_sha": "d" * 40}],
    ids=["head", "base", "base of that name"],
)
def test_what_was_not_seen_so_is_pending_at_once(ctx: Context, still: Still, facts: dict[str, str]) -> None:
    """Another head, another base, and another branch under the name of the base: blocked, and asked to be looked at."""
    changed = pull(head_sha=SHA)
    seen = replace(ctx, forge=StillForge(pulls={changed.ref: changed}))
    seen_as(still, changed, **facts)
    pending, asked = bot.handle(PullChanged(changed.ref, MARA, "k"), seen)
    assert isinstance(pending, SetVerdict)
    assert (pending.status.state, pending.head_sha, pending.base) == (State.PENDING, SHA, "main")
    assert pending.before == facts.get("head_sha", SHA)
    assert asked == RequestBotReview(changed.ref, MARA, key="review:k", bot="review")


def test_what_was_seen_is_not_looked_at_again(ctx: Context, still: Still) -> None:
    """Another title is nothing to look at; what was said is shown as it is."""
    changed = pull(head_sha=SHA)
    seen = replace(ctx, forge=StillForge(pulls={changed.ref: changed}))
    seen_as(still, changed)
    assert bot.handle(PullChanged(changed.ref, MARA, "k"), seen) == [
        RefreshVerdict(changed.ref, (SHA,), "hive/review", key="shown:k")
    ]


def test_the_same_changes_are_reviewed_once(handle: Handle) -> None:
    """When a base only moved on, or somebody asks again, the verdict is shown without a second review; another base gets one."""
    first = [type(each) for each in handle()]
    assert first == [ShowReview, PostReview, SetVerdict]
    assert [type(each) for each in handle(base_sha="c" * 40)] == [ShowReview, SetVerdict]
    assert [type(each) for each in handle(again=True)] == [ShowReview, SetVerdict]
    posted = only(handle(base_branch="dev"), PostReview)
    assert posted.base == "dev"


def test_another_verdict_is_said(handle: Handle) -> None:
    """When an engine that had failed runs at last, the same head is reviewed once more."""
    failed = Scan(SHA, (), ("ast-grep",), failed=(("ruff", "is not installed"),))
    assert only(handle(failed), PostReview).verdict is Verdict.NOT_REVIEWED
    assert only(handle(Scan(SHA, (), RAN), again=True), PostReview).verdict is Verdict.GOOD


@pytest.mark.parametrize(
    ("seen", "may_pass"),
    [
        (Scan(SHA, (), ("ast-grep",), failed=(("ruff", "did not finish within 60 seconds"),)), True),
        (Scan(SHA, (SWALLOWED,), ("ast-grep",), failed=(("ruff", "is not installed"),)), True),
        (Scan("d" * 40, (), RAN), True),
        (Scan(SHA, (), RAN, skipped=(("a.py", "is not UTF-8 at byte 0"),)), False),
        (Scan(SHA, failed=((CHANGE, "is too large to be reviewed"),)), False),
        (Scan(SHA, (SWALLOWED,), RAN), False),
        (Scan(SHA, (), RAN), False),
    ],
)
def test_what_may_pass(review: Review, seen: Scan, *, may_pass: bool) -> None:
    """A head is reviewed again by itself after what an engine did, red or not; never for what the change is."""
    _, status, shown = review(seen)
    assert status.may_pass is may_pass
    assert ("again by itself" in shown.body) is may_pass


def test_blocked_golden(review: Review, golden: Golden) -> None:
    """What is red blocks, on its line where the diff shows it, in the body where it does not."""
    found = (SWALLOWED, QUICK, UNUSED, REMARK, BROKEN, ELSEWHERE, TESTS)
    posted, status, shown = review(Scan(SHA, found, RAN))
    assert [(remark.path, remark.line) for remark in posted.comments] == [
        ("store.py", 13), ("store.py", 15), ("store.py", 12), ("store.py", 11)
    ]  # fmt: skip
    golden("review/blocked.md", page(posted, status, shown))


def test_findings_can_be_named(review: Review, still: Still) -> None:
    """Where an agent can be told to fix it, each finding has its number, and a line is remembered only to be replaced."""
    ref = pull().ref
    found = (SWALLOWED, QUICK, UNUSED, REMARK, BROKEN, ELSEWHERE, TESTS)
    assert "/fix" not in page(*review(Scan(SHA, found, RAN)))
    still.runs = {ref: RunView(5, "iris", ref, "open", pull=ref)}
    posted, *_ = review(Scan(SHA, found, RAN))
    for number, remark in enumerate(posted.comments, 1):
        assert f"<sub>finding {posted.findings[number - 1].number} · " in remark.body
        assert f" · `/fix {posted.findings[number - 1].number}`</sub>" in remark.body
    assert "`old.py` — Line 3: no · `/fix 5`" in posted.body
    assert "/fix 7" not in page(posted, *review(Scan(SHA, found, RAN))[1:])
    assert [(each.number, each.line, each.was, each.suggestion) for each in posted.findings] == [
        (1, 13, "", None), (2, 15, '    print(f"done")', '    print("done")'),
        (3, 12, "        return json.dumps(record)", ""),
        (4, 11, "", None), (5, 0, "", None), (6, 70, "", None),
    ]  # fmt: skip


def test_remarks_golden(review: Review, golden: Golden) -> None:
    """Yellow remarks do not block: the author decides."""
    posted, status, shown = review(Scan(SHA, (REMARK, ELSEWHERE, TESTS), RAN))
    assert (posted.verdict, status.status.state) == (Verdict.REMARKS, State.SUCCESS)
    golden("review/remarks.md", page(posted, status, shown))


def test_good_golden(review: Review, golden: Golden) -> None:
    """Where there is nothing to fix, the author hears what was done right."""
    posted, status, shown = review(Scan(SHA, (TESTS, CLEAN), RAN))
    assert (posted.verdict, status.status.state) == (Verdict.GOOD, State.SUCCESS)
    golden("review/good.md", page(posted, status, shown))


def test_nothing_to_look_at_golden(review: Review, golden: Golden) -> None:
    """A change that no analyser knows is said to be one."""
    golden("review/nobody.md", page(*review(Scan(SHA))))


def test_not_reviewed_golden(review: Review, golden: Golden) -> None:
    """What nobody could look at is not green: the status is an error, and the reasons are told."""
    scan = Scan(
        SHA, (TESTS,), ("ast-grep",), failed=(("ruff", "did not finish within 60 seconds"),),
        skipped=(("latin.py", "is not UTF-8 at byte 31"),),
    )  # fmt: skip
    posted, status, shown = review(scan)
    assert (posted.verdict, status.status.state) == (Verdict.NOT_REVIEWED, State.ERROR)
    golden("review/not-reviewed.md", page(posted, status, shown))


def test_blocked_and_not_all_reviewed_golden(review: Review, golden: Golden) -> None:
    """A red finding blocks whatever else could not be looked at, and that is told as well."""
    posted, status, shown = review(Scan(SHA, (SWALLOWED,), ("ast-grep",), failed=(("ruff", "is not installed"),)))
    assert (posted.verdict, status.status.state) == (Verdict.BLOCKED, State.FAILURE)
    golden("review/blocked-in-part.md", page(posted, status, shown))


def test_overflow_golden(review: Review, golden: Golden) -> None:
    """More remarks than one can read on lines are folded away, and too many for a list are counted."""
    remarks = tuple(replace(REMARK, line=10 + n % 5, rule=f"B{n:03}", title=f"Remark {n}") for n in range(72))
    posted, status, shown = review(Scan(SHA, (*remarks, SWALLOWED), RAN))
    assert len(posted.comments) == DEFAULT_POLICY.inline
    assert posted.comments[0].line == SWALLOWED.line
    golden("review/overflow.md", page(posted, status, shown))


def test_hostile_names_golden(review: Review, golden: Golden) -> None:
    """A name from a change mentions nobody, links nothing, closes nothing and is no HTML."""
    hostile = replace(SWALLOWED, path=HOSTILE, title=f"duplication of key {HOSTILE}", why=HOSTILE, rule="x`@y`")
    quoted = replace(QUICK, suggestion='```\n</details>"\u202e@mara')
    skipped = ((HOSTILE, "is not UTF-8 at byte 3"),)
    posted, status, shown = review(Scan(SHA, (hostile, quoted), ("ru`ff", "@mara"), (("@mara", HOSTILE),), skipped))
    golden("review/hostile.md", page(posted, status, shown))


def test_a_fix_of_seconds_blocks(review: Review) -> None:
    """A yellow that is mended within thirty seconds is red, and one that takes longer is not."""
    assert review(Scan(SHA, (replace(QUICK, fix_seconds=30),), RAN))[0].verdict is Verdict.BLOCKED
    assert review(Scan(SHA, (replace(QUICK, fix_seconds=31),), RAN))[0].verdict is Verdict.REMARKS


def test_only_shown_lines_get_remarks(review: Review) -> None:
    """A remark hangs on a line that the diff shows, or stands in the body."""
    found = tuple(replace(SWALLOWED, line=line) for line in range(8, 20))
    posted, *_ = review(Scan(SHA, found, RAN))
    assert [remark.line for remark in posted.comments] == [10, 11, 12, 13, 14, 15, 16]
    assert all(f"`store.py:{line}`" in posted.body for line in (8, 9, 17, 18, 19))


@pytest.mark.parametrize("facts", [{"is_open": False}, {"is_open": False, "merged": True}])
def test_what_is_over_is_left_alone(handle: Handle, facts: dict[str, object]) -> None:
    """A pull request that is closed or merged gets no review."""
    assert handle(**facts) == []


def test_drafts_are_reviewed(handle: Handle) -> None:
    """Who works on a draft wants to know early."""
    assert [type(intent) for intent in handle(draft=True)] == [ShowReview, PostReview, SetVerdict]


def test_a_verdict_bears_its_head(review: Review) -> None:
    """Review and status are of the head that was looked at, and each pull request has its own."""
    keys = [review(None, **facts)[0].key for facts in ({}, {"base_branch": "dev"}, {"head_sha": "d" * 40})]
    assert len(set(keys)) == 3
    posted, status, _ = review()
    assert (posted.head_sha, status.head_sha, status.status.url) == (
        SHA,
        SHA,
        "https://forge.example/acme/app/pulls/2",
    )


def test_another_head_is_not_this_one(review: Review) -> None:
    """A scan of another head says nothing about this one."""
    posted, status, _ = review(Scan("d" * 40, (), RAN))
    assert (posted.verdict, status.status.state) == (Verdict.NOT_REVIEWED, State.ERROR)


def test_an_unreadable_diff_is_told(review: Review) -> None:
    """Without a diff that can be read nothing hangs on a line, and nothing is lost."""
    posted, *_ = review(Scan(SHA, (SWALLOWED,), RAN), diff="@@ -1 +1 @@\n-a\n+b\n")
    assert (posted.verdict, posted.comments) == (Verdict.BLOCKED, ())
    assert "`store.py:13`" in posted.body
    assert "could not be read" in posted.body


def test_a_name_that_is_no_text(review: Review) -> None:
    """A file whose name no forge could be told is spoken of in the body, and everything can be sent."""
    diff = 'diff --git "a/\\377" "b/\\377"\n--- "a/\\377"\n+++ "b/\\377"\n@@ -1 +1 @@\n-a\n+b\n'
    posted, *_ = review(Scan(SHA, (replace(SWALLOWED, path="\udcff", line=1),), RAN), diff=diff)
    assert (posted.verdict, posted.comments) == (Verdict.BLOCKED, ())
    assert "Error swallowed" in posted.body.encode().decode()
    assert "\\udcff" in Codec(PostReview).dumps(posted)


def test_review_cannot_do_more_than_speak() -> None:
    """The bot may review and set a status: it has no word for labels, work or merging."""
    saying = {PostReview, ShowReview, EditRemarks, SetVerdict, RefreshVerdict}
    assert bot.may == {RequestBotReview, DismissFinding, CloseReview} | saying


def test_descriptions_fit(review: Review) -> None:
    """A commit status holds 140 characters."""
    found = (SWALLOWED, REMARK, TESTS)
    assert review(Scan(SHA, found, RAN))[1].status.description == "🔴 1 · 🟡 1 · 🟢 1"
    assert len(review(Scan(SHA, found * 1000, RAN))[1].status.description) <= 140
