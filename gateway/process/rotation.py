"""Secrets that take each other's place while everything goes on: Alipay's keys and ours, the
payers' salt, the CA that issues for machines.

Flows in: the files of the settings, looked at every few seconds. Flows out: what is to be used from
now on, read and checked as at the start. A change that cannot be used is logged once, and what was
in use stays in use until the files can be.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from gateway.process.files import marks_of
from gateway.process.refusals import SettingsRefused

log = structlog.get_logger()
LOOK_EVERY_S = 5.0
_CANNOT = "changed secrets cannot be used, the old ones stay"
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotating(Generic[Read]):
    """The files, as they were when they were read last, and what reads them again."""

    files: Sequence[Path]
    marks: Sequence[tuple[int, int, int]]
    read: Callable[[], Read]
    """Raises SettingsRefused."""

    @classmethod
    def of(cls, files: Sequence[Path | None], read: Callable[[], Read]) -> "Rotating[Read]":
        """Mark the files that are there; before they are read."""
        there = [path for path in files if path is not None]
        return cls(files=there, marks=marks_of(there), read=read)


async def follow(
    rotating: Rotating[Read], use: Callable[[Read], None], *, every_s: float = LOOK_EVERY_S
) -> None:
    """Have what the files say by now used whenever they change, until this is cancelled. ``use``
    raises SettingsRefused for what it cannot use.
    """
    seen, told = rotating.marks, ""
    while True:
        await asyncio.sleep(every_s)
        marks = marks_of(rotating.files)
        if marks == seen:
            continue
        try:
            # Loading keys takes some 50 ms, which is too long for the loop.
            use(await asyncio.to_thread(rotating.read))
        except SettingsRefused as error:
            if told != str(error):
                log.error(_CANNOT, problems=error.problems)  # noqa: TRY400 - a sentence, no defect
            told = str(error)
        except Exception as error:
            if told != repr(error):
                log.exception(_CANNOT)
            told = repr(error)
        else:
            seen, told = marks, ""
            log.info("secrets were read again")
