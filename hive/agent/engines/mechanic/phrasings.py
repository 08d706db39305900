"""The ways to ask for something, as a table: a person's wording varies, and what fits nothing is nobody's order. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hive.agent.engines.mechanic.clause_grammar import (
    ARROW,
    CODE_LIKE,
    TERM,
    VERSION,
    Order,
    is_path,
    pattern,
)
from hive.agent.engines.mechanic.wishes import (
    AddLines,
    BumpDependency,
    BumpVersion,
    DeleteLines,
    DeletePath,
    HaveProgram,
    PutFile,
    Rename,
    ReplaceText,
    RunFormatters,
    Wish,
)

NOUNS = (
    r"function|method|class|variable|constant|identifier|symbol|attribute|field|property|parameter|argument|type|struct"
    r"|interface|enum|trait|macro|global|name"
)
FILES = r"file|script|folder|directory|document|page"
TOOLS = (
    "ruff format|ruff check|ruff|black|isort|prettier|eslint|gofmt|goimports|cargo fmt|rustfmt|shfmt|clang-format|nixfmt"
    "|alejandra|terraform fmt"
)
_LISTS = re.compile(
    r"(?:.*/)?(?:\.[\w-]*ignore|\.gitattributes|CODEOWNERS|(?:[\w-]*requirements[\w-]*|constraints)\.(?:txt|in))"
)
_CODE = (
    r"(?:(?:all|everything|all (?:of )?(?:the )?files?|(?:all |all of )?(?:the |our |my |this )?(?:whole |entire )?"
    r"(?:code ?base|code|repo(?:sitory)?|project|tree|source code|sources?|source files|files|python(?: code| files)?"
    r"|javascript(?: code| files)?|typescript(?: code| files)?|go(?: code| files)?|rust(?: code| files)?|tests?)))"
)
_TOOL = rf"(?P<tools>(?:{TOOLS})(?:(?:,| and|, and|,? then| \+| &) (?:{TOOLS}))*)"

LOOSE = frozenset({"set", "change", "raise", "move", "switch"})
"""Verbs that are used for any setting as well: with them a version has to have a dot."""

LINTERS = frozenset({"ruff", "ruff check", "eslint"})

Builder = Callable[[Order, re.Match[str]], Iterator[Wish]]


class Unclear(Exception):
    """A wish that is nearly one; the sentence says what is missing."""


@dataclass(frozen=True, slots=True)
class Phrasing:
    """One way to ask for something, and what is wished then; `build` raises Unclear."""

    form: re.Pattern[str]
    build: Builder


def is_list(path: str) -> bool:
    """Whether a file is a list of lines by its name, such as `.gitignore`: it may be begun by any of them."""
    return bool(_LISTS.fullmatch(path))


def wishes(order: Order) -> list[Wish]:
    """What a order wishes; empty if it fits nothing. Raises Unclear."""
    for phrasing in TABLE:
        fits = phrasing.form.fullmatch(order.core)
        if fits is not None:
            found = list(phrasing.build(order, fits))
            if found:
                return found
    return []


def _pairs(order: Order, text: str) -> list[tuple[str, str]]:
    """The terms of `a to b, c to d and e to f`."""
    pair = rf"({TERM})(?: from {TERM})? {ARROW} ({TERM})"
    return [(found[1], found[2]) for found in re.finditer(pair, text, re.IGNORECASE)]


def _rename(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    noun = (fits.groupdict().get("noun") or "").strip().lower()
    kind = "file" if re.fullmatch(FILES, noun) else "identifier" if noun else ""
    for old, new in _pairs(order, fits["pairs"]):
        plain = not (order.is_quoted(old) and order.is_quoted(new))
        before, after = order.value(old), order.value(new)
        path = is_path(before, quoted=False) and is_path(after, quoted=False)
        if plain and not noun and not path and not CODE_LIKE.fullmatch(before):
            raise Unclear(f"to rename in the code, put both names between backticks: rename `{before}` to `{after}`")
        yield Rename(before, after, kind, order.paths, order.in_text)


def _should(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    noun = fits["noun"] or ""
    kind = "file" if re.fullmatch(FILES, noun, re.IGNORECASE) else "identifier" if noun else ""
    yield Rename(order.value(fits["a"]), order.value(fits["b"]), kind, order.paths, order.in_text)


def _move(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    old, new = order.value(fits["old"]), order.value(fits["new"])
    if is_path(old, quoted=False) and is_path(new, quoted=order.is_quoted(fits["new"])):
        yield Rename(old, new, "file")


def _bump(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    pairs = [(order.value(name), version) for name, version in _pairs(order, fits["pairs"])]
    if not all(_is_version(order, version) for _, version in pairs):
        return
    if fits["verb"].lower() in LOOSE and not all(re.search(r"\d\.\d", order.value(each)) for _, each in pairs):
        return  # `set the timeout to 30` is about no version
    for name, version in pairs:
        yield BumpDependency(_unversioned(name), order.value(version), order.paths)


def _is_version(order: Order, term: str) -> bool:
    value = order.value(term)
    return bool(VERSION.fullmatch(value)) or (order.is_quoted(term) and bool(re.search(r"\d", value)))


def _unversioned(name: str) -> str:
    """A name without the version that it is written with: `actions/checkout@v3`, `requests==2.31`."""
    at = name.find("@", 1)
    return re.split(r"[=<>~!]=", name if at < 0 else name[:at])[0]


def _pin(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    spec = order.value(fits["spec"])
    found = re.fullmatch(r"(?P<name>.+?)(?:[=~>]=|@|=)(?P<version>[^=@]+)", spec)
    if found is not None and VERSION.fullmatch(found["version"]):
        yield BumpDependency(found["name"], found["version"], order.paths)


def _bump_of(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    version = order.value(fits["version"])
    if _is_version(order, fits["version"]):
        yield BumpDependency(_unversioned(order.value(fits["name"])), version, order.paths)


def _own_version(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    version = order.value(fits["version"])
    if re.fullmatch(r"v?\d+(?:\.\d+)+(?:[-+.]?\w[\w.+-]*)?", version):
        yield BumpVersion(version.removeprefix("v"))


def _own_part(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    yield BumpVersion(part=fits["part"].lower())


def _format(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    named = fits.groupdict()
    found = re.findall(TOOLS, named.get("tools") or "", re.IGNORECASE)
    words = dict.fromkeys(" ".join(tool.lower().split()) for tool in found)
    target = named.get("target")
    paths = order.paths
    if target and not re.fullmatch(_CODE, target, re.IGNORECASE):
        value = order.value(target)
        if not is_path(value, quoted=order.is_quoted(target)):
            return
        paths = (*paths, value)
    tools = tuple({"rustfmt": "cargo fmt"}.get(tool, tool) for tool in words)
    fixes = bool(re.search(r"lint|style|ruff|flake8", named.get("fixes") or "", re.IGNORECASE))
    yield RunFormatters(tools, paths, fixes=fixes or bool(LINTERS & set(tools)))


def _replace(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    old, new = order.value(fits["old"]), order.value(fits["new"])
    paths = order.paths
    if (path := fits.groupdict().get("path")) is not None:
        paths = (order.value(path),)
    if not paths and not order.everywhere and not fits.groupdict().get("typo"):
        raise Unclear(f"to replace a text, say where: replace `{old}` with `{new}` in `path/to/file`, or: everywhere")
    yield ReplaceText(old, new, paths, everywhere=not paths, whole=bool(fits.groupdict().get("typo")))


def _sed(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    sign = fits["sign"]
    parts = fits["rest"].split(sign)
    if len(parts) != 3 or not parts[0] or not re.fullmatch(r"[gi]*", parts[2]):
        return
    yield ReplaceText(parts[0], parts[1], order.paths, everywhere=not order.paths)


def _quoted_sed(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    inner = re.fullmatch(r"s(?P<sign>[/|#,])(?P<rest>.+)", order.value(fits["script"]))
    if inner is not None:
        yield from _sed(order, inner)


def _add_line(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    path, named = order.value(fits["path"]), fits.groupdict()
    if not named.get("line") and not is_list(path):
        return
    place = "top" if named.get("top") else (named.get("side") or "end").lower()
    beside = order.value(named["beside"]) if named.get("beside") else ""
    yield AddLines(path, (order.value(fits["text"]),), place, beside)


def _delete_line(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    path = order.value(fits["path"])
    if fits["line"] or is_list(path):
        yield DeleteLines(path, (order.value(fits["text"]),))


def _delete_path(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    noun = (fits["noun"] or "").lower()
    for term in re.findall(TERM, re.sub(r"(?:,| and|, and) ", " ", fits["list"])):
        path = order.value(term)
        if not noun and not is_path(path, quoted=False):
            return
        yield DeletePath(path.rstrip("/"), is_folder=noun.startswith(("folder", "director")) or path.endswith("/"))


def _empty_file(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    yield PutFile(order.value(fits["path"]), "")


def _program(order: Order, fits: re.Match[str]) -> Iterator[Wish]:
    yield HaveProgram(order.value(fits["name"]))


_MUST = r"(?:should|must|needs to|has to|have to|need to|is to)"
_PAIR = rf"{TERM}(?: from {TERM})? {ARROW} {TERM}"
_PAIR_LIST = rf"(?P<pairs>{_PAIR}(?:(?:,| and|, and) {_PAIR})*)"
_THE = r"(?:the |our |all |every |each )*"
_BUMPING = r"(?P<verb>bump|update|upgrade|downgrade|pin|set|raise|change|move|switch)"
_THING = (
    r"(?:dependency |package |library |requirement |crate |module |action |image |docker image |input |version of )*"
)
_WITH = r"(?:with|by|to|into|->|→|=>)"
_CONTAINER = r"(?:in|into|to) (?:your|the agent's|its|this agent's|the) (?:container|sandbox|environment)"
_WHAT = r"(?:package |program |order |tool )?"
_FIXING = r"(?:fix|correct|clean up|resolve|address|repair)"
_COMPLAINTS = r"(?:errors?|warnings?|issues?|problems?|violations?|findings?|complaints?|failures?|mess)"

_FORMS: tuple[tuple[str, Builder], ...] = (
    (rf"rename:? {_THE}(?:(?P<noun>{NOUNS}|{FILES})s? )?(?:from )?{_PAIR_LIST}", _rename),
    (rf"(?:change|switch) {_THE}name of (?:the )?(?:(?P<noun>{NOUNS}|{FILES}) )?{_PAIR_LIST}", _rename),
    (rf"{_THE}(?:(?P<noun>{NOUNS}|{FILES}) )?<a!> {_MUST} be (?:renamed|called|named)(?: to)? <b!>", _should),
    (rf"(?:git )?(?:mv|move) {_THE}(?:{FILES} )?(?P<old>{TERM}) (?:to |into )?(?P<new>{TERM})", _move),
    (rf"{_BUMPING} {_THE}(?:project|package|app|application|crate|release)?(?:'s)? ?version(?: number)?(?: from {TERM})? (?:to|=|->|→) <version>", _own_version),
    (r"(?:(?:prepare|cut|make|do) (?:a |the )?release|release|bump to|prepare for release|new release:?)(?: version)? <version>", _own_version),
    (r"(?:bump|raise|increase|increment) (?:the )?(?P<part>major|minor|patch)(?: version)?(?: number)?", _own_part),
    (r"(?:bump|raise|increase|increment) (?:the )?version \(?(?P<part>major|minor|patch)\)?", _own_part),
    (rf"{_BUMPING} {_THE}{_THING}{_PAIR_LIST.replace(ARROW, '(?:to|->|→|=>|=|==|@|to version|to tag)')}", _bump),
    (rf"(?:upgrade|update|bump|downgrade|switch|move) to {_THE}{_THING}<name> (?:version )?<version>", _bump_of),
    (rf"{_BUMPING} {_THE}{_THING}<name> (?:version )?(?P<version>v?\d[\w.+-]*)", _bump_of),
    (rf"(?:bump|pin|update|upgrade|use) {_THE}{_THING}<spec>", _pin),
    (rf"{_THE}{_THING}<name> {_MUST} be (?:bumped|updated|upgraded|pinned|downgraded) to (?:version )?<version>", _bump_of),
    (rf"(?:re|auto-?)?format (?P<target>{_CODE}|{TERM})(?: (?:with|using|by) {_TOOL})?", _format),
    (rf"(?:run|apply|use|execute) (?:the )?(?:auto-?)?(?:code )?(?:formatters?|formatting)(?: and (?:the )?linters?)?(?: (?:on|over|to|against) (?P<target>{_CODE}|{TERM}))?", _format),
    (rf"(?:run|apply|use|execute) {_TOOL}(?P<fixes> (?:--?(?:fix|write|w|i)|fix|fixes))?(?: (?:on|over|to|against) (?P<target>{_CODE}|{TERM}))?", _format),
    (rf"(?:run|apply) (?:the )?(?P<fixes>lint(?:er|ing)?(?:s|'s)?(?: auto-?)?(?: ?fix(?:es)?)?)(?: and (?:the )?formatters?)?(?: (?:on|over|to|against) (?P<target>{_CODE}|{TERM}))?", _format),
    (rf"{_FIXING} {_THE}(?P<fixes>lint(?:er|ing)?|(?:code )?(?:style|formatting|format)|{TOOLS}|flake8)(?: {_COMPLAINTS})?", _format),
    (rf"(?:make|keep|get) (?:the )?(?P<fixes>linters?|formatters?|{TOOLS})(?: check)? (?:happy|pass|clean|green)", _format),
    (rf"lint(?: and (?P<fixes>fix|format))? (?P<target>{_CODE})", _format),
    (rf"{_FIXING} (?:all |every |each )?(?:the |a |this )?(?P<typo>typos?|spelling(?: mistakes?| errors?)?|misspellings?):? <old!> (?:should be|should read|must be|{_WITH}) <new!>", _replace),
    (rf"(?P<typo>typos?|spelling|misspelling):? <old!> (?:should be|should read|must be|{_WITH}) <new!>", _replace),
    (rf"{_FIXING} {_THE}(?P<typo>typos?|spelling of) <old!> {_WITH} <new!>", _replace),
    (rf"(?:replace|substitute|swap|change|correct|fix) {_THE}(?:text |word |words |string |phrase |value |literal |line |occurrences? of )*<old!>(?: in (?P<path>{TERM}))? (?:{_WITH}) <new!>", _replace),
    (r"s(?P<sign>[/|#])(?P<rest>[^\x02\x03\n]{1,300})", _sed),
    (r"(?:run |apply |do )?(?:sed )?(?:-i )?(?:-e )?(?P<script>\x02\d+\x03)", _quoted_sed),
    (rf"(?:add|append|insert|put) {_THE}(?:a |this |following )*(?P<line>lines? )<text!>(?: (?:to|into|in|at) (?:(?:the )?(?P<top>top|beginning|start) of |(?:the )?end of )?(?P<path>{TERM}))(?:,? (?P<side>after|before) (?:the line )?<beside!>)?", _add_line),
    (rf"(?:add|append) (?P<line>)<text!> to (?P<path>{TERM})", _add_line),
    (rf"(?:delete|remove|drop) {_THE}(?P<line>lines? )?<text!> (?:from|in|of) (?P<path>{TERM})", _delete_line),
    (rf"(?:git )?(?:delete|remove|rm|drop|get rid of) {_THE}(?:(?P<noun>(?:{FILES}|directorie)s?|module) )?(?P<list>{TERM}(?:(?:,| and|, and) {TERM})*)", _delete_path),
    (r"(?:add|create|make) (?:an? )?(?:new )?empty (?:file|module|script)(?: at| called| named)? <path>", _empty_file),
    (rf"(?:does|do|is|has) (?:your|the agent's|its) container (?:have|has|contain|got) {_WHAT}<name>", _program),
    (rf"(?:add|install|put|get|have) {_THE}{_WHAT}<name> {_CONTAINER}", _program),
    (r"see (?:to it )?that (?P<name>\x02\d+\x03) is in (?:it|your container)", _program),
)  # fmt: skip

TABLE = tuple(Phrasing(pattern(text), build) for text, build in _FORMS)
"""All phrasings; the first that fits and yields something counts."""
