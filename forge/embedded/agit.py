"""Pull requests by pushing to `refs/for/<base>`: needs no right but to read.

Speaks git's proc-receive protocol: https://git-scm.com/docs/githooks#proc-receive
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

from forge.embedded.dialect import worded
from forge.embedded.git import ZERO
from forge.embedded.instance import ForgeInstance, Refusal
from forge.embedded.services import pulls, repos
from forge.embedded.state import Row

_PREFIX = "refs/for/"
_REWRITTEN = (
    "Updates were rejected because the tip of your current branch is behind its remote counterpart. "
    "If this is intentional, set the `force-push` option by adding `-o force-push=true` to your `git push` command."
)


def is_for(site: ForgeInstance, repo: Row, ref: str) -> bool:
    """Whether a ref asks for a pull request into a branch that exists."""
    return ref.startswith(_PREFIX) and _target(site, repo, ref)[0] != ""


def converse(site: ForgeInstance, actor: Row, repo: Row, stdin: IO[bytes], stdout: IO[bytes]) -> None:
    """Take the commands that git hands over and say what became of each."""
    list(_packets(stdin))
    _say(stdout, "version=1\0push-options", None)
    commands = [line.split(" ", 2) for line in _packets(stdin)]
    options = dict(line.partition("=")[::2] for line in _packets(stdin))
    for _, new, ref in commands:
        try:
            kept, old = _propose(site, actor, repo, (ref, new), options)
            said = [f"ok {ref}", f"option refname {kept}", f"option old-oid {old}", f"option new-oid {new}"]
            if site.flavour.agit_says_forced and old != ZERO and not site.git(repo).contains(new, old):
                said.append("option forced-update")
            _say(stdout, *said)
        except Refusal as refusal:
            _say(stdout, f"ng {ref} {worded(site.flavour, str(refusal))}")
    _say(stdout, None)


def _propose(
    site: ForgeInstance, actor: Row, repo: Row, wanted: tuple[str, str], options: dict[str, str]
) -> tuple[str, str]:
    """Open a pull request, or bring one of the same topic up to date; answers its ref and where that was."""
    ref, new = wanted
    base, topic = _target(site, repo, ref)
    topic = options.get("topic", topic)
    if not topic:
        raise Refusal(422, "The topic-branch option is not set")
    head, git = f"{actor['login'].lower()}/{topic.removeprefix(actor['login'] + '/')}", site.git(repo)
    sql = """SELECT issues.* FROM issues JOIN pulls ON issue_id = issues.id
             WHERE pulls.repo_id = ? AND agit AND head_branch = ? AND base_branch = ? AND closed IS NULL"""
    issue = site.state.row(sql, repo["id"], head, base)
    if issue is None:
        place = {"head_repo_id": repo["id"], "head_branch": head, "base_branch": base, "agit": 1}
        return _open(site, actor, repo, place, new=new, options=options), ZERO
    old = str(pulls.row(site, issue)["head_sha"])
    if old == new:
        raise Refusal(409, "The new commit is the same as the old commit")
    if options.get("force-push") != "true" and not git.contains(new, old):
        raise Refusal(409, _REWRITTEN)
    pulls.follow(site, actor, issue, old, new)
    return f"refs/pull/{issue['number']}/head", old


def _open(site: ForgeInstance, actor: Row, repo: Row, place: Row, *, new: str, options: dict[str, str]) -> str:
    git = site.git(repo)
    subject, _, rest = git.commit(new).message.partition("\n")
    found = pulls.facts(git, repos.tip(site, repo, place["base_branch"]), new)
    title, body = options.get("title") or subject, options.get("description") or rest.strip()
    issue = pulls.open_one(site, actor, repo, found, place, title=title, body=body)
    return f"refs/pull/{issue['number']}/head"


def _target(site: ForgeInstance, repo: Row, ref: str) -> tuple[str, str]:
    """The base branch that a ref means, and a topic behind it; the branch is empty if there is none."""
    name = ref.removeprefix(_PREFIX)
    if repos.tip(site, repo, name):
        return name, ""
    for at, letter in enumerate(name):
        if letter == "/" and repos.tip(site, repo, name[:at]):
            return name[:at], name[at + 1 :]
    return "", ""


def _packets(stream: IO[bytes]) -> Iterator[str]:
    """The lines up to a flush packet."""
    while (length := int(stream.read(4) or b"0", 16)) > 4:
        yield stream.read(length - 4).decode(errors="replace").rstrip("\n")


def _say(stream: IO[bytes], *lines: str | None) -> None:
    """Write lines; None is a flush packet."""
    for line in lines:
        data = b"" if line is None else line.encode()
        stream.write(b"0000" if line is None else f"{len(data) + 4:04x}".encode() + data)
    stream.flush()
