"""`python -m tests.chaos --kills N --seed S --database sqlite|postgresql`: kill a server N times, and print the table."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.kills import chaos, seed_of
from tests.chaos.tally import Tally, table
from tests.e2e.lab import Lab, simulator
from tests.runs.postgres import started


@contextmanager
def database(kind: str, home: Path) -> Iterator[str]:
    """Its address; "" for a file in the server's folder."""
    if kind == "sqlite":
        yield ""
        return
    server = started(home / "postgres")
    server.psql("create database chaos")
    try:
        yield str(server.get_uri(database="chaos"))
    finally:
        server.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="chaos-"))
    tally = Tally(given.database, seed_of(given.seed))
    try:
        with database(given.database, home) as url, simulator(home) as simulated:
            chaos(Lab(simulated, home), tally, url, given.kills)
    except KeyboardInterrupt:
        tally.problems.append("cut short")
    print(table([tally]))
    print(*tally.problems, f"All of it is in {home}.", sep="\n")
    sys.exit(bool(tally.problems))


if __name__ == "__main__":
    main()
