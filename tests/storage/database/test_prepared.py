"""Prepared statements take rows in our order, whatever the dialect's."""

import pytest
from sqlalchemy import Connection, bindparam, insert, select, update

from storage.database.engine import Database
from storage.database.prepared import Prepared, RowsAmong
from storage.tables import answers, partitions


async def test_values_find_their_places(db: Database) -> None:
    """The order of the names is ours, not that of the statement's text."""
    statement = (
        update(partitions)
        .where(partitions.c.partition == bindparam("which"))
        .values(epoch=bindparam("new"))
    )
    prepared = Prepared(statement, ("which", "new"), db.dialect)
    await db.write(lambda connection: prepared.run(connection, [(1, 10), (2, 20), (3, 30)]))
    found = await db.read(
        lambda connection: connection.scalars(
            select(partitions.c.epoch).order_by(partitions.c.partition)
        ).all()
    )
    assert [0, 10, 20, 30, 0, 0, 0, 0] == list(found)


async def test_names_must_be_those_of_the_statement(db: Database) -> None:
    """A mistake shows when the program starts, not when money moves."""
    statement = (
        update(partitions)
        .where(partitions.c.partition == bindparam("which"))
        .values(epoch=bindparam("new"))
    )
    with pytest.raises(AssertionError):
        Prepared(statement, ("which",), db.dialect)


@pytest.mark.parametrize("count", [1, 2, 3, 300])
async def test_rows_are_found_for_any_number_of_values(db: Database, count: int) -> None:
    """Each of them once, and no other, for numbers and for texts, also such as are to be
    escaped.
    """
    texts = [f"a '\"\\{{}},\u00e9\n{number}" for number in range(count)]
    rows = [_answer(text) for text in ["another", *texts]]
    await db.write(lambda connection: connection.execute(insert(answers), rows))
    named = RowsAmong(select(answers.c.request_id), answers.c.request_id, db.dialect)
    numbered = RowsAmong(select(partitions.c.partition), partitions.c.partition, db.dialect)
    places = list(range(2, count + 2))

    def asked(connection: Connection) -> tuple[list[str], list[int]]:
        found = named.run(connection, texts), numbered.run(connection, places)
        return [text for (text,) in found[0]], [place for (place,) in found[1]]

    found, there = await db.write(asked)
    assert sorted(texts) == sorted(found)
    assert [place for place in places if place < 8] == sorted(there)


def _answer(request_id: str) -> dict[str, object]:
    texts = dict.fromkeys(("caller", "rpc", "content_sha256", "token"), "")
    numbers = dict.fromkeys(("at_ms", "until_ms", "machine_version"), 0)
    return {**texts, **numbers, "request_id": request_id, "done": True, "answer": b""}
