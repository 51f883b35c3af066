"""The URLs that an operator writes: which of them can be meant. Pure."""

from contextlib import suppress
from urllib.parse import urlsplit

from alipay_client.config import PRINTED
from gateway.process.texts import without_passwords


def is_url(text: str) -> bool:
    """Return whether others can reach it: http or https, without a login, a query or a fragment."""
    with suppress(ValueError):
        parts = urlsplit(text)
        return (
            parts.port != 0
            and parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.username is None
            and PRINTED.fullmatch(text) is not None
        )
    return False


def reachable(text: str) -> str:
    """Return the URL, or nothing. Raises ValueError for what others cannot reach."""
    if text and not is_url(text):
        raise ValueError(
            f"{without_passwords(repr(text))} is not an http or https URL without a query; write "
            "what others can reach, in ASCII, without a name or a password"
        )
    return text


def with_host(text: str) -> str:
    """Return the URL, or nothing. Raises ValueError for one that leads to no computer."""
    with suppress(ValueError):
        parts = urlsplit(text)
        if not text or (parts.hostname and parts.port != 0):
            return text
    raise ValueError(
        f"{without_passwords(repr(text))} names no computer, or a port that is none; write "
        "http://host:port/path"
    )
