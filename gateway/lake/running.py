"""What ``vendgate lake`` does: settings in, sentences out, and an exit status."""

import asyncio
import csv
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gateway.books.audit import READ_TIMEOUT_MS
from gateway.lake.answers import for_a_spreadsheet, write_answer
from gateway.lake.on_ray import on_ray_of
from gateway.process import configs
from gateway.process.clock import SystemClock
from gateway.process.settings import Settings
from storage.database.engine import Database
from storage.insight.sales import Beside, By, SalesWanted
from storage.lake import asking, compacting, exporting
from storage.lake import cubes as cubing
from storage.lake.duck import Bounds, LakeError, require
from storage.lake.folder import LakeFolder
from storage.lake.keeper import Keeper, kept, remove_replaced
from storage.lake.lists import Stream
from storage.lake.proving import LakeProof, prove_lake
from storage.office.deeds import NotPossible, NotThere
from storage.office.sites import SiteType

DONE, REFUSED = 0, 1
Work = Callable[[Database, LakeFolder], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOfLake:
    """A question as a command line has it."""

    by: str
    first: int
    last: int
    beside: str
    machine_ids: tuple[str, ...]
    district: str
    site_type: str

    def wanted(self) -> SalesWanted:
        """Return what is wanted. Raises LakeError for a word that is none."""
        return SalesWanted(
            first=self.first,
            last=self.last,
            by=By(_one_of(self.by, [one.value for one in By])),
            beside=Beside(_one_of(self.beside, [one.value for one in Beside])),
            machine_ids=self.machine_ids,
            district=self.district,
            site_type=_one_of(self.site_type, list(SiteType)) if self.site_type else "",
        )


def _one_of(said: str, known: Sequence[str]) -> str:
    word = said.upper().replace("-", "_")
    if word not in known:
        raise LakeError(f"{said!r} is none of {', '.join(known).lower()}.")
    return word


def export(settings: Settings, *, again: bool) -> int:
    """Write facts to files; return the exit status. Raises SettingsRefused, StoreError,
    LakeError.
    """

    async def work(keeper: Keeper) -> int:
        if again:
            await exporting.begin_again(keeper)
        count = await exporting.export(
            keeper,
            bounds=bounds_of(settings),
            tell=lambda facts, position: _note(f"{facts} facts, up to position {position}"),
        )
        print(f"{count} facts were written; the lake is at position {keeper.position}.")
        return DONE

    return _keeping(settings, work, again=again)


def compact(settings: Settings, *, keep_minutes: int) -> int:
    """Compact the lake; return the exit status. Raises SettingsRefused, StoreError, LakeError."""

    async def work(keeper: Keeper) -> int:
        # Before it, too: on a disk that is full there is no other room to write in.
        gone = await remove_replaced(keeper, keep_ms=keep_minutes * 60_000)
        days = await compacting.compact(
            keeper,
            bounds=bounds_of(settings),
            tell=lambda done, of: _note(f"day {done} of {of}"),
        )
        gone += await remove_replaced(keeper, keep_ms=keep_minutes * 60_000)
        print(f"{days} days were written anew; {gone} files that nobody reads were removed.")
        return DONE

    return _keeping(settings, work)


def cubes(settings: Settings, *, on_ray: bool) -> int:
    """Make cubes; return the exit status. Raises SettingsRefused, StoreError, LakeError."""

    async def work(keeper: Keeper) -> int:
        with on_ray_of(settings if on_ray else None) as run:
            days = await cubing.make_cubes(
                keeper,
                run,
                bounds=bounds_of(settings, on_ray=on_ray),
                tell=lambda done, of: _note(f"day {done} of {of}"),
            )
        print(f"The cubes of {days} days were made; those of other days were there.")
        return DONE

    return _keeping(settings, work)


def verify(settings: Settings, *, as_json: bool) -> int:
    """Prove the lake; return the exit status. Raises SettingsRefused, StoreError, LakeError."""

    async def work(database: Database, folder: LakeFolder) -> int:
        proof = await prove_lake(database, folder, bounds=bounds_of(settings))
        print(json.dumps(asdict(proof), indent=2) if as_json else _told(proof))
        return REFUSED if proof.findings else DONE

    return _reading(settings, work)


def files(settings: Settings, *, of_cubes: bool, first: int, last: int, as_json: bool) -> int:
    """List files that may be read; return the exit status. Raises SettingsRefused, StoreError,
    LakeError.
    """

    async def work(database: Database, folder: LakeFolder) -> int:
        stream = Stream.CUBES if of_cubes else Stream.SALES
        position, found = await asking.listed(database, stream, first=first, last=last)
        if as_json:
            told = [asdict(one) | {"path": str(folder.path(one.path))} for one in found]
            print(json.dumps({"position": position, "files": told}, indent=2))
        else:
            print("\n".join(str(folder.path(one.path)) for one in found))
        return DONE

    return _reading(settings, work)


def ask(settings: Settings, asked: AskedOfLake, *, out: Path | None) -> int:
    """Answer a question; return the exit status. Raises SettingsRefused, StoreError, LakeError."""

    async def work(database: Database, folder: LakeFolder) -> int:
        try:
            answer = await asking.ask(database, folder, asked.wanted(), bounds=bounds_of(settings))
        except NotThere as error:
            raise LakeError(f"There is no {error.what} {error.name!r}.") from error
        except NotPossible as error:
            raise LakeError(f"{error}.") from error
        if out is None:
            csv.writer(sys.stdout, lineterminator="\n").writerows(for_a_spreadsheet(answer))
        else:
            write_answer(answer, out)
        _note(
            f"complete up to position {answer.position}; beside it {answer.before_first} to "
            f"{answer.before_last}; {answer.from_cubes} days of cubes, {answer.from_sales} of facts"
        )
        return DONE

    return _reading(settings, work)


def bounds_of(settings: Settings, *, on_ray: bool = False) -> Bounds:
    """Return what one DuckDB may use: a task of Ray's has one processor."""
    return Bounds(threads=1 if on_ray else settings.lake.threads, memory_mb=settings.lake.memory_mb)


def _told(proof: LakeProof) -> str:
    lines = [f"{proof.facts} facts in {proof.files} files, up to position {proof.position}."]
    lines += [
        f"{currency}: {minor} minor units of sales." for currency, minor in proof.sums.items()
    ]
    lines += [f"WRONG: {one}." for one in proof.findings]
    if proof.findings:
        lines.append(
            "See 'vendgate insight verify'; if that is clean, 'vendgate lake export --again' "
            "mends it."
        )
    else:
        lines.append("Each fact is there once, and they add up to the ledger.")
    return "\n".join(lines)


def _note(text: str) -> None:
    """Say how far it is, beside what is answered."""
    print(text, file=sys.stderr, flush=True)


def _keeping(
    settings: Settings, work: Callable[[Keeper], Awaitable[int]], *, again: bool = False
) -> int:
    async def kept_work(database: Database, folder: LakeFolder) -> int:
        async with keeping(database, folder, again=again) as keeper:
            return await work(keeper)

    return _with(settings, kept_work, read_only=False)


@asynccontextmanager
async def keeping(
    database: Database, folder: LakeFolder, *, again: bool = False
) -> AsyncIterator[Keeper]:
    """Keep the lake, as this process; ``again``: all of it is made again."""
    holder = f"lake-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    async with kept(database, SystemClock(), folder, holder, again=again) as keeper:
        yield keeper


def _reading(settings: Settings, work: Work) -> int:
    return _with(settings, work, read_only=True)


def _with(settings: Settings, work: Work, *, read_only: bool) -> int:
    require()
    storage = configs.storage_config(settings, writes=not read_only)

    async def opened() -> int:
        database = await Database.open(
            replace(storage, read_only=read_only, read_timeout_ms=READ_TIMEOUT_MS)
        )
        try:
            return await work(database, LakeFolder(settings.lake.folder))
        finally:
            await database.close()

    return asyncio.run(opened())
