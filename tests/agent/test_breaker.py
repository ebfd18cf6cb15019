"""When a refused account is asked for again."""

import pytest

from app.agent.breaker import SECONDS, AccountRefused, Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_a_minute_one_may_try_and_an_answer_lets_all_through() -> None:
    """FL-A08"""
    clock = Clock()
    breaker = Breaker(clock)
    breaker.check()
    breaker.refused(AccountRefused("no credit"))
    clock.now = SECONDS - 1
    with pytest.raises(AccountRefused, match="no credit"):
        breaker.check()
    clock.now = SECONDS
    breaker.check()
    with pytest.raises(AccountRefused):  # another run, while that one waits for its answer
        breaker.check()
    breaker.accepted()
    breaker.check()


def test_a_try_that_never_came_back_costs_another_minute_and_no_more() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    breaker.refused(AccountRefused("the key"))
    clock.now = SECONDS
    breaker.check()
    clock.now = 2 * SECONDS
    breaker.check()
