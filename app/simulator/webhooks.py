"""Signed deliveries for what happens, as GitHub makes them: ten seconds to answer, no second try by itself, every attempt logged."""

import asyncio
import hashlib
import hmac
import json
import logging
import time
import uuid
from dataclasses import replace
from typing import Any, NamedTuple

import aiohttp

from app.simulator import views
from app.simulator.state import Account, App, Attempt, Comment, Delivery, Issue, Label, Repository, World

log = logging.getLogger(__name__)

SECONDS_TO_ANSWER = 10


class Sending(NamedTuple):
    """An attempt under way."""

    delivery: Delivery
    attempt: asyncio.Task[Attempt]


class Webhooks:
    """Makes deliveries in the background and remembers them in the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=SECONDS_TO_ANSWER), connector=aiohttp.TCPConnector(limit=0)
        )
        self.running: set[asyncio.Task[Attempt]] = set()

    async def close(self) -> None:
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        await self.session.close()

    def comment(
        self, action: str, repository: Repository, comment: Comment, sender: Account, before: str | None = None
    ) -> list[Sending]:
        """A comment was created, edited (it said `before`) or deleted. Returns the attempts under way."""
        issue = repository.issues[comment.number]
        more: dict[str, Any] = {"comment": views.comment(self.world, repository, comment)}
        if before is not None:
            more["changes"] = {"body": {"from": before}}
        return self._emit("issue_comment", action, repository, issue, sender, more)

    def issue(
        self, action: str, repository: Repository, issue: Issue, sender: Account, label: Label | None = None
    ) -> list[Sending]:
        """An issue was opened, closed, reopened or labeled. Returns the attempts under way."""
        more = {"label": views.label(self.world, repository, label)} if label else {}
        return self._emit("issues", action, repository, issue, sender, more)

    def _emit(
        self, event: str, action: str, repository: Repository, issue: Issue, sender: Account, more: dict[str, Any]
    ) -> list[Sending]:
        sendings = []
        for installation in self.world.installations_on(repository):
            app = installation.app
            if event not in app.events or installation.suspended_at:
                continue
            payload = {
                "action": action,
                "issue": views.issue(self.world, repository, issue),
                **more,
                "repository": views.repository(self.world, repository),
                "sender": views.user(self.world, sender),
                "installation": {"id": installation.id, "node_id": views.node("GHI", installation.id)},
            }
            delivery = Delivery(
                str(uuid.uuid4()), app, event, action, installation.id, repository.id, json.dumps(payload).encode()
            )
            self.world.deliveries[delivery.guid] = delivery
            sendings.append(self.deliver(delivery, redelivery=False))
        return sendings

    def copy(self, delivery: Delivery) -> Delivery:
        """The same payload as a delivery of its own."""
        fresh = replace(delivery, guid=str(uuid.uuid4()), attempts=[])
        self.world.deliveries[fresh.guid] = fresh
        return fresh

    def deliver(self, delivery: Delivery, *, redelivery: bool) -> Sending:
        """Start one attempt."""
        task = asyncio.create_task(self._attempt(delivery, redelivery))
        self.running.add(task)
        task.add_done_callback(self.running.discard)
        return Sending(delivery, task)

    async def _attempt(self, delivery: Delivery, redelivery: bool) -> Attempt:
        began = time.monotonic()
        attempt = Attempt(self.world.new_id(), self.world.now(), redelivery, status=0, ms=0)
        try:
            async with self.session.post(
                delivery.app.webhook_url, data=delivery.payload, headers=headers_of(delivery), allow_redirects=False
            ) as reply:
                attempt.status, attempt.reply = reply.status, (await reply.text(errors="replace"))[:10_000]
                attempt.reply_headers = dict(reply.headers)
        except (aiohttp.ClientError, TimeoutError, ValueError) as e:
            attempt.error = "timed out" if isinstance(e, TimeoutError) else str(e) or type(e).__name__
        attempt.ms = round((time.monotonic() - began) * 1000)
        delivery.attempts.append(attempt)
        log.info("%s.%s %s: %s in %s ms", delivery.event, delivery.action, delivery.guid, attempt.status, attempt.ms)
        return attempt


def headers_of(delivery: Delivery) -> dict[str, str]:
    app: App = delivery.app

    def signature(kind: Any) -> str:
        return hmac.new(app.webhook_secret.encode(), delivery.payload, kind).hexdigest()

    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/5a1c0de",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature": f"sha1={signature(hashlib.sha1)}",
        "X-Hub-Signature-256": f"sha256={signature(hashlib.sha256)}",
    }
