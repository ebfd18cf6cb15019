"""GET /docs and GET /openapi.json: one description, for people and for programs. No script, nothing from elsewhere."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files

import jinja2
from aiohttp import web
from markupsafe import Markup, escape

from app.web.openapi import description, resolved, type_of

_CODE = re.compile(r"`([^`]+)`")


def routes() -> list[web.RouteDef]:
    return [web.get("/docs", docs), web.get("/openapi.json", openapi)]


async def openapi(request: web.Request) -> web.Response:
    return web.json_response(description())


async def docs(request: web.Request) -> web.Response:
    policy = (
        f"default-src 'none'; style-src '{_style_hash()}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    return web.Response(text=_docs(), content_type="text/html", headers={"Content-Security-Policy": policy})


@cache
def _docs() -> str:
    pages = jinja2.Environment(
        loader=jinja2.PackageLoader("app.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    pages.policies["json.dumps_kwargs"] = {"sort_keys": False}
    pages.filters |= {"resolved": resolved, "type_of": type_of, "words": _words}
    return pages.get_template("docs.html").render(api=description(), style=Markup(_style()))


@cache
def _style() -> str:
    return files("app.web").joinpath("templates/docs.css").read_text("utf-8")


def _style_hash() -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()


def _words(text: str) -> Markup:
    """Prose in which what stands between backticks is code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))
