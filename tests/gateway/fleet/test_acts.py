"""Acts of administrators as their requests repeat them and rehearse them: what was cut off is gone
on with and not done twice; what is only checked changes nothing.

A gateway that is killed between an act and its answer is a claim that nobody gave back: here it is
one whose lease is over at once.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import func, select

from actors.link import AdminEvent, CommandDone, Reload
from actors.machine import values
from actors.machine.ids import Currency, MachineId
from actors.machine.policy import Policy, PolicyOverrides
from actors.machine.state import Mode, RefundStatus, VendStatus
from gateway.fleet.acts import Act, FleetActs
from gateway.fleet.errors import CallRefused
from gateway.fleet.machine_calls import MachineCalls
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from storage.fleet.answers import Answers, Asked, Claim
from storage.fleet.changes import MachineChange, etag_of
from storage.fleet.closings import Closings
from storage.fleet.erasures import Erasures
from storage.fleet.joining import NewMachine
from storage.fleet.lists import Wanted
from storage.fleet.sold import SoldVends
from storage.fleet.views import MachineView, WorkItemView
from storage.tables import audit, journal, metadata
from tests.alipay_client.wire import Pair
from tests.support.fleet_calls import code_rests, refunded
from tests.support.patience import HANGS_AFTER_S
from tests.support.site import COLUMNS, POLICY, Site, a_site, found
from tests.support.site_machine import a_machine, approved

REFUND = "alipay.acquire.overseas.spot.refund"
LIMITS = PolicyOverrides(doubt_window_ms=700_000)
Do = Callable[[FleetActs, Act], Awaitable[Any]]


class _NobodyThere:
    """Actors that must not be told anything."""

    async def command(
        self, machine_id: MachineId, event: AdminEvent | Reload, *, timeout_s: float
    ) -> CommandDone:
        raise AssertionError(f"{machine_id} was told {event}")


def _acts(site: Site, *, commands: Any = None) -> FleetActs:
    return FleetActs(
        registry=site.registry,
        queries=site.queries,
        answers=Answers(site.database),
        closings=Closings(site.database),
        erasures=Erasures(site.database),
        sold=SoldVends(site.database),
        store=site.store,
        commands=commands or site.links,
        clock=site.clock,
        command_timeout_s=HANGS_AFTER_S,
        code_wait_s=5.0,
    )


async def _act(site: Site, request_id: str = "r-1", *, machine_id: str = "VM-1") -> Act:
    """Begin a request, or go on with it: its claim is over as soon as it is made."""
    asked = Asked(caller="ann", request_id=request_id, rpc="Any", content_sha256="0" * 64)
    claim = await Answers(site.database).begin(
        asked, machine_id=machine_id, now_ms=site.clock.now_ms(), lease_ms=0
    )
    assert isinstance(claim, Claim)
    return Act(actor="ann", person="ann", within_s=HANGS_AFTER_S, claim=claim)


async def _registered(site: Site, machine_id: str = "VM-1", *, rpc: str = "") -> None:
    """Register a machine, give it limits, and wait until its actor has its code. Before
    EnableMachine is tried it is disabled.
    """
    await site.register(machine_id)
    acts, act = _acts(site), Act(actor="test", within_s=HANGS_AFTER_S)
    await acts.change(machine_id, MachineChange(overrides=LIMITS), act, action="begin")

    async def code(status: str) -> bool | None:
        view = await site.queries.machine(machine_id)
        return (view is not None and view.code_status == status) or None

    await found(partial(code, "ACTIVE"))
    if rpc == "EnableMachine":
        await acts.change(machine_id, MachineChange(enabled=False), act, action="begin")
        await found(partial(code, "STOPPED"))
    await code_rests(site, machine_id)


async def _trail(site: Site, action: str) -> list[str]:
    """Return the details of the audit rows of an action."""
    rows = await site.database.read(
        lambda connection: connection.execute(select(audit).order_by(audit.c.id)).all()
    )
    return [row.detail for row in rows if row.action == action]


async def _rows(site: Site) -> dict[str, int]:
    """Return how many rows each table has."""
    return await site.database.read(
        lambda connection: {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in metadata.tables.items()
        }
    )


async def _item(site: Site) -> WorkItemView:
    """Return the only thing that waits for a person."""
    (item,) = await site.queries.work_items(limit=9, now_ms=site.clock.now_ms())
    return item


async def _refusal(call: Awaitable[object]) -> tuple[grpc.StatusCode, str, dict[str, str]]:
    with pytest.raises(CallRefused) as refused:
        await call
    refusal = refused.value.refusal
    return refusal.code, refusal.reason, dict(refusal.metadata)


def _change(change: MachineChange, action: str, **options: Any) -> Do:
    return lambda acts, act: acts.change("VM-1", change, act, action=action, **options)


NEW = NewMachine(
    machine_id=MachineId("VM-1"),
    store_name="Lobby",
    currency=Currency("HKD"),
    country_code="HK",
    address="1 Queen's Road",
    columns=COLUMNS,
    overrides=LIMITS,
)
CHANGES = {
    "UpdateMachine": _change(
        MachineChange(mode=Mode.SELECTION_FIRST, limits={"idle_refund_ms": 9_000}),
        "UpdateMachine",
        etag=etag_of(2),
    ),
    "SetPlanogram": _change(
        MachineChange(columns=(values.replace(COLUMNS[0], price_minor=700),)),
        "SetPlanogram",
        etag=etag_of(2),
    ),
    "EnableMachine": _change(MachineChange(enabled=True), "EnableMachine", detail=""),
    "DisableMachine": _change(MachineChange(enabled=False), "DisableMachine", detail="glass"),
    "RetireMachine": _change(
        MachineChange(retire=True), "RetireMachine", detail="scrap", etag=etag_of(2)
    ),
}
"""The calls that change the registry, each with an etag of before where it has one."""


# --- cut off between the act and its answer ---


@pytest.mark.parametrize("rpc", CHANGES)
async def test_a_change_of_the_registry_is_made_once(site: Site, rpc: str) -> None:
    """Its claim says in its own transaction that it is made: what others changed since stays, its
    own etag is not stale, and one audit row tells of it.
    """
    await _registered(site, rpc=rpc)
    do = CHANGES[rpc]
    first = await do(_acts(site), await _act(site))
    if rpc != "RetireMachine":
        await _acts(site).change(
            "VM-1",
            MachineChange(limits={"vend_result_ms": 80_000}, enabled=rpc == "DisableMachine"),
            Act(actor="bob", within_s=HANGS_AFTER_S),
            action="Other",
        )
    second = await do(_acts(site), await _act(site))
    assert isinstance(first, MachineView)
    now = await _acts(site).machine("VM-1")
    assert now == second
    assert (first.revision + (rpc != "RetireMachine")) == now.revision
    assert 1 == len(await _trail(site, rpc))


@pytest.mark.parametrize("rpc", CHANGES)
async def test_a_change_whose_actor_did_not_hear_is_told_the_second_time(
    site: Site, rpc: str
) -> None:
    """Killed between the registry and the actor: the second time makes up for it."""
    await _registered(site, rpc=rpc)
    with pytest.raises(AssertionError, match="was told"):
        await CHANGES[rpc](_acts(site, commands=_NobodyThere()), await _act(site))
    view = await CHANGES[rpc](_acts(site), await _act(site))
    loaded = await site.store.load(MachineId("VM-1"))
    assert loaded is not None
    assert view.revision == loaded.state.configuration.revision
    assert 3 + (rpc == "EnableMachine") == view.revision
    assert 1 == len(await _trail(site, rpc))


async def test_what_a_planogram_removes_is_told_again(site: Site) -> None:
    """Whoever did not hear the first answer hears which goods left the books all the same."""
    await _registered(site)
    calls = MachineCalls(acts=_acts(site))
    tea = machine_pb2.Column(column="A1", product="tea", price_minor=500, capacity=10)
    request = fleet_service_pb2.SetPlanogramRequest(
        machine_id="VM-1", columns=[tea], goods_may_be_removed=True
    )
    there = (await _acts(site).machine("VM-1")).columns
    first = await calls.set_planogram(request, await _act(site))
    second = await calls.set_planogram(request, await _act(site))
    assert tuple(one for one in there if one.stock) == first.removed == second.removed
    assert first.removed


async def test_a_registration_is_made_once(site: Site) -> None:
    """Who goes on with it hears of the machine as it is, also if somebody has changed it since."""
    await _acts(site).register(NEW, await _act(site))
    await _acts(site).change(
        "VM-1",
        MachineChange(mode=Mode.SELECTION_FIRST),
        Act(actor="bob", within_s=HANGS_AFTER_S),
        action="UpdateMachine",
    )
    view = await _acts(site).register(NEW, await _act(site))
    assert ("SELECTION_FIRST", 2) == (view.mode, view.revision)
    assert 1 == len(await _trail(site, "RegisterMachine"))


async def test_a_count_is_not_given_again_after_others(site: Site) -> None:
    """What was counted, or sold, since the first time is newer than the count."""
    await _registered(site)
    acts = _acts(site)
    await acts.count_stock("VM-1", "A1", 7, await _act(site))
    await acts.count_stock("VM-1", "A1", 3, Act(actor="bob", within_s=HANGS_AFTER_S))
    view = await acts.count_stock("VM-1", "A1", 7, await _act(site))
    assert [3] == [column.stock for column in view.columns]
    assert ["column A1 stock 10 -> 7", "column A1 stock 7 -> 3"] == await _trail(site, "SetStock")


async def test_a_count_bears_the_name_of_its_request(site: Site) -> None:
    """So that its actor, told twice, does it once; a request without an id is another one each
    time, and so is an id that is used again.
    """
    await _registered(site)
    acts = _acts(site)
    nameless, named = Act(actor="bob", within_s=HANGS_AFTER_S), await _act(site)
    assert named.claim is not None
    later = replace(named, claim=replace(named.claim, machine_version=99))
    for stock, act in ((7, nameless), (6, nameless), (5, named), (4, named), (3, later)):
        view = await acts.count_stock("VM-1", "A1", stock, act)
        assert [5 if stock == 4 else stock] == [column.stock for column in view.columns]


async def test_a_count_that_nobody_decided_on_is_given(site: Site) -> None:
    """Killed between its audit row and the actor; an equal count from before is another one."""
    await _registered(site)
    await _acts(site).count_stock("VM-1", "A1", 7, Act(actor="ann", within_s=HANGS_AFTER_S))
    await _acts(site).count_stock("VM-1", "A1", 3, Act(actor="bob", within_s=HANGS_AFTER_S))
    with pytest.raises(AssertionError, match="was told"):
        await _acts(site, commands=_NobodyThere()).count_stock("VM-1", "A1", 7, await _act(site))
    view = await _acts(site).count_stock("VM-1", "A1", 7, await _act(site))
    assert [7] == [column.stock for column in view.columns]


async def test_a_machine_is_reloaded_again(site: Site) -> None:
    """Which changes nothing of it."""
    await _registered(site)
    before = await site.store.load(MachineId("VM-1"))
    for _ in range(2):
        await _acts(site).reload_machine("VM-1", "looked", await _act(site))
    assert before == await site.store.load(MachineId("VM-1"))


async def test_a_refund_is_tried_again_under_its_own_id(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """Alipay knows it by that id; once it is back, that is the answer and no refusal."""
    policy = replace(POLICY, refund_retry_ms=(20,))
    async with a_site(tmp_path, upgraded_file, pair, policy=policy) as site:
        refund_id = await refunded(site)
        for _ in range(2):
            await _acts(site).retry_refund(refund_id, "", await _act(site))
        asked = [call for call in site.asked if call["service"] == REFUND]
        assert {refund_id} == {call["partner_refund_id"] for call in asked}

        async def refused() -> bool | None:
            view = await site.queries.refund(refund_id)
            return (view is not None and view.status == RefundStatus.REFUSED) or None

        await found(refused)
        await _acts(site).write_off_refund(
            refund_id, "cash", Act(actor="bob", within_s=HANGS_AFTER_S)
        )
        view = await _acts(site).retry_refund(refund_id, "", await _act(site))
        assert RefundStatus.WRITTEN_OFF == view.status
        code, reason, _ = await _refusal(
            _acts(site).retry_refund(refund_id, "", Act(actor="bob", within_s=HANGS_AFTER_S))
        )
        assert (grpc.StatusCode.FAILED_PRECONDITION, "REFUND_WRITTEN_OFF") == (code, reason)


async def test_a_refund_is_written_off_once(site: Site) -> None:
    """The second time finds it so; the books hold one write-off."""
    refund_id = await refunded(site)
    for _ in range(2):
        view = await _acts(site).write_off_refund(refund_id, "cash", await _act(site))
        assert RefundStatus.WRITTEN_OFF == view.status
    assert 1 == len(await _trail(site, "WriteOffRefund"))
    assert 1 == await _journal(site, "RefundWrittenOff")


@pytest.mark.parametrize("delivered", [True, False])
async def test_a_vend_is_settled_once(
    tmp_path: Path, upgraded_file: Path, pair: Pair, delivered: bool
) -> None:
    """The second time finds it so; what a person decided otherwise meanwhile is told."""
    policy = Policy(
        approval_valid_ms=200, vend_result_ms=200, report_wait_ms=200, doubt_window_ms=60_000
    )
    async with a_site(tmp_path, upgraded_file, pair, policy=policy) as site:
        await _registered(site)
        machine = await _acts(site).machine("VM-1")
        async with a_machine(site) as stream:
            vend_id = await approved(site, stream, machine.qr_payload)

            async def in_doubt() -> bool | None:
                view = await site.queries.vend(vend_id)
                return (view is not None and view.status == VendStatus.IN_DOUBT) or None

            await found(in_doubt)
            for _ in range(2):
                view = await _acts(site).settle_vend(
                    vend_id, "seen", await _act(site), delivered=delivered
                )
                assert (VendStatus.SUCCEEDED if delivered else VendStatus.VOIDED) == view.status
            assert 1 == await _journal(site, "VendSettled")
            _, reason, _ = await _refusal(
                _acts(site).settle_vend(vend_id, "no", await _act(site), delivered=not delivered)
            )
            assert "VEND_NOT_IN_DOUBT" == reason


async def test_an_item_is_closed_once(site: Site) -> None:
    """Who goes on with the closing is not told that somebody else was first."""
    await _registered(site)
    machine = await site.registry.get(MachineId("VM-1"))
    assert machine is not None
    await site.post(machine.notify_token, site.signed(currency="JPY"))
    item = await _item(site)
    for _ in range(2):
        closing = await _acts(site).close_work_item(item.item_id, "looked", await _act(site))
        assert ("ann", False) == (closing.actor, closing.again)
    again = await _acts(site).close_work_item(
        item.item_id, "me too", Act(actor="bob", within_s=HANGS_AFTER_S)
    )
    assert ("ann", True) == (again.actor, again.again)
    assert 1 == len(await _trail(site, "CloseWorkItem"))


async def _journal(site: Site, kind: str) -> int:
    return await site.database.read(
        lambda connection: (
            connection.scalar(
                select(func.count()).select_from(journal).where(journal.c.kind == kind)
            )
            or 0
        )
    )


# --- only checked ---

CHECKED = Act(actor="ann", person="ann", within_s=HANGS_AFTER_S, validate_only=True)
REHEARSED: dict[str, Do] = {
    **CHANGES,
    "RegisterMachine": lambda acts, act: acts.register(
        replace(NEW, machine_id=MachineId("VM-2")), act
    ),
    "RegisterMachine again": lambda acts, act: acts.register(NEW, act),
    "SetStock": lambda acts, act: acts.count_stock("VM-1", "A1", 2, act),
}


@pytest.mark.parametrize("rpc", REHEARSED)
async def test_a_rehearsal_changes_nothing(site: Site, rpc: str) -> None:
    """No row anywhere is new or another, and no actor is told anything."""
    await _registered(site, rpc=rpc)
    rows, machine = await _rows(site), await _acts(site).machine("VM-1")
    await REHEARSED[rpc](_acts(site, commands=_NobodyThere()), CHECKED)
    assert (rows, machine) == (await _rows(site), await _acts(site).machine("VM-1"))


@pytest.mark.parametrize("rpc", CHANGES)
async def test_a_rehearsed_change_shows_what_would_be(site: Site, rpc: str) -> None:
    """The same machine that the change itself answers with, but for what its actor does of it."""
    await _registered(site, rpc=rpc)
    shown = await CHANGES[rpc](_acts(site), CHECKED)
    made = await CHANGES[rpc](_acts(site), Act(actor="ann", within_s=HANGS_AFTER_S))
    assert isinstance(shown, MachineView)
    retired = None if shown.retired_at_ms is None else made.retired_at_ms
    assert made.retired_at_ms == retired
    its_own = {
        name: getattr(made, name)
        for name in (
            *("code_status", "code_differs", "planogram_in_force", "phase"),
            "machine_version",
        )
    }
    assert made == replace(shown, retired_at_ms=retired, **its_own)


async def test_a_rehearsed_registration_shows_what_would_be(site: Site) -> None:
    """A machine without a code yet; one that is there already is shown as it is."""
    acts = _acts(site)
    shown = await acts.register(NEW, CHECKED)
    made = await acts.register(NEW, Act(actor="ann", within_s=HANGS_AFTER_S))
    there = {
        name: getattr(made, name)
        for name in (
            *("code_status", "qr_payload", "qr_image_url", "host", "registered_at_ms"),
            *("planogram_in_force", "machine_version"),
        )
    }
    assert made == replace(shown, **there)
    again = await acts.register(NEW, CHECKED)
    # What its host notes meanwhile raises the version, and changes nothing else that is shown.
    assert made.machine_version <= again.machine_version
    assert made == replace(again, machine_version=made.machine_version)


async def test_a_rehearsal_is_refused_as_the_act_is(site: Site, subtests: pytest.Subtests) -> None:
    """It is checked in the same way, and neither leaves a row."""
    await _registered(site)
    for do, reason in [
        (_change(MachineChange(enabled=True), "EnableMachine", etag="0"), "ETAG_STALE"),
        (
            lambda acts, act: acts.register(replace(NEW, store_name="Hall"), act),
            "MACHINE_EXISTS",
        ),
        (
            lambda acts, act: acts.change("VM-9", MachineChange(), act, action="EnableMachine"),
            "MACHINE_NOT_FOUND",
        ),
        (lambda acts, act: acts.count_stock("VM-1", "B7", 2, act), "UNKNOWN_COLUMN"),
        (lambda acts, act: acts.count_stock("VM-1", "A1", 99, act), "INVALID_REQUEST"),
        (lambda acts, act: acts.retry_refund("r", "", act), "REFUND_NOT_FOUND"),
        (lambda acts, act: acts.write_off_refund("r", "cash", act), "REFUND_NOT_FOUND"),
        (lambda acts, act: acts.settle_vend("v", "seen", act, delivered=True), "VEND_NOT_FOUND"),
        (lambda acts, act: acts.close_work_item("i", "looked", act), "WORK_ITEM_NOT_FOUND"),
    ]:
        with subtests.test(reason=reason):
            rows = await _rows(site)
            for act in (CHECKED, Act(actor="ann", within_s=HANGS_AFTER_S)):
                assert reason == (await _refusal(do(_acts(site, commands=_NobodyThere()), act)))[1]
            assert rows == await _rows(site)


async def test_acts_that_an_actor_decides_show_what_is(site: Site) -> None:
    """A refund that could be tried or written off, and an item that could be closed."""
    refund_id = await refunded(site)
    acts, view = _acts(site, commands=_NobodyThere()), await site.queries.refund(refund_id)
    rows = await _rows(site)
    assert view == await acts.retry_refund(refund_id, "", CHECKED)
    assert view == await acts.write_off_refund(refund_id, "cash", CHECKED)
    item = await _item(site)
    _, reason, _ = await _refusal(acts.close_work_item(item.item_id, "looked", CHECKED))
    assert "WORK_ITEM_HAS_ITS_OWN_ACT" == reason
    assert rows == await _rows(site)


async def test_a_rehearsed_closing_closes_nothing(site: Site) -> None:
    """It shows the closing as it would be; the item goes on waiting."""
    await _registered(site)
    machine = await site.registry.get(MachineId("VM-1"))
    assert machine is not None
    await site.post(machine.notify_token, site.signed(currency="JPY"))
    item = await _item(site)
    rows = await _rows(site)
    closing = await _acts(site).close_work_item(item.item_id, "looked", CHECKED)
    assert ("ann", "looked", False) == (closing.actor, closing.reason, closing.again)
    assert rows == await _rows(site)
    assert item.item_id == (await _item(site)).item_id


# --- etags, places, retirement ---


async def test_a_stale_etag_is_told_with_the_present_one(site: Site) -> None:
    """The refusal carries it, for programs."""
    await _registered(site)
    code, reason, about = await _refusal(
        _change(MachineChange(enabled=True), "EnableMachine", etag=etag_of(1))(
            _acts(site), Act(actor="ann", within_s=HANGS_AFTER_S)
        )
    )
    assert (grpc.StatusCode.ABORTED, "ETAG_STALE", etag_of(2)) == (code, reason, about["etag"])


async def test_a_refused_code_is_asked_for_with_what_was_mended(site: Site) -> None:
    """Alipay refuses the address; UpdateMachine mends that, and the host asks with what is new."""
    site.alipay.switch({"reject_address": True})
    await site.register()
    act = Act(actor="ann", within_s=HANGS_AFTER_S)
    await _acts(site).change("VM-1", MachineChange(), act, action="begin")

    async def status(wanted: str) -> bool | None:
        return (await _acts(site).machine("VM-1")).code_status == wanted or None

    await found(lambda: status("REFUSED"))
    mended = MachineChange(store_name="Hall", country_code="", address="")
    view = await _acts(site).change("VM-1", mended, act, action="UpdateMachine")
    assert ("Hall", "", "") == (view.store_name, view.country_code, view.address)
    await found(lambda: status("ACTIVE"))
    asked = [json.loads(call["biz_data"]) for call in site.asked if "biz_data" in call]
    made = [call for call in site.asked if call["service"].endswith("qrcode.create")]
    assert ["Lobby", "Hall"] == [json.loads(call["biz_data"])["store_name"] for call in made]
    assert {"Lobby", "Hall"} == {one["store_name"] for one in asked}
    assert 1 == len(await _trail(site, "UpdateMachine"))


async def test_a_machine_with_a_customer_is_not_retired(site: Site) -> None:
    """The refusal names what is open, for people and programs; once it is over it can be."""
    await _registered(site)
    machine = await _acts(site).machine("VM-1")
    act = Act(actor="ann", within_s=HANGS_AFTER_S)
    site.alipay.pay(machine.qr_payload, "5.00")
    await site.alipay.settle()

    async def begun() -> bool | None:
        return bool((await _acts(site).machine("VM-1")).session_id) or None

    await found(begun)
    retire = _change(MachineChange(retire=True), "RetireMachine", detail="scrap")
    code, reason, about = await _refusal(retire(_acts(site), act))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "MACHINE_IN_USE") == (code, reason)
    assert "session VM-1" in about["open"]
    assert "trade " in about["open"]
    assert [] == await _trail(site, "RetireMachine")


async def test_a_retired_machine_stays_so(site: Site) -> None:
    """Its code is stopped and every change of it is refused; looking at it, and loading it again,
    goes on.
    """
    await _registered(site)
    acts, act = _acts(site), Act(actor="ann", within_s=HANGS_AFTER_S)
    assert (await CHANGES["RetireMachine"](acts, act)).retired_at_ms is not None
    await CHANGES["RetireMachine"](acts, act)
    assert ["enabled yes -> no; retired no -> yes; scrap"] == await _trail(site, "RetireMachine")
    for rpc in ("UpdateMachine", "SetPlanogram", "EnableMachine", "DisableMachine"):
        assert "MACHINE_RETIRED" == (await _refusal(CHANGES[rpc](acts, act)))[1]
    assert "MACHINE_RETIRED" == (await _refusal(acts.count_stock("VM-1", "A1", 1, act)))[1]
    assert "MACHINE_EXISTS" == (await _refusal(acts.register(NEW, act)))[1]
    await acts.reload_machine("VM-1", "looked", act)

    async def stopped() -> bool | None:
        return (await acts.machine("VM-1")).code_status == "STOPPED" or None

    await found(stopped)


async def test_who_pays_while_a_machine_is_retired_gets_the_money_back(
    tmp_path: Path, upgraded_file: Path, pair: Pair
) -> None:
    """The customer pays, the machine is retired, and then we hear of the payment; the stream ends
    with the reason.
    """
    async with a_site(
        tmp_path, upgraded_file, pair, policy=replace(POLICY, unavailable_grace_ms=100)
    ) as site:
        await _registered(site)
        acts = _acts(site)
        async with a_machine(site) as stream:
            site.alipay.pay((await acts.machine("VM-1")).qr_payload, "5.00")
            await CHANGES["RetireMachine"](acts, Act(actor="ann", within_s=HANGS_AFTER_S))
            code, details = await stream.end()
            assert grpc.StatusCode.NOT_FOUND is code
            assert "machine VM-1 was retired" in details
            await site.alipay.settle()

            async def back() -> bool | None:
                refunds = await site.queries.refunds(Wanted(statuses=("SUCCEEDED",)), limit=2)
                return [500] == [one.amount_minor for one in refunds] or None

            await found(back)
        machine = await acts.machine("VM-1")
        assert ("", 0, False) == (machine.session_id, machine.open_refund_count, machine.online)
