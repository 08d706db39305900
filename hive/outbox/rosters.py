"""Handlers of actions on the roster: a pull request that adds an agent, and the two comments that purge one."""

from __future__ import annotations

from functools import partial

from bots.agent_intents import ProposeAgent, PurgeAgent
from bots.markdown import plain
from forge.models import FileEdit
from hive.config.roster import FILE
from hive.config.roster_text import add_agent, parse_roster
from hive.config.yaml_locations import BadYaml
from hive.ledger import SpawnRequest
from hive.outbox.registry import Execution, Registry, Result, Superseded

HANDLERS = Registry()

MAIN = "main"
TITLE = "Add {agent} to {team}"
BODY = """\
{where} asks for {agent}{lane}.

{why}

Merging this gives {agent} an account and a repository for its configuration. Its container is created when that configuration is merged too.
"""
RETURNS_TITLE = "Bring {agent} back to {team}"
RETURNS = """\
{where} asks for {agent} to return.

Merging this creates its container again, with the notes and the credentials that it left, and the configuration that it had.
"""
PROPOSED = "🌱 **{agent}** is proposed in {pull}: an operator's merge there is the approval."


@HANDLERS.on(ProposeAgent, by_core=True)
def propose_agent(execution: Execution, action: ProposeAgent) -> Result:
    """Open a pull request that adds an agent to its team, and say so where it was asked for."""
    forge, team = execution.forge, execution.team.name
    issue = forge.issue(action.ref)
    if not issue.is_open:
        raise Superseded(f"{action.ref} was closed in the meantime")
    text = forge.file(action.roster, FILE, MAIN).decode("utf-8", "replace")
    try:
        if action.agent in parse_roster(text).agents:
            raise Superseded(f"{action.agent} is on the roster")
        edited = add_agent(text, action.agent, team, action.lane)
    except (BadYaml, KeyError) as error:
        raise Superseded(f"the roster cannot be edited: {error}") from error
    branch = f"hive/add-{action.agent}-{action.ref.number}"
    names = {"agent": action.agent, "team": team}
    title = (TITLE if action.lane else RETURNS_TITLE).format(**names)
    edit = FileEdit(FILE, edited.encode())
    forge.commit(action.roster, [edit], message=title, branch=branch, start=MAIN)
    pull = forge.open_pull(action.roster, head=branch, base=MAIN, title=title, body=_body(action))
    said = PROPOSED.format(agent=action.agent, pull=_link(pull.ref.repo.path, pull.ref.number))
    forge.comment(action.ref, execution.marked(said), marker=execution.marker)
    spawn = SpawnRequest(action.agent, team, action.lane, action.why, str(action.ref))
    return Result(pull.html_url, {"ref": str(pull.ref)}, settle=partial(execution.ledger.rosters.request, spawn))


@HANDLERS.on(PurgeAgent, local=True)
def purge_agent(execution: Execution, action: PurgeAgent) -> Result:
    """Write down that an operator wants what a destroyed agent left to be deleted; the second time it is."""
    rosters = execution.ledger.rosters
    if rosters.tombstone(action.agent) is None:
        raise Superseded(f"{action.agent} is not among the destroyed")
    rosters.request_purge(action.agent)
    return Result(detail={"agent": action.agent, "by": action.by.login})


def _body(action: ProposeAgent) -> str:
    where = _link(action.ref.repo.path, action.ref.number)
    if not action.lane:
        return RETURNS.format(where=where, agent=action.agent).strip()
    quoted = "\n".join(f"> {plain(line)}" for line in action.why.splitlines() if line.strip()) or "> (no reason given)"
    lane = f", for the lane {action.lane}"
    return BODY.format(where=where, agent=action.agent, lane=lane, why=quoted).strip()


def _link(path: str, number: int) -> str:
    return f"{path}#{number}"
