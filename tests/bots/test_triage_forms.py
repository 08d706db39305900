"""Templates: which one an issue was written with, and what of it is empty."""

from __future__ import annotations

import pytest

from bots.triage.forms import MOST_ASKED, empty_fields, sections, still_empty, template_of
from forge.issue_templates import FormField, IssueTemplate

BUG = IssueTemplate("bug", fields=(FormField("What happened?", True), FormField("Version", True), FormField("Logs")))
WISH = IssueTemplate("wish", fields=(FormField("What is missing?", True), FormField("Version")))
MARKDOWN = IssueTemplate(
    "md",
    content="""\
**Describe the bug**
A clear description of what the bug is.

**To Reproduce**
<!-- step by step -->
1.

## Environment
- OS: [e.g. Linux]

## Additional context
Anything.
""",
)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("### What happened?\n\nx\n\n### Version\n\n1\n\n### Logs\n\n_No response_", BUG),
        ("### what happened\n\nx\n\n### version:\n\n1", BUG),
        ("### What is missing?\n\nx\n\n### Version\n\n1", WISH),
        ("**Describe the bug**\nx\n## Environment\ny", MARKDOWN),
        ("### Summary\n\nx", None),
        ("It is slow.", None),
        ("```\n### What happened?\n### Version\n```", None),
        ("<!-- \n### What happened?\n### Version\n-->", None),
        ("", None),
    ],
)
def test_the_template_is_known_by_its_headings(body: str, found: IssueTemplate | None) -> None:
    """The one of which most headings are there; half of them at least, and none in code or comments."""
    assert template_of(body, [BUG, WISH, MARKDOWN]) == found


@pytest.mark.parametrize("nothing", ["", "_No response_", "n/a", "  ", "<!-- nothing -->", "None", "\u200b"])
def test_empty_answers(nothing: str) -> None:
    """Of a form what is required is missing if nothing is said; what is optional may be left."""
    assert empty_fields(f"### What happened?\n\n{nothing}\n\n### Version\n\n1\n\n### Logs\n", BUG) == (
        "What happened?",
    )


@pytest.mark.parametrize("said", ["x", "```\nTrace\n```", "![](x.png)", "no idea", "0"])
def test_answers(said: str) -> None:
    """Anything that was said is an answer, code too."""
    assert empty_fields(f"### What happened?\n\n{said}\n\n### Version\n\n1\n", BUG) == ()


def test_a_heading_that_was_deleted_is_missing() -> None:
    """Who takes a required field out has not answered it."""
    assert empty_fields("### What happened?\n\nx", BUG) == ("Version",)


def test_markdown_as_it_was_given_is_empty() -> None:
    """The words of the template itself are no answer; optional parts are not asked for, and operators know what they do."""
    assert empty_fields(MARKDOWN.content, MARKDOWN) == ("Describe the bug", "To Reproduce", "Environment")
    assert empty_fields(MARKDOWN.content, MARKDOWN, author_decides=True) == ()
    filled = (
        MARKDOWN.content.replace("[e.g. Linux]", "Debian").replace("1.", "1. Start it").replace("A clear", "Unclear")
    )
    assert empty_fields(filled, MARKDOWN) == ()


def test_what_was_asked_for_is_answered_below_a_heading() -> None:
    """In any order and level, and with headings that were not there before."""
    asked = ("Describe the bug", "Steps to reproduce")
    assert still_empty(MARKDOWN.content, asked, MARKDOWN) == asked
    assert still_empty("# steps to REPRODUCE\nx", asked, None) == ("Describe the bug",)
    assert still_empty("", (), None) == ()


def test_names_of_fields_are_harmless_and_few() -> None:
    """Whoever writes a template cannot leave the block of code, mention anybody, or make the comment long."""
    fields = tuple(FormField(f"{number} ```\n@mara <b>{'x' * 200}", required=True) for number in range(20))
    asked = empty_fields("### a", IssueTemplate("x", fields=fields))
    assert len(asked) == MOST_ASKED
    assert all(len(name) <= 60 and "`" not in name and "\n" not in name for name in asked)


def test_any_text_is_read() -> None:
    """Long and broken ones too."""
    for body in ("#" * 100_000, "**" * 50_000, "```" * 30_000, "### \n" * 10_000, "\ud800", "<!--" * 9_000):
        sections(body)
        assert template_of(body, [BUG]) is None
