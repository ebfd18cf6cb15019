"""The log as a machine reads it: one JSON object a line, found by task and delivery, without a secret."""

import json
import select
import subprocess
import sys

import pytest

from tests.command import PASSED_ON, ROOT

SECRET = "canary-of-the-log-1234"
PROGRAM = f"""
import logging
from app.core import logs
from app.core.redact import Redactor

logs.set_up("INFO", Redactor(["{SECRET}"]))
log = logging.getLogger("app.test")
log.info("first\\nsecond {SECRET} é\\x9b\\u202e", extra={{"task": "c-1-2", "delivery": "d-1"}})
log.debug("not shown")
logging.getLogger("httpx").info("not shown")
logging.getLogger("other").warning("%s of %d", {{"key": "{SECRET}"}}, 3)
try:
    raise ValueError("wrong: {SECRET}")
except ValueError:
    log.exception("a bug")
log.warning("%d things", "no number")
"""


@pytest.fixture(scope="module")
def written() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=PASSED_ON | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def lines(written: subprocess.CompletedProcess[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in written.stderr.splitlines()]


def test_a_terminal_that_shows_the_log_acts_on_nothing_in_it(written: subprocess.CompletedProcess[str]) -> None:
    """RT-P06: such characters are escaped, so that a machine still reads them."""
    assert "é\\u009b\\u202e" in written.stderr


def test_each_record_is_one_json_object_on_one_line(lines: list[dict[str, str]]) -> None:
    assert [line["level"] for line in lines] == ["INFO", "WARNING", "ERROR", "WARNING"]
    assert lines[0]["message"] == "first\nsecond [redacted] é\x9b\u202e"
    assert lines[0]["logger"] == "app.test"
    assert lines[0]["at"].endswith("+00:00")


def test_task_and_delivery_are_fields(lines: list[dict[str, str]]) -> None:
    assert (lines[0]["task"], lines[0]["delivery"]) == ("c-1-2", "d-1")
    assert "task" not in lines[1]


def test_no_secret_in_message_or_exception(
    written: subprocess.CompletedProcess[str], lines: list[dict[str, str]]
) -> None:
    assert SECRET not in written.stderr
    assert lines[1]["message"] == "{'key': '[redacted]'} of 3"
    assert "ValueError: wrong: [redacted]" in lines[2]["exception"]


def test_a_record_that_can_not_be_formatted_is_still_a_line(lines: list[dict[str, str]]) -> None:
    assert "%d things" in lines[3]["message"]


UNREAD = """
import logging
from app.core import logs
from app.core.redact import Redactor

logs.set_up("INFO", Redactor([]))
for n in range(3000):
    logging.getLogger("app.test").info("%d %s", n, "x" * 100)
print("done", flush=True)
input()
"""


def test_nobody_waits_for_a_reader_of_the_log_that_stands_still() -> None:
    """FL-O11: what there is no room for is counted, and the rest comes when it reads on."""
    process = subprocess.Popen(
        [sys.executable, "-c", UNREAD], env=PASSED_ON | {"PYTHONPATH": str(ROOT)}, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    done, _, _ = select.select([process.stdout], [], [], 60)
    _, said = process.communicate("\n", timeout=60)
    assert done
    told = [json.loads(line)["message"] for line in said.splitlines()]
    (dropped,) = (line for line in told if "were dropped" in line)
    assert told[:2000] == [f"{n} {'x' * 100}" for n in range(2000)]
    assert len(told) - 1 + int(dropped.split()[0]) == 3000
