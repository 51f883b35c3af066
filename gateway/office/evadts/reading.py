"""Reading: what a machine counted, out of a file of its own, with all that is wrong about it.

Flows in: bytes of anybody. Flows out: one ``Read`` for each transmission, or ReadoutRefused with a
sentence. A figure that cannot be read is None, never 0.
"""

import re
from dataclasses import dataclass

from gateway.office.evadts.checksums import of_segments
from gateway.office.evadts.segments import (
    Defect,
    Finding,
    ReadoutRefused,
    Segment,
    Transmission,
    transmissions,
)
from storage.office.audit_figures import MachineCounters, Meter

COLUMNS_MAX = 512
DECIMALS_MAX = 4
TEXT_LENGTH_MAX = 64
_NUMBER = re.compile(r"[0-9]{1,14}")
"""With four more decimals it still is 64 bits."""
_CRC = re.compile(r"[0-9A-Fa-f]{4}")
_LAST = ("SE", "DXE")
"""Where a file may end without a line end, and be whole."""
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One transmission. ``counters`` count money in units of ``decimals`` decimals, None if the
    file does not say; ``currency`` is '' then. ``sender`` is DXS01, '' without one. ``said_at`` is
    the machine's own date and time, as it stands there. ``findings_left_out`` were too many.
    """

    content: bytes
    sender: str
    serial: str
    asset: str
    model: str
    said_at: str
    currency: str
    decimals: int | None
    counters: MachineCounters
    findings: tuple[Finding, ...]
    findings_left_out: int = 0

    @property
    def damaged(self) -> bool:
        """Whether bytes of it are wrong, so that its figures may be."""
        return self._has(Defect.CHECKSUM)

    @property
    def partial(self) -> bool:
        """Whether some of it is missing: what is not there was perhaps counted."""
        return self._has(Defect.CUT_OFF)

    def _has(self, defect: Defect) -> bool:
        return any(one.defect is defect for one in self.findings)


def read(content: bytes) -> list[Read]:
    """Return what the file's transmissions say. Raises ReadoutRefused, for all of it."""
    found = transmissions(content)
    return [_Reader(one, number, len(found)).read() for number, one in enumerate(found, start=1)]


class _Reader:
    """Reads one transmission."""

    def __init__(self, transmission: Transmission, number: int, of: int) -> None:
        self._transmission = transmission
        self._note = transmission.findings.note
        self._where = f"transmission {number} of {of}: " if of > 1 else ""
        self._first: dict[str, Segment] = {}

    def read(self) -> Read:
        segments = self._transmission.segments
        whole = segments if segments[-1].ended or segments[-1].name in _LAST else segments[:-1]
        columns = self._columns(whole)
        identity = self._first.get("ID1")
        self._check_form(segments, named=identity is not None and any(identity.fields))
        decimals, currency = self._scaling()
        clock = self._first.get("ID5")
        findings = self._transmission.findings
        return Read(
            content=self._transmission.content,
            sender=_text(segments[0], 1) if segments[0].name == "DXS" else "",
            serial=_text(identity, 1),
            asset=_text(identity, 6),
            model=_text(identity, 2),
            said_at=f"{_text(clock, 1)} {_text(clock, 2)}".strip(),
            currency=currency,
            decimals=decimals,
            counters=MachineCounters(
                paid=self._told("VA1", number=2, value=1),
                cashless=self._told("DA2", number=2, value=1),
                cash=self._told("CA2", number=2, value=1),
                columns=columns,
            ),
            findings=tuple(findings.found),
            findings_left_out=findings.more,
        )

    def _columns(self, segments: list[Segment]) -> dict[str, Meter]:
        """Note what stands where, and return what was sold from each column."""
        columns: dict[str, Meter] = {}
        column: Segment | None = None
        for one in segments:
            if one.name == "PA1":
                column = self._begun(one, columns)
            elif one.name == "PA2":
                if column is not None:
                    columns[_text(column, 1)] = self._numbers(one, number=1, value=2)
                else:
                    self._note(
                        one.line,
                        Defect.REPEATED,
                        "this PA2 belongs to no column of its own: it was not read",
                    )
                column = None
            elif one.name in {"VA1", "DA2", "CA2", "ID1", "ID4", "G85", "SE", "ST"}:
                self._keep_first(one)
            elif one.name == "ID5":
                self._first.setdefault(one.name, one)
        return columns

    def _begun(self, one: Segment, columns: dict[str, Meter]) -> Segment | None:
        name = _text(one, 1)
        if not name or name in columns:
            self._note(
                one.line,
                Defect.REPEATED,
                f"column {name} stands there twice: the first one counts"
                if name
                else "this PA1 names no column: it was not read",
            )
            return None
        if len(columns) >= COLUMNS_MAX:
            raise ReadoutRefused(
                f"{self._where}there are more than {COLUMNS_MAX} columns, and no machine has so "
                "many: this is no read-out of one"
            )
        columns[name] = Meter()
        return one

    def _keep_first(self, one: Segment) -> None:
        if one.name in self._first:
            self._note(
                one.line, Defect.REPEATED, f"{one.name} stands there twice: the first one counts"
            )
        else:
            self._first[one.name] = one

    def _check_form(self, segments: list[Segment], *, named: bool) -> None:
        """Check what stands around the figures. Raises ReadoutRefused for a wrong checksum of
        nobody knows whose file.
        """
        start, trailer = self._first.get("ST"), self._first.get("SE")
        if segments[0].name != "DXS" or start is None:
            missing = "ST" if segments[0].name == "DXS" else "DXS"
            self._note(segments[0].line, Defect.NO_HEADER, f"there is no {missing} line")
        if not named:
            self._note(0, Defect.NO_IDENTITY, "no ID1 says which machine this is")
        self._check_sum(segments, start, named=named)
        if trailer is None:
            self._note(
                segments[-1].line,
                Defect.CUT_OFF,
                f"the file ends behind {segments[-1].name or 'this line'} and has no SE line: "
                "what stood behind that is lost",
            )
        elif start is not None:
            places = [place for place, one in enumerate(segments) if one in (start, trailer)]
            there = places[-1] - places[0] + 1
            if trailer.field(1) != str(there) and _integer(trailer.field(1)) != there:
                self._note(
                    trailer.line,
                    Defect.SEGMENT_COUNT,
                    f"SE says {trailer.field(1)[:12] or 'nothing'} segments, and {there} are there",
                )

    def _check_sum(self, segments: list[Segment], start: Segment | None, *, named: bool) -> None:
        told = self._first.get("G85")
        if told is None:
            if "SE" in self._first:
                self._note(
                    self._first["SE"].line,
                    Defect.NO_CHECKSUM,
                    "there is no G85: whether bytes are wrong, nobody can tell",
                )
            return
        first = 0 if start is None else segments.index(start)
        if start is None and segments[0].name == "DXS":
            first = 1
        summed = segments[first : segments.index(told)]
        made = of_segments(one.raw for one in summed)
        said = told.field(1).strip()
        # Spaces around a segment are the machine's own in one file, and an editor's in the next;
        # machines of the standard's fifth level write the lower byte first.
        right = {made, of_segments(one.whole for one in summed)}
        right |= {one[2:] + one[:2] for one in right}
        if _CRC.fullmatch(said) and said.upper() in right:
            return
        if not named:
            raise ReadoutRefused(
                f"{self._where}the checksum is {made}, G85 says {said[:12] or 'nothing'}, and no "
                "ID1 says which machine it is of: read the machine again"
            )
        self._note(
            told.line,
            Defect.CHECKSUM,
            f"the checksum is {made}, and G85 says {said[:12] or 'nothing'}: bytes are wrong",
        )

    def _scaling(self) -> tuple[int | None, str]:
        scaling = self._first.get("ID4")
        said = "" if scaling is None else scaling.field(1)
        decimals = _integer(said)
        if decimals is None or decimals > DECIMALS_MAX:
            self._note(
                0 if scaling is None else scaling.line,
                Defect.NO_SCALING,
                "no ID4 says how many decimals amounts have: those of the machine's currency are "
                "taken"
                if not said
                else f"ID401 is {said[:12]}, which is no number of decimals: those of the "
                "machine's currency are taken",
            )
            decimals = None
        currency = _text(scaling, 3).upper()
        return decimals, currency if _CURRENCY.fullmatch(currency) else ""

    def _told(self, name: str, *, number: int, value: int) -> Meter:
        there = self._first.get(name)
        return Meter() if there is None else self._numbers(there, number=number, value=value)

    def _numbers(self, segment: Segment, *, number: int, value: int) -> Meter:
        return Meter(
            number=self._number(segment, number),
            minor=self._number(segment, value),
        )

    def _number(self, segment: Segment, place: int) -> int | None:
        said = segment.field(place).strip()
        if not said:
            return None
        found = _integer(said)
        if found is None:
            self._note(
                segment.line,
                Defect.FIGURE,
                f"{segment.name}{place:02d} is {said[:20]!r}, which is no count: it is taken as "
                "unknown",
            )
        return found


def _integer(said: str) -> int | None:
    return int(said) if _NUMBER.fullmatch(said) else None


def _text(segment: Segment | None, place: int) -> str:
    return "" if segment is None else segment.field(place).strip()[:TEXT_LENGTH_MAX]
