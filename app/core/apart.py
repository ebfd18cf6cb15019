"""Work that would keep the interpreter's lock, and with it the event loop, for long: in a process of its own.

A thread is enough for work of many small pieces. One search of a regular expression in megabytes, or one parse of them, is a single piece.
"""

import asyncio
import os
import pickle
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_DO = """
import pickle, sys
try:
    work, args, kwargs = pickle.load(sys.stdin.buffer)
    done = work(*args, **kwargs), None
except Exception as error:
    done = None, error
pickle.dump(done, sys.stdout.buffer)
"""


async def apart(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns or raises; all of it must be known to pickle. A process costs some tenths of a second.

    Raises RuntimeError where the process did not end well. One that nobody waits for any more is killed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-c", _DO, env={"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, why = await process.communicate(pickle.dumps((work, args, kwargs)))
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        raise RuntimeError(
            f"{work.__qualname__} ended with {process.returncode}: {why.decode(errors='replace')[-500:]}"
        )
    done, error = pickle.loads(said)
    if error is not None:
        raise error
    return done  # type: ignore[no-any-return]
