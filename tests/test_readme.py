"""The README tells what is there."""

import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from app.settings import Settings
from app.simulator.projects import known

README = (Path(__file__).parents[1] / "README.md").read_text()


def settings_table() -> str:
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = (
            "**required**"
            if field.default is PydanticUndefined
            else f"`{field.default}`"
            if field.default is not None
            else ""
        )
        rows.append(f"| `{name.upper()}` | {default} | {' '.join((field.description or '').split())} |")
    return "\n".join(rows)


def test_the_settings_table_is_that_of_the_code() -> None:
    found = re.search(r"<!-- settings: [^\n]*-->\n(.*?)\n<!-- end -->", README, re.DOTALL)
    assert found
    assert found[1] == settings_table()


def test_the_projects_named_can_be_shown() -> None:
    assert set(re.findall(r"`(?:backspace demo --project )?([a-z]+==[0-9.]+)`", README)) == set(known())


def test_what_it_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (Path(__file__).parents[1] / link).exists()] == []
