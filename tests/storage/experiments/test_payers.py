"""Who counts is known before the offer begins, and what they spent is what they paid."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, text, update

from storage.database.engine import Database
from storage.experiments import payers as module
from storage.experiments.history import DaySpan
from storage.experiments.payers import PayersAsked, PayerSum, UnitSum, read_payers, read_units
from storage.insight import days
from storage.office.selectors import Selector
from storage.tables import experiment_payers, experiments, machines, payer_tags, tag_runs
from tests.storage.experiments.customers import NOW_MS, are_known, fact, facts
from tests.storage.experiments.fleets import OVER, experiment_row
from tests.storage.offers.giving import CONTENT
from tests.storage.office.places import some_machines

PRE = DaySpan(first=20260603, last=OVER)
DURING = DaySpan(first=20260701, last=20260728)
BOTH = PayersAsked(offer=CONTENT, pre=PRE, during=DURING, now_ms=NOW_MS)
EARLIER = days.moved(PRE.first, -1)


async def bought(db: Database) -> None:
    """Ann bought, bob only earlier, cy only tea at another machine, dee in another money."""
    await some_machines(db, "VM-01", "VM-02", "VM-03")
    await are_known(db, ("ann", "bob", "cy", "dee", "eve"))
    told: list[tuple[str, int, dict[str, Any]]] = [
        ("ann", PRE.first, {}),
        ("ann", PRE.last, {"machine_id": "VM-02", "sales_minor": 700}),
        ("ann", PRE.last, {"kind": "GOODWILL", "units": 0, "sales_minor": -200}),
        ("ann", PRE.last, {"kind": "WRITE_OFF", "sales_minor": 900}),
        ("ann", EARLIER, {"sales_minor": 9_000}),
        ("ann", DURING.first, {"machine_id": "VM-03", "sales_minor": 300}),
        ("ann", DURING.last, {"sales_minor": 40}),
        ("ann", days.moved(DURING.last, 1), {"sales_minor": 9_000}),
        ("bob", EARLIER, {}),
        ("bob", DURING.first, {}),
        ("cy", PRE.last, {"machine_id": "VM-02", "sales_minor": 600}),
        ("dee", PRE.last, {"currency": "CNY"}),
        ("", PRE.last, {}),
        ("gone", PRE.last, {}),
    ]
    await facts(db, [fact(n, payer, d, **more) for n, (payer, d, more) in enumerate(told, 1)])


@pytest.mark.slow_on_postgres
async def test_who_bought_before_counts_with_all_that_they_paid(db: Database) -> None:
    """At whichever machine, in the offer's currency, without what was given back, and without goods
    that nobody paid; who bought nothing at the offer's machines in the days before is not there.
    """
    await bought(db)
    ann, cy = PayerSum("ann", 1_000, 340), PayerSum("cy", 600, 0)
    assert [ann, cy] == await read_payers(db, BOTH)
    only = replace(BOTH, during=None)
    assert [ann._replace(during=0), cy] == await read_payers(db, only)
    one = replace(CONTENT, selector=Selector(machine_ids=("VM-01",)))
    assert [ann] == await read_payers(db, replace(BOTH, offer=one))
    cny = replace(CONTENT, currency="CNY")
    assert [PayerSum("dee", 500, 0)] == await read_payers(db, replace(BOTH, offer=cny))


async def test_where_all_choose_first_nobody_can_use_it(db: Database) -> None:
    """Who bought at no other machine is not there; who did counts with all that they paid."""
    await bought(db)
    await db.write(
        lambda connection: connection.execute(
            update(machines).where(machines.c.machine_id == "VM-02").values(mode="SELECTION_FIRST")
        )
    )
    assert [PayerSum("ann", 1_000, 340)] == await read_payers(db, BOTH)
    one = replace(CONTENT, selector=Selector(machine_ids=("VM-02",)))
    assert [] == await read_payers(db, replace(BOTH, offer=one))


async def test_a_tag_is_what_they_had_at_the_end_of_the_days_before(db: Database) -> None:
    """As it was evaluated by then, by runs that are finished: who got it later, or lost it by then,
    is not there, and who lost it later is.
    """
    await bought(db)
    run = dict.fromkeys(("position", "at_ms", "members", "joined", "departed"), 0)
    runs = [
        {
            "id": n,
            "tag": "T",
            "version": 1,
            "d": PRE.first,
            "error": "",
            "unfinished": n == 2,
            **run,
        }
        for n in (1, 2)
    ]
    tags = [
        ("ann", 1, PRE.first, DURING.first),
        ("cy", 1, DURING.first, None),
        ("bob", 1, EARLIER, None),
    ]
    rows = [
        {
            "payer_id": payer,
            "tag": "T",
            "run_id": run_id,
            "version": 1,
            "since_d": since_d,
            "until_d": until_d,
            "until_run": None if until_d is None else 1,
        }
        for payer, run_id, since_d, until_d in tags
    ]
    await db.write(lambda connection: connection.execute(insert(tag_runs), runs))
    await db.write(lambda connection: connection.execute(insert(payer_tags), rows))
    tagged = replace(BOTH, offer=replace(CONTENT, tag="T"))
    assert ["ann"] == [one.payer_id for one in await read_payers(db, tagged)]
    later = replace(tagged, pre=DaySpan(first=PRE.first, last=DURING.first), during=None)
    assert ["bob", "cy"] == [one.payer_id for one in await read_payers(db, later)]
    unfinished = "UPDATE payer_tags SET run_id = 2 WHERE payer_id = 'ann'"
    await db.write(lambda connection: connection.execute(text(unfinished)))
    assert [] == await read_payers(db, tagged)


@pytest.mark.slow_on_postgres
async def test_no_more_are_read_or_kept_than_may(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some at a time, in the order of their numbers, up to two bounds."""
    await bought(db)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    assert ["ann", "cy"] == [one.payer_id for one in await read_payers(db, BOTH)]
    monkeypatch.setattr(module, "LOOKED_AT_MAX", 2)
    assert ["ann"] == [one.payer_id for one in await read_payers(db, BOTH)]
    monkeypatch.setattr(module, "LOOKED_AT_MAX", 100)
    monkeypatch.setattr(module, "PAYERS_MAX", 1)
    assert ["ann"] == [one.payer_id for one in await read_payers(db, BOTH)]


@pytest.mark.slow_on_postgres
async def test_units_are_told_with_what_they_spent_since(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those too who bought nothing, some at a time."""
    await bought(db)
    rows = [
        {"experiment": "a", "payer_id": payer, "arm": arm, "before_minor": 7}
        for payer, arm in (("ann", "TREATMENT"), ("bob", "CONTROL"), ("eve", "CONTROL"))
    ]
    await db.write(lambda connection: connection.execute(insert(experiments), experiment_row("a")))
    await db.write(lambda connection: connection.execute(insert(experiment_payers), rows))
    told = [
        UnitSum("ann", "TREATMENT", 7, 340),
        UnitSum("bob", "CONTROL", 7, 500),
        UnitSum("eve", "CONTROL", 7, 0),
    ]
    assert told == await read_units(db, "a", DURING, "HKD")
    monkeypatch.setattr(module, "AT_ONCE", 1)
    assert told == await read_units(db, "a", DURING, "HKD")
    assert [] == await read_units(db, "b", DURING, "HKD")


def plan_of(connection: Connection, statement: str, given: Any) -> str:
    """How SQLite goes about it."""
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
    return " ".join(row.detail for row in rows)


async def test_facts_are_found_by_their_payer(db: Database) -> None:
    """On SQLite by the index that is there for it, and not by reading all of them."""
    if db.dialect.name != "sqlite":
        pytest.skip("of SQLite: with so few rows PostgreSQL reads them all")
    asked: list[tuple[str, Any]] = []

    def keep(_c: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        asked.append((statement, given))

    def plans(connection: Connection) -> list[str]:
        event.listen(connection, "before_cursor_execute", keep)
        module._part(connection, BOTH, "")
        module._units(connection, "a", DURING, "HKD", "")
        event.remove(connection, "before_cursor_execute", keep)
        return [plan_of(connection, one, given) for one, given in asked]

    _, sums, units = await db.read(plans)
    assert "sale_facts_by_payer" in sums
    assert "sale_facts_by_payer" in units
