"""`python -m tests.replay.record`: run every scene on the simulator, and keep its step logs for this version in `tests/data/steps`.

To be run for a release, once: the folders of earlier versions stay as they are.
"""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.e2e.lab import Lab, Repo, simulator
from tests.replay import logs
from tests.replay.logs import FOLDER, Json, Log
from tests.replay.scenes import SCENES, lost, over


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch, simulator(home := Path(scratch)) as url:
        lab = Lab(url, home)
        server = lab.server("recorded")
        for scene in SCENES:
            scene(repo := lab.repository(server))
            keep(scene.__name__, repo)
        server.stop()
        with lost(lab, home / "e2b") as repo:
            keep("lost", repo)
        lab.http.close()


def keep(name: str, repo: Repo) -> None:
    over(repo.server)
    recorded = logs.read(repo.server.home / "backspace.db", repo.full_name, f"-{repo.id}-")
    found = [plain(log, repo) for log in recorded]
    logs.write(FOLDER / version("backspace-agent") / f"{name}.json", found)
    print(f"{name}: {', '.join(f'{log.workflow} {len(log.steps)}' for log in found)}", flush=True)


def plain(log: Log, repo: Repo) -> Log:
    """With GitHub's addresses in place of the simulator's. Fails where a secret or a path of this machine is in it."""
    text = json.dumps(vars(log)).replace(repo.lab.url, "https://github.com")
    for told in (str(repo.lab.home), *(value for name, value in repo.server.settings.items() if "KEY" in name)):
        assert told not in text, f"{log.id} holds {told[:30]}"
    made: Json = json.loads(text)
    return Log(**made)


if __name__ == "__main__":
    main()
