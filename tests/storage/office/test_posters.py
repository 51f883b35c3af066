"""What a poster says of machines is what SQL has, and each that was made is in the audit log."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.office.v1 import machine_profile_service_pb2 as profiles
from storage.office.poster_lines import PosterLine, Printed
from storage.office.posters import ACTION, PosterBooks
from storage.office.selectors import Selector
from tests.alipay_client.wire import Pair
from tests.gateway.office.placing import a_district, a_site
from tests.support import site as sites
from tests.support.fleet_calls import registered
from tests.support.site import Site


@pytest.fixture
async def site(tmp_path: Path, upgraded_file: Path) -> AsyncIterator[Site]:
    """Machines with codes come from a whole gateway."""
    merchant, alipay = (rsa.generate_private_key(65_537, 2_048) for _ in range(2))
    pair = Pair(merchant=merchant, alipay=alipay)
    async with sites.a_site(tmp_path, upgraded_file, pair) as opened:
        yield opened


async def test_a_line_is_what_is_known_of_a_machine(site: Site) -> None:
    """Its code, its mode, and the name of the place at which it stands now; machines that are not
    there are left out, and the others are in the order that was asked for.
    """
    await registered(site, "VM-2")
    await registered(site, "VM-1")
    await a_district(site)
    await a_site(site)
    await site.profiles.PlaceMachine(
        profiles.PlaceMachineRequest(
            machine_id="VM-1", site="pier", from_day="2026-01-01", reason="x"
        )
    )
    books = PosterBooks(site.database)
    now_ms = site.clock.now_ms()
    two, one = await books.lines(["VM-2", "VM-9", "VM-1"], now_ms)
    view = await site.queries.machine("VM-1")
    assert view is not None
    assert view.qr_payload
    wanted = PosterLine(
        machine_id="VM-1",
        payload=view.qr_payload,
        status="ACTIVE",
        mode=view.mode,
        place="Pier 7",
    )
    assert wanted == one
    assert ("VM-2", "") == (two.machine_id, two.place)
    assert ["VM-1", "VM-2"] == await books.held(Selector(all=True), now_ms, limit=5)
    assert ["VM-1"] == await books.held(Selector(all=True), now_ms, limit=1)
    assert ["VM-1"] == await books.held(Selector(site="pier"), now_ms, limit=5)


async def test_each_poster_is_a_row_of_the_audit_log(site: Site) -> None:
    """Who, which machine, which code and where: a sticker with an older code can be looked for."""
    books = PosterBooks(site.database)
    printed = [
        Printed(machine_id="VM-1", code_id="0123456789ab", place="Pier 7"),
        Printed(machine_id="VM-2", code_id="ba9876543210"),
    ]
    await books.note(printed, form="a4 pdf", actor="ann", now_ms=7)
    with closing(sqlite3.connect(site.path)) as other:
        rows = other.execute(
            "SELECT at_ms, actor, machine_id, detail, outcome FROM audit WHERE action = ?",
            (ACTION,),
        ).fetchall()
    assert [
        (7, "ann", "VM-1", "code 0123456789ab, a4 pdf, at Pier 7", "DONE"),
        (7, "ann", "VM-2", "code ba9876543210, a4 pdf", "DONE"),
    ] == rows
