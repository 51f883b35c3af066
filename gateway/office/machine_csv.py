"""Machines as a file: bytes in, wishes and problems out, and the other way round. Pure.

A file is RFC 4180 in UTF-8, its first line names its columns. A column that is not there leaves
what it is about as it is; an empty cell empties it. A cell that a spreadsheet would take for a
formula is written with an apostrophe before it, and one that stands so is read without it.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from actors.machine.policy import PolicyOverrides
from gateway.fleet import enums
from gateway.fleet.errors import invalid
from gateway.fleet.v1 import machine_pb2
from gateway.office.place_fields import MODEL_LENGTH_MAX, SERIAL_LENGTH_MAX, PlaceFields
from gateway.rpc.statuses import FieldProblem
from gateway.v1 import machine_pb2 as machines_wire
from storage.fleet.limits import GUARDS
from storage.fleet.views import MachineView
from storage.office.profiles import ProfileView

BYTES_MAX = 3 * 1_024 * 1_024
LINES_MAX = 10_000
LABEL = "label "
POLICY = "policy "
OF_REGISTRY = ("store_name", "currency", "country_code", "address", "mode")
LIMITS = tuple(name for name in PolicyOverrides.__struct_fields__ if name not in GUARDS)
_PLAIN = ("machine_id", *OF_REGISTRY, "serial", "model", "site", "from_day")
_MARK = "\ufeff"
_FORMULA = frozenset("=+-@＝＋－＠")
_MODES = enums.words_of(enums.descriptor_of(machines_wire.Mode))
DEFAULT_MODE = "BOTH"


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineWish:
    """What a line wants of a machine: its cells, by the names of their columns. ``reason``: why,
    for the audit log, if the past is changed.
    """

    machine_id: str
    cells: Mapping[str, str]
    reason: str = ""

    def has(self, *columns: str) -> bool:
        """Whether one of these columns is there."""
        return any(one in self.cells for one in columns)

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that are named; an empty one is taken away."""
        return _behind(LABEL, self.cells)

    @property
    def policy(self) -> machine_pb2.Policy:
        """The limits that are given."""
        given = machine_pb2.Policy()
        for name, cell in _behind(POLICY, self.cells).items():
            if cell:
                setattr(given, name, int(cell))
        return given

    @property
    def limits(self) -> Sequence[str]:
        """The limits whose columns are there."""
        return tuple(_behind(POLICY, self.cells))

    @property
    def mode(self) -> str:
        """The mode in one word."""
        return self.cells.get("mode") or DEFAULT_MODE

    def kept(self) -> str:
        """Return the wish as it is kept."""
        return json.dumps({"cells": dict(self.cells), "reason": self.reason}, ensure_ascii=False)

    @classmethod
    def read(cls, kept: str) -> "MachineWish":
        """Return the wish that was kept."""
        said = json.loads(kept)
        cells: dict[str, str] = said["cells"]
        return cls(machine_id=cells["machine_id"], cells=cells, reason=said["reason"])


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFileLine:
    """A record of a file: the line that it begins in, and what is wrong with it."""

    number: int
    wish: MachineWish
    problems: tuple[str, ...] = ()


def read(content: bytes) -> list[MachineFileLine]:
    """Return the records of a file. Raises CallRefused if it cannot be taken apart."""
    columns, records = _taken_apart(content)
    lines = [_line(number, cells, columns) for number, cells in records]
    times = Counter(line.wish.machine_id for line in lines)
    twice = "machine_id: is in the file more than once"
    return [
        MachineFileLine(number=line.number, wish=line.wish, problems=(*line.problems, twice))
        if times[line.wish.machine_id] > 1
        else line
        for line in lines
    ]


def written(pairs: Sequence[tuple[MachineView, ProfileView]]) -> bytes:
    """Return a file of these machines, each with its profile."""
    labels = sorted({label for _, profile in pairs for label in profile.content.labels})
    limits = [
        name
        for name in LIMITS
        if any(getattr(view.overrides, name) is not None for view, _ in pairs)
    ]
    columns = [*_PLAIN, *(f"{LABEL}{one}" for one in labels), *(f"{POLICY}{one}" for one in limits)]
    lines = [_text(columns)]
    lines += [_text([_guarded(one) for one in _cells(*pair, labels, limits)]) for pair in pairs]
    return f"{_MARK}{''.join(lines)}".encode()


def _cells(
    view: MachineView, profile: ProfileView, labels: Sequence[str], limits: Sequence[str]
) -> Iterator[str]:
    yield view.machine_id
    yield from (str(getattr(view, name)) for name in OF_REGISTRY)
    yield from (profile.content.serial, profile.content.model, profile.site, profile.from_day)
    yield from (profile.content.labels.get(label, "") for label in labels)
    for name in limits:
        value = getattr(view.overrides, name)
        yield "" if value is None else str(value)


def _behind(prefix: str, cells: Mapping[str, str]) -> dict[str, str]:
    return {
        column.removeprefix(prefix): cell
        for column, cell in cells.items()
        if column.startswith(prefix)
    }


def _wrong(description: str) -> Exception:
    return invalid(FieldProblem(field="csv", description=description))


def _taken_apart(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the columns and the records, each with the number of its line."""
    if len(content) > BYTES_MAX:
        raise _wrong(f"must have at most {BYTES_MAX} bytes")
    try:
        text = content.decode("utf-8").removeprefix(_MARK)
    except UnicodeDecodeError as error:
        raise _wrong(f"is not UTF-8 at byte {error.start}: save it as CSV UTF-8") from None
    records: list[tuple[int, list[str]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for cells in reader:
            if cells:
                records.append((begins, cells))
            begins = reader.line_num + 1
            if len(records) > LINES_MAX + 1:
                raise _wrong(f"must have at most {LINES_MAX} lines behind the first")
    except csv.Error as error:
        raise _wrong(f"line {begins} is no CSV: {error}") from None
    if len(records) < 2:
        raise _wrong("names no machine: its first line names its columns, each other a machine")
    return _columns(records[0][1]), records[1:]


def _columns(cells: list[str]) -> list[str]:
    columns = [cell.strip() for cell in cells]
    for column, times in Counter(columns).items():
        if not _is_known(column):
            raise _wrong(
                f"has no column {column[:60]!r}: it may have {', '.join(_PLAIN)}, label <name> and "
                f"policy <limit>, with a limit of {', '.join(LIMITS)}"
                + ("; its cells must be parted by commas" if ";" in column else "")
            )
        if times > 1:
            raise _wrong(f"has the column {column!r} more than once")
    if "machine_id" not in columns:
        raise _wrong("must have the column machine_id")
    if ("site" in columns) is not ("from_day" in columns):
        raise _wrong("must have site and from_day, or neither")
    return columns


def _is_known(column: str) -> bool:
    limit = column.removeprefix(POLICY)
    return column in _PLAIN or column.startswith(LABEL) or (limit != column and limit in LIMITS)


def _line(number: int, cells: list[str], columns: list[str]) -> MachineFileLine:
    bare = [_bare(cell) for cell in cells]
    values = dict(zip(columns, bare, strict=False))
    wish = MachineWish(machine_id=values.get("machine_id", ""), cells=values)
    if len(cells) != len(columns):
        said = f"line: has {len(cells)} cells, and the first line has {len(columns)}"
        return MachineFileLine(number=number, wish=wish, problems=(said,))
    fields = PlaceFields().machine_id(wish.machine_id)
    _check(fields, wish)
    problems = tuple(f"{one.field}: {one.description}" for one in fields.problems)
    return MachineFileLine(number=number, wish=wish, problems=problems)


def _check(fields: PlaceFields, wish: MachineWish) -> None:
    cells = wish.cells
    if "store_name" in cells:
        fields.text("store_name", cells["store_name"], least=1, most=64)
    if "address" in cells:
        fields.text("address", cells["address"], least=0, most=200)
    if "currency" in cells:
        fields.currency(cells["currency"])
    fields.country_code(cells.get("country_code", ""))
    if wish.mode not in _MODES:
        fields.wrong("mode", f"must be one of {', '.join(_MODES)}, or empty")
    fields.line("serial", cells.get("serial", ""), most=SERIAL_LENGTH_MAX)
    fields.line("model", cells.get("model", ""), most=MODEL_LENGTH_MAX)
    fields.code("site", cells.get("site", ""), needed=False)
    if cells.get("site") or cells.get("from_day"):
        fields.day(cells["from_day"])
    fields.labels("label", {label: value or "-" for label, value in wish.labels.items()})
    amounts = _behind(POLICY, cells)
    wrong = [name for name, cell in amounts.items() if cell and not _is_number(cell)]
    for name in wrong:
        fields.wrong(f"{POLICY}{name}", "must be a whole number, or empty")
    if not wrong:
        fields.overrides(wish.policy)


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdecimal() and len(cell) <= 15


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell[:1] in _FORMULA or cell != _bare(cell) else cell


def _bare(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in (_FORMULA | {"'"}) else cell


def _text(cells: Sequence[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
