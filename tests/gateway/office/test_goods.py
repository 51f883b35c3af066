"""GoodsService over a real server, real SQL and real actors. A Site leaves sound books behind: what
is in the columns, at the places and in the moves agrees after each of these.
"""

import asyncio
import itertools
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.fleet.v1 import event_service_pb2, fleet_service_pb2, machine_pb2
from gateway.fleet.v1 import fleet_service_pb2 as fleet_wire
from gateway.office.v1 import audit_data_service_pb2 as audit_wire
from gateway.office.v1 import goods_service_pb2 as wire
from gateway.office.v1 import machine_profile_pb2
from gateway.office.v1 import machine_profile_service_pb2 as profile_wire
from gateway.office.v1 import recall_service_pb2 as recall_wire
from gateway.office.v1 import stock_service_pb2 as stock_wire
from gateway.office.v1 import visit_service_pb2 as visit_wire
from storage.office import move_lists
from tests.support.fleet_calls import answers_forgotten, cut_off, refusal
from tests.support.goods_calls import (
    NORTH,
    VAN,
    count,
    load,
    there,
    transfer,
    twenty_in_a_van,
    unload,
)
from tests.support.site import Site


@pytest.fixture(autouse=True)
async def _goods(site: Site) -> None:
    """Have a machine, and twenty of its product in a van."""
    await twenty_in_a_van(site)


async def kinds(site: Site, **about: Any) -> list[str]:
    """Return the kinds of moves, the newest first."""
    listed = await site.goods.ListGoodsMoves(wire.ListGoodsMovesRequest(**about))
    return [one.kind for one in listed.moves]


async def test_goods_go_from_the_supplier_into_a_column(site: Site) -> None:
    """Each step is a move, and nothing is left on the way."""
    answer = await site.goods.LoadColumn(load())
    assert ("COLUMN:VM-1/A1", 7) == (answer.column.place, answer.column.quantity)
    assert {VAN: 15, "COLUMN:VM-1/A1": 7} == await there(site)
    assert ["LOADED", "TRANSFERRED"] == await kinds(site, visit="route 3")
    assert ["LOADED", "TRANSFERRED", "OPENED"] == await kinds(site, machine_id="VM-1")
    assert ["LOADED", "TRANSFERRED", "TRANSFERRED", "RECEIVED"] == await kinds(
        site, lot="L1", product="cola"
    )


async def test_the_audit_log_names_the_column_that_is_loaded(site: Site) -> None:
    """The place where the goods wait for it is named by their act, which tells nobody where."""
    await site.goods.LoadColumn(load())
    listed = await site.events.ListAuditRecords(event_service_pb2.ListAuditRecordsRequest())
    said = [one.detail for one in listed.records if one.action == "LoadColumn"]
    assert [True] == [" for column A1" in one for one in said]


async def test_a_click_twice_loads_once(site: Site) -> None:
    """One answer under one request id, also side by side; with other content it is refused."""
    first = await site.goods.LoadColumn(load())
    assert first == await site.goods.LoadColumn(load())
    code, reason, _ = await refusal(site.goods.LoadColumn(load(6)))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED") == (code, reason)
    both = [site.goods.LoadColumn(load(1, request_id="load-2")) for _ in range(2)]
    await asyncio.gather(*both, return_exceptions=True)
    assert {VAN: 14, "COLUMN:VM-1/A1": 8} == await there(site)


async def test_two_people_load_what_is_left_in_the_van(site: Site) -> None:
    """One of them wins, the other hears what is there."""
    await site.goods.TransferGoods(transfer(16, VAN, NORTH))
    both = [site.goods.LoadColumn(load(3, request_id=f"load-{name}")) for name in ("a", "b")]
    done = await asyncio.gather(*both, return_exceptions=True)
    assert 1 == sum(isinstance(one, grpc.aio.AioRpcError) for one in done)
    assert {NORTH: 16, VAN: 1, "COLUMN:VM-1/A1": 5} == await there(site)


async def test_what_does_not_fit_stays_in_the_van(site: Site, subtests: pytest.Subtests) -> None:
    """No room, another product, no such column or machine, nothing there: checked only or not."""
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"quantity": 9}, "COLUMN_REFUSED"),
        ({"column": "A2"}, "COLUMN_REFUSED"),
        ({"column": "Z9"}, "COLUMN_NOT_FOUND"),
        ({"machine_id": "VM-9"}, "MACHINE_NOT_FOUND"),
        ({"from": "VAN:8"}, "NOT_ENOUGH_GOODS"),
        ({"lot": "L9"}, "NOT_ENOUGH_GOODS"),
    )
    for (changes, reason), only_check in itertools.product(cases, (False, True)):
        with subtests.test(changes=changes, only_check=only_check):
            wanted = load(validate_only=only_check, **changes)
            _, said, _ = await refusal(site.goods.LoadColumn(wanted))
            assert reason == said
            assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)


async def test_what_has_no_room_is_told_what_is_there(site: Site) -> None:
    """And how many do not fit, or are not in it, and what to do."""
    with pytest.raises(grpc.aio.AioRpcError, match="not tea: SetPlanogram, if it shall hold that"):
        await site.goods.UnloadColumn(unload(1, VAN, product="tea"))
    with pytest.raises(
        grpc.aio.AioRpcError, match=r"9 more do not fit: CountColumn, .*, or SetPlanogram"
    ):
        await site.goods.LoadColumn(load(quantity=9))
    with pytest.raises(
        grpc.aio.AioRpcError, match="holds 2 of 10 cola by our books, and 3 are not"
    ):
        await site.goods.UnloadColumn(unload(3, VAN))


async def test_a_load_is_only_checked(site: Site) -> None:
    """It answers what would be in the column, and nothing moves."""
    answer = await site.goods.LoadColumn(load(validate_only=True, request_id=""))
    assert 7 == answer.column.quantity
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)


async def test_goods_are_taken_out_of_a_column(site: Site) -> None:
    """Into a van, where they are seen, or into the waste."""
    answer = await site.goods.UnloadColumn(unload(1, VAN))
    assert 1 == answer.column.quantity
    checked = await site.goods.UnloadColumn(unload(1, "EXPIRED", validate_only=True))
    assert 0 == checked.column.quantity
    await site.goods.UnloadColumn(unload(1, "EXPIRED", request_id="u-1"))
    await site.goods.UnloadColumn(unload(1, "EXPIRED", request_id="u-1"))
    assert ["EXPIRED", "UNLOADED", "OPENED"] == await kinds(site, machine_id="VM-1")
    listed = await site.goods.ListGoodsBalances(wire.ListGoodsBalancesRequest(place=VAN))
    assert {("", 1), ("L1", 20)} == {(one.lot, one.quantity) for one in listed.balances}
    _, reason, _ = await refusal(site.goods.UnloadColumn(unload(1, "WASTE")))
    assert "COLUMN_REFUSED" == reason


async def test_a_count_is_held_against_its_time(site: Site) -> None:
    """One fewer than our books had then; what was loaded since is not lost with it. The machine and
    its events say which version that was.
    """
    listed = await site.fleet.ListMachines(fleet_service_pb2.ListMachinesRequest())
    version = listed.machines[0].machine_version
    one = await site.fleet.GetMachine(fleet_service_pb2.GetMachineRequest(machine_id="VM-1"))
    events = await site.events.ListEvents(event_service_pb2.ListEventsRequest(machine_id="VM-1"))
    newest = max(event.machine_version for event in events.events)
    assert 0 < version == one.machine.machine_version == newest
    await site.goods.LoadColumn(load())
    answer = await site.goods.CountColumn(count(1, machine_version=version, request_id="c-1"))
    assert (-1, 6) == (answer.difference, answer.column.quantity)
    assert answer == await site.goods.CountColumn(
        count(1, machine_version=version, request_id="c-1")
    )
    assert {VAN: 15, "COLUMN:VM-1/A1": 6} == await there(site)
    same = await site.goods.CountColumn(count(6))
    assert (0, 6) == (same.difference, same.column.quantity)
    checked = await site.goods.CountColumn(count(9, validate_only=True))
    assert (3, 9) == (checked.difference, checked.column.quantity)
    _, reason, _ = await refusal(site.goods.CountColumn(count(1, machine_version=10_000)))
    assert "VERSION_TO_COME" == reason


@pytest.mark.parametrize("only_check", [False, True])
async def test_a_count_that_does_not_fit_is_refused_with_words(
    site: Site, *, only_check: bool
) -> None:
    """Only checked or not: eleven in a column of ten, and what is not in it at all."""
    for asked, said in (
        (count(11, validate_only=only_check), "room for 10 cola, and with 11 counted"),
        (count(1, product="tea", validate_only=only_check), "VM-1/A1 with tea"),
    ):
        with pytest.raises(grpc.aio.AioRpcError, match=said) as refused:
            await site.goods.CountColumn(asked)
        assert "actor" not in str(refused.value.details())
    _, reason, _ = await refusal(site.goods.CountColumn(count(11, validate_only=only_check)))
    assert "COLUMN_REFUSED" == reason
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)


async def test_lists_come_in_pages(site: Site) -> None:
    """Each begins where the one before ended; a token of another list is refused."""
    moves = await site.goods.ListGoodsMoves(wire.ListGoodsMovesRequest(page_size=2))
    rest = wire.ListGoodsMovesRequest(page_size=2, page_token=moves.next_page_token)
    assert ["TRANSFERRED", "RECEIVED"] == [one.kind for one in moves.moves]
    assert ["OPENED"] == [one.kind for one in (await site.goods.ListGoodsMoves(rest)).moves]
    first = await site.goods.ListGoodsBalances(wire.ListGoodsBalancesRequest(page_size=1))
    more = wire.ListGoodsBalancesRequest(page_size=1, page_token=first.next_page_token)
    assert [VAN] == [one.place for one in (await site.goods.ListGoodsBalances(more)).balances]
    wrong = wire.ListGoodsBalancesRequest(page_token=moves.next_page_token)
    code, _, _ = await refusal(site.goods.ListGoodsBalances(wrong))
    assert grpc.StatusCode.INVALID_ARGUMENT == code


async def test_where_the_goods_of_a_van_went_is_one_call(site: Site) -> None:
    """By its place, by a kind, by a column, and by time."""
    await site.goods.LoadColumn(load(2, request_id="l"))
    for about, kinds in (
        ({"place": VAN}, ["TRANSFERRED", "TRANSFERRED"]),
        ({"place": VAN, "kind": "RECEIVED"}, []),
        ({"kind": "RECEIVED"}, ["RECEIVED"]),
        ({"place": "COLUMN:VM-1/A1"}, ["LOADED", "OPENED"]),
        ({"place": VAN, "until": Timestamp(seconds=1)}, []),
        ({"place": VAN, "from": Timestamp(seconds=1)}, ["TRANSFERRED", "TRANSFERRED"]),
    ):
        request = wire.ListGoodsMovesRequest(**about)
        told = await site.goods.ListGoodsMoves(request)
        assert (kinds, "") == ([one.kind for one in told.moves], told.next_page_token), about


async def test_a_page_that_looked_far_goes_on_where_it_ended(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it is empty: the next one finds what is behind."""
    monkeypatch.setattr(move_lists, "LOOKED_MAX", 1)
    request = wire.ListGoodsMovesRequest(machine_id="VM-1", kind="OPENED")
    await site.goods.CountColumn(count(1))
    pages, token = [], ""
    while True:
        told = await site.goods.ListGoodsMoves(request)
        pages.append([one.kind for one in told.moves])
        if not (token := told.next_page_token):
            break
        request.page_token = token
    assert [[], ["OPENED"], []] == pages


async def test_a_lot_is_found_where_it_is(site: Site) -> None:
    """In the van and in the column, until it is gone from there."""
    await site.goods.LoadColumn(load())
    lots = await site.goods.ListLots(wire.ListLotsRequest(expires_until="2099-01-31"))
    assert [("cola", "L1", 15, 120)] == [
        (one.product, one.lot, one.in_stores, one.unit_cost.minor) for one in lots.lots
    ]
    sooner = await site.goods.ListLots(wire.ListLotsRequest(expires_until="2099-01-30"))
    assert not sooner.lots
    wanted = wire.ListLotColumnsRequest(product="cola", lot="L1")
    held = await site.goods.ListLotColumns(wanted)
    assert [("VM-1", "COLUMN:VM-1/A1", 5, 7)] == [
        (one.machine_id, one.place, one.quantity, one.stock) for one in held.columns
    ]
    await site.goods.UnloadColumn(unload(7, "EXPIRED"))
    assert not (await site.goods.ListLotColumns(wanted)).columns


async def _retired(site: Site) -> Any:
    """Retire the machine, with two goods in it."""
    request = fleet_wire.RetireMachineRequest(machine_id="VM-1", reason="scrap")
    return await site.fleet.RetireMachine(request, metadata=(("x-actor", "ann"),))


async def test_a_retired_machine_takes_no_goods_and_no_change(site: Site) -> None:
    """Only checked or not, whichever service is asked."""
    await _retired(site)
    profile = machine_profile_pb2.MachineProfile(machine_id="VM-1", serial="S-1")
    repair = machine_profile_pb2.MAINTENANCE_MAINTENANCE
    pars = [stock_wire.ColumnPar(column="A1", par=8)]
    ann = (("x-actor", "ann"),)
    for only in (True, False):
        for call in (
            site.goods.LoadColumn(load(validate_only=only)),
            site.goods.CountColumn(count(3, validate_only=only)),
            site.stock.SetPars(
                stock_wire.SetParsRequest(machine_id="VM-1", pars=pars, validate_only=only)
            ),
            site.profiles.UpdateMachineProfile(
                profile_wire.UpdateMachineProfileRequest(
                    profile=profile, update_mask=FieldMask(paths=["serial"]), validate_only=only
                )
            ),
            site.profiles.SetMaintenance(
                profile_wire.SetMaintenanceRequest(
                    machine_id="VM-1", maintenance=repair, reason="x", validate_only=only
                )
            ),
            site.audit_data.ResetMachineAudit(
                audit_wire.ResetMachineAuditRequest(
                    machine_id="VM-1", reason="x", validate_only=only
                ),
                metadata=ann,
            ),
        ):
            code, reason, _ = await refusal(call)
            assert (grpc.StatusCode.FAILED_PRECONDITION, "MACHINE_RETIRED") == (code, reason)
    assert {VAN: 20, "COLUMN:VM-1/A1": 2} == await there(site)


async def test_what_is_left_in_a_retired_machine_is_fetched(site: Site) -> None:
    """Whoever retires it hears of it, a recall names it, and somebody visits it: one is missing,
    one comes back.
    """
    assert 2 == (await _retired(site)).goods_left
    recalled = await site.recalls.RecallProduct(
        recall_wire.RecallProductRequest(product="cola", reason="glass", validate_only=True)
    )
    assert [("VM-1", "A1", 2)] == [
        (one.machine_id, one.column, one.quantity) for one in recalled.columns
    ]
    await site.visits.OpenVisit(
        visit_wire.OpenVisitRequest(visit="last", machine_id="VM-1", van=VAN)
    )
    with pytest.raises(grpc.aio.AioRpcError, match="TransferGoods from FOUND"):
        await site.goods.CountColumn(count(3, visit="last"))
    counted = await site.goods.CountColumn(count(1, visit="last"))
    assert (-1, 1) == (counted.difference, counted.column.quantity)
    move = await site.goods.UnloadColumn(unload(1, VAN, visit="last"))
    assert 0 == move.column.quantity
    await site.visits.CloseVisit(visit_wire.CloseVisitRequest(visit="last"))
    back = (await site.goods.ListGoodsMoves(wire.ListGoodsMovesRequest(visit="last"))).moves[0]
    request = wire.ReverseMoveRequest(move_id=back.id, reason="x", request_id="r")
    assert "MACHINE_RETIRED" == (await refusal(site.goods.ReverseMove(request)))[1]


@pytest.mark.parametrize(
    ("call", "fields"),
    [
        ("ListGoodsMoves", ("machine_id", "visit", "lot")),
        ("ListGoodsBalances", ("place", "machine_id", "product")),
    ],
)
async def test_what_no_database_can_be_asked_for_is_refused(
    site: Site, call: str, fields: tuple[str, ...]
) -> None:
    """PostgreSQL takes no NUL, and "repeat the call" would help nobody."""
    for field in fields:
        more = {"product": "cola"} if field == "lot" else {}
        request = getattr(wire, f"{call}Request")(**{field: "a\0b", **more})
        code, _, wrong = await refusal(getattr(site.goods, call)(request))
        assert (grpc.StatusCode.INVALID_ARGUMENT, [field]) == (code, wrong)


async def test_an_id_of_long_ago_moves_nothing_and_says_so(site: Site) -> None:
    """Between stores as in and out of columns."""
    await site.goods.LoadColumn(load(request_id="l"))
    await answers_forgotten(site)
    again = transfer(1, come_from=VAN, to=NORTH, request_id="first")
    for call in (site.goods.TransferGoods(again), site.goods.LoadColumn(load(1, request_id="l"))):
        assert "REQUEST_ID_USED" == (await refusal(call))[1]


@pytest.mark.parametrize(
    "asked",
    [load(1, request_id="r"), unload(1, VAN, request_id="r"), count(1, request_id="r")],
    ids=["load", "unload", "count"],
)
async def test_an_id_of_long_ago_moves_nothing_also_where_its_first_call_was_cut_off(
    site: Site, asked: Any
) -> None:
    """What goes on is a call that has moved nothing yet, and the act of long ago is not its."""
    call = getattr(site.goods, type(asked).__name__.removesuffix("Request"))
    await call(asked)
    before = await there(site)
    await answers_forgotten(site)
    with cut_off():
        assert grpc.StatusCode.UNAVAILABLE == (await refusal(call(asked)))[0]
    assert "REQUEST_ID_USED" == (await refusal(call(asked)))[1]
    assert before == await there(site)


async def test_what_is_left_of_removed_goods_names_their_machine(site: Site) -> None:
    """In the answers that move them as in the list."""
    had = (await there(site))["COLUMN:VM-1/A1"]
    kola = machine_pb2.Column(column="A1", product="kola", price_minor=500, capacity=10)
    swap = fleet_wire.SetPlanogramRequest(
        machine_id="VM-1", columns=[kola], goods_may_be_removed=True
    )
    await site.fleet.SetPlanogram(swap)
    request = transfer(
        1, come_from="REMOVED:VM-1", goods=[wire.GoodsLine(product="cola", quantity=1)]
    )
    moved = (await site.goods.TransferGoods(request)).balances
    listed = await site.goods.ListGoodsBalances(wire.ListGoodsBalancesRequest(place="REMOVED:VM-1"))
    assert [("REMOVED:VM-1", "VM-1", had - 1)] == [
        (one.place, one.machine_id, one.quantity) for one in listed.balances
    ]
    assert [listed.balances[0]] == [one for one in moved if one.place == "REMOVED:VM-1"]
    assert {"": VAN} == {one.machine_id: one.place for one in moved if one.place != "REMOVED:VM-1"}
