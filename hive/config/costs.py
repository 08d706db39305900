"""What may be spent, and what models of one's own cost: pieces of `hive.yaml`. Amounts are in US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Le

from hive.codec import STRICT

Dollars = Annotated[float, Ge(0), Le(1_000_000)]


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """What a model costs, in US dollars for a million tokens; a class that is not named costs nothing."""

    input: Dollars = 0.0
    """Tokens that it reads, beside those below."""

    output: Dollars = 0.0
    """Tokens that it writes, thinking included."""

    cache_read: Dollars = 0.0
    """Tokens that it reads from its cache."""

    cache_write: Dollars = 0.0
    """Tokens that are written to its cache."""

    __pydantic_config__: ClassVar = STRICT
