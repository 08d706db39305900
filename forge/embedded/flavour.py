"""What differs between the real forges that the embedded one can behave as: values only, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    """As what an empty value of a key is told: `None`, or LEFT_OUT."""
    words: tuple[tuple[str, str], ...]
    """Patterns of refusals, as Forgejo 17 words them, and the same in other words; an error that becomes empty is left out."""
    absent: frozenset[str]
    """Lines of the route table that are not there."""
    pull_url_is_api: bool
    lists_are_short: bool
    """Whether a list of pull requests leaves out how much they change and who is asked."""
    raw_cache_control: str
    counts_whatever: bool
    """Whether a pull request without a branch says that it changes 0 lines, instead of nothing about lines."""
    agit_label: bool
    """Whether the head of a pull request by push has its topic as label."""
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
    """What a reader who labels is told: None is an empty answer, `<html>` a page."""
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
    milestone_keeps_due: bool
    """Whether a milestone that is changed keeps a date that is not told again."""
    stale_sha_status: int
    put_creates: bool
    """Whether PUT of a file without a sha makes a new one."""
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
    combined_looks_up: bool
    """Whether the combined status looks for its commit: links to it, and 404 for one that is not there."""
    unknown_state: int
    """The status for a word that is no state of an issue."""
    comment_on_unknown: int
    runs_for_admins: bool
    """Whether only admins of a repository see its workflow runs."""
    agit_deletion_crashes: bool
    """Whether a merge that is to delete the branch of a pull request by push answers 500, and has merged."""
    pull_comment_crashes: bool
    """Whether a comment on a pull request by API answers 500 when a hook listens: it is written, and not told."""

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
    """Whether saving an unchanged comment is told; if not, the answer names no user."""
    told_deletion: bool
    """Whether the deletion of an issue is told."""
    replaced_labels_told: bool
    """Whether the event of replaced labels shows the new ones, instead of none."""
    old_milestone_told: bool
    """Whether `demilestoned` shows the old milestone."""
    asks_again_when_ready: bool
    """Whether owners of the code are asked again when a pull request is no longer work in progress."""

    # What git says.
    push_refusal: str
    """What a refused push says; `{}` is the reason."""
    push_stranger: str
    """The reason for somebody who may not write code."""
    push_unknown_base: str
    push_done: str
    """What a push says at its end."""
    push_new_pull: str
    """The path to a form for a pull request of `{head}` into `{base}`."""
    push_to_origin: bool
    """Whether that form is for a pull request to where a fork is from."""
    push_says_into: bool
    """Whether a push says into which branch a pull request goes."""
    agit_says_forced: bool
    """Whether a rewritten proposal is told to git as a forced update."""


def _keys(names: str) -> frozenset[str]:
    return frozenset(names.split())


_OF_GITEA = {
    "protection": _keys(
        "priority enable_force_push enable_force_push_allowlist force_push_allowlist_usernames force_push_allowlist_teams force_push_allowlist_deploy_keys block_admin_merge_override"
    ),
    "repo": _keys("has_code projects_mode licenses allow_manual_merge autodetect_manual_merge"),
    "issue": _keys("time_estimate"),
    "token": _keys("last_used_at"),
    "content": _keys("last_committer_date last_author_date"),
    "changes": _keys("added_labels removed_labels"),
    "settings_api": _keys("default_max_response_size"),
}
_LATER_REPO = ("wiki_ssh_url", "wiki_clone_url", "has_wiki_contents", "default_update_style")
_LOCKING = ("PUT ~/issues/<index>/lock", "DELETE ~/issues/<index>/lock")
_ADMIN_TOKENS = "POST /admin/users/<username>/tokens"
_STRANGER = (
    "User '{login}' is not allowed to push to branch '{branch}' in '{repo}'.\n"
    "If you instead wanted to create a pull request to the branch '{branch}', please use:\n"
    "git push origin HEAD:refs/for/{branch}/choose-a-descriptor\n"
    "You might want to replace 'origin' with the name of your Git remote if it is different from origin."
    " You can freely choose the descriptor to set it to a topic.\n"
    "You can learn about creating pull requests with AGit in the docs: https://forgejo.org/docs/latest/user/agit-support/"
)

FORGEJO_17 = Flavour(
    name="forgejo-17",
    version="17.0.0-dev-d883bd8f+gitea-1.22.0",
    is_forgejo=True,
    cache_control="max-age=0, private, must-revalidate",
    hidden=_OF_GITEA,
    empty={"issue": {"assignees": None}, "pull": {"assignees": None}},
    words=(),
    absent=frozenset(_LOCKING),
    pull_url_is_api=True,
    lists_are_short=False,
    raw_cache_control="private, max-age=300",
    counts_whatever=True,
    agit_label=True,
    base_missing="The target couldn't be found.",
    bad_ref="GetContentsOrList",
    scope_refusal="token does not have at least one of required scope(s): [{need}]",
    unknown_branch="branch does not exist [name: {name}]",
    merge_refusal="not allowed to merge [reason: {}]",
    merged_already="",
    label_refusal=None,
    token_is_repeated=True,
    repo_tokens=True,
    tokens_by_token=True,
    sudo_scope=True,
    repo_delete_scope="organization",
    admins_key="apply_to_admins",
    manual_merge_by_patch=True,
    unit_teams_have_mode=True,
    milestone_keeps_due=True,
    stale_sha_status=409,
    put_creates=False,
    compare_by_sha=True,
    own_permission=True,
    repo_moved_status=301,
    org_labels_by_name=True,
    label_removed_by_name=True,
    pulls_by_branch=True,
    reviewers_on_create=False,
    reaction_again_status=500,
    unknown_status_sha=404,
    combined_looks_up=False,
    unknown_state=201,
    comment_on_unknown=404,
    runs_for_admins=False,
    agit_deletion_crashes=True,
    pull_comment_crashes=False,
    hook_types=("forgejo", "gitea"),
    hook_headers=("Forgejo", "GitHub", "Gitea", "Gogs"),
    hook_target=False,
    hook_patch_keeps_authorization=True,
    extra_events=("action_run_failure", "action_run_recover", "action_run_success"),
    events_in_order=True,
    reviews_are_one_event=False,
    push_commits=15,
    told_when_same=True,
    told_deletion=False,
    replaced_labels_told=True,
    old_milestone_told=False,
    asks_again_when_ready=True,
    push_refusal="\nForgejo: {}\n",
    push_stranger=_STRANGER,
    push_unknown_base="Unexpected ref: {}",
    push_done="",
    push_new_pull="compare/{base}...{head}",
    push_to_origin=True,
    push_says_into=True,
    agit_says_forced=False,
)

FORGEJO_10 = replace(
    FORGEJO_17,
    name="forgejo-10",
    version="10.0.0-dev-5e777a43+gitea-1.22.0",
    cache_control="max-age=0, private, must-revalidate, no-transform",
    hidden=_OF_GITEA
    | {
        "repo": _OF_GITEA["repo"].union(_LATER_REPO),
        "pull": _keys("flow"), "org": _keys("created"),
        "token": _keys("last_used_at created_at repositories"),
        "content": _OF_GITEA["content"].union(["last_commit_when"]),
        "remark": _keys("extra_lines_count"), "compare": _keys("files"),
    },
    empty={
        "issue": {"assignees": None}, "repo": {"topics": None},
        "pull": {"assignees": None, "requested_reviewers": None, "requested_reviewers_teams": None},
    },
    words=((r"auth method not allowed", "auth required"), (r"could not find .*", "")),
    absent=frozenset([*_LOCKING, _ADMIN_TOKENS, "GET ~/actions/runs"]),
    pull_url_is_api=False,
    agit_label=False,
    base_missing="BaseNotExist",
    label_refusal="<html>",
    token_is_repeated=False,
    repo_tokens=False,
    tokens_by_token=False,
    repo_delete_scope="",
    stale_sha_status=422,
    compare_by_sha=False,
    own_permission=False,
    repo_moved_status=307,
    org_labels_by_name=False,
    label_removed_by_name=False,
    pulls_by_branch=False,
    reaction_again_status=200,
    unknown_status_sha=500,
    comment_on_unknown=500,
    pull_comment_crashes=True,
    hook_patch_keeps_authorization=False,
    extra_events=(),
    push_commits=5,
    old_milestone_told=True,
    push_stranger="User permission denied for writing.",
    push_says_into=False,
)  # fmt: skip

GITEA_126 = replace(
    FORGEJO_10,
    name="gitea-1.26",
    version="1.26.0-dev",
    is_forgejo=False,
    hidden={
        "user": _keys("pronouns"), "protection": _keys("apply_to_admins"),
        "repo": _keys("wiki_branch globally_editable_wiki").union(_LATER_REPO),
        "pull": _keys("flow"), "org": _keys("created"), "hook": _keys("url content_type metadata"),
        "token": _keys("repositories"), "content": _keys("last_commit_when"), "remark": _keys("extra_lines_count"),
        "compare": _keys("files"), "attachment": _keys("type"), "tag": _keys("archive_download_count"),
        "release": _keys("archive_download_count hide_archive_links"),
        "settings_repository": _keys("forks_disabled"),
    },
    empty={
        "issue": {"assignees": None}, "pull": {"review_comments": LEFT_OUT},
        "repo": {"parent": LEFT_OUT, "repo_transfer": LEFT_OUT},
    },
    words=(
        (r"The target couldn't be found\.", "not found"),
        (r"could not find .*|branch does not exist \[name: .*", ""),
        (r"auth method not allowed", "auth required"), (r"bad color code: (.*)", r"invalid color: \1"),
        (r"(user should have a permission to write to) this branch", r"\1 the target branch"),
        (r"This file extension or type is not allowed to be uploaded\.",
         "This file cannot be uploaded or modified due to a forbidden file extension or type."),
        (r"cannot close this issue because (.*)", r"cannot close this issue or pull request because \1"),
        (r"<Repository \d+:(.*)> is archived", r"\1 is archived"),
        (r"([0-9a-f]{40})", r"commit doesn't exist: \1"),
        (r"Updates were rejected because the tip of your current branch .*", "request `force-push` push option"),
        (r"The new commit is the same as the old commit", "new commit is same with old commit"), (r"The topic-branch option is not set", "topic-branch is not set"),
    ),
    absent=frozenset([_ADMIN_TOKENS, "POST ~/pulls/<index>/reviews/<id>/comments"]),
    lists_are_short=True,
    raw_cache_control="public, max-age=21600, no-transform",
    counts_whatever=False,
    base_missing="The target couldn't be found.",
    bad_ref="The target couldn't be found.",
    scope_refusal="token does not have at least one of required scope(s), required=[{need}], token scope={scopes}",
    unknown_branch="branch does not exist [repo_id: {repo_id} name: {name}]",
    merge_refusal="{}",
    merged_already="The PR is already merged",
    label_refusal="write permission is required",
    sudo_scope=False,
    admins_key="block_admin_merge_override",
    manual_merge_by_patch=False,
    unit_teams_have_mode=False,
    milestone_keeps_due=False,
    put_creates=True,
    compare_by_sha=True,
    own_permission=True,
    repo_moved_status=301,
    org_labels_by_name=True,
    reviewers_on_create=True,
    combined_looks_up=True,
    unknown_state=412,
    runs_for_admins=True,
    agit_deletion_crashes=False,
    pull_comment_crashes=False,
    hook_types=("gitea", "gogs"),
    hook_headers=("GitHub", "Gitea", "Gogs"),
    hook_target=True,
    extra_events=("status", "workflow_run", "workflow_job"),
    events_in_order=False,
    reviews_are_one_event=True,
    told_when_same=False,
    told_deletion=True,
    replaced_labels_told=False,
    old_milestone_told=False,
    asks_again_when_ready=False,
    push_refusal="\nerror:\nerror: {}\nerror:\n",
    push_unknown_base="Internal Server Error (no message for end users)",
    push_done=". Processing 1 references\nProcessed 1 references in total\n",
    push_new_pull="pulls/new/{head}",
    push_to_origin=False,
    agit_says_forced=True,
)  # fmt: skip

FLAVOURS = {flavour.name: flavour for flavour in (FORGEJO_17, FORGEJO_10, GITEA_126)}
