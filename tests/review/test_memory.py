"""A finding is said once and followed from push to push: it ends by its code, never because somebody forgot it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from bots.intents import SetVerdict
from bots.models import Category, Finding, Level, Scan, Verdict
from bots.review_intents import EditRemarks, PostReview, ShowReview
from bots.review_rounds import FindingState, RememberedFinding, ReviewRound
from forge.models import Ref, State
from tests.bots.conftest import Still, pull
from tests.review.conftest import Eyes, Handle, only

Golden = Callable[[str, str], None]
Tree = Mapping[str, str]

PULL: Ref = pull().ref
RAN = ("ruff", "ast-grep")
TREE = {"store.py": "a\nb\nsave()\nexcept Exception:\n    pass\nc\nd", "job.py": "x\nrun(word)\ny"}
SILENT = Finding(
    "store.py", 4, Level.RED, Category.SILENT_FAILURE, "py-swallowed", "Error swallowed", engine="ast-grep"
)
SHELL = Finding(
    "job.py", 2, Level.RED, Category.SECURITY, "S602", "Shell with a word of others", "`run`.", engine="ruff"
)
REMARK = Finding("store.py", 1, Level.YELLOW, Category.BUG, "B018", "Found useless expression", engine="ruff")


class Pushes:
    """A pull request that is pushed to, and reviewed each time."""

    def __init__(self, handle: Handle, eyes: Eyes, still: Still) -> None:
        self._handle = handle
        self._eyes = eyes
        self._still = still
        self.count = 0

    def __call__(
        self, *found: Finding, tree: Tree = TREE, known: bool = True, scan: Scan | None = None, **facts: object
    ) -> list[object]:
        """Push a tree in which this is found; without `known` nobody has its text. Returns what the bot wants."""
        self.count += 1
        sha = f"{self.count:x}" * 40
        if known:
            self._eyes.texts[sha] = dict(tree)
        told = replace(scan or Scan(sha, ran=RAN), head_sha=sha, findings=found)
        diff = "".join(_added(path, text) for path, text in tree.items())
        return list(self._handle(told, head_sha=sha, **{"diff": diff, **facts}))

    def ask(self, *found: Finding, **facts: object) -> list[object]:
        """Review the same head again."""
        sha = f"{self.count:x}" * 40
        diff = "".join(_added(path, text) for path, text in self._eyes.texts[sha].items())
        return list(self._handle(Scan(sha, found, RAN), head_sha=sha, diff=diff, **facts))

    @property
    def known(self) -> dict[int, RememberedFinding]:
        """What is remembered, by number."""
        return {each.number: each for each in self.last.findings}

    @property
    def states(self) -> dict[int, str]:
        """The states of what is remembered, by number."""
        return {number: each.state.value for number, each in self.known.items()}

    @property
    def last(self) -> ReviewRound:
        """The last round."""
        return self._still.rounds[PULL]

    def dismiss(self, number: int, why: str = "it is meant so") -> None:
        """An operator dismisses a finding."""
        findings = tuple(
            replace(each, state=FindingState.DISMISSED, by="mara", why=why) if each.number == number else each
            for each in self.last.findings
        )
        self._still.rounds[PULL] = replace(self.last, findings=findings)


def _added(path: str, text: str) -> str:
    rows = text.split("\n")
    head = (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(rows)} @@\n"
    )
    return head + "".join(f"+{row}\n" for row in rows)


@pytest.fixture
def push(handle: Handle, eyes: Eyes, still: Still) -> Pushes:
    """A pull request without any push yet."""
    return Pushes(handle, eyes, still)


def changed(old: str, new: str) -> Tree:
    """The tree with another text in it."""
    assert any(old in text for text in TREE.values())
    return {path: text.replace(old, new) for path, text in TREE.items()}


def said(intents: list[object]) -> list[str]:
    """The titles of what is said on lines."""
    return [remark.body.split("**")[1] for each in intents if isinstance(each, PostReview) for remark in each.comments]


def test_what_was_said_is_not_said_again(push: Pushes) -> None:
    """A finding whose line stands is told as still open, by its number, and no second comment is written about it."""
    assert said(push(SILENT, SHELL)) == ["Error swallowed", "Shell with a word of others"]
    below = changed("a\nb\n", "a\nnew\nb\n")
    second = push(replace(SILENT, line=5), SHELL, tree=below)
    assert said(second) == []
    assert push.states == {1: "still_open", 2: "still_open"}
    posted = only(second, PostReview)
    assert posted.verdict is Verdict.BLOCKED
    assert "### Still open\n- 🔴 1 · **Error swallowed** — `store.py:5` — still open, since round 1" in posted.body


def test_a_fix_ends_a_finding(push: Pushes) -> None:
    """Once its line has changed and no engine finds anything, it is fixed, and the comment on it says where."""
    push(SILENT, SHELL)
    second = push(SHELL, tree=changed("except Exception:\n    pass", "except OSError as e:\n    log(e)"))
    assert push.states == {1: "fixed", 2: "still_open"}
    edit = only(second, EditRemarks)
    assert [(each.number, each.body) for each in edit.edits] == [(1, "✅ ~~**Error swallowed**~~ fixed in `2222222`")]
    third = push(tree=changed("run(word)", "run([word])"))
    assert only(third, PostReview).verdict is Verdict.GOOD
    assert only(third, SetVerdict).status.state is State.SUCCESS


HALF = ("run(word)", "run(word, check=True)\nlog(word)")
WORD = replace(SHELL, rule="S603", title="A word of others")


def test_half_a_fix(push: Pushes) -> None:
    """What is still wrong with a line that was rewritten is the same finding, and the other one on it is fixed; written anew, nothing is left."""
    push(SHELL, WORD)
    second = push(replace(SHELL, line=3), tree=changed(*HALF))
    assert push.states == {1: "still_open", 2: "fixed"}
    assert push.known[1].finding.line == 3
    assert said(second) == []
    push(tree=changed("run(word)", "go()"))
    assert push.states == {1: "fixed", 2: "fixed"}


def test_another_fault_elsewhere_is_another(push: Pushes) -> None:
    """A finding of the same rule that does not stand in place of the first one has a number of its own."""
    push(SHELL)
    second = push(replace(SHELL, line=4), tree=changed("run(word)\ny", "go()\ny\nrun(more)"))
    assert push.states == {1: "fixed", 2: "open"}
    assert said(second) == ["Shell with a word of others"]


@pytest.mark.parametrize(
    "scan",
    [
        Scan("", ran=("ruff",), failed=(("ast-grep", "did not finish within 60 seconds"),)),
        Scan("", ran=RAN, skipped=(("store.py", "is not UTF-8 at byte 3"),)),
        Scan("", failed=(("git", "is away"),)),
    ],
    ids=["engine", "file", "all"],
)
def test_a_failed_engine_ends_nothing(push: Pushes, scan: Scan) -> None:
    """What could not be looked at again is still open, even if its line has changed."""
    push(SILENT)
    push(tree=changed("except Exception:", "except BaseException:"), scan=scan)
    assert push.states == {1: "still_open"}
    assert push.last.verdict == Verdict.BLOCKED.name


def test_a_forgetful_engine_ends_nothing(push: Pushes) -> None:
    """An engine that reports nothing about lines that stand, in a file that stands or about what only they can fix, forgot it."""
    push(SILENT, SHELL)
    push(tree=changed("a\nb\n", "a\nnew\nb\n"))
    assert push.states == {1: "still_open", 2: "still_open"}
    assert push.known[1].finding.line == 5
    push.ask()
    assert push.states == {1: "still_open", 2: "still_open"}


def test_what_is_fixed_elsewhere_is_fixed(push: Pushes) -> None:
    """An undefined name is defined on another line, and its own line stays."""
    undefined = replace(SILENT, line=3, category=Category.BUG, rule="F821", title="Undefined", engine="ruff")
    push(undefined)
    push(tree=changed("a\nb\n", "def save(): ...\nb\n"))
    assert push.states == {1: "fixed"}


def test_a_file_that_is_gone(push: Pushes) -> None:
    """Without the file there is nothing to fix, whoever failed to look."""
    push(SILENT)
    push(tree={"job.py": TREE["job.py"]}, scan=Scan("", failed=(("ast-grep", "is not installed"),)))
    assert push.states == {1: "fixed"}


def test_code_that_moves_takes_its_finding_along(push: Pushes) -> None:
    """The same code in another file is the same finding, and no new one."""
    push(SILENT)
    moved = {"job.py": TREE["job.py"], "other.py": "z\n" + TREE["store.py"]}
    second = push(replace(SILENT, path="other.py", line=5), tree=moved)
    assert said(second) == []
    assert push.states == {1: "moved"}
    assert (push.known[1].finding.path, push.known[1].finding.line) == ("other.py", 5)
    assert "moved here, since round 1" in only(second, ShowReview).body


def test_a_statement_over_several_lines(push: Pushes) -> None:
    """A finding that is shown on another line of its statement, since more of it was touched, is the same one."""
    push(replace(SHELL, line=2, end_line=3))
    again = replace(SHELL, line=1, end_line=3)
    assert said(push(again, tree=changed("x\nrun", "x2\nrun"))) == []
    assert push.states == {1: "still_open"}


def test_a_head_that_nobody_has_any_more(push: Pushes) -> None:
    """Where lines cannot be followed a finding is known by its context; what cannot be found at all stays open if it is red."""
    push(SILENT, SHELL, REMARK)
    push(replace(SILENT, line=6), known=False)
    assert push.states[2] == "still_open"
    assert push.states[3] == "fixed"
    assert push.last.verdict == Verdict.BLOCKED.name


def test_a_force_push_that_rebases(push: Pushes) -> None:
    """Other commits below the same code change nothing of what is known."""
    push(SILENT)
    second = push(replace(SILENT, line=7), tree=changed("a\nb\n", "new\nnewer\nolder\na\nb\n"), base_sha="c" * 40)
    assert said(second) == []
    assert push.states == {1: "still_open"}


def test_a_retarget_that_leaves_the_code_behind(push: Pushes) -> None:
    """What the new base has already is no longer part of the change."""
    push(SILENT)
    diff = _added("job.py", TREE["job.py"])
    push(base_branch="dev", diff=diff)
    assert push.states == {1: "gone"}


def test_a_fault_that_returns(push: Pushes) -> None:
    """A fix that is taken back opens the same finding again, and it is said again."""
    push(SILENT)
    push(tree=changed("except Exception:", "except OSError:"))
    assert said(push(SILENT)) == ["Error swallowed"]
    assert push.states == {1: "open"}


def test_rounds_narrow(push: Pushes) -> None:
    """New remarks of the second round are about lines that changed since the first; from the third on only red is said."""
    push(SILENT)
    second = changed("c\nd", "c2\nd")
    on_old, on_new = REMARK, replace(REMARK, line=6, title="Useless as well")
    assert said(push(SILENT, on_old, on_new, tree=second)) == ["Useless as well"]
    third = changed("c\nd", "c3\nd")
    new_red = replace(SILENT, line=7, title="Another one")
    intents = push(SILENT, on_old, replace(REMARK, line=6, rule="B019"), new_red, tree=third)
    assert said(intents) == ["Another one"]
    assert "2 🟡 not said" in only(intents, ShowReview).body


def test_full_says_all(push: Pushes) -> None:
    """`/review full` says what was withheld, and lets go of what no engine finds any more."""
    push(SILENT)
    push(SILENT, REMARK, tree=changed("c\nd", "c2\nd"))
    assert said(push.ask(REMARK, again=True, full=True)) == ["Found useless expression"]
    assert push.states == {1: "fixed", 2: "open"}


def test_a_dismissed_finding_is_silent(push: Pushes) -> None:
    """What an operator dismissed blocks no more, and its comment says who and why."""
    push(SILENT, SHELL)
    push.dismiss(1, "@all of us know, see #3")
    intents = push.ask(SILENT, SHELL)
    assert push.states == {1: "dismissed", 2: "still_open"}
    assert [each.body for each in only(intents, EditRemarks).edits] == [
        "⚪ ~~**Error swallowed**~~ dismissed by mara: @\u2060all of us know, see #\u20603"
    ]
    push.dismiss(2)
    assert only(push.ask(SILENT, SHELL), PostReview).verdict is Verdict.GOOD
    assert said(push(replace(SILENT, line=5), SHELL, tree=changed("a\nb\n", "a\nnew\nb\n"))) == []


def test_a_dismissed_finding_whose_code_changes(push: Pushes) -> None:
    """A dismissal is for the code that it was about: of other code it is said again."""
    push(SHELL)
    push.dismiss(1)
    push.ask(SHELL)
    assert push.states == {1: "dismissed"}
    assert said(push(SHELL, tree=changed("run(word)", "run(other)"))) == ["Shell with a word of others"]
    assert push.states == {1: "open"}
    assert push.last.verdict == Verdict.BLOCKED.name


def test_numbers_are_never_used_twice(push: Pushes) -> None:
    """`/fix 2` means the same finding in every round."""
    push(SILENT, SHELL)
    push(SHELL, tree=changed("except Exception:", "except OSError:"))
    push(SHELL, replace(SILENT, line=6, title="New"), tree=changed("except Exception:", "except OSError:"))
    assert [(number, each.finding.title) for number, each in push.known.items()] == [
        (1, "Error swallowed"),
        (2, "Shell with a word of others"),
        (3, "New"),
    ]


def test_each_reviewed_head_is_kept(push: Pushes, eyes: Eyes) -> None:
    """A head stays comparable after a push that replaces it."""
    push(SILENT)
    push(SILENT)
    push.ask(SILENT)
    assert eyes.kept == [("1" * 40, 1), ("2" * 40, 2), ("2" * 40, 2)]


def test_how_a_review_stands_golden(push: Pushes, golden: Golden) -> None:
    """One comment shows the verdict, what is open, what was fixed, what could not be reviewed, and what one can do."""
    push(SILENT, SHELL, REMARK)
    push.dismiss(3)
    tests = Finding(
        "test_a.py", 4, Level.GREEN, Category.PRAISE, "tests-with-code", "Tests come with the code", "2 new."
    )
    scan = Scan("", ran=("ruff",), failed=(("ast-grep", "did not finish within 60 seconds"),))
    intents = push(REMARK, SHELL, tests, tree=changed("a\nb\n", "a\nnew\nb\n"), scan=scan)
    golden("review/standing-blocked.md", only(intents, ShowReview).body)
    golden("review/round-2.md", only(intents, PostReview).body)
    fixed = changed("except Exception:\n    pass", "except OSError as e:\n    log(e)")
    tree = {path: text.replace("run(word)", "run([word])") for path, text in fixed.items()}
    golden("review/standing-good.md", only(push(REMARK, tests, tree=tree), ShowReview).body)
