"""The texts of the review bot, except those of findings. Performs no I/O."""

from __future__ import annotations

from bots.models import Verdict

HEADLINES = {
    Verdict.BLOCKED: "🔴 **{red} to fix before this can be merged**",
    Verdict.REMARKS: "🟡 **{yellow} to consider, yours to decide**",
    Verdict.GOOD: "🟢 **Nothing to fix**",
    Verdict.NOT_REVIEWED: "🔴 **Not reviewed, so it cannot be merged yet**",
}

OUTSIDE = "### 🔴 Not on a line of this diff"
YELLOW = "### 🟡 Yours to decide"
GREEN = "### 🟢 Done well"
NOT_REVIEWED = "### Not reviewed"
MORE = "<details><summary>{count} more</summary>\n\n{items}\n\n</details>"
RAN = "<details><summary>What ran</summary>\n\n{engines}, on the lines that `{sha}` adds.\n\n</details>"
NO_ENGINE = "<details><summary>What ran</summary>\n\nNothing: no analyser handles the files of `{sha}`.\n\n</details>"
LEFT_OUT = "… and {count} more"

REMARK = "{level} {name} · {category}"
NAME = "**{title}**"
QUICK = " · {seconds}-second fix"
SOURCE = "<sub>{engine} · {rule}{fix}</sub>"
FIX = " · `/fix {number}`"

STATUS_GOOD = "🟢 nothing to fix"
STATUS_NOT_REVIEWED = "🔴 not reviewed"

DIFF_UNREAD = ("diff", "could not be read, so findings are listed here and not on their lines")
OTHER_HEAD = ("head", "moved during the review")
