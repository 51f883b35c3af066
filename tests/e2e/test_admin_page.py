"""docs/admin.md works as printed, from top to bottom, with grpcurl or its stand-in. The gateway is
this test's own; only its ports are others.

Each of its calls is a program, and so that is in ``make soak``; in the suite each is held against
the messages that the gateway knows.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from google.protobuf.descriptor import Descriptor

from gateway.office.services import FILES
from gateway.v1.machine_pb2 import SessionComplete, VendRequest
from storage.database import migrate
from storage.fleet.lists import Wanted
from storage.insight import days
from tests.alipay_client.wire import Pair
from tests.e2e.desk import Desk
from tests.e2e.typed import BLOCK, ROOT, flat
from tests.gateway.office.trying import have_a_past, today
from tests.storage.experiments.customers import with_customers
from tests.support.fleet_calls import code_rests, registered
from tests.support.site import PARTITIONS, Site, a_site, found
from tests.support.site_machine import a_machine, heard

PAGE = (ROOT / "docs" / "admin.md").read_text()

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


class Reader(Desk):
    """Who types the page, before a gateway whose port for machines is ``machines`` and for
    administrators ``admin``.
    """

    def __init__(self, folder: Path, machines: int, admin: int) -> None:
        super().__init__(folder, {}, {"7443": machines, "7444": admin})

    async def type(self, block: str, *, status: int = 0) -> str:
        """Return what a block prints, without what differs between grpcurl and buf curl."""
        return flat(await super().type(block, status=status))


async def _pays(site: Site, amount: str) -> None:
    """Have a payment at the page's machine arrive too late, so that it goes back."""
    machine = await site.registry.get("VM-0017")  # type: ignore[arg-type]
    assert machine is not None
    await site.post(machine.notify_token, site.signed(total_fee=amount))

    async def owed() -> bool | None:
        return bool(await site.queries.refunds(Wanted(), limit=1)) or None

    await found(owed)


async def _stood_there(site: Site, amount: str) -> None:
    """Have a customer in the lobby who paid too little for what they chose, and went away."""
    view = await site.queries.machine("VM-1")
    assert view is not None
    async with a_machine(site) as machine:
        site.alipay.pay(view.qr_payload, amount)
        await site.alipay.settle()
        began = (await heard(machine, "begin_session")).begin_session
        wish = VendRequest(request_id="r1", column="A1", price_minor=500, planogram_version=1)
        await machine.say(1, vend_request=wish)
        await heard(machine, "vend_denied")
        await machine.say(2, session_complete=SessionComplete(session_id=began.session_id))
        await heard(machine, "end_session")


CALL = re.compile(
    r"(?:printf '(?P<printed>[^']*)'[^|\n]*\| )?grpcurl -plaintext (?:-H '[^']*' )?"
    r"-d (?P<data>@|'[^\n]*?') 127\.0\.0\.1:7444 (?P<service>[\w.]+)/(?P<method>\w+)"
)
"""A call of an administrator, and the request that it is given or that is printed into it."""
PUT_IN = re.compile(r"""'\$[^"]*'""")
"""What the shell puts into a text of a request."""


def unknown(request: Any, message: Descriptor, at: str = "") -> Iterator[str]:
    """Yield what of a request its message does not know: fields, and words of enums."""
    for name, value in request.items():
        field = message.fields_by_name.get(name)
        if field is None:
            yield f"{at}{name}"
            continue
        words, inner = field.enum_type, field.message_type
        is_map = inner is not None and inner.GetOptions().map_entry
        for one in value if isinstance(value, list) else [value]:
            if words is not None:
                if one not in words.values_by_name:
                    yield f"{at}{name}: {one}"
            elif inner is not None and isinstance(one, dict) and not is_map:
                yield from unknown(one, inner, f"{at}{name}.")


def test_every_call_of_the_page_is_one_that_the_gateway_knows() -> None:
    """Its service, its method, each field, and each word of an enum."""
    services = {one.full_name: one for file in FILES for one in file.services_by_name.values()}
    wrong, calls = [], 0
    for call in CALL.finditer("".join(BLOCK.findall(PAGE))):
        calls += 1
        text = call["printed"] if call["data"] == "@" else PUT_IN.sub("x", call["data"][1:-1])
        method = services[call["service"]].methods_by_name[call["method"]]
        wrong += [f"{method.name}: {one}" for one in unknown(json.loads(text), method.input_type)]
    assert [] == wrong
    assert calls == "".join(BLOCK.findall(PAGE)).count(" 127.0.0.1:7444 ")


@pytest.mark.slow
async def test_the_page_works_as_printed(tmp_path: Path) -> None:
    """Merchandise, prices and machines, from nothing; a block that is typed again is done once."""
    upgraded = tmp_path / "upgraded.db"
    await asyncio.to_thread(migrate.upgrade, f"sqlite:///{upgraded}", partition_count=PARTITIONS)
    merchant, alipay = (rsa.generate_private_key(65_537, 2_048) for _ in range(2))
    async with a_site(tmp_path, upgraded, Pair(merchant=merchant, alipay=alipay)) as site:
        await registered(site)
        listener = site.gateway.admin_listener("127.0.0.1:0", None)
        await listener.start()
        door = site.gateway.machine_listener("127.0.0.1:0", None)
        await door.start()
        desk = Reader(tmp_path, door.port, listener.port)
        products, adopt, files, archive, prices, price_file, *machines = BLOCK.findall(PAGE)
        places, stands, selected, maintenance, renamed, *more = machines
        rehearsed, tomorrow, waiting, rotated, posters, screens, *more = more
        import_of, imported, *goods = more
        refill, mistake, went, counted, visit, stock, lots, recall, locked, *rest = goods
        faults, tested, *day = rest
        paid, books, meters, differences, sales, sellable, tagged, tried, offered = day

        told = await desk.type(products)
        assert "cola 0,33 l" in told
        assert told == await desk.type(products)

        told = await desk.type(adopt)
        assert 2 == told.count('"cola"')

        told = await desk.type(files)
        assert '"unchanged": 2' in told
        assert "'drinks' -> 'soft drinks'" in told.replace("\\u003e", ">")
        assert "importresultcreated" in told

        told = await desk.type(archive)
        assert 1 == told.count("archivedat")

        told = await desk.type(prices)
        assert '"city centre"' in told
        assert 2 == told.count('"minor": "900"')
        assert 2 == told.count('"minor": "850"')
        told = await desk.type(price_file)
        assert "cola-330,hkd,850," in told
        assert '"unchanged": 2' in told
        assert "cola-330 hkd 850 -> 880" in told.replace("\\u003e", ">")
        assert "tea hkd none -> 700" in told.replace("\\u003e", ">")

        told = await desk.type(places)
        assert told == await desk.type(places)
        assert 2 == told.count('"pier 7"')

        told = await desk.type(stands)
        assert '"s-4711"' in told
        assert '"pier-7"' in told
        assert '"vm-0017"' in await desk.type(selected)
        assert 2 == (await desk.type(maintenance)).count("maintenancesince")

        assert '"pier 7, hall"' in await desk.type(renamed)

        told = await desk.type(rehearsed)
        assert '"a1: new, cola-330 for 900, 10 fit"' in told
        assert '"changedcount": 1' in told
        told = await desk.type(tomorrow)
        assert 2 == told.count('"applicationstatewaiting"')
        assert 2 == told.count("effectivetime")
        assert "vm-0017" not in await desk.type(waiting)
        assert '"vm-0017"' in await desk.type(rotated)

        await code_rests(site, "VM-0017")
        told = await desk.type(posters)
        assert 1 == told.count('"vm-0017"')
        assert 1 == told.count("codeid")
        assert (tmp_path / "VM-0017.png").read_bytes().startswith(b"\x89PNG")
        assert (tmp_path / "posters.pdf").read_bytes().startswith(b"%PDF")

        told = await desk.type(screens)
        assert '"summer-2198"' in told
        assert 1 == told.count("recalledat")
        assert (tmp_path / "assets" / (tmp_path / "red").read_text().strip()).is_file()
        assert "actor(" not in told

        told = await desk.type(import_of)
        assert '"newcount": 1' in told
        while await site.gateway.office.importing.once():
            pass
        told = await desk.type(imported)
        assert "machineimportstatedone" in told
        assert "vm-0018,pier 7,hkd,hk" in told

        assert '"column:vm-0017/a1"' in await desk.type(refill)
        told = await desk.type(mistake)
        assert '"reversed"' in told
        assert '"38"' in told
        told = await desk.type(went)
        assert '"toplace": "waste"' in told
        assert '"toplace": "loading:' in told
        assert '"column:vm-0017/a1"' in await desk.type(counted)
        told = await desk.type(visit)
        assert '"lost": "1"' in told
        assert 2 == told.count("closedat")
        told = await desk.type(stock)
        assert '"bring": 1' in told
        told = await desk.type(lots)
        assert '"instores": "228"' in told
        assert '"quantity": "9"' in told

        assert '"stock": "9"' in await desk.type(recall)
        while await site.gateway.office.recalling.once():
            pass
        told = await desk.type(locked)
        assert 2 == told.count("lockedat")
        assert 1 == told.count("releasedat")

        told = await desk.type(faults)
        assert '"detail": "ejb: a dispense motor: stuck"' in told
        assert "incidentendingclosed" in told
        told = await desk.type(tested)
        assert 2 == told.count('"dropped": true')
        assert 2 == told.count("commandstatusapplied")
        assert 2 == told.count("commandstatuscancelled")

        assert "trade" not in await desk.type(paid)
        await _pays(site, "4.50")
        told = await desk.type(paid)
        assert 3 == told.count('"tradeid": "2026011522001400000000000001"')
        assert "refundcause" in told
        assert '"minor": "450"' in told
        await _stood_there(site, "4.50")
        told = await desk.type(paid.replace("pier 7", "lobby"))
        assert "vendstatusdenied" in told

        told = await desk.type(books)
        assert "id1*s-4711*" in told
        assert "da2*0*0*0*0" in told
        assert '"number": 1' in told
        told = await desk.type(meters)
        assert '"nochecksum"' in told
        said = "the machine counted 2 (1700 in minor units) sales without cash"
        assert 2 == told.count(f"since installation {said}")
        told = await desk.type(differences)
        assert '"two test vends of the technician"' in told
        assert 2 == told.count("closedat")
        assert "workitems" not in await desk.type(differences)

        await site.gateway.follower.catch_up()
        told = await desk.type(sales)
        assert 2 == told.count("completeuntil")
        assert "linesbehind" not in told
        told = await desk.type(sellable)
        assert 3 == told.count("completeuntil")
        told = await desk.type(tagged)
        assert told == await desk.type(tagged)
        assert '"fans of snacks"' in told
        assert "purchasedays28" in told
        await site.gateway.follower.give_up()
        await have_a_past(site)
        told = await desk.type(tried)
        assert "collecting from" in told
        assert '"experimentarmswitches"' in told
        assert "it was stopped early, and so it has no result: the ice has run out" in told
        await with_customers(site.database, 400, over=days.moved(today(site), -1))
        told = await desk.type(offered)
        assert "collecting from" in told
        assert "treatmentpayers" in told
        assert "no result: offer come-back was ended: there is no tea" in told
        await door.stop(grace_s=0)
        await listener.stop(grace_s=0)
