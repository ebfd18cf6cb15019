"""Markdown as GitHub shows it in a conversation: every line break, tables, task lists, and the HTML that it lets through."""

import re

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

PARSER = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
TASK = re.compile(r"<li>(\s*(?:<p>)?)\[([ xX])\] ")
TAGS = (nh3.ALLOWED_TAGS | {"details", "summary"}) - {"img"}
ATTRIBUTES = {**nh3.ALLOWED_ATTRIBUTES, "details": {"open"}, "th": {"align"}, "td": {"align"}, "code": {"class"}}


def rendered(source: str) -> Markup:
    """Safe HTML. Images are left out: these pages load nothing."""
    clean = nh3.clean(PARSER.render(source), tags=TAGS, attributes=ATTRIBUTES)
    return Markup(TASK.sub(_task, clean))


def _task(match: re.Match[str]) -> str:
    checked = " checked" if match[2] in "xX" else ""
    return f'<li class="task">{match[1]}<input type="checkbox" disabled{checked}> '
