"""Foreign text (a model's, an outsider's, a program's) as Markdown that does nothing.

No mention, reference, closing word, link, image, HTML or command of another bot comes to life. GitHub looks for mentions and
references in the rendered text, where an escape is gone again, and not in code: so every word that could be one becomes code,
and the rest is escaped.
"""

import re

from app.core.clean import characters, shown

_ALIVE = re.compile(r"://|www\.|@\w|#\d|\bgh-\d", re.IGNORECASE)
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_ENTITIES = {"`": "&#96;", "|": "&#124;", "<": "&lt;", ">": "&gt;", "&": "&amp;"}
_SPECIAL = str.maketrans(_ENTITIES | {c: "\\" + c for c in "\\*_[]~"})
_BOLD = re.compile(r"(?<![\w*\\])\\\*\\\*(\w(?:[^*`\\]*[\w.:!?])?)\\\*\\\*(?![\w*\\])")
_LIST = re.compile(r"\s{0,8}(?:([-*+])|(\d{1,3})[.)])\s+(.*)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*)")
_FENCE = re.compile(r"\s{0,8}(?:```|~~~)")
_URL = re.compile(r"[A-Za-z0-9:/?#@!$&'*+,;=._~%-]+")
_OPENING, _CLOSING = "([{\"'", ")]}\"'.,;:!?"


def plain(s: str, limit: int = 200) -> str:
    """One line of prose, at most `limit` characters of the text; its code spans stay code."""
    s = _cut(" ".join(characters(_lines(s)).text.split()), limit)
    pieces: list[str] = []
    end = 0
    for code in _CODE.finditer(s):
        pieces += [_words(s[end : code.start()]), inline_code(code[2], limit)]
        end = code.end()
    pieces.append(_words(s[end:]))
    return _harmless_start(_join(pieces))


def inline_code(s: str, limit: int = 200) -> str:
    """A code span that holds the text on one line, hidden characters shown as `\\uXXXX`. "" for nothing."""
    s = _cut(" ".join(shown(_lines(s)).split()), limit)
    if not s:
        return ""
    fence = "`" * (_longest_run(s) + 1)
    pad = " " if s[0] == "`" or s[-1] == "`" else ""
    return f"{fence}{pad}{s}{pad}{fence}"


def fenced(s: str, language: str = "", limit: int = 4000, tail: bool = False) -> str:
    """A code block with the head of the text (or its tail): at most `limit` characters of it, and three times that in all."""
    s = shown(_lines(s)).strip("\n")
    if len(s) > limit:
        s = "…\n" + s[-limit:] if tail else s[:limit] + "\n…"
    # Other bots read the raw text line by line, code or not; a word joiner is no white space to them.
    s = re.sub(r"^(\s*)/", "\\1\u2060/", s, flags=re.MULTILINE)
    fence = "`" * max(3, _longest_run(s) + 1)
    return f"{fence}{language}\n{s}\n{fence}"


def prose(s: str, limit: int = 4000) -> str:
    """Paragraphs, lists and code blocks; anything else in it is shown as written."""
    lines = _cut(characters(_lines(s)).text.strip(), limit).split("\n")
    out: list[str] = []
    while lines:
        line = lines.pop(0)
        if _FENCE.match(line):
            mark = line.strip()[:3]
            block: list[str] = []
            while lines and not lines[0].strip().startswith(mark):
                block.append(lines.pop(0))
            del lines[:1]
            out += ["", fenced("\n".join(block), limit=limit), ""]
        elif item := _LIST.fullmatch(line):
            out.append(f"{item[2]}. {plain(item[3], limit)}" if item[2] else f"- {plain(item[3], limit)}")
        elif heading := _HEADING.fullmatch(line):
            out += ["", f"**{plain(heading[1], limit)}**", ""]
        else:
            out.append(plain(line, limit))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def cell(markdown: str) -> str:
    """What the functions above returned (or a number), as a cell of a table: there a `|` ends the cell even in code."""
    return markdown.replace("|", "\\|")


def link(markdown: str, url: str, server_url: str) -> str:
    """The words as a link, where it leads to GitHub itself; else the words."""
    safe = url.startswith(server_url + "/") and _URL.fullmatch(url)
    return f"[{markdown}](<{url}>)" if safe else markdown


def _words(s: str) -> str:
    """Text without code spans: words that could act become code, the others are escaped. Bold stays bold."""
    escaped = " ".join(_word(w) if _ALIVE.search(w) else w.translate(_SPECIAL) for w in s.split(" "))
    return _BOLD.sub(r"**\1**", escaped)


def _word(word: str) -> str:
    core = word.lstrip(_OPENING).rstrip(_CLOSING)
    before, _, after = word.partition(core)
    return _join([before.translate(_SPECIAL), inline_code(core), after.translate(_SPECIAL)])


def _join(pieces: list[str]) -> str:
    """Code spans that touch would run into each other."""
    joined = ""
    for piece in pieces:
        joined += (" " if joined.endswith("`") and piece.startswith("`") else "") + piece
    return joined


def _harmless_start(s: str) -> str:
    """Nothing that opens a block, or a command of another bot, stands at the start of the line."""
    if s.startswith("/"):
        return "&#47;" + s[1:]
    return re.sub(r"^([#+=-])|^(\d+)([.)])", lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\{m[3]}", s)


def _cut(s: str, limit: int) -> str:
    """Behind a whole word, where one ends in the second half of what there is room for."""
    if len(s) <= limit:
        return s
    words = s[:limit].rpartition(" ")[0]
    return (words if len(words) > limit // 2 else s[: limit - 1]).rstrip() + "…"


def _longest_run(s: str) -> int:
    return max((len(run) for run in re.findall("`+", s)), default=0)


def _lines(s: str) -> str:
    return s.replace("\u2028", "\n").replace("\u2029", "\n")
