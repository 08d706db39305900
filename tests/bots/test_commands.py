"""Commands are done for those who may say them, where they are meant, once, and are answered."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bots.agent_intents import (
    Deploy,
    DeployNow,
    Pause,
    ProposeAgent,
    ProposeRevert,
    PurgeAgent,
    RaiseBudget,
    RecordCorrection,
    ResetContext,
    Restart,
    Resume,
    ResumeDeployments,
    RetryDeployment,
    SetModel,
    SuspendDeployments,
    roster_of,
)
from bots.bot import Context
from bots.commands import MOST, bot
from bots.commands.handlers import HANDLERS
from bots.configurations import ConfigurationView, TombstoneView
from bots.intents import (
    Assign,
    Close,
    ContinueRun,
    EndRun,
    Intent,
    React,
    Reply,
    RequestBotReview,
    ResumeRuns,
    SetLabels,
    StartRun,
    TagDenied,
    Unassign,
)
from bots.models import Category, Finding, Lane, Level
from bots.money import DOLLAR
from bots.request_reading import of_issue
from bots.review_intents import DismissFinding
from bots.review_rounds import FindingState, RememberedFinding, ReviewRound
from bots.slash_commands import AT_WORK, COMMANDS, EVERYWHERE, ThreadKind
from bots.task_prompt import task_prompt
from bots.views import FindingView, RunStatus, RunView
from forge.event_keys import digest
from forge.events import CommentPosted
from forge.models import Comment, Ref, User
from tests.bots.conftest import APP, ARGUS, CONFIG, CORE, EVE, IRIS, MARA, NOON, OWN, Still, StillForge, issue, pull

Golden = Callable[[str, str], None]
DOCS = Path(__file__).parents[2] / "docs" / "commands.md"
ISSUE = Ref(APP, 1)
PULL = Ref(APP, 2)
DENIED = Ref(CONFIG, 3)
MERGED = Ref(CONFIG, 6)
TOMB = Ref(OWN[0], 4)
ATLAS = User(5, "atlas")
MEMBER = User(50, "milo")
RUN = RunView(id=5, agent="iris", issue=ISSUE, state="open", pull=PULL)
MARKER = "\n\n<!-- hive:0123456789abcdef01234567 -->"
HIVE = "<!-- hive:"
FOUND = (
    FindingView(1, "app.py", 12, "Found useless expression"),
    FindingView(2, "app.py", 3, "Unused import", "import `os`", ""),
)
ROUND = ReviewRound(
    *(2, "a" * 40, "main", "b" * 40, "BLOCKED"),
    findings=(
        RememberedFinding(1, Finding("app.py", 12, Level.YELLOW, Category.BUG, "B018", "Found useless expression", engine="ruff"), context="c0ffee"),
        RememberedFinding(
            2,
            Finding("app.py", 3, Level.YELLOW, Category.INCONSISTENCY, "F401", "Unused import", "`os` is not used.", 10, "", "ruff"),
            FindingState.STILL,
        ),
        RememberedFinding(3, Finding("b.py", 1, Level.RED, Category.BUG, "F821", "Undefined @name", engine="ruff"), FindingState.FIXED, head="d" * 40),
        RememberedFinding(4, Finding("b.py", 2, Level.RED, Category.BUG, "F821", "Undefined", engine="ruff"), FindingState.DISMISSED, by="mara", why="@all know"),
    ),
)  # fmt: skip
TOLD = "…"
"""Stands for what an agent is told."""

SAID = {
    "status": "/status",
    "cancel": "/cancel",
    "retry": "/retry",
    "start": "/start",
    "stop": "/stop iris",
    "deny": "/deny too wide",
    "review": "/review full",
    "dismiss": "/dismiss 🔴1 it is meant so",
    "explain": "/explain 2",
    "fix": "/fix 🔴2",
    "rollback": "/rollback too slow",
    "deploy": "/deploy now",
    "suspend": "/suspend until the audit is over",
    "plan": "/plan",
    "rebuild": "/rebuild",
    "not-my-lane": "/not-my-lane",
    "pause": "/pause",
    "resume": "/resume iris",
    "restart": "/restart",
    "model": "/model claude-opus-5-5",
    "compact": "/compact",
    "new-session": "/new-session",
    "answer": "/answer sqlite, please",
    "budget": "/budget +2",
    "revive": "/revive lexis",
    "purge": "/purge lexis confirm",
    "help": "/help",
}
"""How each command is said."""


def key(name: str, action: str, ref: Ref = ISSUE) -> str:
    """The key of a deed of the first order in comment 30."""
    return f"{name}:{action}:{ref}:30:0"


def ended(name: str, outcome: str) -> list[Intent]:
    """The run of iris ends."""
    return [
        Unassign(ISSUE, ("iris",), key=key(name, "off")),
        EndRun(5, outcome, key=key(name, "end")),
    ]


def begun(name: str, *, again: bool) -> list[Intent]:
    """A run of iris begins."""
    told = f"<issue>{name}"
    return [
        StartRun(ISSUE, "iris", told, key=key(name, "run"), again=again),
        Assign(ISSUE, ("iris",), key=key(name, "assign")),
    ]


BOUNCE: list[Intent] = [
    Unassign(ISSUE, ("iris",), key=key("not-my-lane", "off")),
    EndRun(5, "bounced", key=key("not-my-lane", "end")),
    Assign(ISSUE, ("atlas",), key=key("not-my-lane", "give")),
    SetLabels(ISSUE, add=("area/nix",), remove=("area/app",), key=key("not-my-lane", "lane")),
]
WANTED: dict[str, list[Intent]] = {
    "cancel": ended("cancel", "cancelled"),
    "stop": ended("stop", "stopped"),
    "retry": begun("retry", again=True),
    "start": begun("start", again=False),
    "review": [RequestBotReview(PULL, MARA, key=key("review", "ask", PULL), full=True)],
    "dismiss": [
        DismissFinding(
            *(PULL, 1, "c0ffee", "B018", "app.py", MARA, "it is meant so"), key=key("dismiss", "dismiss", PULL)
        ),
        RequestBotReview(PULL, MARA, key=key("dismiss", "again", PULL), bot="review"),
    ],
    "explain": [],
    "fix": [ContinueRun(5, TOLD, by_person=True, key=key("fix", "fix", PULL))],
    "rollback": [
        ProposeRevert(MERGED, "iris", "mara wants to undo this: too slow", key=key("rollback", "revert", MERGED))
    ],
    "deploy": [DeployNow(MERGED, "iris", key=key("deploy", "deploy", MERGED))],
    "suspend": [
        SuspendDeployments(DENIED, "iris", MARA, "until the audit is over", key=key("suspend", "suspend", DENIED))
    ],
    "plan": [RequestBotReview(DENIED, MARA, key=key("plan", "ask", DENIED))],
    "rebuild": [Deploy(ISSUE, "iris", key=key("rebuild", "deploy"))],
    "not-my-lane": BOUNCE,
    "pause": [Pause(ISSUE, "iris", MARA, key=key("pause", "pause"))],
    "resume": [Resume(ISSUE, "iris", key=key("resume", "resume"))],
    "restart": [Restart(ISSUE, "iris", key=key("restart", "restart"))],
    "model": [SetModel(ISSUE, "iris", "claude-opus-5-5", key=key("model", "model"))],
    "compact": [ResetContext(ISSUE, 5, "compact", TOLD, key=key("compact", "reset-context"))],
    "new-session": [ResetContext(ISSUE, 5, "new", TOLD, key=key("new-session", "reset-context"))],
    "answer": [ContinueRun(5, TOLD, by_person=True, key=key("answer", "answer"))],
    "budget": [RaiseBudget(ISSUE, 5, 2 * DOLLAR, MARA, TOLD, key=key("budget", "raise"))],
    "revive": [ProposeAgent(TOMB, OWN[0], "lexis", "", "", key=key("revive", "propose", TOMB))],
    "purge": [PurgeAgent(TOMB, "lexis", MARA, key=key("purge", "purge", TOMB))],
    "help": [],
    "status": [],
    "deny": [
        Close(DENIED, key=key("deny", "close", DENIED)),
        TagDenied(DENIED, "a" * 40, MARA, "too wide", key=f"denied:{DENIED}:{'a' * 40}"),
        ResumeRuns(DENIED, TOLD, key=f"denied:{DENIED}:{'a' * 40}"),
    ],
}
"""What an operator's command makes the hive want."""

ASIDE = {"lane", "again"}
"""Deeds without which the answer is true all the same."""


@pytest.fixture
def ctx(ctx: Context, forge: StillForge, still: Still) -> Context:
    """An issue of iris' with an open run and a pull request, in a team of two."""
    forge.issues = {
        ISSUE: issue(assignees=(IRIS,), labels=("area/app",)),
        PULL: issue(2, is_pull=True),
        DENIED: replace(issue(3, is_pull=True), ref=DENIED),
    }
    forge.issues[TOMB] = issue(4, ref=TOMB)
    forge.issues[MERGED] = issue(6, ref=MERGED, is_pull=True, is_open=False)
    merged = pull(6, repo=CONFIG, is_open=False, merged=True)
    forge.pulls = {PULL: pull(2), DENIED: pull(3, repo=CONFIG), MERGED: merged}
    still.configurations = {"iris": ConfigurationView("d" * 40, (), "c" * 40, (6,), waits=True)}
    still.runs = {ISSUE: RUN, PULL: RUN}
    still.found = {PULL: FOUND}
    still.rounds = {PULL: ROUND}
    still.statuses = {ISSUE: RunStatus(5, "iris", True, "", NOON, turn=7, is_held=True)}
    lanes = (Lane("app", "iris", "area/app"), Lane("nix", "atlas", "area/nix"))
    still.tombstones = {"lexis": TombstoneView("lexis")}
    return replace(ctx, team=replace(ctx.team, agents={"iris": IRIS, "atlas": ATLAS}, lanes=lanes, own=OWN))


def say(ctx: Context, body: str, *, by: User = MARA, ref: Ref = ISSUE, **facts: object) -> list[Intent]:
    """What the bot wants when somebody writes comment 30."""
    comment = replace(Comment(30, ref, by, body, NOON, NOON, ""), **facts)  # type: ignore[arg-type]
    forge = ctx.forge
    assert isinstance(forge, StillForge)
    forge.said.setdefault(ref, []).append(comment)
    return bot.handle(CommentPosted(ref, by, f"comment:{ref}:30", 30), ctx)


def before(ctx: Context, number: int, body: str, *, by: User = MARA, minutes: float = 0, edited: bool = False) -> None:
    """A comment that was written on the issue so many minutes ago."""
    at = NOON - timedelta(minutes=minutes)
    assert isinstance(ctx.forge, StillForge)
    comment = Comment(number, ISSUE, by, body, at, at + timedelta(seconds=edited), "")
    ctx.forge.said.setdefault(ISSUE, []).append(comment)


def words(intents: list[Intent]) -> str:
    """What the answer says when all goes well."""
    (reply,) = (intent for intent in intents if isinstance(intent, Reply))
    return "\n".join(line.done for line in reply.lines)


def mood(intents: list[Intent]) -> str:
    """The last reaction."""
    assert isinstance(intents[-1], React)
    return intents[-1].content


def actions(intents: list[Intent]) -> list[Intent]:
    """What is wanted beside receipts; the task of a run is long and stands for itself."""
    done = [intent for intent in intents if not isinstance(intent, React | Reply)]
    return [shortly(action) for action in done]


def shortly(action: Intent) -> Intent:
    """A deed without the long words in it."""
    if isinstance(action, StartRun):
        return replace(action, task=f"<issue>{action.key.split(':')[0]}", request=None)
    if isinstance(action, ContinueRun):
        return replace(action, message=TOLD, request=None)
    return replace(action, message=TOLD) if isinstance(action, RaiseBudget | ResetContext | ResumeRuns) else action


def place(name: str) -> Ref:
    """Where a command is said."""
    return {
        "review": PULL,
        "dismiss": PULL,
        "explain": PULL,
        "fix": PULL,
        "deny": DENIED,
        "plan": DENIED,
        "suspend": DENIED,
        "deploy": MERGED,
        "rollback": MERGED,
        "revive": TOMB,
        "purge": TOMB,
    }.get(name, ISSUE)


def quiet(name: str, still: Still) -> None:
    """Nobody is at it when a start is asked for, and an agent rests that is to go on."""
    still.rests = {"iris": ("paused by mara",)} if name == "resume" else {}
    if name == "start":
        still.runs = {ISSUE: replace(RUN, state="ended")}


def test_every_command_is_in_the_tables() -> None:
    """No command is listed that has no hand."""
    assert list(SAID) == [command.name for command in COMMANDS]
    assert set(HANDLERS) == set(WANTED) == set(SAID)


@pytest.mark.parametrize("name", SAID)
def test_operator(name: str, ctx: Context, still: Still) -> None:
    """An operator's command is seen, done, answered in one line, and its end is shown on the comment."""
    ref = place(name)
    quiet(name, still)
    wanted = say(ctx, SAID[name], ref=ref)
    assert actions(wanted) == WANTED[name]
    after = tuple(action.key for action in WANTED[name] if action.key.split(":")[1] not in ASIDE)
    assert wanted[0] == React(ref, 30, "eyes", key=f"seen:{ref}:30")
    assert wanted[-1] == React(ref, 30, "+1", key=f"outcome:{ref}:30", after=after, otherwise="confused")
    reply = wanted[-2]
    assert isinstance(reply, Reply)
    (line,) = reply.lines
    assert (reply.ref, reply.comment_id, reply.key, line.after) == (ref, 30, f"reply:{ref}:30", after)
    assert line.done.startswith("✅")
    assert not after or (line.failed[0], line.waiting[0]) == ("😕", "⏳")


def test_a_run_is_told_its_issue(ctx: Context, forge: StillForge) -> None:
    """A run that begins by a command is told what one that begins by an assignment is told."""
    start = next(intent for intent in say(ctx, "/retry") if isinstance(intent, StartRun))
    assert start.task == task_prompt(forge.issues[ISSUE], ctx.team)
    assert start.request == of_issue(forge.issues[ISSUE], ctx.team)


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("speaker", [MEMBER, EVE, CORE, ARGUS, User(-1, "mara"), User(0, "")])
def test_nobody_else(name: str, speaker: User, ctx: Context) -> None:
    """Members, strangers, the hive's own bots and a taken login command nothing, and are not answered."""
    assert say(ctx, SAID[name], by=speaker, ref=place(name)) == []


@pytest.mark.parametrize("name", SAID)
def test_agent(name: str, ctx: Context) -> None:
    """An agent may say that an issue is not its own, and nothing else."""
    wanted = say(ctx, f"I looked.\n\n{SAID[name]}{MARKER}", by=IRIS, ref=place(name))
    assert actions(wanted) == (BOUNCE if name == "not-my-lane" else [])
    assert bool(wanted) == (name == "not-my-lane")


HIDDEN = {
    "quoted": "> {said}",
    "quoted within": "> he wrote\n> {said}",
    "quoted lazily": "> he wrote\n{said}",
    "quoted twice": "> > {said}",
    "fenced": "```\n{said}\n```",
    "fenced by waves": "~~~sh\n{said}\n~~~",
    "fenced for ever": "````\n```\n{said}",
    "fenced in a list": "- ```\n  {said}\n  ```",
    "fenced after a list": "- ```\n  ```\n```\n{said}\n```",
    "indented": "    {said}",
    "indented by a tab": "\t{said}",
    "indented in a paragraph": "text\n    {said}",
    "inline": "`{said}`",
    "inline over lines": "`one\n{said}\ntwo`",
    "later in a line": "please {said}",
    "after a blank": " {said}",
    "in a list": "- {said}",
    "in a heading": "# {said}",
    "below HTML": "<blockquote>\n\n{said}\n\n</blockquote>",
    "preformatted": "<pre>\n{said}\n</pre>",
    "invisible": "<!--\n{said}\n-->",
    "preformatted in a paragraph": "look <pre>\n{said}\n</pre>",
    "after another line end": "text\u2028{said}",
    "copied from the hive": "{said}" + MARKER,
}
"""Where text is no command."""


@pytest.mark.parametrize("how", HIDDEN)
@pytest.mark.parametrize("name", SAID)
def test_not_meant(name: str, how: str, ctx: Context) -> None:
    """What stands in quotes, in code, or anywhere but at the start of a line is text."""
    assert say(ctx, HIDDEN[how].format(said=SAID[name]), ref=place(name)) == []


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("speaker", [MARA, IRIS])
def test_edited(name: str, speaker: User, ctx: Context) -> None:
    """An edited comment is no command: others than its author may have written it."""
    assert say(ctx, SAID[name], by=speaker, ref=place(name), updated_at=NOON + timedelta(seconds=1)) == []


@pytest.mark.parametrize("name", SAID)
def test_edited_within_its_second(name: str, ctx: Context) -> None:
    """A comment whose text is not the one it was posted with is no command, whatever its times say."""
    assert isinstance(ctx.forge, StillForge)
    ref = place(name)
    ctx.forge.said[ref] = [Comment(30, ref, MARA, SAID[name], NOON, NOON, "")]
    assert bot.handle(CommentPosted(ref, MARA, "k", 30, digest("It works now.")), ctx) == []
    assert bot.handle(CommentPosted(ref, MARA, "k", 30, digest(SAID[name])), ctx) != []


def test_the_author_counts_not_the_messenger(ctx: Context) -> None:
    """What a payload says of who acted opens no door: the forge is asked who wrote the comment."""
    assert isinstance(ctx.forge, StillForge)
    ctx.forge.said[ISSUE] = [Comment(30, ISSUE, EVE, "/cancel", NOON, NOON, "")]
    assert bot.handle(CommentPosted(ISSUE, MARA, "k", 30), ctx) == []


def test_a_deleted_comment_is_none(ctx: Context) -> None:
    """A comment that is gone commands nothing, and is no fault."""
    assert bot.handle(CommentPosted(ISSUE, MARA, "k", 77), ctx) == []


ANSWERS = {
    "nobody is at it": ("/cancel", {}),
    "never was": ("/retry", {}),
    "closed": ("/start", {ISSUE: issue(is_open=False, assignees=(IRIS,))}),
    "nobody assigned": ("/start", {ISSUE: issue()}),
    "unknown agent": ("/start @ghost`", {}),
    "other repository": ("/start iris", {ISSUE: replace(issue(assignees=(IRIS,)), ref=Ref(CONFIG, 1))}),
    "on a pull request": ("/start", {ISSUE: issue(is_pull=True, assignees=(IRIS,))}),
    "no pull request": ("/review", {}),
    "closed pull request": ("/review", {ISSUE: issue(is_pull=True, is_open=False)}),
    "review of something": ("/review this", {}),
    "whose container": ("/rebuild", {}),
    "no agent": ("/rebuild mara", {}),
    "nobody's issue": ("/not-my-lane", {ISSUE: issue()}),
    "bounced when closed": ("/not-my-lane", {ISSUE: issue(is_open=False)}),
    "bounced pull request": ("/not-my-lane", {ISSUE: issue(is_pull=True)}),
    "bounced to nobody": ("/not-my-lane mara", {}),
    "bounced to itself": ("/not-my-lane iris", {}),
    "too many words": ("/cancel it now", {}),
    "too few words": ("/answer", {}),
    "misspelt": ("/cancle", {}),
    "unknown": ("/lgtm", {}),
    "nobody to pause": ("/pause", {ISSUE: issue()}),
    "pause of nobody": ("/pause ghost", {}),
    "not paused": ("/resume", {}),
    "restart of nobody": ("/restart ghost", {}),
    "model of no run": ("/model x", {}),
    "gist of no run": ("/compact", {}),
    "anew, of no run": ("/new-session", {}),
    "answer to nobody": ("/answer yes", {}),
}
"""What is answered with 😕 when no run is open, and how things stand then."""


def test_the_answers_golden(ctx: Context, still: Still, golden: Golden) -> None:
    """Whatever cannot be done is said in one line, and nothing is done."""
    still.runs = {}
    said = []
    for what, (body, there) in ANSWERS.items():
        forge = StillForge(issues={ISSUE: issue(assignees=(IRIS,)), **there})
        wanted = say(replace(ctx, forge=forge), body)
        assert (actions(wanted), mood(wanted)) == ([], "confused"), what
        said.append(f"{what}: {words(wanted)}")
    golden("commands/answers.md", "\n".join(said))


def test_what_was_done_golden(ctx: Context, still: Still, golden: Golden) -> None:
    """What was done is said in one line, and so is what the forge kept the hive from."""
    said = []
    for name, body in SAID.items():
        still.runs = {ISSUE: RUN, PULL: RUN}
        quiet(name, still)
        assert isinstance(ctx.forge, StillForge)
        ctx.forge.said = {}
        (reply,) = (intent for intent in say(ctx, body, ref=place(name)) if isinstance(intent, Reply))
        said += [text for line in reply.lines for text in (line.done, line.failed, line.waiting) if text]
    golden("commands/done.md", "\n".join(said))


def test_somebody_is_at_it(ctx: Context) -> None:
    """A second run is not started beside an open one, and one agent is not stopped in the name of another."""
    for body in ("/start", "/start atlas", "/stop atlas"):
        assert isinstance(ctx.forge, StillForge)
        ctx.forge.said = {}
        wanted = say(ctx, body)
        assert (actions(wanted), mood(wanted)) == ([], "confused"), body


def test_a_pause_is_said_once(ctx: Context, still: Still) -> None:
    """Who is paused is not paused again, and who rests for another reason does not go on by a word."""
    still.rests = {"iris": ("paused by mara", "waiting: 429 rate_limit_error, retry 14:32 UTC")}
    assert actions(say(ctx, "/pause")) == []
    still.rests = {"iris": ("waiting: 429 rate_limit_error, retry 14:32 UTC",)}
    assert isinstance(ctx.forge, StillForge)
    ctx.forge.said = {}
    wanted = say(ctx, "/resume")
    assert actions(wanted) == []
    assert "but suspended (waiting: 429 rate_limit_error, retry 14:32 UTC)" in words(wanted)


def test_a_model_that_the_house_does_not_know(ctx: Context) -> None:
    """Only models that `hive.yaml` allows are used; the nearest one is named, or all of them."""
    ctx = replace(ctx, team=replace(ctx.team, models=("claude-opus-5-5", "claude-haiku-5-5")))
    assert isinstance(ctx.forge, StillForge)
    for name, said in (
        ("claude-opus-55", "may not use the model `claude-opus-55`, perhaps `claude-opus-5-5`. Nothing was done."),
        ("gpt", "may not use the model `gpt`; it may use `claude-opus-5-5`, `claude-haiku-5-5`. Nothing was done."),
    ):
        ctx.forge.said = {}
        wanted = say(ctx, f"/model {name}")
        assert (actions(wanted), mood(wanted)) == ([], "confused")
        assert said in words(wanted)
    ctx.forge.said = {}
    (action,) = actions(say(ctx, "/model claude-haiku-5-5"))
    assert isinstance(action, SetModel)
    assert action.model == "claude-haiku-5-5"


@pytest.mark.parametrize(
    ("own", "names"),
    [
        ({}, "`claude-opus-5-5`, `claude-haiku-5-5`"),
        ({"iris": ("home/qwen3",), "nora": ("claude-opus-5-5",)}, "`home/qwen3`"),
    ],
    ids=["of the hive", "of its own"],
)
def test_the_models_that_an_agent_may_use(ctx: Context, own: dict[str, tuple[str, ...]], names: str) -> None:
    """Without a name they are listed; no other one is chosen."""
    models = ("claude-opus-5-5", "claude-haiku-5-5")
    ctx = replace(ctx, team=replace(ctx.team, models=models, agent_models=own))
    wanted = say(ctx, "/model")
    assert actions(wanted) == []
    assert f"@iris may use {names}." in words(wanted)
    (action,) = actions(say(ctx, f"/model {names.split('`')[1]}"))
    assert isinstance(action, SetModel)
    assert bool(actions(say(ctx, "/model claude-opus-5-5"))) == (not own)


def test_the_model_of_the_configuration(ctx: Context) -> None:
    """One word goes back to it; what is no name of a model is none."""
    (own,) = actions(say(ctx, "/model default"))
    assert isinstance(own, SetModel)
    assert own.model == ""
    for name in ("-x", "a b", "x;y", "`x`", "x" * 101):
        assert isinstance(ctx.forge, StillForge)
        ctx.forge.said = {}
        assert actions(say(ctx, f"/model {name}")) == [], name


def test_an_answer_is_fenced(ctx: Context) -> None:
    """What an operator answers reaches the agent as somebody's words, not as rules."""
    (handed,) = (intent for intent in say(ctx, "/answer sqlite, and @eve says so") if isinstance(intent, ContinueRun))
    assert handed.message.startswith("<answer ")
    assert "by mara, an operator>\nsqlite, and @eve says so\n</answer " in handed.message


def test_a_new_session_is_told_its_issue(ctx: Context, forge: StillForge) -> None:
    """What is forgotten is told anew."""
    recall = next(intent for intent in say(ctx, "/new-session") if isinstance(intent, ResetContext))
    assert recall.message == task_prompt(forge.issues[ISSUE], ctx.team)


def test_on_a_pull_request_the_run_is_meant(ctx: Context) -> None:
    """Said on the pull request, a command ends the run of its issue."""
    wanted = actions(say(ctx, "/cancel", ref=PULL))
    assert [(type(action), getattr(action, "ref", ISSUE)) for action in wanted] == [
        (Unassign, ISSUE),
        (EndRun, ISSUE),
    ]


def test_an_agent_that_is_gone_is_ended(ctx: Context) -> None:
    """The run of an agent that left the team ends, though nobody can be taken off the issue."""
    left = replace(ctx, team=replace(ctx.team, agents={"atlas": ATLAS}))
    assert [type(action) for action in actions(say(left, "/cancel"))] == [EndRun]


def test_rebuild_where_it_is_configured(ctx: Context, still: Still) -> None:
    """On a configuration's own repository no name is needed."""
    still.runs = {}
    (look,) = actions(say(ctx, "/rebuild", ref=Ref(CONFIG, 3)))
    assert isinstance(look, Deploy)
    assert look.agent == "iris"


def test_several_orders_in_one_comment(ctx: Context) -> None:
    """Each line is done and answered by itself, under keys of its own; one that fails shows on the comment."""
    wanted = say(ctx, "Look at `this`:\n/cancel\n\n/nope\nand `then`\n/retry\r\n")
    keys = [intent.key for intent in wanted]
    assert len(set(keys)) == len(keys)
    assert [line[0] for line in words(wanted).splitlines()] == ["✅", "😕", "✅"]
    assert mood(wanted) == "confused"


def test_too_many_orders(ctx: Context) -> None:
    """A list of commands is a mistake, and none of them is done."""
    wanted = say(ctx, "/retry\n" * (MOST + 1))
    assert (actions(wanted), mood(wanted)) == ([], "confused")
    assert f"More than {MOST}" in words(wanted)
    assert isinstance(ctx.forge, StillForge)
    ctx.forge.said = {}
    assert mood(say(ctx, "/cancel\n" * MOST)) == "+1"


@pytest.mark.parametrize("body", ["/etc/passwd", "/usr is full", "/", "//", "/CANCEL", "/cancel.", "/-x", "text", ""])
def test_paths_are_text(body: str, ctx: Context) -> None:
    """A slash makes no command: its word has to be known, or to stand alone."""
    assert say(ctx, body) == []


def test_late(ctx: Context) -> None:
    """What was said more than a day ago is not done any more, and that is said."""
    day = timedelta(days=1)
    late = NOON - day - timedelta(seconds=1)
    wanted = say(ctx, "/cancel", created_at=late, updated_at=late)
    assert (actions(wanted), mood(wanted)) == ([], "confused")
    assert "a day late" in words(wanted)
    assert isinstance(ctx.forge, StillForge)
    ctx.forge.said = {}
    assert mood(say(ctx, "/cancel", created_at=NOON - day, updated_at=NOON - day)) == "+1"


class TestBounce:
    """An issue that came to the wrong agent."""

    def test_named(self, ctx: Context) -> None:
        """An agent may say whose it is, and that is remembered."""
        *others, learned = actions(say(ctx, "/not-my-lane @atlas", by=IRIS))
        assert others == BOUNCE
        assert learned == RecordCorrection(ISSUE, "", "nix", "iris", key=key("not-my-lane", "learn"))

    def test_second_time(self, ctx: Context) -> None:
        """When an agent says so a second time, a person decides, and nobody is at it meanwhile."""
        before(ctx, 20, f"/not-my-lane{MARKER}", by=ATLAS, minutes=60)
        off, end, label = actions(say(ctx, "/not-my-lane atlas", by=IRIS))
        assert (type(off), type(end)) == (Unassign, EndRun)
        assert label == SetLabels(ISSUE, add=("needs-operator",), key=key("not-my-lane", "operators"))

    def test_operators_bounce_for_ever(self, ctx: Context) -> None:
        """An operator decides as often as he likes, and his word is no bounce of an agent."""
        before(ctx, 20, "/not-my-lane", minutes=60)
        assert actions(say(ctx, "/not-my-lane", by=IRIS)) == BOUNCE
        assert isinstance(ctx.forge, StillForge)
        ctx.forge.said = {}
        before(ctx, 20, "/not-my-lane", by=ATLAS, minutes=60)
        assert actions(say(ctx, "/not-my-lane")) == BOUNCE

    def test_not_its_own(self, ctx: Context) -> None:
        """An agent cannot give away what another one works on."""
        wanted = say(ctx, "/not-my-lane", by=ATLAS)
        assert (actions(wanted), mood(wanted)) == ([], "confused")

    def test_alone(self, ctx: Context) -> None:
        """Where no other agent is, the operators get it."""
        alone = replace(ctx, team=replace(ctx.team, agents={"iris": IRIS}, lanes=ctx.team.lanes[:1]))
        labels = [action for action in actions(say(alone, "/not-my-lane", by=IRIS)) if isinstance(action, SetLabels)]
        assert labels[0].add == ("needs-operator",)


PLACES = {
    AT_WORK: "issues and their pull requests",
    frozenset({ThreadKind.PULL, ThreadKind.CONFIG}): "pull requests",
    frozenset({ThreadKind.PULL}): "pull requests on code",
    frozenset({ThreadKind.PULL, ThreadKind.CONFIG, ThreadKind.OWN}): "pull requests, and threads in `hive/meta`",
    frozenset({ThreadKind.CONFIG}): "pull requests on configurations",
    frozenset({ThreadKind.OWN}): "issues in `hive/meta` and `hive/ops`",
}
"""Where commands work, in words."""


@pytest.mark.parametrize("name", SAID)
def test_a_command_at_any_place_is_answered(name: str, ctx: Context) -> None:
    """Whether or not it is meant for that thread: in one line, and never by a fault of the bot."""
    for ref in (ISSUE, PULL, DENIED, MERGED, TOMB):
        assert words(say(ctx, SAID[name], ref=ref)), ref


class TestConfigurations:
    """What was merged on a configuration is deployed once more, or undone, by a word."""

    def test_retry(self, ctx: Context, still: Still) -> None:
        """What failed is tried again; what did not fail, or came with another pull request, is not."""
        assert "has not failed" in say(ctx, "/retry", ref=MERGED)[1].lines[0].done  # type: ignore[union-attr]
        still.configurations = {"iris": ConfigurationView("d" * 40, (), "c" * 40, (5, 6), failed=True)}
        action = RetryDeployment(MERGED, "iris", key=key("retry", "deploy", MERGED))
        assert actions(say(ctx, "/retry", ref=MERGED)) == [action]
        still.configurations = {"iris": ConfigurationView("d" * 40, (), "c" * 40, (5,), failed=True)}
        assert actions(say(ctx, "/retry", ref=MERGED)) == []

    def test_the_base_of_all(self, ctx: Context, still: Still) -> None:
        """On the pull request that brought it, what failed is tried again and what waits begins; on others, nothing does."""
        base, name = TOMB, roster_of(OWN[0].forge)
        for body in ("/retry", "/deploy now"):
            assert actions(say(ctx, body, ref=base)) == []
        still.configurations = {name: ConfigurationView(last="c" * 40, pulls=(4,), failed=True, waits=True)}
        retry = RetryDeployment(base, name, key=key("retry", "deploy", base))
        assert actions(say(ctx, "/retry", ref=base)) == [retry]
        assert "the containers that could not be rebuilt" in words(say(ctx, "/retry", ref=base))
        now = DeployNow(base, name, key=key("deploy", "deploy", base))
        assert actions(say(ctx, "/deploy now", ref=base)) == [now]
        assert actions(say(ctx, "/retry", ref=Ref(OWN[0], 5))) == []

    def test_the_hive_itself(self, ctx: Context, still: Still) -> None:
        """A version that waits for the end of a freeze window begins by a word; on other code there is nothing to deploy."""
        assert "this is for pull requests on" in words(say(ctx, "/deploy now", ref=PULL))
        still.configurations = {"hive": ConfigurationView(last="c" * 40, pulls=(PULL.number,), waits=True)}
        own = replace(ctx, team=replace(ctx.team, source=PULL.repo))
        action = DeployNow(PULL, "hive", key=key("deploy", "deploy", PULL))
        assert actions(say(own, "/deploy now", ref=PULL)) == [action]

    @pytest.mark.parametrize(
        ("ref", "says"), [(DENIED, "is not merged"), (PULL, "is for pull requests on an agent's configuration")]
    )
    def test_nothing_to_undo(self, ctx: Context, ref: Ref, says: str) -> None:
        """What is not merged, and what is no configuration, is not undone."""
        wanted = say(ctx, "/rollback", ref=ref)
        assert actions(wanted) == []
        assert says in words(wanted)

    def test_only_the_newest_is_undone(self, ctx: Context, still: Still) -> None:
        """A change that others stand on is not undone alone."""
        still.configurations = {"iris": ConfigurationView("d" * 40, (), "c" * 40, (7,))}
        assert "undo the newest change first" in words(say(ctx, "/rollback", ref=MERGED))

    def test_only_what_waits_is_deployed_now(self, ctx: Context, still: Still) -> None:
        """What is under way goes on by itself, and what somebody suspended is resumed by its own word."""
        stands = ConfigurationView("d" * 40, (), "c" * 40, (6,))
        still.configurations = {"iris": stands}
        assert "nothing that was merged here waits" in words(say(ctx, "/deploy now", ref=MERGED))
        why = "deployments suspended by eve"
        still.configurations = {"iris": replace(stands, waits=True, suspended=why)}
        wanted = say(ctx, "/deploy", ref=MERGED)
        assert (actions(wanted), mood(wanted)) == ([], "confused")
        assert f"{why}: `/resume` first" in words(wanted)
        assert actions(say(ctx, "/deploy tomorrow", ref=MERGED)) == []

    def test_suspended_once_and_resumed(self, ctx: Context, still: Still) -> None:
        """The second suspension is answered with the first; `/resume` ends it on the agent's own configuration only."""
        assert actions(say(ctx, "/resume", ref=MERGED)) == []
        still.configurations = {"iris": ConfigurationView(suspended="deployments suspended by eve: x")}
        assert "suspended by eve: x already" in words(say(ctx, "/suspend", ref=DENIED))
        action = ResumeDeployments(MERGED, "iris", key=key("resume", "deployments", MERGED))
        assert actions(say(ctx, "/resume", ref=MERGED)) == [action]
        assert actions(say(ctx, "/resume iris")) == []

    def test_one_word_ends_both(self, ctx: Context, still: Still) -> None:
        """An agent that is paused beside it is resumed on its configuration, and told so; elsewhere only it is."""
        still.configurations = {"iris": ConfigurationView(suspended="deployments suspended by eve")}
        still.rests = {"iris": ("paused by mara",)}
        wanted = say(ctx, "/resume", ref=MERGED)
        assert [type(action) for action in actions(wanted)] == [ResumeDeployments, Resume]
        assert "@iris is resumed, and its merged configurations" in words(wanted)
        assert actions(say(ctx, "/resume iris")) == [Resume(ISSUE, "iris", key=key("resume", "resume"))]

    def test_nobody_else_holds_deployments(self, ctx: Context) -> None:
        """Agents, bots and members get no answer to it."""
        for body in ("/suspend x", "/deploy now"):
            for person in (IRIS, CORE, MEMBER):
                assert say(ctx, body, ref=MERGED, by=person) == []

    def test_a_closed_change_is_not_planned(self, ctx: Context) -> None:
        """It has nothing to be planned for."""
        assert "is closed" in words(say(ctx, "/plan", ref=MERGED))


class TestDeny:
    """A change of a configuration is refused by a word."""

    @pytest.mark.parametrize(
        ("ref", "there", "says"),
        [
            (PULL, {}, "is for pull requests on an agent's configuration"),
            (ISSUE, {}, "is for pull requests on an agent's configuration"),
            (DENIED, {"merged": True, "is_open": False}, "#3 is merged already"),
            (DENIED, {"is_open": False}, "#3 is closed"),
        ],
    )
    def test_elsewhere(self, ctx: Context, forge: StillForge, ref: Ref, there: dict[str, object], says: str) -> None:
        """Work is not denied by it, nor what is merged, nor what is closed: once is enough."""
        forge.pulls[DENIED] = pull(3, repo=CONFIG, **there)
        wanted = say(ctx, "/deny too wide", ref=ref)
        assert (actions(wanted), mood(wanted)) == ([], "confused")
        assert says in words(wanted)

    def test_needs_a_reason(self, ctx: Context) -> None:
        """Without a reason nothing is denied: the agent could not learn from it."""
        wanted = say(ctx, "/deny", ref=DENIED)
        assert (actions(wanted), mood(wanted)) == ([], "confused")

    def test_the_reason_is_fenced_golden(self, ctx: Context, golden: Golden) -> None:
        """The reason reaches the agent as somebody's words, not as rules."""
        wake = next(
            intent for intent in say(ctx, "/deny too wide, says @eve", ref=DENIED) if isinstance(intent, ResumeRuns)
        )
        golden("commands/denied.md", wake.message)


STATUSES = {
    "works": RunStatus(3, "iris", True, "", NOON, turn=7, is_held=True, tokens_in=1200, tokens_out=34),
    "waits": RunStatus(3, "iris", True, "", NOON, turn=7),
    "waits for a merge": RunStatus(3, "iris", True, "", NOON, waits_for=DENIED, pull=PULL),
    "is stuck": RunStatus(3, "iris", True, "", NOON, blocked="the agent and the review do not agree", pull=PULL),
    "in review": RunStatus(3, "iris", True, "", NOON, pull=PULL),
    "answered": RunStatus(3, "iris", True, "", NOON),
    "over": RunStatus(3, "iris", False, "merged", NOON, pull=PULL),
}
"""How runs stand."""


def test_status_golden(ctx: Context, still: Still, golden: Golden) -> None:
    """A status says what is done or waited for, since when, what it cost, and how to see more; nothing is done by it."""
    said = []
    for what, found in STATUSES.items():
        still.statuses = {ISSUE: found, DENIED: found}
        for ref in (ISSUE, DENIED):
            assert isinstance(ctx.forge, StillForge)
            ctx.forge.said = {}
            wanted = say(ctx, "/status", ref=ref)
            assert actions(wanted) == []
            said.append(f"{what}: {words(wanted)}")
    still.rests = {"iris": ("paused by `mara`",)}
    for what, there in (("paused", {ISSUE: STATUSES["waits"]}), ("nobody", {})):
        for ref in (ISSUE, DENIED):
            still.statuses = dict(there)
            ctx.forge.said = {}  # type: ignore[attr-defined]
            said.append(f"{what}: {words(say(ctx, '/status', ref=ref))}")
    golden("commands/status.md", "\n".join(said))


def test_help_says_what_works_here(ctx: Context) -> None:
    """Each kind of thread has its own table, and what is in it is not refused for where it was said."""
    for ref in (ISSUE, PULL, DENIED):
        assert isinstance(ctx.forge, StillForge)
        ctx.forge.said = {}
        said = words(say(ctx, "/help", ref=ref))
        assert ("/deny" in said) == (ref == DENIED)
        assert ("/review" in said) == (ref != ISSUE)
        assert ("/start" in said) == (ref != DENIED)
        assert "/purge" not in said


def test_the_table_golden() -> None:
    """The table in the documentation is the one in the code."""
    rows = ["| command | does | where |", "|---|---|---|"]
    for command in COMMANDS:
        where = "everywhere" if command.on == EVERYWHERE else PLACES[command.on]
        rows.append(f"| `{command.form}` | {command.what} | {where}{', agents too' if command.agents else ''} |")
    text = DOCS.read_text()
    head, _, rest = text.partition("test_commands.py -->\n")
    tail = rest[rest.index("<!-- /commands -->") :]
    written = f"{head}test_commands.py -->\n" + "\n".join(rows) + f"\n{tail}"
    if os.environ.get("HIVE_GOLDEN") == "write":
        DOCS.write_text(written)
    assert DOCS.read_text() == written, "docs/commands.md changed; if it should: make golden"
