"""The JSON of issue templates, as Forgejo and Gitea send it (`GET …/issue_templates`). Performs no I/O."""

from __future__ import annotations

from typing import Any

from forge.gitea.json_value import JsonValue
from forge.gitea.schema import Many, Maybe, Text, Words, read, record
from forge.issue_templates import FormField, IssueTemplate

MOST_FIELDS = 40
_SHOWN = ("textarea", "input", "dropdown")
"""Fields whose answer is text below a heading; `markdown` is no field, and what `checkboxes` ask for is consent."""


@record
class FormFieldRecord:
    """A field of a form; what its attributes and validations hold is its author's, of any type."""

    type: Text
    attributes: Maybe[Any]
    validations: Maybe[Any]
    visible: Maybe[Any]


@record
class TemplateRecord:
    """A template; `body` is null for one in Markdown."""

    name: Text
    title: Words
    content: Words
    labels: Many[Any]
    body: Many[FormFieldRecord]


def issue_template(field: JsonValue) -> IssueTemplate:
    """One template."""
    row = read(TemplateRecord, field)
    labels = tuple(label for label in row.labels or () if isinstance(label, str))
    fields = tuple(filter(None, (_field(each) for each in (row.body or ())[:MOST_FIELDS])))
    return IssueTemplate(row.name, row.title or "", labels, "" if fields else row.content or "", fields)


def _field(row: FormFieldRecord) -> FormField | None:
    label = row.attributes.get("label") if isinstance(row.attributes, dict) else None
    hidden = isinstance(row.visible, list) and "content" not in row.visible
    if row.type not in _SHOWN or not isinstance(label, str) or not label.strip() or hidden:
        return None
    required = isinstance(row.validations, dict) and row.validations.get("required") is True
    return FormField(" ".join(label.split()), required)
