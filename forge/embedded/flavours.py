"""The real forges that the embedded one can imitate: values only, no behaviour."""

from __future__ import annotations

from dataclasses import replace

from forge.embedded.flavour import LEFT_OUT, Flavour


def _keys(names: str) -> frozenset[str]:
    return frozenset(names.split())


_BYPASS = _keys("enable_bypass_allowlist bypass_allowlist_usernames bypass_allowlist_teams")
_OF_GITEA = {
    "protection": _BYPASS
    | _keys(
        "priority enable_force_push enable_force_push_allowlist force_push_allowlist_usernames force_push_allowlist_teams force_push_allowlist_deploy_keys block_admin_merge_override"
    ),
    "repo": _keys("has_code projects_mode licenses allow_manual_merge autodetect_manual_merge"),
    "issue": _keys("time_estimate"),
    "token": _keys("last_used_at"),
    "content": _keys("last_committer_date last_author_date"),
    "changes": _keys("added_labels removed_labels"),
}
_LATER_REPO = ("wiki_ssh_url", "wiki_clone_url", "has_wiki_contents", "default_update_style")
_LOCKING = ("PUT ~/issues/<index>/lock", "DELETE ~/issues/<index>/lock")
_CONVERSATIONS = (
    "POST ~/pulls/<index>/comments/<id>/replies",
    "POST ~/pulls/comments/<id>/resolve",
    "POST ~/pulls/comments/<id>/unresolve",
)

FORGEJO_17 = Flavour(
    name="forgejo-17",
    version="17.0.0-dev-d883bd8f+gitea-1.22.0",
    is_forgejo=True,
    cache_control="max-age=0, private, must-revalidate",
    hidden=_OF_GITEA,
    empty={"issue": {"assignees": None}, "pull": {"assignees": None}},
    words=(),
    absent=frozenset([*_LOCKING, *_CONVERSATIONS]),
    pull_url_is_api=True,
    lists_are_short=False,
    counts_whatever=True,
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
    stale_sha_status=409,
    put_creates=False,
    own_permission=True,
    repo_moved_status=301,
    org_labels_by_name=True,
    label_removed_by_name=True,
    pulls_by_branch=True,
    reviewers_on_create=False,
    reaction_again_status=500,
    unknown_status_sha=404,
    unknown_state=201,
    comment_on_unknown=404,
    pull_comment_crashes=False,
    remark_past_end_crashes=False,
    absent_label_status=422,
    hook_types=("forgejo", "gitea"),
    hook_headers=("Forgejo", "GitHub", "Gitea", "Gogs"),
    hook_target=False,
    hook_patch_keeps_authorization=True,
    extra_events=("action_run_failure", "action_run_recover", "action_run_success"),
    events_in_order=True,
    reviews_are_one_event=False,
    push_commits=15,
    told_when_same=True,
    replaced_labels_told=True,
    push_refusal="\nForgejo: {}\n",
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
        "remark": _keys("extra_lines_count"),
    },
    empty={
        "issue": {"assignees": None}, "repo": {"topics": None},
        "pull": {"assignees": None, "requested_reviewers": None, "requested_reviewers_teams": None},
    },
    words=((r"auth method not allowed", "auth required"), (r"could not find .*", "")),
    absent=frozenset([*_LOCKING, *_CONVERSATIONS]),
    pull_url_is_api=False,
    base_missing="BaseNotExist",
    label_refusal="<html>",
    token_is_repeated=False,
    repo_tokens=False,
    tokens_by_token=False,
    repo_delete_scope="",
    stale_sha_status=422,
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
)  # fmt: skip

GITEA_126 = replace(
    FORGEJO_10,
    name="gitea-1.26",
    version="1.26.0-dev",
    is_forgejo=False,
    hidden={
        "user": _keys("pronouns"), "protection": _BYPASS.union(["apply_to_admins"]),
        "repo": _keys("wiki_branch globally_editable_wiki").union(_LATER_REPO),
        "pull": _keys("flow"), "org": _keys("created"), "hook": _keys("url content_type metadata"),
        "token": _keys("repositories"), "content": _keys("last_commit_when"), "remark": _keys("extra_lines_count"),
        "attachment": _keys("type"), "tag": _keys("archive_download_count"),
        "release": _keys("archive_download_count hide_archive_links"),
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
        (r"cannot close this issue because (.*)", r"cannot close this issue or pull request because \1"),
        (r"<Repository \d+:(.*)> is archived", r"\1 is archived"),
        (r"([0-9a-f]{40})", r"commit doesn't exist: \1"),
    ),
    absent=frozenset([*_CONVERSATIONS, "POST ~/pulls/<index>/reviews/<id>/comments"]),
    lists_are_short=True,
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
    put_creates=True,
    own_permission=True,
    repo_moved_status=301,
    org_labels_by_name=True,
    reviewers_on_create=True,
    unknown_state=412,
    pull_comment_crashes=False,
    hook_types=("gitea", "gogs"),
    hook_headers=("GitHub", "Gitea", "Gogs"),
    hook_target=True,
    extra_events=("status", "workflow_run", "workflow_job"),
    events_in_order=False,
    reviews_are_one_event=True,
    told_when_same=False,
    replaced_labels_told=False,
    push_refusal="\nerror:\nerror: {}\nerror:\n",
)  # fmt: skip

GITEA_127 = replace(
    GITEA_126,
    name="gitea-1.27",
    version="1.27.1",
    absent=GITEA_126.absent.difference(_CONVERSATIONS),
    hidden={**GITEA_126.hidden, "protection": _keys("apply_to_admins")},
    manual_merge_by_patch=True,
    remark_past_end_crashes=True,
    absent_label_status=404,
)
"""Gitea 1.26 with the list of those who merge past a rule, and the failures that 1.27 brought. No flavour of its own yet: most of
what 1.27 does otherwise is not imitated, so it is not among the flavours that all is tested with."""

FLAVOURS = {flavour.name: flavour for flavour in (FORGEJO_17, FORGEJO_10, GITEA_126)}
