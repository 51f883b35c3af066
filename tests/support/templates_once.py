"""Templates of pages that are compiled once for all tests of a process.

Each test has a site of its own, and the first page of one compiles what all its pages share: a
tenth of a second of processor and more, several times what to draw the page takes.
"""

import contextlib
from collections.abc import Iterator
from types import CodeType
from typing import Any
from unittest.mock import patch

from jinja2 import Environment

_COMPILE: Any = Environment.compile
_SETTINGS = ("autoescape", "finalize", "undefined", "trim_blocks", "lstrip_blocks")


@contextlib.contextmanager
def compiled_once() -> Iterator[None]:
    """Let an environment have what another one of the same settings compiled of the same text.
    Time zones, which differ, are asked when a page is drawn.
    """
    kept: dict[tuple[Any, ...], CodeType] = {}

    def compile_once(
        self: Environment, source: Any, name: str | None = None, filename: str | None = None
    ) -> CodeType:
        settings = (getattr(self, setting) for setting in _SETTINGS)
        key = (source, name, filename, *settings, frozenset(self.filters), frozenset(self.tests))
        if key not in kept:
            kept[key] = _COMPILE(self, source, name, filename)
        return kept[key]

    with patch.object(Environment, "compile", compile_once):
        yield
