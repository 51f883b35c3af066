"""The journal: every decision is there, in order, by an owner who held the machine, and every
numbered frame was applied once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import get_args

import msgspec
from sqlalchemy import ColumnElement, Table, Text, cast, func, select

from actors.machine.effects import CloseStream, Welcome
from actors.machine.events import (
    Connected,
    Disconnected,
    Event,
    FrameReceived,
    MachineFact,
)
from actors.machine.ids import MachineId
from actors.machine.incident import FaultsCounted
from actors.machine.state import EARLIER_BOOTS_KEPT, STREAMS_KEPT
from actors.placement import partition_of
from storage import codec
from storage.auditing.findings import Finding
from storage.auditing.reading import Books
from storage.tables import journal, machine_states, machines, partitions

Orders = tuple[codec.Ordered, ...]
STREAM_KINDS = tuple(kind.__name__ for kind in (Connected, Disconnected, *get_args(MachineFact)))


def the_journal_is_whole(books: Books) -> Iterator[int | Finding]:
    """Every machine's journal counts 1, 2, 3 and so on without a gap, up to the version of its
    state.
    """
    line = journal.c
    for span in books.spans:
        lines = (
            select(
                line.machine_id,
                func.count().label("lines"),
                func.min(line.version).label("first"),
                func.max(line.version).label("last"),
            )
            .where(span.holds(line.machine_id))
            .group_by(line.machine_id)
        )
        versions = select(*machine_states.c["machine_id", "version"]).where(
            span.holds(machine_states.c.machine_id)
        )
        left: dict[str, int] = {
            row.machine_id: row.version for row in books.connection.execute(versions)
        }
        for row in books.connection.execute(lines).all():
            yield row.lines
            version = left.pop(row.machine_id, 0)
            before = _before_the_first(books, row.machine_id)
            if (row.first, row.lines, row.last) != (before + 1, row.last - before, version):
                gap = (
                    "without a gap"
                    if row.lines == row.last - row.first + 1
                    else f"with a gap before {_behind_the_gap(books, row.machine_id)}"
                )
                yield Finding(
                    sentence=f"machine {row.machine_id} has {row.lines} lines from {row.first} to "
                    f"{row.last}, {gap},"
                    f" and its state has version {version}",
                    machine_id=row.machine_id,
                )
        for machine_id, version in left.items():
            if version == _before_the_first(books, machine_id):
                continue
            yield Finding(
                sentence=f"machine {machine_id} has version {version} and not one line",
                machine_id=machine_id,
            )


def _before_the_first(books: Books, machine_id: str) -> int:
    start = books.starts.get(machine_id)
    return 0 if start is None else start.version


def _behind_the_gap(books: Books, machine_id: str) -> int | None:
    before = journal.alias()
    missing = (
        ~select(before.c.id)
        .where(before.c.machine_id == machine_id, before.c.version == journal.c.version - 1)
        .exists()
    )
    found: int | None = books.connection.scalar(
        select(func.min(journal.c.version)).where(
            journal.c.machine_id == machine_id,
            journal.c.version > _before_the_first(books, machine_id) + 1,
            missing,
        )
    )
    return found


def epochs_never_fall(books: Books) -> Iterator[int | Finding]:
    """Each partition's epochs only grow from line to line of the journal, and none is above the
    partition's own.
    """
    own: dict[int, int] = {
        row.partition: row.epoch
        for row in books.connection.execute(select(*partitions.c["partition", "epoch"]))
    }
    c = journal.c
    written = (
        select(
            c.partition,
            c.epoch,
            func.count().label("rows"),
            func.min(c.id).label("first"),
            func.max(c.id).label("last"),
        )
        .group_by(c.partition, c.epoch)
        .order_by(c.partition, c.epoch)
    )
    partition, epoch, last = -1, 0, 0
    for row in books.connection.execute(written).all():
        yield row.rows
        if row.partition == partition and row.first < last:
            yield Finding(
                sentence=f"journal: partition {partition} wrote row "
                f"{row.first} under epoch "
                f"{row.epoch},"
                f" and row {last} after it under epoch {epoch}"
            )
        if row.epoch > own.get(row.partition, -1):
            yield Finding(
                sentence=f"journal: {row.rows} rows of partition "
                f"{row.partition} have epoch "
                f"{row.epoch}, which is above the"
                f" partition's own, {own.get(row.partition, 'none')}"
            )
        partition, epoch, last = row.partition, row.epoch, row.last
    ahead = (
        select(machine_states.c.machine_id, machine_states.c.epoch, partitions.c.epoch.label("own"))
        .join(partitions, partitions.c.partition == machine_states.c.partition)
        .where(machine_states.c.epoch > partitions.c.epoch)
    )
    for row in books.odd_ones(ahead):
        yield Finding(
            sentence=(
                f"the state of machine {row.machine_id} has epoch {row.epoch}, above its "
                f"partition's {row.own}"
            ),
            machine_id=row.machine_id,
        )


def machines_stay_in_their_partitions(books: Books) -> Iterator[int | Finding]:
    """Whatever is written of a machine stands in the one partition that its id hashes to."""
    for span in books.spans:
        own: dict[str, int] = {}
        for table in (machines, machine_states, journal):
            for machine_id, partition in _placed(books, table, span.holds(table.c.machine_id)):
                if table is machines:
                    yield 1
                right = own.setdefault(
                    machine_id, partition_of(MachineId(machine_id), books.partition_count)
                )
                if partition != right:
                    yield Finding(
                        sentence=(
                            f"{table.name}: machine {machine_id} stands in partition {partition}, "
                            f"and belongs into {right}"
                        ),
                        machine_id=machine_id,
                    )


def _placed(books: Books, table: Table, ours: ColumnElement[bool]) -> list[tuple[str, int]]:
    c = table.c
    found = books.connection.execute(select(c.machine_id, c.partition).where(ours).distinct())
    return [(row.machine_id, row.partition) for row in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A machine's stream, as the journal tells it."""

    online: bool = False
    stream_id: str = ""
    before: tuple[str, ...] = ()
    boot_id: str = ""
    last_seq: int = 0
    boots: Mapping[str, int] = field(default_factory=dict)
    """How far each earlier boot came that an actor remembers, the newest last."""


def link_text(link: Link) -> str:
    """Return a stream's state as a text that can be kept."""
    return msgspec.json.encode(link).decode()


def _link_before(books: Books, machine_id: str) -> Link:
    start = books.starts.get(machine_id)
    if start is None:
        return Link()
    link = msgspec.json.decode(start.link, type=Link)
    # Seals of before kept the present boot among them, and more than an actor remembers.
    return replace(link, boots=_earlier(link, link.boot_id, {}))


def _earlier(link: Link, but: str, newest: Mapping[str, int]) -> Mapping[str, int]:
    """Return how far the earlier boots came, as many as an actor remembers."""
    boots = {boot: seq for boot, seq in link.boots.items() if boot != but}
    boots |= newest
    return dict(list(boots.items())[-EARLIER_BOOTS_KEPT:])


_SENT_AWAY = frozenset({"TAKEOVERS", "RETIRED"})
"""Ordered for a stream that is not welcome: too many others just took over, or the machine is
retired.
"""
_ENDED = frozenset({"RETIRED", "DISABLED"})
"""Why we end the stream on which a machine is."""


def frames_are_applied_once(books: Books) -> Iterator[int | Finding]:
    """The numbered frames of each boot, each applied once and in order, end at the number that the
    machine was acknowledged.
    """
    links: dict[str, Link] = {}
    unreadable: set[str] = set()
    lines = select(*journal.c["id", "machine_id", "version", "kind", "effects", "body"]).where(
        journal.c.kind.in_(STREAM_KINDS)
        | cast(journal.c.effects, Text).contains(CloseStream.__name__)
    )
    for page in books.pages(lines, journal.c.id):
        yield len(page)
        for row in page:
            try:
                event = codec.decode_body(row.kind, row.body)
                orders = codec.decode_orders(row.effects)
            except codec.CodecError as error:
                unreadable.add(row.machine_id)
                yield Finding(
                    sentence=(
                        f"line {row.version} of machine {row.machine_id} cannot be read: {error}"
                    ),
                    machine_id=row.machine_id,
                )
                continue
            link = links.get(row.machine_id) or _link_before(books, row.machine_id)
            links[row.machine_id] = follow(link, event, orders)
    for span in books.spans:
        for row, state in books.states(span):
            if state is None or row.machine_id in unreadable:
                continue
            told = links.get(row.machine_id) or _link_before(books, row.machine_id)
            books.links[row.machine_id] = link_text(told)
            if (told.boot_id, told.last_seq) != (state.link.boot_id, state.link.last_seq):
                yield Finding(
                    sentence=f"machine {row.machine_id} is acknowledged up to frame "
                    f"{state.link.last_seq} of boot"
                    f" {state.link.boot_id!r}; its journal leads to frame {told.last_seq} of "
                    f"boot {told.boot_id!r}",
                    machine_id=row.machine_id,
                )


def _before(link: Link, stream_id: str) -> tuple[str, ...]:
    return tuple(one for one in (*link.before, link.stream_id) if one not in {"", stream_id})[
        -STREAMS_KEPT:
    ]


def follow(link: Link, event: Event, orders: Orders) -> Link:
    """Return the link after the event and what was ordered then. Told once more in short, so that a
    defect of the core does not prove itself right.
    """
    after = _moved(link, event, orders)
    ended = any(
        one.fields["stream_id"] == after.stream_id and one.fields["reason"] in _ENDED
        for one in _closed(orders)
    )
    return replace(after, online=False) if ended else after


def _closed(orders: Orders) -> Iterator[codec.Ordered]:
    return (one for one in orders if one.kind == CloseStream.__name__)


def _moved(link: Link, event: Event, orders: Orders) -> Link:
    match event:
        case Connected() if _is_sent_away(orders):
            return link
        case Connected():
            return _opened(link, event)
        case Disconnected() if event.stream_id == link.stream_id:
            return replace(link, online=False)
        case FrameReceived() if (
            link.online
            and event.stream_id == link.stream_id
            and _first(event) <= link.last_seq + 1 <= event.seq
        ):
            return replace(link, last_seq=event.seq)
        case _:
            return link


def _is_sent_away(orders: Orders) -> bool:
    """A stream that is closed after its Welcome was the machine's first."""
    return any(one.fields["reason"] in _SENT_AWAY for one in _closed(orders)) and not any(
        one.kind == Welcome.__name__ for one in orders
    )


def _first(frame: FrameReceived) -> int:
    """The first of the numbers that the frame stands for."""
    fact = frame.fact
    return fact.first_seq if isinstance(fact, FaultsCounted) else frame.seq


def _opened(link: Link, event: Connected) -> Link:
    """A boot that was superseded does not come back; one that was not goes on where it was: no
    frame is applied twice, but those of a boot behind which too many others came.
    """
    if link.online and event.stream_id != link.stream_id and event.stream_id in link.before:
        return link
    same_boot = event.boot_id == link.boot_id
    if not same_boot and event.boot_id in link.boots and link.last_seq:
        return link
    boots = link.boots
    if not same_boot:
        present = {link.boot_id: link.last_seq} if link.boot_id else {}
        boots = _earlier(link, event.boot_id, present)
    return Link(
        online=True,
        stream_id=event.stream_id,
        before=_before(link, event.stream_id),
        boot_id=event.boot_id,
        last_seq=link.last_seq if same_boot else link.boots.get(event.boot_id, 0),
        boots=boots,
    )
