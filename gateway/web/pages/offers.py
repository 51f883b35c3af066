"""Offers: those that are not over, those that are, and what waits for a second person; of one that
is chosen, what it cost by day.
"""

from collections.abc import Iterable

from gateway.office.v1 import offer_pb2 as wire
from gateway.office.v1 import offer_service_pb2
from gateway.web import sales
from gateway.web.charts import BAR_LENGTH, Bar
from gateway.web.offer_acts import ANSWERS, CHANGE, OFFER, OFFERS
from gateway.web.pages.screen_plans import NO_MACHINE, machines_meant
from gateway.web.tables import ACT, Amount, Cell, Form, Link, Table, grouped, moment, money
from gateway.web.view import ConsolePage, Looking
from gateway.web.words import said
from storage.insight import days

PAGE = 100
WHEN_CONFIRMED = "when it is confirmed"
CREATE = Form(act="create-offer", label="Make the offer", fields={"back": OFFERS}, asks=())


async def offers(looking: Looking) -> ConsolePage:
    """Return the page; with the days of an offer and the form that changes it, if the query names
    it.
    """
    chosen = looking.word("offer")
    live, over, proposals, *one = await looking.all(
        offer_service_pb2.ListOffersRequest(page_size=PAGE, over=False),
        offer_service_pb2.ListOffersRequest(
            page_size=PAGE, over=True, page_token=looking.token("over")
        ),
        offer_service_pb2.ListOfferProposalsRequest(page_size=PAGE),
        *([offer_service_pb2.GetOfferRequest(code=chosen)] if chosen else []),
    )
    told = one[0] if one else None
    kept = {"offer": chosen} if chosen else {}
    return ConsolePage(
        title="Offers",
        template="offers.html",
        tables=(
            *([_facts(told.offer), _days(told)] if told else ()),
            _live(live.offers),
            _waiting(proposals.proposals),
            _over(over.offers),
        ),
        forms=[CREATE, *([_change(told.offer)] if told and not _is_over(told.offer) else [])],
        values={
            "chosen": told.offer if told else None,
            # One of both forms is filled in: some of their fields are called the same.
            "given": {name: "" if chosen else looking.word(name) for name in OFFER},
            "given_change": {name: looking.word(name) for name in CHANGE},
            "drawn": _drawn(live.offers),
            "waits": len(proposals.proposals),
            "sales_complete": sales.complete(told) if told else None,
        },
        more={"over": {**kept, "over": over.next_page_token}} if over.next_page_token else {},
    )


def _is_over(of: wire.Offer) -> bool:
    return of.state == wire.OFFER_STATE_ENDED


def _link(code: str) -> Link:
    return Link(code, f"{OFFERS}?offer={code}")


def off(of: wire.OfferContent) -> str:
    """Return what an offer takes off each price, in words."""
    if of.HasField("discount"):
        return str(Amount(of.discount.minor, of.discount.currency))
    whole, rest = divmod(of.basis_points, 100)
    return f"{whole}.{rest:02} %" if rest else f"{whole} %"


def for_whom(of: wire.OfferContent) -> str:
    """Return in words whose an offer is, and for what."""
    what = of.product or (of.category and f"category {of.category}")
    whose = f"who have {of.tag}" if of.tag else "all known payers"
    held_out = f", {of.holdout_percent} % of them held out" if of.holdout_percent else ""
    return f"{whose}{held_out}{f', for {what}' if what else ''}"


def _left(of: wire.Offer) -> Amount:
    """Return what is left of a budget; nothing if it was lowered below what is spent."""
    left = of.content.budget.minor - of.spent.minor
    return Amount(max(0, left), of.content.budget.currency)


def _meant(of: wire.Offer) -> str:
    if of.not_understood:
        return of.not_understood
    if not of.HasField("machines_meant"):
        return ""
    return grouped(of.machines_meant) if of.machines_meant else NO_MACHINE


def _drawn(of: Iterable[wire.Offer]) -> list[Bar]:
    """Return a bar of each offer: the whole length is its own budget, spent."""
    return [
        Bar(
            label=one.code,
            said=f"{_left(one)} left",
            length=min(one.spent.minor, whole) * BAR_LENGTH // whole,
        )
        for one in of
        if (whole := one.content.budget.minor)
    ]


def _live(of: Iterable[wire.Offer]) -> Table:
    return Table(
        name="offers",
        title="Offers",
        heads=(
            *("Offer", "Name", "Is", "Takes off", "Budget", "Spent", "Left", "Uses", "Until"),
            *("For", "At machines", "Means now", "Uses each", "From", ACT),
        ),
        rows=[
            (
                _link(one.code),
                one.content.name,
                said(wire.OfferState, one.state),
                off(one.content),
                money(one.content.budget),
                money(one.spent),
                _left(one),
                one.uses,
                moment(one.content.ends_at),
                for_whom(one.content),
                machines_meant(one.content.selector),
                _meant(one),
                one.content.uses_per_payer,
                moment(one.content.begins_at),
                Form(act="end-offer", label="End", fields={"offer": one.code, "etag": one.etag}),
            )
            for one in of
        ],
        empty="No offer runs or is to come: make one.",
        note="Spent is what vends took off that were delivered, or may still be. Open one to see "
        "it by day and to change it. What it takes off, for whom and for what stays: make another.",
    )


def _over(of: Iterable[wire.Offer]) -> Table:
    return Table(
        name="over",
        title="Offers that are over",
        heads=("Offer", "Name", "Took off", "From", "Until", "Ended by hand", "Uses", "Spent"),
        rows=[
            (
                _link(one.code),
                one.content.name,
                off(one.content),
                moment(one.content.begins_at),
                moment(one.content.ends_at),
                moment(one.ended_at),
                one.uses,
                money(one.spent),
            )
            for one in of
        ],
        empty="None is over.",
    )


def _waiting(of: Iterable[wire.OfferProposal]) -> Table:
    return Table(
        name="waiting",
        title="Waits for a second person",
        heads=(
            *("Offer", "Is to be", "Name now", "Name", "Takes off", "For", "At machines", "From"),
            *("Budget now", "Budget", "Uses each now", "Uses each", "Until now", "Until"),
            *("Proposed by", "Proposed", "Runs out", ACT),
        ),
        rows=[_proposal(one) for one in of],
        empty="Nothing waits.",
        note="Whoever proposed it cannot confirm it. Both show who they are by a certificate: a "
        "link to the console proves nobody's name. Who declines says why.",
    )


def _proposal(of: wire.OfferProposal) -> tuple[Cell, ...]:
    wanted, before = of.content, of.before
    is_there, is_known = of.HasField("before"), of.HasField("content")
    return (
        _link(of.code) if is_there else of.code,
        of.not_understood or ("changed" if is_there else "made"),
        before.name,
        wanted.name,
        off(wanted) if is_known else "",
        for_whom(wanted) if is_known else "",
        machines_meant(wanted.selector),
        moment(wanted.begins_at) or (WHEN_CONFIRMED if is_known else ""),
        money(before.budget),
        money(wanted.budget),
        before.uses_per_payer or None,
        wanted.uses_per_payer or None,
        moment(before.ends_at),
        moment(wanted.ends_at),
        of.proposed_by,
        moment(of.proposed_at),
        moment(of.expires_at),
        Form(
            act="answer-offer",
            label="Answer",
            fields={"offer": of.code, "proposal": of.proposal},
            asks=("answer", "reason"),
            choices={"answer": ANSWERS},
        ),
    )


def _facts(of: wire.Offer) -> Table:
    content = of.content
    rows: list[tuple[Cell, ...]] = [
        ("is", said(wire.OfferState, of.state)),
        ("takes off", off(content)),
        ("for", for_whom(content)),
        ("at machines", machines_meant(content.selector)),
        ("means now", _meant(of)),
        ("uses each", str(content.uses_per_payer)),
        ("uses", grouped(of.uses)),
        ("budget", str(money(content.budget))),
        ("spent", str(money(of.spent))),
        ("left", str(_left(of))),
    ]
    return Table(
        name="facts",
        title=f"{of.code}: {content.name}",
        heads=("What", "Is"),
        rows=[row for row in rows if row[1]],
    )


def _days(of: offer_service_pb2.GetOfferResponse) -> Table:
    return Table(
        name="days",
        title=f"{of.offer.code} by day",
        heads=("Day", "Uses", "Paid", "Cost"),
        rows=[
            (days.as_date(one.day).isoformat(), one.uses, money(one.sales), money(one.discount))
            for one in of.days
        ],
        empty="Nobody has used it, as far as is told.",
        note="Of vends that were delivered: what was paid for them, and what the offer took off.",
    )


def _change(of: wire.Offer) -> Form:
    return Form(
        act="change-offer",
        label="Change",
        fields={
            "offer": of.code,
            "etag": of.etag,
            "currency": of.content.budget.currency,
            "back": f"{OFFERS}?offer={of.code}",
        },
        asks=(),
    )
