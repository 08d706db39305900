"""Issue templates, as the API tells of them."""

from __future__ import annotations

import pytest

from tests.embedded.conftest import ApiEnv, b64

FORM = """\
name: Report
about: Something is wrong
title: "[Bug]: "
labels: [bug, "type/bug"]
body:
- type: markdown
  attributes: {value: Thanks}
- type: textarea
  id: what
  attributes: {label: What happens}
  validations: {required: true}
"""
MARKDOWN = "---\nname: Wish\nabout: What is missing\nlabels: 'wish, later'\n---\n## Why\n\n## What\n"


def put(env: ApiEnv, path: str, text: str) -> None:
    """Commit a file."""
    env.core.post(f"~/contents/{path}", {"content": b64(text), "message": "m", "branch": "main"})


def test_forms_and_markdown(env: ApiEnv) -> None:
    """Of all the places, with the fields of a form and the text of Markdown; a repository has none at first."""
    assert env.core.get("~/issue_templates") == []
    put(env, ".gitea/ISSUE_TEMPLATE/report.yaml", FORM)
    put(env, ".github/ISSUE_TEMPLATE/wish.md", MARKDOWN)
    put(env, ".forgejo/issue_template/own.yml", FORM.replace("Report", "Own"))
    found = {row["name"]: row for row in env.core.get("~/issue_templates")}
    assert set(found) == {"Report", "Wish", "Own"}
    assert found["Report"]["labels"] == ["bug", "type/bug"]
    assert found["Report"]["body"][1]["attributes"] == {"label": "What happens"}
    assert found["Report"]["body"][1]["validations"] == {"required": True}
    assert found["Wish"]["labels"] == ["wish", "later"]
    assert found["Wish"]["content"] == "## Why\n\n## What\n"
    assert found["Wish"]["body"] is None
    assert found["Wish"]["file_name"] == ".github/ISSUE_TEMPLATE/wish.md"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.yml", "blank_issues_enabled: false"),
        ("broken.yaml", "name: ["),
        ("list.yaml", "- a"),
        ("nobody.yaml", "name: x"),
        ("nameless.md", "---\nabout: x\n---\ny"),
        ("plain.md", "## What"),
        ("alias.yaml", "name: x\na: &a [1]\nbody: [*a]"),
        ("note.txt", FORM),
    ],
)
def test_what_is_no_template(env: ApiEnv, name: str, text: str) -> None:
    """It is left out, and hides no other."""
    put(env, f".gitea/ISSUE_TEMPLATE/{name}", text)
    put(env, ".gitea/ISSUE_TEMPLATE/good.yaml", FORM)
    assert [row["name"] for row in env.core.get("~/issue_templates")] == ["Report"]
