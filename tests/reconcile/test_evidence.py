"""What the host reads before it believes a merge: the feed, the pull request, git, and the rule of the branch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from forge.models import Branch, Protection, PullRequest, Push, Ref, Repo, Repository, TimelineEvent, User
from forge.protocol import Refused
from hive.git_mirror.mirror import GitError, Login
from hive.ledger import Baseline, Ledger
from hive.reconcile.evidence import Evidence, NotNow, open_to_us, protection_faults
from hive.reconcile.verify import Accepted, Facts, Policy, Rejected, decide
from tests.bots.conftest import NOON, pull
from tests.reconcile.conftest import LocalMirror, Origin

REPO = Repo("forgejo", "agent-configs", "iris")
MARA, EVE = User(1, "mara"), User(66, "eve")
POLICY = Policy(repo_id=5, operators=frozenset({MARA.id}))
RULE = Protection("main", mergers=("mara",))


@dataclass
class Place:
    """A configuration repository on a forge that stands still, and its history in git."""

    origin: Origin
    mirror: LocalMirror
    baseline: Baseline
    seen: Repository
    rule: Protection | None = RULE
    is_refused: bool = False
    branches: list[Branch] = field(default_factory=list)
    rows: list[Push] = field(default_factory=list)
    pulls: dict[str, PullRequest] = field(default_factory=dict)
    happened: list[TimelineEvent] = field(default_factory=list)
    proposals: dict[str, frozenset[str]] = field(default_factory=dict)

    def repository(self, repo: Repo) -> Repository:
        """As it is."""
        return self.seen

    def branch(self, repo: Repo, name: str) -> Branch:
        """Where main is."""
        return self.branches[-1]

    def protection_of(self, repo: Repo, branch: Branch) -> Protection | None:
        """The rule, if it is shown."""
        if self.is_refused:
            raise Refused("only admins see it", status=403)
        return self.rule

    def pushes(self, repo: Repo, branch: str, after: int) -> list[Push]:
        """The feed."""
        return [row for row in self.rows if row.id > after]

    def pull_of(self, repo: Repo, sha: str) -> PullRequest | None:
        """The pull request that a commit came with."""
        return self.pulls.get(sha)

    def timeline(self, ref: Ref) -> list[TimelineEvent]:
        """What happened to a pull request."""
        return self.happened

    def push(self, new: str, *, by: User = MARA, old: str = "") -> Push:
        """The branch was moved, and the feed has a row of it."""
        before = self.branches[-1].sha
        self.branches.append(Branch("main", new, protected=True))
        self.rows.append(Push(self.baseline.cursor + 1 + len(self.rows), "main", old or before, new, by.id))
        return self.rows[-1]

    def merge(self, number: int = 7, **differs: Any) -> str:
        """An operator merged a pull request whose head had been pinned; returns the merge commit."""
        git, base = self.origin.git, self.branches[-1].sha
        git("checkout", "-q", "-B", "topic", base)
        head = self.origin.commit({f"{number}.txt": "x\n"})
        git("update-ref", f"refs/pull/{number}/head", head)
        git("checkout", "-q", "main")
        git("merge", "-q", "--no-ff", "-m", f"Merge #{number}", "topic")
        merged = self.origin.keep("HEAD")
        facts = {"merged": True, "merged_by": MARA, "merge_sha": merged, "base_repo_id": 5, "is_open": False}
        self.pulls[merged] = pull(number, repo=REPO, **{**facts, **differs})
        self.proposals[head] = frozenset({git("rev-parse", f"{merged}^{{tree}}")})
        self.push(merged)
        return merged

    def gather(self, policy: Policy = POLICY) -> Facts:
        """All that the rule looks at."""
        return Evidence(cast("Any", self), self.mirror, REPO, policy).gather(self.baseline, self.proposals)

    def reason(self) -> str:
        """Why the head is not approved; empty if it is."""
        verdict = decide(self.gather(), POLICY)
        return verdict.reason if isinstance(verdict, Rejected) else ""


@pytest.fixture
def place(origin: Origin, ledger: Ledger) -> Place:
    """A repository whose first commit was accepted."""
    first = origin.commit({"agent.yaml": "lane: app\n"})
    mirror = LocalMirror(origin.path.with_name("fetched.git"), "http://127.0.0.1:1/none.git", Login("core", "token"))
    mirror.source = str(origin.path)
    seen = Repository(5, REPO, "main", archived=False, mirror=False, empty=False, private=True)
    main = Branch("main", first, protected=True)
    ledger.deployments.register("iris", team="acme", seen=seen, branch=main, cursor=3)
    baseline = ledger.deployments.baseline("iris")
    assert baseline is not None
    return Place(origin, mirror, baseline, seen, branches=[main])


def test_nothing_has_moved(place: Place) -> None:
    """What was accepted last is still the head: no feed has to say so."""
    facts = place.gather()
    assert (facts.complete, facts.head, facts.movements) == (True, place.baseline.sha, ())


def test_merges_are_followed_to_the_head(place: Place) -> None:
    """Each with who moved the branch by the feed, the head by git, and the tree that git makes of it again."""
    first, second = place.merge(7), place.merge(8)
    facts = place.gather()
    assert (facts.head, facts.last, facts.complete, facts.descends) == (second, place.baseline.sha, True, True)
    assert [movement.new for movement in facts.movements] == [first, second]
    for movement in facts.movements:
        assert movement.actor == MARA.id
        assert movement.approval is not None
        assert movement.approval.head in place.proposals
        assert movement.tree == movement.expected_tree
    assert (facts.commits, facts.cursor) == (4, 5)
    assert decide(facts, POLICY) == Accepted(second, (7, 8), evaluated=True, cursor=5)


def test_a_merge_takes_one_fetch(place: Place) -> None:
    """The branch and the pull request that its newest movement claims come at once; what came before is fetched by itself."""
    place.merge(7)
    assert place.reason() == ""
    assert place.mirror.fetches == 1
    place.merge(8)
    assert place.reason() == ""
    assert place.mirror.fetches == 3


def test_a_claim_without_a_reference(place: Place) -> None:
    """What the newest movement claims may be nowhere in git: the branch is looked at all the same, and nobody believes it."""
    merged = place.merge(7)
    place.rows.append(Push(50, "main", place.baseline.sha, "e" * 40, EVE.id))
    place.pulls["e" * 40] = replace(place.pulls[merged], ref=Ref(REPO, 99), merge_sha="e" * 40)
    assert place.reason() == "history rewritten"
    place.rows.pop()
    assert place.reason() == ""
    place.origin.git("update-ref", "-d", "refs/pull/7/head")
    with pytest.raises(GitError, match="refs/pull/7/head"):
        place.gather()


def test_a_way_back_is_no_merge(place: Place) -> None:
    """Somebody took the branch below what was accepted, and somebody else to a merge: each step has to be approved."""
    first = place.baseline.sha
    second = place.merge(7)
    later = place.baseline = replace(place.baseline, sha=second, cursor=4)
    place.push(first)
    place.merge(8)
    facts = place.gather()
    assert [(row.old, row.new) for row in facts.movements] == [(later.sha, first), (first, facts.head)]
    assert facts.complete
    assert place.reason() == "not a merge"


def test_the_head_is_what_git_holds(place: Place) -> None:
    """Whatever the forge's API says of it: a head that was pushed after the merge changes nothing."""
    place.merge(head_sha="e" * 40)
    (movement,) = place.gather().movements
    assert movement.approval is not None
    assert movement.approval.head == place.origin.git("rev-parse", "refs/pull/7/head")


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"merged": False}, "not a merge"),
        ({"merge_sha": "e" * 40}, "not a merge"),
        ({"merged_by": None}, "merged_by is not who pushed"),
        ({"merged_by": EVE}, "merged_by is not who pushed"),
        ({"base_branch": "dev"}, "merged elsewhere"),
        ({"base_repo_id": 6}, "merged elsewhere"),
    ],
)
def test_a_pull_request_that_does_not_fit(place: Place, differs: dict[str, Any], reason: str) -> None:
    """One that was not merged into this branch, by this movement, by whoever made it, approves nothing."""
    place.merge(**differs)
    assert place.reason() == reason


def test_a_merge_with_more_in_it(place: Place) -> None:
    """What git makes of base and head counts: a merge commit that changes more is not the merge."""
    merged = place.merge()
    (place.origin.path / "more.txt").write_text("x\n")
    place.origin.git("add", "--all")
    place.origin.git("commit", "-q", "--amend", "-m", "Merge #7")
    other = place.origin.keep("HEAD")
    place.rows[-1] = replace(place.rows[-1], new=other)
    place.branches[-1] = Branch("main", other, protected=True)
    place.pulls[other] = replace(place.pulls[merged], merge_sha=other)
    assert place.reason() == "result is not the merge"


def test_a_rebase_that_dropped_a_commit(place: Place) -> None:
    """A forge's rebase leaves out a commit that the branch had and took back; that is not what was reviewed, so it is refused."""
    git = place.origin.git
    place.merge(7)
    git("revert", "-m", "1", "--no-edit", "HEAD")
    back = place.origin.keep("HEAD")
    place.push(back)
    place.pulls[back] = replace(place.pulls[place.rows[0].new], merge_sha=back)
    git("checkout", "-q", "-B", "again", place.baseline.sha)
    head = place.origin.commit({"7.txt": "x\n", "8.txt": "x\n"})
    git("update-ref", "refs/pull/8/head", head)
    git("checkout", "-q", "main")
    dropped = place.origin.commit({"8.txt": "x\n"})
    place.pulls[dropped] = pull(
        8, repo=REPO, merged=True, merged_by=MARA, merge_sha=dropped, base_repo_id=5, is_open=False
    )
    place.proposals[head] = frozenset()
    place.push(dropped)
    ledger_baseline = replace(place.baseline, sha=back)
    facts = Evidence(cast("Any", place), place.mirror, REPO, POLICY).gather(ledger_baseline, place.proposals)
    verdict = decide(facts, POLICY)
    assert isinstance(verdict, Rejected)
    assert verdict.reason == "result is not the merge"


def test_what_has_nothing_in_common_is_no_merge(place: Place) -> None:
    """A pull request whose history begins elsewhere merges into nothing: whatever came of it is refused, in words."""
    git, base = place.origin.git, place.branches[-1].sha
    git("checkout", "-q", "--orphan", "elsewhere")
    head = place.origin.commit({"other.txt": "x\n"})
    git("update-ref", "refs/pull/7/head", head)
    git("checkout", "-q", "main")
    git("merge", "-q", "--allow-unrelated-histories", "-m", "Merge #7", head)
    merged = place.origin.keep("HEAD")
    place.pulls[merged] = pull(
        7, repo=REPO, merged=True, merged_by=MARA, merge_sha=merged, base_repo_id=5, is_open=False
    )
    place.proposals[head] = frozenset()
    place.push(merged, old=base)
    assert place.reason() == "result is not the merge"


def test_a_push_is_no_approval(place: Place) -> None:
    """A commit that came with no pull request is a direct push, and an operator's is no merge."""
    place.push(place.origin.commit({"agent.yaml": "lane: web\n"}), by=EVE)
    assert place.reason() == "direct push"
    place.rows[-1] = replace(place.rows[-1], actor_id=MARA.id)
    assert place.reason() == "not a merge"


@pytest.mark.parametrize("is_known", [True, False])
def test_a_rewritten_history(place: Place, *, is_known: bool) -> None:
    """A head that does not hold what was accepted last is refused before any feed is read, also by a mirror that is new."""
    if is_known:
        place.mirror.fetch("refs/heads/main", "before")
    place.origin.git("checkout", "-q", "--orphan", "other")
    place.origin.commit({"agent.yaml": "lane: web\n"})
    place.origin.git("branch", "-f", "main", "other")
    facts = place.gather()
    assert (facts.descends, facts.commits, facts.movements) == (False, 0, ())
    assert place.reason() == "history rewritten"


def lost(place: Place) -> None:
    place.rows.clear()


def of_two(place: Place) -> None:
    place.rows.append(replace(place.rows[-1], id=99, actor_id=EVE.id))


def from_elsewhere(place: Place) -> None:
    place.rows[-1] = replace(place.rows[-1], old="e" * 40)


def to_nowhere(place: Place) -> None:
    place.rows[-1] = replace(place.rows[-1], new="")


@pytest.mark.parametrize("broken", [lost, of_two, from_elsewhere, to_nowhere], ids=lambda each: each.__name__)
def test_a_feed_that_does_not_lead_to_the_head(place: Place, broken: Callable[[Place], None]) -> None:
    """A gap, two who are said to have made one movement, and half a row are no record of a push."""
    place.merge()
    assert place.reason() == ""
    broken(place)
    facts = place.gather()
    assert (facts.complete, facts.movements, facts.strays) == (False, (), ())
    assert place.reason() == "no push record"


def test_a_row_twice_is_one(place: Place) -> None:
    """The same movement by the same account, told twice, is one movement."""
    place.merge()
    place.rows.append(replace(place.rows[-1], id=99))
    facts = place.gather()
    assert (len(facts.movements), facts.cursor) == (1, 99)
    assert place.reason() == ""


def test_a_movement_that_was_taken_back(place: Place) -> None:
    """A push that is not on the way to the head was there for a while, and somebody rewrote the branch."""
    place.merge()
    place.rows.append(Push(50, "main", place.baseline.sha, "e" * 40, MARA.id))
    assert place.gather().strays == (f"{place.baseline.sha[:10]}…eeeeeeeeee",)
    assert place.reason() == "history rewritten"


def test_a_movement_to_what_was_accepted_already(place: Place) -> None:
    """A row that comes late, of what was accepted before, is no stray."""
    place.merge()
    place.rows.append(Push(50, "main", "e" * 40, place.baseline.sha, MARA.id))
    assert place.gather().strays == ()
    assert place.reason() == ""


def test_what_was_read_before_is_not_read_again(place: Place) -> None:
    """Rows up to the cursor were looked at; it never goes back."""
    place.rows.append(Push(2, "main", place.baseline.sha, "e" * 40, EVE.id))
    place.merge()
    place.rows[-1] = replace(place.rows[-1], id=4)
    facts = place.gather()
    assert (facts.strays, facts.cursor) == ((), 4)


def test_too_much_at_once(place: Place) -> None:
    """Beyond the limits nothing is read any further, and so nothing is approved."""
    for number in (7, 8, 9):
        place.merge(number)
    assert len(place.gather(replace(POLICY, max_steps=3)).movements) == 3
    few = replace(POLICY, max_steps=1)
    assert isinstance(decide(place.gather(few), few), Rejected)
    assert place.gather(replace(POLICY, max_commits=6)).complete
    assert not place.gather(replace(POLICY, max_commits=5)).complete


def event(number: int, kind: str) -> TimelineEvent:
    return TimelineEvent(number, kind, MARA, NOON)


@pytest.mark.parametrize(
    ("kinds", "is_late"),
    [
        (["pull_push", "pull_scheduled_merge"], False),
        (["pull_scheduled_merge", "pull_push"], True),
        (["pull_scheduled_merge", "comment"], False),
        (["pull_scheduled_merge", "pull_cancel_scheduled_merge", "pull_push"], False),
        (["pull_scheduled_merge", "pull_cancel_scheduled_merge", "pull_scheduled_merge", "pull_push"], True),
    ],
)
def test_a_push_after_a_merge_was_scheduled(place: Place, kinds: list[str], *, is_late: bool) -> None:
    """What an operator scheduled was the head of that moment; rows count in their order, however they come."""
    place.merge()
    place.happened = [event(number, kind) for number, kind in enumerate(kinds)][::-1]
    assert place.reason() == ("pushed after the merge was scheduled" if is_late else "")


@pytest.mark.parametrize(
    ("differs", "reason"),
    [
        ({"archived": True}, "archived or a mirror"),
        ({"mirror": True}, "archived or a mirror"),
        ({"default_branch": "dev"}, "default branch changed"),
    ],
)
def test_a_repository_that_is_not_as_it_was(place: Place, differs: dict[str, Any], reason: str) -> None:
    """What the forge says of the repository itself is part of the evidence."""
    place.merge()
    place.seen = replace(place.seen, **differs)
    assert place.reason() == reason


def test_between_two_states_nothing_can_be_said(place: Place) -> None:
    """A branch that moves while it is looked at, and another repository under the name, are asked again."""
    place.merge()
    place.branches.append(Branch("main", "e" * 40, protected=True))
    with pytest.raises(NotNow, match="moved"):
        place.gather()
    place.seen = replace(place.seen, id=6)
    with pytest.raises(NotNow, match="its id is 6"):
        place.gather()


@pytest.mark.parametrize(
    ("differs", "fault"),
    [
        ({"push": True}, "pushing is allowed"),
        ({"mergers": ()}, "anybody may merge"),
        ({"admins_included": False}, "admins are exempt"),
        ({"exceptions": ("a", "b")}, "a, b is on"),
    ],
)
def test_what_the_rule_leaves_open(place: Place, differs: dict[str, Any], fault: str) -> None:
    """Each way past the protection of the branch is a reason to believe no merge; plain readers are not shown the rule."""
    assert protection_faults(RULE) == ()
    place.merge()
    place.rule = replace(RULE, **differs)
    assert place.gather().protection_faults == (fault,)
    assert place.reason() == "protection missing"
    place.is_refused = True
    assert place.reason() == ""


def test_what_the_branch_lets_the_hive_do(place: Place) -> None:
    """The hive's own account may neither push nor merge, and a branch without a rule is not protected."""
    place.merge()
    main = place.branches[-1]
    for open_one in (replace(main, can_push=True), replace(main, can_merge=True), replace(main, protected=False)):
        place.branches[-1] = open_one
        assert place.reason() == "protection missing"
    assert open_to_us(replace(main, protected=False, can_push=True, can_merge=True)) == ()


def test_what_no_configuration_holds(place: Place) -> None:
    """A link that leaves the tree is a bad entry, whoever merged it."""
    git, base = place.origin.git, place.branches[-1].sha
    git("checkout", "-q", "-B", "topic", base)
    head = place.origin.commit({}, links={"out": "../../etc/passwd"})
    git("update-ref", "refs/pull/7/head", head)
    git("checkout", "-q", "main")
    git("merge", "-q", "--no-ff", "-m", "Merge #7", "topic")
    merged = place.origin.keep("HEAD")
    place.pulls[merged] = pull(7, repo=REPO, merged=True, merged_by=MARA, merge_sha=merged, base_repo_id=5)
    place.proposals[head] = frozenset()
    place.push(merged)
    assert place.gather().bad_entries == ("120000 'out'",)
    assert place.reason() == "bad tree"
