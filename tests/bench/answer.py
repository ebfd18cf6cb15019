"""`python -m tests.bench.answer [N]`: milliseconds from a webhook's arrival to the posted status comment, one request after the other."""

import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.e2e.lab import Lab, simulator, until


def main(times: int) -> None:
    with tempfile.TemporaryDirectory() as folder, simulator(Path(folder)) as url:
        lab = Lab(url, Path(folder))
        server = lab.server()
        took = []
        for _ in range(times):
            repo = lab.repository(server)
            issue = repo.ask({"text": "Nothing to do."})
            until(partial(repo.ours, issue))
            asked, answered = repo.issue_state(issue)["comments"]
            took.append((answered["bodies"][0]["at"] - asked["bodies"][0]["at"]) * 1000)
            repo.finished(issue)
        server.stop()
        lab.http.close()
    print(f"{times} requests: median {statistics.median(took):.0f} ms, slowest {max(took):.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 20)
