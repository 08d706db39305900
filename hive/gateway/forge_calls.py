"""The calls on the forge: a run comments on its own thread, and opens its own pull requests. There is none for merging."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from bots.intents import OpenIssue
from forge.models import Ref, Repo
from hive.agent.check_suggestions import KNOWN
from hive.gateway import fields
from hive.gateway.admission import Denied
from hive.gateway.agent_session import AgentSession
from hive.gateway.calls import BrokerCall
from hive.gateway.outbound import texts_of
from hive.gateway.run_messages import CONFIG_REQUEST, closing, thread
from hive.ledger import Turn
from hive.outbox.actions import Action, EditPull, OpenPull, PostAnswer
from hive.outbox.enqueue import enqueue
from hive.outbox.pull_report import PullReport, ReportedCheck

MAX_CHECKS = 50
MAX_EVIDENCE = 20
REPORTED = ("draft", "checks", "evidence", "left", "suggested")
"""What an agent may report of its change beside its title and what it is about."""

MAX_WAIT_SECONDS = 25.0
POLL_SECONDS = 0.5
"""How often to look for the result of an effect without a wake-up: the worker may have died before it sent one."""


def comment(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """Say something on the thread of the run."""
    key, body = fields.text(asked, "key", 100), fields.postable_text(asked, "body")
    if not body:
        raise Denied(400, "body is empty")
    return done(session, turn, PostAnswer(thread(turn), body, key=f"run{turn.run}:said:{key}", to=turn.answers))


def pull(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """Open the pull request of the run, or bring it up to date; a draft until the agent says that it is ready.

    With `checks`, even an empty list, the host composes the body: `body` is then what was done and why.
    """
    repo, branch = Ref.parse(turn.ref).repo, own_branch(session, asked)
    words = {name: asked[name] for name in sorted(asked)}
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:12]
    action = OpenPull(
        run=turn.run,
        repo=repo,
        head=branch,
        base=base_of(session, repo),
        title=one_line(asked, "title"),
        body="" if "checks" in asked else closing(turn, repo, fields.visible_text(asked, "body")),
        proposes=False,
        key=f"run{turn.run}:{repo}:{branch}:{turn.id}:{digest}",
        is_draft=fields.flag(asked, "draft"),
        report=report(turn, repo, asked) if "checks" in asked else None,
    )
    return done(session, turn, action)


def report(turn: Turn, repo: Repo, asked: dict[str, Any]) -> PullReport:
    """What an agent reports of its change, safe to post."""
    summary, _, closes = closing(turn, repo, fields.visible_text(asked, "body")).rpartition("\n\n")
    if not closes.startswith("Closes #"):
        summary, closes = closing(turn, repo, fields.visible_text(asked, "body")), ""
    checks = asked["checks"]
    if not isinstance(checks, list) or len(checks) > MAX_CHECKS or not all(isinstance(each, dict) for each in checks):
        raise Denied(400, f"checks should be a list of at most {MAX_CHECKS} objects")
    results = tuple(ReportedCheck(fields.text(each, "command", 1000), fields.flag(each, "ok")) for each in checks)
    evidence = tuple(fields.one_liners(asked, "evidence", MAX_EVIDENCE, 300))
    left = fields.postable_text(asked, "left") if asked.get("left") else ""
    suggested = tuple(each for each in fields.one_liners(asked, "suggested", MAX_CHECKS, 100) if each in KNOWN)
    return PullReport(summary, closes, results, evidence, left, suggested)


def propose(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """Open a pull request on the agent's own configuration."""
    repo, branch = session.config_repo, own_branch(session, asked)
    action = OpenPull(
        run=turn.run,
        repo=repo,
        head=branch,
        base=base_of(session, repo),
        title=one_line(asked, "title"),
        body=fields.postable_text(asked, "body"),
        proposes=True,
        key=f"run{turn.run}:{repo}:{branch}",
    )
    return done(session, turn, action)


def own_branch(session: AgentSession, asked: dict[str, Any]) -> str:
    """A branch of the agent."""
    branch = fields.text(asked, "branch", 200)
    if not branch.startswith(f"agent/{session.agent}/"):
        raise Denied(403, f"the branch should begin with agent/{session.agent}/")
    return branch


def update_pull(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """Change the title or the body of the run's pull request."""
    if turn.pull is None:
        raise Denied(403, "this run has no pull request yet; it is opened when you submit")
    if asked.keys() == {"key"}:
        raise Denied(400, "neither a title nor a body was given")
    ref = Ref.parse(turn.pull)
    action = EditPull(
        ref,
        title=one_line(asked, "title") if "title" in asked else None,
        body=closing(turn, ref.repo, fields.visible_text(asked, "body")) if "body" in asked else None,
        key=f"run{turn.run}:edit:{fields.text(asked, 'key', 100)}",
    )
    return {**done(session, turn, action), "ref": turn.pull}


def request_config(session: AgentSession, turn: Turn, asked: dict[str, Any]) -> dict[str, Any]:
    """File an issue on the agent's configuration repository: what it needs, for an operator to decide."""
    body = CONFIG_REQUEST.format(
        what=fields.postable_text(asked, "what"),
        why=fields.postable_text(asked, "why"),
        agent=session.agent,
        ref=turn.ref.partition(":")[2],
        run=turn.run,
    )
    key = f"run{turn.run}:config:{fields.text(asked, 'key', 100)}"
    return done(session, turn, OpenIssue(session.config_repo, one_line(asked, "title"), body, key=key))


def one_line(asked: dict[str, Any], key: str) -> str:
    """A title: one line, not empty."""
    line = " ".join(fields.postable_text(asked, key).split())[:200]
    if not line:
        raise Denied(400, f"{key} is empty")
    return line


def base_of(session: AgentSession, repo: Repo) -> str:
    """The branch that a pull request of a repository goes to."""
    try:
        return session.base(repo)
    except OSError as error:
        raise Denied(503, str(error)) from error


def done(session: AgentSession, turn: Turn, action: Action) -> dict[str, Any]:
    """Enqueue an action for the worker, and wait for its result; raises Denied."""
    session.outbound.check(turn, texts_of(action))
    effect_id = enqueue(
        session.ledger, session.team, session.login().name, action, by="run", turn=turn.id, depth=turn.depth
    )
    until, woken = time.monotonic() + MAX_WAIT_SECONDS, session.woken.seen
    session.wake(effect_id)
    while (effect := session.ledger.effects.get(effect_id)).state not in ("done", "superseded", "failed"):
        left = until - time.monotonic()
        if left <= 0 or session.stop.is_set():
            raise Denied(503, "the forge has not confirmed it yet; ask again")
        session.woken.wait(woken, min(left, POLL_SECONDS))
        woken = session.woken.seen
    if effect.state != "done":
        raise Denied(403, effect.error or "it was dropped: the thread has moved on")
    return dict(effect.result)


CALLS = (
    BrokerCall("comment", comment, ("key", "body"), once="key", capability="comment", quota=10),
    BrokerCall(
        *("pull", pull, ("branch", "title", "body", *REPORTED), REPORTED),
        once="branch",
        capability="open_pr",
        quota=5,
    ),
    BrokerCall("propose", propose, ("branch", "title", "body"), once="branch", capability="config_request", quota=5),
    BrokerCall(
        *("update_pr", update_pull, ("key", "title", "body"), ("title", "body")),
        once="key",
        capability="update_pr",
        quota=10,
    ),
    BrokerCall(
        *("config_request", request_config, ("key", "title", "what", "why")),
        once="key",
        capability="config_request",
        quota=3,
    ),
)
