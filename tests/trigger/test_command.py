"""The first token of the first line decides; everything after it is the prompt."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
        ("/backspace approve", Command("later", "approve")),
        ("/backspace approve 9f3c2e1", Command("later", "approve")),
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
        "/backspace\u00a0fix it",
    ],
)
def test_no_command(comment: str) -> None:
    assert parse(comment) is None


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
