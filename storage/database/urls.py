"""The database's URL: what is understood, in one place, so that whatever would refuse it later is
refused here, with a sentence and without the password.
"""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from actors.ports import StoreError
from storage.database import dialects

_WRITE = "write sqlite:///path/to/file or postgresql://user@host/name"
_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "sqlite+aiosqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
TRANSACTION = "transaction"
"""As ``?pooler=``: behind PgBouncer, or another one that gives each transaction whichever
connection to the server is free, so that nothing of a session lasts longer.
"""
_QUERY = ("host", "ssl", "pooler")
"""What may stand behind the question mark of a PostgreSQL URL: a socket's folder, TLS, and a
pooler.
"""
_HINTS = {
    "sslmode": "write ssl= for sslmode=",
    "connect_timeout": "how long to wait is database.busy_timeout_ms",
    "timeout": "how long to wait is database.busy_timeout_ms",
    "command_timeout": "how long to wait is database.busy_timeout_ms",
    "options": "the program sets what it needs itself",
    "prepared_statement_cache_size": "write pooler=transaction",
}


def parse(url: str) -> URL:
    """Return the URL with the driver that writes; raises StoreError for what is neither SQLite in a
    file nor PostgreSQL, or cannot be opened as it stands.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: the port is no number
        raise StoreError(f"The database URL cannot be read: {_WRITE}.") from None
    if parsed.get_backend_name() not in {dialects.SQLITE, dialects.POSTGRESQL}:
        raise StoreError(
            f"No support for {parsed.get_backend_name()}: use SQLite or PostgreSQL, and {_WRITE}."
        )
    if parsed.drivername not in _DRIVERS:
        raise StoreError(f"The driver {parsed.drivername} is not known: {_WRITE}.")
    for problem in _problems(parsed):
        raise StoreError(problem)
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


def unwritable(url: URL) -> Iterator[str]:
    """Yield why no SQLite database can be made at this URL, or written if it is there. Nothing is
    touched.
    """
    if url.get_backend_name() != dialects.SQLITE or not url.database:
        return
    file = Path(url.database).absolute()
    try:
        is_there, folder = file.exists(), next(one for one in file.parents if one.exists())
    except OSError as error:
        yield f"The database {file} cannot be reached by this user ({error.strerror})."
        return
    if is_there and not file.is_file():
        yield f"The database {file} is no file."
    elif is_there and not os.access(file, os.R_OK | os.W_OK):
        yield f"The database {file} cannot be written by this user: chown it."
    elif not folder.is_dir():
        yield f"The database {file} cannot be made: {folder} is no folder."
    elif is_of_the_kernel(folder):
        yield f"The database {file} cannot be made: {folder} keeps no files. Name another place."
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield (
            f"The database {file} needs a folder that this user may write, for the files beside "
            f"it, and {folder} is none: chown it, or name another file."
        )


def is_of_the_kernel(place: Path) -> bool:
    """Return whether it shows what the kernel knows: root may write there, but make no files."""
    device = place.stat().st_dev
    return any(
        os.path.ismount(shown) and device == Path(shown).stat().st_dev
        for shown in ("/proc", "/sys")
    )


def _problems(url: URL) -> Iterator[str]:
    if url.get_backend_name() == dialects.SQLITE:
        if not url.database or url.database == ":memory:":
            yield (
                "The database must be in a file that several processes can open: write "
                "sqlite:///path/to/file."
            )
        if url.host or url.username or url.query:
            yield "The URL of a SQLite file is sqlite:///path/to/file, without anything else."
        if url.database and Path(url.database).is_dir():
            yield f"The database {url.database} is a folder: name a file in it."
        return
    if not url.host and "host" not in url.query:
        yield "The database URL names no host: write postgresql://user@host/name."
    if not url.database:
        yield "The database URL names no database: write postgresql://user@host/name."
    if importlib.util.find_spec("asyncpg") is None:
        yield (
            "PostgreSQL needs the package asyncpg, which is not installed: pip install "
            "'vendgate[postgres]'."
        )
    if url.port is not None and not 0 < url.port < 65_536:
        yield f"The database's port {url.port} is none: write one of 1 to 65535."
    for name, value in url.query.items():
        if name not in _QUERY:
            hint = _HINTS.get(name, f"known are {', '.join(_QUERY)}")
            yield f"The database URL's ?{name}= is not known here: {hint}."
        elif not isinstance(value, str):
            yield f"The database URL's ?{name}= may stand there once."
        elif name == "ssl" and value not in _SSL_MODES:
            yield f"The database URL's ?ssl= must be one of {', '.join(_SSL_MODES)}."
        elif name == "pooler" and value != TRANSACTION:
            yield (
                f"The database URL's ?pooler= can be {TRANSACTION} alone; with a pooler whose "
                "connections last for a session leave it out."
            )
