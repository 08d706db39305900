"""What is played each night and not at each push: long stories, and a law once more on another forge, engine or container."""

from __future__ import annotations

import os
from typing import TypeVar

import pytest

T = TypeVar("T")
IS_NIGHT = bool(os.environ.get("HIVE_NIGHTLY"))
NIGHTLY = pytest.mark.skipif(not IS_NIGHT, reason="played each night: make night")


def by_night(*values: T) -> tuple[T, ...]:
    """Values of a parameter that are played each night only."""
    return values if IS_NIGHT else ()
