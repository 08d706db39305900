"""What people can do to a world: one function for each kind of deed, by its name and how often it is done."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from forge.poll_changes import ChangeKind
from forge.protocol import ForgeError, Unavailable
from tests.poller.world import NothingToDoItTo, Pull, World

Deed = Callable[["Hand"], None]
DEEDS: dict[str, tuple[Deed, float]] = {}


def action(often: float) -> Callable[[Deed], Deed]:
    """A kind of deed, and how often it is done."""

    def note(do: Deed) -> Deed:
        DEEDS[do.__name__] = (do, often)
        return do

    return note


def act(world: World) -> str:
    """One deed by somebody, somewhere; what the forge refuses has not happened. Returns its name."""
    names = list(DEEDS)
    name = world.rng.choices(names, [DEEDS[one][1] for one in names])[0]
    hand = Hand(world)
    try:
        DEEDS[name][0](hand)
    except NothingToDoItTo:
        return act(world)
    except ForgeError as error:
        world.refused[f"{name} {error.status}"] += 1
    else:
        world.actions[name] += 1
    return name


class Hand:
    """Somebody about to do something in some repository."""

    def __init__(self, world: World) -> None:
        self.w = world
        self.rng = world.rng
        self.who = self.rng.choice(world.people)
        self.repo = self.rng.choice(list(world.now.repos))

    def any(self, choices: Any) -> Any:
        """One of some."""
        found = list(choices)
        if not found:
            raise NothingToDoItTo
        return self.rng.choice(found)

    def call(self, method: str, *parts: object, **body: object) -> Any:
        """Do it over the API."""
        answer = self.w.hands[self.who]._json(method, self.w.path(self.repo, *parts), json=body)
        return answer.value

    def subject(self, *, pulls: bool | None = None, state: str = "all") -> Any:
        """An issue or a pull request as the forge shows it; a merged one is left alone."""
        kind = {None: {}, True: {"type": "pulls"}, False: {"type": "issues"}}[pulls]
        rows = self.w.ask(self.repo, "issues", state=state, limit=50, page=1, **kind)
        return self.any(row for row in rows if not (row["pull_request"] or {}).get("merged"))

    def pull(self, *, is_open: bool = True) -> tuple[int, Pull]:
        """A pull request that was not merged."""
        mine = [(n, pull) for (repo, n), pull in self.w.pulls.items() if repo == self.repo]
        found: tuple[int, Pull] = self.any((n, p) for n, p in mine if p.is_open == is_open and not p.merged)
        return found

    def tell(self, kind: ChangeKind, number: object, what: object = "") -> None:
        """The forge keeps a record of it."""
        self.w.tell(kind, self.repo, number, what, self.who)

    def commit(self, branch: str, *, new: str = "") -> None:
        """One more file on a branch, or on a new one from it."""
        content = base64.b64encode(self.w.say().encode()).decode()
        more = {"new_branch": new} if new else {}
        self.call("POST", "contents", f"f{secrets.token_hex(4)}", content=content, message="m", branch=branch, **more)

    def branches(self) -> list[str]:
        """The branches that are not main."""
        refs = self.w.now.refs[self.repo]
        return [ref.removeprefix("refs/heads/") for ref in refs if ref.startswith("refs/heads/") and "main" not in ref]

    def in_use(self) -> set[str]:
        """Branches that a pull request comes from or goes to."""
        return {name for (repo, _), p in self.w.pulls.items() if repo == self.repo for name in (p.head, p.base)}

    def label_ids(self, names: Any) -> list[int]:
        """Labels as the API wants them."""
        return [self.w.labels[self.repo][name] for name in names]

    def relabel(self, row: Any, want: set[str]) -> None:
        """Labels of an issue are others now."""
        have = names(row)
        for name in want - have:
            self.tell(ChangeKind.LABELED, row["number"], name)
        for name in have - want:
            self.tell(ChangeKind.UNLABELED, row["number"], name)


def names(row: Any) -> set[str]:
    """The labels of an issue."""
    return {label["name"] for label in row["labels"]}


# Issues, and what pull requests share with them
@action(8)
def open_issue(h: Hand) -> None:
    wanted = h.rng.sample(["bug", "docs"], h.rng.randint(0, 2))
    assigned = h.rng.sample(h.w.people, h.rng.randint(0, 1))
    text = h.w.say()
    row = h.call("POST", "issues", title=h.w.say(), body=text, labels=h.label_ids(wanted), assignees=assigned)
    h.tell(ChangeKind.OPENED, row["number"])
    h.relabel({"number": row["number"], "labels": []}, set(wanted))
    for login in assigned:
        h.tell(ChangeKind.ASSIGNED, row["number"], login)
    h.w.now.subjects[h.repo, row["number"]] = text


@action(3)
def retitle(h: Hand) -> None:
    row, title = h.subject(), h.w.say()
    h.call("PATCH", "issues", row["number"], title=title)
    h.tell(ChangeKind.RETITLED, row["number"], title)


@action(3)
def edit_body(h: Hand) -> None:
    row, text = h.subject(), h.w.say()
    h.call("PATCH", "issues", row["number"], body=text)
    h.w.now.subjects[h.repo, row["number"]] = text


@action(3)
def close_issue(h: Hand) -> None:
    row = h.subject(pulls=False, state="open")
    h.call("PATCH", "issues", row["number"], state="closed")
    h.tell(ChangeKind.CLOSED, row["number"])


@action(3)
def reopen_issue(h: Hand) -> None:
    row = h.subject(pulls=False, state="closed")
    h.call("PATCH", "issues", row["number"], state="open")
    h.tell(ChangeKind.REOPENED, row["number"])


@action(0.7)
def delete_issue(h: Hand) -> None:
    row = h.subject(pulls=False)
    n = row["number"]
    if any(told[1] == h.repo and told[0] in {ChangeKind.DEPENDS, ChangeKind.DEPENDS_NOT} for told in h.w.done):
        raise NothingToDoItTo  # rows of others that name it would change
    h.call("DELETE", "issues", n)
    h.w.forget(h.repo, n)


@action(5)
def add_label(h: Hand) -> None:
    row, label = h.subject(), h.any(h.w.labels[h.repo])
    h.call("POST", "issues", row["number"], "labels", labels=h.label_ids([label]))
    scope = label.split("/")[0] + "/" if "/" in label else "\0"
    h.relabel(row, {name for name in names(row) if not name.startswith(scope)} | {label})


@action(3)
def remove_label(h: Hand) -> None:
    row = h.subject()
    label = h.any(sorted(names(row)))
    h.call("DELETE", "issues", row["number"], "labels", h.w.labels[h.repo][label])
    h.relabel(row, names(row) - {label})


@action(1)
def remove_absent_label(h: Hand) -> None:
    row = h.subject()
    label = h.any(sorted({"bug", "docs"} - names(row)))
    h.call("DELETE", "issues", row["number"], "labels", h.w.labels[h.repo][label])


@action(2)
def replace_labels(h: Hand) -> None:
    row, want = h.subject(), set(h.rng.sample(["bug", "docs", "prio/low"], h.rng.randint(1, 2)))
    h.call("PUT", "issues", row["number"], "labels", labels=h.label_ids(sorted(want)))
    h.relabel(row, want)


@action(1)
def clear_labels(h: Hand) -> None:
    row = h.subject()
    h.call("DELETE", "issues", row["number"], "labels")
    h.relabel(row, set())


@action(4)
def reassign(h: Hand) -> None:
    row, want = h.subject(), set(h.rng.sample(h.w.people, h.rng.randint(0, 2)))
    have = {user["login"] for user in row["assignees"] or []}
    h.call("PATCH", "issues", row["number"], assignees=sorted(want))
    for login in want - have:
        h.tell(ChangeKind.ASSIGNED, row["number"], login)
    for login in have - want:
        h.tell(ChangeKind.UNASSIGNED, row["number"], login)


@action(3)
def set_milestone(h: Hand) -> None:
    row, title = h.subject(), h.any(h.w.milestones[h.repo])
    h.call("PATCH", "issues", row["number"], milestone=h.w.milestones[h.repo][title])
    if (row["milestone"] or {}).get("title") != title:
        h.tell(ChangeKind.MILESTONED, row["number"], title)


@action(1.5)
def clear_milestone(h: Hand) -> None:
    row = h.subject()
    if not row["milestone"]:
        raise NothingToDoItTo
    h.call("PATCH", "issues", row["number"], milestone=0)
    h.tell(ChangeKind.DEMILESTONED, row["number"], row["milestone"]["title"])


@action(2)
def set_due(h: Hand) -> None:
    row = h.subject(pulls=False)
    h.call("PATCH", "issues", row["number"], due_date=f"20{h.rng.randint(30, 89)}-01-02T00:00:00Z")
    h.tell(ChangeKind.DUE, row["number"])


@action(1)
def clear_due(h: Hand) -> None:
    row = h.subject(pulls=False)
    if not row["due_date"]:
        raise NothingToDoItTo
    h.call("PATCH", "issues", row["number"], unset_due_date=True)
    h.tell(ChangeKind.NOT_DUE, row["number"])


def dependency(h: Hand, method: str, kind: ChangeKind) -> None:
    one, other = h.subject(pulls=False, state="open"), h.subject(pulls=False, state="open")
    if one["number"] == other["number"]:
        raise NothingToDoItTo
    owner, _, name = h.w.now.repos[h.repo][0].partition("/")
    h.call(method, "issues", one["number"], "dependencies", owner=owner, repo=name, index=other["number"])
    h.tell(kind, one["number"], other["number"])
    h.tell(kind, other["number"], one["number"])


@action(2)
def add_dependency(h: Hand) -> None:
    dependency(h, "POST", ChangeKind.DEPENDS)


@action(1)
def depend_no_more(h: Hand) -> None:
    dependency(h, "DELETE", ChangeKind.DEPENDS_NOT)


@action(1)
def pin(h: Hand) -> None:
    row = h.subject(pulls=False)
    h.call("POST", "issues", row["number"], "pin")
    if not row["pin_order"]:
        h.tell(ChangeKind.PINNED, row["number"])


@action(1)
def unpin(h: Hand) -> None:
    row = h.subject(pulls=False)
    if not row["pin_order"]:
        raise NothingToDoItTo
    h.call("DELETE", "issues", row["number"], "pin")
    h.tell(ChangeKind.UNPINNED, row["number"])


@action(1)
def lock(h: Hand) -> None:
    """Gitea only."""
    row = h.subject()
    h.call("PUT", "issues", row["number"], "lock", lock_reason="Spam")
    if not row["is_locked"]:
        h.tell(ChangeKind.LOCKED, row["number"])


@action(1)
def unlock(h: Hand) -> None:
    row = h.subject()
    if not row["is_locked"]:
        raise NothingToDoItTo
    h.call("DELETE", "issues", row["number"], "lock")
    h.tell(ChangeKind.UNLOCKED, row["number"])


@action(1)
def react(h: Hand) -> None:
    """Nobody can learn of it."""
    h.call("POST", "issues", h.subject()["number"], "reactions", content=h.any(["eyes", "heart", "rocket"]))


@action(0.5)
def subscribe(h: Hand) -> None:
    """Nobody can learn of it."""
    h.call("PUT", "issues", h.subject()["number"], "subscriptions", h.who)


# Comments
def comment(h: Hand, number: int, text: str) -> None:
    try:
        h.call("POST", "issues", number, "comments", body=text)
    except Unavailable as error:
        if error.status != 500:
            raise  # Forgejo 10 answers so to a comment on a pull request, which it has written
    for row in h.w.ask(h.repo, "issues", number, "comments"):
        if row["body"] == text:
            h.tell(ChangeKind.COMMENTED, number, row["id"])
            h.w.now.comments[h.repo, number, row["id"]] = text


@action(7)
def comment_on_issue(h: Hand) -> None:
    comment(h, h.subject(pulls=False)["number"], h.w.say())


@action(4)
def comment_on_pull(h: Hand) -> None:
    comment(h, h.pull()[0], h.w.say())


@action(1)
def mention(h: Hand) -> None:
    comment(h, h.subject()["number"], f"{h.w.say()}, as in #{h.subject()['number']}")


@action(4)
def edit_comment(h: Hand) -> None:
    _, number, found = h.any(key for key in h.w.now.comments if key[0] == h.repo)
    text = h.w.say()
    h.call("PATCH", "issues", "comments", found, body=text)
    h.w.now.comments[h.repo, number, found] = text


@action(2)
def delete_comment(h: Hand) -> None:
    _, number, found = h.any(key for key in h.w.now.comments if key[0] == h.repo)
    h.call("DELETE", "issues", "comments", found)
    del h.w.now.comments[h.repo, number, found]
    if (h.repo, number, found) not in h.w.last.comments:
        h.w.unsay((ChangeKind.COMMENTED, h.repo, str(number), str(found)))


# Pull requests
def open_pull(h: Hand, title: str, **more: object) -> Any:
    branch, text = f"b{secrets.token_hex(4)}", h.w.say()
    h.commit("main", new=branch)
    h.w.moved(h.repo, branch, h.who)
    row = h.call("POST", "pulls", title=title, body=text, head=branch, base="main", **more)
    h.tell(ChangeKind.OPENED, row["number"])
    key = (h.repo, row["number"])
    h.w.now.subjects[key], h.w.pulls[key] = text, Pull(branch, "main")
    h.w.now.heads[key] = (row["head"]["sha"], True)
    return row


@action(6)
def open_ready(h: Hand) -> None:
    label = h.any(["bug", "docs"])
    row = open_pull(h, h.w.say(), labels=h.label_ids([label]))
    h.tell(ChangeKind.LABELED, row["number"], label)


@action(2)
def open_draft(h: Hand) -> None:
    open_pull(h, f"WIP: {h.w.say()}")


@action(4)
def push(h: Hand) -> None:
    _, pull = h.pull()
    h.commit(pull.head)
    h.w.moved(h.repo, pull.head, h.who)


@action(3)
def force_push(h: Hand) -> None:
    number, pull = h.pull()
    if h.w.now.repos[h.repo][1]:
        raise NothingToDoItTo  # git would say it in its own words
    h.w.force(h.repo, pull.head, h.who)
    h.w.rewritten.add((h.repo, str(number)))
    h.w.moved(h.repo, pull.head, h.who)


@action(2)
def retarget(h: Hand) -> None:
    number, pull = h.pull()
    base = h.any(name for name in [*h.branches(), "main"] if name not in {pull.base, pull.head})
    h.call("PATCH", "pulls", number, base=base)
    h.tell(ChangeKind.RETARGETED, number, base)
    h.w.rewritten.add((h.repo, str(number)))
    pull.base = base


@action(2)
def mark_as_draft(h: Hand) -> None:
    number, _ = h.pull()
    title = f"WIP: {h.w.say()}"
    h.call("PATCH", "pulls", number, title=title)
    h.tell(ChangeKind.RETITLED, number, title)


@action(2)
def mark_as_ready(h: Hand) -> None:
    row = h.subject(pulls=True, state="open")
    if not row["title"].startswith("WIP:"):
        raise NothingToDoItTo
    title = row["title"].removeprefix("WIP: ")
    h.call("PATCH", "pulls", row["number"], title=title)
    h.tell(ChangeKind.RETITLED, row["number"], title)


@action(2)
def close_pull(h: Hand) -> None:
    number, pull = h.pull()
    h.call("PATCH", "pulls", number, state="closed")
    h.tell(ChangeKind.CLOSED, number)
    pull.is_open = False
    h.w.now.heads[h.repo, number] = (h.w.now.heads[h.repo, number][0], False)


@action(2)
def reopen_pull(h: Hand) -> None:
    number, pull = h.pull(is_open=False)
    if h.w.now.refs[h.repo].get(f"refs/heads/{pull.head}") != h.w.now.heads[h.repo, number][0]:
        raise NothingToDoItTo  # forges do not agree on whether it is told that the head moved meanwhile
    h.call("PATCH", "pulls", number, state="open")
    h.tell(ChangeKind.REOPENED, number)
    pull.is_open = True
    h.w.now.heads[h.repo, number] = (h.w.now.heads[h.repo, number][0], True)


def merged(h: Hand, number: int, pull: Pull) -> None:
    pull.is_open, pull.merged = False, True
    h.tell(ChangeKind.MERGED, number)
    h.w.now.heads[h.repo, number] = (h.w.now.heads[h.repo, number][0], False)
    h.w.moved(h.repo, pull.base, h.who)


def merge_by(style: str, h: Hand, **more: object) -> Pull:
    number, pull = h.pull()
    h.call("POST", "pulls", number, "merge", Do=style, **more)
    merged(h, number, pull)
    return pull


@action(2)
def merge(h: Hand) -> None:
    merge_by("merge", h)


@action(1)
def squash(h: Hand) -> None:
    merge_by("squash", h)


@action(1)
def rebase(h: Hand) -> None:
    merge_by("rebase", h)


@action(1)
def merge_and_delete_branch(h: Hand) -> None:
    number, pull = h.pull()
    others = [other for (repo, n), other in h.w.pulls.items() if repo == h.repo and n != number]
    if any(pull.head in {other.base, other.head} for other in others):
        raise NothingToDoItTo
    h.call("POST", "pulls", number, "merge", Do="merge", delete_branch_after_merge=True)
    merged(h, number, pull)


def status(h: Hand, number: int, context: str, state: str) -> None:
    sha = h.w.now.heads[h.repo, number][0]
    h.call("POST", "statuses", sha, context=context, state=state)
    h.w.statuses.append(((ChangeKind.STATUS_SET, h.repo, sha, f"{context}={state}", h.who), number))


@action(5)
def set_status(h: Hand) -> None:
    status(h, h.pull()[0], h.any(["ci", "hive/review"]), h.any(["pending", "success", "failure", "error"]))


@action(1.5)
def schedule_and_forget(h: Hand) -> None:
    number, _ = h.pull()
    status(h, number, "gate", "pending")
    h.call("POST", "pulls", number, "merge", Do="merge", merge_when_checks_succeed=True)
    if h.w.ask(h.repo, "pulls", number)["merged"]:
        merged(h, number, h.w.pulls[h.repo, number])
        return
    h.tell(ChangeKind.MERGE_SCHEDULED, number)
    h.call("DELETE", "pulls", number, "merge")
    h.tell(ChangeKind.MERGE_UNSCHEDULED, number)


# Reviews
def review(h: Hand, event: str, *, remark: bool = False) -> None:
    number, _ = h.pull()
    remarks = []
    if remark:
        path = h.any(h.w.ask(h.repo, "pulls", number, "files"))["filename"]
        remarks = [{"path": path, "body": h.w.say(), "new_position": 1}]
    row = h.call("POST", "pulls", number, "reviews", event=event, body=h.w.say(), comments=remarks)
    h.tell(ChangeKind.REVIEWED, number, event)
    for one in h.w.ask(h.repo, "pulls", number, "reviews", row["id"], "comments") if remark else []:
        h.tell(ChangeKind.REMARKED, number, one["id"])


@action(3)
def approve(h: Hand) -> None:
    review(h, "APPROVED")


@action(2)
def reject(h: Hand) -> None:
    review(h, "REQUEST_CHANGES")


@action(2)
def review_in_words(h: Hand) -> None:
    review(h, "COMMENT")


@action(2)
def remark_on_a_line(h: Hand) -> None:
    review(h, h.any(["COMMENT", "REQUEST_CHANGES"]), remark=True)


@action(3)
def dismiss(h: Hand) -> None:
    number, _ = h.pull()
    rows = h.w.ask(h.repo, "pulls", number, "reviews")
    mine = [row for row in rows if row["state"] in {"APPROVED", "REQUEST_CHANGES"} and not row["dismissed"]]
    h.call("POST", "pulls", number, "reviews", h.any(mine)["id"], "dismissals", message="no")
    h.tell(ChangeKind.REVIEW_DISMISSED, number)


def wrote(h: Hand, number: int) -> set[str]:
    """Who reviewed a pull request already."""
    rows = h.w.ask(h.repo, "pulls", number, "reviews", limit=50, page=1)
    return {row["user"]["login"] for row in rows if row["user"] and row["state"] != "REQUEST_REVIEW"}


def asked(h: Hand, number: int) -> set[str]:
    """Who was asked for a review; forges also name those who wrote one since."""
    return {user["login"] for user in h.w.ask(h.repo, "pulls", number)["requested_reviewers"] or []}


@action(3)
def request_review(h: Hand) -> None:
    number, _ = h.pull()
    login = h.any(sorted({*h.w.people} - asked(h, number) - wrote(h, number)))
    h.call("POST", "pulls", number, "requested_reviewers", reviewers=[login])
    h.tell(ChangeKind.REVIEW_REQUESTED, number, login)


@action(2)
def unrequest_review(h: Hand) -> None:
    number, _ = h.pull()
    login = h.any(sorted(asked(h, number) - wrote(h, number)))
    h.call("DELETE", "pulls", number, "requested_reviewers", reviewers=[login])
    h.tell(ChangeKind.REVIEW_UNREQUESTED, number, login)


@action(2)
def relabel_a_pull(h: Hand) -> None:
    row, want = h.subject(pulls=True, state="open"), set(h.rng.sample(["bug", "docs"], 1))
    h.call("PATCH", "pulls", row["number"], labels=h.label_ids(want))
    h.relabel(row, want)


@action(2)
def place_a_pull(h: Hand) -> None:
    row, title = h.subject(pulls=True, state="open"), h.any(h.w.milestones[h.repo])
    h.call("PATCH", "pulls", row["number"], milestone=h.w.milestones[h.repo][title])
    if (row["milestone"] or {}).get("title") != title:
        h.tell(ChangeKind.MILESTONED, row["number"], title)


# Branches, tags, releases
@action(3)
def make_branch(h: Hand) -> None:
    h.call("POST", "branches", new_branch_name=f"side{secrets.token_hex(3)}", old_branch_name="main")
    h.w.saw_refs(h.repo, h.who)


@action(3)
def push_branch(h: Hand) -> None:
    branch = h.any(h.branches())
    h.commit(branch)
    h.w.moved(h.repo, branch, h.who)


@action(2)
def push_main(h: Hand) -> None:
    h.commit("main")
    h.w.moved(h.repo, "main", h.who)


@action(2)
def delete_branch(h: Hand) -> None:
    branch = h.any(name for name in h.branches() if name not in h.in_use())
    h.call("DELETE", "branches", branch)
    h.w.saw_refs(h.repo, h.who)


@action(2)
def make_tag(h: Hand) -> None:
    h.call("POST", "tags", tag_name=f"t{secrets.token_hex(3)}", target="main", message=h.any(["", "a tag"]))
    h.w.saw_refs(h.repo, h.who)


@action(1)
def delete_tag(h: Hand) -> None:
    tag = h.any(ref for ref in h.w.now.refs[h.repo] if ref.startswith("refs/tags/t"))
    h.call("DELETE", "tags", tag.removeprefix("refs/tags/"))
    h.w.saw_refs(h.repo, h.who)


@action(2)
def make_release(h: Hand) -> None:
    tag, text = f"v{secrets.token_hex(3)}", h.w.say()
    row = h.call("POST", "releases", tag_name=tag, target_commitish="main", name=tag, body=text)
    h.tell(ChangeKind.RELEASED, f"refs/tags/{tag}")
    h.w.now.releases[h.repo, row["id"]] = text
    h.w.saw_refs(h.repo, h.who)


@action(1)
def edit_release(h: Hand) -> None:
    _, release = h.any(key for key in h.w.now.releases if key[0] == h.repo)
    text = h.w.say()
    h.call("PATCH", "releases", release, body=text)
    h.w.now.releases[h.repo, release] = text


@action(0.5)
def delete_release(h: Hand) -> None:
    _, release = h.any(key for key in h.w.last.releases.keys() & h.w.now.releases.keys() if key[0] == h.repo)
    h.call("DELETE", "releases", release)
    del h.w.now.releases[h.repo, release]
    h.w.saw_refs(h.repo, h.who)


# Repositories
@action(0.5)
def make_repo(h: Hand) -> None:
    h.w.make_repo(h.who)


@action(0.7)
def rename_repo(h: Hand) -> None:
    name = f"r{secrets.token_hex(4)}"
    h.call("PATCH", name=name)
    h.w.renamed(h.repo, name, h.who)


@action(0.7)
def archive_repo(h: Hand) -> None:
    if sum(not archived for _, archived in h.w.now.repos.values()) < 2:
        raise NothingToDoItTo
    h.call("PATCH", archived=True)
    h.w.now.repos[h.repo] = (h.w.now.repos[h.repo][0], True)


@action(2)
def unarchive_repo(h: Hand) -> None:
    if not h.w.now.repos[h.repo][1]:
        raise NothingToDoItTo
    h.call("PATCH", archived=False)
    h.w.now.repos[h.repo] = (h.w.now.repos[h.repo][0], False)


@action(0.3)
def delete_repo(h: Hand) -> None:
    if len(h.w.now.repos) < 3:
        raise NothingToDoItTo
    h.call("DELETE")
    with suppress(KeyError):
        h.w.forget(h.repo)
