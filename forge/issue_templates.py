"""Issue templates of a repository, as its forge reads them: forms in YAML, and Markdown. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of an issue form by its label; what is `required` the forge's page demands, and its API does not."""

    label: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class IssueTemplate:
    """One template. `labels` are those it gives to an issue; it has `fields` if it is a form, else `content` in Markdown."""

    name: str
    title: str = ""
    labels: tuple[str, ...] = ()
    content: str = ""
    fields: tuple[FormField, ...] = ()
