"""What the review bot says: every word of it that does not come from a finding. Performs no I/O."""

from __future__ import annotations

from bots.models import Verdict

HEADLINES = {
    Verdict.BLOCKED: "🔴 **{red} to mend before this can be merged**",
    Verdict.REMARKS: "🟡 **{yellow} to think about, yours to decide**",
    Verdict.GOOD: "🟢 **Nothing to mend**",
    Verdict.NOT_REVIEWED: "🔴 **Not reviewed, so not to be merged yet**",
}

OUTSIDE = "### 🔴 Not on a line of this diff"
YELLOW = "### 🟡 Yours to decide"
GREEN = "### 🟢 Done right"
NOT_REVIEWED = "### Not reviewed"
MORE = "<details><summary>{count} more</summary>\n\n{items}\n\n</details>"
RAN = "<details><summary>What ran</summary>\n\n{engines}, on the lines that `{sha}` adds.\n\n</details>"
NOBODY = "<details><summary>What ran</summary>\n\nNothing: no analyser knows the files of `{sha}`.\n\n</details>"
LEFT_OUT = "… and {count} more"

REMARK = "{level} {name} · {category}"
NAME = "**{title}**"
QUICK = " · mended in {seconds} seconds"
SOURCE = "<sub>{engine} · {rule}</sub>"

STATUS_GOOD = "🟢 nothing to mend"
STATUS_NOT_REVIEWED = "🔴 not reviewed"

DIFF_UNREAD = ("diff", "could not be read, so remarks stand here and not on their lines")
OTHER_HEAD = ("head", "moved while it was looked at")
