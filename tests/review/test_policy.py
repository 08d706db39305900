"""The base branch says how it is reviewed; the change that is reviewed does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bots.intents import SetVerdict
from bots.models import Category, Finding, Level, Scan, Verdict
from bots.review_intents import PostReview, ShowReview
from bots.review_policy import DEFAULT_POLICY, OwnRule, ReviewMode, ReviewPolicy, Suppression, matches
from forge.models import Repo, State, User
from hive.config import BadYaml, joined, policy_of, read_guide, read_repository
from tests.bots.conftest import EVE, Still
from tests.review.conftest import SHA, Eyes, Handle, only

Golden = Callable[[str, str], None]

SILENT = Finding(
    "store.py", 13, Level.RED, Category.SILENT_FAILURE, "py-swallowed", "Error swallowed", "No `trace`.", engine="ast-grep"
)  # fmt: skip
QUICK = Finding(
    "store.py", 15, Level.YELLOW, Category.INCONSISTENCY, "F541", "Nothing to fill in", "f-string without any",
    fix_seconds=10, suggestion='    print("done")', engine="ruff",
)  # fmt: skip
REMARK = Finding("store.py", 11, Level.YELLOW, Category.BUG, "B018", "Useless", engine="ruff")
LEAK = Finding("store.py", 12, Level.RED, Category.LEAK, "PrivateKey", "A key", engine="detect-secrets")
RAN = ("ruff", "ast-grep")


def titles(eyes: Eyes, handle: Handle, policy: ReviewPolicy, still: Still) -> list[str]:
    """What a review with this policy says."""
    eyes.wanted = policy
    still.rounds.clear()
    shown = only(handle(Scan(SHA, (SILENT, QUICK, REMARK, LEAK), RAN)), ShowReview)
    return [each.finding.title for each in shown.round.findings]


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (DEFAULT_POLICY, ["Error swallowed", "Nothing to fill in", "Useless", "A key"]),
        (ReviewPolicy(floor=Level.RED), ["Error swallowed", "Nothing to fill in", "A key"]),
        (ReviewPolicy(paths=("src/",)), ["A key"]),
        (ReviewPolicy(ignored=("*.py",)), ["A key"]),
        (ReviewPolicy(suppressions=(Suppression("B018"),)), ["Error swallowed", "Nothing to fill in", "A key"]),
        (ReviewPolicy(suppressions=(Suppression("", ("store.py",)),)), ["A key"]),
        (ReviewPolicy(suppressions=(Suppression("B018", ("other/**",)), Suppression("PrivateKey"))),
         ["Error swallowed", "Nothing to fill in", "Useless", "A key"]),
        (ReviewPolicy(suppressions=(Suppression("PrivateKey", ("store.py",)),)),
         ["Error swallowed", "Nothing to fill in", "Useless"]),
    ],
)  # fmt: skip
def test_what_is_not_said(eyes: Eyes, handle: Handle, still: Still, policy: ReviewPolicy, left: list[str]) -> None:
    """Floor, paths and suppressions leave findings out; a secret is left out by its own name and path only."""
    assert titles(eyes, handle, policy, still) == left


def test_what_is_suppressed_later_ends(eyes: Eyes, handle: Handle) -> None:
    """A finding that the base branch does not want any more blocks no longer."""
    handle(Scan(SHA, (SILENT,), RAN))
    eyes.wanted = ReviewPolicy(suppressions=(Suppression("py-swallowed"),))
    assert only(handle(Scan(SHA, (SILENT,), RAN), again=True), PostReview).verdict is Verdict.GOOD


def test_rules_of_the_repository(eyes: Eyes, handle: Handle) -> None:
    """A text that the repository does not want is found on added lines of the files where it counts, and nowhere else."""
    eyes.wanted = ReviewPolicy(
        rules=(
            OwnRule("no-print", "print(", "Use the log", "Nobody reads `stdout`.", Level.RED, ("*.py",)),
            OwnRule("no-dict", "dict(", "Only on a line that was there"),
            OwnRule("other", "print(", "In another file", paths=("src/**",)),
        )
    )
    posted = only(handle(Scan(SHA, (), RAN)), PostReview)
    assert [(each.path, each.line) for each in posted.comments] == [("store.py", 15)]
    assert posted.verdict is Verdict.BLOCKED
    assert "**Use the log**" in posted.comments[0].body
    assert "the repository · no-print" in posted.comments[0].body


def test_how_many_comments(eyes: Eyes, handle: Handle) -> None:
    """More findings than comments are wanted stand in the text of the review."""
    eyes.wanted = ReviewPolicy(inline=1)
    posted = only(handle(Scan(SHA, (SILENT, QUICK), RAN)), PostReview)
    assert len(posted.comments) == 1
    assert "Nothing to fill in" in posted.body


@pytest.mark.parametrize(
    ("mode", "states"),
    [
        (ReviewMode.PUSH, [State.SUCCESS, State.SUCCESS]),
        (ReviewMode.OPEN, [State.SUCCESS, State.PENDING]),
        (ReviewMode.ON_DEMAND, [State.PENDING, State.PENDING]),
        (ReviewMode.OFF, [State.SUCCESS, State.SUCCESS]),
    ],
)
def test_when_it_is_reviewed(eyes: Eyes, handle: Handle, mode: ReviewMode, states: list[State]) -> None:
    """What is not reviewed says so in its status, and who asks by a word gets a review."""
    eyes.wanted = ReviewPolicy(mode=mode)
    seen = [handle(Scan(sha, (), RAN), head_sha=sha) for sha in ("a" * 40, "b" * 40)]
    assert [only(intents, SetVerdict).status.state for intents in seen] == states
    is_reviewed = [any(isinstance(each, PostReview) for each in intents) for intents in seen]
    for intents, reviewed in zip(seen, is_reviewed, strict=True):
        assert ("not reviewed" in only(intents, SetVerdict).status.description) is not reviewed
    asked = handle(Scan("c" * 40, (SILENT,), RAN), head_sha="c" * 40, again=True)
    assert only(asked, PostReview).verdict is Verdict.BLOCKED
    after = handle(Scan("c" * 40, (SILENT,), RAN), head_sha="c" * 40)
    assert only(after, SetVerdict).status.state is State.FAILURE


def test_broken_settings_are_said(eyes: Eyes, handle: Handle) -> None:
    """A policy that cannot be read is not guessed: the review is without it, and says so."""
    eyes.wanted = ReviewPolicy(broken=".hive.yaml:1:1: `@mara` #1")
    shown = only(handle(Scan(SHA, (SILENT,), RAN)), ShowReview)
    assert "The settings of this review are broken on `main`" in shown.body
    assert "``.hive.yaml:1:1: `@mara` #1``" in shown.body


def test_only_lock_files(handle: Handle) -> None:
    """What a program wrote is said to be that."""
    diff = "diff --git a/x/yarn.lock b/x/yarn.lock\n--- a/x/yarn.lock\n+++ b/x/yarn.lock\n@@ -1 +1 @@\n-a\n+b\n"
    intents = handle(Scan(SHA, (), RAN), diff=diff)
    assert only(intents, PostReview).verdict is Verdict.GOOD
    assert "Only lock files are changed." in only(intents, ShowReview).body
    assert "Only lock files" not in only(handle(Scan(SHA, (), RAN), head_sha=SHA), ShowReview).body


def test_a_strangers_change_golden(handle: Handle, golden: Golden) -> None:
    """Of a stranger's change nothing is quoted: neither its lines nor the words of an engine about them."""
    fork = Repo("forgejo", "eve", "app")
    intents = handle(Scan(SHA, (SILENT, QUICK), RAN), author=EVE, head_repo=fork)
    posted = only(intents, PostReview)
    said = [posted.body, only(intents, ShowReview).body, *(each.body for each in posted.comments)]
    golden("review/stranger.md", "\n\n================\n\n".join(said))
    assert posted.verdict is Verdict.BLOCKED
    assert not any("print" in text or "trace" in text for text in said)


@pytest.mark.parametrize(
    "facts",
    [{"author": EVE}, {"author": User(1, "mara"), "head_repo": Repo("forgejo", "mara", "app")}],
    ids=["who may push here", "an operator's fork"],
)
def test_who_is_no_stranger(handle: Handle, facts: dict[str, object]) -> None:
    """Those who may write here are answered in full."""
    assert "No `trace`." in only(handle(Scan(SHA, (SILENT,), RAN), **facts), PostReview).comments[0].body


def test_settings_as_they_are_read() -> None:
    """What `.hive.yaml` says is what the bot reads; without it all is as ever."""
    assert policy_of(read_repository("checks: [make]\n").review) == DEFAULT_POLICY
    text = """
review:
  mode: on_demand
  floor: yellow
  paths: ["src/**"]
  ignore: [vendor/]
  inline: 3
  approve: false
  suppress: [{rule: B018, paths: [tests/], why: they are examples}]
  rules: [{name: no-print, text: "print(", title: Use the log, level: red, paths: ["*.py"]}]
"""
    assert policy_of(read_repository(text).review) == ReviewPolicy(
        mode=ReviewMode.ON_DEMAND,
        floor=Level.YELLOW,
        paths=("src/**",),
        ignored=("vendor/",),
        suppressions=(Suppression("B018", ("tests/",)),),
        rules=(OwnRule("no-print", "print(", "Use the log", "", Level.RED, ("*.py",)),),
        inline=3,
        approve=False,
    )


def test_a_guide_for_people_may_hold_settings() -> None:
    """The first block of YAML in `REVIEW.md` counts beside `.hive.yaml`, which comes first where both decide."""
    guide = "# How we review\n\n```python\nx\n```\n\n~~~yaml\nreview:\n  inline: 3\n  ignore: [a]\n  floor: red\n~~~\n\n```yaml\n- x\n```\n"
    both = joined(read_repository("review: {ignore: [b], floor: yellow}").review, read_guide(guide))
    assert (both.inline, both.ignore, both.floor, both.mode) == (3, ("b", "a"), "yellow", "push")
    assert read_guide("Only words: `review: {mode: off}`\n").mode == "push"
    with pytest.raises(BadYaml, match=r"REVIEW.md:4:11: review.mode"):
        read_guide("# X\n```yaml\nreview:\n   mode:  nonsense\n```\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("review: {mode: sometimes}", ".hive.yaml:1:16: review.mode"),
        ("review: {suppress: [{why: x}]}", ".hive.yaml:1:21: review.suppress.0: needs a rule or paths"),
        ('review: {ignore: ["*a*a*a*a*a*"]}', ".hive.yaml:1:19: review.ignore.0: has more than 4 wildcards"),
        ("review: {inline: 5000}", "review.inline"),
        ("review: {rules: [{name: x, text: y, title: z, pattern: q}]}", "pattern"),
        ("review: 7", "review"),
    ],
)
def test_mistakes_have_a_place(text: str, said: str) -> None:
    """What is wrong in the settings is named by its line."""
    with pytest.raises(BadYaml) as error:
        read_repository(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("path", "glob", "fits"),
    [
        ("a.py", "*.py", True), ("d/a.py", "*.py", False), ("d/a.py", "**/*.py", True), ("a.py", "**/*.py", True),
        ("d/e/a.py", "d/", True), ("d", "d/", False), ("d/e/a.py", "d/**", True), ("d/e/a.py", "d/*", False),
        ("ab", "a?", True), ("a/b", "a?b", False), ("a+b", "a+b", True), ("A.py", "a.py", False), ("a\nb", "**", True),
    ],
)  # fmt: skip
def test_patterns(path: str, glob: str, fits: bool) -> None:
    """`*` ends at a folder, `**` does not, and everything else is itself."""
    assert matches(path, [glob]) is fits
