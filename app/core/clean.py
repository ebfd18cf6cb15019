r"""Hidden text: what is in a text although nobody sees it there.

Hidden are the code points that Unicode calls default-ignorable (tag characters, variation selectors, zero-width and bidi controls,
fillers), C0 and C1 controls, terminal sequences, and in Markdown comments (`comments.py`). What a script or an emoji is written with is
not: one joiner after a letter of a joining script, joiners and selectors within an emoji, keycaps, and the three flags made of tags.
All of it takes time linear in the text. A text that was cleaned stays as it is when it is cleaned again.
"""

import re
from dataclasses import dataclass

from app.core.comments import without_comments

_EMOJI = (
    "\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_JOINING = "\u0620-\u08ff\u0900-\u109f\u1780-\u17b3\u17b6-\u17ff\u1820-\u18af"
"""Arabic to Myanmar, Khmer, Mongolian: there a joiner, or its absence, is spelling."""
_FLAGS = "|".join("".join(chr(0xE0000 + ord(c)) for c in region) for region in ("gbeng", "gbsct", "gbwls"))
_KEPT = (
    f"[{_EMOJI}](?:[\ufe0e\ufe0f]?\u200d(?=[{_EMOJI}])|[\ufe0e\ufe0f])"
    f"|[0-9#*]\ufe0f(?=\u20e3)|[{_JOINING}][\u200c\u200d]|\U0001f3f4(?:{_FLAGS})\U000e007f"
)
_SEQUENCES = (
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # titles, links, device strings
    r"|\x1b[ -/]*[0-~]"
)
"""Those of seven bits: U+0080 to U+009F come from text in a wrong encoding more often than from a terminal, so each goes alone."""
_TAGS = "\U000e0000-\U000e007f"
_IGNORABLE = (  # DerivedCoreProperties.txt of Unicode 16, and the interlinear annotations
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
CHARACTER = re.compile(f"[{_IGNORABLE}{_CONTROLS}]")
"""One that has no shape of its own."""
_HIDDEN = re.compile(f"(?P<kept>{_KEPT})|{_SEQUENCES}|{CHARACTER.pattern}")
_SHOWN = re.compile(f"(?P<kept>{_KEPT})|{CHARACTER.pattern}")
_IN_OUTPUT = re.compile(rf"(?P<kept>{_KEPT})|{_SEQUENCES}|[{_TAGS}]|(?![\r\f])[{_CONTROLS}]")


@dataclass(frozen=True)
class Cleaned:
    text: str
    comments: int = 0
    """How many hidden comments were taken out; each left a marker."""
    characters: int = 0
    """How many hidden characters and terminal sequences were."""


def markdown(s: str) -> Cleaned:
    """What a person sees of Markdown on GitHub: no comment, as it is or in entities, and no hidden character.

    Comments go before the characters, which decide too where GitHub sees code, and once more after them.
    """
    text, before = without_comments(_lines(s), CHARACTER)
    seen = characters(text)
    text, after = without_comments(seen.text, CHARACTER) if seen.characters else (seen.text, 0)
    return Cleaned(text, before + after, seen.characters)


def characters(s: str) -> Cleaned:
    """The text without hidden characters; for what is no Markdown: titles, files, names."""
    hidden = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal hidden
        hidden += found["kept"] is None
        return found["kept"] or ""

    return Cleaned(_HIDDEN.sub(replaced, _lines(s)), 0, hidden)


def output(s: str) -> str:
    """A tool's result: only tag characters, controls and terminal sequences go, for files are edited by what was read of them."""
    return _IN_OUTPUT.sub(lambda m: m["kept"] or "", s)


def shown(s: str) -> str:
    r"""The text with hidden characters made visible, each as `\uXXXX`."""
    return _SHOWN.sub(lambda m: m["kept"] or f"\\u{ord(m[0]):04x}", _lines(s))


def _lines(s: str) -> str:
    """One kind of line end, and nothing that is no UTF-8."""
    s = s.encode("utf-8", "replace").decode()
    return s.replace("\r\n", "\n").replace("\r", "\n")
