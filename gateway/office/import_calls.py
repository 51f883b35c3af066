"""The changing calls of MachineImportService: a file is checked whole, against what is there too,
before anything of it is kept.

Flows in: a file and who sends it. Flows out: an import that is carried out by itself, or
CallRefused with what is wrong. Only a rehearsal returns lines with problems.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from actors.machine.ids import MACHINE_ID_PATTERN
from gateway.fleet.act import Act
from gateway.fleet.caller import named
from gateway.fleet.errors import said_alike
from gateway.fleet.machine_acts import MachineActs
from gateway.office import machine_csv
from gateway.office.errors import deed_of, import_refused, in_words
from gateway.office.fields import OfficeFields
from gateway.office.line_acts import difference
from gateway.office.machine_csv import MachineFileLine, MachineWish
from gateway.office.v1 import machine_import_service_pb2 as wire
from storage.fleet import alike
from storage.fleet.views import MachineView
from storage.office.deliveries import LAST_ZONE
from storage.office.imports import ImportLine, Imports, ImportView
from storage.office.profiles import Profiles
from storage.office.sites import Sites, SiteView
from storage.office.stays import Stays, is_past

LINES_PER_S = 10
LINES_PER_S_MAX = 100
FAILURES_MAX = 10_000
IMPORT_ID_LENGTH_MAX = 32
_AT_ONCE = 500
_MACHINE_ID = re.compile(MACHINE_ID_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The lines of a file, those of machines that are not registered yet, and the import that
    carries them out; None if it was only checked.
    """

    lines: Sequence[MachineFileLine]
    new: frozenset[str]
    view: ImportView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCalls:
    """One method for each call, to be given to ``gateway.fleet.idempotence.Requests.once``.
    ``begun`` is called when there is something to carry out; ``new_id`` names an import.
    """

    imports: Imports
    sites: Sites
    profiles: Profiles
    stays: Stays
    acts: MachineActs
    begun: Callable[[], None]
    new_id: Callable[[], str]

    async def begin(self, request: wire.ImportMachinesRequest, act: Act) -> Taken:
        """ImportMachines."""
        fields = OfficeFields().reason(request.reason)
        if request.lines_per_second > LINES_PER_S_MAX:
            fields.wrong("lines_per_second", f"must be at most {LINES_PER_S_MAX}")
        if request.failures_max > FAILURES_MAX:
            fields.wrong("failures_max", f"must be at most {FAILURES_MAX}")
        fields.done()
        read = await asyncio.to_thread(machine_csv.read, request.csv)  # The loop has customers.
        if act.kept:
            with in_words():
                kept = await self.imports.get(id_for(act, self.new_id))
            return Taken(lines=read, new=frozenset(), view=kept)
        lines, new = await self._checked(
            [replace(one, wish=replace(one.wish, reason=request.reason)) for one in read]
        )
        if act.validate_only:
            return Taken(lines=lines, new=new)
        problems = [(one.number, said) for one in lines for said in one.problems]
        if problems:
            raise import_refused(problems)
        deed = deed_of(named(act), "ImportMachines", self.acts.clock)
        with in_words():
            view = await self.imports.begin(
                id_for(act, self.new_id),
                [_kept(one) for one in lines],
                deed,
                lines_per_s=request.lines_per_second or LINES_PER_S,
                failures_max=request.failures_max,
            )
        self.begun()
        return Taken(lines=lines, new=new, view=view)

    async def stop(self, request: wire.StopMachineImportRequest, act: Act) -> ImportView:
        """StopMachineImport."""
        fields = OfficeFields().reason(request.reason)
        import_id(fields, request.import_id).done()
        with in_words():
            return await self.imports.stop(
                request.import_id,
                deed_of(act, "StopMachineImport", self.acts.clock),
                reason=request.reason or f"{act.actor} stopped it",
            )

    async def _checked(
        self, lines: Sequence[MachineFileLine]
    ) -> tuple[list[MachineFileLine], frozenset[str]]:
        """Return the lines with what is wrong about what is there and what they change, and the
        machines that are new.
        """
        now_ms = self.acts.clock.now_ms()
        machines: dict[str, MachineView] = {}
        having: dict[str, set[str]] = {}
        stood: dict[str, str] = {}
        changes: dict[str, str] = {}
        begun: dict[str, str] = {}
        taken_for = dict(alike.among(_ids(lines)))
        for start in range(0, len(lines), _AT_ONCE):
            some = lines[start : start + _AT_ONCE]
            names = _ids(some)
            found = await self.acts.queries.some_machines(names, columns=False)
            machines |= {view.machine_id: view for view in found}
            taken_for |= await self.acts.queries.taken_for(names)
            serials = {serial for one in some if (serial := one.wish.cells.get("serial", ""))}
            for serial, name in await self.profiles.with_serials(serials):
                having.setdefault(serial, set()).add(name)
            stays = await self.stays.from_days(_days(some))
            stood |= stays
            changes |= await self._differences(some, machines, stays, now_ms)
            begun |= await self.stays.last_begun(names, now_ms)
        wanted = sorted({site for one in lines if (site := _site_of(one))})
        sites: dict[str, SiteView] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            sites |= await self.sites.some(wanted[start : start + _AT_ONCE])
        checked = [
            replace(
                one,
                problems=(
                    *one.problems,
                    *_of_machine(one.wish, machines.get(one.wish.machine_id)),
                    *_of_id(one.wish.machine_id, machines, taken_for),
                    *_of_serial(one.wish, having),
                    *_of_site(one, sites),
                    *_of_day(
                        one,
                        sites.get(one.wish.cells.get("site", "")),
                        begun.get(one.wish.machine_id, ""),
                        stood.get(one.wish.machine_id),
                        now_ms,
                    ),
                ),
                difference=changes.get(one.wish.machine_id, ""),
            )
            for one in lines
        ]
        return checked, frozenset(one.wish.machine_id for one in lines).difference(machines)

    async def _differences(
        self,
        lines: Sequence[MachineFileLine],
        machines: Mapping[str, MachineView],
        stays: Mapping[str, str],
        now_ms: int,
    ) -> dict[str, str]:
        """Return what the lines change of machines that are there. ``stays``: where a stay puts a
        machine from its line's very day on.
        """
        known = {
            one.wish.machine_id: one.wish
            for one in lines
            if not one.problems and one.wish.machine_id in machines
        }
        return {
            there.machine_id: difference(
                known[there.machine_id],
                machines[there.machine_id],
                there,
                stays.get(there.machine_id),
            )
            for there in await self.profiles.some(list(known), now_ms)
        }


def id_for(act: Act, new_id: Callable[[], str]) -> str:
    """Return an import's name: the same each time for the same request."""
    if act.claim is None:
        return new_id()
    asked = act.claim.asked
    return hashlib.sha256(f"{asked.caller}\n{asked.request_id}".encode()).hexdigest()[:16]


def import_id(fields: OfficeFields, value: str) -> OfficeFields:
    """Check the name of an import."""
    if not 1 <= len(value) <= IMPORT_ID_LENGTH_MAX or not value.isalnum():
        fields.wrong("import_id", "must be the import_id that ImportMachines answered")
    return fields


def _kept(line: MachineFileLine) -> ImportLine:
    wish = line.wish
    return ImportLine(line=line.number, machine_id=wish.machine_id, content=wish.kept())


def _of_machine(wish: MachineWish, view: MachineView | None) -> list[str]:
    cells = wish.cells
    if view is None:
        return [
            f"{name}: is needed, because the machine is not registered yet"
            for name in ("store_name", "currency")
            if name not in cells
        ]
    found = []
    if view.retired_at_ms is not None:
        found.append("machine_id: was retired, which is for ever")
    if cells.get("currency", view.currency) != view.currency:
        found.append(f"currency: is {view.currency}, for ever")
    return found


def _ids(lines: Sequence[MachineFileLine]) -> list[str]:
    """Return the ids of the lines. What can be no machine's, which may be as long as a file, is
    refused as it is, and is looked for nowhere.
    """
    return [name for one in lines if _MACHINE_ID.fullmatch(name := one.wish.machine_id)]


def _of_id(
    machine_id: str, machines: Mapping[str, MachineView], taken_for: Mapping[str, str]
) -> list[str]:
    """Return what is wrong with a new machine's id, as RegisterMachine says it."""
    other = taken_for.get(machine_id)
    if other is None or machine_id in machines:
        return []
    return [f"machine_id: {said_alike(other)}"]


def _days(lines: Sequence[MachineFileLine]) -> dict[str, str]:
    return {
        one.wish.machine_id: day
        for one in lines
        if not one.problems and (day := one.wish.cells.get("from_day", ""))
    }


def _of_serial(wish: MachineWish, having: Mapping[str, set[str]]) -> list[str]:
    """Return what is wrong with a serial that the machine would newly get: of two which have one
    from before, each may keep it, as UpdateMachineProfile has it.
    """
    there = having.get(wish.cells.get("serial", ""), set())
    if not there or wish.machine_id in there:
        return []
    return [f"serial: is that of machine {min(there)}"]


def _site_of(line: MachineFileLine) -> str:
    """Return the site of a line, empty if it has none or what stands there is no code."""
    wrong = any(said.startswith("site:") for said in line.problems)
    return "" if wrong else line.wish.cells.get("site", "")


def _of_site(line: MachineFileLine, sites: Mapping[str, SiteView]) -> list[str]:
    code = _site_of(line)
    if not code:
        return []
    site = sites.get(code)
    if site is None:
        return [f"site: there is no site {code!r}: CreateSite makes it"]
    if site.archived_at_ms is not None:
        return [f"site: {code!r} is archived: RestoreSite, or name another"]
    return []


def _of_day(
    line: MachineFileLine, site: SiteView | None, begun: str, stood: str | None, now_ms: int
) -> list[str]:
    """Return what is wrong with the day of a placement, as PlaceMachine says it, if it is a day.
    ``stood``: where a stay puts the machine from that very day on; the same again is no change, and
    needs no reason.
    """
    wish = line.wish
    if any(said.startswith("from_day:") for said in line.problems):
        return []
    code, day = wish.cells.get("site", ""), wish.cells.get("from_day", "")
    if not day or wish.reason or stood == code:
        return []
    if day < begun:
        return [f"from_day: is before the present placement, of {begun}, which needs a reason"]
    # Nowhere has the time zone of the place before it: it is over at the latest when it is in all.
    zone = LAST_ZONE if site is None else site.content.time_zone
    if is_past(day, zone, now_ms):
        return ["from_day: is over there, which needs a reason"]
    return []
