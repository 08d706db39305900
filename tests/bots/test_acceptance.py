"""The acceptance criteria of an issue are found where people write them."""

from __future__ import annotations

import pytest

from bots.acceptance import LONGEST, MOST, acceptance_criteria


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("", ()),
        ("Please mend it.\n\n- one\n- two", ()),
        ("- [ ] one\n- [x] two\n* [X] three\n1. [ ] four", ("one", "two", "three", "four")),
        ("## Acceptance criteria\n\n- one\n- two\n\n## Notes\n- three", ("one", "two")),
        ("**Done when:**\n1. one\n2. two\n\nThat is all.\n- three", ("one", "two")),
        ("### Definition of Done\n* one", ("one",)),
        ("Acceptance tests\n- one", ("one",)),
        ("Done when it works.\n- one", ()),
        ("Acceptance\n- one\n  more of it\n- two", ("one", "two")),
        ("```\n- [ ] no\n```\n- [ ] yes", ("yes",)),
        ("~~~\n```\n- [ ] no\n~~~\n- [ ] yes", ("yes",)),
        ("- [ ] one <!-- hidden -->\n<!-- \n- [ ] two\n-->", ("one",)),
        ("# Acceptance\r\n\r\n- one\r\n- two\r\n", ("one", "two")),
    ],
)
def test_where_they_stand(body: str, found: tuple[str, ...]) -> None:
    """Items of task lists are criteria, else those of a list below such a title; code and what is hidden are none."""
    assert acceptance_criteria(body) == found


def test_bounds() -> None:
    """An issue can make no pull request endless."""
    found = acceptance_criteria("\n".join(f"- [ ] {'x' * 1000}" for _ in range(100)))
    assert len(found) == MOST
    assert {len(each) for each in found} == {LONGEST}
    assert acceptance_criteria("# Acceptance " * 20_000) == ()
