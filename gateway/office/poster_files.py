"""``vendgate poster``: machines' posters into a file, from SQL alone, whether a gateway runs or
not.

Flows in: the settings, and which machines. Flows out: a file that is there whole or not at all, a
row of the audit log for each poster before anybody has it, and sentences about what is not in it.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from google.protobuf import json_format

from gateway.office.errors import in_words
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import selector_pb2
from gateway.posters.layout import Sheet
from gateway.posters.press import Press, Pressed
from gateway.posters.refusals import PosterRefused
from gateway.process import configs
from gateway.process.clock import SystemClock
from gateway.process.endings import complain
from gateway.process.settings import Settings
from storage.database.engine import Database, StorageConfig
from storage.office.poster_lines import PosterLine
from storage.office.posters import PosterBooks
from storage.office.selectors import Selector

MACHINES_MAX = 2_000
"""On one PDF, which is drawn in memory."""
READ_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks for: machines by name, or a ``selector`` in the JSON of calls."""

    machine_ids: tuple[str, ...]
    selector: str
    sheet: Sheet
    out: Path
    skip: bool
    force: bool
    by: str

    @property
    def format(self) -> str:
        """Pdf or png, as the file is called."""
        return self.out.suffix.lower().removeprefix(".")


def make(settings: Settings, wanted: Wanted) -> None:
    """Write the file and say what is in it. Raises SettingsRefused, PosterRefused, CallRefused,
    StoreError, OSError.
    """
    _check(wanted)
    selector = _selector(wanted)
    press = Press(settings.posters, wanted.sheet)
    pressed = asyncio.run(_made(configs.storage_config(settings), press, selector, wanted))
    for one in pressed.refused:
        complain(f"left out: {one}.")
    count = len(pressed.printed)
    print(f"{wanted.out} has {count} {'poster' if count == 1 else 'posters'}.")


def _check(wanted: Wanted) -> None:
    if wanted.format not in {"pdf", "png"}:
        raise _asked_wrongly(f"{wanted.out}: name a file that ends in .pdf or .png")
    if bool(wanted.machine_ids) == bool(wanted.selector):
        raise _asked_wrongly("name machines, or give --selector: one of the two")
    if wanted.format == "png" and len(set(wanted.machine_ids)) != 1:
        raise _asked_wrongly("a PNG has one machine's poster: name one, or take a .pdf")
    if wanted.out.exists() and not wanted.force:
        raise _asked_wrongly(
            f"{wanted.out} is there: name another file, or overwrite it with --force"
        )


def _selector(wanted: Wanted) -> Selector:
    message = selector_pb2.Selector(machine_ids=wanted.machine_ids)
    if wanted.selector:
        try:
            json_format.Parse(wanted.selector, message)
        except json_format.ParseError as error:
            raise _asked_wrongly(f"--selector is none: {error}") from None
    fields = PlaceFields()
    found = fields.selector(message)
    fields.done()
    return found


async def _made(
    storage: StorageConfig, press: Press, selector: Selector, wanted: Wanted
) -> Pressed:
    clock = SystemClock()
    database = await Database.open(storage)
    try:
        books = PosterBooks(database)
        lines = await _lines(books, selector, wanted, clock.now_ms())
        with _beside(wanted.out) as file:
            pressed = _drawn(file, press, lines, wanted)
            file.flush()
            os.fsync(file.fileno())
            form = f"{wanted.sheet.size} {wanted.format}"
            await books.note(pressed.printed, form=form, actor=wanted.by, now_ms=clock.now_ms())
            _put(Path(file.name), wanted)
    finally:
        await database.close()
    return pressed


async def _lines(
    books: PosterBooks, selector: Selector, wanted: Wanted, now_ms: int
) -> list[PosterLine]:
    """Return the machines in the order of their ids. Those that were named are there, retired or
    not, so that they are refused by name.
    """
    ids = list(selector.machine_ids)
    if not wanted.machine_ids:
        with in_words():
            ids = await books.held(selector, now_ms, limit=MACHINES_MAX + 1)
        if not ids:
            raise PosterRefused("NO_MACHINES", "the selector holds no machine: nothing was printed")
        if len(ids) > MACHINES_MAX:
            raise PosterRefused(
                "TOO_MANY_MACHINES",
                f"the selector holds more than {MACHINES_MAX} machines: take a part of them for a "
                "file",
            )
    lines: list[PosterLine] = []
    for start in range(0, len(ids), READ_AT_ONCE):
        lines += await books.lines(ids[start : start + READ_AT_ONCE], now_ms)
    known = {line.machine_id for line in lines}
    unknown = [one for one in wanted.machine_ids if one not in known]
    if unknown:
        raise PosterRefused("MACHINE_NOT_FOUND", f"there is no machine {', '.join(unknown)}")
    return lines


def _drawn(file: IO[bytes], press: Press, lines: list[PosterLine], wanted: Wanted) -> Pressed:
    if wanted.format == "png":
        content, printed = press.png(lines[0])
        file.write(content)
        return Pressed(printed=[printed], refused=[])
    pressed = press.pdf(file, lines)
    if pressed.refused and not (wanted.skip and pressed.printed):
        raise PosterRefused(
            "POSTERS_REFUSED", "nothing was printed:\n" + "\n".join(map(str, pressed.refused))
        )
    return pressed


@contextmanager
def _beside(out: Path) -> Iterator[IO[bytes]]:
    """Yield a new file in the same folder, which is gone afterwards unless it got another name."""
    with tempfile.NamedTemporaryFile(
        dir=out.absolute().parent, prefix=f".{out.name}.", delete=False
    ) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def _put(made: Path, wanted: Wanted) -> None:
    """Give the file its name, in one step."""
    if wanted.force:
        made.replace(wanted.out)
        return
    try:
        os.link(made, wanted.out)
    except FileExistsError:
        raise _asked_wrongly(
            f"{wanted.out} was made by somebody else meanwhile: name another file"
        ) from None


def _asked_wrongly(sentence: str) -> PosterRefused:
    return PosterRefused("ASKED_WRONGLY", sentence)
