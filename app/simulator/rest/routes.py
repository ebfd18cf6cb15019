"""Where each route hangs: a repository is found by its name, and by its id."""

from aiohttp import web

from app.simulator.rest import apps, comments, forks, git_data, issues, pulls, refs, repositories


def add_routes(app: web.Application) -> None:
    for method, path, handler in apps.ROUTES:
        app.router.add_route(method, "/api/v3" + path, handler)
    for part in (repositories, forks, issues, comments, git_data, refs, pulls):
        for method, path, handler in part.ROUTES:
            app.router.add_route(method, "/api/v3/repos/{owner}/{repo}" + path, handler)
            app.router.add_route(method, r"/api/v3/repositories/{repository_id:\d+}" + path, handler)
