"""What is wrong with a machine, and what it costs."""

from dataclasses import replace
from typing import Any

import pytest

from actors.machine.policy import PolicyOverrides
from actors.machine.state import Column
from gateway.office.health import TroubleKind, health, sales_count_from
from storage.fleet.views import ColumnLockView, HaltView, MachineView
from storage.machines.rows import DAY_MS
from storage.office.incidents import Takings
from storage.office.locks import LockView
from storage.office.recalls import RecallCause
from storage.office.supply import HOUR_MS
from tests.support.incidents import MOTOR

TAKINGS = Takings(by_column={"A1": 30_000, "A2": 10_000}, span_ms=100 * HOUR_MS)


def a_machine_view(stock: int = 2) -> MachineView:
    """A machine that sells."""
    return MachineView(
        machine_id="VM-1",
        store_name="Lobby",
        currency="HKD",
        country_code="HK",
        address="1 Queens Road",
        enabled=True,
        mode="BOTH",
        overrides=PolicyOverrides(),
        planogram_version=1,
        columns=(Column(column="A1", product="cola", price_minor=500, capacity=10, stock=stock),),
        code_status="ACTIVE",
        qr_payload="https://qr.alipay.com/bax1",
        qr_image_url="",
        code_error="",
        phase="ENABLED",
        online=True,
        connection_changed_at_ms=None,
        firmware="",
        session_id="",
        funds_minor=0,
        open_refund_count=0,
        last_fault="",
        host="host-0",
        partition=0,
        registered_at_ms=0,
        revision=1,
        retired_at_ms=None,
    )


def test_a_column_that_a_command_locks_costs_what_it_sold() -> None:
    """Whatever recalls say."""
    found = health(replace(a_machine_view(), ordered_locks=("A1",)), [], [], TAKINGS)
    (one,) = found.troubles
    assert (TroubleKind.LOCKED, "A1", 300) == (one.kind, one.column, found.cost_minor)


def test_what_is_locked_by_a_command_or_empty_is_so_since_some_time() -> None:
    """As far as that is known."""
    recall = ColumnLockView(column="A1", recall_id="r1", since_ms=5)
    locks = (recall, ColumnLockView(column="A1", since_ms=9))
    machine = replace(a_machine_view(stock=0), ordered_locks=("A1",), locks=locks)
    found = health(machine, [], [], TAKINGS, emptied={"A1": 7})
    assert [(TroubleKind.SOLD_OUT, 7), (TroubleKind.LOCKED, 9)] == [
        (one.kind, one.since_ms) for one in found.troubles
    ]


def test_a_retired_machine_costs_nothing() -> None:
    """Whatever is wrong with it: that it is retired is said first, and then what it told."""
    machine = replace(a_machine_view(stock=0), retired_at_ms=8, enabled=False, online=False)
    found = health(machine, [MOTOR], [], TAKINGS)
    assert [(TroubleKind.RETIRED, 8, None), (TroubleKind.INCIDENT, 77, None)] == [
        (one.kind, one.since_ms, one.cost_minor) for one in found.troubles
    ]
    assert (0, 0) == (found.usual_minor, found.cost_minor)


def test_a_machine_that_is_well_costs_nothing() -> None:
    """And what it usually sells is said."""
    found = health(a_machine_view(), [], [], TAKINGS)
    assert ([], 400, 0) == (list(found.troubles), found.usual_minor, found.cost_minor)


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({"online": False, "connection_changed_at_ms": 5}, [TroubleKind.OFFLINE]),
        ({"enabled": False, "phase": "DISABLED"}, [TroubleKind.DISABLED]),
        ({"phase": "DISABLED"}, [TroubleKind.OUT_OF_SERVICE]),
        ({"code_status": "REFUSED", "code_error": "no contract"}, [TroubleKind.NO_CODE]),
        (
            {"halt": HaltView(halted_at_ms=5, fact="", error="E"), "online": False},
            [TroubleKind.HALTED, TroubleKind.OFFLINE],
        ),
    ],
)
def test_what_stops_a_machine_costs_all_that_it_sells(
    changed: dict[str, Any], kinds: list[TroubleKind]
) -> None:
    """Once, however much stops it."""
    machine: MachineView = replace(a_machine_view(), **changed)
    found = health(machine, [MOTOR], [], TAKINGS)
    assert [*kinds, TroubleKind.INCIDENT] == [one.kind for one in found.troubles]
    assert {400} == {one.cost_minor for one in found.troubles[:-1]}
    assert 400 == found.cost_minor


def test_a_column_costs_what_it_sells() -> None:
    """Once, also if it is empty and broken; what is about no column stops nothing."""
    machine = a_machine_view(stock=0)
    fan = replace(MOTOR, incident_id="VM-1-i2", code="EJJ", column="", detail="")
    found = health(machine, [MOTOR, fan], [], TAKINGS)
    assert [
        (TroubleKind.SOLD_OUT, "A1", "cola", None, 300),
        (TroubleKind.INCIDENT, "A1", "EJB: a dispense motor: stuck", 77, 300),
        (TroubleKind.INCIDENT, "", "EJJ: refrigeration", 77, None),
    ] == [
        (one.kind, one.column, one.detail, one.since_ms, one.cost_minor) for one in found.troubles
    ]
    assert 300 == found.cost_minor


def test_a_locked_column_is_a_trouble_of_its_own() -> None:
    """Whose goods are there and do not sell; two recalls of one column cost it once."""
    lock = LockView(
        machine_id="VM-1",
        column="A1",
        recall_id="r1",
        cause=RecallCause.RECALLED,
        product="cola",
        lot="L7",
        locked_at_ms=66,
        obeyed_at_ms=None,
        online=True,
    )
    whole = replace(lock, recall_id="r2", lot="")
    found = health(a_machine_view(), [], [lock, whole], TAKINGS)
    assert [
        (TroubleKind.LOCKED, "A1", "RECALLED: lot L7 of cola, recall r1", 66, 300),
        (TroubleKind.LOCKED, "A1", "RECALLED: cola, recall r2", 66, 300),
    ] == [
        (one.kind, one.column, one.detail, one.since_ms, one.cost_minor) for one in found.troubles
    ]
    assert 300 == found.cost_minor


def test_the_first_sale_of_a_new_machine_is_no_habit() -> None:
    """Its sales are those of a day at least, of a span that was wished or of its own age."""
    now_ms, hour, day = 1_000 * DAY_MS, HOUR_MS, DAY_MS
    for wished, registered, span in ((28 * day, 5, day), (28 * day, 36 * hour, 36 * hour)):
        since = sales_count_from(now_ms - wished, now_ms - registered, now_ms)
        assert span == now_ms - since
    assert now_ms - 2 * day == sales_count_from(now_ms - 2 * day, 0, now_ms)


def test_it_is_told_since_when_somebody_disabled_it() -> None:
    """If the audit log knows it."""
    disabled = replace(a_machine_view(), enabled=False)
    for at_ms in (7_000, None):
        (one,) = health(disabled, [], [], TAKINGS, disabled_at_ms=at_ms).troubles
        assert (TroubleKind.DISABLED, at_ms) == (one.kind, one.since_ms)
