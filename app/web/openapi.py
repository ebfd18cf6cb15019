"""The description of the HTTP edge: `openapi.yml`, with the events as `app/core/events.py` has them."""

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import yaml

from app.core.events import EVENT

Json = dict[str, Any]


@cache
def description() -> Json:
    """OpenAPI 3.1, whole. Not to be changed."""
    api: Json = yaml.safe_load(files("app.web").joinpath("openapi.yml").read_text("utf-8"))
    api["info"]["version"] = version("backspace-agent")
    event = EVENT.json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    kinds = event.pop("$defs")
    for kind in kinds.values():
        kind["required"] = list(kind["properties"])  # what is sent has them all
    api["components"]["schemas"] |= kinds | {"Event": event}
    return api


def resolved(part: Json) -> Json:
    """What a `$ref` stands for, with what is written beside it."""
    if "$ref" not in part:
        return part
    found: Any = description()
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return resolved(found) | {name: value for name, value in part.items() if name != "$ref"}


def type_of(schema: Json) -> str:
    """A schema in a few words: "string", "integer or null", "list of {text: string, done: boolean}"."""
    schema = resolved(schema)
    if "properties" in schema:
        return "{" + ", ".join(f"{name}: {type_of(property)}" for name, property in schema["properties"].items()) + "}"
    if "const" in schema:
        return f'"{schema["const"]}"'
    if "enum" in schema:
        return " or ".join(f'"{value}"' for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(type_of(option) for option in schema["anyOf"])
    kinds = schema.get("type", "anything")
    if kinds == "array":
        return f"list of {type_of(schema['items'])}"
    return kinds if isinstance(kinds, str) else " or ".join(kinds)
