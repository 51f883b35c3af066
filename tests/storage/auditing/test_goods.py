"""Goods: whoever changes a move, a balance or a stock is seen."""

import asyncio
from collections.abc import Callable

import pytest
from alembic import command
from sqlalchemy import create_engine, text

from storage.auditing import Scope, prove
from storage.database import migrate
from storage.database.engine import Database
from tests.storage.auditing.books import NOW_MS, audited, broken
from tests.storage.auditing.damages import Damage, names, seen

DAMAGES = (
    Damage(
        check="goods_stand_on_decisions",
        sql="UPDATE goods_moves SET version = 999 WHERE cause = 'VM-1-v1'",
        sentence="SOLD VM-1-v1 of 1 cola has no line in the journal (machine VM-1, version 999)",
    ),
    Damage(
        check="goods_stand_on_decisions",
        sql="UPDATE goods_moves SET at_ms = 1 WHERE cause = 'VM-1-v1'",
        sentence="SOLD VM-1-v1 of 1 cola has a line with another time in the journal",
    ),
    Damage(
        check="delivered_vends_took_one_item",
        sql="UPDATE goods_moves SET cause = 'VM-9-v1' WHERE cause = 'VM-1-v1'",
        sentence="vend VM-1-v1 of machine VM-1 was delivered, and took nothing for one cola",
    ),
    Damage(
        check="delivered_vends_took_one_item",
        sql="UPDATE goods_moves SET cause = 'VM-9-v1' WHERE cause = 'VM-1-v1'",
        sentence="SOLD took 1 cola for vend VM-9-v1 of machine VM-1, which is not there",
    ),
    Damage(
        check="delivered_vends_took_one_item",
        sql="UPDATE goods_moves SET kind = 'SOLD' WHERE kind = 'VEND_WRITTEN_OFF'",
        sentence="vend VM-3-v1 of machine VM-3 was delivered, and took nothing for one cola",
    ),
    Damage(
        check="delivered_vends_took_one_item",
        sql="UPDATE goods_moves SET quantity = 2 WHERE cause = 'VM-1-v1'",
        sentence="vend VM-1-v1 of machine VM-1 was delivered, and took 2 cola to SOLD for one cola",
        companions=frozenset({"goods_are_where_they_went"}),
    ),
    *(
        Damage(
            check="test_vends_took_what_they_dropped",
            sql="INSERT INTO machine_commands VALUES ('c1', 'VM-1', "
            f"'{kind}', 'A1', 0, 'APPLIED', 'ann', 1, 2, 1, 2, 1, '', '', '')",
            sentence=f"{kind} c1 of machine VM-1 dropped an item, and took nothing",
        )
        for kind in ("TEST_VEND", "REBOOT")
    ),
    Damage(
        check="goods_are_where_they_went",
        sql="UPDATE goods_moves SET to_place = 'VAN:1' WHERE kind = 'SOLD' AND cause = 'VM-1-v1'",
        sentence="VAN:1 is said to hold 0 cola; its moves say 1",
        companions=frozenset({"delivered_vends_took_one_item"}),
    ),
    Damage(
        check="goods_are_where_they_went",
        sql="UPDATE goods_balances SET quantity = quantity + 1 WHERE place = 'COLUMN:VM-1/A1'",
        sentence="COLUMN:VM-1/A1 is said to hold 4 cola; its moves say 3",
        companions=frozenset({"stock_is_what_is_in_the_column"}),
    ),
    Damage(
        check="goods_are_where_they_went",
        sql="INSERT INTO goods_arrivals VALUES (9, 'VAN:7', 'tea', '', '', 2)",
        sentence="VAN:7 is said to hold 2 tea; its moves say 0",
    ),
    Damage(
        check="stock_is_what_is_in_the_column",
        sql="DELETE FROM goods_balances WHERE place = 'COLUMN:VM-1/A2'",
        sentence="COLUMN:VM-1/A2 holds 5 tea by the machine's state, and 0 by the moves of goods",
        companions=frozenset({"goods_are_where_they_went"}),
    ),
    Damage(
        check="stock_is_what_is_in_the_column",
        sql="INSERT INTO goods_balances VALUES ('COLUMN:VM-1/A9', 'tea', '', 'VM-1', 2)",
        sentence="COLUMN:VM-1/A9 holds 0 tea by the machine's state, and 2 by the moves of goods",
        companions=frozenset({"goods_are_where_they_went"}),
    ),
)


@pytest.mark.parametrize("one", DAMAGES, ids=names(DAMAGES))
async def test_a_change_is_seen(spoilt: Callable[..., str], one: Damage) -> None:
    """Its check tells of it, and no other than those that look at the same thing."""
    await seen(spoilt, one)


@pytest.mark.slow_on_postgres
async def test_all_moves_are_added_up_only_in_a_whole_audit(sound: Database) -> None:
    """What is behind the seals is proved without what has happened since the first day."""
    whole = await prove(sound, now_ms=NOW_MS)
    assert "goods_are_where_they_went" in {check.name for check in whole.checks}
    assert whole.clean, whole.sentences
    # Without seals even the shorter audit is a whole one.
    unsealed = await prove(sound, now_ms=NOW_MS, scope=Scope(whole=False))
    assert whole.checks == unsealed.checks


async def test_books_from_before_goods_were_counted_are_opened(spoilt: Callable[..., str]) -> None:
    """A database that was sold from for a while and is upgraded: each column is found with what is
    in it, and each delivered vend has taken its one item, so that the whole audit is clean.
    """
    url = spoilt()
    engine = create_engine(url)
    with engine.begin() as connection:
        config = migrate.alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0004")
    await asyncio.to_thread(migrate.upgrade, url)
    with engine.begin() as connection:
        opened = connection.execute(
            text("SELECT kind, count(*) FROM goods_moves GROUP BY kind ORDER BY kind")
        ).all()
        in_columns = connection.scalar(
            text("SELECT sum(quantity) FROM goods_balances WHERE place LIKE 'COLUMN:%'")
        )
    engine.dispose()
    assert ["OPENED", "SOLD", "VEND_WRITTEN_OFF"] == [kind for kind, _ in opened]
    assert in_columns
    assert [] == broken(await audited(url))
