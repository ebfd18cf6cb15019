"""What the values of settings may look like, and what is said of one that does not."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, SecretStr
from pydantic_core import ErrorDetails

from app.core import api_keys


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "@" in value:
        raise ValueError("must be an http:// or https:// address without a user name in it")
    return value.rstrip("/")


def _database(value: str) -> str:
    if value.startswith("sqlite:///") and value.removeprefix("sqlite:///").strip("/"):
        return value
    if re.fullmatch(r"postgres(ql)?://[^/]*/.+", value) and _has_a_port_at_most(value):
        return value.replace("postgres://", "postgresql://", 1)
    raise ValueError(
        "must be sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE; a @, : or / in the password is %40, %3A or %2F"
    )


def _has_a_port_at_most(url: str) -> bool:
    """Behind its host; not the rest of a password."""
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True


def _headers(value: SecretStr) -> SecretStr:
    given = value.get_secret_value()
    plain = unquote(given)
    if not (plain.isascii() and plain.isprintable() and all(re.match(r"\s*[\w.-]+=.", p) for p in given.split(","))):
        raise ValueError("must be name=value, several with commas between")
    return value


def _api_keys(value: SecretStr) -> SecretStr:
    api_keys.parse(value.get_secret_value())
    return value


Url = Annotated[str, AfterValidator(_url)]
DatabaseUrl = Annotated[str, AfterValidator(_database)]
Headers = Annotated[SecretStr, AfterValidator(_headers)]
ApiKeys = Annotated[SecretStr, AfterValidator(_api_keys)]


def password(url: str) -> str:
    """Of the database; "" where there is none, as for a SQLite file."""
    return unquote(urlsplit(url).password or "")


def pairs(headers: str) -> dict[str, str]:
    """By their names in small letters."""
    found = (pair.partition("=") for pair in headers.split(","))
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in found}


def private_key(pem: bytes) -> SecretStr:
    """Raises ValueError where it is none that the App's settings page gives."""
    if not _is_rsa(pem):
        raise ValueError(
            "must be the whole RSA private key in PEM that the App's settings page gave, without a password"
        )
    return SecretStr(pem.decode())


def private_key_file(path: Path) -> SecretStr:
    """Raises ValueError as well where it can't be read."""
    try:
        return private_key(path.read_bytes())
    except OSError as e:
        raise ValueError(f"the file can't be read ({e.strerror})") from None


def _is_rsa(pem: bytes) -> bool:
    try:
        return isinstance(load_pem_private_key(pem, password=None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def verdict(error: ErrorDetails) -> str:
    """What is wrong with a value, without the value."""
    match error["type"]:
        case "missing":
            return "is missing."
        case "too_short":
            return f"must have at least {error['ctx']['min_length']} characters."
        case "greater_than_equal":
            return f"must be at least {error['ctx']['ge']}."
        case "less_than_equal":
            return f"must be at most {error['ctx']['le']}."
        case "greater_than":
            return f"must be more than {error['ctx']['gt']}."
        case "int_parsing" | "int_from_float":
            return "must be a whole number."
        case "float_parsing":
            return "must be a number."
        case "bool_parsing":
            return "must be true or false."
        case "literal_error":
            return f"must be {error['ctx']['expected']}."
    return error["msg"].removeprefix("Value error, ") + "."
