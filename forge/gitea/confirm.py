"""Doing a thing once, though the answer may say nothing. Performs no I/O of its own.

An answer that proves nothing (a time-out, a 500) may hide a write that happened: it is looked up
before the failure is believed. Forgejo 10 answers 500 to every comment on a pull request that a
webhook listens to, and has written it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from forge.protocol import NotFound, Unavailable

T = TypeVar("T")


def once(find: Callable[[], T | None], make: Callable[[], T], *, none_yet: bool = False) -> T:
    """Make what is not there; after an answer that says nothing, look once more.

    With `none_yet` it is known not to be there, and the first look is spared.
    """
    found = None if none_yet else find()
    if found is not None:
        return found
    try:
        return make()
    except Unavailable:
        found = find()
        if found is None:
            raise
        return found


def sure(do: Callable[[], object], done: Callable[[], bool]) -> None:
    """Do what is not done; after an answer that says nothing, look whether it is done now."""
    if done():
        return
    try:
        do()
    except Unavailable:
        if not done():
            raise


def gone(look: Callable[[], object]) -> bool:
    """Whether something is not there; what has moved elsewhere still raises NotFound."""
    try:
        look()
    except NotFound as error:
        if error.status not in {0, 404, 410}:
            raise
        return True
    return False
