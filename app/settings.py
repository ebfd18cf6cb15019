"""Every setting, once: its name, default and meaning. The only reader of the environment (and of `.env`)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.core.errors import UserError

SANDBOXES = Literal["local", "unsafe-local"]


def _plain_url(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "@" in value:
        raise ValueError("must be an http:// or https:// address without a user name in it")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_plain_url)]


class Settings(BaseSettings):
    """Read once at start. The field's name in capitals is the variable's name; the text under it is the README's table."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", hide_input_in_errors=True, env_ignore_empty=True, use_attribute_docstrings=True
    )

    anthropic_api_key: SecretStr
    """Key for the Messages API."""
    anthropic_base_url: Url = "https://api.anthropic.com"
    """Address of the Messages API."""
    backspace_model: str = "claude-sonnet-5-5"
    """Model that does the work."""

    github_app_id: int
    """App ID (or client ID's number) from the App's settings page."""
    github_private_key: SecretStr | None = None
    """The App's private key, PEM text; line breaks may be written `\\n`. This or the path below."""
    github_private_key_path: Path | None = None
    """File that holds the App's private key."""
    github_webhook_secret: SecretStr = Field(min_length=16)
    """The App's webhook secret, at least 16 characters."""
    github_webhook_secret_old: SecretStr | None = Field(default=None, min_length=16)
    """The secret before it, while rotating: both are accepted."""
    github_api_url: Url = "https://api.github.com"
    """GitHub's REST API; `https://HOST/api/v3` on Enterprise Server."""
    github_server_url: Url = "https://github.com"
    """GitHub's pages and git, for links and clones."""

    backspace_sandbox: SANDBOXES = "local"
    """Where commands run: `local` (bubblewrap), or `unsafe-local` (no isolation at all, on loopback only)."""
    backspace_local_network: bool = False
    """Let commands in the local sandbox reach the network. Off: only the clone does."""
    backspace_wheels: Path | None = None
    """Folder of Python packages that set-up may install from without a network (`PIP_FIND_LINKS` in the sandbox)."""
    backspace_data: Path = Path("backspace-sandboxes")
    """Folder for the local sandboxes."""

    backspace_database_url: str = "sqlite:///backspace.db"
    """Database: a SQLite file, for one server process."""
    backspace_label: str = "backspace"
    """Label that starts work on an issue."""
    backspace_max_runs: int = Field(default=4, ge=1, le=100)
    """Runs at the same time in this process; the others wait."""
    backspace_task_usd: float = Field(default=2.0, gt=0)
    """Dollars that one task may cost."""
    backspace_task_minutes: float = Field(default=30, gt=0)
    """Minutes that one task may work, from the first turn of the model."""
    backspace_task_turns: int = Field(default=60, ge=1)
    """Replies of the model that one task may take."""
    backspace_task_tokens: int = Field(default=4_000_000, ge=1000)
    """Tokens that one task may use, cached ones included."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """How much is logged."""

    def private_key(self) -> str:
        """The App's private key as PEM text. Raises UserError where it is missing or is no PEM."""
        if self.github_private_key:
            pem = self.github_private_key.get_secret_value().replace("\\n", "\n")
        elif self.github_private_key_path:
            try:
                pem = self.github_private_key_path.read_text()
            except OSError as e:
                raise UserError(f"GITHUB_PRIVATE_KEY_PATH: the file can't be read ({e.strerror}).") from None
        else:
            raise UserError(
                "GITHUB_PRIVATE_KEY or GITHUB_PRIVATE_KEY_PATH is missing: the App's private key, from its settings page."
            )
        if "PRIVATE KEY-----" not in pem:
            raise UserError(
                "GITHUB_PRIVATE_KEY is not a PEM private key: it begins with -----BEGIN RSA PRIVATE KEY-----."
            )
        return pem

    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that a delivery may be signed with, the current one first."""
        return tuple(s.get_secret_value() for s in (self.github_webhook_secret, self.github_webhook_secret_old) if s)

    def secrets(self) -> tuple[str, ...]:
        """Every secret value we know: none of them may ever be shown."""
        return (self.anthropic_api_key.get_secret_value(), self.private_key(), *self.webhook_secrets())

    @property
    def loopback_only(self) -> bool:
        return self.host in ("127.0.0.1", "::1", "localhost")


def load(env_file: Path | None = Path(".env")) -> Settings:
    """The settings of this process. Raises UserError, one line for each setting that is missing or malformed, never with its value."""
    try:
        settings = Settings(_env_file=env_file)
        settings.private_key()
    except ValidationError as e:
        raise UserError(
            "\n".join(f"{str(error['loc'][0]).upper()}: {_say(error['type'], error['msg'])}" for error in e.errors())
        ) from None
    if settings.backspace_sandbox == "unsafe-local" and not settings.loopback_only:
        raise UserError("BACKSPACE_SANDBOX: unsafe-local runs commands without isolation, so HOST must be 127.0.0.1.")
    if not settings.backspace_database_url.startswith("sqlite:///"):
        raise UserError("BACKSPACE_DATABASE_URL: only sqlite:///FILE works in this version.")
    return settings


def _say(kind: str, message: str) -> str:
    return "is missing." if kind == "missing" else message.removeprefix("Value error, ") + "."
