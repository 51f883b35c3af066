"""What GoodsService asks of the fields of its requests: places, products, quantities."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Self

from google.protobuf.message import Message

from actors.machine import goods as words
from actors.machine.ids import MACHINE_ID_PATTERN
from gateway.office.fields import OfficeFields
from gateway.office.v1.goods_service_pb2 import ListGoodsMovesRequest
from storage.office.goods import GoodsLine
from storage.office.known import Names
from storage.office.move_lists import MovesWanted

LINES_MAX = 200
QUANTITY_MAX = 1_000_000
ENDS = (words.WASTE, words.EXPIRED, words.LOST, words.TEST)
OUT_OF_COLUMN = (words.WASTE, words.EXPIRED, words.TEST)
_OURS = re.compile(r"(WAREHOUSE|VAN):[A-Za-z0-9_-]{1,32}")
_VISIT = re.compile(r"VISIT:[A-Za-z0-9_-]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_REMOVED = re.compile(rf"REMOVED:{MACHINE_ID_PATTERN}")
_PLACE = "must be WAREHOUSE:name or VAN:name, the name 1 to 32 letters, digits, '_' or '-'"
_LISTED = re.compile(
    rf"((WAREHOUSE|VAN|VISIT):[A-Za-z0-9_-]{{1,32}}|REMOVED:{MACHINE_ID_PATTERN}"
    rf"|COLUMN:{MACHINE_ID_PATTERN}/.{{1,16}})"
)
_LISTED_SAID = (
    f"{_PLACE}, VISIT:visit, REMOVED:machine_id or COLUMN:machine_id/column; what came from "
    "nowhere or ended there is found by its kind"
)
_NEEDS_MORE = (
    "must have one of machine_id, visit, lot and place beside it, or a kind that is no sale: what "
    "was sold when, ListSessions and SalesService tell"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class GoodsFields(OfficeFields):
    """Collects what is wrong with the fields of a request about goods."""

    def place(
        self, field: str, value: str, *others: str, removed: bool = False, visit: str | None = None
    ) -> None:
        """Check one of the office's places, or one of the ``others``. ``visit``: the one that the
        request names, whose place it may be; None: it may be no visit's.
        """
        ours = _OURS.fullmatch(value) or (removed and _REMOVED.fullmatch(value))
        if visit is not None and _VISIT.fullmatch(value):
            if value != words.visit_place(visit):
                self.wrong("visit", f"must be the visit whose place is named, as in {value}")
        elif not ours and value not in others:
            more = ("VISIT:visit",) * (visit is not None) + ("REMOVED:machine_id",) * removed
            also = "".join(f", or {other}" for other in (*more, *others))
            self.wrong(field, f"{_PLACE}{also}")

    def filters(self, request: Message, *names: str) -> Self:
        """Check what a list is filtered by, ``machine_id`` and ``names``: texts that a database can
        be asked for.
        """
        for name in ("machine_id", *names):
            self.some_id(name, getattr(request, name), needed=False)
        return self

    def visit_name(self, value: str) -> None:
        """Check the name of a visit that somebody opens."""
        if not _NAME.fullmatch(value):
            self.wrong("visit", "must be 1 to 32 letters, digits, '_' or '-'")

    def item(self, product: str, lot: str, quantity: int, *, at: str = "") -> None:
        """Check what moves, and how many."""
        self.product(product, field=f"{at}product").line(f"{at}lot", lot, most=64)
        if not 1 <= quantity <= QUANTITY_MAX:
            self.wrong(f"{at}quantity", f"must be 1 to {QUANTITY_MAX}")

    def about(self, visit: str, reason: str) -> None:
        """Check what is told for people."""
        self.line("visit", visit, most=64).reason(reason)

    def gone(self, to: str, reason: str, *, begun: bool) -> None:
        """Check that somebody says why goods end where nothing comes back from, whatever call sends
        them there. ``begun``: a program that did not ask for it may have done it.
        """
        if to in ENDS and not reason.strip() and not begun:
            self.wrong("reason", f"must be given for {to}: say what happened to the goods")

    def of_column(self, machine_id: str, column: str) -> None:
        """Check which column it is."""
        self.machine_id(machine_id).text("column", column, least=1, most=16)

    def lines(self, lines: Sequence[GoodsLine], field: str = "goods", *, least: int = 1) -> None:
        """Check how many there are, and each of them once."""
        if not least <= len(lines) <= LINES_MAX:
            self.wrong(field, f"must be {least} to {LINES_MAX}")
            return
        for number, line in enumerate(lines):
            self.item(line.product, line.lot, line.quantity, at=f"{field}[{number}].")
        if len({(line.product, line.lot) for line in lines}) != len(lines):
            self.wrong(field, "must name each product and lot once")

    def day(self, field: str, value: str) -> None:
        """Check a day of the calendar; empty is right."""
        if value and not _is_day(value):
            self.wrong(field, "must be a day, as 2026-11-28, or empty")


def moves(fields: GoodsFields, request: ListGoodsMovesRequest) -> MovesWanted:
    """Return which moves a request asks for, and note in ``fields`` what is wrong with it."""
    fields.filters(request, "visit", "product", "lot", "place")
    ways = (request.machine_id, request.visit, request.lot, request.place)
    if sum(map(bool, ways)) > 1:
        fields.wrong("machine_id", "must stand alone: one of machine_id, visit, lot and place")
    if bool(request.lot) is not bool(request.product):
        fields.wrong("product", "must be there with lot, and only then")
    if request.place and not _LISTED.fullmatch(request.place):
        fields.wrong("place", _LISTED_SAID)
    if request.kind and request.kind not in set(words.GoodsKind):
        fields.wrong("kind", f"must be one of {', '.join(words.GoodsKind)}, or empty")
    from_ms, until_ms = (
        fields.time_ms(name, getattr(request, name)) if request.HasField(name) else None
        for name in ("from", "until")
    )
    if from_ms is not None and until_ms is not None and until_ms <= from_ms:
        fields.wrong("until", "must be later than from")
    timed = from_ms is not None or until_ms is not None
    if timed and not any(ways) and (not request.kind or request.kind in words.SALES):
        fields.wrong("from" if from_ms is not None else "until", _NEEDS_MORE)
    return MovesWanted(
        machine_id=request.machine_id,
        visit=request.visit,
        lot=request.lot,
        product=request.product,
        place=request.place,
        kind=request.kind,
        from_ms=from_ms,
        until_ms=until_ms,
    )


def names(wanted: MovesWanted) -> Names:
    """Return the names by which a list of moves is filtered."""
    return Names(
        machine_id=wanted.machine_id,
        place=wanted.place,
        visit=wanted.visit,
        product=wanted.product,
        lot=wanted.lot,
    )


def _is_day(value: str) -> bool:
    try:
        return bool(_DAY.fullmatch(value) and date.fromisoformat(value))
    except ValueError:
        return False
