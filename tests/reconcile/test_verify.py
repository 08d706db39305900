"""When the host believes that an operator approved a commit: the rule, attack by attack."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hive.reconcile.verify import Accepted, Approval, Facts, Movement, Policy, Rejected, decide

MARA, WRITER = 1, 9
POLICY = Policy(repo_id=7, operators=frozenset({MARA}))
APPROVAL = Approval(number=4, base="main", base_repo_id=7, merged_by=MARA, head="h" * 40)
MERGE = Movement("a" * 40, "b" * 40, MARA, APPROVAL, tree="t" * 40, expected_tree="t" * 40)
MERGED = Facts(
    last="a" * 40,
    head="b" * 40,
    tree="t" * 40,
    repo_id=7,
    default_branch="main",
    complete=True,
    movements=(MERGE,),
    protected=True,
    proposals={"h" * 40: frozenset({"t" * 40})},
    cursor=12,
)


def moved(**changes: object) -> Facts:
    """The facts of a merge, with another movement."""
    return replace(MERGED, movements=(replace(MERGE, **changes),))  # type: ignore[arg-type]


def approved(**changes: object) -> Facts:
    """The facts of a merge, with another pull request."""
    return moved(approval=replace(APPROVAL, **changes))  # type: ignore[arg-type]


def test_an_operators_merge_is_an_approval() -> None:
    """Merged by the operator who moved the branch, from a reviewed head, with the tree that git gives."""
    assert decide(MERGED, POLICY) == Accepted("b" * 40, (4,), evaluated=True, cursor=12)


def test_another_tree_has_to_be_evaluated() -> None:
    """When the base moved, the merge is approved but what it gives was not looked at."""
    facts = replace(moved(tree="u" * 40, expected_tree="u" * 40), tree="u" * 40)
    assert decide(facts, POLICY) == Accepted("b" * 40, (4,), evaluated=False, cursor=12)


def test_several_merges_between_two_looks() -> None:
    """Each movement has to be an approval of its own."""
    second = replace(MERGE, old="b" * 40, new="c" * 40, approval=replace(APPROVAL, number=5))
    facts = replace(MERGED, head="c" * 40, movements=(MERGE, second))
    assert decide(facts, POLICY) == Accepted("c" * 40, (4, 5), evaluated=True, cursor=12)
    hidden = replace(second, approval=None, actor=WRITER)
    assert decide(replace(facts, movements=(hidden, MERGE)), POLICY) == Rejected("direct push", "cccccccccc by user 9")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(MERGED, repo_id=8), "repository replaced"),
        (replace(MERGED, frozen=True), "archived or a mirror"),
        (replace(MERGED, default_branch="dev"), "default branch changed"),
        (replace(MERGED, descends=False), "history rewritten"),
        (replace(MERGED, strays=("x…y",)), "history rewritten"),
        (replace(MERGED, commits=2001), "too much at once"),
        (replace(MERGED, complete=False), "no push record"),
        (replace(MERGED, protected=False), "protection missing"),
        (replace(MERGED, protection_faults=("pushing is allowed",)), "protection missing"),
        (replace(MERGED, bad_entries=("160000 'x'",)), "bad tree"),
        (moved(approval=None, actor=WRITER), "direct push"),
        (moved(approval=None), "not a merge"),
        (moved(actor=WRITER), "merged_by is not who pushed"),
        (
            replace(
                approved(merged_by=WRITER),
                movements=(replace(MERGE, actor=WRITER, approval=replace(APPROVAL, merged_by=WRITER)),),
            ),
            "not an operator",
        ),
        (approved(base="dev"), "merged elsewhere"),
        (approved(base_repo_id=8), "merged elsewhere"),
        (approved(head="x" * 40), "head not reviewed"),
        (approved(pushed_after_schedule=True), "pushed after the merge was scheduled"),
        (moved(tree="evil" * 10), "result is not the merge"),
        (moved(expected_tree=None), "result is not the merge"),
    ],
)
def test_refused(facts: Facts, reason: str) -> None:
    """Whatever else is right, one wrong thing is enough."""
    verdict = decide(facts, POLICY)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == reason


@pytest.mark.parametrize("name", ["repo_id", "default_branch", "complete", "protected", "proposals"])
def test_facts_that_were_not_read_approve_nothing(name: str) -> None:
    """Whatever is missing of the evidence counts against the approval, in the first repository of a forge as in any other."""
    first = replace(MERGED, repo_id=1, movements=(replace(MERGE, approval=replace(APPROVAL, base_repo_id=1)),))
    assert isinstance(decide(first, replace(POLICY, repo_id=1)), Accepted)
    unread = replace(first, **{name: getattr(Facts(last=MERGED.last), name)})
    assert isinstance(decide(unread, replace(POLICY, repo_id=1)), Rejected)


def test_a_check_takes_in_fifty_merges_and_two_thousand_commits() -> None:
    """So much is approved at once, and not one more of either."""
    most = replace(MERGED, commits=2000, movements=(MERGE,) * 50)
    assert isinstance(decide(most, POLICY), Accepted)
    assert decide(replace(most, commits=2001), POLICY) == Rejected("too much at once", "2001 commits")
    assert decide(replace(most, movements=(MERGE,) * 51), POLICY) == Rejected("too much at once", "51 merges")


def test_one_evaluation_of_the_tree_is_enough() -> None:
    """A tree counts as evaluated if it was under any of the pinned heads, and only then."""
    other = {"x" * 40: frozenset({"u" * 40})}
    assert decide(replace(MERGED, proposals={**MERGED.proposals, **other}), POLICY) == decide(MERGED, POLICY)
    pinned = replace(MERGED, proposals={"h" * 40: frozenset({"v" * 40}), **other})
    assert decide(pinned, POLICY) == Accepted("b" * 40, (4,), evaluated=False, cursor=12)


def test_three_bad_entries_are_named() -> None:
    """Operators are shown examples, however many entries a hostile tree has."""
    assert decide(replace(MERGED, bad_entries=("a", "b", "c", "d")), POLICY) == Rejected("bad tree", "a, b, c")


def test_only_a_late_feed_is_waited_for() -> None:
    """A forge's feed comes seconds after the push; everything else does not get better by waiting."""
    late = {reason for reason in ("no push record", "direct push", "not a merge") if Rejected(reason).late}
    assert len(late) == 3
    assert not Rejected("history rewritten").late
    assert not Rejected("not an operator").late
