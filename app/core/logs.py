"""Structured logs: one JSON object a line on standard error, secrets out."""

import contextlib
import json
import logging
import queue
import sys
import threading
from datetime import UTC, datetime

from app.core.clean import CHARACTER
from app.core.redact import Redactor

log = logging.getLogger(__name__)
FIELDS = ("task", "delivery")
"""What a record may carry as `extra` to be found by."""
WAITING = 2_000
"""Lines that wait for a slow reader of the log; more are dropped, and counted."""
LAST_WORDS = 2.0
"""Seconds that the process waits at its end for them to be written."""


class _Lines(logging.Formatter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redact = redactor

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **{name: getattr(record, name) for name in FIELDS if hasattr(record, name)},
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        text = json.dumps(self._redact.value(line), ensure_ascii=False)
        return CHARACTER.sub(lambda found: json.dumps(found[0])[1:-1], text)  # a terminal acts on some of them


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a wrong number of arguments; logging itself would print them past the redactor
        return f"{record.msg} {record.args!r}"


class _Behind(logging.Handler):
    """Writes in a thread of its own: who reads the log may be slow or stand still, and nobody here waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: queue.Queue[str] = queue.Queue(WAITING)
        self._dropped = 0
        threading.Thread(target=self._write_for_ever, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, LAST_WORDS)

    def _write_for_ever(self) -> None:
        told = 0
        while True:
            self._write(self._lines.get())
            if self._lines.empty() and (dropped := self._dropped - told):
                told += dropped
                said = "%d lines of the log were dropped: they are read too slowly"
                self._write(self.format(log.makeRecord(log.name, logging.WARNING, "", 0, said, (dropped,), None)))
            self._lines.task_done()

    def _write(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            print(line, file=sys.stderr, flush=True)


def set_up(level: str, redactor: Redactor) -> None:
    """Send every log record of the process there, once."""
    handler = _Behind()
    handler.setFormatter(_Lines(redactor))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "httpx2", "httpcore2", "anthropic", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
