"""Branches, tags, releases, commits and statuses."""

from __future__ import annotations

from flask import Response

from forge.embedded import rules
from forge.embedded.api.call import Call
from forge.embedded.api.forms import Form
from forge.embedded.api.routes import ApiRoute, writes
from forge.embedded.git import Git
from forge.embedded.instance import Missing, Refusal
from forge.embedded.rules import CODE
from forge.embedded.services import contents, merging, pulls, repos, statuses
from forge.embedded.shapes import commits as shapes
from forge.embedded.shapes import pulls as pull_shapes
from forge.embedded.shapes import repos as repo_shapes
from forge.embedded.shapes.values import Json

BRANCH = Form("CreateBranchRepoOption", "new_branch_name! old_branch_name old_ref_name")
TAG = Form("CreateTagOption", "tag_name! target message")
RELEASE = Form("CreateReleaseOption", "tag_name! target_commitish name body")
STATUS = Form("CreateStatusOption", "state context description target_url")


def _git(call: Call) -> Git:
    return call.site.git(call.repo)


# Branches
def _branch_shape(call: Call, name: str, sha: str) -> Json:
    tip = _git(call).commit(sha)
    return repo_shapes.branch(call.site, call.repo, name, tip, viewer=call.viewer, granted=call.granted)


def _branch(call: Call) -> Json:
    name = call.args["branch"]
    sha = repos.tip(call.site, call.repo, name)
    if not sha:
        raise Missing(f"branch does not exist [name: {name}]")
    return _branch_shape(call, name, sha)


def _create_branch(call: Call) -> Json:
    given = call.read(BRANCH)
    name, start = given["new_branch_name"], given.get("old_ref_name") or given.get("old_branch_name") or ""
    return _branch_shape(call, name, contents.create_branch(call.site, call.actor, call.repo, name, start))


def _delete_branch(call: Call) -> None:
    contents.delete_branch(call.site, call.actor, call.repo, call.args["branch"])


# Tags and releases
def _tag(call: Call) -> Json:
    git, name = _git(call), call.args["tag"]
    ref = repos.ref(call.site, call.repo, f"refs/tags/{name}")
    if ref is None:
        raise Missing
    commit = git.commit(git.resolve(ref["sha"]))
    annotated = commit.sha != ref["sha"]
    message = git.text("cat-file", "tag", ref["sha"]).partition("\n\n")[2] if annotated else commit.message
    return repo_shapes.tag(call.site, call.repo, name, ref["sha"], commit=commit, message=message.strip())


def _create_tag(call: Call) -> Json:
    given = call.read(TAG)
    call.args["tag"] = given.pop("tag_name")
    contents.create_tag(call.site, call.actor, call.repo, call.args["tag"], **given)
    return _tag(call)


def _delete_tag(call: Call) -> None:
    contents.delete_tag(call.site, call.actor, call.repo, call.args["tag"])


def _create_release(call: Call) -> Json:
    given = call.read(RELEASE)
    row = contents.release(call.site, call.actor, call.repo, given.pop("tag_name"), **given)
    return repo_shapes.release(call.site, call.repo, row)


def _releases(call: Call) -> Response:
    sql = "SELECT * FROM releases WHERE repo_id = ? AND NOT is_tag ORDER BY id DESC"
    rows = call.site.state.rows(sql, call.repo["id"])
    return call.paged(rows, lambda row: repo_shapes.release(call.site, call.repo, row))


# Commits
def _refs(call: Call) -> list[Json]:
    found = _git(call).objects()
    if not found:
        raise Missing
    base = f"{call.site.api}/repos/{call.repo['full_name']}/git"
    return [
        {
            "ref": name,
            "url": f"{base}/{name}",
            "object": {"type": kind, "sha": sha, "url": f"{base}/{kind}s/{sha}"},
        }
        for name, (kind, sha) in sorted(found.items())
    ]


def _commit(call: Call) -> Json:
    sha = _git(call).resolve(call.args["sha"])
    if not sha:
        raise Missing(message=call.args["sha"])
    return shapes.whole(call.site, call.repo, _git(call).commit(sha))


def _pull_of_commit(call: Call) -> Json:
    issue = pulls.by_merge(call.site, call.repo, call.args["sha"])
    if issue is None:
        names = f"id: 0, issue_id: 0, head_repo_id: 0, base_repo_id: {call.repo['id']}, head_branch: , base_branch: "
        raise Refusal(404, f"pull request does not exist [{names}]")
    return pull_shapes.pull(call.site, issue, call.viewer, call.granted)


# Statuses
def _create_status(call: Call) -> Json:
    given = call.read(STATUS)
    about = {key: given.get(key, "") for key in ("state", "context", "description", "target_url")}
    row = statuses.create(call.site, call.actor, call.repo, call.args["sha"], **about)
    merging.merge_scheduled(call.site, call.repo)
    return pull_shapes.status(call.site, call.repo, row)


def _statuses(call: Call) -> Response:
    rows = statuses.of_commit(call.site, call.repo, _git(call).resolve(call.args["sha"]))
    return call.paged(rows, lambda row: pull_shapes.status(call.site, call.repo, row), links=True)


_CODE, _BRANCH, _TAG, _STATUS = "repository", "~/branches/<path:branch>", "~/tags/<path:tag>", "~/statuses/<path:sha>"
ROUTES = (
    ApiRoute("POST ~/branches", _create_branch, _CODE, writes(CODE), 201),
    ApiRoute(f"GET {_BRANCH}", _branch, _CODE),
    ApiRoute(f"DELETE {_BRANCH}", _delete_branch, _CODE, writes(CODE), 204, bare=True),
    ApiRoute("POST ~/tags", _create_tag, _CODE, writes(CODE), 201),
    ApiRoute(f"GET {_TAG}", _tag, _CODE),
    ApiRoute(f"DELETE {_TAG}", _delete_tag, _CODE, writes(CODE), 204, bare=True),
    ApiRoute("GET ~/releases", _releases, _CODE),
    ApiRoute("POST ~/releases", _create_release, _CODE, writes(rules.RELEASES), 201),
    ApiRoute("GET ~/git/refs", _refs, _CODE),
    ApiRoute("GET ~/git/commits/<path:sha>", _commit, _CODE),
    ApiRoute("GET ~/commits/<sha>/pull", _pull_of_commit, _CODE),
    ApiRoute(f"GET {_STATUS}", _statuses, _CODE),
    ApiRoute(f"POST {_STATUS}", _create_status, _CODE, writes(CODE), 201),
)
