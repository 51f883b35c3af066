"""The parts of a past, put together and taken apart."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing

import pytest

from gateway.demo import stage
from gateway.demo.pretend import BOOK
from gateway.past.parts import PastParts, parts_open, switched_on
from gateway.past.plan import PastFailed
from gateway.past.virtual import PastClock, PastLoop
from gateway.simulator.phone import NotPaid, Paid
from gateway.web.asking import Refused
from tests.support.past import Folder

BEGAN_MS = 1_790_000_000_000
Work = Callable[[PastParts], Awaitable[None]]


def with_parts(folder: Folder, work: Work) -> None:
    """Open the parts with one machine, on virtual time, and do it."""

    async def opened() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, PastLoop)
        clock = PastClock(loop, BEGAN_MS)
        async with parts_open(
            folder.made, folder.machines, folder.keys, ["VM-0001"], clock=clock, seed=1
        ) as parts:
            await work(parts)

    with asyncio.Runner(loop_factory=PastLoop) as runner:
        runner.run(opened())


@pytest.mark.usefixtures("database")
def test_a_machine_is_welcome_and_what_is_paid_stands_in_the_book_that_goes_on(
    folder: Folder,
) -> None:
    """Paid at the machine's own code, told to the gateway at once, and kept for the next program;
    what is paid at no code is not.
    """
    trades: list[str] = []

    async def work(parts: PastParts) -> None:
        await parts.ask(stage.registration("VM-0001", 0))
        async with switched_on(parts.machines):
            machine = parts.machines[0]
            paid = await parts.pay(
                qr_payload=machine.sticker, amount_minor=850, currency="HKD", buyer="ann"
            )
            assert isinstance(paid, Paid)
            trades.append(paid.trade_no)
            await asyncio.sleep(1)
            assert machine.machine is not None
            assert machine.machine.session is not None
            nobody = await parts.pay(
                qr_payload="https://qr.alipay.com/none",
                amount_minor=850,
                currency="HKD",
                buyer="ann",
            )
            assert isinstance(nobody, NotPaid)
            await asyncio.sleep(60)  # the money goes back
        await parts.caught_up()
        await parts.audited()

    with_parts(folder, work)
    with closing(sqlite3.connect(folder.keys / BOOK)) as book:
        assert [(trades[0],)] == book.execute("SELECT trade_no FROM trades").fetchall()


@pytest.mark.usefixtures("database")
def test_a_machine_that_nobody_took_in_is_no_past(folder: Folder) -> None:
    """It is said, and nothing hangs; a call that is refused is refused as at the console."""

    async def work(parts: PastParts) -> None:
        with pytest.raises(Refused):
            await parts.ask(stage.registration("", 0))
        with pytest.raises(PastFailed, match="not all machines were welcome"):
            async with switched_on(parts.machines):
                raise AssertionError("it was welcome")

    with_parts(folder, work)
