"""What checks of configuration share: they read data of any shape, and tell what breaks a rule and where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hive.codec import FieldError
from hive.config.naming import Rule, folded
from hive.config.yaml_loader import Place, shown

MAX_WORDS: Final = 200
MAX_WORD: Final = 100


def each(place: Place, values: Any, rule: Rule, *, unique: bool = True) -> Iterator[FieldError]:
    """Every text of a list by one rule, none of them twice."""
    seen: dict[str, str] = {}
    for index, value in enumerate(items(values)):
        if isinstance(value, str):
            yield from wrong((*place, index), rule(value))
            if unique and (first := seen.setdefault(folded(value), f"{index}:{value}")) != f"{index}:{value}":
                yield FieldError(
                    (*place, index), f"{shown(value)} stands here twice: {shown(first.partition(':')[2])} is before it"
                )


def each_word(place: Place, words: Any) -> Iterator[FieldError]:
    """Every word of a list by the rule for what people write in issues, and how many there are."""
    if len(items(words)) > MAX_WORDS:
        yield FieldError(place, f"should hold at most {MAX_WORDS} (it holds {len(words)})")
    for index, word in enumerate(items(words)):
        if isinstance(word, str) and (not word.strip() or len(word) > MAX_WORD or not word.isprintable()):
            yield FieldError((*place, index), f"should be 1 to {MAX_WORD} characters on one line (it is {shown(word)})")


def wrong(place: Place, reason: str, *, at_key: bool = False) -> Iterable[FieldError]:
    """The error at a place, if a rule gave a reason."""
    return [FieldError(place, reason, at_key=at_key)] if reason else []


def texts(value: Any) -> list[str]:
    """The texts of a list; what is none is told elsewhere."""
    return [item for item in items(value) if isinstance(item, str)]


def mapping(value: Any) -> Mapping[str, Any]:
    """The value, if it has keys; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """The value, if it is a list; else an empty one."""
    return value if isinstance(value, list) else []
