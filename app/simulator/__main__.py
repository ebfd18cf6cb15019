"""`python -m app.simulator [--port 0] [--data DIR]`: a GitHub and a model on this machine.

It prints one line of JSON when it listens, {"url": …}; then only what goes wrong is said, on stderr. SIGTERM and SIGINT end it.
"""

import argparse
import asyncio
import json
import logging
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from app.simulator.keys import WORLD
from app.simulator.server import make_app

HOST = "127.0.0.1"
SECONDS_TO_END = 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m app.simulator", description="A GitHub and a model on this machine."
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--data", type=Path, help="folder for the bare repositories; a temporary one without it")
    return parser.parse_args()


async def serve(app: web.Application, port: int) -> None:
    """Listen, say where, and serve until a signal ends it."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SECONDS_TO_END)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    app[WORLD].url = f"http://{HOST}:{runner.addresses[0][1]}"
    print(json.dumps({"url": app[WORLD].url}), flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await runner.cleanup()


def main(around: Callable[[web.Application], web.Application] = lambda app: app) -> None:
    """`around` may put something between the network and the application, as the tests do."""
    asked = arguments()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    with tempfile.TemporaryDirectory(prefix="backspace-simulator-") as folder:
        app = make_app((asked.data or Path(folder)).resolve())
        asyncio.run(serve(around(app), asked.port))


if __name__ == "__main__":
    main()
