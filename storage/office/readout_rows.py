"""Read-outs of machines as they are kept: rows in, views out, and the other way round."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, select, tuple_

from storage.item_ids import READOUT_ITEM
from storage.office.audit_figures import MachineCounters, Meter
from storage.office.deeds import NotThere
from storage.office.readout_check import CounterDifference, ReadoutSpan
from storage.tables import machines, readout_differences, readouts, work_item_closings


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutFinding:
    """What is wrong about its file. ``line`` is 0 if it is about the whole."""

    line: int
    defect: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReadout:
    """What was read of one transmission. ``machine_id`` is '' if nobody said whose it is: then
    ``serial`` and ``asset`` must. ``counters`` count money in ``decimals`` decimals, None if the
    file does not say. ``damaged``: bytes are wrong; ``partial``: some are missing.
    """

    readout_id: str
    machine_id: str
    serial: str
    asset: str
    said_at: str
    read_at_ms: int
    baseline: bool
    damaged: bool
    partial: bool
    currency: str
    decimals: int | None
    counters: MachineCounters
    findings: tuple[ReadoutFinding, ...]
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceView:
    """A counter that differs, and how a person closed it. ``item_id`` is '' while it is only
    tried.
    """

    item_id: str
    difference: CounterDifference
    currency: str
    closed_by: str = ""
    closed_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadoutView:
    """A read-out as it is kept. ``differences`` and ``content`` are empty in a list. ``again``: it
    was there already.
    """

    readout_id: str
    machine_id: str
    serial: str
    asset: str
    said_at: str
    read_at_ms: int
    imported_at_ms: int
    actor: str
    baseline: bool
    damaged: bool
    previous_id: str
    difference_count: int
    size: int
    currency: str
    counters: MachineCounters
    findings: tuple[ReadoutFinding, ...]
    span: ReadoutSpan
    differences: tuple[DifferenceView, ...] = ()
    content: bytes = b""
    again: bool = False

    @property
    def position(self) -> str:
        """What the next page's call is given."""
        return f"{self.read_at_ms}:{self.readout_id}"


SHOWN = [column for column in readouts.c if column.name != "content"]


def page_of(machine_id: str, after: tuple[int, str] | None, limit: int) -> Select[Any]:
    """Return the query for a page of read-outs, the newest first."""
    c = readouts.c
    wanted = select(*SHOWN, machines.c.currency).join(
        machines, machines.c.machine_id == c.machine_id
    )
    if machine_id:
        wanted = wanted.where(c.machine_id == machine_id)
    if after is not None:
        wanted = wanted.where(
            c.read_at_ms <= after[0], tuple_(c.read_at_ms, c.readout_id) < tuple_(*after)
        )
    return wanted.order_by(c.read_at_ms.desc(), c.readout_id.desc()).limit(limit)


def readout_row(view: ReadoutView, content: bytes) -> dict[str, Any]:
    """Return the row that keeps a read-out."""
    return {
        "readout_id": view.readout_id,
        "machine_id": view.machine_id,
        "serial": view.serial,
        "asset": view.asset,
        "said_at": view.said_at,
        "read_at_ms": view.read_at_ms,
        "imported_at_ms": view.imported_at_ms,
        "actor": view.actor,
        "baseline": view.baseline,
        "damaged": view.damaged,
        "previous_id": view.previous_id,
        "difference_count": view.difference_count,
        "size": view.size,
        "counters": msgspec.json.encode(view.counters).decode(),
        "findings": msgspec.json.encode(view.findings).decode(),
        "span": msgspec.json.encode(view.span).decode(),
        "content": content,
    }


def difference_row(view: ReadoutView, one: DifferenceView) -> dict[str, Any]:
    """Return the row that keeps a counter that differs."""
    difference = one.difference
    return {
        "readout_id": view.readout_id,
        "machine_id": view.machine_id,
        "counter": difference.counter,
        "machine_number": difference.machine.number,
        "machine_minor": difference.machine.minor,
        "ours_number": difference.ours.number,
        "ours_minor": difference.ours.minor,
        "currency": view.currency,
        "found_at_ms": view.imported_at_ms,
        "said": difference.said,
        "cause": difference.cause,
    }


def read_one(connection: Connection, readout_id: str) -> ReadoutView:
    """Return a read-out with its differences and content. Raises NotThere."""
    row = connection.execute(
        select(readouts, machines.c.currency)
        .join(machines, machines.c.machine_id == readouts.c.machine_id)
        .where(readouts.c.readout_id == readout_id)
    ).one_or_none()
    if row is None:
        raise NotThere("readout", readout_id)
    closing = work_item_closings.c
    found = connection.execute(
        select(
            readout_differences,
            READOUT_ITEM.label("item_id"),
            closing.actor.label("closed_by"),
            closing.reason.label("closed_reason"),
        )
        .select_from(
            readout_differences.outerjoin(work_item_closings, closing.item_id == READOUT_ITEM)
        )
        .where(readout_differences.c.readout_id == readout_id)
        .order_by(readout_differences.c.id)
    )
    return replace(
        shown(row), differences=tuple(map(_difference, found)), content=bytes(row.content)
    )


def _difference(row: Row[Any]) -> DifferenceView:
    return DifferenceView(
        item_id=row.item_id,
        difference=CounterDifference(
            counter=row.counter,
            machine=Meter(number=row.machine_number, minor=row.machine_minor),
            ours=Meter(number=row.ours_number, minor=row.ours_minor),
            said=row.said,
            cause=row.cause,
        ),
        currency=row.currency,
        closed_by=row.closed_by or "",
        closed_reason=row.closed_reason or "",
    )


def shown(row: Row[Any]) -> ReadoutView:
    """Return a row of ``page_of`` as a view."""
    return ReadoutView(
        readout_id=row.readout_id,
        machine_id=row.machine_id,
        serial=row.serial,
        asset=row.asset,
        said_at=row.said_at,
        read_at_ms=row.read_at_ms,
        imported_at_ms=row.imported_at_ms,
        actor=row.actor,
        baseline=row.baseline,
        damaged=row.damaged,
        previous_id=row.previous_id,
        difference_count=row.difference_count,
        size=row.size,
        currency=row.currency,
        counters=msgspec.json.decode(row.counters, type=MachineCounters),
        findings=msgspec.json.decode(row.findings, type=tuple[ReadoutFinding, ...]),
        span=msgspec.json.decode(row.span, type=ReadoutSpan),
    )
