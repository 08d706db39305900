"""The meaning of engines' rules: level, category, reason, and the time of a fix.

Several engines often report the same thing; here it gets one text. Performs no I/O.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bots.models import Category, Level
from hive.scan.engine import Diagnostic

_RED, _YELLOW, _GREEN = Level.RED, Level.YELLOW, Level.GREEN
_BUG, _SECURITY, _SILENT = Category.BUG, Category.SECURITY, Category.SILENT_FAILURE
_UNTIDY, _BROKEN, _LEAK = Category.INCONSISTENCY, Category.BROKEN, Category.LEAK


@dataclass(frozen=True, slots=True)
class Rule:
    """The text of a finding; without `title` or `why` the engine's own message is used.

    `guess` marks a rule that is often wrong where secrets are made up: in tests and in prose.
    `unless` matches lines that only look like a finding. `at` is found on the line of an instruction of several that the
    finding is about.
    """

    level: Level
    category: Category
    title: str = ""
    why: str = ""
    fix_seconds: int | None = None
    guess: bool = False
    unless: re.Pattern[str] | None = None
    at: re.Pattern[str] | None = None


_DIGEST = re.compile(r"sha-?(?:1|256|384|512)|integrity|digest|checksum|fingerprint|commit|\brev\b", re.IGNORECASE)
_NAME_OF_SECRET = re.compile(
    r"^[\s{\"'-]*[\w.]*(?:secret|password|passwd|token|key)[_-]?(?:name|ref|file|path|env|id)[\"']?\s*[:=]",
    re.IGNORECASE,
)
_SWALLOWED = Rule(
    _RED,
    _SILENT,
    "Error swallowed",
    "Whatever goes wrong here leaves no trace: the caller goes on with a default and nobody will know why. "
    "Catch what can happen by name, and log it or let it through.",
)
_CATCHES_ALL = Rule(
    _YELLOW,
    _SILENT,
    "Catches everything",
    "This also takes errors that nobody thought of, typing mistakes included. Name the errors that are expected here.",
)
_DISCARDED = Rule(
    _YELLOW,
    _SILENT,
    "Error thrown away",
    "The call says whether it worked, and nobody listens. If that is right, a comment should say why.",
)
_LOST = Rule(_RED, _SILENT, "Error lost", "The failure ends here unseen. Hand it on, or log it.")
_SECRET = Rule(
    _RED,
    _LEAK,
    "A secret in the change",
    "It is in the history from now on. Revoke it, then read it from the environment or a file outside of git.",
)
_GUESSED_SECRET = Rule(
    _RED,
    _LEAK,
    "Looks like a secret in the change",
    "If it is one: it is in the history from now on, so revoke it. If not, give it a name that says what it is.",
    guess=True,
    unless=_NAME_OF_SECRET,
)
_NOISY_SECRET = Rule(
    _YELLOW,
    _LEAK,
    "Could be a secret",
    "It looks random enough to be one. If it is, revoke it and keep it out of git.",
    guess=True,
    unless=_DIGEST,
)
_UNSAFE = Rule(_RED, _SECURITY)
_DEFECT = Rule(_RED, _BUG)
_REMARK = Rule(_YELLOW, _UNTIDY)
_UNPARSED = Rule(_RED, _BROKEN, "Does not parse")

RULES: dict[tuple[str, str], Rule] = {
    ("taint", "path-from-request"): Rule(
        _RED,
        _SECURITY,
        "Path from a request, unchecked",
        "The sender of the request chooses the path: a name such as ../.. leads outside of the folder. "
        "Check the name against a pattern, or resolve the path and make sure that it is still inside.",
    ),
    ("taint", "unparsable"): Rule(
        _YELLOW,
        _BROKEN,
        "Paths were not checked in this file",
        "It is written for another Python than the one that follows request data here.",
    ),
    ("ast-grep", "py-swallowed"): _SWALLOWED,
    ("ast-grep", "py-suppressed"): _SWALLOWED,
    ("ast-grep", "py-passed-over"): _SWALLOWED,
    ("ast-grep", "js-swallowed"): _SWALLOWED,
    ("ast-grep", "js-promise-swallowed"): _SWALLOWED,
    ("ast-grep", "py-error-to-none"): Rule(
        _YELLOW,
        _SILENT,
        "An error becomes None",
        "Every caller has to remember that None means failure; the first one that forgets fails far away from here.",
    ),
    ("ast-grep", "py-cause-kept"): Rule(
        _GREEN, Category.PRAISE, "The error keeps its cause", "It is raised under a name that means something here."
    ),
    ("ast-grep", "rust-result-dropped"): _LOST,
    ("ast-grep", "rust-err-ignored"): _LOST,
    ("ast-grep", "rust-result-discarded"): _DISCARDED,
    ("ast-grep", "rust-default-for-error"): _DISCARDED,
    ("ast-grep", "go-err-ignored"): _LOST,
    ("ast-grep", "go-err-to-nil"): _LOST,
    ("ast-grep", "go-err-discarded"): _DISCARDED,
    ("ast-grep", "sh-or-true"): _DISCARDED,
    ("ast-grep", "sh-errors-off"): Rule(
        _YELLOW, _SILENT, "Errors are switched off", "From here on the script goes on after a command that failed."
    ),
    ("detect-secrets", ""): _SECRET,
    ("detect-secrets", "Basic Auth Credentials"): _GUESSED_SECRET,
    ("detect-secrets", "Secret Keyword"): _GUESSED_SECRET,
    ("detect-secrets", "Base64 High Entropy String"): _NOISY_SECRET,
    ("detect-secrets", "Hex High Entropy String"): _NOISY_SECRET,
    ("ruff", "invalid-syntax"): _UNPARSED,
    ("ruff", "S110"): _SWALLOWED,
    ("ruff", "S112"): _SWALLOWED,
    ("ruff", "BLE001"): _CATCHES_ALL,
    ("ruff", "E722"): _CATCHES_ALL,
    ("ruff", "B012"): Rule(
        _RED, _SILENT, "Leaves a finally block early", "An error that is on its way out is thrown away here."
    ),
    ("ruff", "B904"): Rule(
        _YELLOW, _UNTIDY, "The cause is lost", "Raise it from the error that was caught, or from None.", fix_seconds=20
    ),
    ("ruff", "F401"): Rule(_YELLOW, _UNTIDY, "Unused import", fix_seconds=10),
    ("ruff", "F541"): Rule(_YELLOW, _UNTIDY, "Nothing to fill in", fix_seconds=10),
    ("ruff", "F811"): Rule(_YELLOW, _UNTIDY, "Defined twice", fix_seconds=20),
    ("ruff", "F841"): Rule(_YELLOW, _UNTIDY, "Unused variable", fix_seconds=10),
    ("ruff", "B007"): Rule(_YELLOW, _UNTIDY, "Unused loop variable", fix_seconds=10),
    ("ruff", "F403"): _REMARK,
    ("ruff", "F"): _DEFECT,
    ("ruff", "PLE"): _DEFECT,
    ("ruff", "PLE0704"): _REMARK,
    ("ruff", "S"): _UNSAFE,
    ("ruff", "S104"): Rule(_YELLOW, _SECURITY),
    ("ruff", "S108"): Rule(_YELLOW, _SECURITY),
    ("ruff", "S310"): Rule(_YELLOW, _SECURITY),
    ("ruff", "E"): Rule(_YELLOW, _UNTIDY, fix_seconds=10),
    ("ruff", "B"): _REMARK,
    **{("ruff", rule): _DEFECT for rule in ("B002", "B003", "B006", "B015", "B016", "B020", "B023", "B029", "B030")},
    ("shellcheck", "syntax"): _UNPARSED,
    ("shellcheck", "error"): _DEFECT,
    ("shellcheck", "warning"): _REMARK,
    ("yamllint", "syntax"): _UNPARSED,
    ("yamllint", "key-duplicates"): Rule(_RED, _BUG, "A key stands twice"),
    ("yamllint", "error"): _DEFECT,
    ("yamllint", "warning"): _REMARK,
}
"""By engine and rule, or engine and family of rules."""

ORDER = ("taint", "ast-grep", "detect-secrets", "ruff", "shellcheck", "yamllint")
"""Whose text is kept if several engines report the same thing: the best explanation first."""


def rule_for(engine: str, mark: Diagnostic) -> Rule:
    """The rule of a diagnostic; an unknown one is a remark in the engine's own words."""
    return RULES.get((engine, mark.rule)) or RULES.get((engine, mark.family)) or _REMARK
