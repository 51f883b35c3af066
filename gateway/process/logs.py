"""Sets up logging for a process: structlog, and the standard library's loggers (uvicorn, alembic,
grpc) through the same lines.

Lines go to standard error, so that standard output stays a script's. Of one kind only so many are
written (``sampling``). What must never be written is
cut out here too, in case a caller forgets.
"""

import atexit
import functools
import logging
import sys
from collections.abc import MutableMapping
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


def set_up(*, level: str, line_format: str, stream: TextIO | None = None) -> None:
    """Write lines of ``level`` and above as ``json`` or for people (``console``) to ``stream``
    (None: standard error).
    """
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
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
        colors = (stream or sys.stderr).isatty()
        rendered += [
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback
            )
        ]
    rendered.append(_no_passwords)
    handler = logging.StreamHandler(stream) if stream is not None else _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=rendered)
    )
    sampler = Sampler(handler)
    handler.addFilter(sampler)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    atexit.unregister(_tell_what_was_left_out)
    atexit.register(_tell_what_was_left_out)


def _tell_what_was_left_out() -> None:
    for handler in logging.getLogger().handlers:
        for one in handler.filters:
            if isinstance(one, Sampler):
                one.report()


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
