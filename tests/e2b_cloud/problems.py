"""Errors as E2B words them."""

import json
from typing import Any

from aiohttp import web

STATUS = {
    "canceled": 499, "unknown": 500, "invalid_argument": 400, "deadline_exceeded": 504, "not_found": 404, "already_exists": 409,
    "permission_denied": 403, "resource_exhausted": 429, "failed_precondition": 400, "unimplemented": 501, "internal": 500,
    "unavailable": 503, "unauthenticated": 401,
}  # fmt: skip
"""HTTP status of each code of the Connect protocol."""


class Problem(Exception):
    """An answer of the control plane, of the proxy in front of the sandboxes, or of envd's file routes."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": status, "message": message, **more}

    def reply(self) -> web.Response:
        return web.json_response(self.body, status=self.status)


def no_sandbox(sandbox_id: str) -> Problem:
    """Of the control plane."""
    return Problem(404, f"Sandbox {json.dumps(sandbox_id)} doesn't exist or you don't have access to it")


def not_running(sandbox_id: str) -> Problem:
    """Of the proxy: there is none, or it is paused."""
    return Problem(502, "The sandbox was not found", sandboxId=sandbox_id)
