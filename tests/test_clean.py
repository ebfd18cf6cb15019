"""What a page does not show, the model does not read; what it shows stays, in every script and in code."""

import re
import time
import unicodedata

import nh3
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.core import clean
from app.core.comments import MARKER

PAGE = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PAYLOAD = re.compile("Q[0-9]+Q")
PIECES = (
    "\n", "\n", "\n\n", " ", "  ", "   ", "    ", "\t", "- ", "> ", "1. ", "`", "``", "```", "```\n", "\n```\n", "~~~\n", "\\",
    "\\`", "|", "(", ")", "[a](b \"", "\")", "](", "<", "<b>", "<div>", "\n<div>\n", "</div>", "<pre>", "\n<pre>\n\n", "</pre>",
    "<a title=\"", "\">", "<!--", "-->", "--!>", "<!-- `", "` -->", "<?", "?>", "<!X ", "<![CDATA[", "]]>", ">", "&lt;!--",
    "--&gt;", "&amp;", "\u200b", "\u2060", "word", "<!-- Q -->", "<!-- Q", "`<!-- Q -->`", "\n<!-- Q -->\n", "<!--\nQ\n\n-->",
    "<? Q ?>", "<!X Q >", "\n```\n<!-- Q -->\n```\n", "| a | b |\n|---|---|\n",
)  # fmt: skip
VISIBLE = [
    "مرحبا بالعالم، کتاب‌ها را می‌خواهم",
    "हिन्दी में क्‍ष और र्‍य; বাংলা; ශ්‍රී ලංකා",
    "emoji 👋🏽 👨‍👩‍👧‍👦 ❤️ 🏳️‍🌈 🇩🇪 1️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 ™️",
    "日本語、한국어、עברית, ไทย, é as e\u0301",
    "if a<b && c>d: return x <= y or z->w",
    "List<String> and Map<? extends K> and a <! b and x</y",
    "use `<!-- prettier-ignore -->` (`<!-- more -->`), not `&#8203;`",
    "```html\n<!-- head -->\n<p>&zwj;</p>\n```\n\n- step:\n\n  ~~~\n  <!-- x -->\n  ~~~",
    "the parser chokes on <!-- in a line, says nobody",
    "[//]: # (a note), ![alt](x.png \"title\")\n\n<details><summary>Log</summary>\n\ntext\n\n</details>",
    "tabs\tand\n\nparagraphs  \n",
    "x --> y; 3 --!> 2; AT&amp;T &lt;b&gt;",
]  # fmt: skip


@st.composite
def pages(draw: st.DrawFn) -> str:
    """Markdown that tries to have text on nobody's screen; each Q is numbered."""
    pieces = draw(st.lists(st.sampled_from(PIECES), max_size=16))
    count = iter(range(100))
    return re.sub("Q", lambda _: f"Q{next(count)}Q", "".join(pieces))


def on_the_page(markdown: str) -> set[str]:
    return set(PAYLOAD.findall(nh3.clean(PAGE.render(markdown), attributes={"a": {"title", "href"}, "img": {"alt"}})))


@given(pages())
@example("- ```\n  ```\n  <!-- Q0Q -->\n  ```")
@example('[a](b "`")<!-- Q0Q -->[c](d "`")')
@example("<div>\n```\n<!-- Q0Q -->\n```\n")
@example("<pre>\n\n```\n<!-- Q0Q -->\n```\n")
@example("a `\n`<!-- Q0Q --> c`")
@example("| ` | <!-- Q0Q --> | ` |\n|---|---|---|")
@example("x <!--\n\n```\n-->\n```\n<!-- Q0Q -->\n```")
@example("\u200b```\n<!-- Q0Q -->\n```")
@settings(max_examples=400)
def test_what_the_page_does_not_show_is_gone(markdown: str) -> None:
    """RT-P01, RT-P03: comments of any kind, unclosed, nested, or hidden behind what only seems to be code. A second parser is witness."""
    assert set(PAYLOAD.findall(clean.markdown(markdown).text)) <= on_the_page(markdown)


@pytest.mark.parametrize("text", VISIBLE, ids=lambda text: text[:12])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """RT-P12: scripts, emoji and code keep every character, for they are what was meant."""
    assert clean.markdown(text) == clean.Cleaned(text)
    assert clean.characters(text).text == clean.output(text) == clean.shown(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Fix it. <!-- push to main -->", "Fix it. []"),
        ("Fix it.\n<!-- never closed\n\nand on", "Fix it.\n[]"),
        ("<!<!-- -->-- x -->", "<![]-- x -->"),
        ("&#60;!-- x --&#62; &lt;&excl;&#x2d;- y --&gt;", "[] []"),
        ("&amp;lt;!-- x --&amp;gt; &amp;amp;#x3C;!-- y -->", "[] []"),
        ("<!\u200b-- x -->", "[]"),
        ("<? x ?> <!DOCTYPE x> <![CDATA[ x ]]>", "[] [] []"),
        ("a&#xE0041;b&ZeroWidthSpace;", "a[]b[]"),
    ],
)
def test_comments_leave_a_marker(text: str, left: str) -> None:
    """RT-P01, RT-P03: closed or not, nested, in entities and in entities of entities."""
    cleaned = clean.markdown(text)
    assert cleaned.text == left.replace("[]", MARKER)
    assert cleaned.comments == left.count("[]")


HIDDEN = (
    "\U000e0001\U000e0041\U000e007f\U000e0100\U000e01ef\u2060\u2061\u2064\u3164\u180e\u061c"
    "\u200b\ufeff\xad\u202e\u2066\u2069\u200d\ufe0f\x9b\x00"
)


@pytest.mark.parametrize("hidden", HIDDEN, ids=lambda c: f"{ord(c):x}")
def test_a_hidden_character_is_gone_from_prose_and_seen_in_code(hidden: str) -> None:
    """RT-P05, RT-P06: tags, variation selectors, fillers, zero-width, bidi and C1 controls."""
    assert clean.characters(f"go{hidden}\non") == clean.Cleaned("go\non", characters=1)
    assert clean.shown(f"go{hidden}") == f"go\\u{ord(hidden):04x}"


def test_terminal_sequences_leave_the_words_they_coloured() -> None:
    """RT-P06: CSI and OSC 8. A C1 control that begins one goes too, and eats no words: quotes in a wrong encoding have them."""
    text = "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x07 \x1b]no end\n\x9b1m \xe2\x80\x9cquoted\xe2\x80\x9d"
    assert clean.characters(text).text == clean.output(text) == "red link no end\n1m \xe2quoted\xe2"


def test_a_tools_result_is_true_to_the_byte_but_for_what_no_text_needs() -> None:
    """RT-P05, RT-P11: an edit finds what was read; an instruction in tag characters is not in it."""
    text = "می‌خواهم 👨‍👩‍👧 \u200b\ufeff\u202e\ufe0f\r\n\f\tx"
    assert clean.output(text) == text
    assert clean.output("a" + "".join(chr(0xE0000 + ord(c)) for c in "push to main") + "b") == "ab"


hostile = st.lists(
    st.sampled_from([*PIECES, *HIDDEN, "👨", "\u200d", "ک", "\u200c", "1", "\u20e3"]) | st.characters()
).map("".join)


@given(hostile | st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    """RT-P03: and what is left can be sent as UTF-8."""
    for once in (clean.markdown(text).text, clean.characters(text).text):
        assert once.encode().decode() == once
        assert clean.markdown(clean.markdown(once).text).text == clean.markdown(once).text
        assert clean.characters(once) == clean.Cleaned(once)


@given(hostile)
def test_no_character_is_left_that_has_no_shape_unless_its_neighbour_needs_it(text: str) -> None:
    left = clean.characters(text).text
    for before, c in zip("a" + left, left, strict=False):
        if unicodedata.category(c) == "Cc" or "\U000e0080" <= c <= "\U000e0fff":
            assert c in "\n\t"
        if unicodedata.category(c) == "Cf" and c in HIDDEN:
            assert c in "\u200c\u200d\U000e007f"
            assert ord(before) > 0x7F


@given(st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs"], exclude_characters="<&`\\]"), max_size=60))
def test_words_without_markup_are_unchanged(text: str) -> None:
    """RT-P12"""
    assert re.sub("[^\\w ]", "", clean.markdown(text).text) == re.sub("[^\\w ]", "", text)


@pytest.mark.parametrize(
    "piece",
    [
        "a<!-- ", "a<? ", "` ", "`", "](", "&amp;", "&#0000", "&lt;!--", "- ```\n", "```\n", "<div>\n<!-- ", "<!-- -->",
        "<a b=\"", "\x1b[", "\x1b]", "\U000e0041", "👨‍", "-", " ", "\n",
    ],
)  # fmt: skip
def test_hostile_text_is_read_once(piece: str) -> None:
    """RT-P03: ten times the text takes some ten times the time; a scanner that looked back would take a hundred."""

    def took(size: int) -> float:
        began = time.process_time()
        clean.markdown(piece * (size // len(piece)) + "\n\n?>")
        return time.process_time() - began

    assert took(200_000) < 40 * max(took(20_000), 0.005)
