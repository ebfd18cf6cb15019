"""Every setting, once: its name, default and meaning. The only reader of the environment (and of `.env`)."""

from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import setting_values
from app.core import api_keys
from app.core.api_keys import ApiKey
from app.core.errors import UserError
from app.setting_values import ApiKeys, DatabaseUrl, Headers, Url

T = TypeVar("T")
SANDBOXES = Literal["e2b", "local", "unsafe-local"]
KEY_LENGTH = 20
"""Characters. A shorter word in a header for traces is no key but the name of a project, which people may read."""


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

    github_token: SecretStr | None = None
    """Token of a person or a machine account, for `POST /code` and `backspace run` where the App is not installed.
    It pushes where it may, else it forks."""
    github_app_id: int | None = Field(default=None, validate_default=True)
    """App ID, a number, from the App's settings page. The App's settings are required, except with
    GITHUB_TOKEN: then no comment is taken."""
    github_private_key: SecretStr | None = None
    """The App's private key, PEM text; line breaks may be written `\\n`. This or the path below."""
    github_private_key_path: Path | None = Field(default=None, validate_default=True)
    """File that holds the App's private key."""
    github_webhook_secret: SecretStr | None = Field(default=None, min_length=16, validate_default=True)
    """The App's webhook secret, at least 16 characters."""
    github_webhook_secret_old: SecretStr | None = Field(default=None, min_length=16)
    """The secret before it, while rotating: both are accepted."""
    github_api_url: Url = "https://api.github.com"
    """GitHub's REST API; `https://HOST/api/v3` on Enterprise Server."""
    github_server_url: Url = "https://github.com"
    """GitHub's pages and git, for links and clones."""

    backspace_sandbox: SANDBOXES | None = None
    """Where commands run: `e2b`, `local` (bubblewrap), or `unsafe-local` (nothing between, on loopback only). Not set: `e2b` with its key;
    else `local`, on loopback. A server that others reach must name `local`."""
    e2b_api_key: SecretStr | None = None
    """Key for E2B, where each run gets a virtual machine of its own."""
    e2b_api_url: Url | None = None
    """Address of E2B's API, where it is not E2B's own."""
    e2b_sandbox_url: Url | None = None
    """Address of E2B's sandboxes, likewise."""
    backspace_e2b_template: str = "base"
    """E2B's template that sandboxes are made from: it needs Python and git."""
    backspace_egress: Literal["registries", "none", "all"] = "registries"
    """What commands in E2B reach once the repository is cloned: `registries` of packages, `none`, or `all`."""
    backspace_local_network: bool = False
    """Let commands in the local sandbox reach the network. Off: only the clone does."""
    backspace_wheels: Path | None = None
    """Folder of Python packages that set-up may install from without a network (`PIP_FIND_LINKS` in the sandbox)."""
    backspace_data: Path = Path("backspace-sandboxes")
    """Folder for the local sandboxes."""

    backspace_database_url: DatabaseUrl = "sqlite:///backspace.db"
    """Database: a SQLite file, for one server process; or `postgresql://USER:PASSWORD@HOST/DATABASE`, for several."""
    backspace_keep_days: int = Field(default=30, ge=1)
    """Days for which the log of a task is kept."""
    backspace_label: str = "backspace"
    """Label that starts work on an issue."""
    backspace_max_runs: int = Field(default=4, ge=1, le=1000)
    """Runs at the same time in this process; the others wait."""
    backspace_task_usd: float = Field(default=2.0, gt=0)
    """Dollars that one task may cost."""
    backspace_task_minutes: float = Field(default=30, gt=0)
    """Minutes that one task may work, from the first turn of the model."""
    backspace_task_turns: int = Field(default=60, ge=1)
    """Replies of the model that one task may take."""
    backspace_task_tokens: int = Field(default=4_000_000, ge=1000)
    """Tokens that one task may use, cached ones included."""

    backspace_api_keys: ApiKeys | None = None
    """Keys for `POST /code`, with space between: `name:key`, or `name:key:owner/repo,owner/repo` for these repositories only. A key has at
    least 16 characters. Not set: only programs on this machine may use it, and only where HOST is loopback."""
    backspace_public_url: Url | None = None
    """Address under which people reach this server, for links in comments."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """How much is logged."""
    otel_exporter_otlp_endpoint: Url | None = None
    """Where traces go: a receiver of OTLP over HTTP, `/v1/traces` is added. Neither this nor the next: no traces."""
    otel_exporter_otlp_traces_endpoint: Url | None = None
    """The same as a whole address, to which nothing is added."""
    otel_exporter_otlp_headers: Headers | None = None
    """Headers for the receiver of traces: `name=value,name=value`."""
    otel_instrumentation_genai_capture_message_content: bool = False
    """Traces carry what was said, the tool calls and their results, redacted. Off: names, times, numbers, and why a step failed."""

    @field_validator("github_private_key")
    @classmethod
    def _parses(cls, key: SecretStr | None) -> SecretStr | None:
        return key and setting_values.private_key(key.get_secret_value().replace("\\n", "\n").encode())

    @field_validator("github_app_id", "github_webhook_secret")
    @classmethod
    def _app_is_whole(cls, value: T, info: ValidationInfo) -> T:
        if value is None and _needs_app(info):
            raise ValueError("is missing")
        return value

    @field_validator("github_private_key_path")
    @classmethod
    def _one_is_there(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        """The key itself wins; where it is malformed, that was said already."""
        if "github_private_key" not in info.data or info.data["github_private_key"]:
            return path
        if path is not None:
            setting_values.private_key_file(path)
        elif _needs_app(info):
            raise ValueError("this or GITHUB_PRIVATE_KEY is missing: the App's private key, from its settings page")
        return path

    @property
    def has_app(self) -> bool:
        return self.github_app_id is not None and bool(self.github_private_key or self.github_private_key_path)

    def private_key(self) -> str:
        """The App's private key as PEM text. Raises ValueError where its file has changed since the settings were read."""
        key = self.github_private_key
        if key is None:
            assert self.github_private_key_path
            key = setting_values.private_key_file(self.github_private_key_path)
        return key.get_secret_value()

    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that a delivery may be signed with, the current one first."""
        return tuple(s.get_secret_value() for s in (self.github_webhook_secret, self.github_webhook_secret_old) if s)

    def api_keys(self) -> tuple[ApiKey, ...]:
        """Who may use `POST /code`; none: programs on this machine."""
        return api_keys.parse(self.backspace_api_keys.get_secret_value()) if self.backspace_api_keys else ()

    def secrets(self) -> tuple[str, ...]:
        """Every secret value we know: none of them may ever be shown."""
        given = (
            self.anthropic_api_key,
            self.github_token,
            self.github_webhook_secret,
            self.github_webhook_secret_old,
            self.e2b_api_key,
        )
        key = [self.private_key()] if self.has_app else []
        api = [key.key.get_secret_value() for key in self.api_keys()]
        traces = [word for value in self.trace_headers().values() for word in value.split() if len(word) >= KEY_LENGTH]
        database = [password] if (password := setting_values.password(self.backspace_database_url)) else []
        return (*(secret.get_secret_value() for secret in given if secret), *key, *api, *traces, *database)

    def trace_endpoint(self) -> str | None:
        """Whole address that traces go to; None: nowhere."""
        base = self.otel_exporter_otlp_endpoint
        return self.otel_exporter_otlp_traces_endpoint or (base and f"{base}/v1/traces")

    def trace_headers(self) -> dict[str, str]:
        """By their names in small letters."""
        headers = self.otel_exporter_otlp_headers
        return setting_values.pairs(headers.get_secret_value()) if headers else {}

    @property
    def sandbox(self) -> SANDBOXES:
        """Where commands run, whether it was set or not."""
        return self.backspace_sandbox or ("e2b" if self.e2b_api_key else "local")

    @property
    def is_server(self) -> bool:
        """Takes what comes from GitHub, and keeps what outlives a run."""
        return True

    @property
    def loopback_only(self) -> bool:
        return self.host in ("127.0.0.1", "::1", "localhost")


class RunAlone(Settings):
    """For one run on the command line: neither the App nor a token is needed for a repository of this machine."""

    github_app_id: int | None = Field(default=None, validate_default=False)
    github_private_key_path: Path | None = Field(default=None, validate_default=False)
    github_webhook_secret: SecretStr | None = Field(default=None, validate_default=False)

    @property
    def is_server(self) -> bool:
        return False


class E2BAlone(RunAlone):
    """For a command that has to do with E2B and nobody else: what a server needs besides may be missing."""

    anthropic_api_key: SecretStr = SecretStr("")


def _needs_app(info: ValidationInfo) -> bool:
    """The App's settings go together, and without GITHUB_TOKEN nothing works without them."""
    return info.data.get("github_token") is None or info.data.get("github_app_id") is not None


def load(env_file: Path | None = Path(".env"), kind: type[Settings] = Settings) -> Settings:
    """The settings of this process. Raises UserError, one line for each setting that is missing or malformed, never with its value."""
    try:
        settings = kind(_env_file=env_file)
    except ValidationError as e:
        raise UserError(
            "\n".join(f"{str(error['loc'][0]).upper()}: {setting_values.verdict(error)}" for error in e.errors())
        ) from None
    if kind is Settings:
        _refuse_sandbox(settings)
    return settings


def _refuse_sandbox(settings: Settings) -> None:
    """Raises UserError for a sandbox that can't be had, or that must not be had by accident."""
    refuse_lack_of_key(settings)
    if settings.loopback_only:
        return
    if settings.sandbox == "unsafe-local":
        raise UserError("BACKSPACE_SANDBOX: unsafe-local runs commands without isolation, so HOST must be 127.0.0.1.")
    if not settings.backspace_sandbox and settings.sandbox == "local":
        raise UserError(
            "BACKSPACE_SANDBOX: a server that others reach (HOST) needs E2B_API_KEY; or set local, to run their commands on this machine."
        )


def refuse_lack_of_key(settings: Settings) -> None:
    """Raises UserError where commands are to run in E2B and its key is missing."""
    if settings.sandbox == "e2b" and not settings.e2b_api_key:
        raise UserError("E2B_API_KEY: is missing, and BACKSPACE_SANDBOX=e2b needs it.")
