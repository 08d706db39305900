"""The texts of answers to commands."""

from __future__ import annotations

from bots.models import Level
from bots.review_rounds import FindingState

DONE = "✅ `{form}`: {what}"
NO = "😕 `{form}`: {why}"
FAILED = "😕 `{form}`: failed; the audit log has the reason."
WAITING = "⏳ `{form}`: pending."

UNKNOWN = "😕 `/{name}` is not a command. `/help` lists them."
MEANT = "😕 `/{name}` is not a command; did you mean `/{near}`? `/help` lists them all."
USAGE = "usage: `{form}`. Nothing was done."
TOO_MANY = "😕 More than {most} commands in one comment: nothing was done."
TOO_LATE = "the command reached the hive more than a day late. Repeat it if you still want it."

NO_RUN = "no run is open on this thread."
NO_EARLIER_RUN = "there was no run on this thread yet; `/start` starts one."
OTHER_AGENT = "@{agent} is working on this thread, not {named}."
ENDED = "@{agent}'s run has ended, and the issue is unassigned. Branches and pull requests stay; `/retry` starts over."
ALREADY = "@{agent} is already working on it; use `/cancel` or `/retry` first."
NOT_HERE = "no agent works on issues of this repository."
CLOSED = "{where} is closed."
NO_ISSUE = "this is a pull request without a run; use the command on an issue."
NO_AGENT = "no agent is assigned; name one: {names}."
NOT_AN_AGENT = "{named} is not an agent of this team; its agents are {names}."
HELD = "it is held: {why}. Nothing was done."
STARTED = "@{agent} starts on {where}."
STARTED_AGAIN = "@{agent} starts over on {where}."

NO_PULL = "this is not a pull request."
REVIEWING = "{sha} is reviewed again."
NOT_THE_PULL = "no agent works on this pull request."
NO_FINDING = "the last review has no finding {named}{there}. Nothing was done."
THERE_ARE = "; it has {numbers}"
DISMISSED = "finding {number} ({what}) is dismissed, as long as its code stays: {why}"
EXPLAINED = """\
**{number} · {title}** at {where}: {level}
{why}
{state} <sub>{source}</sub>"""
NO_MORE = "Its analyser says no more."
QUICK = "\nIt takes {seconds} seconds to fix, so it blocks although it would be the author's to decide."
LEVELS = {
    Level.RED: "🔴 it blocks the merge.",
    Level.YELLOW: "🟡 the author decides.",
    Level.GREEN: "🟢 it was done well.",
}
FINDING_STATES = {
    FindingState.OPEN: "Open since round {since}.",
    FindingState.STILL: "Open since round {since}: its line has not changed, or nobody could look at it again.",
    FindingState.MOVED: "Open since round {since}; its code was moved here.",
    FindingState.FIXED: "Fixed in `{sha}`.",
    FindingState.DISMISSED: "Dismissed by {by}: {why}",
    FindingState.GONE: "No longer part of this change.",
}
FIXING = "@{agent} is told to fix {what}."
FIX = "{operator} wants this fixed on {where}:\n\n{findings}"
WHOSE = "name an agent here: {names}."
LOOKING = "the host checks @{agent}'s configuration, and builds what is merged and not running yet."

PAUSED = "@{agent} is paused: its work waits, and its current turn is released between two steps. `/resume {agent}` resumes it."
PAUSED_ALREADY = "@{agent} is paused already."
RESUMED = "@{agent} is resumed."
NOT_PAUSED = "@{agent} is not paused{why}."
RESTARTING = "the container of @{agent} is restarted, without a rebuild."
NO_MODEL = "{named} is not the name of a model. Nothing was done."
UNKNOWN_MODEL = "@{agent} may not use the model {named}{near}. Nothing was done."
NEAR_MODEL = ", perhaps {name}"
THESE_MODELS = "; it may use {names}"
MODELS = "@{agent} may use {names}. `/model X` chooses one from its next turn on, `/model default` that of its configuration."
ANY_MODEL = "any model"
MODEL = "@{agent} uses {model} from its next turn on."
OWN_MODEL = "@{agent} uses the model of its configuration again, from its next turn on."
COMPACTED = "@{agent} continues with a compacted transcript."
NEW_SESSION = "@{agent} continues with an empty transcript; its branch stays."
HANDED_ON = "passed on to @{agent}."
ANSWERED = "@{agent} goes on with the answer {answer}."
COMPACTION = "An operator had the transcript of your work compacted. Look at the work tree, and continue."

NOBODYS = "no agent is assigned."
ITS_OWN = "the issue is already assigned to @{agent}."
NOT_YOURS = "this issue is not assigned to @{agent}."
BOUNCED = "reassigned from @{agent} to @{next}."
BOUNCED_TWICE = "it was bounced a second time, so it waits for {operators}."
NOBODY_ELSE = "there is no other agent for it, so it waits for {operators}."

NOT_A_CONFIG = "this is for pull requests on an agent's configuration."
MERGED = "{where} is merged already: merge a revert to undo it."
DENIED = "{where} is closed unmerged and tagged `{tag}`; its author gets the reason."

NOTHING_FAILED = "what was merged last has not failed, or it was not merged here."
RETRIED = "{sha} is deployed once more."
RETRIED_BASE = "the containers that could not be rebuilt on the base of {sha} are tried once more."
NOT_MERGED = "{where} is not merged: close it, or `/deny` it."
NOT_THE_LAST = "{where} is not what was merged last: undo the newest change first."
ROLLED_BACK = "a pull request undoes {where}; merging it is the approval."
NOTHING_WAITS = "nothing that was merged here waits."
NOTHING_DEPLOYED = (
    "this is for pull requests on an agent's configuration, on the base of all, and on the hive's own source."
)
ALREADY_SUSPENDED = "{why} already."
STILL_SUSPENDED = "{why}: `/resume` first."
DEPLOYED_NOW = "{sha} waits no longer."
DEPLOYMENTS_SUSPENDED = "merged configurations of @{agent} wait from now on; what runs goes on. `/resume` deploys them."
DEPLOYMENTS_RESUMED = "merged configurations of @{agent} are deployed again."
BOTH_RESUMED = "@{agent} is resumed, and its merged configurations are deployed again."
PLANNED = "{sha} is planned again."
BY_WISH = "{operator} wants to undo this"
BECAUSE = ": {why}"
NOT_OURS = "this is for threads in the hive's own repositories."
STILL_ALIVE = "@{agent} is on the roster: merge a pull request that removes it first."
NOT_DESTROYED = "{named} is not among the agents that were destroyed."
REVIVING = "a pull request on the roster brings {agent} back; merging it is the approval."
PURGE_WANTS_CONFIRM = (
    "this deletes the notes and the credentials of {agent} for ever. Write `/purge {agent} confirm` if you mean it."
)
PURGE_AGAIN = "written down. Write `/purge {agent} confirm` once more, and what {agent} left is deleted."
PURGING = "what {agent} left is deleted; its account and its repository on this forge stay."

HELP = """\
✅ Write these at the start of a line of a comment on this {place}; only operators may use them.

{table}"""
HELP_ROW = "- `{form}`: {what}"

NO_AMOUNT = (
    "write how many dollars to add, as in `/budget +2` or `/budget +0.50`; {most} at the most. Nothing was done."
)
RAISED = "run {run} of @{agent} and this issue may spend {more} more{now}. A turn that its budget had stopped goes on."
STILL_WAITS = " What waits for the next day or month is not changed by that: these caps are in `hive.yaml`."
NOTHING_SPENT = "run {run} of @{agent} has spent nothing yet."
HAS_SPENT = "{of} has spent {spent}{bound}{within}"
OF_CAP = " of {cap}"
NO_CAP = " (without a cap)"
GO_ON = "An operator added {more} to the budget of this work. Look at the work tree, and go on where you stopped."

NO_RUN_YET = "no agent has worked on this thread; `/start` on an issue starts one."
WAITS_FOR_MERGE = "run {run} of @{agent} waits for this pull request. {suspension}"
NOBODY_WAITS = "no run waits for this pull request. {suspension}"
STATUS = "run {run} of @{agent} {state}, since {since}. {cost}{tokens_in} tokens in, {tokens_out} out; details: `hive run {run}` on the host."
WORKS = "is working on turn {turn}"
WAITS_FOR_ITS_TURN = "waits with turn {turn} for @{agent}'s other work"
WAITS_BECAUSE = "waits with turn {turn} ({why})"
WAITS_FOR_CONFIG = "waits for a decision on {ref}"
WAITS_FOR_OPERATOR = "waits for an operator ({why})"
IN_REVIEW = "waits for the review of {ref}"
ANSWERED = "has answered, and waits for a comment on this thread"
OVER = "has ended ({outcome})"
SUSPENDED = "@{agent} is suspended: {why}."
NOT_SUSPENDED = "@{agent} is not suspended."
