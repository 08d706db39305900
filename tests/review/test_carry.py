"""Whatever is pushed, and whatever engines do: nothing red is lost, nothing is said twice, and no number means two things."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bots.models import Category, Finding, Level, Scan
from bots.review.carry import Carried, Present, carry, to_follow
from bots.review_rounds import FindingState, FollowedLine, FollowedLines, ReviewRound

RULES = ("r1", "r2", "r3")
ENGINES = {"r1": "ruff", "r2": "ast-grep", "r3": "model"}
KINDS = {"r1": Category.BUG, "r2": Category.SILENT_FAILURE, "r3": Category.SECURITY}

findings = st.builds(
    lambda path, line, rule, level: Finding(path, line, level, KINDS[rule], rule, "t", engine=ENGINES[rule]),
    st.sampled_from(["a", "b"]),
    st.integers(0, 4),
    st.sampled_from(RULES),
    st.sampled_from([Level.RED, Level.YELLOW]),
)
places = st.builds(
    lambda path, line, changed: FollowedLine(path, line if path else 0, changed=changed or not path or not line),
    st.sampled_from(["a", "b", ""]),
    st.integers(0, 4),
    st.booleans(),
)


@dataclass(frozen=True)
class Push:
    """What is found after a push, where lines are then, and which finding an operator dismisses afterwards."""

    found: tuple[Finding, ...]
    contexts: tuple[str, ...]
    lines: tuple[FollowedLine, ...]
    failed: frozenset[str]
    base: str
    full: int
    dismissed: int


pushes = st.builds(
    Push,
    st.lists(findings, max_size=6, unique_by=lambda item: (item.path, item.line, item.rule)).map(tuple),
    st.lists(st.sampled_from(["", "c1", "c2", "c3"]), min_size=6, max_size=6).map(tuple),
    st.lists(places, max_size=6).map(tuple),
    st.frozensets(st.sampled_from(sorted(ENGINES.values()))),
    st.sampled_from(["main", "dev"]),
    st.integers(0, 3),
    st.integers(0, 8),
)


def play(last: ReviewRound | None, push: Push, count: int) -> tuple[ReviewRound, Carried, Present]:
    """One push more: the next round, what was carried, and what was there. Without places lines cannot be followed."""
    failed = tuple((name, "is away") for name in sorted(push.failed))
    ran = tuple(name for name in ENGINES.values() if name not in push.failed)
    scan = Scan(f"{count:040x}", push.found, ran, failed)
    then = tuple(push.lines[at % len(push.lines)] for at in range(len(to_follow(last)))) if push.lines else ()
    fresh = tuple(place.changed for _, place in zip(push.found, push.lines * 6, strict=False))
    lines = FollowedLines(then, fresh) if push.lines else None
    now = Present(scan, push.base, push.found, push.contexts[: len(push.found)], lines, full=not push.full)
    carried = carry(last, now)
    left = tuple(
        replace(each, state=FindingState.DISMISSED) if each.is_open and each.number == push.dismissed else each
        for each in carried.findings
    )
    return ReviewRound(carried.number, scan.head_sha, now.base, "", "", left), carried, now


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(st.lists(pushes, min_size=1, max_size=6))
def test_laws_of_memory(played: list[Push]) -> None:
    """Every red finding of a scan is open or dismissed; a red one ends for a reason; numbers are one to one and stay."""
    last: ReviewRound | None = None
    for count, push in enumerate(played, 1):
        before = {each.number: each for each in last.findings} if last is not None else {}
        done, carried, now = play(last, push, count)
        numbers = [each.number for each in carried.findings]
        assert numbers == sorted(set(numbers))
        assert set(before) <= set(numbers)
        here = [each.finding for each in carried.findings if each.is_open or each.state is FindingState.DISMISSED]
        assert all(item in here for item in now.found if item.level is Level.RED)
        assert {each.number for each in carried.said} <= {each.number for each in carried.open}
        assert not any(each.number in before and before[each.number].is_open for each in carried.said)
        for each in carried.ended:
            was = before[each.number]
            assert was.is_open
            place = None if now.lines is None else now.lines.then[to_follow(last).index(was)]
            if not was.is_red or (place is not None and not place.path):
                continue
            assert now.full or place is not None, "what cannot be followed ends nothing"
            assert was.finding.engine in now.scan.ran or not now.scan.failed, "an engine that failed ends nothing"
            if place is not None and last is not None and not now.full:
                assert place.changed or now.base != last.base, "what stands as it was is not fixed by silence"
        if carried.number >= 3 and not now.full:
            assert all(each.is_red for each in carried.said if each.number not in before)
        last = done
