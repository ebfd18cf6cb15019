"""First on a server's PYTHONPATH: from SIGUSR1 on, a call that blocks the event loop raises, and a beat in the loop says when it was late.

The start itself may block.
"""

import asyncio
import signal
import sys
import time

from blockbuster import BlockBuster, BlockingError

WAITS = ("time", "socket", "ssl", "sqlite3")
"""Modules whose calls may take long; a look at a local file does not."""
LONGEST = 0.1
"""Seconds for which the loop may be kept from its work."""
PAUSE = 0.01
_beating: set[asyncio.Task[None]] = set()


def watch(*_: object) -> None:
    _beating.add(asyncio.get_running_loop().create_task(beat()))
    for name, function in BlockBuster().functions.items():
        if name.split(".")[0] in WAITS:
            function.activate()
    try:
        time.sleep(0)  # a signal's handler runs in the loop
    except BlockingError:
        print("the event loop is watched", file=sys.stderr, flush=True)


async def beat() -> None:
    """Of the time that it woke late only what this process worked meanwhile counts: another one's work must not.

    That is the loop's own thread, or one that kept the interpreter's lock from it.
    """
    longest = 0.0
    while True:
        began, worked = time.monotonic(), time.process_time()
        await asyncio.sleep(PAUSE)
        late = min(time.monotonic() - began - PAUSE, time.process_time() - worked)
        if late > longest:
            longest = late
            said = "the event loop was blocked" if late > LONGEST else "the longest so far"
            print(f"{said}: {late * 1000:.0f} ms", file=sys.stderr, flush=True)


signal.signal(signal.SIGUSR1, watch)
