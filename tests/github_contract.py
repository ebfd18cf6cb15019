"""GitHub's published REST description as a check on both sides: what we send, and what the simulator answers.

A violation is recorded, never raised: the request goes its way, and the test that looks at the list fails.
"""

import functools
import json
import re
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from jsonschema import Draft202012Validator

DESCRIPTION: dict[str, Any] = json.loads((Path(__file__).parent / "data/github_rest.json").read_text())
PREFIX = "/api/v3"
ERRORS_ANYWHERE = {301, 307, 400, 401, 403, 404, 409, 410, 413, 422, 429}
"""GitHub answers these on every route, documented there or not."""
MANY_SEGMENTS = ("ref", "branch")
VIOLATIONS: web.AppKey[list[str]] = web.AppKey("violations")


def _pattern(template: str) -> re.Pattern[str]:
    def segment(match: re.Match[str]) -> str:
        return ".+" if match[1] in MANY_SEGMENTS else "[^/]+"

    return re.compile(re.sub(r"\{(\w+)\}", segment, template))


ROUTES = [(_pattern(path), operations) for path, operations in DESCRIPTION["routes"].items()]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """The operation for a path under the API's root; the plainest template that fits wins."""
    by_name = re.sub(r"^/repositories/\d+", "/repos/{owner}/{repo}", path)
    fitting = [operations for pattern, operations in ROUTES if pattern.fullmatch(by_name)]
    return next((operations[method.lower()] for operations in fitting if method.lower() in operations), None)


@functools.cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator({**json.loads(schema), "$defs": DESCRIPTION["$defs"]})


def faults_of(schema: dict[str, Any], value: Any) -> list[str]:
    """What is wrong with a value, each in one line."""
    errors = _validator(json.dumps(schema)).iter_errors(value)
    return [f"{error.json_path}: {error.message[:300]}" for error in errors]


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, refusing fields that the description does not name, at any depth."""
    if "$ref" in schema:
        return closed(DESCRIPTION["$defs"][schema["$ref"].rsplit("/", 1)[1]])
    inner = {
        key: {name: closed(field) for name, field in value.items()} if key == "properties"
        else closed(value) if key == "items"
        else [closed(one) for one in value] if key in ("anyOf", "allOf")
        else value
        for key, value in schema.items()
    }  # fmt: skip
    return {"additionalProperties": False, **inner} if "properties" in inner and "allOf" not in inner else inner


def check_request(method: str, path: str, query: dict[str, str], body: bytes) -> list[str]:
    operation = operation_of(method, path)
    if operation is None:
        return ["no such route in the description"]
    found = [f"unknown query parameter {name}" for name in query if name not in operation["query"]]
    for name in query.keys() & operation["query"].keys():
        schema = operation["query"][name]
        value = int(query[name]) if schema.get("type") == "integer" and query[name].isdigit() else query[name]
        found += faults_of(schema, value)
    if operation["body"] is None:
        return found + (["a body where none is described"] if body else [])
    try:
        return found + (faults_of(closed(operation["body"]), json.loads(body)) if body else [])
    except ValueError:
        return [*found, "the body is not JSON"]


def check_reply(method: str, path: str, status: int, body: bytes) -> list[str]:
    operation = operation_of(method, path)
    if operation is None:
        return []
    replies = operation["replies"]
    if str(status) not in replies and status not in ERRORS_ANYWHERE:
        return [f"status {status} is not documented"]
    schema = replies.get(str(status), {"$ref": "#/$defs/basic-error"})
    if schema is None:
        return ["a body where none is described"] if body else []
    try:
        return faults_of(schema, json.loads(body))
    except ValueError:
        return ["the body is not JSON"]


def check_webhook(event: str, payload: dict[str, Any]) -> list[str]:
    """What is wrong with the payload of a delivery."""
    name = f"{event}-{payload['action']}".replace("_", "-")
    return faults_of(DESCRIPTION["webhooks"][name], payload)


@web.middleware
async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Innermost, so that replies which a fault replaced are not taken for the simulator's."""
    if not request.path.startswith(PREFIX + "/"):
        return await handler(request)
    path = request.path.removeprefix(PREFIX)
    found = check_request(request.method, path, dict(request.query), await request.read())
    try:
        reply = await handler(request)
    except web.HTTPException as e:
        reply = e
    body = reply.body if isinstance(reply, web.Response) and isinstance(reply.body, bytes) else b""
    found += check_reply(request.method, path, reply.status, body)
    for fault in found:
        request.app[VIOLATIONS].append(f"{request.method} {path} ({reply.status}): {fault}")
    return reply


async def list_violations(request: web.Request) -> web.Response:
    return web.json_response(request.app[VIOLATIONS])


def check(app: web.Application) -> web.Application:
    """The same simulator, with every REST request and reply checked; GET /_sim/violations tells."""
    app[VIOLATIONS] = []
    app.middlewares.append(checked)
    app.router.add_get("/_sim/violations", list_violations)
    return app
