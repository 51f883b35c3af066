"""The body of a machine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.simulator.commands import Restart, Tell
from gateway.simulator.happenings import NotNow, PowerLost, TurnedAway
from gateway.simulator.screen import Show
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.simulator.scripted import LoopbackMachine
from tests.support.patience import HANGS_AFTER_S, until

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def machine(tmp_path: Path) -> LoopbackMachine:
    """A machine that can sell."""
    made = LoopbackMachine(tmp_path)
    await until(lambda: made.free and bool(made.machine and made.machine.columns))
    return made


@pytest.fixture(autouse=True)
def _switched_off(machine: LoopbackMachine) -> Iterator[None]:
    """Close the files at the end."""
    yield
    machine.stop()


async def test_without_power_no_button_works(machine: LoopbackMachine) -> None:
    """A dark machine says nothing and does nothing; with power it is a new boot."""
    before = machine.boots
    with machine.watch() as watch:
        machine.power_cut()
        machine.power_cut()
        machine.select("A1")
        assert not machine.cash("A1")
        assert PowerLost() == await watch.until(within_s=HANGS_AFTER_S)
        assert TurnedAway(reason=NotNow.NO_POWER) == await watch.until(within_s=HANGS_AFTER_S)
    assert machine.screen.show is Show.DARK
    machine.power_on()
    machine.power_on()
    await until(lambda: machine.free)
    assert before + 1 == machine.boots


async def test_cash_is_sold_without_asking(machine: LoopbackMachine) -> None:
    """Coins buy goods; a jam or an empty column gives them back."""
    assert machine.cash("A1")
    machine.jam("A1")
    assert not machine.cash("A1")
    machine.repair("A1")
    assert machine.cash("A1")
    machine.shelf.load("A2", -machine.shelf.stock["A2"])
    assert not machine.cash("A2")
    assert not machine.cash("Z9")
    await until(lambda: machine.backend.last_seq == 3)
    assert 2 == machine.shelf.drops["cash"]


async def test_an_open_door_outlives_a_power_cut(machine: LoopbackMachine) -> None:
    """The next boot says ReaderDisable first."""
    machine.door(is_open=True)
    machine.power_cut()
    machine.door(is_open=True)
    machine.power_on()
    await until(
        lambda: (
            machine.backend.boot_id == (machine.machine.boot_id if machine.machine else "")
            and machine.backend.last_seq == 1
        )
    )

    assert "door open" == machine.backend.frames[-1].reader_disable.reason


async def test_an_empty_column_is_loaded_when_the_machine_refills(
    tmp_path: Path, machine: LoopbackMachine
) -> None:
    """With refills somebody was always just there."""
    machine._refills = True
    machine.shelf.load("A1", -machine.shelf.stock["A1"])
    await machine.backend.pay(
        qr_payload=machine.sticker, amount_minor=500, currency="HKD", buyer="alice"
    )
    await until(lambda: machine.machine is not None and machine.machine.session is not None)
    machine.select("A1")
    await until(lambda: machine.backend.sold_minor == 500)

    assert 9 == machine.shelf.stock["A1"]


async def test_a_restart_is_a_new_boot(machine: LoopbackMachine) -> None:
    """What waited is gone with the old boot."""
    before = machine.machine
    machine._do([Restart("why"), Tell(PowerLost())])

    assert machine.machine is not before


async def _turning(machine: LoopbackMachine) -> None:
    """Let a customer buy something whose motor turns for a while."""
    machine._motor_ms = 5_000
    await machine.backend.pay(
        qr_payload=machine.sticker, amount_minor=500, currency="HKD", buyer="alice"
    )
    await until(lambda: machine.machine is not None and machine.machine.session is not None)
    machine.select("A1")
    await until(lambda: machine._motor is not None)


async def test_a_restart_waits_until_the_motor_is_at_rest(machine: LoopbackMachine) -> None:
    """What fell is written down by the old boot, which says nothing more; the next one's Hello
    tells it.
    """
    await _turning(machine)
    before = machine.machine
    machine._do([Restart("why"), Tell(PowerLost())])
    machine.door(is_open=True)
    machine.select("A1")
    assert machine.machine is before
    await until(lambda: machine.machine is not before)
    await until(lambda: machine.backend.sold_minor == 500)

    assert not any(frame.HasField("vend_success") for frame in machine.backend.frames)
    assert [1] == list(machine.shelf.turns.values())


async def test_a_boot_that_is_to_restart_obeys_nothing_more(machine: LoopbackMachine) -> None:
    """Not even a frame that came behind the one that ended it; a power cut ends it as well."""
    await _turning(machine)
    machine._do([Restart("why")])
    away = pb.ServiceUpdate(in_service=False, mode=pb.MODE_BOTH)
    machine._take_in(service_pb.ConnectResponse(seq=99, service_update=away))
    assert machine.machine is not None
    assert machine.machine.service.in_service
    boots = machine.boots
    machine.power_cut()
    machine.power_on()
    await until(lambda: machine.machine is not None and machine.machine.online)

    assert boots + 1 == machine.boots
    assert [1] == list(machine.shelf.turns.values())
