"""Who is taken, and who goes next, where many ask."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.trigger.load import PER_ACTOR, PER_INSTALLATION, PER_THREAD, Full, Load, full, goes_next

ALICE, BOB = 1, 2


def task(n: int, thread: str = "", actor: int = ALICE, installation: int = 7) -> Load:
    return Load(f"c-{n}", thread or f"1#{n}", actor, installation)


STORM = [task(n, "1#1") for n in range(PER_THREAD)]
SCRIPT = [task(n) for n in range(PER_ACTOR)]
CROWD = [task(n, actor=n) for n in range(10, 10 + PER_INSTALLATION)]


@pytest.mark.parametrize(
    ("asked", "load", "expected"),
    [
        (task(9, "1#1"), [], None),
        (task(9, "1#1"), STORM[1:], None),
        (task(9, "1#1"), STORM, Full("thread", "c-1")),
        (task(9, "1#1", BOB), STORM, Full("thread", "c-1")),
        (task(9, "1#2"), STORM, None),
        (STORM[0], STORM, None),
        (task(99), SCRIPT, Full("actor", f"c-{PER_ACTOR - 1}")),
        (task(99, installation=8), SCRIPT, Full("actor", f"c-{PER_ACTOR - 1}")),
        (task(99, actor=BOB), SCRIPT, None),
        (task(999), CROWD, Full("installation", CROWD[-1].key)),
        (task(999, installation=8), CROWD, None),
    ],
)
def test_what_is_full_takes_no_more(asked: Load, load: list[Load], expected: Full | None) -> None:
    """RT-D01, RT-D06: one active and one more in a thread; so many of a person, and of an installation; what is taken stays so."""
    assert full(asked, load) == expected


def begun_of(waiting: list[Load], begun: list[Load], slots: int, *, shared: bool) -> list[str]:
    return [one.key for one in waiting if goes_next(one, waiting, begun, slots, shared=shared)]


FLOOD = [task(n) for n in range(20)]
OTHER = task(50, actor=BOB, installation=8)


@pytest.mark.parametrize(
    ("waiting", "begun", "slots", "shared", "expected"),
    [
        (FLOOD, [], 4, False, ["c-0", "c-1", "c-2", "c-3"]),
        (FLOOD, [], 4, True, ["c-0", "c-1", "c-2"]),
        ([*FLOOD[3:], OTHER], FLOOD[:3], 4, True, ["c-50"]),
        ([*FLOOD[4:], OTHER], FLOOD[:4], 4, True, []),
        ([*FLOOD[3:], OTHER], FLOOD[:2], 4, True, ["c-3", "c-50"]),
        ([*FLOOD[2:], OTHER], [*FLOOD[:2], task(60, installation=9)], 4, True, ["c-50"]),
        (FLOOD, [], 1, True, ["c-0"]),
        ([*FLOOD, OTHER], [task(70)], 2, True, ["c-50"]),
        (STORM, [], 4, False, ["c-0"]),
        (STORM[1:], STORM[:1], 4, False, []),
    ],
)
def test_a_flood_leaves_a_slot_to_others(
    waiting: list[Load], begun: list[Load], slots: int, shared: bool, expected: list[str]
) -> None:
    """RT-D04: whoever has least gets the next slot, the oldest first, one of a thread; alone an installation has all of them."""
    assert begun_of(waiting, begun, slots, shared=shared) == expected


loads = st.lists(
    st.builds(Load, st.uuids().map(str), st.sampled_from("abcdef"), st.just(1), st.integers(1, 3)),
    unique_by=lambda t: t.key,
)


@given(waiting=loads, slots=st.integers(1, 5), shared=st.booleans())
def test_however_many_wait_no_slot_is_given_twice_or_left_idle(waiting: list[Load], slots: int, shared: bool) -> None:
    begun = [one for one in waiting if goes_next(one, waiting, [], slots, shared=shared)]
    assert len(begun) <= slots
    assert len({one.thread for one in begun}) == len(begun)
    most = max(1, slots - 1) if shared else slots
    taken = Counter(one.installation for one in begun)
    assert all(n <= most for n in taken.values())
    if len(begun) < slots:
        threads = {one.thread for one in begun}
        assert all(one.thread in threads or taken[one.installation] >= most for one in waiting)
