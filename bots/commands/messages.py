"""The words in which commands are answered."""

from __future__ import annotations

DONE = "✅ `{form}`: {what}"
NO = "😕 `{form}`: {why}"
FAILED = "😕 `{form}`: the hive could not do it; the audit log says why."
WAITING = "⏳ `{form}`: it is not done yet."

UNKNOWN = "😕 `/{name}` is no command. `/help` names those that are."
MEANT = "😕 `/{name}` is no command; did you mean `/{near}`? `/help` names all."
USAGE = "it is written `{form}`. Nothing was done."
TOO_MANY = "😕 More than {most} commands in one comment: nothing was done."
TOO_LATE = "it came to the hive more than a day late. Say it again if it still holds."

NO_RUN = "no run is open on this thread."
NO_EARLIER_RUN = "there was no run on this thread yet; `/start` begins one."
OTHER_AGENT = "@{agent} is at it on this thread, not {named}."
ENDED = (
    "@{agent}'s run has ended, and the issue is nobody's now. Branches and pull requests stay; `/retry` begins anew."
)
ALREADY = "@{agent} is at it already; `/cancel` or `/retry` comes first."
NOT_HERE = "no agent works on issues of this repository."
CLOSED = "{where} is closed."
NO_ISSUE = "this is a pull request without a run; say it on an issue."
NO_AGENT = "nobody is assigned; say which agent: {names}."
NOT_AN_AGENT = "{named} is no agent of this team; it has {names}."
STARTED = "@{agent} begins on {where}."
BEGUN_AGAIN = "@{agent} begins anew on {where}."

NO_PULL = "this is no pull request."
REVIEWING = "review looks at {sha} again."
WHOSE = "it needs the name of an agent here: {names}."
LOOKING = "the host looks at @{agent}'s configuration, and builds what is merged and does not run yet."

PAUSED = "@{agent} rests: its work waits, and a turn that it holds is put down between two steps. `/resume {agent}` ends that."
PAUSED_ALREADY = "@{agent} is paused already."
RESUMED = "@{agent} goes on."
NOT_PAUSED = "@{agent} is not paused{why}."
RESTARTING = "the container of @{agent} is stopped and started, as it was built."
NO_MODEL = "{named} is no name of a model. Nothing was done."
UNKNOWN_MODEL = "the hive has no model {named}{near}. Nothing was done."
NEAR_MODEL = ", perhaps {name}"
THESE_MODELS = "; it has {names}"
MODEL = "@{agent} thinks with {model} from its next turn on."
OWN_MODEL = "@{agent} thinks with the model of its configuration again, from its next turn on."
COMPACTED = "@{agent} goes on with the gist of what it did so far."
NEW_SESSION = "@{agent} goes on with this issue as if it were new; its branch stays."
HANDED_ON = "handed to @{agent}."
GIST = "An operator had the transcript of your work made shorter. Look at the work tree, and go on."

NOBODYS = "no agent is assigned."
ITS_OWN = "the issue is @{agent}'s."
NOT_YOURS = "this issue is not @{agent}'s."
BOUNCED = "from @{agent} to @{next}."
BOUNCED_TWICE = "it came back a second time, so it waits for {operators}."
NOBODY_ELSE = "no other agent is there to take it, so it waits for {operators}."

NOT_A_CONFIG = "this is no pull request on an agent's configuration; only such a one can be denied."
MERGED = "{where} is merged already: what is merged is taken back by merging its revert."
DENIED = "{where} is closed unmerged and tagged `{tag}`; its author is told why."

HELP = """\
✅ Say these at the start of a line of a comment on this {place}; only operators are heard.

{table}"""
HELP_ROW = "- `{form}`: {what}"

NO_RUN_YET = "no agent has worked on this thread; `/start` on an issue lets one begin."
WAITS_FOR_MERGE = "run {run} of @{agent} waits for this pull request. {rest}"
NOBODY_WAITS = "no run waits for this pull request. {rest}"
STATUS = "run {run} of @{agent} {state}, since {since}. {tokens_in} tokens in, {tokens_out} out; what it did: `hive run {run}` on the host."
WORKS = "works on turn {turn}"
WAITS_FOR_ITS_TURN = "waits with turn {turn} for @{agent}'s other work"
WAITS_BECAUSE = "waits with turn {turn} ({why})"
WAITS_FOR_CONFIG = "waits for {ref} to be decided"
WAITS_FOR_OPERATOR = "waits for an operator ({why})"
IN_REVIEW = "waits for what becomes of {ref}"
ANSWERED = "has answered, and waits for words on this thread"
OVER = "is over ({outcome})"
RESTS = "@{agent} rests: {why}."
AWAKE = "@{agent} rests for nothing."
