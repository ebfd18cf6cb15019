"""Who asks, and what they may do: App JWTs and installation tokens, as GitHub checks them."""

from typing import Any

import jwt
from aiohttp import web

from app.simulator.keys import WORLD
from app.simulator.problems import Problem, not_found
from app.simulator.state import App, Repository, Token, UserToken, World

LEVELS = {"read": 1, "write": 2, "admin": 3}
CLOCK_DRIFT = 60
LONGEST_JWT = 600


def app_of(request: web.Request) -> App:
    """The App whose JWT this request carries. Raises Problem."""
    world = request.app[WORLD]
    value = _credentials(request)
    try:
        claims = jwt.decode(value, options={"verify_signature": False})
        app = world.apps.get(int(claims["iss"]))
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):
        raise Problem(401, "A JSON web token could not be decoded") from None
    if app is None:
        raise Problem(404, "Integration not found")
    _check_claims(claims, world.now())
    try:
        jwt.decode(value, app.public_key, ["RS256"], options={"verify_exp": False, "verify_iat": False})
    except jwt.PyJWTError:
        raise Problem(401, "A JSON web token could not be decoded") from None
    request["app"] = app
    return app


def _check_claims(claims: dict[str, Any], now: float) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or issued > now + CLOCK_DRIFT:
        raise Problem(
            401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    if not isinstance(expires, int) or expires < now:
        raise Problem(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        )
    if expires - now > LONGEST_JWT:
        raise Problem(401, "'Expiration time' claim ('exp') is too far in the future")


def token_of(request: web.Request) -> Token | UserToken:
    """The token that this request carries, an installation's or a person's, alive. Raises Problem."""
    token = request["token"] = find_token(request.app[WORLD], _credentials(request))
    if token is None or not is_alive(token, request.app[WORLD]):
        raise Problem(401, "Bad credentials")
    if isinstance(token, Token) and token.installation.suspended_at:
        raise Problem(403, "This installation has been suspended")
    return token


def installation_token_of(request: web.Request) -> Token:
    """The same, where only an App may ask. Raises Problem."""
    token = token_of(request)
    if isinstance(token, UserToken):
        raise Problem(403, "Resource not accessible by personal access token")
    return token


def user_token_of(request: web.Request) -> UserToken:
    """The same, where only a person may. Raises Problem."""
    token = token_of(request)
    if isinstance(token, Token):
        raise Problem(403, "Resource not accessible by integration")
    return token


def is_alive(token: Token | UserToken, world: World) -> bool:
    return isinstance(token, UserToken) or not (token.revoked or token.expires_at <= world.now())


def find_token(world: World, value: str) -> Token | UserToken | None:
    return world.tokens.get(value) or world.user_tokens.get(value)


def _credentials(request: web.Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        raise Problem(401, "Requires authentication")
    if scheme.lower() not in ("bearer", "token"):
        raise Problem(401, "Bad credentials")
    return value.strip()


def repository_of(request: web.Request) -> Repository:
    """The repository that the path names, whoever asks. Raises Problem: 301 or 307 for one that was renamed, 404."""
    world, match = request.app[WORLD], request.match_info
    if "repository_id" in match:
        found = world.repositories.get(int(match["repository_id"]))
    else:
        full_name = f"{match['owner']}/{match['repo']}"
        found = world.repository(full_name)
        if found is None and (renamed := world.renamed(full_name)):
            rest = request.raw_path.split("/repos/", 1)[1].split("/", 2)[2:]
            target = "/".join([f"{world.api}/repositories/{renamed.id}", *rest])
            status = 301 if request.method == "GET" else 307
            raise Problem(status, "Moved Permanently", headers={"Location": target}, extra={"url": target})
    if found is None:
        raise not_found()
    return found


def allow(request: web.Request, *any_of: str) -> Repository:
    """The repository of the path, where the token may do one of `any_of` ("issues:write") in it. Raises Problem."""
    token = token_of(request)
    repository = repository_of(request)
    if not token.rights(repository):
        raise not_found()
    if not any(permits(token, repository, wanted) for wanted in any_of):
        accepted = "; ".join(wanted.replace(":", "=") for wanted in any_of)
        headers = {"X-Accepted-GitHub-Permissions": accepted}
        raise Problem(403, f"Resource not accessible by {kind_of(token)}", headers=headers)
    if repository.archived and any(wanted.endswith(":write") for wanted in any_of):
        raise Problem(403, "Repository was archived so is read-only.")
    return repository


def permits(token: Token | UserToken, repository: Repository, wanted: str) -> bool:
    name, level = wanted.split(":")
    return LEVELS.get(token.rights(repository).get(name, ""), 0) >= LEVELS[level]


def kind_of(token: Token | UserToken) -> str:
    return "integration" if isinstance(token, Token) else "personal access token"
