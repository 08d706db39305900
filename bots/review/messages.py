"""The texts of the review bot, except those of findings. Performs no I/O."""

from __future__ import annotations

from bots.models import Verdict
from bots.review_rounds import FindingState

HEADLINES = {
    Verdict.BLOCKED: "🔴 **{red} to fix before this can be merged**",
    Verdict.REMARKS: "🟡 **{yellow} to consider, yours to decide**",
    Verdict.GOOD: "🟢 **Nothing to fix**",
    Verdict.NOT_REVIEWED: "🔴 **Not reviewed, so it cannot be merged yet**",
}
STANDING = "**Review** · {headline}"
FIXED_COUNT = "✅ {count} fixed"
ROUND = "round {number}"

STILL_OPEN = "### Still open"
OUTSIDE = "### 🔴 Not on a line of this diff"
YELLOW = "### 🟡 Yours to decide"
GREEN = "### 🟢 Done well"
NOT_REVIEWED = "### Not reviewed"
OPEN = "### Open"
FIXED = "### Fixed since the last round"
AGAIN = "Reviewed again by itself after a while, and at once by `/review`."
MORE = "<details><summary>{count} more</summary>\n\n{items}\n\n</details>"
RAN = "<details><summary>What ran</summary>\n\n{engines}, on the changes of `{sha}`. {model}\n\n</details>"
NO_ENGINE = "<details><summary>What ran</summary>\n\nNothing: no analyser handles the files of `{sha}`.\n\n</details>"
LEFT_OUT = "… and {count} more"
UNREAD = "### Not read by the model"
NO_MODEL = "No model was asked."
MODEL_READ = "{model} read what is new in {files}."
MODEL_IDLE = "For {model} there was nothing new to read."
MODEL_FAILED = "{model} was asked, and there is no answer that counts; `/review` asks again."
MODEL_CHECKED = "{count} of its 🔴 had a second look."
MODEL_WITHHELD = "{remarks} of it not used: {reasons}."
COST = "<sub>🪙 {cost} · {model}{total}</sub>"
COST_TOTAL = " · {total} for all reviews of this pull request"

REMARK = "{level} {name} · {category}"
LITE_REMARK = "{level} {name}"
NAME = "**{title}**"
QUICK = " · {seconds}-second fix"
SOURCE = "<sub>finding {number} · {engine} · {rule}{fix}</sub>"
FIX = " · `/fix {number}`"
SINCE = "since round {number}"
STATES = {
    FindingState.STILL: "still open",
    FindingState.MOVED: "moved here",
}

FIXED_REMARK = "✅ ~~{name}~~ fixed in `{sha}`"
GONE_REMARK = "⚪ ~~{name}~~ no longer part of this change at `{sha}`"
DISMISSED_REMARK = "⚪ ~~{name}~~ dismissed by {by}: {why}"

DISMISSED = "{count} dismissed"
WITHHELD = "{count} 🟡 not said: round 2 is about what changed since round 1, and later ones about 🔴 only. `/review full` says all."
LOCK_FILES = "Only lock files are changed."
LITE = "The change is a stranger's: nothing of it was run, and nothing of it is quoted."
BROKEN_POLICY = "The settings of this review are broken on {base}, so the defaults count: {why}"
COMMANDS = "<sub>{commands} · operators write these at the start of a line</sub>"
REVIEW_COMMANDS = ("`/review [full]`", "`/dismiss n why`", "`/explain n`")
FIX_COMMAND = "`/fix n`"

STATUS_GOOD = "🟢 nothing to fix"
STATUS_NOT_REVIEWED = "🔴 not reviewed"
STATUS_ROUND = "round {number}"
STATUS_OFF = "⚪ not reviewed: reviews are off in .hive.yaml"
STATUS_WAITS = "🟠 not reviewed: comment /review"

DIFF_UNREAD = ("diff", "could not be read, so findings are listed here and not on their lines")
OTHER_HEAD = ("head", "moved during the review")
