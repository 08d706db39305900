"""The model of `hive review`, which belongs to no hive: named on the command line, paid by who runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bots.model_review import ModelReview, ReviewTask
from hive.app.model_review import ModelReader
from hive.config import ProviderSettings, ReviewerSettings
from hive.config.costs import OwnPrice
from hive.gateway.llm import Model
from hive.gateway.model_question import Asker
from hive.gateway.model_route import ModelRoute
from hive.gateway.pricing import own_prices, price_list
from hive.gateway.review_account import OwnAccount, ReviewPurse
from hive.git_mirror.commits import Commits
from hive.instance.model_keys import NO_KEY


@dataclass(frozen=True, slots=True)
class RangeModel:
    """A model that reads ranges, with the texts that the pull request would have; `cap` is in billionths of a dollar."""

    name: str
    route: ModelRoute
    cap: int
    title: str = ""
    description: str = ""
    is_free: bool = False

    def read(self, commits: Commits, task: ReviewTask, head: str, rules: str) -> ModelReview:
        """What it says of a change; raises GitError and MalformedDiff."""
        own = {self.name: OwnPrice()} if self.is_free else {}
        purse = ReviewPurse(price_list(own_prices(own)), self.cap)
        reader = ModelReader(Asker(lambda _: self.route), ReviewerSettings(model=self.name))
        review = reader.read(commits, task, head, OwnAccount(purse), rules)
        return replace(review, cost=purse.cost, total=purse.cost, tokens=purse.tokens)


@contextmanager
def range_model(name: str, *, url: str, key: str, cap: int, title: str, description: str) -> Iterator[RangeModel]:
    """A model by its name and the address of its server, Anthropic's if that is empty; a server at home costs nothing."""
    model = Model(url=url)
    try:
        route = ModelRoute(model, name, name, lambda: key or NO_KEY)
        yield RangeModel(name, route, cap, title, description, is_free=bool(url) and ProviderSettings(url).is_at_home)
    finally:
        model.close()
