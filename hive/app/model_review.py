"""Lets a model read a change: what it is shown, asked and believed, step by step. It holds no credential and has no tool."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from secrets import token_hex

from bots.model_review import MODEL, ModelReview, ReviewTask, SecondLook
from bots.models import Finding
from bots.money import exactly
from bots.review_admission import REFUTED, Admitted, admit, reds, settled
from bots.review_prompt import (
    REVIEW_SCHEMA,
    VERIFY_SCHEMA,
    claim_prompt,
    instructions,
    read_claims,
    read_look,
    review_prompt,
)
from forge.diff import MalformedDiff
from forge.models import PullRequest, Ref
from forge.protocol import Unavailable
from hive.config import ReviewerSettings
from hive.gateway.budget import caps_of
from hive.gateway.model_question import Asker, ModelQuestion, NoAnswer, QuestionAccount
from hive.gateway.pricing import PriceList, own_prices, price_list
from hive.gateway.review_account import ReviewAccount, ReviewPurse
from hive.git_mirror.commits import Commits
from hive.git_mirror.errors import GitError, GitInterrupted
from hive.inspect.fetch import MirrorOf, base_of
from hive.inspect.review_context import ReviewContext, collect
from hive.inspect.review_policy import read_rules
from hive.instance.instance import Instance
from hive.instance.model_routes import ModelRoutes
from hive.instance.running_agent import keys_of
from hive.ledger import Spender
from hive.ledger.budgets import WORKERS
from hive.scan.leaks import keys_in

REVIEW_TOKENS, VERIFY_TOKENS = 24_000, 4_000
"""The longest answers, thinking included."""

OVERHEAD = 5_000
"""Tokens of instructions, rules and the texts of a pull request, which have their room beside the change."""

SHARE = 0.6
"""The share of a model's window that a change may take, if it is known (`model.traits`): its answer needs the rest."""

LONGEST = 900.0
"""Seconds after which no second look is begun: a review holds a thread of the worker."""

LATE = "the review took longer than {seconds:.0f} seconds"
KEYS = "with what looks like a key"
ODD = "in no form that is understood"
UNCHECKED = "{count} of its 🔴 could not be checked: {why}"


@dataclass(frozen=True, slots=True)
class ModelReader:
    """Reads changes with a model, and has what blocks checked by a second look."""

    asker: Asker
    settings: ReviewerSettings
    longest: float = LONGEST

    def read(self, commits: Commits, task: ReviewTask, head: str, account: QuestionAccount, rules: str) -> ModelReview:
        """What a model says of a change, as far as it is admitted. Raises GitError, MalformedDiff and sqlite3.Error."""
        room = max(self.settings.tokens - OVERHEAD, OVERHEAD // 2)
        context = collect(commits, task, head, room=room)
        review = ModelReview(self.settings.model, unread=context.unread)
        if not context.files:
            return review
        review = replace(review, read=tuple(context.sources))
        text = review_prompt(task, context.files, definitions=context.definitions, unread=context.unread)
        question = ModelQuestion(instructions(_prompt("review"), rules), text, REVIEW_SCHEMA, REVIEW_TOKENS)
        try:
            claims, odd = self.asker.ask(self.settings.model, question, account, read_claims, again=task.again)
        except NoAnswer as error:
            return replace(review, failed=str(error), may_pass=error.may_pass)
        # What a model said before is known by its place at an earlier head: it is recognised where findings are followed.
        known = [item for item in task.findings if item.engine != MODEL]
        admitted = admit(claims, context.sources, known)
        looks, unchecked = self._checked(admitted, context, account, task.again)
        findings, refuted = settled(admitted.claims, looks)
        safe = tuple(item for item in findings if not keys_in(_words(item)))
        withheld = admitted.withheld + Counter({ODD: odd, REFUTED: refuted, KEYS: len(findings) - len(safe)})
        return replace(
            review,
            findings=safe,
            failed=str(unchecked or ""),
            may_pass=unchecked is not None and unchecked.may_pass,
            withheld=tuple(sorted((+withheld).items())),
            checked=len(looks),
        )

    def _checked(
        self, admitted: Admitted, context: ReviewContext, account: QuestionAccount, again: str
    ) -> tuple[Mapping[int, tuple[SecondLook, str]], NoAnswer | None]:
        """A second look at each red claim, by its place; and why some had none."""
        looks: dict[int, tuple[SecondLook, str]] = {}
        until = time.monotonic() + self.longest
        waiting = reds(admitted.claims)
        for at in waiting:
            if time.monotonic() > until:
                late = LATE.format(seconds=self.longest)
                return looks, _unchecked(len(waiting) - len(looks), NoAnswer(late, may_pass=True))
            claim = admitted.claims[at]
            text = claim_prompt(claim, context.sources[claim.path])
            question = ModelQuestion(instructions(_prompt("verify"), ""), text, VERIFY_SCHEMA, VERIFY_TOKENS)
            try:
                looks[at] = self.asker.ask(self.settings.second, question, account, read_look, again=again)
            except NoAnswer as error:
                return looks, _unchecked(len(waiting) - len(looks), error)
        return looks, None


@dataclass(frozen=True, slots=True)
class PullReviewer:
    """The model of a hive that reads pull requests, on the account of the bot that reviews them."""

    instance: Instance
    mirror: MirrorOf
    reader: ModelReader
    prices: PriceList
    owner: str

    @classmethod
    def of(cls, instance: Instance, mirror: MirrorOf) -> PullReviewer:
        """The model that is configured."""
        settings = instance.settings
        routes = ModelRoutes(settings.model, keys_of(instance))
        asker = Asker(lambda name: routes.route(name, ""))
        window = settings.model.traits_of(settings.review.model).window
        review = settings.review
        if window:
            review = replace(review, tokens=min(review.tokens, int(window * SHARE)))
        prices = price_list(own_prices(settings.model.prices_of(*settings.review.models)))
        return cls(instance, mirror, ModelReader(asker, review), prices, f"{WORKERS}{token_hex(8)}")

    def review(self, pull: PullRequest, task: ReviewTask) -> ModelReview:
        """Let it read what a pull request brings; a model that does not answer is a review that failed."""
        account = self._account(pull.ref)
        with _readable(pull.ref):
            mirror = self.mirror(pull.ref.repo)
            try:
                rules = read_rules(mirror, base_of(mirror, pull))
                review = self.reader.read(mirror, task, pull.head_sha, account, rules)
            except GitInterrupted:
                raise
            except (GitError, MalformedDiff) as error:
                review = ModelReview(self.reader.settings.model, failed=f"git: {error}")
        total = self.instance.ledger.spending.of_reviews(str(pull.ref))
        return replace(review, cost=account.purse.cost, total=total, tokens=account.purse.tokens)

    def _account(self, ref: Ref) -> ReviewAccount:
        settings = self.instance.settings
        team = settings.team_of(ref.repo) or ""
        who = Spender(team, settings.account("review"), str(ref), 0, 0)
        budget = settings.review.budget
        purse = ReviewPurse(self.prices, None if budget == "none" else exactly(budget))
        return ReviewAccount(self.instance.ledger, who, caps_of(settings.budget, {}), purse, self.owner)


def _unchecked(count: int, why: NoAnswer) -> NoAnswer:
    """Why so many claims had no second look. The looks that there were are not paid for again."""
    return NoAnswer(UNCHECKED.format(count=count, why=why), may_pass=why.may_pass)


@contextmanager
def _readable(ref: Ref) -> Iterator[None]:
    try:
        yield
    except GitInterrupted as error:
        raise Unavailable(f"{ref} cannot be looked at now: {error}") from error


def _words(item: Finding) -> bytes:
    """All that a model wrote in a finding."""
    parts = (item.title, item.why, item.suggestion or "", item.evidence)
    return "\n".join(parts).encode("utf-8", "replace")


@cache
def _prompt(name: str) -> str:
    return resources.files("bots.prompts").joinpath(f"{name}.md").read_text(encoding="utf-8")
