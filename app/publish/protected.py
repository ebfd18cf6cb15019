"""Paths that a person decides on, by their names alone: what GitHub, CI, git, agents and editors do as soon as it is there."""

from dataclasses import dataclass

_INSTRUCTIONS = frozenset((
    "agent.md", "agents.md", "agents.override.md", "claude.md", "claude.local.md", "copilot-instructions.md", "crush.md", "gemini.md",
    "qwen.md", "warp.md", ".clinerules", ".cursorrules", ".goosehints", ".roorules", ".rules", ".windsurfrules",
))  # fmt: skip
_CI = frozenset((
    ".appveyor.yml", ".cirrus.yml", ".drone.yml", ".gitlab-ci.yml", ".travis.yml", ".woodpecker.yml", "appveyor.yml", "azure-pipelines.yml",
    "bitbucket-pipelines.yml", "buildspec.yml", "cloudbuild.yaml", "cloudbuild.yml", "jenkinsfile",
))  # fmt: skip
_GIT = frozenset((".gitattributes", ".gitconfig", ".gitmodules", ".lfsconfig"))
"""Not .gitignore: it hides nothing that is published. .gitattributes can: from the diff that people review."""
_TOOLS = frozenset((
    ".aider.conf.yml", ".bazelrc", ".condarc", ".envrc", ".gemrc", ".mcp.json", ".netrc", ".npmrc", ".pnpmfile.cjs", ".pnpmfile.mjs",
    ".pre-commit-config.yaml", ".pre-commit-config.yml", ".pypirc", ".renovaterc", ".renovaterc.json", ".yarnrc", ".yarnrc.yml",
    "bunfig.toml", "gradle-wrapper.jar", "lefthook.yaml", "lefthook.yml", "nuget.config", "pip.conf", "pip.ini", "renovate.json",
))  # fmt: skip
_EXAMPLES = (".example", ".sample", ".template", ".dist")
_PLAIN_FOLDERS = frozenset((".changeset", ".well-known"))
"""Folders with a dot that hold ordinary work."""


@dataclass(frozen=True)
class Kept:
    """A change that stays out of the pull request. `ask`: a person may let exactly this content through."""

    reason: str
    ask: bool = True


def by_name(parts: tuple[str, ...]) -> Kept | None:
    """`parts` as `names.folded` gives them. A name counts as a folder's too: what lies in it would take the place of the file."""
    if parts[:2] == (".github", "workflows"):
        return Kept("workflow files need a person", ask=False)  # the App has no right to change them
    names = frozenset(parts)
    if parts[:2] == (".github", "actions") or names & {"action.yml", "action.yaml"}:
        return Kept("action files need a person")
    if "codeowners" in names:
        return Kept("it decides who has to review")
    if names & _INSTRUCTIONS:
        return Kept("agents take it for instructions")
    if parts[0] == ".github":
        return Kept("it tells GitHub what to do")
    if names & _CI:
        return Kept("it tells CI what to run")
    if names & _GIT:
        return Kept("it tells git what to do")
    if names & _TOOLS:
        return Kept("it tells tools what to run or to trust")
    if any(_is_environment(name) for name in names):
        return Kept("it sets the environment, and may hold secrets")
    if any(part.startswith(".") and part not in _PLAIN_FOLDERS for part in parts[:-1]):
        return Kept("it lies in a folder that tools keep for themselves")
    return None


def _is_environment(name: str) -> bool:
    return (name == ".env" or name.startswith(".env.")) and not name.endswith(_EXAMPLES)
