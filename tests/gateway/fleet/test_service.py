"""The administrators' service over a real server, real SQL and a real host, with the pretend Alipay
behind it.
"""

import asyncio
import itertools
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import json_format
from sqlalchemy import select

from gateway.fleet.v1 import (
    event_service_pb2,
    fleet_service_pb2,
    machine_pb2,
    session_pb2,
    session_service_pb2,
    trade_service_pb2,
    work_item_service_pb2,
)
from gateway.v1 import machine_pb2 as machines_wire
from storage.fleet.lists import Wanted
from storage.tables import audit
from tests.alipay_client.wire import Pair
from tests.support.fleet_calls import COLUMNS, with_mode, with_policy, word
from tests.support.fleet_calls import refunded as _refunded
from tests.support.fleet_calls import refusal as _refusal
from tests.support.fleet_calls import registered as _registered
from tests.support.fleet_calls import registration as _registration
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import Site, a_site, found
from tests.support.site_machine import a_machine, heard

NO_ENUM: Any = [99]
"""A number that no enum of ours has."""


def _call(site: Site, call: str, request_: Any) -> Any:
    """Make the call at the one service that has it."""
    services = (site.fleet, site.sessions, site.trades, site.work_items, site.events)
    (made,) = (getattr(one, call) for one in services if hasattr(one, call))
    return made(request_, metadata=(("x-actor", "ann"),))


async def test_a_registered_machine_has_its_code(site: Site) -> None:
    """The answer waits for Alipay's code and reads well as JSON."""
    machine = await _registered(site)
    told = json_format.MessageToDict(machine)
    assert ("CODE_STATUS_ACTIVE", "MODE_BOTH", "PHASE_INACTIVE", True) == (
        told["codeStatus"],
        told["mode"],
        told["phase"],
        told["enabled"],
    )
    assert [
        {"column": "A1", "product": "cola", "priceMinor": "500", "capacity": 10, "stock": 4}
    ] == told["columns"]
    assert told["registeredAt"].endswith("Z")
    assert machine.qr_payload in {code["qrcode"] for code in (await site.alipay.codes())["codes"]}


async def test_registering_again_is_the_same(site: Site) -> None:
    """The same content is answered alike; other content under the id is refused."""
    first, again = await _registered(site), await _registered(site)
    assert first == again
    assert (grpc.StatusCode.ALREADY_EXISTS, "MACHINE_EXISTS", []) == await _refusal(
        site.fleet.RegisterMachine(_registration(store_name="Hall"))
    )


async def test_registering_again_keeps_later_changes(site: Site) -> None:
    """A script that registers its fleet each morning does not undo what was set since: it hears
    that the machine differs.
    """
    await _registered(site)
    await site.fleet.UpdateMachine(with_mode("VM-1", machines_wire.MODE_SELECTION_FIRST))
    assert (grpc.StatusCode.ALREADY_EXISTS, "MACHINE_EXISTS", []) == await _refusal(
        site.fleet.RegisterMachine(_registration())
    )
    assert "SELECTION_FIRST" == (await found(lambda: site.queries.machine("VM-1"))).mode


async def test_a_wrong_field_is_named(site: Site, subtests: pytest.Subtests) -> None:
    """A registration that breaks a documented limit is refused with the field's path, and nothing
    is registered.
    """
    cases: list[tuple[dict[str, Any], str]] = [
        ({"machine_id": ""}, "machine_id"),
        ({"machine_id": "a b"}, "machine_id"),
        ({"machine_id": "x" * 33}, "machine_id"),
        ({"store_name": ""}, "store_name"),
        ({"store_name": 'The "Lobby"'}, "store_name"),
        ({"store_name": "a\nb"}, "store_name"),
        ({"currency": "hkd"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"currency": "VND"}, "currency"),
        ({"country_code": "ZZ"}, "country_code"),
        ({"country_code": "HKG"}, "country_code"),
        ({"address": "x" * 201}, "address"),
        ({"mode": 77}, "mode"),
        ({"policy": machine_pb2.Policy(idle_refund_ms=0)}, "policy.idle_refund_ms"),
        ({"policy": machine_pb2.Policy(payment_wait_ms=86_400_001)}, "policy.payment_wait_ms"),
        (
            {"columns": [machine_pb2.Column(column="", price_minor=1, capacity=1)]},
            "columns[0].column",
        ),
        (
            {"columns": [machine_pb2.Column(column="A", price_minor=0, capacity=1)]},
            "columns[0].price_minor",
        ),
        (
            {"columns": [machine_pb2.Column(column="A", price_minor=-5, capacity=1)]},
            "columns[0].price_minor",
        ),
        (
            {"columns": [machine_pb2.Column(column="A", price_minor=1, capacity=0)]},
            "columns[0].capacity",
        ),
        (
            {"columns": [machine_pb2.Column(column="A", price_minor=1, capacity=1, stock=2)]},
            "columns[0].stock",
        ),
        (
            {
                "columns": [
                    machine_pb2.Column(column="A", product="ü" * 33, price_minor=1, capacity=1)
                ]
            },
            "columns[0].product",
        ),
        (
            {"columns": [machine_pb2.Column(column="A", price_minor=1, capacity=1)] * 2},
            "columns[1].column",
        ),
        (
            {
                "columns": [
                    machine_pb2.Column(column=f"A{n}", price_minor=1, capacity=1)
                    for n in range(129)
                ]
            },
            "columns",
        ),
    ]
    for changes, field in cases:
        with subtests.test(field=field):
            assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", [field]) == await _refusal(
                site.fleet.RegisterMachine(_registration(**changes))
            )
            assert [] == await site.queries.machines(limit=1)


async def test_all_wrong_fields_are_named_at_once(site: Site) -> None:
    """A person corrects a request in one go."""
    _, _, fields = await _refusal(
        site.fleet.RegisterMachine(fleet_service_pb2.RegisterMachineRequest())
    )
    assert ["machine_id", "store_name", "currency"] == fields


async def test_what_is_not_there_is_not_found(site: Site, subtests: pytest.Subtests) -> None:
    """Each kind of thing has a reason of its own."""
    for call, request_, reason in [
        ("GetMachine", fleet_service_pb2.GetMachineRequest(machine_id="VM-9"), "MACHINE_NOT_FOUND"),
        ("UpdateMachine", with_mode("VM-9", machines_wire.MODE_BOTH), "MACHINE_NOT_FOUND"),
        ("UpdateMachine", with_policy("VM-9", machine_pb2.Policy()), "MACHINE_NOT_FOUND"),
        (
            "RetireMachine",
            fleet_service_pb2.RetireMachineRequest(machine_id="VM-9", reason="scrap"),
            "MACHINE_NOT_FOUND",
        ),
        (
            "ListEvents",
            event_service_pb2.ListEventsRequest(machine_id="VM-9"),
            "MACHINE_NOT_FOUND",
        ),
        (
            "SetPlanogram",
            fleet_service_pb2.SetPlanogramRequest(machine_id="VM-9", remove_all=True),
            "MACHINE_NOT_FOUND",
        ),
        (
            "SetStock",
            fleet_service_pb2.SetStockRequest(machine_id="VM-9", column="A1", stock=0),
            "MACHINE_NOT_FOUND",
        ),
        (
            "EnableMachine",
            fleet_service_pb2.EnableMachineRequest(machine_id="VM-9"),
            "MACHINE_NOT_FOUND",
        ),
        (
            "DisableMachine",
            fleet_service_pb2.DisableMachineRequest(machine_id="VM-9"),
            "MACHINE_NOT_FOUND",
        ),
        (
            "GetBalances",
            trade_service_pb2.GetBalancesRequest(machine_id="VM-9"),
            "MACHINE_NOT_FOUND",
        ),
        ("GetSession", session_service_pb2.GetSessionRequest(session_id="s"), "SESSION_NOT_FOUND"),
        (
            "GetSessionTimeline",
            session_service_pb2.GetSessionTimelineRequest(session_id="s"),
            "SESSION_NOT_FOUND",
        ),
        ("GetVend", session_service_pb2.GetVendRequest(vend_id="v"), "VEND_NOT_FOUND"),
        ("GetTrade", trade_service_pb2.GetTradeRequest(trade_id="t"), "TRADE_NOT_FOUND"),
        ("GetRefund", trade_service_pb2.GetRefundRequest(refund_id="r"), "REFUND_NOT_FOUND"),
        ("RetryRefund", trade_service_pb2.RetryRefundRequest(refund_id="r"), "REFUND_NOT_FOUND"),
        (
            "RefundVend",
            session_service_pb2.RefundVendRequest(vend_id="v", reason="stale"),
            "VEND_NOT_FOUND",
        ),
    ]:
        with subtests.test(reason=reason):
            assert (grpc.StatusCode.NOT_FOUND, reason, []) == await _refusal(
                _call(site, call, request_)
            )


async def test_wrong_arguments_are_refused(site: Site, subtests: pytest.Subtests) -> None:
    """No call goes to SQL with an argument that cannot be right."""
    for call, request_, fields in [
        ("GetMachine", fleet_service_pb2.GetMachineRequest(), ["machine_id"]),
        ("UpdateMachine", with_mode("VM-1", machines_wire.MODE_UNSPECIFIED), ["mode"]),
        (
            "SetStock",
            fleet_service_pb2.SetStockRequest(machine_id="VM-1", stock=10_000),
            ["column", "stock"],
        ),
        (
            "DisableMachine",
            fleet_service_pb2.DisableMachineRequest(machine_id="VM-1", reason="x" * 501),
            ["reason"],
        ),
        ("ListMachines", fleet_service_pb2.ListMachinesRequest(page_size=-1), ["page_size"]),
        ("ListMachines", fleet_service_pb2.ListMachinesRequest(page_token="???"), ["page_token"]),
        (
            "ListMachines",
            fleet_service_pb2.ListMachinesRequest(phases=[machine_pb2.PHASE_UNSPECIFIED]),
            ["phases[0]"],
        ),
        (
            "ListSessions",
            session_service_pb2.ListSessionsRequest(status=NO_ENUM[0]),
            ["status"],
        ),
        (
            "ListVends",
            session_service_pb2.ListVendsRequest(
                machine_id="a b", statuses=[session_pb2.VEND_STATUS_UNSPECIFIED, *NO_ENUM]
            ),
            ["statuses[0]", "statuses[1]", "machine_id"],
        ),
        ("ListTrades", trade_service_pb2.ListTradesRequest(session_id="\n"), ["session_id"]),
        (
            "ListRefunds",
            trade_service_pb2.ListRefundsRequest(statuses=NO_ENUM),
            ["statuses[0]"],
        ),
        ("GetVend", session_service_pb2.GetVendRequest(), ["vend_id"]),
        ("GetTrade", trade_service_pb2.GetTradeRequest(), ["trade_id"]),
        ("GetRefund", trade_service_pb2.GetRefundRequest(refund_id="x" * 129), ["refund_id"]),
        ("GetBalances", trade_service_pb2.GetBalancesRequest(machine_id="ü"), ["machine_id"]),
        (
            "ListWorkItems",
            work_item_service_pb2.ListWorkItemsRequest(machine_id="a b", kinds=NO_ENUM),
            ["machine_id", "kinds[0]"],
        ),
        (
            "ListWorkItems",
            work_item_service_pb2.ListWorkItemsRequest(page_token="???"),
            ["page_token"],
        ),
        ("WriteOffRefund", trade_service_pb2.WriteOffRefundRequest(), ["refund_id", "reason"]),
        (
            "CloseWorkItem",
            work_item_service_pb2.CloseWorkItemRequest(item_id="a\nb", reason=" "),
            ["item_id", "reason"],
        ),
        ("SettleVend", session_service_pb2.SettleVendRequest(), ["vend_id", "reason", "outcome"]),
    ]:
        with subtests.test(fields=fields):
            assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", fields) == await _refusal(
                _call(site, call, request_)
            )


async def test_settings_of_a_machine_reach_its_actor(site: Site) -> None:
    """Mode, limits and planogram are in the registry and in the actor's own state when the call
    returns.
    """
    await _registered(site)
    await site.fleet.UpdateMachine(with_mode("VM-1", machines_wire.MODE_SELECTION_FIRST))
    await site.fleet.UpdateMachine(with_policy("VM-1", machine_pb2.Policy(idle_refund_ms=9_000)))
    response = await site.fleet.SetPlanogram(
        fleet_service_pb2.SetPlanogramRequest(
            machine_id="VM-1",
            columns=[
                *COLUMNS,
                machine_pb2.Column(
                    column="B1", product="tea", price_minor=300, capacity=5, stock=5
                ),
            ],
        )
    )
    assert (2, ["A1", "B1"]) == (
        response.machine.planogram_version,
        [one.column for one in response.machine.columns],
    )
    assert response.machine.policy.HasField("idle_refund_ms")
    assert not response.machine.policy.HasField("payment_wait_ms")
    loaded = await site.store.load("VM-1")  # type: ignore[arg-type]
    assert loaded is not None
    assert ("SELECTION_FIRST", 9_000, 2) == (
        loaded.state.configuration.mode,
        loaded.state.configuration.overrides.idle_refund_ms,
        loaded.state.configuration.planogram_version,
    )


async def test_a_disabled_machine_loses_its_code_and_gets_it_back(site: Site) -> None:
    """Its code is stopped at Alipay and restarted; both are in the audit log with the reason and
    the person.
    """
    await _registered(site)
    who = (("x-actor", "ann"),)
    disabled = await site.fleet.DisableMachine(
        fleet_service_pb2.DisableMachineRequest(machine_id="VM-1", reason="broken glass"),
        metadata=who,
    )
    assert not disabled.machine.enabled

    async def code(status: str) -> bool | None:
        return (await found(lambda: site.queries.machine("VM-1"))).code_status == status or None

    await found(lambda: code("STOPPED"))
    await site.fleet.EnableMachine(
        fleet_service_pb2.EnableMachineRequest(machine_id="VM-1"), metadata=who
    )
    await found(lambda: code("ACTIVE"))
    rows = await site.database.read(
        lambda connection: list(
            connection.execute(
                select(audit).where(audit.c.machine_id == "VM-1").order_by(audit.c.id)
            )
        )
    )
    assert [
        ("DisableMachine", "ann", "enabled yes -> no; broken glass"),
        ("EnableMachine", "ann", "enabled no -> yes"),
    ] == [(row.action, row.actor, row.detail) for row in rows[1:]]
    assert "unknown" == rows[0].actor


async def test_a_disabled_machine_is_hung_up_on_and_may_come_back(site: Site) -> None:
    """Its stream ends, after the word that it sells nothing; its next Hello is welcomed with the
    same word.
    """
    await _registered(site)
    async with a_machine(site) as machine:
        await site.fleet.DisableMachine(
            fleet_service_pb2.DisableMachineRequest(machine_id="VM-1", reason="stolen")
        )
        assert not (await heard(machine, "service_update")).service_update.in_service
        code, message = await machine.end()
        assert grpc.StatusCode.UNAVAILABLE is code
        assert "machine VM-1 was taken out of service" in message
        async with a_machine(site) as again:
            await again.say(1, reader_enable=machines_wire.ReaderEnable())
            while 1 > (await again.hear()).ack:
                pass


async def test_a_count_of_stock_reaches_the_actor(site: Site) -> None:
    """The machine's own state has the new count; a column that is not there and a count above its
    capacity are refused.
    """
    await _registered(site)
    response = await site.fleet.SetStock(
        fleet_service_pb2.SetStockRequest(machine_id="VM-1", column="A1", stock=7)
    )
    assert 7 == response.machine.columns[0].stock
    assert (grpc.StatusCode.FAILED_PRECONDITION, "UNKNOWN_COLUMN", []) == await _refusal(
        site.fleet.SetStock(
            fleet_service_pb2.SetStockRequest(machine_id="VM-1", column="Z9", stock=1)
        )
    )
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["stock"]) == await _refusal(
        site.fleet.SetStock(
            fleet_service_pb2.SetStockRequest(machine_id="VM-1", column="A1", stock=11)
        )
    )


async def test_a_refused_refund_can_be_tried_again(site: Site) -> None:
    """The same id goes to Alipay once more; money, trade and timeline are shown as they are."""
    refund_id = await _refunded(site)
    before = (
        await site.trades.GetRefund(trade_service_pb2.GetRefundRequest(refund_id=refund_id))
    ).refund
    assert ("REFUSED", 500, "HKD", "LATE_PAYMENT", 2) == (
        word(before, "status"),
        before.amount.minor,
        before.amount.currency,
        word(before, "cause"),
        before.attempt_count,
    )
    assert before.last_error
    await site.trades.RetryRefund(
        trade_service_pb2.RetryRefundRequest(refund_id=refund_id, reason="Alipay says so")
    )

    async def tried_twice() -> bool | None:
        refund = await found(lambda: site.queries.refund(refund_id))
        return (refund.attempt_count, refund.status) == (4, "REFUSED") or None

    await found(tried_twice)
    open_ones = await site.trades.ListRefunds(trade_service_pb2.ListRefundsRequest(open=True))
    assert [refund_id] == [one.refund_id for one in open_ones.refunds]
    (trade,) = (
        await site.trades.ListTrades(trade_service_pb2.ListTradesRequest(machine_id="VM-1"))
    ).trades
    assert (500, 500, 0) == (trade.paid.minor, trade.refunded.minor, trade.held.minor)
    assert (
        trade
        == (
            await site.trades.GetTrade(trade_service_pb2.GetTradeRequest(trade_id=trade.trade_id))
        ).trade
    )
    for machine_id in ("", "VM-1"):
        (balance,) = (
            await site.trades.GetBalances(
                trade_service_pb2.GetBalancesRequest(machine_id=machine_id)
            )
        ).balances
        assert (500, 500, True) == (
            balance.money_in_minor,
            balance.refunds_open_minor,
            balance.ledger_balanced,
        )


async def test_a_refund_that_succeeded_is_not_tried_again(site: Site) -> None:
    """A customer pays a machine that is away; the money goes back by itself, and then there is
    nothing left to try.
    """
    machine = await _registered(site, policy=machine_pb2.Policy(unavailable_grace_ms=1))
    site.alipay.pay(machine.qr_payload, "5.00")
    async with site.alipay.running():

        async def succeeded() -> str | None:
            refunds = await site.queries.refunds(Wanted(statuses=("SUCCEEDED",)), limit=1)
            return refunds[0].refund_id if refunds else None

        refund_id = await found(succeeded)
    assert (grpc.StatusCode.FAILED_PRECONDITION, "REFUND_SUCCEEDED", []) == await _refusal(
        site.trades.RetryRefund(trade_service_pb2.RetryRefundRequest(refund_id=refund_id))
    )
    (session,) = (
        await site.sessions.ListSessions(
            session_service_pb2.ListSessionsRequest(status=session_pb2.SESSION_STATUS_ENDED)
        )
    ).sessions
    story = await site.sessions.GetSessionTimeline(
        session_service_pb2.GetSessionTimelineRequest(session_id=session.session_id)
    )
    assert session == story.session
    assert story.entries
    assert any(entry.money for entry in story.entries)


async def test_pages_follow_each_other(site: Site) -> None:
    """A token leads on behind the page before; it is worth nothing for another list, and nothing
    when it is made up.
    """
    for number in range(5):
        await site.register(f"VM-{number}")
    seen: list[str] = []
    token = ""
    while True:
        page = await site.fleet.ListMachines(
            fleet_service_pb2.ListMachinesRequest(page_size=2, page_token=token)
        )
        seen += [machine.machine_id for machine in page.machines]
        token = page.next_page_token
        if not token:
            break
        other = fleet_service_pb2.ListMachinesRequest(
            page_token=token, phases=[machine_pb2.PHASE_ENABLED]
        )
        assert (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
            ["page_token"],
        ) == await _refusal(site.fleet.ListMachines(other))
    assert [f"VM-{number}" for number in range(5)] == seen
    inactive = fleet_service_pb2.ListMachinesRequest(
        phases=[machine_pb2.PHASE_INACTIVE, machine_pb2.PHASE_INACTIVE], page_size=9_999
    )
    assert 5 == len((await site.fleet.ListMachines(inactive)).machines)


async def test_a_host_that_is_away_is_said(tmp_path: Path, upgraded_file: Path, pair: Pair) -> None:
    """A change of the registry is saved all the same; an act on money is not done. Lists go on."""
    async with a_site(tmp_path, upgraded_file, pair, command_timeout_s=3.0) as site:
        await _a_host_that_is_away(site)


async def _a_host_that_is_away(site: Site) -> None:
    await _registered(site)
    refund_id = await _refunded(site)
    await site.host.stop()
    mode = with_mode("VM-1", machines_wire.MODE_SELECTION_FIRST)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await site.fleet.UpdateMachine(mode, timeout=1.0)
    assert grpc.StatusCode.UNAVAILABLE == refused.value.code()
    assert "the change is saved" in str(refused.value.details())
    shown = await site.fleet.GetMachine(fleet_service_pb2.GetMachineRequest(machine_id="VM-1"))
    assert machines_wire.MODE_SELECTION_FIRST == shown.machine.mode
    retry = trade_service_pb2.RetryRefundRequest(refund_id=refund_id)
    assert (grpc.StatusCode.UNAVAILABLE, "HOST_UNAVAILABLE", []) == await _refusal(
        site.trades.RetryRefund(retry, timeout=1.0)
    )


async def test_sql_away_is_said(site: Site) -> None:
    """A change that cannot be saved is not made."""
    await _registered(site)
    mode = with_mode("VM-1", machines_wire.MODE_SELECTION_FIRST)
    with site.sql_away():
        assert (grpc.StatusCode.UNAVAILABLE, "SQL_UNAVAILABLE", []) == await _refusal(
            site.fleet.UpdateMachine(mode)
        )
    assert "BOTH" == (await found(lambda: site.queries.machine("VM-1"))).mode


async def test_a_caller_without_a_good_name_is_refused(site: Site) -> None:
    """The audit log holds no novels."""
    call = site.fleet.EnableMachine(
        fleet_service_pb2.EnableMachineRequest(machine_id="VM-1"), metadata=(("x-actor", "x" * 65),)
    )
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["x-actor"]) == await _refusal(
        call
    )


async def test_a_registration_that_gets_no_code_is_still_one(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """While Alipay is away the machine is registered without a code, as soon as the wait for it is
    over: it is asked for, or nobody knows whether Alipay has made it.
    """
    async with a_site(tmp_path, upgraded_file, pair, code_wait_s=0.5) as site:
        site.alipay.switch({"no_answer_undone": 1.0})
        response = await site.fleet.RegisterMachine(_registration())
        without = (machine_pb2.CODE_STATUS_PENDING, machine_pb2.CODE_STATUS_UNKNOWN)
        assert response.machine.code_status in without
        assert "" == response.machine.qr_payload


async def test_machines_that_join_together_are_answered_each_with_its_own(site: Site) -> None:
    """They wait for codes together and are read together, and each caller gets their machine."""
    names = [f"VM-{number}" for number in range(60)]
    answers = await asyncio.gather(
        *(site.fleet.RegisterMachine(_registration(machine_id=name)) for name in names)
    )
    assert names == [answer.machine.machine_id for answer in answers]
    assert {machine_pb2.CODE_STATUS_ACTIVE} == {answer.machine.code_status for answer in answers}


async def test_events_are_watched_as_they_are_saved(site: Site) -> None:
    """A watch goes on from a token without a gap, follows what comes, and can be for one
    machine.
    """
    await _registered(site)
    watch = site.events.WatchEvents(
        event_service_pb2.WatchEventsRequest(machine_id="VM-1", after_token="0")
    )
    first = (await watch.read()).event
    assert ("VM-1", "CodeWished") == (first.machine_id, first.kind)
    watch.cancel()
    rest = site.events.WatchEvents(event_service_pb2.WatchEventsRequest(after_token=first.token))
    second = (await rest.read()).event
    assert int(second.token) > int(first.token)
    await site.fleet.SetStock(
        fleet_service_pb2.SetStockRequest(machine_id="VM-1", column="A1", stock=7)
    )
    async with asyncio.timeout(HANGS_AFTER_S):
        while (await rest.read()).event.kind != "StockCounted":
            pass
    rest.cancel()


async def test_a_watch_begins_now_by_default(site: Site) -> None:
    """Who says nothing hears only what is new."""
    await _registered(site)
    watch = site.events.WatchEvents(event_service_pb2.WatchEventsRequest())
    reading = asyncio.create_task(watch.read())
    for stock in itertools.cycle(range(10)):
        await site.fleet.SetStock(
            fleet_service_pb2.SetStockRequest(machine_id="VM-1", column="A1", stock=stock)
        )
        await asyncio.wait([reading], timeout=0.1)
        if reading.done():
            break
    assert "StockCounted" == (await reading).event.kind
    watch.cancel()


async def test_a_watch_ends_with_the_gateway(site: Site) -> None:
    """The caller is told to go on elsewhere, from the last token it has."""
    watch = site.events.WatchEvents(event_service_pb2.WatchEventsRequest())
    site.stopping.set()
    assert (grpc.StatusCode.UNAVAILABLE, "DRAINING", []) == await _refusal(watch.read())


async def test_a_watch_from_nowhere_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """A token is what an event carried."""
    for token in ["-1", "x", "9" * 20, "٣"]:
        with subtests.test(token=token):
            watch = site.events.WatchEvents(event_service_pb2.WatchEventsRequest(after_token=token))
            assert (
                grpc.StatusCode.INVALID_ARGUMENT,
                "INVALID_REQUEST",
                ["after_token"],
            ) == await _refusal(watch.read())


async def test_calls_are_counted(site: Site) -> None:
    """By method and status, and by nothing that grows."""
    await _refusal(site.fleet.GetMachine(fleet_service_pb2.GetMachineRequest(machine_id="VM-9")))
    counted = site.metrics.registry.get_sample_value(
        "vendgate_admin_calls_total", {"method": "GetMachine", "status": "NOT_FOUND"}
    )
    assert 1.0 == counted
