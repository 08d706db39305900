"""Issues: what is dropped in silence, what a label pushes out, and the row that everything leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.embedded.conftest import ApiEnv


def label(env: ApiEnv, name: str, *, exclusive: bool = False) -> int:
    made = env.core.post("~/labels", {"name": name, "color": "#00AABB", "exclusive": exclusive})
    assert made["color"] == "00aabb"
    return int(made["id"])


def names(labels: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in labels]


def rows(env: ApiEnv, number: int = 1) -> list[str]:
    """The timeline, in short."""
    told = []
    for row in env.iris.get(f"~/issues/{number}/timeline"):
        sign = (
            {"1": "+", "": "-"}.get(row["body"], "")
            if row["type"] == "label"
            else "-"
            if row["removed_assignee"]
            else ""
        )
        what = (row["label"] or {}).get("name") or (row["assignee"] or {}).get("login") or ""
        told.append(f"{row['type']} {sign}{what}".strip())
    return told


@pytest.mark.parametrize(("who", "kept"), [("core", True), ("triage", True), ("iris", False), ("eve", False)])
def test_wishes_of_readers_are_dropped(env: ApiEnv, who: str, kept: bool) -> None:
    """Who may not write issues gets 201 and an issue without labels, assignees and milestone."""
    bug, soon = label(env, "bug"), env.core.post("~/milestones", {"title": "soon"})["id"]
    wishes = {"title": "mine", "labels": [bug], "assignees": ["iris"], "milestone": soon}
    made = getattr(env, who).post("~/issues", wishes)
    assert (names(made["labels"]), bool(made["assignees"]), bool(made["milestone"])) == (
        (["bug"] if kept else []),
        kept,
        kept,
    )
    assert made["assignees"] != []


def test_a_reader_can_be_assigned(env: ApiEnv) -> None:
    """On a public repository anybody can be given work; who does not exist is refused."""
    made = env.core.post("~/issues", {"title": "for a stranger", "assignees": ["eve"]})
    assert [one["login"] for one in made["assignees"]] == ["eve"]
    status, words = env.core.says("POST", "~/issues", {"title": "x", "assignees": ["nobody-here"]})
    assert (status, words) == (422, "Assignee does not exist: [name: user does not exist [uid: 0, name: nobody-here]]")
    assert env.core.says("PATCH", "~/issues/1", {"assignees": ["nobody-here"]}) == (500, "")


def test_an_exclusive_label_pushes_out_its_siblings(env: ApiEnv) -> None:
    """Of one exclusive scope an issue has one label: the one that came last."""
    for name in ("state/todo", "state/doing"):
        label(env, name, exclusive=True)
    label(env, "state of mind")
    env.core.post("~/issues", {"title": "one"})
    env.core.post("~/issues/1/labels", {"labels": ["state/todo", "state of mind"]})
    now = env.core.post("~/issues/1/labels", {"labels": ["state/doing"]})
    assert names(now) == ["state of mind", "state/doing"]
    assert rows(env)[-2:] == ["label -state/todo", "label +state/doing"]


def test_labels_of_the_organisation(env: ApiEnv) -> None:
    """An issue can have a label of the organisation, by id and by name; unknown ones are dropped in silence."""
    env.root.post("/orgs/acme/labels", {"name": "urgent", "color": "#ff0000"})
    env.core.post("~/issues", {"title": "one"})
    assert names(env.core.post("~/issues/1/labels", {"labels": ["urgent", "no such"]})) == ["urgent"]
    assert env.core.call("DELETE", "~/issues/1/labels/urgent").status_code == 204
    mixed = env.core.says("POST", "~/issues/1/labels", {"labels": [1, "urgent"]})
    assert mixed == (400, "labels should be an array of strings or integers")
    assert env.core.says("DELETE", "~/issues/1/labels/99") == (422, "label does not exist [label_id: 0]")
    assert env.iris.call("POST", "~/issues/1/labels", {"labels": ["urgent"]}).content == b""


def test_everything_leaves_a_row(env: ApiEnv) -> None:
    """The timeline tells each change, in order and by whom."""
    label(env, "bug")
    env.core.post("~/issues", {"title": "one"})
    env.core.patch("~/issues/1", {"title": "two", "body": "text", "assignees": ["iris"]})
    env.core.patch("~/issues/1", {"assignees": ["core"], "due_date": "2030-01-02T03:04:05Z"})
    env.core.put("~/issues/1/labels", {"labels": ["bug"]})
    env.iris.post("~/issues/1/comments", {"body": "words"})
    env.core.patch("~/issues/1", {"state": "closed"})
    env.core.patch("~/issues/1", {"state": "open"})
    told = ["change_title", "assignees iris", "added_deadline", "assignees -iris", "assignees core"]
    assert rows(env) == [*told, "label +bug", "comment", "close", "reopen"]
    assert env.core.get("~/issues/1")["due_date"] == "2030-01-02T23:59:59Z"


def test_the_timeline_counts_its_page(env: ApiEnv) -> None:
    """Without a page the limit means nothing; with one, the total is that of the page."""
    env.core.post("~/issues", {"title": "one"})
    for n in range(4):
        env.core.post("~/issues/1/comments", {"body": str(n)})
    whole = env.iris.call("GET", "~/issues/1/timeline", params={"limit": 3})
    page = env.iris.call("GET", "~/issues/1/timeline", params={"limit": 3, "page": 2})
    assert (len(whole.json()), whole.headers["X-Total-Count"]) == (4, "4")
    assert (len(page.json()), page.headers["X-Total-Count"]) == (1, "1")


def test_a_page_of_remarks_is_an_empty_one(env: ApiEnv) -> None:
    """Remarks on code fill the pages of a timeline, but are not shown: a page in the middle may be empty, that is null."""
    env.core.pull("topic")
    said = [{"path": "topic.txt", "body": str(n), "new_position": 1} for n in range(4)]
    env.mara.post("~/pulls/1/reviews", {"event": "COMMENT", "body": "so", "comments": said})
    pages = [
        env.iris.call("GET", "~/issues/1/timeline", params={"limit": 2, "page": page}).json() for page in (1, 2, 3)
    ]
    assert [[row["type"] for row in rows or []] for rows in pages] == [["pull_push"], [], ["review"]]
    assert pages[1] is None


def test_saying_it_again_is_an_edit(env: ApiEnv) -> None:
    """An edited comment is newer and its issue is not; others' comments are not edited."""
    env.core.post("~/issues", {"title": "one"})
    made = env.iris.post("~/issues/1/comments", {"body": "words for #1"})
    before = env.core.get("~/issues/1")["updated_at"]
    edited = env.iris.patch(f"~/issues/comments/{made['id']}", {"body": "other words"})
    assert edited["body"] == "other words"
    assert env.core.get("~/issues/1")["updated_at"] == before
    assert env.eve.call("PATCH", f"~/issues/comments/{made['id']}", {"body": "hijack"}).status_code == 403
    assert env.core.says("POST", "~/issues/1/comments", {"body": ""}) == (422, "[Body]: Required")
    env.iris.delete(f"~/issues/comments/{made['id']}")
    gone = env.iris.call("GET", f"~/issues/comments/{made['id']}").json()
    assert gone["errors"] == [f"comment does not exist [id: {made['id']}, issue_id: 0]"]


def test_a_name_in_a_text_leaves_a_mark(env: ApiEnv) -> None:
    """An issue that is named elsewhere says where."""
    for title in ("one", "two"):
        env.core.post("~/issues", {"title": title})
    env.core.post("~/issues/2/comments", {"body": "see #1, please"})
    (row,) = env.iris.get("~/issues/1/timeline")
    assert (row["type"], row["ref_issue"]["number"], row["ref_comment"]["body"]) == ("comment_ref", 2, "see #1, please")


def test_filters(env: ApiEnv) -> None:
    """Labels all have to be there; unknown names count for nothing, and alone they are no filter at all."""
    bug, big = label(env, "bug"), label(env, "big")
    for title, chosen in (("a", [bug]), ("b", [bug, big]), ("c", [])):
        env.core.post("~/issues", {"title": title, "labels": chosen})

    def found(**query: Any) -> list[str]:
        return [issue["title"] for issue in env.iris.get("~/issues", **query)]

    assert found(labels="bug,big") == ["b"]
    assert found(labels="bug,no such") == ["b", "a"]
    assert found(labels="no such") == ["c", "b", "a"]
    assert found(state="closed") == []
    assert env.iris.call("GET", "~/issues", params={"since": "yesterday"}).status_code == 422
    assert [one["title"] for one in env.iris.get("/repos/issues/search", owner="acme", type="issues")] == [
        "c",
        "b",
        "a",
    ]


def test_pages_are_linked(env: ApiEnv) -> None:
    """A list of issues tells how many there are and where the other pages are."""
    for n in range(3):
        env.core.post("~/issues", {"title": str(n)})
    answer = env.iris.call("GET", "~/issues", params={"limit": 1, "page": 2, "state": "all"})
    place = f"{env.forge.url}/api/v1/repos/acme/app/issues?limit=1&page={{}}&state=all"
    links = [
        f'<{place.format(page)}>; rel="{name}"' for name, page in (("next", 3), ("last", 3), ("first", 1), ("prev", 1))
    ]
    assert answer.headers["Link"] == ",".join(links)
    assert answer.headers["X-Total-Count"] == "3"


def test_dependencies_hold_an_issue_open(env: ApiEnv) -> None:
    """An issue that waits for another cannot be closed; waiting twice or in a circle is a crash."""
    for title in ("one", "two"):
        env.core.post("~/issues", {"title": title})
    env.core.post("~/issues/1/dependencies", {"index": 2, "owner": "acme", "repo": "app"})
    words = "cannot close this issue because it still has open dependencies"
    assert env.core.says("PATCH", "~/issues/1", {"state": "closed"}) == (412, words)
    assert env.core.says("POST", "~/issues/1/dependencies", {"index": 2}) == (500, "")
    assert env.core.says("POST", "~/issues/2/dependencies", {"index": 1}) == (500, "")


def test_a_deleted_issue_leaves_nothing_elsewhere(env: ApiEnv) -> None:
    """What depended on it is free again, and no timeline speaks of it any more."""
    for title in ("one", "two"):
        env.core.post("~/issues", {"title": title})
    env.core.post("~/issues/2/comments", {"body": "see #1"})
    env.core.post("~/issues/1/dependencies", {"index": 2})
    env.mara.delete("~/issues/2")
    assert env.core.call("GET", "~/issues/1/timeline").text == "null\n"
    assert env.core.patch("~/issues/1", {"state": "closed"})["state"] == "closed"
    assert env.core.post("~/issues", {"title": "three"})["number"] == 3


def test_a_reaction_twice_is_a_crash(env: ApiEnv) -> None:
    """The first is 201, the second a page of an error, an unknown one refused."""
    env.core.post("~/issues", {"title": "one"})
    assert env.iris.call("POST", "~/issues/1/reactions", {"content": "eyes"}).status_code == 201
    again = env.iris.call("POST", "~/issues/1/reactions", {"content": "eyes"})
    assert (again.status_code, again.headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert env.iris.says("POST", "~/issues/1/reactions", {"content": "robot"}) == (
        403,
        "'robot' is not an allowed reaction",
    )
    assert env.core.get("~/issues/1/reactions")[0]["user"]["login"] == "iris"


def test_strangers_do_not_edit(env: ApiEnv) -> None:
    """Whose issue it is may retitle and close it; another who only reads gets an empty 403."""
    env.iris.post("~/issues", {"title": "mine"})
    assert env.iris.patch("~/issues/1", {"title": "still mine", "state": "closed"})["state"] == "closed"
    refused = env.eve.call("PATCH", "~/issues/1", {"title": "hijack"})
    assert (refused.status_code, refused.content, "Content-Type" in refused.headers) == (403, b"", False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"title": "x"', "[]: expected comma after object element"),
        (
            '{"title": 5}',
            "[]: json: cannot unmarshal number into Go struct field CreateIssueOption.Title of type string",
        ),
        ('{"title": "x", "assignees": "core"}', "[]: json: slice unexpected end of JSON input"),
        ('["x"]', "[]: invalid character '[' looking for beginning of value"),
        ("{}", "[Title]: Required"),
        ("", "[Title]: Required"),
    ],
)
def test_a_body_that_does_not_fit(env: ApiEnv, text: str, words: str) -> None:
    """What cannot be read is 422 in the words of a program in Go."""
    answer = env.core.call("POST", "~/issues", data=text, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["message"]) == (422, words)


def test_keys_in_any_case_and_forms_do(env: ApiEnv) -> None:
    """Keys may be written in any case, unknown ones are dropped, and a form is as good as JSON."""
    assert env.core.post("~/issues", {"TITLE": "loud", "nonsense": 1})["title"] == "loud"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert env.core.call("POST", "~/issues", data="title=form", headers=kind).json()["title"] == "form"
