"""Which paths are protected: read as in .gitignore, whatever their case."""

from __future__ import annotations

import pytest

from hive.config.protected_paths import PROTECTED, is_covered, mistake


@pytest.mark.parametrize(
    "path",
    [
        *(".github/workflows/ci.yml", ".forgejo/x", ".Gitea/a/b", "CODEOWNERS", "docs/CODEOWNERS", ".hive.yaml"),
        *(
            ".claude/settings.json",
            "site/.claude/hooks/x",
            "AGENTS.md",
            "a/b/agents.md",
            "CLAUDE.local.md",
            ".mcp.json",
        ),
        *(".github", ".claude", "AGENTS.md/x", ".woodpecker.yaml", ".woodpecker/x.yml", ".drone.yml"),
    ],
)
def test_what_steers_others_is_protected(path: str) -> None:
    """Pipelines, reviewers, checks, the instructions of agents, and a link in the place of any of them."""
    assert is_covered(path, PROTECTED)


@pytest.mark.parametrize(
    "path",
    [
        *("app.py", "github/x", "template/.github/workflows/ci.yml", "docs/codeowners.md", "a/.hive.yaml"),
        *("NOTAGENTS.md", "claude/x", ""),
    ],
)
def test_ordinary_files_are_not(path: str) -> None:
    """A template of a pipeline runs nowhere, and a name is a whole name."""
    assert not is_covered(path, PROTECTED)


def test_patterns() -> None:
    """A slash at the beginning or within starts at the top, and a star stays within a name."""
    assert is_covered("docs/a.md", ["docs/*.md"])
    assert not is_covered("x/docs/a.md", ["docs/*.md"])
    assert not is_covered("docs/a/b.md", ["docs/*.md"])
    assert is_covered("x/keys/a/b", ["keys/"])
    assert not is_covered("x/keys/a/b", ["/keys/"])
    for pattern in ("", "/", "a//b", "../x", "a/./b", "a\nb"):
        assert mistake(pattern), pattern
    assert not any(map(mistake, PROTECTED))
