"""A crowd at the door of notifications: strangers, guesses, and more than there is room for."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import select

from gateway.rpc.limits import NotifyLimits
from storage.tables import inbox
from tests.alipay_client.wire import Pair
from tests.support.patience import until
from tests.support.site import a_site

SUCCESS = (200, "success")


async def test_strangers_have_few_places(tmp_path: Path, upgraded_file: Path, pair: Pair) -> None:
    """Who sends nothing under a token that nobody has holds no place of the money's."""
    held = asyncio.Event()

    async def stuck() -> Any:
        yield b"a=1"
        await held.wait()

    limits = NotifyLimits(in_flight_max=3, strangers_in_flight_max=1)
    async with a_site(tmp_path, upgraded_file, pair, limits=limits) as site:
        machine = await site.register()
        first = asyncio.create_task(site.http.post("/alipay/notify/nobody", content=stuck()))
        await until(lambda: site.ingress.strangers == 1)
        assert (404, "unknown") == await site.post("x" * 32, site.signed())
        assert [] == await site.database.read(lambda asked: list(asked.execute(select(inbox))))
        assert SUCCESS == await site.post(machine.notify_token, site.signed())
        held.set()
        assert 404 == (await first).status_code


async def test_guesses_take_no_place_of_the_money(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """However many guess at tokens at once, all are told 404, and a payment among them is taken."""
    async with a_site(tmp_path, upgraded_file, pair, limits=NotifyLimits(in_flight_max=1)) as site:
        machine = await site.register()
        tokens = [f"guess-of-a-token-{number:04}" for number in range(300)]
        answers = await asyncio.gather(
            *(site.post(token, b"a=1") for token in tokens[:150]),
            site.post(machine.notify_token, site.signed()),
            *(site.post(token, b"a=1") for token in tokens[150:]),
        )
        assert SUCCESS == answers.pop(150)
        assert {(404, "unknown")} == set(answers)


async def test_one_machine_has_its_share_of_the_places(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """Who knows one machine's token and holds on keeps no other machine's money out."""
    held = asyncio.Event()

    async def stuck() -> Any:
        yield b"a=1"
        await held.wait()

    async with a_site(tmp_path, upgraded_file, pair, limits=NotifyLimits(in_flight_max=8)) as site:
        known, other = await site.register(), await site.register("VM-2")
        path = f"/alipay/notify/{known.notify_token}"
        holding = [asyncio.create_task(site.http.post(path, content=stuck())) for _ in range(20)]
        await until(lambda: 18 == sum(one.done() for one in holding))
        assert 2 == site.ingress.places.taken
        assert (503, "fail") == await site.post(known.notify_token, site.signed())
        assert SUCCESS == await site.post(other.notify_token, site.signed(extra_common_param=""))
        held.set()
        await asyncio.gather(*holding)
        assert SUCCESS == await site.post(known.notify_token, site.signed(trade_no="another"))


async def test_no_more_than_there_is_room_for(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """Full is an answer: Alipay repeats."""
    held = asyncio.Event()

    async def stuck() -> Any:
        yield b"a=1"
        await held.wait()

    async with a_site(tmp_path, upgraded_file, pair, limits=NotifyLimits(in_flight_max=1)) as site:
        machine = await site.register()
        first = asyncio.create_task(
            site.http.post(f"/alipay/notify/{machine.notify_token}", content=stuck())
        )
        await until(lambda: site.ingress.places.taken == 1)
        assert (503, "fail") == await site.post(machine.notify_token, site.signed())
        held.set()
        await first
        assert SUCCESS == await site.post(machine.notify_token, site.signed())
