"""A person is erased by deleting one row: the books stay whole, and nothing leads back."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, String, Table, insert, select

from storage.auditing import prove
from storage.database.engine import Database, StorageConfig
from storage.fleet.answers import Answers, Asked, Claim, RequestInProgress
from storage.fleet.erasures import Erasures, ErasureView, UnknownTrade
from storage.machines.inbox import Inbox
from storage.machines.payers import Buyer
from storage.tables import audit, experiments, metadata, payers
from tests.storage.experiments.fleets import experiment_row
from tests.storage.notifications import received
from tests.storage.owner import START_MS, Owner

ALICE = Buyer(buyer_hash="a1" * 32, new_payer_id="number-of-alice")
BOB = Buyer(buyer_hash="b2" * 32, new_payer_id="number-of-bob")
LATER_MS = START_MS + 60_000


async def pays(db: Database, owner: Owner | None, trade_id: str, buyer: Buyer | None) -> None:
    """A notification is saved and, where there is an owner, decided upon."""
    told = replace(received(trade_id, payer_id=""), buyer=buyer)
    stored = await Inbox(db).put(told)
    assert stored.event is not None
    if owner is not None:
        await owner.do("VM-1", stored.event, inbox_id=stored.inbox_id)


async def erase(db: Database, trade_id: str, **more: Any) -> ErasureView:
    """Ann erases the payer of a trade, because they asked her to."""
    asked: dict[str, Any] = {"actor": "ann", "reason": "they asked", "now_ms": LATER_MS, **more}
    return await Erasures(db).erase(trade_id, **asked)


async def acts(db: Database) -> list[tuple[Any, ...]]:
    """What the audit log has of erasures."""
    chosen = (
        select(*audit.c["at_ms", "actor", "machine_id", "detail", "outcome"])
        .where(audit.c.action == "ErasePayer")
        .order_by(audit.c.id)
    )
    return await db.read(lambda connection: list(map(tuple, connection.execute(chosen))))


async def mapped(db: Database) -> list[str]:
    """Whose numbers lead to a buyer."""
    numbers = select(payers.c.payer_id).order_by(payers.c.payer_id)
    return await db.read(lambda connection: list(connection.scalars(numbers)))


async def books(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but those that an erasure writes."""

    def work(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
        return {
            name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
            if name not in {"payers", "audit", "installation"}
        }

    return await db.read(work)


async def test_the_mapping_goes_and_the_books_stay(db: Database) -> None:
    """The audit is clean before and after it; who else paid is known as before."""
    owner = await Owner.of(db, "VM-1")
    await pays(db, owner, "t1", ALICE)
    await pays(db, owner, "t2", BOB)
    before = await books(db)
    assert () == (await prove(db, now_ms=LATER_MS)).sentences
    erased = ErasureView(trade_id="t1", machine_id="VM-1", erased=True)
    assert erased == await erase(db, "t1")
    assert ["number-of-bob"] == await mapped(db)
    assert before == await books(db)
    assert () == (await prove(db, now_ms=LATER_MS)).sentences
    row = (LATER_MS, "ann", "VM-1", "payer of trade t1: they asked", "DONE")
    assert [row] == await acts(db)


BOOKS = frozenset({"payers", "sessions", "trades"})
"""What a random number stays in, and the table that led from it to somebody."""


def a_row(table: Table, payer_id: str) -> dict[str, Any]:
    """A row about a payer, of which nothing else matters."""
    words = {"payer_id": payer_id, "arm": "CONTROL", "kind": "SALE", "experiment": "a"}
    return {
        column.name: words.get(column.name, "x" if isinstance(column.type, String) else 1)
        for column in table.columns
        if not column.nullable
    }


async def test_nothing_that_is_made_of_the_books_knows_them(db: Database) -> None:
    """Each table that names payers forgets them: whoever makes another one is told so here."""
    await pays(db, None, "t1", ALICE)
    about = [
        table
        for name, table in metadata.tables.items()
        if "payer_id" in table.columns and name not in BOOKS
    ]

    def written(connection: Connection) -> None:
        connection.execute(insert(experiments), experiment_row("a"))
        for table in about:
            connection.execute(insert(table), a_row(table, ALICE.new_payer_id))

    await db.write(written)
    assert {"experiment_payers", "offer_uses", "payer_tags", "sale_facts"} <= {
        table.name for table in about
    }
    assert (await erase(db, "t1")).erased

    def left(connection: Connection) -> list[str]:
        return [
            table.name
            for table in about
            if connection.scalar(
                select(table.c.payer_id).where(table.c.payer_id == ALICE.new_payer_id).limit(1)
            )
        ]

    assert [] == await db.read(left)


@pytest.mark.slow_on_postgres
async def test_who_comes_back_is_another_payer(db: Database) -> None:
    """The old trade leads nowhere, and says so; the new one does, and can be erased in its turn."""
    await pays(db, None, "t1", ALICE)
    await erase(db, "t1")
    await pays(db, None, "t2", replace(ALICE, new_payer_id="number-2"))
    assert not (await erase(db, "t1")).erased
    assert ["number-2"] == await mapped(db)
    assert (await erase(db, "t2")).erased
    assert [] == await mapped(db)
    details = [detail for _, _, _, detail, _ in await acts(db)]
    nobody = "payer of trade t1 (nobody was known any more): they asked"
    assert [
        "payer of trade t1: they asked",
        nobody,
        "payer of trade t2: they asked",
    ] == details


@pytest.mark.slow_on_postgres
async def test_a_payment_that_waits_for_its_host_has_a_payer_too(db: Database) -> None:
    """It stands in the inbox alone, and the machine is named there."""
    await pays(db, None, "t1", ALICE)
    assert ErasureView(trade_id="t1", machine_id="VM-1", erased=True) == await erase(db, "t1")


@pytest.mark.slow_on_postgres
async def test_of_whom_alipay_named_nothing_nothing_is_erased(db: Database) -> None:
    """That somebody asked is written down: a person may want to see that they were answered."""
    owner = await Owner.of(db, "VM-1")
    await pays(db, owner, "t1", ALICE)
    await pays(db, owner, "t2", None)
    assert not (await erase(db, "t2")).erased
    assert (["number-of-alice"], 1) == (await mapped(db), len(await acts(db)))


@pytest.mark.slow_on_postgres
async def test_an_unknown_trade_is_said(db: Database) -> None:
    """Nobody is erased by a slip of the pen; also where it is only checked."""
    for only_check in (False, True):
        with pytest.raises(UnknownTrade):
            await erase(db, "t9", only_check=only_check)
    assert [] == await acts(db)


async def test_a_rehearsal_erases_nobody(db: Database) -> None:
    """It says what would be done."""
    await pays(db, None, "t1", ALICE)
    assert (await erase(db, "t1", only_check=True)).erased
    assert (["number-of-alice"], []) == (await mapped(db), await acts(db))
    await erase(db, "t1")
    assert not (await erase(db, "t1", only_check=True)).erased


@pytest.mark.slow_on_postgres
async def test_two_who_erase_at_once_do_it_once(db: Database) -> None:
    """One of them is told that it was done before; each has its row."""
    await pays(db, None, "t1", ALICE)
    both = await asyncio.gather(*(erase(db, "t1") for _ in range(2)))
    assert [False, True] == sorted(one.erased for one in both)
    assert 2 == len(await acts(db))


@pytest.mark.slow_on_postgres
async def test_a_request_that_was_cut_off_finds_that_it_is_done(db: Database) -> None:
    """Its gateway died between the act and the answer: the next call under its id says erased, and
    writes no second row.
    """
    asked = Asked(caller="ann", request_id="r-1", rpc="ErasePayer", content_sha256="0")
    await pays(db, None, "t1", ALICE)
    for now_ms in (LATER_MS, LATER_MS + 60_000):
        claim = await Answers(db).begin(asked, now_ms=now_ms, lease_ms=60_000)
        assert isinstance(claim, Claim)
        assert (await erase(db, "t1", claim=claim)).erased
    assert 1 == len(await acts(db))


@pytest.mark.slow_on_postgres
async def test_a_claim_that_is_anothers_by_now_erases_nothing(db: Database) -> None:
    """Whoever has it does it, and says so."""
    asked = Asked(caller="ann", request_id="r-1", rpc="ErasePayer", content_sha256="0")
    await pays(db, None, "t1", ALICE)
    claim = await Answers(db).begin(asked, now_ms=LATER_MS, lease_ms=60_000)
    await Answers(db).begin(asked, now_ms=LATER_MS + 60_000, lease_ms=60_000)
    with pytest.raises(RequestInProgress):
        await erase(db, "t1", claim=claim)
    assert (["number-of-alice"], []) == (await mapped(db), await acts(db))


async def test_nothing_of_them_is_left_in_the_file(tmp_path: Path, upgraded_file: Path) -> None:
    """SQLite overwrites what is deleted: the hash stands in no free corner of it. (PostgreSQL does
    it at its next VACUUM.)
    """
    path = tmp_path / "vendgate.db"
    shutil.copy(upgraded_file, path)
    db = await Database.open(StorageConfig(url=f"sqlite:///{path}"))
    await pays(db, None, "t1", ALICE)
    await pays(db, None, "t2", BOB)
    await erase(db, "t1")
    await db.close()
    assert [(path.name, True, False)] == held_in(path.parent, BOB, ALICE)


def held_in(folder: Path, *buyers: Buyer) -> list[tuple[str | bool, ...]]:
    """Return each file of the database, and whether it holds the hash of each buyer."""
    files = [(file.name, file.read_bytes()) for file in sorted(folder.iterdir())]
    return [(name, *(one.buyer_hash.encode() in held for one in buyers)) for name, held in files]
