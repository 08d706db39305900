"""The gatekeeper: says what a change of an agent's configuration would do, and hands a merged one on.

It never merges and never touches a host: a merged change is only a wish to look, and the host
verifies for itself that an operator approved it. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator

from bots.bot import AGENTS, Bot, Context
from bots.intents import Deploy, Intent, PostComment, Propose, SetStatus
from bots.types import Evaluation
from bots.words import code, plain
from forge.events import PullChanged, PullMerged
from forge.types import CommitStatus, State

CONTEXT = "hive/eval"
PLAN = """\
🔎 **Plan for {agent}** at {sha}

{changes}

Merging this pull request is the approval: the host verifies it, builds exactly this, and rebuilds the container.
"""
PROBLEMS = """\
🔴 **{agent} would not build** at {sha}

{problems}

The container goes on as it is. Push a mended commit and it is looked at again.
"""
NOTHING = "- nothing that runs changes"

bot = Bot("gatekeeper", may={Propose, SetStatus, PostComment, Deploy}, hears={"core", AGENTS})


@bot.on(PullChanged)
def evaluate(event: PullChanged, ctx: Context) -> Iterator[Intent]:
    """Pin the head, set `hive/eval`, and say what merging would mean."""
    agent = ctx.team.configs.get(event.ref.repo)
    if agent is None:
        return
    pull = ctx.forge.pull(event.ref)
    if not pull.is_open:
        return
    seen = ctx.evaluator.evaluate(pull, agent)
    key = f"{event.ref}:{seen.head_sha}:{seen.tree}"
    if not seen.problems:
        yield Propose(event.ref, seen.head_sha, seen.tree, key=f"propose:{key}")
    yield SetStatus(event.ref.repo, seen.head_sha, status(seen), key=f"eval:{key}")
    yield PostComment(event.ref, say(seen, agent), key=f"plan:{key}")


@bot.on(PullMerged)
def deploy(event: PullMerged, ctx: Context) -> Iterator[Intent]:
    """Let the host look at a configuration that a forge calls merged."""
    agent = ctx.team.configs.get(event.ref.repo)
    if agent is not None:
        yield Deploy(event.ref, agent, key=f"deploy:{event.ref}")


def status(seen: Evaluation) -> CommitStatus:
    """The commit status of an evaluation."""
    if seen.problems:
        return CommitStatus(CONTEXT, State.FAILURE, f"🔴 {len(seen.problems)} to mend")
    return CommitStatus(CONTEXT, State.SUCCESS, "🟢 builds")


def say(seen: Evaluation, agent: str) -> str:
    """The comment of an evaluation."""
    sha = code(seen.head_sha[:7])
    if seen.problems:
        return PROBLEMS.format(agent=agent, sha=sha, problems=listed(seen.problems)).strip()
    return PLAN.format(agent=agent, sha=sha, changes=listed(seen.changes) or NOTHING).strip()


def listed(lines: tuple[str, ...]) -> str:
    """Sentences as a list; they may hold words of the change itself."""
    return "\n".join(f"- {plain(line)}" for line in lines)
