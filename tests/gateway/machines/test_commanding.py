"""Commands, each as the frame that a machine gets, and the names that core and wire share."""

from enum import StrEnum
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.machine import effects, events
from actors.machine.command import CommandKind
from actors.machine.ids import Currency, RequestId, SessionId, VendId
from actors.machine.state import Column, DenyReason, EndReason, FailureCause, Mode
from gateway.machines import commanding
from gateway.rpc.limits import EdgeLimits
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectResponse

LIMITS = EdgeLimits()
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Cores may be busy with other tests."""
UNNAMED: Any = 7
BAD_FIELD = wire.PROTOCOL_ERROR_CODE_BAD_FIELD


# --- commands ---

small = st.integers(min_value=0, max_value=10**12)
spans = st.integers(min_value=-(10**15), max_value=10**15)
ids = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)
names = st.from_regex(r"[A-Z0-9 ]{1,16}", fullmatch=True)
columns = st.builds(
    Column,
    column=names,
    product=st.text(max_size=16),
    price_minor=small,
    capacity=small,
    stock=st.integers(-5, 100),
)
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    SessionId: ids.map(SessionId),
    SessionId | None: st.none() | ids.map(SessionId),
    VendId: ids.map(VendId),
    VendId | None: st.none() | ids.map(VendId),
    RequestId: ids.map(RequestId),
    Currency: st.just(Currency("HKD")),
    int: small,
    int | None: st.none() | small,
    str: st.text(max_size=64),
    bool: st.booleans(),
    tuple[Column, ...]: st.lists(columns, max_size=5).map(tuple),
    Mode: st.sampled_from(Mode),
    effects.TakenOverBy | None: st.none() | st.sampled_from(effects.TakenOverBy),
    DenyReason: st.sampled_from(DenyReason),
    EndReason: st.sampled_from(EndReason),
    CommandKind: st.sampled_from(CommandKind),
    effects.RejectCode: st.sampled_from(effects.RejectCode),
}


def commands(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any command of one kind."""
    tokens = st.from_regex(r"[0-9a-f]{0,32}", fullmatch=True)
    by_name = {"column": names, "command_id": ids, "resume_token": tokens}
    return st.builds(
        kind,
        **{
            each.name: spans
            if each.name.endswith("_ms")
            else by_name.get(each.name, BY_TYPE[each.type])
            for each in msgspec.structs.fields(kind)
        },
    )


PAYLOADS: dict[type[Any], str] = {
    effects.Welcome: "welcome",
    effects.UpdatePlanogram: "planogram_update",
    effects.UpdateService: "service_update",
    effects.BeginSession: "begin_session",
    effects.UpdateFunds: "funds_update",
    effects.ShowQr: "show_qr",
    effects.ApproveVend: "vend_approved",
    effects.DenyVend: "vend_denied",
    effects.EndSession: "end_session",
    effects.RejectFrame: "protocol_error",
    effects.SendCommand: "command",
}


@pytest.mark.parametrize("command_type", PAYLOADS)
@settings(PATIENT, max_examples=30)
@given(data=st.data())
def test_every_command_has_a_frame(command_type: type[Any], data: st.DataObject) -> None:
    """Each command becomes the payload of its name, and what both have in common is equal."""
    command = data.draw(commands(command_type))
    response = commanding.to_wire(command, limits=LIMITS, server_time_ms=5)
    response = ConnectResponse.FromString(response.SerializeToString())
    kind = PAYLOADS[type(command)]
    assert kind == response.WhichOneof("payload")
    message = getattr(response, kind)
    for each in command.__struct_fields__:
        if each.endswith("_ms") and each in message.DESCRIPTOR.fields_by_name:
            assert min(max(0, getattr(command, each)), 2**32 - 1) == getattr(message, each)
        elif each in message.DESCRIPTOR.fields_by_name and isinstance(
            getattr(command, each), int | str
        ):
            value = getattr(command, each)
            if isinstance(value, StrEnum):
                enum = message.DESCRIPTOR.fields_by_name[each].enum_type
                assert enum.values_by_number[getattr(message, each)].name.endswith(f"_{value}")
            else:
                assert value == getattr(message, each)


def test_every_kind_of_command_is_tried() -> None:
    """The table above knows all commands."""
    assert set(get_args(effects.MachineCommand)) == set(PAYLOADS)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (CommandKind.REBOOT, wire.Command(reboot=wire.Reboot())),
        (CommandKind.TEST_VEND, wire.Command(test_vend=wire.TestVend(column="A1"))),
        (CommandKind.REPORT, wire.Command(report=wire.Report())),
        (CommandKind.SHOW_IDENTITY, wire.Command(show_identity=wire.ShowIdentity(for_ms=7))),
        (
            CommandKind.LOCK_COLUMN,
            wire.Command(lock_column=wire.LockColumn(column="A1", locked=True)),
        ),
        (CommandKind.UNLOCK_COLUMN, wire.Command(lock_column=wire.LockColumn(column="A1"))),
    ],
)
def test_each_kind_of_order_has_its_own_words(kind: CommandKind, wanted: wire.Command) -> None:
    """What it does not need is left out."""
    command = effects.SendCommand(
        command_id="c1", kind=kind, column="A1", show_for_ms=7, valid_for_ms=1_000
    )
    wanted.command_id, wanted.valid_for_ms = "c1", 1_000
    assert wanted == commanding.to_wire(command, limits=LIMITS, server_time_ms=5).command


@given(spans, spans)
def test_move_request(not_before_ms: int, not_after_ms: int) -> None:
    """Times to move are never below zero and always fit the wire."""
    move = commanding.move_request(
        not_before_ms=not_before_ms, not_after_ms=not_after_ms
    ).move_request
    assert min(max(0, not_before_ms), 2**32 - 1) == move.not_before_ms
    assert min(max(0, not_after_ms), 2**32 - 1) == move.not_after_ms


def test_welcome_of_a_free_machine() -> None:
    """A free machine's Welcome names no session; an open one's does, with the vend."""
    free = effects.Welcome(
        session_id=None,
        funds_minor=0,
        vend_id=None,
        planogram_version=3,
        last_seq=9,
        currency=Currency("JPY"),
        qr_payload="q",
        mode=Mode.SELECTION_FIRST,
        in_service=False,
    )
    welcome = commanding.to_wire(free, limits=LIMITS, server_time_ms=77).welcome
    assert not welcome.HasField("session")
    assert (welcome.server_time_ms, welcome.heartbeat_interval_ms, welcome.mode) == (
        77,
        20_000,
        wire.MODE_SELECTION_FIRST,
    )
    busy = commanding.to_wire(
        effects.Welcome(
            session_id=SessionId("m1-s1"),
            funds_minor=500,
            vend_id=VendId("m1-v1"),
            planogram_version=3,
            last_seq=9,
            currency=Currency("JPY"),
            qr_payload="q",
            mode=Mode.BOTH,
            in_service=True,
        ),
        limits=LIMITS,
        server_time_ms=77,
    ).welcome.session
    assert ("m1-s1", 500, "m1-v1") == (busy.session_id, busy.funds_minor, busy.vend_id)


# --- names ---


@pytest.mark.parametrize(
    ("core", "names", "prefix"),
    [
        (Mode, wire.Mode.keys(), "MODE"),
        (events.JournalStage, wire.JournalStage.keys(), "JOURNAL_STAGE"),
        (DenyReason, wire.VendDeniedReason.keys(), "VEND_DENIED_REASON"),
        (EndReason, wire.EndSessionReason.keys(), "END_SESSION_REASON"),
    ],
)
def test_same_names(core: type[StrEnum], names: list[str], prefix: str) -> None:
    """Core and wire use the same names, all of them; UNKNOWN is what only we say."""
    own = {each for each in core if each != "UNKNOWN"}
    assert {f"{prefix}_{each}" for each in own} | {f"{prefix}_UNSPECIFIED"} == set(names)


def test_causes_have_names_in_the_core() -> None:
    """Each cause of the wire is one of the core; the core has its own, which no machine can
    report.
    """
    told = {
        name.removeprefix("VEND_FAILURE_CAUSE_") for name, _ in wire.VendFailureCause.items()
    } - {"UNSPECIFIED"}
    ours = {"INDETERMINATE", "UNSETTLED", "REVIEWED", "UNKNOWN", "CONTRADICTED"}
    assert ours == set(FailureCause) - told
    assert told <= set(FailureCause)


def test_reject_codes_are_protocol_errors() -> None:
    """The wire can say each refusal of the core."""
    assert {f"PROTOCOL_ERROR_CODE_{code}" for code in effects.RejectCode} <= set(
        wire.ProtocolErrorCode.keys()
    )


@pytest.mark.parametrize(
    ("machines", "range_ms"), [(1, 1_000), (1_000, 1_000), (5_000, 5_000), (90_000, 60_000)]
)
def test_the_more_are_connected_the_later_each_comes_back(machines: int, range_ms: int) -> None:
    """All lose their gateway at once: they come back at most a thousand a second, as long as nobody
    waits for longer than a minute.
    """
    limits = EdgeLimits()
    command = effects.Welcome(
        session_id=None,
        funds_minor=0,
        vend_id=None,
        planogram_version=3,
        last_seq=9,
        currency=Currency("JPY"),
        qr_payload="q",
        mode=Mode.SELECTION_FIRST,
        in_service=True,
    )
    told = commanding.to_wire(command, limits=limits, server_time_ms=5, machines=machines)
    assert range_ms == told.welcome.reconnect.initial_ms
    assert limits.reconnect_max_ms == told.welcome.reconnect.max_ms
