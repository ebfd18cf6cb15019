"""What a piece of Markdown does once it is rendered, by a parser that is not ours."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_OUR_HTML = re.compile(r"(<!-- backspace:[a-z0-9-]+ -->|</?details>|<summary>[^<>&]*</summary>|\s)*")
_ALIVE = re.compile(r"@\w|#\d|://|www\.|\bgh-\d", re.IGNORECASE)


def tokens(markdown: str) -> list[Token]:
    """All tokens, those inside of paragraphs too."""
    return [inner for token in _PARSER.parse(markdown) for inner in (token, *(token.children or ()))]


def alive(markdown: str, server_url: str = "https://github.com") -> list[str]:
    """What in it would notify, refer, load, lead away from the server, or is HTML that is not ours; [] where it does nothing."""
    found = []
    inside = 0
    for token in tokens(markdown):
        inside += (token.type == "link_open") - (token.type == "link_close")
        if token.type in ("html_block", "html_inline") and not _OUR_HTML.fullmatch(token.content):
            found.append(token.content)
        if token.type == "image" or (
            token.type == "link_open" and not str(token.attrGet("href")).startswith(server_url + "/")
        ):
            found.append(f"{token.type} {token.attrs}")
        if token.type == "text" and not inside and (match := _ALIVE.search(token.content)):
            found.append(match[0])
    return found


def folds_are_whole(markdown: str) -> bool:
    """Every `<details>` that is HTML, and none that is text in a block, is closed."""
    html = "".join(token.content for token in tokens(markdown) if token.type == "html_block")
    return html.count("<details>") == html.count("</details>") and html.count("<details>") == html.count("<summary>")
