"""Segments: a file of bytes, cut into transmissions of lines whose fields stand between asterisks.

Flows in: bytes of anybody. Flows out: transmissions with what is wrong about their form, or
ReadoutRefused. All texts that flow out are printable ASCII.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

FILE_BYTES_MAX = 262_144
SEGMENTS_MAX = 10_000
SEGMENT_BYTES_MAX = 1_024
TRANSMISSIONS_MAX = 16
FINDINGS_MAX = 50
"""What else is wrong is only counted."""
INSTEAD = "?"
"""Stands for what is no printable ASCII."""
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\r|\n|$)")
_NAME = re.compile(r"[A-Z][A-Z0-9]{1,5}")
_PADDING = b" \t\x00\x1a"


class Defect(StrEnum):
    """What real files have wrong and are kept with."""

    OUTSIDE = "OUTSIDE"
    NO_HEADER = "NO_HEADER"
    CUT_OFF = "CUT_OFF"
    SEGMENT_COUNT = "SEGMENT_COUNT"
    NO_CHECKSUM = "NO_CHECKSUM"
    CHECKSUM = "CHECKSUM"
    SEVERAL = "SEVERAL"
    LINE_ENDS = "LINE_ENDS"
    CHARACTERS = "CHARACTERS"
    FIGURE = "FIGURE"
    REPEATED = "REPEATED"
    NO_SCALING = "NO_SCALING"
    NO_IDENTITY = "NO_IDENTITY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong. ``line``: where in the file, from 1; 0 if it is about the whole."""

    line: int
    defect: Defect
    sentence: str


class ReadoutRefused(Exception):
    """Nothing of the file can be kept: the sentence says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One line: ``fields`` are those behind its name, so that the field XX101 is ``field(1)``."""

    line: int
    name: str
    fields: tuple[str, ...]
    raw: bytes
    """Without what stands around it in its line."""
    whole: bytes
    ended: bool
    """A line end stood behind it."""

    def field(self, number: int) -> str:
        """Return a field by its number, '' if it is not there."""
        return self.fields[number - 1] if number <= len(self.fields) else ""


@dataclass(slots=True)
class Findings:
    """Collects what is wrong, a bounded number of it. ``more`` were left out."""

    found: list[Finding] = field(default_factory=list)
    more: int = 0

    def note(self, line: int, defect: Defect, sentence: str) -> None:
        """Note one thing."""
        if len(self.found) < FINDINGS_MAX:
            self.found.append(Finding(line=line, defect=defect, sentence=sentence))
        else:
            self.more += 1


@dataclass(slots=True)
class Transmission:
    """One read-out of one machine. ``segments`` begin with ``DXS``, or with ``ST`` where it is
    missing, and end where the next one begins.
    """

    segments: list[Segment]
    findings: Findings = field(default_factory=Findings)

    @property
    def content(self) -> bytes:
        """Its own bytes: what names it, however lines end and whatever stands around it."""
        return b"".join(one.raw + b"\r\n" for one in self.segments)


def transmissions(content: bytes) -> list[Transmission]:
    """Return the transmissions of a file. Raises ReadoutRefused."""
    if not content:
        raise ReadoutRefused("the file is empty: read the machine again")
    if len(content) > FILE_BYTES_MAX:
        raise ReadoutRefused(
            f"the file has {len(content)} bytes, and no more than {FILE_BYTES_MAX} are taken: no "
            "read-out of a machine is so long"
        )
    form = Findings()
    segments = list(_segments(content, form))
    parts, outside = _parts(segments)
    if not parts:
        raise ReadoutRefused(
            "the file is no EVA-DTS read-out: no line of it begins with DXS* or ST*; take the "
            "file as the reading device wrote it"
        )
    if len(parts) > TRANSMISSIONS_MAX:
        raise ReadoutRefused(
            f"the file has {len(parts)} transmissions, and no more than {TRANSMISSIONS_MAX} are "
            "taken: cut it in pieces, each of which begins with a DXS line"
        )
    if outside:
        named = ", ".join(one.name or INSTEAD for one in outside[:3])
        form.note(
            outside[0].line,
            Defect.OUTSIDE,
            f"{len(outside)} lines stand outside of any transmission ({named}): they were not read",
        )
    if len(parts) > 1:
        form.note(
            0,
            Defect.SEVERAL,
            f"the file has {len(parts)} transmissions: each is a read-out of its own",
        )
    return [Transmission(segments=one, findings=_copy(form)) for one in parts]


def _copy(findings: Findings) -> Findings:
    return Findings(found=list(findings.found), more=findings.more)


def _segments(content: bytes, form: Findings) -> Iterator[Segment]:
    """Yield what stands in the lines, and note once what is wrong about all of them."""
    other_ends = empty = strange = 0
    first_strange = number = 0
    for number, (raw, end) in enumerate(_lines(content), start=1):
        if number > SEGMENTS_MAX:
            raise ReadoutRefused(
                f"the file has more than {SEGMENTS_MAX} lines: no read-out of a machine is so long"
            )
        if len(raw) > SEGMENT_BYTES_MAX:
            raise ReadoutRefused(
                f"line {number} has more than {SEGMENT_BYTES_MAX} bytes: this is no read-out, or "
                "its line ends were lost; take the file as the reading device wrote it"
            )
        other_ends += end not in {b"\r\n", b""}
        bare = raw.strip(_PADDING)
        if not bare:
            empty += 1
            continue
        text = "".join(chr(one) if 0x20 <= one < 0x7F else INSTEAD for one in bare)
        if any(not 0x20 <= one < 0x7F for one in bare):
            strange += 1
            first_strange = first_strange or number
        name, *fields = text.split("*")
        known = name if _NAME.fullmatch(name) else ""
        yield Segment(number, known, tuple(fields), raw=bare, whole=raw, ended=bool(end))
    if other_ends or empty:
        form.note(
            0,
            Defect.LINE_ENDS,
            f"of {number} lines {other_ends} end otherwise than by CR LF and {empty} are empty: "
            "the checksum was made as if they were right",
        )
    if strange:
        form.note(
            first_strange,
            Defect.CHARACTERS,
            f"{strange} lines have characters that are no printable ASCII: {INSTEAD} stands for "
            "each",
        )


def _lines(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for found in _LINE.finditer(content):
        if found.end() == found.start():
            return  # behind the last line end
        yield found[1], found[2]


def _parts(segments: Sequence[Segment]) -> tuple[list[list[Segment]], list[Segment]]:
    """Return the segments of each transmission, and those that are in none."""
    parts: list[list[Segment]] = []
    outside: list[Segment] = []
    inside = ended = False
    for one in segments:
        starts = one.name == "DXS" or (one.name == "ST" and (not inside or _has_st(parts[-1])))
        if starts:
            parts.append([one])
            inside, ended = True, False
        elif not inside or (ended and one.name not in {"DXE", "SE"}):
            outside.append(one)
        else:
            parts[-1].append(one)
            ended = ended or one.name in {"SE", "DXE"}
    return parts, outside


def _has_st(part: Sequence[Segment]) -> bool:
    return any(one.name == "ST" for one in part)
