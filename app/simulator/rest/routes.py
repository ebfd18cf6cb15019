"""Where each route hangs: a repository is found by its name, and by its id."""

from aiohttp import web

from app.simulator.rest import apps, comments, git_data, issues, pulls, refs, repositories


def add_routes(app: web.Application) -> None:
    for method, path, handler in apps.ROUTES:
        app.router.add_route(method, "/api/v3" + path, handler)
    for routes in (repositories.ROUTES, issues.ROUTES, comments.ROUTES, git_data.ROUTES, refs.ROUTES, pulls.ROUTES):
        for method, path, handler in routes:
            app.router.add_route(method, "/api/v3/repos/{owner}/{repo}" + path, handler)
            app.router.add_route(method, r"/api/v3/repositories/{repository_id:\d+}" + path, handler)
