"""How fast an installation may write, on a clock of the test's."""

import asyncio

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


def lane(clock: Clock) -> Lane:
    return Pace(clock, clock.sleep).lane(1)


async def test_sixty_at_once_and_then_one_by_one() -> None:
    clock = Clock()
    ours = lane(clock)
    for _ in range(60):
        await ours.wait()
    assert clock.now == 1000
    await ours.wait()
    assert clock.now == 1060


async def test_beyond_an_hours_share_it_says_when_instead_of_waiting() -> None:
    clock = Clock()
    ours = lane(clock)
    for _ in range(400):
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


async def test_silence_holds_and_passes() -> None:
    clock = Clock()
    ours = lane(clock)
    ours.silence(30)
    ours.silence(10)
    assert ours.silent() == 30
    assert not ours.try_take()
    await ours.wait()
    assert clock.now == 1030
    assert ours.silent() == 0


def test_installations_do_not_wait_for_each_other() -> None:
    pace = Pace(Clock())
    pace.lane(1).silence(60)
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
