"""Machines as a file: bytes in, wishes and problems out, and the other way round. Pure.

A file is as in ``gateway.office.csv_files``. A column that is not there leaves what it is about as
it is; an empty cell empties it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from actors.machine.policy import PolicyOverrides
from gateway.fleet import enums
from gateway.fleet.v1 import machine_pb2
from gateway.office import csv_files
from gateway.office.csv_files import MARK, no_number, wrong
from gateway.office.csv_files import line as csv_line
from gateway.office.place_fields import MODEL_LENGTH_MAX, SERIAL_LENGTH_MAX, PlaceFields
from gateway.process.spreadsheet_cells import bare, guarded
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
    """A record of a file: the line that it begins in, what is wrong with it, and what it changes of
    a machine that is there.
    """

    number: int
    wish: MachineWish
    problems: tuple[str, ...] = ()
    difference: str = ""


def read(content: bytes) -> list[MachineFileLine]:
    """Return the records of a file. Raises CallRefused if it cannot be taken apart."""
    records = csv_files.taken_apart(content, bytes_max=BYTES_MAX, lines_max=LINES_MAX)
    if len(records) < 2:
        raise wrong("names no machine: its first line names its columns, each other a machine")
    columns = _columns(records[0][1])
    lines = [_line(number, cells, columns) for number, cells in records[1:]]
    repeated = {
        column: csv_files.repeated(
            (line.number, cell) for line in lines if (cell := line.wish.cells.get(column, ""))
        )
        for column in ("machine_id", "serial")
    }
    return [
        replace(
            line,
            problems=(
                *line.problems,
                *(
                    f"{column}: {said}"
                    for column, cells in repeated.items()
                    if (said := cells.get(line.wish.cells.get(column, "")))
                ),
            ),
        )
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
    lines = [csv_line(columns)]
    lines += [csv_line([guarded(one) for one in _cells(*pair, labels, limits)]) for pair in pairs]
    return f"{MARK}{''.join(lines)}".encode()


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


def _columns(cells: list[str]) -> list[str]:
    for column in (cell.strip() for cell in cells):
        if not _is_known(column):
            raise csv_files.not_known(
                column,
                f"{', '.join(_PLAIN)}, label <name> and policy <limit>, with a limit of "
                f"{', '.join(LIMITS)}",
            )
    columns = csv_files.columns_of(cells)
    if "machine_id" not in columns:
        raise wrong("must have the column machine_id")
    if ("site" in columns) is not ("from_day" in columns):
        raise wrong("must have site and from_day, or neither")
    return columns


def _is_known(column: str) -> bool:
    limit = column.removeprefix(POLICY)
    return column in _PLAIN or column.startswith(LABEL) or (limit != column and limit in LIMITS)


def _line(number: int, cells: list[str], columns: list[str]) -> MachineFileLine:
    values = dict(zip(columns, map(bare, cells), strict=False))
    wish = MachineWish(machine_id=values.get("machine_id", ""), cells=values)
    if len(cells) != len(columns):
        said = f"line: has {len(cells)} cells, and the first line has {len(columns)}"
        return MachineFileLine(number=number, wish=wish, problems=(said,))
    fields = PlaceFields().machine_id(wish.machine_id)
    _check(fields, wish)
    problems = tuple(f"{_column(one.field)}: {one.description}" for one in fields.problems)
    return MachineFileLine(number=number, wish=wish, problems=problems)


def _column(field: str) -> str:
    """Return the column of the file that a field is of: ``label route`` for ``label[route]``."""
    name, _, label = field.partition("[")
    return f"{name} {label[:-1]}" if label else field.replace("policy.", POLICY)


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
    wrong = {name: said for name, cell in amounts.items() if cell and (said := no_number(cell))}
    for name, said in wrong.items():
        fields.wrong(f"{POLICY}{name}", f"{said}; empty follows the fleet")
    if not wrong:
        fields.overrides(wish.policy)
