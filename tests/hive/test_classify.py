"""Learned triage: what it learns, how sure it is, and what it does with what is no issue and no model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from bots.classification import DecidedBy
from bots.triage.cleaning import clean
from forge.models import Repo
from hive.classify.classifier import LearnedClassifier, ModelStore, guess_by
from hive.classify.examples import BadExample, read_examples, read_issues
from hive.classify.features import features
from hive.classify.linear_model import Examples, train
from hive.classify.measures import NOTHING, Confusion, threshold
from hive.classify.model_file import BadModel, dumps, loads
from hive.classify.prior import prior
from hive.classify.training import LabelledIssue, Learned, TooFewExamples, learn, learn_from

APP = Repo("forgejo", "acme", "app")
SAYINGS = {
    "bug": ("the {} crashes with an error", "{} fails since the upgrade", "{} is broken: exception"),
    "feature": ("please add support for {}", "it would be nice to have a {}", "allow users to change the {}"),
    "question": ("how can i use the {}?", "what is the {} for?", "is there a way to read the {}?"),
}
THINGS = ("page", "button", "parser", "clock", "index", "mirror", "cache", "lock", "table", "graph")


def made(count: int, *, seed: int, wrong: float = 0.0) -> Iterator[LabelledIssue]:
    """Issues made of sayings; a part of them is labelled wrongly."""
    dice = Random(seed)
    for _ in range(count):
        kind = dice.choice(list(SAYINGS))
        said = [dice.choice(SAYINGS[kind]).format(dice.choice(THINGS)) for _ in range(3)]
        label = dice.choice(list(SAYINGS)) if dice.random() < wrong else kind
        yield LabelledIssue(said[0], "\n\n".join(said[1:]), label)


def test_it_learns_and_says_how_well() -> None:
    """What it learned holds for issues that it has not seen, and it is as sure as it is right."""
    learned = learn(made(300, seed=1, wrong=0.1))
    told = [(issue.kind, *learned.best(features(clean(issue.title, issue.body)))) for issue in made(200, seed=2)]
    assert Confusion.of((kind, said) for kind, said, _ in told).macro_f1 > 0.95
    assert 0.75 < learned.macro_f1 < 0.98, "on labels of which some are wrong"
    assert learned.examples == 300
    assert learned.model.kinds == ("bug", "feature", "question")


def test_of_many_a_tenth_is_never_learned_from() -> None:
    """Learning once has to do where there is much; what it says of itself is still of issues that it has not seen."""
    examples = Examples()
    for each in made(300, seed=13):
        examples.add(features(clean(each.title, each.body)), each.kind)
    learned = learn_from(examples, large=300)
    assert learned.examples == 270
    assert learned.macro_f1 > 0.9
    by_chance = Examples()
    dice = Random(14)
    for each in made(300, seed=14):
        by_chance.add(features(clean(each.title, each.body)), dice.choice(list(SAYINGS)))
    assert learn_from(by_chance, large=300).macro_f1 < 0.6


def test_it_is_silent_where_nothing_can_be_learned() -> None:
    """Labels by chance teach it to say nothing."""
    dice = Random(3)
    by_chance = [replace(issue, kind=dice.choice(list(SAYINGS))) for issue in made(300, seed=3)]
    learned = learn(by_chance)
    assert learned.macro_f1 < 0.5
    assert learned.coverage < 0.1


def test_the_same_examples_make_the_same_model() -> None:
    """Nothing of a model depends on the process that has learned it."""
    assert dumps(learn(made(100, seed=4))) == dumps(learn(made(100, seed=4)))
    program = "from tests.hive.test_classify import *; print(dumps(learn(made(60, seed=4))))"
    said = {
        subprocess.check_output(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, timeout=300
        )
        for seed in ("1", "2")
    }
    assert len(said) == 1


@pytest.mark.parametrize("kinds", [[], ["bug"] * 50, ["bug"] * 50 + ["feature"] * 9])
def test_too_little_to_learn_from(kinds: list[str]) -> None:
    """One kind is no choice; what is there is said."""
    with pytest.raises(TooFewExamples, match="two kinds with 10 examples each"):
        learn(LabelledIssue("x", "", kind) for kind in kinds)


def test_rare_kinds_are_left_out() -> None:
    """A kind with a handful of examples is not learned, the others are."""
    rare = [LabelledIssue("typo", "in the guide", "docs")] * 3
    learned = learn([*made(100, seed=5), *rare])
    assert "docs" not in learned.model.kinds
    assert learned.examples == 100


def test_the_prior_knows_the_obvious() -> None:
    """Without a history the plain cases are told apart, and of the unclear ones nothing is said."""
    crash = guess_by(
        None,
        "App crashes with NullPointerException when saving",
        "Steps to reproduce:\n1. open\n2. save\n\nIt crashes.",
    )
    wish = guess_by(
        None, "Feature request: add support for dark mode", "It would be nice to have an option for a dark theme."
    )
    ask = guess_by(None, "How do I configure a proxy?", "I am wondering how to use it. Can someone help me? Thanks")
    docs = guess_by(None, "docs: typo in the installation guide", "")
    assert [each.kind for each in (crash, wish, ask, docs)] == ["bug", "feature", "question", "docs"]
    assert crash.speaks
    assert wish.speaks
    assert crash.by is DecidedBy.PRIOR
    assert crash.words
    for title in ("", "Hm", "x" * 400, "\x00", "?"):
        assert not guess_by(None, title, "").speaks, title


def test_a_form_is_the_authors_word() -> None:
    """Who chose a kind in a form is believed, by the prior and by a history."""
    said = guess_by(None, "Crash", "### Issue Type\n\nSupport\n\n### What\n\nx")
    assert (said.kind, said.by, said.speaks) == ("question", DecidedBy.EXPLICIT, True)


def test_the_prior_is_small_and_holds_no_text() -> None:
    """It is well below a megabyte, made of words that many share, and what a program writes again."""
    learned = prior()
    text = dumps(learned)
    assert len(text) < 300_000
    assert learned.model.kinds == ("bug", "docs", "feature", "question")
    assert all(len(name) <= 70 and name.count(" ") <= 4 for name in learned.model.weights)
    assert loads(text).model == learned.model


def test_the_page_says_what_the_prior_was_learned_from() -> None:
    """The number of issues in the documents is the one in the file."""
    page = (Path(__file__).parents[2] / "docs" / "triage.md").read_text()
    assert f"estimated on {prior().examples:,} public issues" in page


def test_the_dual_is_solved() -> None:
    """Where one feature tells the class, its weight has the sign of it, and a constant feature tells nothing."""
    examples = Examples()
    for number in range(40):
        examples.add({"always": 1.0, "yes" if number % 2 else "no": 1.0}, "a" if number % 2 else "b")
    model = train(examples)
    assert model.weights["yes"][0] > 1 > -1 > model.weights["no"][0]
    assert abs(model.weights["always"][0]) < 0.2
    assert model.reasons({"always": 1.0, "yes": 1.0}, "a")[0] == "yes"


@pytest.mark.parametrize(
    ("told", "least"),
    [
        ([], 1.01),
        ([(0.9, True)] * 3, 1.01),
        ([(0.9, True)] * 20, 0.9),
        ([(0.9, True)] * 20 + [(0.5, False)] * 20, 0.9),
        ([(0.99, False)] * 20 + [(0.5, True)] * 20, 1.01),
        ([(0.9, True)] * 10 + [(0.9, False)] * 10, 1.01),
    ],
)
def test_thresholds(told: list[tuple[float, bool]], least: float) -> None:
    """It speaks from where it is right often enough; never after a few lucky hits or on a tie with mistakes."""
    assert threshold(told, 0.9) == least


def test_measures() -> None:
    """Silence is a miss for F1 and none for precision."""
    confusion = Confusion.of([("a", "a"), ("a", "b"), ("b", "b"), ("b", NOTHING)])
    assert (confusion.coverage, round(confusion.precision, 3)) == (0.75, 0.667)
    assert (confusion.f1("a"), confusion.f1("b")) == (2 / 3, 0.5)
    assert [line.split() for line in confusion.table()][1] == ["a", "1", "1", "0", "0.67"]
    assert list(Confusion.of([]).table())


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[1]", "should be an object"),
        ("[" * 100_000, "not JSON"),
        ('{"body": "x"}', "title: should be a text (it is missing)"),
        ('{"title": 3}', "title: should be a text (it is int)"),
        ('{"title": "x", "body": []}', "body: should be a text (it is list)"),
        ('{"title": "x", "body": "\xff"}', "not JSON"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, complaint: str) -> None:
    """What is no issue is told with file and line, and nothing after it is read."""
    file = tmp_path / "issues.jsonl"
    file.write_bytes(b'{"title": "fine", "body": null}\n\n' + line.encode("latin-1") + b"\n")
    with pytest.raises(BadExample) as told:
        list(read_issues(file))
    assert f"{file}:3: " in str(told.value)
    assert complaint in str(told.value)


def test_examples_need_a_kind(tmp_path: Path) -> None:
    """Without a kind there is nothing to learn from a line."""
    file = tmp_path / "issues.jsonl"
    for line in ({"title": "x"}, {"title": "x", "kind": " "}, {"title": "x", "kind": 3}):
        file.write_text(json.dumps(line))
        with pytest.raises(BadExample, match=":1: kind: should be a"):
            list(read_examples(file))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "\xff",
        '{"format": 2}',
        "null",
        '{"format": 1, "kinds": ["a"], "weights": {"x": ["y"]}, "bias": [0]}',
    ],
)
def test_what_is_no_model(text: str) -> None:
    """Half a file, another format, and garbage are told as such."""
    with pytest.raises(BadModel):
        loads(text.encode("latin-1"))


def test_a_model_with_a_number_too_few() -> None:
    """A weight for each kind, or it is no model."""
    text = dumps(learn(made(60, seed=6)))
    said = json.loads(text)
    said["bias"].pop()
    with pytest.raises(BadModel, match="one number for each kind"):
        loads(json.dumps(said))


def test_a_repository_has_its_own_model(tmp_path: Path) -> None:
    """Its model decides there only, a newer one at once, and a broken file counts as none."""
    store, classifier = ModelStore(tmp_path / "triage"), LearnedClassifier(tmp_path / "triage")
    strange = [
        replace(issue, kind={"bug": "feature", "feature": "bug"}.get(issue.kind, issue.kind))
        for issue in made(200, seed=7)
    ]
    title, body = "the page crashes with an error", "the page fails since the upgrade"
    assert classifier.guess(APP, title, body).by is DecidedBy.PRIOR
    store.keep(APP, learn(strange, prior()))
    mine = classifier.guess(APP, title, body)
    assert (mine.kind, mine.by) == ("feature", DecidedBy.HISTORY)
    assert classifier.guess(Repo("forgejo", "acme", "site"), title, body).by is DecidedBy.PRIOR
    assert classifier.guess(Repo("forgejo", "ACME", "App"), title, body).by is DecidedBy.HISTORY
    store.path(APP).write_text(store.path(APP).read_text()[:-20])
    assert classifier.guess(APP, title, body).by is DecidedBy.PRIOR
    store.keep(APP, learn(strange, prior()))
    assert classifier.guess(APP, title, body).by is DecidedBy.HISTORY
    store.forget(APP)
    store.forget(APP)
    assert classifier.guess(APP, title, body).by is DecidedBy.PRIOR


def test_learning_needs_no_numpy() -> None:
    """Whoever decides about issues loads nothing that is not Python's own or the hive's."""
    program = "import sys; from hive.classify.classifier import guess_by; guess_by(None, 'x', 'y'); print(sorted(sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", program], text=True, timeout=300)
    assert "'numpy'" not in loaded
    assert "'sklearn'" not in loaded
    assert isinstance(prior(), Learned)
