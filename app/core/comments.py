"""Comments in Markdown: text that GitHub has in the source and never on the page.

Only what is code in every reading keeps its `<!-- -->`: a fence at the start of a line, closed, its lines indented no less than itself;
a code span within one line, after white space. Where raw HTML or a stray backtick leaves doubt, comments go, in code too: a scanner that
believed in more code than GitHub does would let hidden text through.
"""

import html
import re

MARKER = "[hidden text removed]"
"""Stands where a comment was, so that what was around it can't join to a new one."""


def _coded(literal: str, names: str, number: int) -> str:
    """A character, as it is or as an entity, encoded any number of times."""
    return f"(?:{literal}|&(?i:(?:amp;|\\#0*38;|\\#x0*26;)*+(?:{names}|\\#0*{number}|\\#x0*{number:x});?))"


_LT, _GT = _coded("<", "lt", 0x3C), _coded(">", "gt", 0x3E)
_BANG, _DASH = _coded("!", "excl", 0x21), _coded("-", "hyphen|dash", 0x2D)
_LEAD = r"^[ \t>*+\-0-9.)]*+"
"""What may stand before a block: indentation, quotes, list items."""
_EVENT = re.compile(
    rf"""
    (?=[<&`\\\]]|^[ \t\n>*+\-0-9.)`~<])
    (?: (?P<blank>^[ \t]*+\n)
    |(?P<fence>{_LEAD}(?P<mark>`{{3,}}+(?![^\n]*`)|~{{3,}}+)[^\n]*)
    |(?P<span>(?:(?<!\S)|(?<=\s\())(?P<ticks>`++)[^`|\n]++(?P=ticks)(?!`))
    |(?P<comment>(?P<lead>{_LEAD})?(?P<open>{_LT}{_BANG}{_DASH}{_DASH}|<!\[CDATA\[|<[!?]|</(?![A-Za-z])))
    |(?P<block>{_LEAD}<(?=[A-Za-z/]))
    |(?P<doubt><(?=[A-Za-z/])|`++|\\`|\]\()
    |(?P<entity>&(?:\#[0-9]{{1,8}}|\#[xX][0-9a-fA-F]{{1,7}}|[A-Za-z][A-Za-z0-9]{{1,31}});))
    """,
    re.MULTILINE | re.VERBOSE,
)
_CLOSE = {
    "<!--": re.compile("--!?>"),
    "<![CDATA[": re.compile("]]>"),
    "<?": re.compile(r"\?>"),
    "<!": re.compile(">"),
    "</": re.compile(">"),
}
_CLOSE_CODED = re.compile(f"{_DASH}{_DASH}{_BANG}?{_GT}")
_RAW = re.compile(r"(?:pre|script|style|textarea)\b", re.IGNORECASE)
"""Elements whose raw HTML does not end with a blank line."""
_TAG = re.compile(r"""/?[A-Za-z][\w-]*(?:\s[^<>"'`]*(?:"[^<>"`]*"[^<>"'`]*)*)?>""")
"""What follows the `<` of a tag that ends where it seems to; another may swallow what comes behind it, in raw HTML."""
_END_OF_LINE = re.compile(r"\n")
_BLANK = re.compile(r"\n[ \t]*\n")


def without_comments(text: str, character: re.Pattern[str]) -> tuple[str, int]:
    """The text with a marker for each comment, and how many there were. An entity that stands for a hidden `character` is one too."""
    scan = _Scan(text)
    while found := _EVENT.search(text, scan.at):
        scan.at = found.end()
        match found.lastgroup:
            case "blank":
                scan.prose = True
                scan.blocks = True
            case "fence":
                scan.fence(found)
            case "span" if not (scan.sure and scan.blocks and scan.prose):
                scan.at = found.end("ticks")
            case "comment":
                scan.comment(found)
            case "block" | "doubt":
                scan.doubt(found)
            case "entity" if not character.sub("", html.unescape(found[0])):
                scan.drop(found.start(), found.end())
    return scan.rest(), scan.dropped


class _Scan:
    """Where the scanner is, and what it can be sure of."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.sure = True
        """That fences are where they seem to be."""
        self.blocks = True
        """No raw HTML has begun since the last blank line."""
        self.prose = True
        """Nor has anything else that could make a backtick no code span."""
        self.dropped = 0
        self._kept: list[str] = []
        self._from = 0
        self._line = 0
        """Up to here the line of a comment goes on, which is raw HTML where the comment began it."""
        self._known: dict[re.Pattern[str], re.Match[str] | None] = {}

    def drop(self, start: int, end: int) -> None:
        self._kept += [self.text[self._from : start], MARKER]
        self._from = self.at = end
        self.dropped += 1

    def rest(self) -> str:
        return "".join([*self._kept, self.text[self._from :]])

    def doubt(self, found: re.Match[str]) -> None:
        self.prose = False
        if found[0].endswith("<"):
            self.blocks = self.blocks and found.lastgroup != "block"
            raw = not self.blocks or found.start() < self._line
            swallows = raw and not _TAG.match(self.text, found.end())
            self.sure = self.sure and not swallows and not _RAW.match(self.text, found.end())

    def fence(self, found: re.Match[str]) -> None:
        end = self._fence_end(found) if self.sure and self.blocks else None
        self.sure = end is not None
        self.at = end or found.end("mark")
        self.prose = True

    def _fence_end(self, found: re.Match[str]) -> int | None:
        lead, mark = self.text[found.start() : found.start("mark")], found["mark"]
        if lead.strip(" ") or len(lead) > 3 or "<" in found[0] or "&" in found[0]:
            return None
        close = re.compile(rf"^ {{{len(lead)},3}}{mark[0]}{{{len(mark)},}}[ \t]*$", re.MULTILINE)
        closed = close.search(self.text, found.end())
        if not closed:
            return None
        body = self.text[found.end() : closed.start()]
        outside = lead and re.search(rf"^ {{0,{len(lead) - 1}}}[^ \n]", body, re.MULTILINE)
        return None if outside else closed.end()

    def comment(self, found: re.Match[str]) -> None:
        """Closed or at the start of a block, it goes; else GitHub shows it, where what is before it leaves no doubt."""
        start, opened = found.start("open"), found["open"]
        raw, trusted = opened in _CLOSE, self.sure and self.blocks and start >= self._line
        self.prose = False
        if trusted and (opened == "</" or (opened == "<!" and not self.text[found.end() : found.end() + 1].isalpha())):
            return  # a comment in raw HTML alone
        block = found["lead"] is not None or not trusted
        end = self._comment_end(opened, found.end(), across=block)
        if end is None and block and raw:
            end = len(self.text)
        if end is not None:
            gone = self.text[start:end]
            whole = raw and trusted and found["lead"] == ""
            self.sure = self.sure and (whole or "\n" not in gone) and not gone.endswith("--!>")
            self.drop(start, end)
            line = self._next(_END_OF_LINE, end)
            self._line = line.start() if line else len(self.text)

    def _comment_end(self, opened: str, at: int, *, across: bool) -> int | None:
        closed = self._next(_CLOSE[opened], at) if opened in _CLOSE else None
        if opened == "<!--" or opened not in _CLOSE:
            closed = closed or self._next(_CLOSE_CODED, at)
        elif closed and not across and (blank := self._next(_BLANK, at)) and blank.start() < closed.start():
            return None
        return closed.end() if closed else None

    def _next(self, pattern: re.Pattern[str], at: int) -> re.Match[str] | None:
        """The first match behind `at`; each part of the text is searched once."""
        known = self._known.get(pattern)
        if pattern not in self._known or (known and known.start() < at):
            self._known[pattern] = known = pattern.search(self.text, at)
        return known
