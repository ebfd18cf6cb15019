"""The template in E2B that sandboxes are made from, as code: what most repositories need for their set-up and their checks."""

from collections.abc import Callable

from e2b import E2B, AsyncTemplate, LogEntry, LogEntryEnd
from e2b.template.main import TemplateClass

from app.core.errors import Transient, UserError
from app.sandbox.e2b_errors import translated
from app.settings import Settings

IMAGE = "24-trixie"
"""Node's own image on Debian 13, whose Python is 3.13."""
PACKAGES = [
    "build-essential", "ca-certificates", "curl", "git", "pkg-config", "python-is-python3", "python3-dev", "python3-pip", "python3-venv",
    "ripgrep",
]  # fmt: skip
UV = "pip install --break-system-packages --no-cache-dir uv"
USER = "id -u user || useradd --create-home --shell /bin/bash user"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
EMPTY_PROFILE = [
    f"echo export PATH={PATH} > /etc/profile",
    "rm -f /etc/profile.d/* /home/user/.profile /home/user/.bashrc /home/user/.bash_profile",
]
"""E2B runs every command in a login shell, so what stands in a profile is paid for each time."""
CPUS, MEMORY = 2, 2048
"""Processors; MiB."""


def definition() -> TemplateClass:
    return (
        AsyncTemplate()
        .from_node_image(IMAGE)
        .apt_install(PACKAGES, no_install_recommends=True)
        .run_cmd([UV, USER, *EMPTY_PROFILE], user="root")
        .set_user("user")
        .set_workdir("/home/user")
    )


async def make(settings: Settings, name: str, say: Callable[[str], None]) -> None:
    """Build it in E2B under this name. `say` gets what E2B says meanwhile, line by line. Raises UserError."""
    if not settings.e2b_api_key:
        raise UserError("E2B_API_KEY: is missing.")

    def told(entry: LogEntry) -> None:
        if not isinstance(entry, LogEntryEnd):  # which comes however it ends
            say(entry.message)

    client = E2B(api_key=settings.e2b_api_key.get_secret_value(), api_url=settings.e2b_api_url, debug=False)
    try:
        with translated():
            await client.AsyncTemplate.build(
                definition(),
                name,
                cpu_count=CPUS,
                memory_mb=MEMORY,
                on_build_logs=told,
            )
    except Transient as e:
        raise UserError(f"{e} Run the command again: what is built already is not built twice.") from e
