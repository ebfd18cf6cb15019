"""First on a server's PYTHONPATH: from SIGUSR1 on, a call that blocks the event loop raises. The start itself may block."""

import signal
import sys
import time

from blockbuster import BlockBuster, BlockingError

WAITS = ("time", "socket", "ssl", "sqlite3")
"""Modules whose calls may take long; a look at a local file does not."""


def watch(*_: object) -> None:
    for name, function in BlockBuster().functions.items():
        if name.split(".")[0] in WAITS:
            function.activate()
    try:
        time.sleep(0)  # a signal's handler runs in the loop
    except BlockingError:
        print("the event loop is watched", file=sys.stderr, flush=True)


signal.signal(signal.SIGUSR1, watch)
