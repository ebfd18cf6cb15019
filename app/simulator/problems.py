"""GitHub's error replies."""

import json
from typing import Any

from aiohttp import web

DOCS = "https://docs.github.com/rest"


class Problem(web.HTTPException):
    """A reply with GitHub's error body; raised wherever a request turns out to be wrong."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[dict[str, Any]] | None = None,
        *,
        headers: dict[str, str] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.status_code = status
        self.message = message
        body = {"message": message, "documentation_url": DOCS, "status": str(status), **(extra or {})}
        if errors is not None:
            body["errors"] = errors
        super().__init__(text=json.dumps(body), content_type="application/json", headers=headers)


def not_found() -> Problem:
    return Problem(404, "Not Found")


def invalid(resource: str, field: str, code: str, message: str | None = None) -> Problem:
    """422 about one field of what was sent."""
    error = {"resource": resource, "field": field, "code": code}
    return Problem(422, "Validation Failed", [error | ({"message": message} if message else {})])


def custom(resource: str, message: str) -> Problem:
    """422 in words."""
    return Problem(422, "Validation Failed", [{"resource": resource, "code": "custom", "message": message}])
