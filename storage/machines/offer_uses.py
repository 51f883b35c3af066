"""What vends take of offers, counted in the COMMIT that saves them.

Flows in: the uses of a batch, in the order in which they were decided. Flows out: nothing, or
OffersSpent with all that cannot be counted, and then nothing of the batch is saved. The rows of
``offer_spending`` are locked first, in the order of their names: on PostgreSQL another host that
uses one of these offers waits until this COMMIT is done, and counts on from there; on SQLite one
writes at a time. No office's transaction holds them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from actors.machine.ids import MachineId
from actors.machine.offer import OfferUse
from actors.ports import OffersSpent, RefusedUse
from storage.tables import offer_spending, offer_uses, offers

NO_SUCH_OFFER = "NO_SUCH_OFFER"
ENDED = "ENDED"
BUDGET = "BUDGET"
PAYER = "PAYER"
"""Why a use is not counted."""

_S, _U = offer_spending.c, offer_uses.c
_LOCKED = (
    select(_S.offer, _S.spent_minor, _S.uses)
    .where(_S.offer.in_(bindparam("wanted", expanding=True)))
    .order_by(_S.offer)
    .with_for_update()
)
_SAID = select(
    *offers.c["offer", "budget_minor", "uses_per_payer", "ends_at_ms", "ended_at_ms"]
).where(offers.c.offer.in_(bindparam("wanted", expanding=True)))
# Along the index by payer, who has few uses. The offer is no part of what is looked for: for
# several of each PostgreSQL went through all uses that these offers ever had.
_OF_PAYERS = (
    select(_U.offer, _U.payer_id, func.count().label("uses"))
    .where(
        _U.payer_id.in_(bindparam("payers", expanding=True)),
        _U.offer.concat("").in_(bindparam("wanted", expanding=True)),
        _U.returned_at_ms.is_(None),
    )
    .group_by(_U.offer, _U.payer_id)
)
_SPENT = (
    update(offer_spending)
    .where(_S.offer == bindparam("of"))
    .values(spent_minor=bindparam("now_minor"), uses=bindparam("now_uses"))
)
_RETURNED = (
    update(offer_uses)
    .where(_U.offer == bindparam("of"), _U.vend_id == bindparam("by"), _U.returned_at_ms.is_(None))
    .values(returned_at_ms=bindparam("at_ms"))
    .returning(_U.discount_minor, _U.payer_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseToCount:
    """A use of an offer, and by which machine and when it was decided."""

    machine_id: MachineId
    at_ms: int
    use: OfferUse


def count(connection: Connection, wanted: Sequence[UseToCount]) -> None:
    """Count the uses, and those that are given back. Raises OffersSpent."""
    if not wanted:
        return
    names = {"wanted": sorted({one.use.offer for one in wanted})}
    spending = {row.offer: row for row in connection.execute(_LOCKED, names)}
    # From here on nobody else counts uses of these offers.
    said = {row.offer: row for row in connection.execute(_SAID, names)}
    spent = {offer: row.spent_minor for offer, row in spending.items()}
    uses = {offer: row.uses for offer, row in spending.items()}
    of_payers = _of_payers(connection, wanted)
    given_back = _given_back(connection, wanted)
    refused: list[RefusedUse] = []
    for one in wanted:
        use = one.use
        if use.returned:
            row = given_back.pop(use.vend_id, None) or _returned(connection, one)
            if row is not None:
                spent[use.offer] -= row.discount_minor
                uses[use.offer] -= 1
                of_payers[use.offer, row.payer_id] -= 1
            continue
        why = _why_not(one, said.get(use.offer), spent, of_payers)
        if why:
            refused.append(
                RefusedUse(machine_id=one.machine_id, vend_id=use.vend_id, offer=use.offer, why=why)
            )
            continue
        spent[use.offer] += use.discount_minor
        uses[use.offer] += 1
        of_payers[use.offer, use.payer_id] += 1
        connection.execute(insert(offer_uses), _row(one))
    if refused:
        raise OffersSpent(refused)
    for offer in spending:
        connection.execute(
            _SPENT, {"of": offer, "now_minor": spent[offer], "now_uses": uses[offer]}
        )


def _given_back(connection: Connection, wanted: Sequence[UseToCount]) -> dict[str, Row[Any]]:
    """Give back what was used before this batch, and return it by vends. It is locked in the order
    in which an erasure of its payer locks it (``storage.machines.payers``): neither waits for the
    other while it holds what the other waits for.
    """
    used = {one.use.vend_id for one in wanted if not one.use.returned}
    before = [one for one in wanted if one.use.returned and one.use.vend_id not in used]
    found: dict[str, Row[Any]] = {}
    for one in sorted(before, key=lambda one: (one.use.offer, one.use.vend_id)):
        if (row := _returned(connection, one)) is not None:
            found[one.use.vend_id] = row
    return found


def _returned(connection: Connection, one: UseToCount) -> Row[Any] | None:
    """Give a use back; return it, None if it was given back before or never counted."""
    asked = {"of": one.use.offer, "by": one.use.vend_id, "at_ms": one.at_ms}
    return connection.execute(_RETURNED, asked).one_or_none()


def _of_payers(connection: Connection, wanted: Sequence[UseToCount]) -> Counter[tuple[str, str]]:
    used = [one.use for one in wanted if not one.use.returned]
    if not used:
        return Counter()
    asked = {
        "payers": sorted({one.payer_id for one in used}),
        "wanted": sorted({one.offer for one in used}),
    }
    rows = connection.execute(_OF_PAYERS, asked)
    return Counter({(row.offer, row.payer_id): row.uses for row in rows})


def _why_not(
    one: UseToCount,
    said: Row[Any] | None,
    spent: Mapping[str, int],
    of_payers: Mapping[tuple[str, str], int],
) -> str:
    """Return why a use cannot be counted, '' if it can."""
    use = one.use
    if said is None or use.offer not in spent:
        return NO_SUCH_OFFER
    if said.ended_at_ms is not None or one.at_ms >= said.ends_at_ms:
        return ENDED
    if spent[use.offer] + use.discount_minor > said.budget_minor:
        return BUDGET
    if of_payers[use.offer, use.payer_id] >= said.uses_per_payer:
        return PAYER
    return ""


def _row(one: UseToCount) -> dict[str, Any]:
    return {
        "offer": one.use.offer,
        "vend_id": one.use.vend_id,
        "payer_id": one.use.payer_id,
        "discount_minor": one.use.discount_minor,
        "used_at_ms": one.at_ms,
        "returned_at_ms": None,
    }
