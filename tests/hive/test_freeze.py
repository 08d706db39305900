"""Freeze windows: read or refused with their place, and over when they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hive.config import BadYaml, load
from hive.config.freeze import DAYS, WEEK, frozen_until, is_endless, mistake, read_window

HIVE = """\
forges: {here: {url: http://127.0.0.1:1, kind: embedded}}
teams: {acme: {forge: here, operators: [mara], repos: [app], agents: [iris], lanes: {app: {agent: iris}}}}
"""
WEEKEND = read_window("fri 16:00-mon 08:00")
NIGHT = read_window("22:00-06:00")


def at(text: str) -> datetime:
    """A moment of the week from Monday 2026-11-30."""
    day, hour, minute = text.replace(":", " ").split()
    days = DAYS.index(day)
    return datetime(2026, 11, 30, int(hour), int(minute), tzinfo=UTC) + timedelta(days=days)


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("fri 15:59", None),
        ("fri 16:00", "mon 08:00"),
        ("sun 23:59", "mon 08:00"),
        ("mon 07:59", "mon 08:00"),
        ("mon 08:00", None),
        ("wed 12:00", None),
    ],
)
def test_a_week_end(moment: str, until: str | None) -> None:
    """A window begins with its first minute, and is over with its last, also across the turn of the week."""
    found = frozen_until([WEEKEND], at(moment))
    assert (found and f"{DAYS[found.weekday()]} {found:%H:%M}") == until
    assert found is None or found > at(moment)


def test_each_night() -> None:
    """A window without days comes each day."""
    assert frozen_until([NIGHT], at("wed 23:00")) == at("thu 06:00")
    assert frozen_until([NIGHT], at("thu 05:59")) == at("thu 06:00")
    assert frozen_until([NIGHT], at("thu 06:00")) is None


def test_windows_that_meet_are_one() -> None:
    """The answer is the moment from which something is deployed, not the end of the first window."""
    night = read_window("mon 08:00-mon 10:00")
    assert frozen_until([WEEKEND, night], at("sat 12:00")) == at("mon 10:00") + WEEK
    assert frozen_until([], at("sat 12:00")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fri",
        "fri 16:00",
        "fri 24:00-mon 08:00",
        "fri 16:60-mon 08:00",
        "fri 16:00-08:00",
        "16:00-mon 08:00",
        "fri 16:00-fri 16:00",
        "08:00-08:00",
        "freitag 16:00-mon 08:00",
        "fri 16:00 - mon 08:00",
        "fri 16:00-mon 08:00\n",
    ],
)
def test_what_is_no_window_is_said(text: str) -> None:
    """Half a window, a time that no clock shows and a window without length are mistakes."""
    assert mistake(text).startswith("should ")


def test_a_mistake_has_its_place(tmp_path: Path) -> None:
    """Each window is checked where it stands; together they have to leave time."""
    path = tmp_path / "hive.yaml"
    path.write_text(f"{HIVE}deploy:\n  freeze:\n    - fri 16:00-mon 08:00\n    - 25:00-26:00\n")
    with pytest.raises(BadYaml) as caught:
        load(path)
    assert f"{path}:6:7: deploy.freeze.1: should be as `fri 16:00-mon 08:00`" in str(caught.value)
    path.write_text(f"{HIVE}deploy: {{freeze: ['06:00-18:00', '18:00-06:00']}}\n")
    with pytest.raises(BadYaml, match=r"3:18: deploy\.freeze: should leave a time of the week"):
        load(path)
    path.write_text(f"{HIVE}deploy: {{freeze: ['FRI 16:00-MON 08:00']}}\n")
    assert load(path).deploy.freeze == ("FRI 16:00-MON 08:00",)


MINUTES = st.integers(0, 7 * 24 * 60 - 1)


def written(minute: int) -> str:
    """A minute of the week as it is written."""
    return f"{DAYS[minute // 1440]} {minute // 60 % 24:02}:{minute % 60:02}"


@given(st.lists(st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] != pair[1]), max_size=5), MINUTES)
def test_what_is_over_is_over(pairs: list[tuple[int, int]], now: int) -> None:
    """Windows that leave time end before a week is over, and at their end no window counts."""
    windows = [read_window(f"{written(begin)}-{written(end)}") for begin, end in pairs]
    moment = at("mon 00:00") + timedelta(minutes=now)
    until = frozen_until(windows, moment)
    if is_endless(windows) or until is None:
        return
    assert moment < until < moment + WEEK
    assert frozen_until(windows, until) is None
