"""`python -m tests.e2b_cloud [--port 0] [--data DIR]`: E2B on this machine.

It prints one line of JSON when it listens, {"url": …, "key": …}: the address of control plane and sandboxes, and the one API key. Then
only what goes wrong is said, on stderr. SIGTERM and SIGINT end it, and every sandbox with it.
"""

import argparse
import asyncio
import json
import logging
import signal
import tempfile
from pathlib import Path

from aiohttp import web

from tests.e2b_cloud.keys import API_KEY
from tests.e2b_cloud.server import make_app

HOST = "127.0.0.1"
SECONDS_TO_END = 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.e2b_cloud", description="E2B on this machine.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--data", type=Path, help="folder for the sandboxes; a temporary one without it")
    return parser.parse_args()


async def serve(folder: Path, port: int) -> None:
    """Listen, say where, and serve until a signal ends it."""
    runner = web.AppRunner(
        make_app(folder), access_log=None, shutdown_timeout=SECONDS_TO_END, handler_cancellation=True
    )
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    print(json.dumps({"url": f"http://{HOST}:{runner.addresses[0][1]}", "key": API_KEY}), flush=True)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    await runner.cleanup()


def main() -> None:
    asked = arguments()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    with tempfile.TemporaryDirectory(prefix="backspace-e2b-") as folder:
        asyncio.run(serve((asked.data or Path(folder)).resolve(), asked.port))


if __name__ == "__main__":
    main()
