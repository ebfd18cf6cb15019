"""The first token of the first line decides; everything after it is the prompt."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.publish.comment import ASK, STOP, marker
from app.publish.replies import closed_text, help_text, later_text
from app.trigger.command import Command, parse


@pytest.mark.parametrize(
    ("comment", "prompt"),
    [
        ("/backspace fix it", "fix it"),
        ("/backspace   fix it  ", "fix it"),
        ("/backspace\tfix it", "fix it"),
        ("  /backspace fix it", "fix it"),
        ("/backspace fix it\r\n\r\nand the tests\r\n", "fix it\r\n\r\nand the tests"),
        ("/backspace\nfix it", "fix it"),
        ("/backspace > quoted words are mine too", "> quoted words are mine too"),
        ("/backspace stop the clock from drifting", "stop the clock from drifting"),
        ("/backspace stop\nand start again", "stop\nand start again"),
        ("/backspace help me with the docs", "help me with the docs"),
        ("/backspace continue with the parser", "continue with the parser"),
        ("/backspace approve the change of Bob", "approve the change of Bob"),
        ("/backspace /backspace", "/backspace"),
    ],
)
def test_a_prompt(comment: str, prompt: str) -> None:
    assert parse(comment) == Command("prompt", prompt)


@pytest.mark.parametrize(
    ("comment", "command"),
    [
        ("/backspace stop", Command("stop")),
        ("/backspace Stop.", Command("stop")),
        ("/backspace\r\nstop", Command("stop")),
        ("/backspace help", Command("help")),
        ("/backspace", Command("help")),
        ("/backspace \n\n ", Command("help")),
        ("/backspace status", Command("later", "status")),
        ("/backspace retry", Command("later", "retry")),
        ("/backspace undo", Command("later", "undo")),
        ("/backspace continue", Command("later", "continue")),
        ("/backspace continue +$2.50", Command("later", "continue")),
        ("/backspace plan", Command("later", "plan")),
        ("/backspace plan the move\nto 3.13", Command("later", "plan")),
        ("/backspace approve", Command("approve")),
        ("/backspace approve 9f3c2e1", Command("approve")),
        (f"/backspace approve {'9f3c2e1b' * 4}", Command("approve", "9f3c2e1b" * 4)),
        (f"/backspace Approve {'9F3C2E1B' * 4}.", Command("approve", "9f3c2e1b" * 4)),
        (f"/backspace approve {'9f3c2e1b' * 4}\r\n\r\nLooks good, thanks!", Command("approve", "9f3c2e1b" * 4)),
        (f"/backspace approve {'9f3c2e1b' * 5}", Command("approve")),
    ],
)
def test_a_control_word(comment: str, command: Command) -> None:
    assert parse(comment) == command


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "please /backspace fix it",
        "\n/backspace fix it",
        "> /backspace fix it",
        "    /backspace fix it",
        "\t/backspace fix it",
        "`/backspace fix it`",
        "```\n/backspace fix it\n```",
        "<!-- /backspace fix it -->",
        "<!--\n/backspace fix it\n-->",
        "- /backspace fix it",
        "/backspaces fix it",
        "/backspace: fix it",
        "/backspace@evil fix it",
        "/Backspace fix it",
        "/back\u200bspace fix it",
        "\u200b/backspace fix it",
        "/backspace\u200b fix it",
        "/backspace\u2060fix it",
        "\ufeff/backspace fix it",
        "／backspace fix it",
        "/bаckspace fix it",  # a Cyrillic а
        *(f"/backspace{space}fix it" for space in "\u00a0\u2003\u3000\u2028\x85\x0b\x0c\0"),
        *(f"{space}/backspace fix it" for space in "\u00a0\u2003\u3000\u2028\x85\x0b\x0c\0\r\n"),
        "/BACKSPACE fix it",
        "/backspacefoo",
        "\\/backspace fix it",
        "&#47;backspace fix it",
        "</backspace fix it",
        "<b>/backspace fix it</b>",
        "~~~\n/backspace fix it\n~~~",
        "hello\r\n/backspace fix it",
        *(f"{block} /backspace fix it" for block in ("*", "+", "1.", "#", "|", "- [ ]", ">>", "[x]:")),
    ],
    ids=ascii,
)
def test_no_command(comment: str) -> None:
    """RT-T07: quoted, in code, in a comment, behind other words, split, or written with look-alikes."""
    assert parse(comment) is None


@pytest.mark.parametrize(
    "ours", [help_text("backspace"), later_text("retry"), closed_text(), marker("c-1-2"), ASK, STOP]
)
def test_nothing_that_we_say_is_a_command(ours: str) -> None:
    """RT-T05: not even where GitHub would let us start ourselves, or somebody quotes us."""
    assert parse(f"{marker('c-1-2')}\n{ours}") is None
    assert parse(ours) is None
    assert parse("".join(f"> {line}\n" for line in ours.splitlines())) is None


@given(st.text())
@example("/backspace")
def test_only_a_comment_whose_first_line_starts_with_the_token_is_a_command(comment: str) -> None:
    command = parse(comment)
    if command:
        first = comment.split("\n")[0]
        assert first.lstrip(" ").rstrip("\r").split(" ")[0].split("\t")[0].split("\r")[0] == "/backspace"


@given(st.text())
def test_whatever_follows_the_token_is_never_dropped_from_a_prompt(rest: str) -> None:
    command = parse("/backspace " + rest)
    assert command
    if command.kind == "prompt":
        assert command.text == rest.strip()


@given(st.text(min_size=1), st.text())
def test_words_before_the_token_make_it_no_command(before: str, rest: str) -> None:
    if before.strip(" ") or len(before) > 3:
        assert parse(before + "/backspace " + rest) is None or before.startswith("/backspace")
