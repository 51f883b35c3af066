"""One machine's turn, and the request that is turned away."""

import dataclasses

import pytest

from actors.host.attachment import Attachment
from actors.host.runner import Core, Letter, Route, Runner
from actors.machine.decision import Decision
from actors.machine.events import (
    CashSold,
    ConfigurationChanged,
    Connected,
    FrameReceived,
    StockCounted,
    TimePassed,
    VendRequested,
    VendTurnedAway,
)
from actors.machine.ids import BootId, Currency, MachineId, RequestId, StreamId
from actors.machine.invariants import InvariantBroken
from actors.machine.policy import Policy, PolicyOverrides
from actors.machine.state import Column, Configuration, DenyReason, Link, MachineState
from actors.machine.values import replace
from actors.ports import LoadedMachine
from tests.support.loaded import as_loaded

STATE = MachineState(
    machine_id=MachineId("VM-1"),
    currency=Currency("HKD"),
    columns=(Column(column="A1", product="Water", price_minor=500, capacity=10, stock=1),),
    link=Link(online=True, stream_id=StreamId("s-1"), boot_id=BootId("b-1"), last_seq=4),
)


def runner(core: Core | None = None, state: MachineState = STATE) -> Runner:
    """A machine that was loaded."""
    found = Runner(machine_id=MachineId("VM-1"), core=core or Core(), fleet_policy=Policy())
    found.adopt(as_loaded(state))
    return found


def read_of(revision: int) -> LoadedMachine:
    """What a read finds of the machine when its configuration is this one."""
    configuration = ConfigurationChanged(configuration=Configuration(revision=revision))
    found = as_loaded(STATE)
    place = dataclasses.replace(found.place, notify_url=f"u{revision}")
    return dataclasses.replace(found, configuration=configuration, place=place)


def test_an_older_read_that_ends_later_tells_a_machine_nothing() -> None:
    """Two sweeps read the registry while somebody changes it."""
    found = Runner(machine_id=MachineId("VM-1"), core=Core(), fleet_policy=Policy())
    found.adopt(read_of(1))
    assert found.hears_of(read_of(3))
    assert not found.hears_of(read_of(2))
    assert found.hears_of(read_of(3))
    assert found.place == read_of(3).place


def request(seq: int, stream: str = "s-1") -> Letter:
    """The machine asks for goods."""
    fact = VendRequested(
        request_id=RequestId("r-1"), column="A1", price_minor=500, planogram_version=0
    )
    return Letter(event=FrameReceived(stream_id=StreamId(stream), seq=seq, fact=fact))


def test_what_is_loaded_is_checked_as_a_whole_at_its_first_turn() -> None:
    """Whatever the turn is about: later ones look at what they change only. What is loaded again
    is checked again.
    """
    full = replace(STATE.columns[0], column="A2", stock=11)
    found = runner(state=replace(STATE, columns=(*STATE.columns, full)))
    counted = Letter(event=StockCounted(column="A1", stock=7))
    with pytest.raises(InvariantBroken, match="A2 holds 11 of 10"):
        found.turn(counted, 1_000)

    looked: list[MachineState] = []
    found = runner(Core(check_state=looked.append))
    for _ in range(3):
        found.turn(counted, 1_000)
    assert 1 == len(looked)
    found.forget()
    found.adopt(as_loaded(STATE))
    found.turn(counted, 1_000)
    assert 2 == len(looked)


def test_a_turn_moves_the_working_state_and_not_the_saved_one() -> None:
    """The saved state follows once the batch is saved."""
    found = runner()
    turn = found.turn(Letter(event=StockCounted(column="A1", stock=7)), 1_000)

    assert turn is not None
    assert turn.to_save
    assert found.state is turn.decision.state
    assert found.saved is STATE
    assert 7 == turn.change().decision.state.columns[0].stock


def test_a_timer_whose_deadline_moved_decides_nothing() -> None:
    """TimePassed is said only when a deadline has come."""
    moved = Core(next_deadline=lambda *_: 2_000)

    assert runner(moved).turn(Letter(event=TimePassed()), 1_000) is None
    assert runner(moved).turn(Letter(event=TimePassed()), 2_000) is not None


def test_a_broken_invariant_is_raised_and_the_state_stays() -> None:
    """Who turned the runner halts it."""

    def twice(state: MachineState, *_: object) -> Decision:
        return Decision(state=replace(state, version=state.version + 2))

    found = runner(Core(decide=twice))
    with pytest.raises(InvariantBroken):
        found.turn(Letter(event=StockCounted(column="A1", stock=7)), 1_000)
    assert found.state is STATE


def test_the_machines_own_limits_are_applied() -> None:
    """Overrides of its configuration stand above the fleet's policy."""
    own = replace(STATE, configuration=Configuration(overrides=PolicyOverrides(idle_refund_ms=1)))

    assert 1 == runner(state=own).policy.idle_refund_ms
    assert runner().policy == Policy()


def test_only_a_new_request_is_turned_away() -> None:
    """Its number stays; other frames and repetitions wait for the store."""
    found = runner()
    away = found.turned_away(request(5))

    assert away is not None
    assert away.event == FrameReceived(
        stream_id=StreamId("s-1"),
        seq=5,
        fact=VendTurnedAway(request_id=RequestId("r-1"), reason=DenyReason.BACKEND_UNAVAILABLE),
    )
    assert found.turned_away(request(4)) is None
    cash = FrameReceived(
        stream_id=StreamId("s-1"), seq=5, fact=CashSold(column="A1", price_minor=500)
    )
    assert found.turned_away(Letter(event=cash)) is None


def test_a_repetition_is_known_on_a_new_stream_of_the_same_boot() -> None:
    """The stream's Hello waits in the mailbox, and says which boot it is of."""
    found = runner()
    found.forget()
    attachment = Attachment(name="a/1", gateway_id="gw-1", messages_max=1, now_s=0.0)
    for stream, boot in (("s-2", "b-1"), ("s-3", "b-2")):
        connected = Connected(stream_id=StreamId(stream), opened_at_ms=1, boot_id=BootId(boot))
        found.routes[StreamId(stream)] = Route(attachment=attachment, connected=connected)

    assert found.turned_away(request(4, "s-2")) is None
    assert found.turned_away(request(4, "s-3")) is not None
    assert found.turned_away(request(4, "s-9")) is not None


def test_a_machine_that_was_never_loaded_knows_no_repetition() -> None:
    """Its customer is denied rather than left waiting."""
    found = Runner(machine_id=MachineId("VM-1"), core=Core(), fleet_policy=Policy())

    assert found.turned_away(request(1)) is not None
