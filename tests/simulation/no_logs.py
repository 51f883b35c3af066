"""Worlds make no log lines, and their courier does not look at its watch every second."""

import contextlib
from collections.abc import Iterator
from typing import Any, cast

import structlog

from alipay_client.simulator import delivery


@contextlib.contextmanager
def without_logs() -> Iterator[None]:
    """No log lines, and a courier that does not look at its watch every second."""
    before, poll_s = structlog.get_config(), delivery._POLL_S
    structlog.configure(
        wrapper_class=cast("Any", _Silent), cache_logger_on_first_use=False, processors=[]
    )
    delivery._POLL_S = 600.0
    try:
        yield
    finally:
        structlog.configure(**before)
        delivery._POLL_S = poll_s


class _Silent:
    """A logger that says nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def bind(self, **_: object) -> "_Silent":
        return self

    def _nothing(self, *_: object, **__: object) -> None:
        pass

    debug = info = warning = error = exception = _nothing
