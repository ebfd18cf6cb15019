"""Traces: each run that has ended, sent as one tree of spans to a receiver of OTLP. The only file that imports opentelemetry.

A trace is one more reading of the record, so no tracer runs along: a span that is made again after a crash is the same span, by its id.
Nothing here is in a run's way. A server that is killed right behind a run's last step has not sent its trace.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from app.core.redact import Redactor
from app.core.task import REQUEST, Request
from app.runs.engine import Engine, Json, Recorded, Workflow, WorkflowCode
from app.runs.spans import AGENT, Span, spans

log = logging.getLogger(__name__)
SECONDS = 10.0
"""That one trace may take to be sent, with the exporter's own tries."""
LOOK = 0.05
"""Seconds between two looks at whether a run has ended."""
WAITING = 1_000
"""Runs whose trace is still to be sent; that of a further one is lost."""
RESOURCE = Resource({"service.name": AGENT})
SCOPE = InstrumentationScope(AGENT)
FAILED = "_OTHER"
"""What the conventions call an error that they have no name for."""


class Traces:
    """`endpoint` is the receiver's whole address. `content`: traces carry what was said and done."""

    def __init__(
        self, *, engine: Engine, redactor: Redactor, endpoint: str, headers: Mapping[str, str], content: bool
    ) -> None:
        self._engine = engine
        self._redact = redactor
        self._content = content
        self._under_way: set[str] = set()
        self._ended: asyncio.Queue[tuple[str, Request]] = asyncio.Queue(WAITING)
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint, headers=headers, timeout=SECONDS, compression=Compression.NoCompression
        )
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # a line for each of its tries would be too many

    def of(self, code: WorkflowCode) -> WorkflowCode:
        """The same workflow of a run; behind its last step, its trace is left to be sent, which neither waits nor raises."""

        async def traced(workflow: Workflow, spec: Json) -> Json:
            self._under_way.add(workflow.id)
            try:
                output = await code(workflow, spec)
                self._leave(workflow.id, REQUEST.validate_python(spec))
                return output
            finally:
                self._under_way.discard(workflow.id)

        return traced

    def _leave(self, run: str, request: Request) -> None:
        try:
            self._ended.put_nowait((run, request))
        except asyncio.QueueFull:
            log.warning("a trace was dropped: too many wait for the receiver", extra={"task": request.key})

    async def follow(self) -> None:
        """Send traces, one at a time, for as long as the process lives.

        Not in the workflow: what reads steps there is recorded as a step of it.
        """
        while True:
            run, request = await self._ended.get()
            try:
                steps = await self._engine.steps(run)
                # Without a timeout here: it could not end the thread, and threads that hang would become many.
                sent = await asyncio.to_thread(self._send, run, request, steps)
                if not sent:
                    log.warning("a trace did not arrive; runs go on without", extra={"task": request.key})
            except Exception:
                log.exception("a trace could not be made", extra={"task": request.key})
            finally:
                self._ended.task_done()

    async def rest(self) -> None:
        """Until nothing is left to be sent, SECONDS at most: for a process that is to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS):
                while self._under_way:  # noqa: ASYNC110
                    await asyncio.sleep(LOOK)
                await self._ended.join()

    def _send(self, run: str, request: Request, steps: Sequence[Recorded]) -> bool:
        known = [replace(step, output=self._redact.value(step.output)) for step in steps]
        trace = hashlib.sha256(f"{request.url} {run}".encode()).digest()
        found = [_readable(trace, span) for span in spans(request, known, content=self._content)]
        return self._exporter.export(found) is SpanExportResult.SUCCESS


def _readable(trace: bytes, span: Span) -> ReadableSpan:
    parent = span.path.rpartition("/")[0]
    return ReadableSpan(
        name=span.name,
        context=_context(trace, span.path),
        parent=_context(trace, parent) if parent else None,
        resource=RESOURCE,
        instrumentation_scope=SCOPE,
        attributes=dict(span.attributes) if span.error is None else {**span.attributes, "error.type": FAILED},
        kind=SpanKind.CLIENT if span.name.startswith("chat ") else SpanKind.INTERNAL,
        status=Status(StatusCode.UNSET) if span.error is None else Status(StatusCode.ERROR, span.error),
        start_time=round(span.began * 1e9),
        end_time=round(max(span.began, span.ended) * 1e9),
    )


def _context(trace: bytes, path: str) -> SpanContext:
    span = hashlib.sha256(trace + path.encode()).digest()
    return SpanContext(
        int.from_bytes(trace[:16]),
        int.from_bytes(span[:8]),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
