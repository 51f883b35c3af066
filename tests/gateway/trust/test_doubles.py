"""Machines of which there are two are found behind their Hello."""

import asyncio
from collections.abc import Collection

import pytest

from actors.ports import StoreError
from gateway.process.clock import SystemClock
from gateway.rpc.peers import Peer
from gateway.trust import doubles
from gateway.trust.doubles import Doubles
from storage.office.certificates import Came


class Sql:
    """What is asked, and what is answered."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.doubled: list[str] = []
        self.away = False
        self.found = 0
        self.doubles = Doubles(ask=self.ask, clock=SystemClock(), found=self.find)

    async def ask(self, several: Collection[Came], _now_ms: int) -> list[str]:
        if self.away:
            raise StoreError("away")
        self.asked.append([one.serial for one in several])
        return self.doubled

    def find(self) -> None:
        self.found += 1


async def test_those_that_come_at_once_are_asked_about_at_once() -> None:
    """Each once; whoever is told of doubles is told once."""
    sql = Sql()
    for serial in ("a", "b", "a"):
        sql.doubles.came("VM-1", Peer(name="", serial=serial), "here")
    sql.doubled = ["VM-1"]
    await sql.doubles.look()
    await sql.doubles.look()
    assert ([["a", "b"]], 1) == (sql.asked, sql.found)


async def test_a_storm_is_asked_about_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing waits without a bound."""
    monkeypatch.setattr(doubles, "ASKED_AT_ONCE", 2)
    monkeypatch.setattr(doubles, "WAITING_MAX", 5)
    sql = Sql()
    for number in range(7):
        sql.doubles.came("VM-1", Peer(name="", serial=str(number)), "here")
    await sql.doubles.look()
    assert [["2", "3"], ["4", "5"], ["6"]] == sql.asked


@pytest.mark.virtual_time
async def test_while_sql_is_away_they_wait() -> None:
    """And are asked about as soon as it answers."""
    sql = Sql()
    running = asyncio.create_task(sql.doubles.run())
    sql.away = True
    sql.doubles.came("VM-1", Peer(name="", serial="a"), "here")
    await asyncio.sleep(10)
    assert [] == sql.asked
    sql.away = False
    await asyncio.sleep(3)
    assert [["a"]] == sql.asked
    running.cancel()


@pytest.mark.virtual_time
async def test_one_that_nobody_can_judge_keeps_no_other_from_being_found() -> None:
    """It is in the log; those beside it, and those after it, are asked about."""
    sql = Sql()

    async def ask(several: Collection[Came], now_ms: int) -> list[str]:
        if any(one.serial == "odd" for one in several):
            raise ValueError("nobody thought of that")
        return await sql.ask(several, now_ms)

    sql.doubles.ask = ask
    running = asyncio.create_task(sql.doubles.run())
    for serial in ("a", "odd", "b"):
        sql.doubles.came("VM-1", Peer(name="", serial=serial), "here")
    await asyncio.sleep(60)
    sql.doubles.came("VM-1", Peer(name="", serial="c"), "here")
    await asyncio.sleep(60)
    assert [["a"], ["b"], ["c"]] == sql.asked
    running.cancel()
