"""The differences between forges that the embedded one imitates; the values are in `flavours.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEFT_OUT: Any = object()
"""Stands for an empty value whose key is not told at all."""


@dataclass(frozen=True, slots=True)
class Flavour:
    """One dialect. Each field was seen to differ between Forgejo 10, Forgejo 17 and Gitea 1.26."""

    name: str
    version: str
    is_forgejo: bool
    """Whether `/api/forgejo/v1` is there."""
    cache_control: str

    # How things are told.
    hidden: Mapping[str, frozenset[str]]
    """Keys that a kind of thing does not have here; its shape is written with the keys of all flavours."""
    empty: Mapping[str, Mapping[str, Any]]
    """How an empty value of a key is serialised: `None`, or LEFT_OUT."""
    words: tuple[tuple[str, str], ...]
    """Patterns of refusals, as Forgejo 17 words them, and the same in other words; an error that becomes empty is left out."""
    absent: frozenset[str]
    """Lines of the route table that are not there."""
    pull_url_is_api: bool
    lists_are_short: bool
    """Whether a list of pull requests leaves out how much they change and who is asked."""
    counts_whatever: bool
    """Whether a pull request without a branch says that it changes 0 lines, instead of nothing about lines."""
    base_missing: str
    bad_ref: str
    """The message about contents at a ref that is not there."""
    scope_refusal: str
    """Of a token that may not: `{need}` is the scope, `{scopes}` are those that it has."""
    unknown_branch: str
    """Of a commit to a branch that is not there: `{name}` of `{repo_id}`."""
    merge_refusal: str
    """How a merge that protection forbids is refused; `{}` is the reason."""
    merged_already: str
    label_refusal: str | None
    """The answer to a reader who labels: None is an empty answer, `<html>` a page."""
    token_is_repeated: bool
    """Whether a 401 repeats the word that it refuses: a secret, if that was only mistyped."""

    # What is allowed, and with which status.
    repo_tokens: bool
    tokens_by_token: bool
    """Whether somebody's tokens are listed to one of them."""
    sudo_scope: bool
    """Whether the scope `sudo` is taken, and means nothing."""
    repo_delete_scope: str
    """The further scope that deleting a repository of an organisation takes."""
    admins_key: str
    """Protection key that includes admins."""
    manual_merge_by_patch: bool
    """Whether the setting `allow_manual_merge` can be changed."""
    unit_teams_have_mode: bool
    """Whether a team with levels for single units has a level of its own, the lowest of them."""
    stale_sha_status: int
    put_creates: bool
    """Whether PUT of a file without a sha makes a new one."""
    own_permission: bool
    """Whether someone may ask for his own permission on a repository."""
    repo_moved_status: int
    org_labels_by_name: bool
    label_removed_by_name: bool
    pulls_by_branch: bool
    """Whether the list of pull requests can be asked for a head or a base."""
    reviewers_on_create: bool
    reaction_again_status: int
    unknown_status_sha: int
    unknown_state: int
    """The status for a word that is no state of an issue."""
    comment_on_unknown: int
    pull_comment_crashes: bool
    """Whether a comment on a pull request by API answers 500 when a hook listens: it is written, and not told."""

    remark_past_end_crashes: bool
    """Whether a remark past the end of its file ends a review with 500, which leaves it pending with those before it."""
    absent_label_status: int
    """The status for taking away a label that is not there."""

    # Hooks.
    hook_types: tuple[str, ...]
    hook_headers: tuple[str, ...]
    """Whose headers deliveries have."""
    hook_target: bool
    """Whether headers say what the hook belongs to."""
    hook_patch_keeps_authorization: bool
    extra_events: tuple[str, ...]
    events_in_order: bool
    """Whether the events of a hook are read back in a fixed order."""
    reviews_are_one_event: bool
    """Whether a hook has one event for reviews, instead of three."""
    push_commits: int
    """How many commits a push event lists."""
    told_when_same: bool
    """Whether saving an unchanged comment sends an event; if not, the answer names no user."""
    replaced_labels_told: bool
    """Whether the event of replaced labels shows the new ones, instead of none."""

    # What git says.
    push_refusal: str
    """What a refused push says; `{}` is the reason."""
