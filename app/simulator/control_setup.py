"""The part of the control API that makes things: Apps, accounts, repositories, and who may do what in them."""

import asyncio
import base64
import secrets
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.simulator import git
from app.simulator.keys import WORLD
from app.simulator.problems import Problem, not_found
from app.simulator.rest.wire import Routes, body_of, nothing, number, reply, text
from app.simulator.state import EVENTS, GRANTED, App, Installation, Repository, UserToken, World, iso

TOKEN_SECONDS = 3600
FILE_MODE, EXECUTABLE, LINK = "100644", "100755", "120000"


def repository_of(request: web.Request) -> Repository:
    """The repository of the path. Raises Problem."""
    repository = request.app[WORLD].repository(f"{request.match_info['owner']}/{request.match_info['repo']}")
    if repository is None:
        raise not_found()
    return repository


async def make_app(request: web.Request) -> web.Response:
    world, data = request.app[WORLD], await body_of(request)
    app_id = int(data.get("id") or world.new_id())
    slug = text(data, "slug", default=f"backspace-{app_id}")
    private, public = await asyncio.to_thread(_key_pair)
    app = world.apps[app_id] = App(
        id=app_id,
        slug=slug,
        owner=world.account("app-owner"),
        bot=world.account(f"{slug}[bot]", "Bot"),
        hook_id=world.new_id(),
        webhook_url=text(data, "webhook_url", default=""),
        webhook_secret=text(data, "webhook_secret"),
        public_key=public,
        permissions=data.get("permissions", GRANTED),
        events=data.get("events", EVENTS),
        token_seconds=data.get("token_seconds", TOKEN_SECONDS),
        created_at=world.now(),
    )
    return reply({"app_id": app_id, "private_key": private, "slug": slug, "bot_id": app.bot.id}, status=201)


def _key_pair() -> tuple[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


async def edit_app(request: web.Request) -> web.Response:
    """A server that listens on a port of its own choosing is known only after its App."""
    app, data = request.app[WORLD].apps.get(number(request, "app_id")), await body_of(request)
    if app is None:
        raise not_found()
    app.webhook_url = text(data, "webhook_url", default=app.webhook_url)
    app.webhook_secret = text(data, "webhook_secret", default=app.webhook_secret)
    app.token_seconds = data.get("token_seconds", app.token_seconds)
    return nothing()


async def make_user(request: web.Request) -> web.Response:
    data = await body_of(request)
    account = request.app[WORLD].account(text(data, "login"), data.get("type", "User"))
    return reply({"id": account.id}, status=201)


async def make_token(request: web.Request) -> web.Response:
    """A personal access token."""
    world, data = request.app[WORLD], await body_of(request)
    value = f"github_pat_{secrets.token_hex(11)}_{secrets.token_hex(29)}"
    world.user_tokens[value] = UserToken(value, world.account(text(data, "user")))
    return reply({"token": value}, status=201)


async def make_repository(request: web.Request) -> web.Response:
    world, data = request.app[WORLD], await body_of(request)
    owner, name = world.account(text(data, "owner")), text(data, "name")
    if world.repository(f"{owner.login}/{name}"):
        raise Problem(422, "name already exists on this account")
    repository_id, now = world.new_id(), world.now()
    path = world.data / f"{repository_id}.git"
    repository = Repository(repository_id, owner, name, bool(data.get("private")), path, now)
    files = await asyncio.to_thread(_read_folder, Path(data["archive"])) if "archive" in data else {}
    files |= {path: _file(given) for path, given in data.get("files", {}).items()}
    await git.init(repository.path)
    person = git.Person(owner.login, f"{owner.login}@example.com", iso(now))
    head = await git.import_files(repository.path, files, person) if files else None
    world.repositories[repository_id] = repository
    installation = _install(world, repository, data["app_id"]) if "app_id" in data else None
    return reply(
        {
            "id": repository_id,
            "installation_id": installation.id if installation else None,
            "default_branch": repository.default_branch,
            "head": head,
        },
        status=201,
    )


def _install(world: World, repository: Repository, app_id: int) -> Installation:
    """An App is installed once on an account, for chosen repositories."""
    for installation in world.installations.values():
        if installation.app.id == app_id and installation.account is repository.owner:
            break
    else:
        installation = Installation(world.new_id(), world.apps[app_id], repository.owner, world.now())
        world.installations[installation.id] = installation
    installation.repositories.append(repository)
    return installation


def _file(given: Any) -> git.File:
    if isinstance(given, str):
        return git.File(FILE_MODE, given.encode())
    content = base64.b64decode(given["base64"]) if "base64" in given else given["text"].encode()
    return git.File(given.get("mode", FILE_MODE), content)


def _read_folder(folder: Path) -> dict[str, git.File]:
    """Every file under a folder, as git would track it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if ".git" in path.relative_to(folder).parts or "__pycache__" in path.parts:
            continue
        if path.is_symlink():
            found[name] = git.File(LINK, str(path.readlink()).encode())
        elif path.is_file():
            found[name] = git.File(EXECUTABLE if path.stat().st_mode & 0o100 else FILE_MODE, path.read_bytes())
    return found


async def edit_repository(request: web.Request) -> web.Response:
    """`installed: false` takes the repository from every App; `suspended` suspends their whole installations."""
    world, data = request.app[WORLD], await body_of(request)
    repository = repository_of(request)
    repository.archived = data.get("archived", repository.archived)
    repository.protected |= set(data.get("protected", ()))
    if "default_branch" in data:
        repository.default_branch = data["default_branch"]
        await git.set_default(repository.path, repository.default_branch)
    if "name" in data:
        repository.former_names.add(repository.full_name.lower())
        repository.name = data["name"]
    for installation in world.installations_on(repository):
        if "suspended" in data:
            installation.suspended_at = world.now() if data["suspended"] else None
        if data.get("installed") is False:
            installation.repositories.remove(repository)
    return nothing()


async def put_role(request: web.Request) -> web.Response:
    """`role: "none"` takes it away."""
    data, repository = await body_of(request), repository_of(request)
    account, role = request.app[WORLD].account(request.match_info["login"]), data["role"]
    if role == "none":
        repository.roles.pop(account.id, None)
    else:
        repository.roles[account.id] = role
    return nothing()


ROUTES: Routes = [
    ("POST", "/_sim/apps", make_app),
    ("PATCH", r"/_sim/apps/{app_id:\d+}", edit_app),
    ("POST", "/_sim/users", make_user),
    ("POST", "/_sim/tokens", make_token),
    ("POST", "/_sim/repos", make_repository),
    ("PATCH", "/_sim/repos/{owner}/{repo}", edit_repository),
    ("PUT", "/_sim/repos/{owner}/{repo}/collaborators/{login}", put_role),
]
