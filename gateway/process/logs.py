"""Sets up logging for a process: structlog, and the standard library's loggers (uvicorn, alembic,
grpc) through the same lines.

Lines go to standard error, so that standard output stays a script's; those of a host in a process
of its own to a file, if there is one for them. Of one kind only so many are written (``sampling``).
What must never be written is cut out here too, in case a caller forgets.
"""

import atexit
import functools
import logging
import logging.handlers
import os
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import structlog

from alipay_client.notify import names_buyer
from gateway.process import texts
from gateway.process.sampling import Sampler

_FORBIDDEN = frozenset({"sign", "signed", "md5_key", "private_key"})
"""Beside what names a buyer or a payer (the number of one, or the salt of their hashes, included).
"""
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)
"""Without local values: keys and buyers may be among them."""
_QUIET = ("alembic", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "httpcore", "asyncio")


def set_up(
    *,
    level: str,
    line_format: str,
    stream: TextIO | None = None,
    path: Path | None = None,
    host: str = "",
) -> None:
    """Write lines of ``level`` and above as ``json`` or for people (``console``) to ``stream``
    (None: standard error), or at the end of the file at ``path``. ``host``: who says it, in each
    line.

    A file that cannot be opened is said to standard error, where all goes then: nobody stops
    selling because of that.
    """
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        *([functools.partial(_says, host)] if host else []),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        _hide,
        _plain,
    ]
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level.upper()),
        cache_logger_on_first_use=False,  # modules make their loggers at import, before this runs
    )
    rendered: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta
    ]
    if line_format == "json":
        rendered += [
            _TRACEBACKS,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ]
    else:
        colors = path is None and (stream or sys.stderr).isatty()
        rendered += [
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    rendered.append(_no_passwords)
    handler, problem = _handler(stream, path)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=rendered)
    )
    sampler = Sampler(handler)
    handler.addFilter(sampler)
    root = logging.getLogger()
    for before_it in root.handlers:
        if isinstance(before_it, _File):
            with suppress(OSError):  # What it could not write it cannot write now.
                before_it.close()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    if problem:
        logging.getLogger(__name__).error("a file of logs cannot be written: %s", problem)
    atexit.unregister(_tell_what_was_left_out)
    atexit.register(_tell_what_was_left_out)


def _handler(stream: TextIO | None, path: Path | None) -> tuple[logging.Handler, str]:
    """Return where lines go, and why that is not ``path``."""
    problem = ""
    if path is not None:
        try:
            return _File(path), ""
        except (OSError, ValueError) as error:
            problem = f"{path}: {getattr(error, 'strerror', None) or error}"
    return logging.StreamHandler(stream) if stream is not None else _Stderr(), problem


def _tell_what_was_left_out() -> None:
    for handler in logging.getLogger().handlers:
        for one in handler.filters:
            if isinstance(one, Sampler):
                one.report()


class _File(logging.handlers.WatchedFileHandler):
    """The end of a file that only its owner may read, which several processes write to, and which
    may be moved away for a new one at any time. Whoever says something goes on, whatever becomes of
    the file: what cannot be written there goes to standard error.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; its folder may be gone, its disk full."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Write the line elsewhere, if that can be done."""
        with suppress(OSError, ValueError):
            sys.stderr.write(self.format(record) + self.terminator)

    def _open(self) -> TextIOWrapper:
        def owner_s(path: str, flags: int) -> int:
            # Opening a pipe that nobody reads would wait for ever; this way it fails.
            descriptor = os.open(path, flags | os.O_NONBLOCK, 0o600)
            os.set_blocking(descriptor, True)
            return descriptor

        return open(self.baseFilename, "a", encoding="utf-8", opener=owner_s)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment, which a larger program may have replaced."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        raise AttributeError(f"{value} is not asked for")


def _says(
    host: str, _logger: object, _name: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    line.setdefault("host", host)
    return line


def _plain(_logger: object, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Let no text of a machine, a person or Alipay turn a line around or command a terminal."""
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = texts.plain_lines(value)
    return line


def _no_passwords(_logger: object, _name: str, line: Any) -> str:
    """The last step: a URL may stand anywhere, in a driver's error and in a traceback too."""
    return texts.without_passwords(str(line))


def _hide(_logger: object, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in line:
        if _is_forbidden(name):
            line[name] = "***"
    return line


@functools.lru_cache(maxsize=1_024)
def _is_forbidden(name: str) -> bool:
    """The names come from the lines of our code, so they are few and come again."""
    return name in _FORBIDDEN or names_buyer(name)
