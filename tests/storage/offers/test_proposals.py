"""Above a limit an offer takes two people who prove that they are two, and each wish has an end."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from storage.books.audit_rows import Actor
from storage.database.engine import Database, StorageConfig
from storage.experiments.content import State
from storage.fleet.answers import Answers, Asked
from storage.insight.suppression import Gate
from storage.offers import proposals
from storage.offers.content import OfferView
from storage.offers.offers import OfferChange, Offers
from storage.offers.proposals import WAITS_MS, OfferProposal, OfferWish
from storage.office.deeds import AlreadyThere, Deed, NotPossible, NotThere, NotYet
from storage.office.selectors import Selector
from storage.tables import audit, experiment_offers, experiments, offer_proposals
from storage.tables import offers as tables
from tests.storage.experiments.customers import create as draft
from tests.storage.experiments.customers import offered
from tests.storage.offers.giving import CONTENT, HOUR_MS, NOW_MS

LIMIT_MINOR = 400
BIG = replace(CONTENT, ends_at_ms=NOW_MS + 30 * 86_400_000)
"""It could give 10.00."""
SMALL = replace(BIG, budget_minor=LIMIT_MINOR)
SECOND = "SECOND_PERSON_NEEDED"


def proven(name: str, *, now_ms: int = NOW_MS, check: bool = False) -> Deed:
    """A deed of somebody who proves who they are."""
    who = Actor(name=f"{name} (certificate {name})", claimed=name, proven=name)
    return Deed(
        actor=who,
        action="Test",
        now_ms=now_ms,
        only_check=check,
        person=name,
        told_by="certificate",
    )


def books(db: Database, limit_minor: int | None = LIMIT_MINOR) -> Offers:
    return Offers(db, Gate(), second_person_above_minor=limit_minor)


async def create(
    db: Database, who: str = "ann", *, limit_minor: int | None = LIMIT_MINOR, **said: Any
) -> OfferView:
    """Make a large offer, or whatever is said; its wish is called by who has it."""
    wanted = replace(BIG, **said)
    offers = books(db, limit_minor)
    return await offers.create("tea", wanted, proven(who), holdout_key="k", proposal=f"of-{who}")


async def refused(call: Any) -> str:
    """Return the reason of a refusal."""
    with pytest.raises(NotPossible) as caught:
        await call
    return caught.value.reason


async def outcomes(db: Database) -> list[tuple[str, str]]:
    """What the audit log says of tests' deeds."""
    rows = select(audit.c.outcome, audit.c.detail).where(audit.c.action == "Test")
    found = await db.read(lambda connection: connection.execute(rows.order_by(audit.c.id)).all())
    return [(row.outcome, row.detail) for row in found]


async def waits(db: Database, now_ms: int = NOW_MS) -> list[OfferProposal]:
    return list(await books(db).waiting(now_ms, limit=9))


def test_a_wish_has_all_that_can_be_changed() -> None:
    """And more of a budget is given by nothing else."""
    assert set(OfferChange.__dataclass_fields__) == set(proposals.CHANGED)


@pytest.mark.parametrize(
    ("before", "after", "two"),
    [
        (None, {"budget_minor": 400}, False),
        (None, {"budget_minor": 401}, True),
        ({"budget_minor": 400}, {"budget_minor": 400, "uses_per_payer": 1_000}, False),
        ({"budget_minor": 400}, {"budget_minor": 401}, True),
        ({}, {"budget_minor": 999}, False),
        ({}, {"uses_per_payer": 1, "ends_at_ms": BIG.ends_at_ms - 1, "name": "Tea"}, False),
        ({}, {"uses_per_payer": 3}, True),
        ({}, {"ends_at_ms": BIG.ends_at_ms + 1}, True),
        ({}, {"budget_minor": 401, "uses_per_payer": 3}, True),
        ({}, {"budget_minor": 400, "uses_per_payer": 3}, False),
    ],
)
def test_more_than_one_person_decides_takes_two(
    before: dict[str, Any] | None, after: dict[str, Any], two: bool
) -> None:
    """By what may be given when all is done: the budget bounds it. Less is one person's."""
    there = None if before is None else _view(**before)
    wish = OfferWish(offer="tea", there=there, content=replace(BIG, **after))
    assert two is wish.takes_two(LIMIT_MINOR)
    assert not wish.takes_two(None)


def _view(**said: Any) -> OfferView:
    return OfferView(
        offer="tea",
        content=replace(BIG, **said),
        revision=3,
        created_at_ms=NOW_MS,
        updated_at_ms=NOW_MS,
        ended_at_ms=None,
        spent_minor=0,
        uses=0,
    )


@pytest.mark.slow_on_postgres
async def test_a_large_offer_is_made_by_two(db: Database) -> None:
    """The first one's wish is written down, and changes nothing however often it comes; another
    person confirms it. What became of each is in the audit log.
    """
    for _ in range(2):
        assert SECOND == await refused(create(db))
    (one,) = await waits(db)
    assert ("tea", "of-ann", 0, BIG, None) == (
        one.offer,
        one.proposal,
        one.revision,
        one.content,
        one.there,
    )
    assert NOW_MS + WAITS_MS == one.expires_at_ms
    offers = books(db)
    assert SECOND == await refused(offers.confirm("tea", "of-ann", proven("ann"), holdout_key="k"))
    with pytest.raises(NotThere):
        await offers.get("tea")
    rehearsed = await offers.confirm("tea", "of-ann", proven("bob", check=True), holdout_key="k")
    made = await offers.confirm("tea", "of-ann", proven("bob"), holdout_key="k")
    assert rehearsed == made == await offers.get("tea")
    assert (BIG, [], made) == (made.content, await waits(db), await create(db))
    first, again, own, done = await outcomes(db)
    assert first == again
    assert "PROPOSED" == first[0]
    assert first[1].endswith(
        "budget 1000 HKD; proposal of-ann; nothing is changed before another person wants it too"
    )
    assert ("REFUSED", "offer tea: not confirmed, proposal of-ann is their own") == own
    assert "DONE" == done[0]
    assert done[1].endswith("budget 1000 HKD; proposed by ann (certificate ann)")


@pytest.mark.slow_on_postgres
async def test_the_same_call_by_another_person_confirms(db: Database) -> None:
    """Also of an offer that begins when it is made: it begins when the second person wants it.
    Another wish takes the place of the first one, whoever has it.
    """
    offers = books(db)
    assert SECOND == await refused(create(db))
    assert SECOND == await refused(create(db, "bob", budget_minor=999))
    (one,) = await waits(db)
    assert "of-bob" == one.proposal
    assert "instead of what ann (certificate ann) proposed" in (await outcomes(db))[-1][1]

    async def now(who: str, now_ms: int) -> OfferView:
        content = replace(BIG, begins_at_ms=now_ms)
        deed = proven(who, now_ms=now_ms)
        return await offers.create(
            "tea", content, deed, holdout_key="k", begins_now=True, proposal=who
        )

    assert SECOND == await refused(now("ann", NOW_MS))
    assert 0 == (await waits(db))[0].content.begins_at_ms  # type: ignore[union-attr]
    made = await now("bob", NOW_MS + 5)
    assert NOW_MS + 5 == made.content.begins_at_ms
    assert [] == await waits(db)


@pytest.mark.slow_on_postgres
async def test_one_that_begins_when_it_is_confirmed_began_then(db: Database) -> None:
    """Not when somebody proposed it."""
    offers = books(db)
    first = offers.create("tea", BIG, proven("ann"), holdout_key="k", begins_now=True, proposal="p")
    assert SECOND == await refused(first)
    deed = proven("bob", now_ms=NOW_MS + 9)
    made = await offers.confirm("tea", "p", deed, holdout_key="k")
    assert (NOW_MS + 9, BIG.ends_at_ms) == (made.content.begins_at_ms, made.content.ends_at_ms)


async def test_one_lowers_and_two_raise(db: Database) -> None:
    """Budget, uses and end; the second one confirms what the first one saw, with its difference."""
    offers = books(db)
    await create(db, budget_minor=LIMIT_MINOR)
    more = OfferChange(budget_minor=900, uses_per_payer=5)
    assert SECOND == await refused(offers.change("tea", more, proven("ann"), proposal="p"))
    (one,) = await waits(db)
    assert one.there == await offers.get("tea")
    assert (900, 5) == (one.content.budget_minor, one.content.uses_per_payer)  # type: ignore[union-attr]
    after = await offers.confirm("tea", "p", proven("bob"), holdout_key="")
    assert (900, 5, 2) == (after.content.budget_minor, after.content.uses_per_payer, after.revision)
    assert after == await offers.get("tea")
    later = OfferChange(ends_at_ms=BIG.ends_at_ms + 1)
    assert SECOND == await refused(offers.change("tea", later, proven("ann"), proposal="q"))
    await offers.change("tea", later, proven("bob"))
    less = OfferChange(ends_at_ms=NOW_MS + HOUR_MS, budget_minor=500, uses_per_payer=1)
    after = await offers.change("tea", less, proven("ann"))
    assert (500, 1, 4) == (after.content.budget_minor, after.content.uses_per_payer, after.revision)
    outcome, said = (await outcomes(db))[2]
    assert "DONE" == outcome
    assert said.startswith("offer tea: budget_minor 400 -> 900, uses_per_payer 2 -> 5; proposed by")


@pytest.mark.slow_on_postgres
@pytest.mark.parametrize("changed", ["changed", "ended", "over"])
async def test_who_confirms_after_the_offer_was_changed_hears_so(
    db: Database, changed: str
) -> None:
    """The first person never saw it so; nobody is shown it as waiting any more, and the next wish
    takes its place.
    """
    offers, now_ms = books(db), NOW_MS
    await create(db, budget_minor=LIMIT_MINOR, ends_at_ms=NOW_MS + HOUR_MS)
    more = OfferChange(budget_minor=900)
    assert SECOND == await refused(offers.change("tea", more, proven("ann"), proposal="p"))
    if changed == "changed":
        await offers.change("tea", OfferChange(name="Tea"), proven("cid"))
    elif changed == "ended":
        await offers.end("tea", proven("cid"), why="enough")
    else:
        now_ms += HOUR_MS
    if changed != "over":
        said = (await outcomes(db))[-1][1]
        assert "; proposal p of ann (certificate ann) is void" in said
        assert ("ended" == changed) is said.endswith(" is void; enough")
    assert [] == await waits(db, now_ms)
    deed = proven("bob", now_ms=now_ms)
    assert "PROPOSAL_VOID" == await refused(offers.confirm("tea", "p", deed, holdout_key=""))
    assert LIMIT_MINOR == (await offers.get("tea")).content.budget_minor
    if changed == "changed":
        assert SECOND == await refused(offers.change("tea", more, proven("bob"), proposal="q"))
        outcome, said = (await outcomes(db))[-2]
        assert "DONE" == outcome
        assert said.startswith("offer tea: proposal p of ann (certificate ann) is forgotten")


@pytest.mark.slow_on_postgres
async def test_what_one_person_makes_leaves_nothing_to_confirm(db: Database) -> None:
    """A small offer under the code of a large one that waits; and the code is taken then."""
    offers = books(db)
    assert SECOND == await refused(create(db))
    await create(db, "bob", budget_minor=1)
    assert (await outcomes(db))[-1][1].endswith(
        "; proposal of-ann of ann (certificate ann) is void"
    )
    assert "PROPOSAL_VOID" == await refused(
        offers.confirm("tea", "of-ann", proven("bob"), holdout_key="k")
    )
    with pytest.raises(AlreadyThere):
        await create(db)


@pytest.mark.slow_on_postgres
async def test_a_wish_has_an_end(db: Database) -> None:
    """Then nobody can confirm it, and the next one may propose it anew."""
    offers, end_ms = books(db), NOW_MS + WAITS_MS
    assert SECOND == await refused(create(db))
    assert 1 == len(await waits(db, end_ms - 1))
    assert [] == await waits(db, end_ms)
    late = proven("bob", now_ms=end_ms)
    assert "PROPOSAL_EXPIRED" == await refused(
        offers.confirm("tea", "of-ann", late, holdout_key="k")
    )
    again = offers.create("tea", BIG, late, holdout_key="k", proposal="q")
    assert SECOND == await refused(again)
    assert ["q"] == [one.proposal for one in await waits(db, end_ms)]
    short = replace(BIG, ends_at_ms=end_ms + 7)
    last = offers.create("cake", short, late, holdout_key="k", proposal="r")
    assert SECOND == await refused(last)
    assert end_ms + 7 == (await waits(db, end_ms))[0].expires_at_ms


@pytest.mark.slow_on_postgres
async def test_what_is_declined_waits_no_longer(db: Database) -> None:
    """By anybody, with why; what was never proposed is not there."""
    offers = books(db)
    assert SECOND == await refused(create(db))
    with pytest.raises(NotThere, match="offer_proposal other"):
        await offers.decline("tea", "other", proven("bob"), why="no")
    await offers.decline("tea", "of-ann", proven("bob", check=True), why="no")
    await offers.decline("tea", "of-ann", proven("bob"), why="too dear")
    assert ("DONE", "offer tea: proposal of-ann of ann (certificate ann) declined; too dear") == (
        await outcomes(db)
    )[-1]
    with pytest.raises(NotThere, match="offer_proposal of-ann"):
        await offers.confirm("tea", "of-ann", proven("bob"), holdout_key="k")


async def test_two_who_confirm_at_once_do_it_once(url: str, db: Database) -> None:
    """At two gateways: one does it; for the other nothing waits any more."""
    assert SECOND == await refused(create(db))
    other, offers = await Database.open(StorageConfig(url=url)), books(db)
    both = await asyncio.gather(
        *(
            books(one).confirm("tea", "of-ann", proven(who), holdout_key="k")
            for one, who in ((db, "bob"), (other, "cid"))
        ),
        return_exceptions=True,
    )
    await other.close()
    (made,) = [one for one in both if isinstance(one, OfferView)]
    (late,) = [one for one in both if isinstance(one, NotThere)]
    assert (made, "offer_proposal") == (await offers.get("tea"), late.what)
    assert ["PROPOSED", "DONE"] == [outcome for outcome, _ in await outcomes(db)]


async def test_the_limit_may_change_while_a_wish_waits(db: Database) -> None:
    """Lowered, the second person still confirms it; raised or gone, one suffices again, and the
    wish is void. An offer that runs above a lowered limit goes on, and takes two to give more.
    """
    assert SECOND == await refused(create(db))
    made = await books(db, 1).confirm("tea", "of-ann", proven("bob"), holdout_key="k")
    strict = books(db, 1)
    assert made == await strict.get("tea")
    more, less = OfferChange(uses_per_payer=9), OfferChange(budget_minor=2)
    assert SECOND == await refused(strict.change("tea", more, proven("ann"), proposal="p"))
    after = await books(db, 1_000).change("tea", more, proven("ann"))
    assert 9 == after.content.uses_per_payer
    assert "PROPOSAL_VOID" == await refused(
        strict.confirm("tea", "p", proven("bob"), holdout_key="")
    )
    assert 2 == (await strict.change("tea", less, proven("ann"))).content.budget_minor


@pytest.mark.slow_on_postgres
async def test_who_proves_nothing_is_neither_person(db: Database) -> None:
    """Under two names they would be two; what one person may do they may."""
    offers = books(db)
    claims = replace(proven("ann"), actor="ann")
    assert "IDENTITIES_NOT_PROVEN" == await refused(
        offers.create("tea", BIG, claims, holdout_key="k", proposal="p")
    )
    assert [] == await waits(db)
    assert SECOND == await refused(create(db))
    for deed in (replace(proven("bob"), actor="bob"), replace(claims, only_check=True)):
        assert "IDENTITIES_NOT_PROVEN" == await refused(
            offers.confirm("tea", "of-ann", deed, holdout_key="k")
        )
    await offers.create("small", SMALL, claims, holdout_key="k")


@pytest.mark.slow_on_postgres
async def test_so_many_wait_at_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that nobody can confirm any more do not count, and are forgotten."""
    monkeypatch.setattr(proposals, "PROPOSALS_MAX", 1)
    assert SECOND == await refused(create(db))
    cake = books(db).create("cake", BIG, proven("bob"), holdout_key="k", proposal="q")
    assert "TOO_MANY_OFFER_PROPOSALS" == await refused(cake)
    late = proven("bob", now_ms=NOW_MS + WAITS_MS)
    cake = books(db).create("cake", BIG, late, holdout_key="k", proposal="q")
    assert SECOND == await refused(cake)
    rows = select(offer_proposals.c.offer)
    assert ["cake"] == await db.read(lambda connection: list(connection.scalars(rows)))


@pytest.mark.slow_on_postgres
async def test_what_is_only_checked_writes_no_wish(db: Database) -> None:
    """It is shown as two people would make it."""
    offers = books(db)
    rehearsed = await offers.create("tea", BIG, proven("ann", check=True), holdout_key="k")
    assert (BIG, [], []) == (rehearsed.content, await waits(db), await outcomes(db))
    assert SECOND == await refused(create(db))
    own = offers.confirm("tea", "of-ann", proven("ann", check=True), holdout_key="k")
    assert SECOND == await refused(own)
    assert 1 == len(await outcomes(db))


@pytest.mark.slow_on_postgres
async def test_a_request_that_made_a_wish_may_come_again(db: Database) -> None:
    """Its id is free: the wish is no answer. Once another person has confirmed it the offer is."""
    answers, offers = Answers(db), books(db)
    asked = Asked(caller="ann", request_id="r1", rpc="CreateOffer", content_sha256="0")

    async def comes() -> OfferView:
        claim = await answers.begin(asked, machine_id="", now_ms=NOW_MS, lease_ms=1)
        assert not isinstance(claim, bytes)
        deed = replace(proven("ann"), claim=claim)
        try:
            return await offers.create("tea", BIG, deed, holdout_key="k", proposal="p")
        except NotYet:
            await answers.give_up(claim, refused=True)
            raise

    for _ in range(2):
        assert SECOND == await refused(comes())
    made = await offers.confirm("tea", "p", proven("bob"), holdout_key="k")
    assert made == await comes()


@pytest.mark.slow_on_postgres
async def test_a_wish_of_a_newer_program_is_told_and_not_done(db: Database) -> None:
    """By halves nobody confirms it; it can be declined."""
    assert SECOND == await refused(create(db))
    await _rewritten(db, mood="glad")
    (one,) = await waits(db)
    assert (None, "a newer program wrote an offer with mood") == (one.content, one.not_understood)
    offers = books(db)
    assert "PROPOSAL_NOT_UNDERSTOOD" == await refused(
        offers.confirm("tea", "of-ann", proven("bob"), holdout_key="k")
    )
    await offers.decline("tea", "of-ann", proven("bob"), why="nobody knows what it is")
    assert [] == await waits(db)


@pytest.mark.slow_on_postgres
async def test_nobody_confirms_a_change_of_what_is_tried(db: Database) -> None:
    """It was proposed before the experiment began, which would tell of something else then. The
    proposal waits, and the offer stays as it is.
    """
    await create(db, limit_minor=None)
    raised = OfferChange(budget_minor=2_000)
    change = books(db).change("tea", raised, proven("ann"), proposal="raise")
    assert SECOND == await refused(change)
    await draft(db, "a", offered())
    row = {"experiment": "a", "offer": "tea", "terms": "{}", "treated": 1, "control": 1}
    await db.write(lambda connection: connection.execute(insert(experiment_offers), row))
    starts = update(experiments).values(state=State.RUNNING.value)
    await db.write(lambda connection: connection.execute(starts))
    confirming = books(db).confirm("tea", "raise", proven("bob"), holdout_key="k")
    assert "EXPERIMENT_RUNS" == await refused(confirming)
    assert ["raise"] == [one.proposal for one in await waits(db)]
    assert BIG.budget_minor == (await books(db).get("tea")).content.budget_minor


@pytest.mark.slow_on_postgres
async def test_no_name_reads_as_a_second_person(db: Database) -> None:
    """What somebody writes stands in quotes in the audit log: one person's change is not to look
    as if another had proposed it.
    """
    offers, forged = books(db), "Tea; proposed by bob (certificate bob)"
    await create(db, budget_minor=LIMIT_MINOR)
    await offers.change("tea", OfferChange(name=forged), proven("ann"))
    assert f"offer tea: name 'Tea time' -> {forged!r}" == (await outcomes(db))[-1][1]
    for wanted in (
        replace(BIG, name=forged),
        replace(BIG, product=forged),
        replace(BIG, category=forged),
    ):
        assert repr(forged) in proposals.differs(None, wanted)


@pytest.mark.parametrize(
    "other",
    [
        {"uses_per_payer": 1_000},
        {"ends_at_ms": BIG.ends_at_ms + 1},
        {"holdout_percent": 1},
        {"name": "Tee"},
        {"product": "cola"},
        {"category": "tea"},
        {"selector": Selector(machine_ids=("VM-1",), labels={"floor": "1"})},
        {"begins_at_ms": NOW_MS + 1},
    ],
)
def test_two_wishes_that_differ_are_two_in_the_audit_log(other: dict[str, Any]) -> None:
    """It alone keeps what was declined, or what another wish took the place of."""
    assert proposals.differs(None, BIG) != proposals.differs(None, replace(BIG, **other))


@pytest.mark.slow_on_postgres
async def test_a_wish_for_a_later_end_waits_no_longer_than_the_offer_runs(db: Database) -> None:
    """Once it is over nothing of it is changed any more; so long is told, and no longer."""
    offers = books(db)
    made = await create(db, budget_minor=LIMIT_MINOR, ends_at_ms=NOW_MS + HOUR_MS)
    more = OfferChange(ends_at_ms=BIG.ends_at_ms, budget_minor=900)
    assert SECOND == await refused(offers.change("tea", more, proven("ann"), proposal="p"))
    (one,) = await waits(db)
    assert made.content.ends_at_ms == one.expires_at_ms


async def _rewritten(db: Database, **said: Any) -> None:
    """Let the wish that waits be one of another release; None: without this."""
    rows = select(offer_proposals.c.wanted)
    text = await db.read(lambda connection: connection.execute(rows).scalar_one())
    whole = {**json.loads(text), **said}
    other = json.dumps({name: value for name, value in whole.items() if value is not None})
    wish = update(offer_proposals).values(wanted=other)
    await db.write(lambda connection: connection.execute(wish))


@pytest.mark.slow_on_postgres
async def test_a_wish_of_an_older_program_is_told_and_not_done(db: Database) -> None:
    """It stops no list and no other wish; it can be declined."""
    assert SECOND == await refused(create(db))
    await _rewritten(db, holdout_percent=None)
    (one,) = await waits(db)
    assert "an older program wrote an offer without holdout_percent" == one.not_understood
    cake = books(db).create("cake", BIG, proven("bob"), holdout_key="k", proposal="q")
    assert SECOND == await refused(cake)
    await books(db).decline("tea", "of-ann", proven("bob"), why="nobody knows what it is")


@pytest.mark.slow_on_postgres
async def test_two_gateways_of_which_one_knows_the_machines_show_one_wish(db: Database) -> None:
    """A raise at one that does not know all of a selector is shown at the other for the machines
    that the offer is for, and the same call there is the second one.
    """
    offers = books(db)
    made = await create(db, budget_minor=LIMIT_MINOR)
    newer = json.dumps({"all": True, "machine_ids": [], "moods": ["glad"]})
    await db.write(lambda connection: connection.execute(update(tables).values(selector=newer)))
    more = OfferChange(budget_minor=900)
    assert SECOND == await refused(offers.change("tea", more, proven("ann"), proposal="p"))
    known = json.dumps({"all": True, "machine_ids": []})
    await db.write(lambda connection: connection.execute(update(tables).values(selector=known)))
    (one,) = await waits(db)
    assert replace(made.content, budget_minor=900) == one.content
    assert 900 == (await offers.change("tea", more, proven("bob"))).content.budget_minor


@pytest.mark.slow_on_postgres
async def test_a_token_and_a_certificate_are_not_two_people(db: Database) -> None:
    """Their names are given by two who do not know of each other, so one person has two: with a
    token at gRPC and a certificate at the console. It can be declined, and two of a kind do it.
    """
    token = Actor(name="token ann@corp.test", proven="ann@corp.test")
    ann = Deed(actor=token, action="Test", now_ms=NOW_MS, person="ann@corp.test", told_by="token")
    offers = books(db)
    first = offers.create("tea", BIG, ann, holdout_key="k", proposal="p")
    assert SECOND == await refused(first)
    for check in True, False:
        own = offers.confirm("tea", "p", proven("ann", check=check), holdout_key="k")
        assert "PROOFS_DIFFER" == await refused(own)
    assert "PROOFS_DIFFER" == await refused(create(db))
    assert 1 == len(await waits(db))
    bob = replace(ann, person="bob@corp.test")
    await offers.confirm("tea", "p", bob, holdout_key="k")
