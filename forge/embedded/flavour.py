"""What differs between the real forges that the embedded one can behave as: values only, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flavour:
    """One dialect. Each field was seen to differ between Forgejo 10, Forgejo 17 and Gitea 1.26."""

    name: str
    version: str
    word: str
    """What a refusal on the terminal of a git client begins with."""
    pull_url_is_api: bool
    repo_tokens: bool
    admins_key: str
    """Protection key that includes admins."""
    merge_refusal: str
    """How a merge that protection forbids is refused; `{}` is the reason."""
    hook_patch_keeps_authorization: bool
    hook_types: tuple[str, ...]
    extra_events: tuple[str, ...]
    push_commits: int
    """How many commits a push event lists."""
    stale_sha_status: int
    compare_by_sha: bool
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


FORGEJO_17 = Flavour(
    name="forgejo-17",
    version="17.0.0-dev-d883bd8f+gitea-1.22.0",
    word="Forgejo: ",
    pull_url_is_api=True,
    repo_tokens=True,
    admins_key="apply_to_admins",
    merge_refusal="not allowed to merge [reason: {}]",
    hook_patch_keeps_authorization=True,
    hook_types=("forgejo", "gitea"),
    extra_events=("action_run_failure", "action_run_recover", "action_run_success"),
    push_commits=15,
    stale_sha_status=409,
    compare_by_sha=True,
    own_permission=True,
    repo_moved_status=301,
    org_labels_by_name=True,
    label_removed_by_name=True,
    pulls_by_branch=True,
    reviewers_on_create=False,
    reaction_again_status=500,
    unknown_status_sha=404,
)

FLAVOURS = {flavour.name: flavour for flavour in (FORGEJO_17,)}
