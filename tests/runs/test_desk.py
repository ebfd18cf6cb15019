"""The keys of tasks that are asked for directly. What the desk does is in tests/e2e/test_code.py, on whole servers."""

import re

from hypothesis import given
from hypothesis import strategies as st

from app.core.task import Asked
from app.runs.desk import task_key, ulid

TIMES = st.floats(0, 2**38 / 1000)
NOISE = st.integers(0, 2**80 - 1)


def asked(caller: str = "ci", key: str = "") -> Asked:
    return Asked(repo="o/r", prompt="Do it.", caller=caller, idempotency_key=key)


def test_without_an_idempotency_key_each_is_a_task_of_its_own() -> None:
    keys = {task_key(asked()) for _ in range(100)}
    assert len(keys) == 100
    assert all(re.fullmatch("t-[0-9a-z]{26}", key) for key in keys)


@given(st.text(max_size=20), st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_an_idempotency_key_is_of_its_caller(caller: str, key: str, other: str, another: str) -> None:
    one, two = task_key(asked(caller, key)), task_key(asked(other, another))
    assert re.fullmatch("k-[0-9a-f]{32}", one)
    assert (one == two) == ((caller, key) == (other, another))


@given(TIMES, NOISE, TIMES, NOISE)
def test_later_tasks_have_later_keys(at: float, noise: int, later: float, other: int) -> None:
    earlier = (int(at * 1000), noise) <= (int(later * 1000), other)
    assert earlier == (ulid(at, noise) <= ulid(later, other))
