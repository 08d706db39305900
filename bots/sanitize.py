"""Removes what a forge does not render: invisible characters, and parts of Markdown without output. Performs no I/O.

Everything else of a text is kept as written. In doubt a part is removed: a model is never told what a person cannot read.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.common import html_re
from markdown_it.token import Token

ROUNDS = 8
"""So often a text is read again after something was cut; one that still changes was built to hide something."""

FOLDED = ("details", "summary")
"""Elements that are closed until a reader opens them: the text between their tags is kept."""

_SILENT = frozenset({"frame", "frameset", "iframe", "noembed", "noframes", "noscript", "object", "script", "style"})
"""Elements whose content forges drop (bluemonday 1.0), and those that pages do not render."""
_SILENT |= {"audio", "canvas", "datalist", "head", "math", "select", "svg", "template", "textarea", "title", "video"}
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_LINES = frozenset({"br", "p", "div", "li", "tr", "table", "ul", "ol", "pre", "blockquote", "hr"})
_UNSEEN = re.compile(r"(?i)\s(?:style|hidden|color|bgcolor)\b")

_KEPT_CONTROLS = frozenset("\n\t")
_IGNORED = re.compile(  # Default_Ignorable_Code_Point of Unicode 16 outside of Cf, and what has a width but no ink
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0e\uffa0\ufff0-\ufff8"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_EMOJI_STYLE = "\ufe0f"
_ENTITY = re.compile(r"&(?:#\d{1,8}|#[xX][0-9a-fA-F]{1,7}|[A-Za-z][A-Za-z0-9]{1,31});")
_LINE_END = re.compile("\r\n|\r")
_SPACE = re.compile("[\u2028\u2029\u0085\x0b\x0c]")

_ESCAPED = r"(?P<escaped>\\[!-/:-@\[-`{-~])"
_CODE = r"(?P<code>(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`))"
_ADDRESS = r"(?P<address><[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*>|<[\w.!#$%&'*+/=?^`{|}~-]+@[\w.-]+>)"
_HIDDEN = r"(?P<hidden><!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<![A-Za-z][^>]*(?:>|\Z))"
_COMMENT = r"(?P<hidden><!--(?:-?>|.*?(?:--!?>|\Z)))"
_BOGUS = r"(?P<bogus><[!?/][^>]*(?:>|\Z))"
"""What Markdown passes on unread, and where a browser ends it: for `<?`, `<!` and `<![CDATA[` at the first `>`."""
_STRICT = rf"(?P<tag>{html_re.open_tag}|{html_re.close_tag})"
_LOOSE = r"(?P<tag></?[A-Za-z](?:=\s*\"[^\"]*\"|=\s*'[^']*'|[^>=]|=(?!\s*[\"']))*+>)|(?P<open></?[A-Za-z].*\Z)"
"""Tags in a paragraph, where others are text, and in a block of HTML, where a browser reads them."""
_INLINE = re.compile(f"{_ESCAPED}|{_CODE}|{_ADDRESS}|{_HIDDEN}|{_STRICT}", re.DOTALL)
_BLOCK = re.compile(f"{_COMMENT}|{_LOOSE}|{_BOGUS}", re.DOTALL)
_REMARK = re.compile(f"{_COMMENT}|{_BOGUS}", re.DOTALL)
_ENDED = re.compile(r"<!--(?:-?|.*--!?)>|<(?!!--).*>", re.DOTALL)
_NAME = re.compile(r"</?([A-Za-z][^\s/>]*)")
_TITLE = r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\))"
_DESTINATION = r"(?:<[^<>\s]*>|(?:[^\s()<>\\]|\\.|\([^\s()]*\))*)"
_TITLED = re.compile(rf"(\]\(\s*{_DESTINATION})\s+{_TITLE}\s*\)", re.DOTALL)
_SPACED = re.compile(r"\]\(\s*<[^<>\n]*\s[^<>\n]*>\s*\)")
_PICTURE = re.compile(r"!\[(?:[^\[\]\\]|\\.|\[(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*\])+\]", re.DOTALL)
_NOTE = re.compile(r"\s{0,3}\[\^(?P<label>[^\]\s]{1,100})\]:")
_ATTRIBUTES = re.compile(r"(?<!\s)\s*\{[^{}]*\}\s*$")
_LANGUAGES = "bash|c|console|cpp|css|diff|go|html|ini|java|js|json|nix|patch|py|python|ruby|rust|sh|sql|suggestion|text|toml|ts|xml|yaml|yml"
_FENCE = re.compile(rf"(?P<kept>.*?(?:`{{3,}}|~{{3,}})(?:[ \t]*(?:{_LANGUAGES})(?![^\s]))?).*")

_PARSER = MarkdownIt("commonmark").enable("table")


def printable(text: str) -> str:
    """Text without characters that have no shape: zero-width, bidi, tags, fillers, selectors, controls."""
    kept = "".join(filter(_has_shape, _IGNORED.sub("", _SPACE.sub(" ", _LINE_END.sub("\n", text)))))
    return re.sub(rf"(?<=(.)){_EMOJI_STYLE}", lambda at: _EMOJI_STYLE if _takes_style(at[1]) else "", kept).lstrip(
        _EMOJI_STYLE
    )


def rendered(text: str) -> str:
    """Markdown without what its page does not show; what appears when something was cut is cut as well."""
    text = _LINE_END.sub("\n", text)
    for _ in range(ROUNDS):  # as a forge reads it first: a character without a shape can make a difference to Markdown
        shown = printable(_ENTITY.sub(_without_shape, _cut(text)))
        if shown == text:
            return shown
        text = shown
    return _settled(printable(text))


def _settled(text: str) -> str:
    """A text in which nothing is left that Markdown or HTML could hide."""
    return re.sub(r"[<>\[\]&{}]", "", text)


def _has_shape(letter: str) -> bool:
    return letter in _KEPT_CONTROLS or unicodedata.category(letter) not in {"Cf", "Cc", "Co", "Cs", "Cn"}


def _takes_style(letter: str) -> bool:
    return unicodedata.category(letter) in {"So", "Sk"} or letter in "#*0123456789©®‼⁉™↔▪▫"


def _without_shape(entity: re.Match[str]) -> str:
    """An entity, unless its character is invisible."""
    meant = html.unescape(entity[0])
    return entity[0] if meant == entity[0] or printable(meant) == meant else ""


def _cut(text: str) -> str:
    """One reading of a text as Markdown: its lines less what is not shown."""
    text = "\n".join(_without_notes(text.split("\n"), text))
    lines: list[str | None] = [*text.split("\n")]
    env: dict[str, Any] = {}
    tokens = _PARSER.parse(text, env)
    for first, last in _definitions(env):
        if not _NOTE.match(lines[first] or ""):
            lines[first:last] = [None] * (last - first)
    page, before = _Page(), ""
    for token in tokens:
        page.columns = 0 if token.type == "thead_open" else page.columns + (token.type == "th_open")
        reading = page.reading(token, before)
        if token.map is not None and reading is not None:
            _rewrite(lines, token.map[0], token.map[1], reading)
        before = token.type
    return "\n".join(line for line in lines if line is not None)


def _definitions(env: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """The lines of link reference definitions, those of a name that was taken before too."""
    for each in (*env.get("references", {}).values(), *env.get("duplicate_refs", ())):
        yield each["map"][0], each["map"][1]


def _rewrite(lines: list[str | None], first: int, last: int, reading: Callable[[str], str]) -> None:
    """Replace the lines of one token by what is shown of them, which are no more lines than they were."""
    shown: list[str | None] = [*reading("\n".join(line for line in lines[first:last] if line is not None)).split("\n")]
    lines[first:last] = [*shown, *([None] * (last - first - len(shown)))]


class _Page:
    """Reads the tokens of a text in their order, as an element that hides can be open from one to another."""

    def __init__(self) -> None:
        self.columns = 0
        self._unseen: list[str] = []

    def reading(self, token: Token, before: str) -> Callable[[str], str] | None:
        """How the lines of a token are to be cut; None for those that stay."""
        match token.type:
            case "html_block":
                return lambda text: self._read(text, _BLOCK)
            case "fence":
                return self._fence
            case "code_block":
                return self._seen
            case "tr_open":
                return self._row if self.columns else lambda text: "|".join(map(self._inline, _cells(text)))
            case "inline" if before not in {"th_open", "td_open"}:
                return self._heading if before == "heading_open" else self._inline
            case _:
                return None

    def _fence(self, text: str) -> str:
        first, end, rest = text.partition("\n")
        return self._seen(_FENCE.sub(r"\g<kept>", first) + end + rest)

    def _heading(self, text: str) -> str:
        return _ATTRIBUTES.sub("", self._inline(text))  # goldmark's attributes

    def _row(self, text: str) -> str:
        """A row of a table: cells beyond its head are not shown, and code does not reach across cells."""
        edge, cells = text.lstrip(" >\t").startswith("|"), _cells(text)
        kept = cells[: self.columns + 1 if edge else self.columns]
        return "|".join(map(self._inline, kept)) + ("|" if len(cells) > len(kept) else "")

    def _inline(self, text: str) -> str:
        text = self._read(text, _INLINE)
        for hidden, kept in ((_TITLED, r"\1)"), (_SPACED, "]()"), (_PICTURE, "![]")):
            text = hidden.sub(kept, text)
        return text

    def _read(self, text: str, grammar: re.Pattern[str]) -> str:
        shown, end = [], 0
        for part in grammar.finditer(text):
            shown += [self._seen(text[end : part.start()]), self._part(part)]
            end = part.end()
            if grammar is _INLINE and part["hidden"] and (remark := _REMARK.match(part[0])):
                self._read(part[0][remark.end() :], _BLOCK)  # a browser may read it as HTML that hides what follows
            if grammar is _BLOCK and end == len(text) and _is_open(part):
                self._unseen.append(
                    ""
                )  # what is not closed in HTML hides everything after it, whatever Markdown makes of it
        return "".join([*shown, self._seen(text[end:])])

    def _part(self, part: re.Match[str]) -> str:
        kinds = part.groupdict()
        name = _NAME.match(kinds["tag"] or "")
        if name is None:
            return "" if kinds["hidden"] or kinds.get("bogus") or kinds.get("open") else self._seen(part[0])
        return self._tag(part[0], name[1].lower(), closes=part[0].startswith("</"))

    def _tag(self, tag: str, name: str, *, closes: bool) -> str:
        if closes and name in self._unseen:
            del self._unseen[self._unseen.index(name) :]
            return ""
        if not closes and name not in _VOID and (name in _SILENT or _UNSEEN.search(tag)):
            self._unseen.append(name)
        if name in FOLDED:
            return self._seen(f"</{name}>" if closes else f"<{name}>")
        return self._seen(" " if name in _LINES else "")

    def _seen(self, text: str) -> str:
        return "" if self._unseen else text


def _is_open(part: re.Match[str]) -> bool:
    return part["open"] is not None or not _ENDED.fullmatch(part[0])


def _cells(row: str) -> list[str]:
    return re.split(r"(?<!\\)\|", row)


def _without_notes(lines: list[str], text: str) -> Iterator[str]:
    """Lines without the footnotes that nothing points to (goldmark 1.7 shows none), and what is indented below them."""
    inside, before = False, ""
    for line in lines:
        note = _NOTE.match(line)
        if note is not None:
            inside = not re.search(rf"\[\^{re.escape(note['label'])}\](?!:)", text)
        elif inside and line.strip() and not line.startswith((" ", "\t")) and not before.strip():
            inside = False
        if not inside:
            yield line
        before = line
