"""How fast an installation may write, on a clock of the test's."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Transient
from app.github.pace import Lane, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def lane(clock: Clock, servers: int = 1) -> Lane:
    return Pace(clock, clock.sleep, lambda: servers).lane(1)


@pytest.mark.parametrize(("servers", "at_once"), [(1, 57), (2, 28), (3, 19), (100, 1)])
async def test_so_many_at_once_and_then_one_by_one(servers: int, at_once: int) -> None:
    """RT-D05: servers divide what one alone may."""
    clock = Clock()
    ours = lane(clock, servers)
    for _ in range(at_once):
        await ours.wait()
    assert clock.now == 1000
    await ours.wait()
    assert clock.now == 1060


async def test_beyond_an_hours_share_it_says_when_instead_of_waiting() -> None:
    clock = Clock()
    ours = lane(clock)
    for _ in range(380):
        await ours.wait()
    with pytest.raises(Transient) as busy:
        await ours.wait()
    assert busy.value.retry_after == pytest.approx(1000 + 3600 - clock.now)


async def test_what_can_be_left_out_leaves_room_for_what_must_land() -> None:
    clock = Clock()
    ours = lane(clock)
    assert sum(ours.try_take() for _ in range(100)) == 48
    await ours.wait()
    assert clock.now == 1000


async def test_what_says_why_nothing_lands_has_the_last_turns() -> None:
    ours = lane(Clock())
    for _ in range(57):
        await ours.wait()
    assert [ours.try_take(), *(ours.try_take(says_why=True) for _ in range(4))] == [False, True, True, True, False]


NO_TIME = None


@pytest.mark.parametrize(
    ("said", "silent"),
    [
        ([NO_TIME], [60]),
        ([NO_TIME] * 6, [60, 120, 240, 480, 900, 900]),
        ([NO_TIME, NO_TIME, "written", NO_TIME], [60, 120, 60]),
        ([NO_TIME, 17.0, NO_TIME], [60, 17, 120]),
        ([17.0, NO_TIME], [17, 60]),
    ],
)
async def test_a_limit_without_a_time_doubles_until_a_write_is_taken(said: list[Any], silent: list[float]) -> None:
    """FL-G04"""
    clock = Clock()
    ours, found = lane(clock), []
    for one in said:
        if one == "written":
            ours.written()
            continue
        found.append(ours.limited(one))
        assert ours.silent() == found[-1]
        ours.written()  # it was on its way when the limit came, as was what is refused now
        if one is NO_TIME:
            assert ours.limited(NO_TIME) == found[-1]
        clock.now += ours.silent()
    assert found == silent


async def test_silence_holds_and_passes() -> None:
    clock = Clock()
    ours = lane(clock)
    assert ours.limited(30) == 30
    ours.limited(10)
    assert ours.silent() == 30
    assert not ours.try_take()
    await ours.wait()
    assert clock.now == 1030
    assert ours.silent() == 0


def test_installations_do_not_wait_for_each_other() -> None:
    pace = Pace(Clock())
    pace.lane(1).limited(60)
    assert pace.lane(2).try_take()
    assert pace.lane(1) is pace.lane(1)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 30)), max_size=500))
def test_no_minute_ever_sees_more_than_sixty_and_no_hour_more_than_400(steps: list[tuple[bool, float]]) -> None:
    """RT-D05"""

    async def play() -> list[float]:
        clock = Clock()
        ours, sent = lane(clock), []
        for must, pause in steps:
            clock.now += pause
            try:
                if must:
                    await ours.wait()
                elif not ours.try_take():
                    continue
            except Transient:
                continue
            sent.append(clock.now)
        return sent

    sent = asyncio.run(play())
    for seconds, most in ((60, 60), (3600, 400)):
        assert all(later - first >= seconds for first, later in zip(sent, sent[most:], strict=False))
