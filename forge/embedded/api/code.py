"""Branches, tags, commits, trees, comparisons, statuses."""

from __future__ import annotations

from flask import Response

from forge.embedded import rules
from forge.embedded.api.call import Call, Route, answer, writes
from forge.embedded.api.forms import Form
from forge.embedded.dialect import shaped
from forge.embedded.git import SHA, Commit, Git
from forge.embedded.instance import Missing, Refusal
from forge.embedded.rules import CODE
from forge.embedded.services import contents, merging, pulls, repos, statuses
from forge.embedded.shapes import commits as shapes
from forge.embedded.shapes import pulls as pull_shapes
from forge.embedded.shapes import repos as repo_shapes
from forge.embedded.shapes.people import Json
from forge.embedded.state import Row

BRANCH = Form(
    "CreateBranchRepoOption",
    {"new_branch_name": "string", "old_branch_name": "string", "old_ref_name": "string"},
    ("new_branch_name",),
)
RENAME = Form("UpdateBranchRepoOption", {"name": "string"}, ("name",))
TAG = Form("CreateTagOption", {"tag_name": "string", "target": "string", "message": "string"}, ("tag_name",))
RELEASE = Form(
    "CreateReleaseOption",
    {"tag_name": "string", "target_commitish": "string", "name": "string", "body": "string"},
    ("tag_name",),
)
STATUS = Form(
    "CreateStatusOption", {"state": "string", "context": "string", "description": "string", "target_url": "string"}
)


def _git(call: Call) -> Git:
    return call.site.git(call.repo)


def _booked(call: Call, prefix: str) -> list[Row]:
    sql = "SELECT * FROM refs WHERE repo_id = ? AND name LIKE ? || '%' ORDER BY name"
    return call.site.state.rows(sql, call.repo["id"], prefix)


# Branches
def _told_branch(call: Call, name: str, sha: str) -> Json:
    return repo_shapes.branch(
        call.site, call.repo, name, _git(call).commit(sha), viewer=call.viewer, granted=call.granted
    )


def _branches(call: Call) -> Response:
    rows = _booked(call, "refs/heads/")
    response = call.paged(
        rows, lambda row: _told_branch(call, row["name"].removeprefix("refs/heads/"), row["sha"]), links=True
    )
    if not rows:
        # A nil slice of Go: real forges write this empty list, and that of a timeline, as null.
        response.set_data("null\n")
    return response


def _branch(call: Call) -> Json:
    name = call.args["branch"]
    sha = repos.tip(call.site, call.repo, name)
    if not sha:
        raise Missing(f"branch does not exist [name: {name}]")
    return _told_branch(call, name, sha)


def _create_branch(call: Call) -> Json:
    given = call.read(BRANCH)
    name, start = given["new_branch_name"], given.get("old_ref_name") or given.get("old_branch_name") or ""
    return _told_branch(call, name, contents.create_branch(call.site, call.actor, call.repo, name, start))


def _rename_branch(call: Call) -> None:
    contents.rename_branch(call.site, call.repo, call.args["branch"], call.read(RENAME)["name"])


def _delete_branch(call: Call) -> None:
    contents.delete_branch(call.site, call.actor, call.repo, call.args["branch"])


# Tags and releases
def _told_tag(call: Call, row: Row) -> Json:
    git, name = _git(call), row["name"].removeprefix("refs/tags/")
    commit = git.commit(git.resolve(row["sha"]))
    annotated = commit.sha != row["sha"]
    message = git.text("cat-file", "tag", row["sha"]).partition("\n\n")[2] if annotated else commit.message
    return repo_shapes.tag(call.site, call.repo, name, row["sha"], commit=commit, message=message.strip())


def _tags(call: Call) -> Response:
    return call.paged(_booked(call, "refs/tags/")[::-1], lambda row: _told_tag(call, row))


def _tag(call: Call) -> Json:
    rows = [row for row in _booked(call, "refs/tags/") if row["name"] == f"refs/tags/{call.args['tag']}"]
    if not rows:
        raise Missing
    return _told_tag(call, rows[0])


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
    rows = call.site.state.rows(
        "SELECT * FROM releases WHERE repo_id = ? AND NOT is_tag ORDER BY id DESC", call.repo["id"]
    )
    return call.paged(rows, lambda row: repo_shapes.release(call.site, call.repo, row))


# Git's own nouns
def _refs(call: Call) -> list[Json]:
    prefix, git = f"refs/{call.args.get('ref', '')}", _git(call)
    found = git.refs(prefix.rstrip("/"))
    if not found:
        raise Missing
    kinds = dict(
        line.split(" ", 1)[::-1]
        for line in git.text("for-each-ref", "--format=%(objecttype) %(refname)", prefix.rstrip("/")).splitlines()
    )
    base = f"{call.site.api}/repos/{call.repo['full_name']}/git"
    return [
        {
            "ref": name,
            "url": f"{base}/{name}",
            "object": {"type": kinds[name], "sha": sha, "url": f"{base}/{kinds[name]}s/{sha}"},
        }
        for name, sha in sorted(found.items())
    ]


def _tree(call: Call) -> Response:
    git, named = _git(call), call.args["sha"]
    sha = git.resolve(named) or git.resolve(named, "tree")
    if not sha:
        raise Refusal(400, f"sha not found [{named}]")
    entries = git.tree(sha, recursive=call.flag("recursive"))
    base, per = f"{call.site.api}/repos/{call.repo['full_name']}/git", min(int(call.query("per_page") or 1000), 1000)
    page = int(call.query("page") or 1)
    shown = [
        {
            "path": entry.path,
            "mode": entry.mode,
            "type": entry.kind,
            "size": entry.size,
            "sha": entry.sha,
            "url": f"{base}/{entry.kind}s/{entry.sha}",
        }
        for entry in entries[(page - 1) * per : page * per]
    ]
    about = {"truncated": page * per < len(entries), "page": page, "total_count": len(entries)}
    return answer(
        {"sha": sha, "url": f"{base}/trees/{sha}", "tree": shown, **about}, headers={"X-Total-Count": str(len(entries))}
    )


def _blob(call: Call) -> Json:
    return contents.blob(call.site, call.repo, call.args["sha"])


def _commit(call: Call) -> Json:
    sha = _git(call).resolve(call.args["sha"])
    if not sha:
        raise Missing(message=call.args["sha"])
    return shapes.whole(call.site, call.repo, _git(call).commit(sha))


def _commits(call: Call) -> Response:
    git, (page, limit) = _git(call), call.page
    tip = git.resolve(call.query("sha") or call.repo["default_branch"])
    if not tip:
        raise Missing(message=call.query("sha") or call.repo["default_branch"])
    keys = git.text("rev-list", tip, "--", *filter(None, [call.query("path")])).splitlines()
    response = call.paged(keys, lambda key: shapes.whole(call.site, call.repo, git.commit(key)), links=True)
    response.headers.update(page_headers(page, limit, len(keys)) | {"X-Total": str(len(keys))})
    return response


def page_headers(page: int, limit: int, total: int) -> dict[str, str]:
    """The headers by which lists of commits and files count their pages."""
    pages = -(-total // limit)
    return {
        "X-HasMore": str(page < pages).lower(),
        "X-Page": str(page),
        "X-PageCount": str(pages),
        "X-PerPage": str(limit),
    }


def _compare(call: Call) -> Json:
    base, dots, head = call.args["basehead"].partition("...")
    if not dots:
        base, dots, head = call.args["basehead"].partition("..")
    git, sides = _git(call), []
    for name, place in ((base or call.repo["default_branch"], "base"), (head or call.repo["default_branch"], "head")):
        sha = git.resolve(name)
        if not sha or (SHA.fullmatch(name) and not call.site.flavour.compare_by_sha):
            raise repos.no_ref(call.site, call.repo, name, place)
        sides.append(sha)
    found: list[Commit] = git.commits(f"{sides[0]}..{sides[1]}")
    listed = [shapes.whole(call.site, call.repo, one) for one in found]
    files = [file for one in found for file in shapes.files(one)]
    told = {"total_commits": len(found), "commits": listed, "files": files}
    return shaped(call.site.flavour, "compare", told)


def _pull_of_commit(call: Call) -> Json:
    issue = pulls.by_merge(call.site, call.repo, call.args["sha"])
    if issue is None:
        names = f"id: 0, issue_id: 0, head_repo_id: 0, base_repo_id: {call.repo['id']}, head_branch: , base_branch: "
        raise Refusal(404, f"pull request does not exist [{names}]")
    return pull_shapes.pull(call.site, issue, call.viewer, call.granted)


# Statuses
def _create_status(call: Call) -> Json:
    given = call.read(STATUS)
    about = {key: given.get(key, "") for key in ("state", "context", "description")}
    row = statuses.create(call.site, call.actor, call.repo, call.args["sha"], url=given.get("target_url", ""), **about)
    merging.merge_scheduled(call.site, call.repo)
    return pull_shapes.status(call.site, call.repo, row)


def _list_statuses(call: Call) -> Response:
    rows = statuses.of_commit(call.site, call.repo, _git(call).resolve(call.args["sha"]))
    return call.paged(rows, lambda row: pull_shapes.status(call.site, call.repo, row), links=True)


def _combined(call: Call) -> Response | Json:
    sha = _git(call).resolve(call.args["sha"])
    looks_up = call.site.flavour.combined_looks_up
    if looks_up and not sha:
        raise Missing(f"object does not exist [id: {call.args['sha']}, rel_path: ]")
    rows = statuses.latest(call.site, call.repo, sha)
    value = pull_shapes.combined(call.site, call.repo, rows, call.viewer, sha=sha if looks_up else "")
    return answer(value, headers={"X-Total-Count": str(len(rows))}) if rows or looks_up else value


ROUTES = (
    Route("GET ~/branches", _branches, "repository"),
    Route("POST ~/branches", _create_branch, "repository", writes(CODE), 201),
    Route("GET ~/branches/<path:branch>", _branch, "repository"),
    Route("PATCH ~/branches/<path:branch>", _rename_branch, "repository", writes(CODE), 204, bare=True),
    Route("DELETE ~/branches/<path:branch>", _delete_branch, "repository", writes(CODE), 204, bare=True),
    Route("GET ~/tags", _tags, "repository"),
    Route("POST ~/tags", _create_tag, "repository", writes(CODE), 201),
    Route("GET ~/tags/<path:tag>", _tag, "repository"),
    Route("DELETE ~/tags/<path:tag>", _delete_tag, "repository", writes(CODE), 204, bare=True),
    Route("GET ~/releases", _releases, "repository"),
    Route("POST ~/releases", _create_release, "repository", writes(rules.RELEASES), 201),
    Route("GET ~/git/refs", _refs, "repository"),
    Route("GET ~/git/refs/<path:ref>", _refs, "repository"),
    Route("GET ~/git/trees/<path:sha>", _tree, "repository"),
    Route("GET ~/git/blobs/<sha>", _blob, "repository"),
    Route("GET ~/git/commits/<path:sha>", _commit, "repository"),
    Route("GET ~/commits", _commits, "repository"),
    Route("GET ~/commits/<sha>/pull", _pull_of_commit, "repository"),
    Route("GET ~/commits/<path:sha>/status", _combined, "repository"),
    Route("GET ~/commits/<path:sha>/statuses", _list_statuses, "repository"),
    Route("GET ~/compare/<path:basehead>", _compare, "repository"),
    Route("GET ~/statuses/<path:sha>", _list_statuses, "repository"),
    Route("POST ~/statuses/<path:sha>", _create_status, "repository", writes(CODE), 201),
)
