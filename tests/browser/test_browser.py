"""A page in a real browser, with the client that pages use; and the page of the server's own."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from aiohttp import web
from playwright.async_api import Browser, Route, async_playwright

from tests.e2e.lab import FIX, Lab, Server, bash, until
from tests.web.desk import Desk, parsed, served

HERE = Path(__file__).parent


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "needs Chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
def client(tmp_path: Path) -> Path:
    """The folder of the client's modules."""
    npm = shutil.which("npm")
    assert npm, "needs npm"
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, tmp_path)
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "node_modules" / "@microsoft" / "fetch-event-source" / "lib" / "esm"


@pytest.fixture
def mortal(lab: Lab) -> Iterator[Server]:
    yield (server := lab.server("mortal"))
    server.stop()


@pytest.mark.browser
async def test_a_page_reads_a_whole_task_across_a_kill_and_sees_every_event_once(
    browser: Browser, client: Path, lab: Lab, mortal: Server
) -> None:
    """FL-O06, FL-O07: its client POSTs again by itself."""

    async def ours(route: Route) -> None:
        """The page and its client, as if the server had them: a page of another site may not ask."""
        name = urlsplit(route.request.url).path.removeprefix("/page/")
        await route.fulfill(path=client / f"{name}.js" if name else HERE / "page.html")

    repo = lab.repository(mortal)
    repo.script({"text": "Look.", "tools": [bash("true")]}, {"tools": [FIX], "hold": True}, {"text": "Greet politely"})
    page = await browser.new_page()
    await page.route("**/page/*", ours)
    await page.goto(f"{mortal.url}/page/")
    await page.wait_for_function("window.loaded")
    asked = {"repo_url": f"{lab.url}/{repo.full_name}", "prompt": "Add the comma."}
    await page.evaluate("body => { window.reading = window.ask(body) }", asked)
    await page.wait_for_function("window.seen.some(event => event.type == 'Tool: Bash')")
    await asyncio.to_thread(until, lambda: len(repo.asked()) == 2, what="the turn that is held")
    await asyncio.to_thread(mortal.kill)
    await asyncio.to_thread(mortal.start)
    await asyncio.to_thread(repo.let_go)
    await page.evaluate("window.reading")
    async with httpx.AsyncClient(base_url=mortal.url, verify=False) as http:
        text = (await http.get(f"/code/{await page.evaluate('window.task')}")).text
    assert await page.evaluate("window.seen") == parsed(text)[1]
    assert len(repo.pulls()) == 1


@pytest.mark.browser
async def test_a_page_of_another_site_starts_nothing(browser: Browser) -> None:
    """RT-A05: neither with JSON, which the browser asks about first, nor with text, which it just sends."""

    async def evil(request: web.Request) -> web.Response:
        return web.Response(text="<!doctype html>", content_type="text/html", headers={"Content-Security-Policy": ""})

    post = """async ([url, type]) => {
        const sent = {method: 'POST', headers: {'Content-Type': type}, body: '{}', mode: type == 'text/plain' ? 'no-cors' : 'cors'}
        return await fetch(url, sent).then(reply => reply.type, error => 'refused')
    }"""
    async with served(Desk()) as edge, served(Desk(), extra=(web.get("/", evil),)) as other:
        page = await browser.new_page()
        await page.goto(other.url)
        assert await page.evaluate(post, [f"{edge.url}/code", "application/json"]) == "refused"
        assert await page.evaluate(post, [f"{edge.url}/code", "text/plain"]) == "opaque"
    assert edge.desk.asked == []


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
async def test_the_description_fits_and_breaks_no_rule_of_its_own(browser: Browser, width: int) -> None:
    said: list[str] = []
    async with served(Desk()) as edge:
        page = await browser.new_page(viewport={"width": width, "height": 800})
        page.on("console", lambda message: said.append(message.text))
        await page.goto(f"{edge.url}/docs")
        assert await page.evaluate("document.documentElement.scrollWidth") == width
        assert await page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "864px"
    assert [line for line in said if "favicon" not in line] == []
