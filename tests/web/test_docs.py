"""The description of the edge, for programs and for people: it names what is there, and nothing in it runs."""

import base64
import hashlib
import html
import re

import jsonschema

from app.core.events import EVENT
from app.web.openapi import description
from tests.web.desk import RUN, Desk, served, wire


async def test_every_route_is_described_and_nothing_else() -> None:
    async with served(Desk()) as edge:
        assert edge.runner
        assert edge.runner.app
        served_here = {
            (route.method.lower(), route.resource.canonical)
            for route in edge.runner.app.router.routes()
            if route.resource and route.method != "HEAD"
        }
    described = {
        (method, path) for path, item in description()["paths"].items() for method in item if method != "parameters"
    }
    assert served_here - described == {("get", "/docs"), ("get", "/openapi.json")}
    assert described <= served_here


async def test_programs_get_the_description_with_every_event() -> None:
    async with served(Desk()) as edge, edge.client() as http:
        reply = await http.get("/openapi.json")
    assert reply.json() == description()
    event = {"$ref": "#/components/schemas/Event", "components": reply.json()["components"]}
    for sent in wire(RUN):
        jsonschema.validate(sent, event)
        EVENT.validate_python(sent)


async def test_the_page_loads_nothing_runs_nothing_and_is_framed_by_nobody() -> None:
    async with served(Desk()) as edge, edge.client() as http:
        reply = await http.get("/docs")
    [style] = re.findall(r"<style>(.*?)</style>", reply.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert re.findall(r"<script|src=|@import|url\(| style=| on\w+=", reply.text) == []
    assert set(re.findall(r'href="([^"#]+)"', reply.text)) == {"openapi.json"}


async def test_the_page_tells_every_operation_status_and_event() -> None:
    async with served(Desk()) as edge, edge.client() as http:
        page = html.unescape((await http.get("/docs")).text)
    operations = [item[method] for item in description()["paths"].values() for method in item if method != "parameters"]
    assert all(f'id="{operation["operationId"]}"' in page and operation["summary"] in page for operation in operations)
    for kind in description()["components"]["schemas"]["Event"]["discriminator"]["mapping"]:
        assert f"<code>{kind}</code>" in page
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets == set(re.findall(r' id="([^"]+)"', page))


async def test_every_answer_forbids_what_it_does_not_need() -> None:
    async with served(Desk()) as edge, edge.client() as http:
        for reply in (await http.get("/healthz"), await http.get("/nothing"), await http.post("/code")):
            assert reply.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
            assert "Server" not in reply.headers
