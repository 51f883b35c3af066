"""Lists over a real server: their filters, their order, their pages and how large these are."""

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import delete, insert, select

from gateway.fleet.v1 import (
    event_service_pb2,
    fleet_service_pb2,
    machine_pb2,
    session_pb2,
    session_service_pb2,
    trade_pb2,
    trade_service_pb2,
    work_item_service_pb2,
)
from gateway.v1 import machine_pb2 as machines_wire
from storage.fleet import lists
from storage.tables import machines, planogram_columns
from tests.support.fleet_calls import refunded, refusal, registered, with_mode
from tests.support.site import Site, found

CLIENT_BYTES_MAX = 4 * 1024 * 1024
"""What a client takes that nobody has told otherwise."""


def _at(seconds: int, nanos: int = 0) -> Timestamp:
    return Timestamp(seconds=seconds, nanos=nanos)


async def test_an_administrator_looks_for_a_payment(site: Site) -> None:
    """4.50, this morning, near the station: one list call finds it, and misses what is elsewhere,
    later or of another amount.
    """
    for machine_id, address in (("VM-1", "2 Station Square"), ("VM-2", "Pier 7")):
        await registered(site, machine_id, address=address)
        machine = await site.registry.get(machine_id)  # type: ignore[arg-type]
        assert machine is not None
        for fee in ("4.50", "5.00"):
            number = f"2026011522001400000000000{machine_id[-1]}{fee[0]}"
            await site.post(machine.notify_token, site.signed(trade_no=number, total_fee=fee))

    async def looked(**changes: Any) -> list[tuple[str, int]]:
        now_s = site.clock.now_ms() // 1_000
        asked = {
            "place": "STATION",
            "paid_minor": 450,
            "from": _at(now_s - 3_600),
            "until": _at(now_s + 60),
            **changes,
        }
        listed = await site.trades.ListTrades(trade_service_pb2.ListTradesRequest(**asked))
        return [(one.machine_id, one.paid.minor) for one in listed.trades]

    async def all_taken() -> bool | None:
        return len(await site.queries.trades(limit=9)) == 4 or None

    await found(all_taken)
    assert [("VM-1", 450)] == await looked()
    assert [("VM-2", 450)] == await looked(place="pier")
    assert [] == await looked(paid_minor=451)
    assert [] == await looked(until=_at(site.clock.now_ms() // 1_000 - 3_000))


async def test_a_filter_that_cannot_be_right_is_refused(
    site: Site, subtests: pytest.Subtests
) -> None:
    """It is named, and SQL is not asked."""
    for call, request_, fields in [
        (
            "ListTrades",
            trade_service_pb2.ListTradesRequest(order_by="paid"),
            ["order_by"],
        ),
        ("ListTrades", trade_service_pb2.ListTradesRequest(paid_minor=-1), ["paid_minor"]),
        ("ListTrades", trade_service_pb2.ListTradesRequest(place="x" * 65), ["place"]),
        (
            "ListTrades",
            trade_service_pb2.ListTradesRequest(**{"from": _at(5), "until": _at(5)}),  # type: ignore[arg-type]
            ["until"],
        ),
        ("ListTrades", trade_service_pb2.ListTradesRequest(until=_at(-1)), ["until"]),
        (
            "ListRefunds",
            trade_service_pb2.ListRefundsRequest(
                open=True, statuses=[trade_pb2.REFUND_STATUS_SUCCEEDED]
            ),
            ["open"],
        ),
    ]:
        with subtests.test(fields=fields):
            assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", fields) == await refusal(
                getattr(site.trades, call)(request_)
            )


async def test_a_token_belongs_to_filters_and_order(site: Site) -> None:
    """With any other it is refused, and not silently wrong."""
    for number in range(3):
        await site.register(f"VM-{number}")
    asked = fleet_service_pb2.ListMachinesRequest
    token = (await site.fleet.ListMachines(asked(page_size=1))).next_page_token
    assert token
    for other in (
        asked(page_token=token, text="V"),
        asked(page_token=token, online=False),
        asked(page_token=token, show_retired=True),
        asked(page_token=token, view=machine_pb2.MACHINE_VIEW_FULL),
    ):
        assert ["page_token"] == (await refusal(site.fleet.ListMachines(other)))[2]
    events = event_service_pb2.ListAuditRecordsRequest(page_token=token)
    assert ["page_token"] == (await refusal(site.events.ListAuditRecords(events)))[2]


async def test_what_administrators_did_is_listed(site: Site) -> None:
    """The audit log and the journal, newest first, page by page."""
    await registered(site)
    who = (("x-actor", "ann"),)
    await site.fleet.UpdateMachine(
        with_mode("VM-1", machines_wire.MODE_SELECTION_FIRST), metadata=who
    )
    asked = event_service_pb2.ListAuditRecordsRequest
    page = await site.events.ListAuditRecords(asked(machine_id="VM-1", page_size=1))
    assert [("UpdateMachine", "ann", "VM-1")] == [
        (one.action, one.actor, one.machine_id) for one in page.records
    ]
    rest = await site.events.ListAuditRecords(
        asked(machine_id="VM-1", page_size=1, page_token=page.next_page_token)
    )
    assert ["RegisterMachine"] == [one.action for one in rest.records]
    journal = await site.events.ListEvents(event_service_pb2.ListEventsRequest(machine_id="VM-1"))
    tokens = [int(one.token) for one in journal.events]
    assert sorted(tokens, reverse=True) == tokens
    assert "ConfigurationChanged" == journal.events[0].kind
    nobody = event_service_pb2.ListEventsRequest()
    assert ["machine_id"] == (await refusal(site.events.ListEvents(nobody)))[2]


async def test_lists_go_both_ways(site: Site) -> None:
    """The oldest first, if that is asked for."""
    await refunded(site)
    for order in ("", "due_at", "due_at desc"):
        listed = await site.trades.ListRefunds(
            trade_service_pb2.ListRefundsRequest(order_by=order, open=True)
        )
        assert 1 == len(listed.refunds)
    closings = work_item_service_pb2.ListWorkItemClosingsRequest()
    assert [] == list((await site.work_items.ListWorkItemClosings(closings)).closings)
    vends = session_service_pb2.ListVendsRequest(statuses=[session_pb2.VEND_STATUS_SUCCEEDED])
    assert [] == list((await site.sessions.ListVends(vends)).vends)


async def test_a_page_of_machines_fits_a_client(site: Site) -> None:
    """500 machines of 128 columns, all texts as long as they may be: basic pages hold 500 and full
    ones 100, and both are taken by a client that nobody has configured. The host is stopped first,
    for a host takes up every machine that it finds.
    """
    await site.register("VM-first")
    await site.host.stop()
    row = await site.database.read(
        lambda connection: connection.execute(select(machines)).one()._mapping
    )
    ids = [f"{number:032}" for number in range(500)]
    rows = [
        {
            **row,
            "machine_id": one,
            "notify_token": one,
            "store_name": "店" * 64,
            "address": "路" * 200,
        }
        for one in ids
    ]
    columns = [
        {
            "machine_id": one,
            "column": f"{place:016}",
            "place": place,
            "product": "p" * 64,
            "price_minor": 10_000_000_000,
            "capacity": 9_999,
            "stock": 9_999,
        }
        for one in ids
        for place in range(128)
    ]

    def write(connection: Any) -> None:
        connection.execute(insert(machines), rows)
        connection.execute(insert(planogram_columns), columns)

    await site.database.write(write)
    for view, shown in (
        (machine_pb2.MACHINE_VIEW_UNSPECIFIED, 500),
        (machine_pb2.MACHINE_VIEW_BASIC, 500),
        (machine_pb2.MACHINE_VIEW_FULL, 100),
    ):
        page = await site.fleet.ListMachines(
            fleet_service_pb2.ListMachinesRequest(page_size=500, view=view)
        )
        assert shown == len(page.machines)
        assert page.ByteSize() < CLIENT_BYTES_MAX
        full = view == machine_pb2.MACHINE_VIEW_FULL
        assert ({128} if full else {0}) == {len(one.columns) for one in page.machines}

    def take_away(connection: Any) -> None:
        """They came past the registry, which the site's audit at the end would rightly tell."""
        connection.execute(delete(planogram_columns).where(planogram_columns.c.machine_id.in_(ids)))
        connection.execute(delete(machines).where(machines.c.machine_id.in_(ids)))

    await site.database.write(take_away)


async def test_a_page_of_some_machines_looks_at_so_many_and_is_perhaps_not_the_last(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a rare one would cost a look at all machines of a large fleet."""
    monkeypatch.setattr(lists, "MACHINES_LOOKED_AT", 3)
    for number in range(1, 8):
        await registered(site, f"VM-{number}", store_name="Pier" if number in {5, 6} else "Hall")
    found, token = [], ""
    while True:
        request = fleet_service_pb2.ListMachinesRequest(text="pier", page_token=token, page_size=1)
        page = await site.fleet.ListMachines(request)
        found.append([one.machine_id for one in page.machines])
        if not (token := page.next_page_token):
            break
    assert [[], ["VM-5"], ["VM-6"]] == found
    plain = await site.fleet.ListMachines(fleet_service_pb2.ListMachinesRequest())
    assert (7, "") == (len(plain.machines), plain.next_page_token)
