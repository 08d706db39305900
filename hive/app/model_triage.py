"""Lets a language model say what an issue is, where nothing else is sure. It has no tool, and code admits what it says."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from secrets import token_hex

from bots.classification import Classifier, DecidedBy, Guess
from bots.markdown import fenced
from bots.money import exactly
from bots.triage.decision import ALIASES, suspects_injection
from forge.models import Ref, Repo
from hive.gateway.budget import caps_of
from hive.gateway.model_question import Asker, ModelQuestion, NoAnswer, Patience, QuestionAccount
from hive.gateway.pricing import own_prices, price_list
from hive.gateway.review_account import ReviewAccount, ReviewPurse
from hive.instance.instance import Instance
from hive.instance.model_routes import ModelRoutes
from hive.instance.running_agent import keys_of
from hive.ledger import Spender
from hive.ledger.budgets import WORKERS

log = logging.getLogger("hive.app.model_triage")

UNCLEAR = "unclear"
LONGEST_TEXT = 12_000
LONGEST_QUOTE = 100
TOKENS = 2_000
"""The longest answer, thinking included."""

CONFIDENCE = 0.9
"""How sure its word counts as; it is not measured."""

NO_ISSUE = 2**31 - 1
"""What questions about a repository's issues are booked on: they come without their number, and no issue has this one."""

PATIENCE = Patience(tries=1, answer=60.0)
"""A question holds a thread of the worker."""

SCHEMA = {
    "type": "object",
    "properties": {"kind": {"type": "string", "enum": [*ALIASES, UNCLEAR]}, "quote": {"type": "string"}},
    "required": ["kind", "quote"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class AskingClassifier:
    """Asks a model only what the learned ones are not sure of, and nothing about a text that talks to machines.

    `account` pays for a question about an issue of a repository.
    """

    learned: Classifier
    asker: Asker
    model: str
    account: Callable[[Repo], QuestionAccount]

    @classmethod
    def of(cls, instance: Instance, learned: Classifier) -> AskingClassifier:
        """The model that is configured, on the account of triage."""
        settings = instance.settings
        routes = ModelRoutes(settings.model, keys_of(instance))
        prices = price_list(own_prices(settings.model.prices_of(*settings.triage.models)))
        cap = None if settings.triage.budget == "none" else exactly(settings.triage.budget)
        caps = replace(caps_of(settings.budget, {}), run=None, issue=None)  # which issue it is, nobody has said
        owner = f"{WORKERS}{token_hex(8)}"

        def account(repo: Repo) -> ReviewAccount:
            who = Spender(settings.team_of(repo) or "", settings.account("triage"), str(Ref(repo, NO_ISSUE)), 0, 0)
            return ReviewAccount(instance.ledger, who, caps, ReviewPurse(prices, cap), owner)

        return cls(learned, Asker(lambda name: routes.route(name, ""), PATIENCE), settings.triage.model, account)

    def guess(self, repo: Repo, title: str, body: str) -> Guess:
        """What an issue is; what the learned models say where this one does not answer, or not in its form."""
        found = self.learned.guess(repo, title, body)
        if found.speaks or not f"{title}{body}".strip() or suspects_injection(title, body):
            return found
        text = f"{title}\n\n{body[:LONGEST_TEXT]}"
        question = ModelQuestion(
            _prompt(), fenced("issue", text, author="somebody", standing="unknown"), SCHEMA, TOKENS
        )
        try:
            kind, quote = self.asker.ask(
                self.model, question, self.account(repo), lambda answer: admitted(answer, text)
            )
        except (NoAnswer, ValueError) as error:
            log.warning("model_triage repo=%s error=%r", repo, str(error)[:200])
            return found
        if kind == UNCLEAR:
            return found
        return Guess(kind, CONFIDENCE, DecidedBy.LANGUAGE_MODEL, speaks=True, words=(quote,))


def admitted(answer: str, text: str) -> tuple[str, str]:
    """The kind and the quote of an answer; raises ValueError for another form, another kind, or words that are not in the issue."""
    said = json.loads(answer.strip().removeprefix("```json").removeprefix("```").removesuffix("```"))
    if not isinstance(said, dict) or said.keys() != {"kind", "quote"}:
        raise ValueError("it is no object with kind and quote")
    kind, quote = said["kind"], said["quote"]
    if not isinstance(kind, str) or kind not in {*ALIASES, UNCLEAR} or not isinstance(quote, str):
        raise ValueError("it names no kind that there is")
    quote = " ".join(quote.split())
    if kind != UNCLEAR and not (0 < len(quote) <= LONGEST_QUOTE and quote in " ".join(text.split())):
        raise ValueError("its quote is not in the issue")
    return kind, quote


@cache
def _prompt() -> str:
    return resources.files("bots.prompts").joinpath("triage.md").read_text(encoding="utf-8")
