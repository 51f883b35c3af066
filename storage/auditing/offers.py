"""Offers: what is used of each is what its vends took off, each once."""

from collections.abc import Iterator

from sqlalchemy import and_, case, func, or_, select, union

from actors.machine.state import VendStatus
from storage.auditing.findings import Finding
from storage.auditing.reading import Books
from storage.tables import offer_spending, offer_uses, sessions, vends

use = offer_uses.c
NOT_DELIVERED = (VendStatus.FAILED.value, VendStatus.VOIDED.value)
WRITTEN_OFF = "WRITTEN_OFF"


def offers_are_used_by_their_vends(books: Books) -> Iterator[int | Finding]:
    """Each vend that an offer took something off is counted as one use of that offer by who paid
    for its session, unless they were erased, and given back if nothing was delivered; what is spent
    of an offer is what its uses took off.
    """
    yield books.count(vends, vends.c.offer != "")
    given_back = or_(vends.c.status.in_(NOT_DELIVERED), vends.c.reason == WRITTEN_OFF)
    wrong = or_(
        use.vend_id.is_(None),
        use.discount_minor != vends.c.discount_minor,
        use.returned_at_ms.is_(None) == given_back,
        and_(use.payer_id != "", use.payer_id != sessions.c.payer_id),
    )
    said = and_(use.vend_id == vends.c.vend_id, use.offer == vends.c.offer)
    columns = vends.c["vend_id", "machine_id", "offer", "discount_minor", "currency", "status"]
    for row in books.odd_ones(
        select(*columns)
        .select_from(
            vends.outerjoin(offer_uses, said).outerjoin(
                sessions, sessions.c.session_id == vends.c.session_id
            )
        )
        .where(or_(vends.c.offer != "", vends.c.discount_minor != 0), wrong)
    ):
        yield Finding(
            sentence=f"vend {row.vend_id} is {row.status}, and its {row.discount_minor} "
            f"{row.currency} off by offer {row.offer} are not counted so (machine "
            f"{row.machine_id})",
            machine_id=row.machine_id,
            vend_id=row.vend_id,
            currency=row.currency,
            amounts={"discount_minor": row.discount_minor},
        )
    strangers = (
        select(offer_uses)
        .select_from(offer_uses.outerjoin(vends, said))
        .where(vends.c.vend_id.is_(None))
    )
    for row in books.odd_ones(strangers):
        yield Finding(
            sentence=f"offer {row.offer} counts {row.discount_minor} for vend {row.vend_id}, which "
            "has none of it",
            vend_id=row.vend_id,
            amounts={"discount_minor": row.discount_minor},
        )
    counted = case((use.returned_at_ms.is_(None), use.discount_minor), else_=0)
    one = case((use.returned_at_ms.is_(None), 1), else_=0)
    summed = (
        select(use.offer, func.sum(counted).label("minor"), func.sum(one).label("number")).group_by(
            use.offer
        )
    ).subquery()
    spent, c = offer_spending.c, summed.c
    named = union(select(spent.offer), select(c.offer)).subquery().c.offer
    for row in books.odd_ones(
        select(named, spent.spent_minor, spent.uses, c.minor, c.number)
        .outerjoin(offer_spending, spent.offer == named)
        .outerjoin(summed, c.offer == named)
        .where(
            or_(
                spent.offer.is_(None),
                spent.spent_minor != func.coalesce(c.minor, 0),
                spent.uses != func.coalesce(c.number, 0),
            )
        )
    ):
        spent_of = "nothing" if row.uses is None else f"{row.spent_minor} in {row.uses} uses"
        yield Finding(
            sentence=f"offer {row.offer} is spent by {spent_of}, and its "
            f"uses are {row.number or 0} of {row.minor or 0}",
            amounts={"spent_minor": row.spent_minor or 0, "used_minor": int(row.minor or 0)},
        )
