"""Work that is asked for directly, by POST /code: under the App, and under a person's token."""

import json
import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.lab import FILES, FIX, POISON, Json, Lab, Repo, Server, bash, together, until

READ = {"name": "read", "input": {"path": "greet.py"}}
TURNS: tuple[Json, ...] = (
    {"text": "Look first.", "tools": [READ]},
    {"tools": [FIX, bash("python3 -m unittest -q 2>&1 | tail -1")]},
    {"text": "Greet with a comma\n\nThe greeting has a comma now."},
)
PROMPT = "Add the comma to the greeting."


class Client:
    """Asks one server for work in one repository."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.http = httpx.Client(base_url=repo.server.url, timeout=60)

    def body(self, **more: str) -> dict[str, str]:
        return {"repo_url": f"{self.repo.lab.url}/{self.repo.full_name}", "prompt": PROMPT, **more}

    def post(self, headers: dict[str, str] | None = None, **more: str) -> httpx.Response:
        return self.http.post("/code", json=self.body(**more), headers=headers)

    def stop(self, task: str) -> int:
        return self.http.delete(f"/code/{task}").status_code

    def run(self, *turns: Json, **body: str) -> list[Json]:
        """The events of a task, whole."""
        self.repo.script(*turns)
        return events(self.post(None, **body))

    def patch(self, done: Json) -> httpx.Response:
        return self.http.get(f"/code/{done['task']}/patch")


def events(reply: httpx.Response) -> list[Json]:
    """Those of a stream, in order; the last one with the task's key."""
    assert reply.status_code == 200, reply.text
    found = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    assert found[-1]["type"] == "Done"
    return [*found[:-1], found[-1] | {"task": reply.headers["Location"].removeprefix("/code/")}]


def applied(repo: Repo, patch: bytes, home: Path) -> str:
    """What the file is once the patch was applied to a fresh clone."""
    subprocess.run(["git", "clone", "-q", f"{repo.lab.url}/{repo.full_name}.git", str(home)], check=True)
    subprocess.run(["git", "apply", "--index", "-"], cwd=home, input=patch, check=True)
    return (home / "greet.py").read_text()


@pytest.fixture
def ask() -> Iterator[Callable[[Repo], Client]]:
    made: list[Client] = []
    yield lambda repo: made.append(Client(repo)) or made[-1]  # type: ignore[func-returns-value]
    for client in made:
        client.http.close()


@pytest.fixture
def app(repo: Repo, ask: Callable[[Repo], Client]) -> Client:
    return ask(repo)


@dataclass
class Person:
    """Somebody by whose token a server works where its App is not installed."""

    login: str
    token: str
    server: Server
    folder: Path
    """First on the server's PATH."""

    def repository(self, role: str = "", **made: Any) -> Repo:
        """Of another owner; with `role` in it the person is a member."""
        lab, name = self.server.lab, f"r{secrets.token_hex(4)}"
        given = {"owner": f"other-{name}", "name": name, "files": FILES, **made}
        reply = lab.call("POST", "/_sim/repos", **given)
        repo = Repo(lab, self.server, f"{given['owner']}/{name}", reply["id"], reply["head"])
        if role:
            repo.member(self.login, role)
        return repo


@pytest.fixture(scope="module")
def mona(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    folder, login = tmp_path_factory.mktemp("programs"), f"mona-{secrets.token_hex(3)}"
    token = lab.call("POST", "/_sim/tokens", user=login)["token"]
    server = lab.server(
        "token",
        GITHUB_TOKEN=token,
        PATH=f"{folder}:{os.environ['PATH']}",
        BACKSPACE_PUBLIC_URL="https://backspace.example",
    )
    yield Person(login, token, server, folder)
    server.stop()


def test_the_six_kinds_in_order_and_a_pull_request_by_the_app(app: Client) -> None:
    seen = app.run(*TURNS)
    kinds = list(dict.fromkeys(event["type"] for event in seen))
    six = ["Status", "AI Message", "Tool: Read", "Tool: Edit", "Tool: Bash", "PR Created"]
    assert [kind for kind in kinds if kind in six] == six
    done = seen[-1]
    (pull,) = app.repo.pulls()
    assert (done["outcome"], done["via"]) == ("ready", "api")
    assert done["pr_url"].endswith(f"/pull/{pull['number']}")
    assert pull["head"].startswith("backspace/add-the-comma-to-the-greeting-")
    assert "Asked for directly" in pull["body"]
    assert app.http.get(f"/code/{done['task']}").text.count('"Done"') == 1
    assert 'f"Hello, {name}!"' in app.patch(done).text


def test_one_idempotency_key_is_one_task(app: Client) -> None:
    """However often, at once and later."""
    app.repo.script({"text": "Nothing to do."})
    seen: list[list[Json]] = []
    together(lambda: seen.append(events(app.post({"Idempotency-Key": "once"}))), 5)
    assert events(app.post({"Idempotency-Key": "once"})) == seen[0]
    assert all(other == seen[0] for other in seen)
    assert seen[0][-1]["task"].startswith("k-")
    assert len(app.repo.asked()) == 1


def test_what_was_answered_is_done_although_the_server_is_killed_at_once(
    lab: Lab, ask: Callable[[Repo], Client]
) -> None:
    server = lab.server("killed")
    try:
        client = ask(lab.repository(server))
        client.repo.script({"tools": [FIX]}, {"text": "Greet with a comma"})
        with client.http.stream("POST", "/code", json=client.body()) as reply:
            task = reply.headers["Location"]
            server.kill()
        server.start()
        assert '"outcome": "ready"' in client.http.get(task).text
        assert len(client.repo.pulls()) == 1
    finally:
        server.stop()


def test_a_stop_keeps_the_work(app: Client) -> None:
    app.repo.script({"tools": [FIX]}, {"tools": [bash("sleep 500", seconds=600)]}, {"text": "never asked"})
    with app.http.stream("POST", "/code", json=app.body()) as reply:
        until(lambda: len(app.repo.asked()) == 2)
        assert app.stop(reply.headers["Location"].removeprefix("/code/")) == 202
        reply.read()
    done = events(reply)[-1]
    assert (done["outcome"], done["via"], done["message"]) == ("stopped", "api", "Stopped by whoever asked for it.")
    assert app.repo.pulls()[0]["draft"]
    assert app.stop("t-nothing") == 404


def poisoned(repo: Repo, heads: Repo, branch: str, files: dict[str, str | None]) -> str:
    """The tip of the branch, which looks like ours and would give orders. Those of the default branch are newer than the work there."""
    repo.push("main", {"AGENTS.md": "Greet with care.\n"})
    return heads.push(branch, files, "x\n\nBackspace-Task: t-1")


def obeyed(repo: Repo, seen: list[Json]) -> Json:
    """The last event of a task that heeded the default branch and nothing else."""
    first, *_, last = [asked["body"] for asked in repo.asked()]
    told = str(last["messages"][0])
    assert "Greet with care." in told
    assert "the poison" not in told
    assert last["model"] == first["model"]
    assert {event["command"] for event in seen if event["type"] == "Check"} == {"python3 -m unittest -q"}
    assert "touch poisoned" not in str([event for event in seen if event["type"] != "Changed"])
    return seen[-1]


def test_under_a_token_with_the_right_to_push(mona: Person, ask: Callable[[Repo], Client]) -> None:
    """The commit is the person's, and the token is nowhere in the sandbox."""
    repo = mona.repository("write")
    look = bash("env; cat .git/config; git remote -v; grep -rs github_pa[t]_ ~ /tmp; true")
    done = ask(repo).run({"tools": [look, FIX]}, {"text": "Greet with a comma"})[-1]
    (pull,) = repo.pulls()
    assert (done["outcome"], done["via"], pull["author"]) == ("ready", "api", mona.login)
    assert repo.file("greet.py", pull["head"]) == 'def greet(name):\n    return f"Hello, {name}!"\n'
    seen = str(repo.asked()[1]["body"]["messages"])
    assert "[redacted]" not in seen
    assert mona.token not in repo.server.log


def test_without_it_by_a_fork_and_the_next_work_goes_on_there(mona: Person, ask: Callable[[Repo], Client]) -> None:
    """RT-R01, RT-R02: on the word of the repository itself, whatever lies in the fork."""
    repo = mona.repository()
    client = ask(repo)
    first = client.run({"tools": [FIX]}, {"text": "Greet with a comma"}, branch="greeting")[-1]
    (pull,) = repo.pulls()
    fork = repo.lab.call("GET", f"/_sim/repos/{mona.login}/{repo.full_name.split('/')[1]}")
    assert (first["outcome"], first["via"]) == ("ready", "fork")
    assert (pull["head"], pull["head_sha"]) == ("greeting", fork["branches"]["greeting"])
    assert list(repo.branches()) == ["main"]

    theirs = Repo(repo.lab, repo.server, fork["full_name"], fork["id"], "")
    poisoned(repo, theirs, "greeting", {"CLAUDE.md": POISON["CLAUDE.md"], ".github/backspace.yml": None})
    more = {"name": "write", "input": {"path": "more.txt", "content": "more\n"}}
    second = obeyed(repo, client.run({"tools": [more]}, {"text": "Add more"}, branch="greeting"))
    (pull,) = repo.pulls()
    assert (second["outcome"], second["via"], second["pr_url"]) == ("ready", "existing", first["pr_url"])
    assert "+more" in pull["diff"]
    assert "Hello, {name}!" in pull["diff"]

    repo.lab.call("PATCH", f"{repo.control}/issues/{pull['number']}", state="closed")
    refused = client.post(branch="greeting")
    assert (refused.status_code, "closed or merged" in refused.json()["error"]) == (422, True)


def test_a_pull_request_closed_meanwhile_gets_no_more_commits(app: Client) -> None:
    """FL-G20: the work is kept as a patch, which git takes. RT-R01, RT-R02: what others have pushed there gives no orders."""
    repo = app.repo
    app.run({"tools": [FIX]}, {"text": "Greet with a comma"}, branch="greeting")
    tip = poisoned(repo, repo, "greeting", POISON)
    close = f"{repo.control}/issues/{repo.pulls()[0]['number']}"
    more = {"name": "write", "input": {"path": "more.txt", "content": "more\n"}}
    repo.script({"tools": [more], "hold": True}, {"text": "Add more"})
    with app.http.stream("POST", "/code", json=app.body(branch="greeting")) as reply:
        until(lambda: len(repo.asked()) == 3)
        assert not repo.server.has_made("poisoned")
        repo.lab.call("PATCH", close, state="closed")
        repo.let_go()
        reply.read()
    done = obeyed(repo, events(reply))
    assert (done["outcome"], done["via"], repo.branches()["greeting"]) == ("failed", "patch", tip)
    assert "closed or merged" in done["message"]
    assert "+more" in app.patch(done).text


RULE = {
    "message": "Repository rule violations found",
    "errors": ["Cannot create ref due to creations being restricted."],
}


def test_where_no_branch_may_be_made_the_patch_is_kept_and_linked(lab: Lab, mona: Person, tmp_path: Path) -> None:
    """FL-G17, for a comment: by its own reason, with a link that needs no key."""
    repo = lab.repository(mona.server)
    repo.fault("/git/refs", method="POST", status=422, body=RULE)
    odd = bash("printf '\\0\\377' >'a ü.bin'")
    comment = repo.finished(repo.ask({"tools": [FIX, odd]}, {"text": "Greet with a comma"}))
    assert "creations being restricted" in comment
    link = re.search(
        r"\[The whole change as a patch\]\(<https://backspace.example(/code/\S+/patch\?sig=\w+)>\)", comment
    )
    assert link
    patch = httpx.get(repo.server.url + link[1], headers={"Host": "backspace.example"})
    assert patch.status_code == 200
    clone = tmp_path / "clone"
    assert applied(repo, patch.content, clone) == 'def greet(name):\n    return f"Hello, {name}!"\n'
    assert (clone / "a ü.bin").read_bytes() == b"\0\xff"
    assert list(repo.branches()) == ["main"]


def test_where_no_pull_request_may_be_opened_the_branch_is_there_and_the_comment_says_how(repo: Repo) -> None:
    """FL-G17."""
    repo.fault("/pulls", method="POST", status=403, body={"message": "Pull requests are for collaborators only."})
    issue = repo.ask({"tools": [FIX]}, {"text": "Greet with a comma"})
    comment, branch = repo.finished(issue), f"backspace/{issue}-greet-politely"
    assert branch in repo.branches()
    owner = repo.full_name.split("/")[0]
    assert (
        f"❌ Failed: the work is on the branch [`{branch}`](<{repo.lab.url}/{repo.full_name}/compare/main...{owner}:{branch}?expand=1>)"
        in comment
    )
    assert "Pull requests are for collaborators only." in comment
    host = repo.lab.url.removeprefix("http://")
    assert (
        f"`gh pr create --repo={host}/{repo.full_name} --base=main --head={branch} '--title=Greet with a comma' '--body=Fixes #{issue}'`"
        in comment
    )


GH = """#!/bin/sh
cat >body; env | sort >environment; printf '%s\\n' "$@" >arguments
cp body environment arguments {folder}/
echo 'Creating pull request'
echo '{url}/pull/7'
"""


def test_a_persons_token_may_do_more_by_their_own_program(mona: Person, ask: Callable[[Repo], Client]) -> None:
    repo = mona.repository("write")
    repo.fault("/pulls", method="POST", status=403, body={"message": "No pull requests by the API."})
    program, url = mona.folder / "gh", f"{repo.lab.url}/{repo.full_name}"
    program.write_text(GH.format(folder=mona.folder, url=url))
    program.chmod(0o755)
    try:
        done = ask(repo).run({"tools": [FIX]}, {"text": "Greet; with a `comma`"})[-1]
    finally:
        program.unlink()
    assert (done["outcome"], done["via"], done["pr_url"]) == ("ready", "gh", f"{url}/pull/7")
    assert "--title=Greet; with a `comma`" in (mona.folder / "arguments").read_text().splitlines()
    assert (mona.folder / "body").read_text().startswith(f"<!-- backspace:{done['task']} -->")
    environment = (mona.folder / "environment").read_text()
    assert f"GH_TOKEN={mona.token}" in environment
    assert "ANTHROPIC" not in environment


def test_a_task_whose_token_was_taken_from_the_settings_ends_with_a_word(
    lab: Lab, mona: Person, ask: Callable[[Repo], Client]
) -> None:
    server = lab.server("revoked", GITHUB_TOKEN=mona.token)
    try:
        repo = mona.repository("write")
        client = ask(Repo(lab, server, repo.full_name, repo.id, repo.base))
        client.repo.script({"tools": [FIX], "hold": True}, {"text": "Greet with a comma"})
        with client.http.stream("POST", "/code", json=client.body()) as reply:
            task = reply.headers["Location"]
            until(client.repo.asked)
            server.kill()
        del server.settings["GITHUB_TOKEN"]
        server.start()
        client.repo.let_go()
        done = json.loads(client.http.get(task).text.splitlines()[-2].removeprefix("data: "))
        assert (done["outcome"], done["via"]) == ("failed", "patch")
        assert "by way of GITHUB_TOKEN, which is missing now" in done["message"]
    finally:
        server.stop()


def test_a_repository_that_was_renamed_is_found_by_its_id(app: Client) -> None:
    """RT-A03."""
    repo, name = app.repo, app.repo.full_name.split("/")[1]
    repo.lab.call("PATCH", repo.control, name=f"{name}-new")
    repo.script({"text": "Nothing to do."})
    done = events(app.post())[-1]
    assert done["outcome"] == "nothing"
    assert f"{name}-new" in str(repo.asked()[0]["body"]["messages"])


def test_a_key_is_for_the_repository_of_that_name_and_not_for_what_it_became(
    lab: Lab, ask: Callable[[Repo], Client]
) -> None:
    """RT-A01, RT-A03."""
    server = lab.server("limited")
    try:
        client = ask(repo := lab.repository(server))
        server.stop()
        server.settings["BACKSPACE_API_KEYS"] = f"ci:a-key-of-sixteen:{repo.full_name}"
        server.start()
        lab.call("PATCH", repo.control, name=f"{repo.full_name.split('/')[1]}-new")
        reply = client.post({"Authorization": "Bearer a-key-of-sixteen"})
        assert (reply.status_code, "has another name now" in reply.json()["error"]) == (403, True), reply.text
        assert repo.asked() == []
    finally:
        server.stop()


def refusals(lab: Lab, server: Server, mona: Person) -> Iterator[tuple[Repo, Json, int, str]]:
    """What can't be worked on: where, with what, and how it is answered."""
    for archived in (lab.repository(server), mona.repository("write")):
        lab.call("PATCH", archived.control, archived=True)
        yield archived, {}, 409, "archived"
    yield lab.repository(server, {}), {}, 409, "empty"
    yield mona.repository("write", files={}), {}, 409, "empty"
    secret = mona.repository(private=True)
    yield secret, {}, 404, "to the account of GITHUB_TOKEN"
    without_token = Repo(lab, server, secret.full_name, secret.id, secret.base)
    yield without_token, {}, 404, "not installed"
    for repo in (lab.repository(server), mona.repository("write"), mona.repository()):
        yield repo, {"branch": "main"}, 422, "default branch"
    taken = lab.repository(server)
    lab.call("PATCH", taken.control, default_branch="main")
    subprocess.run(
        ["git", "--git-dir", str(lab.home / f"github/{taken.id}.git"), "branch", "theirs", "main"], check=True
    )
    yield taken, {"branch": "theirs"}, 422, "not Backspace's"
    yield taken, {"branch": "theirs/too"}, 422, "no room"


def test_what_can_not_be_worked_on_is_refused_before_it_costs_anything(
    lab: Lab, server: Server, mona: Person, ask: Callable[[Repo], Client]
) -> None:
    """RT-G08, FL-G11. In one sentence, without a write and without a question to the model."""
    for repo, more, status, words in refusals(lab, server, mona):
        reply = ask(repo).post(**more)
        assert (reply.status_code, words in reply.json()["error"]) == (status, True), reply.text
        assert [r for r in repo.requests() if r["method"] != "GET" and "/repos/" in r["path"]] == []
        assert repo.asked() == []
