"""Structured logs: one JSON object a line on standard error, secrets out."""

import json
import logging
import sys
from datetime import UTC, datetime

from app.core.clean import CHARACTER
from app.core.redact import Redactor

FIELDS = ("task", "delivery")
"""What a record may carry as `extra` to be found by."""


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


def set_up(level: str, redactor: Redactor) -> None:
    """Send every log record of the process there, once."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(redactor))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "httpx2", "httpcore2", "anthropic", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
