"""What a gateway knows of denials is kept up to date."""

import asyncio

import pytest

from actors.ports import StoreError
from gateway.rpc.denylist import Denylist
from gateway.trust.denying import Denying


class Sql:
    """A database of denials that may be away; ``closed`` counts how often doors were told."""

    def __init__(self) -> None:
        self.names = [("MACHINE", "VM-1", "")]
        self.away = False
        self.closed = 0
        self.asked = 0
        self.denying = Denying(denied=Denylist(), names=self.ask, changed=self.close)

    async def ask(self) -> list[tuple[str, str, str]]:
        self.asked += 1
        if self.away:
            raise StoreError("away")
        return self.names

    def close(self) -> None:
        self.closed += 1


async def test_doors_are_told_when_something_changed() -> None:
    """And only then."""
    sql = Sql()
    for _ in range(3):
        await sql.denying.look()
    assert 1 == sql.closed
    sql.names = []
    await sql.denying.look()
    assert 2 == sql.closed


@pytest.mark.virtual_time
async def test_a_denial_is_known_within_six_seconds_and_here_at_once() -> None:
    """Who denies at this gateway does not wait for the next look."""
    sql, loop = Sql(), asyncio.get_running_loop()
    running = asyncio.create_task(sql.denying.run())
    await asyncio.sleep(0.1)
    sql.names = [("MACHINE", "VM-2", "")]
    began = loop.time()
    while not sql.denying.denied.machine("VM-2"):
        await asyncio.sleep(0.1)
    assert 6 > loop.time() - began
    sql.names = [("MACHINE", "VM-3", "")]
    asked = sql.asked
    sql.denying.wake()
    await asyncio.sleep(0.001)
    assert sql.denying.denied.machine("VM-3")
    assert asked + 1 == sql.asked
    running.cancel()


@pytest.mark.virtual_time
async def test_while_sql_is_away_who_was_denied_stays_denied() -> None:
    """And it goes on asking."""
    sql = Sql()
    running = asyncio.create_task(sql.denying.run())
    await asyncio.sleep(0.1)
    sql.away, sql.names = True, []
    await asyncio.sleep(10)
    assert sql.denying.denied.machine("VM-1")
    sql.away = False
    await asyncio.sleep(3)
    assert not sql.denying.denied.machine("VM-1")
    running.cancel()


@pytest.mark.virtual_time
async def test_a_door_that_fails_is_told_again() -> None:
    """And who is denied is asked for as before: a defect of one door lets nobody stay for ever."""
    sql, failures = Sql(), [ValueError(), ValueError()]

    def close() -> None:
        if failures:
            raise failures.pop()
        sql.close()

    sql.denying.changed = close
    running = asyncio.create_task(sql.denying.run())
    await asyncio.sleep(60)
    assert 1 == sql.closed
    sql.names = [("MACHINE", "VM-2", "")]
    await asyncio.sleep(60)
    assert (2, True) == (sql.closed, sql.denying.denied.machine("VM-2"))
    running.cancel()
