"""The trace of a run, as it gets to a receiver of OTLP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.e2e.lab import FIX, Lab, Repo, bash, until

WORD = "marigold"
"""Stands in what was said and done."""


@dataclass
class Receiver:
    """Takes traces over HTTP as a collector does. The first one waits until `go`, and is refused with `refusal`."""

    refusal: int = 400
    url: str = ""
    go: threading.Event = field(default_factory=threading.Event)
    refused: list[str] = field(default_factory=list)
    taken: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    """Path, key and body of each request."""

    def take(self, path: str, key: str | None, body: bytes) -> int:
        if not self.refused:
            self.refused.append(path)
            self.go.wait(60)
            return self.refusal
        self.taken.append((path, key, body))
        return 200


@contextmanager
def receiver(refusal: int = 400) -> Iterator[Receiver]:
    found = Receiver(refusal)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with suppress(BrokenPipeError):  # the sender waits no longer
                self.send_response(found.take(self.path, self.headers["x-api-key"], body))
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield found
        finally:
            found.go.set()
            server.shutdown()


KEY = "lsv2_pt_canary0000canary0000canary"
"""A key of the receiver's."""


@dataclass(frozen=True)
class Traced:
    """Runs on a server whose traces say little, and on one that was told to say more."""

    lost: Repo
    terse: Repo
    full: Repo
    received: Receiver

    def sent(self, repo: Repo) -> tuple[str, str | None, bytes]:
        (found,) = (one for one in self.received.taken if repo.full_name.encode() in one[2])
        return found


@pytest.fixture(scope="module")
def traced(lab: Lab) -> Iterator[Traced]:
    more = {
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={KEY},Langsmith-Project=backspace",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
    }
    with receiver() as received:
        little = lab.server("terse", OTEL_EXPORTER_OTLP_ENDPOINT=received.url)
        much = lab.server("full", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{received.url}/otel/v1/traces", **more)
        runs = Traced(lab.repository(little), lab.repository(little), lab.repository(much), received)
        try:
            _go(runs)
            yield runs
        finally:
            little.stop()
            much.stop()


def _go(runs: Traced) -> None:
    runs.lost.finished(runs.lost.ask({"tools": [FIX]}, {"text": "Greet with a comma"}))
    until(lambda: runs.received.refused)
    work = {"text": f"A {WORD}.", "tools": [FIX, bash(f"echo {WORD}")]}
    echo = bash(f"echo {runs.full.server.settings['ANTHROPIC_API_KEY']} {KEY} {WORD}")
    terse = runs.terse.ask(work, {"text": "Greet with a comma"}, body=f"/backspace {WORD}")
    full = runs.full.ask({"tools": [echo]}, {"text": "Nothing to do."})
    runs.terse.finished(terse)
    runs.full.finished(full)
    runs.received.go.set()
    until(lambda: len(runs.received.taken) == 2)


def test_a_receiver_that_does_not_answer_costs_no_more_than_the_trace(traced: Traced) -> None:
    """FL-O11: what went on meanwhile became a pull request too, and one line says what is missing."""
    assert len(traced.lost.pulls()) == len(traced.terse.pulls()) == 1
    lines = [json.loads(line) for line in traced.lost.server.log.splitlines() if "trace did not arrive" in line]
    assert [line["task"].split("-")[1] for line in lines] == [str(traced.lost.id)]


def test_a_run_arrives_as_one_tree_without_content(traced: Traced) -> None:
    path, _, body = traced.sent(traced.terse)
    assert path == "/v1/traces"
    assert WORD.encode() not in body
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    found = list(resource.scope_spans[0].spans)
    assert len({span.trace_id for span in found}) == 1
    by_id = {span.span_id: span for span in found}
    assert len(by_id) == len(found)
    assert [span.name for span in found if not span.parent_span_id] == ["invoke_agent backspace"]
    names = [(by_id[span.parent_span_id].name, span.name) for span in found if span.parent_span_id]
    stages = ["prepare", "work", "verify", "publish"]
    assert [name for parent, name in names if parent == "invoke_agent backspace"] == stages
    chat = ("work", "chat claude-sonnet-5-5")
    did = [("work", "execute_tool edit"), ("work", "execute_tool bash")]
    assert [pair for pair in names if " " in pair[1] and pair[0] in stages] == [chat, *did, chat]
    assert all(0 < span.start_time_unix_nano <= span.end_time_unix_nano for span in found)


def test_what_was_said_and_done_arrives_where_it_is_wanted_without_any_secret(traced: Traced) -> None:
    path, key, body = traced.sent(traced.full)
    assert (path, key) == ("/otel/v1/traces", KEY)
    assert f"echo [redacted] [redacted] {WORD}".encode() in body
    assert b"canary" not in body
    assert KEY not in traced.full.server.log
