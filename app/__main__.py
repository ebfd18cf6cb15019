"""The command line: `backspace serve`, `run`, `demo`, `doctor`, `template build`; `python -m app` is the same."""

import asyncio
import logging
import signal
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from app.core.errors import UserError

cli = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="A comment becomes a pull request."
)
template = typer.Typer(no_args_is_help=True, help="The template that sandboxes in E2B are made from.")
cli.add_typer(template, name="template")
out = Console(highlight=False)
say = Console(stderr=True, highlight=False)


def _version(asked: bool) -> None:
    if asked:
        print(f"backspace {metadata.version('backspace-agent')}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@cli.command()
def serve() -> None:
    """Take deliveries from GitHub and do the work. Settings come from the environment or from .env."""
    from app.settings import load

    settings = load()  # what is wrong in them is said before seconds go by in imports
    from app.serving import serve as run

    asyncio.run(run(settings, lambda words: print(words, flush=True)))


@cli.command()
def doctor() -> None:
    """Say what is missing or wrong in the settings, and check each address and key."""
    from app.doctor import findings

    logging.disable(logging.WARNING)  # each finding says it all

    async def look() -> bool:
        well = True
        async for fine, line in findings():
            well &= fine
            out.print(Text.assemble(("✓", "green") if fine else ("✗", "red"), f" {line}"), soft_wrap=True)
        return well

    raise typer.Exit(0 if asyncio.run(look()) else 1)


@cli.command()
def demo(
    project: Annotated[str | None, typer.Option(help="NAME==VERSION of a project of the Python registry.")] = None,
    prompt: Annotated[
        str | None, typer.Option(help="What to ask; the real model works, with ANTHROPIC_API_KEY.")
    ] = None,
    sandbox: Annotated[
        Literal["e2b", "local", "unsafe-local"] | None,
        typer.Option(help="Where commands run; e2b takes the E2B_* settings, of an E2B on this machine."),
    ] = None,
    keep: Annotated[bool, typer.Option(help="Leave the servers up afterwards, to look around.")] = False,
    work: Annotated[Path | None, typer.Option(help="Folder for everything it makes; else a temporary one.")] = None,
) -> None:
    """The whole way from a comment to a pull request, on this machine: no key, no network service."""
    from app.demo import Demo

    try:
        raise typer.Exit(asyncio.run(Demo(project=project, prompt=prompt, sandbox=sandbox, keep=keep, work=work).run()))
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None


@cli.command()
def run(
    repo: Annotated[str, typer.Argument(help="https://…/owner/name, or the folder of a repository on this machine.")],
    prompt: Annotated[str, typer.Argument(help="What to do; - reads it from standard input.")],
    branch: Annotated[str, typer.Option(help="Branch for the work; else backspace/…")] = "",
    server: Annotated[str, typer.Option(help="Address of a Backspace server that does the work.")] = "",
    key: Annotated[
        str, typer.Option(envvar="BACKSPACE_API_KEY", show_default=False, help="That server's key, if it has any.")
    ] = "",
    json_lines: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: the events as they come.")
    ] = False,
) -> None:
    """Work on a repository, directly: a pull request, or for a folder a branch in it.

    For a folder the work starts from the last commit, its files stay as they are, and nothing leaves this machine but what the
    model is told; under BACKSPACE_SANDBOX=unsafe-local, what commands send as well. Settings come from the environment; for a
    folder ANTHROPIC_API_KEY is enough.

    Ctrl-C stops and keeps the work; pressed again it ends at once, and the same command goes on with the run.

    Exit codes: 0 ready, or nothing to change; 1 failed; 2 nothing began (arguments, settings); 3 a draft (a check failed, or the
    work was cut short); 4 the server that has the task does not answer; 130 stopped.
    """
    from app.run import run as watch

    words = sys.stdin.read() if prompt == "-" else prompt
    try:
        asyncio.run(watch(repo, words.strip(), branch=branch, server=server, key=key, json_lines=json_lines))
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None


@template.command()
def build(
    name: Annotated[
        str, typer.Option(help="Its name in E2B; a template that has it already is replaced.")
    ] = "backspace",
) -> None:
    """Make the template in E2B, with what most repositories need; E2B_API_KEY is the only setting that must be there."""
    from app.settings import E2BAlone, load
    from app.template import make

    settings = load(kind=E2BAlone)
    asyncio.run(make(settings, name, lambda line: out.print(line, markup=False, soft_wrap=True)))
    out.print("Made. Put this into the settings:")
    out.print(f"BACKSPACE_E2B_TEMPLATE={name}", markup=False, soft_wrap=True)


def main() -> None:
    try:
        cli()
    except UserError as e:
        say.print(str(e), style="red", markup=False, soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
