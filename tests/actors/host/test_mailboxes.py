"""The order in which mailboxes are read, and their bounds."""

from collections.abc import Callable

from actors.host.life import Life
from actors.host.mailboxes import Mailboxes
from actors.host.runner import Core, Letter, Runner
from actors.machine.events import CashSold, FrameReceived, StockCounted
from actors.machine.ids import Currency, MachineId, StreamId
from actors.machine.policy import Policy
from actors.machine.state import MachineState
from tests.support.loaded import as_loaded


def mailboxes(
    *,
    per_machine_max: int = 10,
    letters_max: int = 100,
    time_s: Callable[[], float] = lambda: 0.0,
    waited: Callable[[float], None] = lambda _: None,
) -> Mailboxes:
    """Mailboxes without a letter."""
    return Mailboxes(
        core=Core(),
        policy=Policy(),
        per_machine_max=per_machine_max,
        letters_max=letters_max,
        time_s=time_s,
        waited=waited,
    )


def loaded(room: Mailboxes, machine_id: str) -> Runner:
    """A machine that can take turns."""
    runner = room.runner(MachineId(machine_id))
    if runner.life is Life.UNLOADED:
        runner.read()
    state = MachineState(machine_id=MachineId(machine_id), currency=Currency("HKD"))
    runner.adopt(as_loaded(state))
    return runner


def letter(number: int) -> Letter:
    """A letter that can be told from others."""
    return Letter(event=StockCounted(column="A1", stock=number))


def numbers(batch: list[tuple[Runner, list[Letter]]]) -> list[tuple[str, list[int]]]:
    """Return whose letters are in a batch."""
    return [
        (
            runner.machine_id,
            [one.event.stock for one in letters if isinstance(one.event, StockCounted)],
        )
        for runner, letters in batch
    ]


def test_machines_are_read_in_turn_and_each_in_order() -> None:
    """Nobody's many letters keep the others waiting."""
    room = mailboxes()
    one, two = loaded(room, "VM-1"), loaded(room, "VM-2")
    for number in range(5):
        room.post(one, letter(number))
    room.post(two, letter(9))

    assert [("VM-1", [0, 1]), ("VM-2", [9])] == numbers(room.take(10, 2))
    assert [("VM-1", [2, 3])] == numbers(room.take(10, 2))
    assert [("VM-1", [4])] == numbers(room.take(10, 2))
    assert ([], 0, False) == (room.take(10, 2), room.size, room.has_work)


def test_a_batch_is_bounded() -> None:
    """What does not fit stays where it is."""
    room = mailboxes()
    one, two = loaded(room, "VM-1"), loaded(room, "VM-2")
    for number in range(3):
        room.post(one, letter(number))
        room.post(two, letter(number))

    assert [("VM-1", [0, 1, 2]), ("VM-2", [0])] == numbers(room.take(4, 10))
    assert 2 == room.size


def test_letters_that_are_put_back_come_first() -> None:
    """A batch that was not saved is read again in its order, before what came meanwhile."""
    room = mailboxes()
    one = loaded(room, "VM-1")
    for number in range(3):
        room.post(one, letter(number))
    [(_, letters)] = room.take(2, 10)
    room.post(one, letter(3))
    room.put_back(one, letters)

    assert [("VM-1", [0, 1, 2, 3])] == numbers(room.take(10, 10))


def test_an_isolated_machine_gets_its_own_batch() -> None:
    """Neither those before it nor those after it are in it."""
    room = mailboxes()
    for name in ("VM-1", "VM-2", "VM-3"):
        room.post(loaded(room, name), letter(1))
    room.runners[MachineId("VM-2")].isolated = True

    assert [
        [("VM-1", [1])],
        [("VM-2", [1])],
        [("VM-3", [1])],
    ] == [numbers(room.take(10, 10)) for _ in range(3)]


def test_a_machine_that_is_not_loaded_waits_in_the_other_line() -> None:
    """It keeps its place until it is loaded; letters that come meanwhile wait with the others."""
    room = mailboxes()
    runner = room.runner(MachineId("VM-1"))
    room.post(runner, letter(1))
    assert (True, False) == (room.has_unloaded, room.has_work)
    assert room.next_unloaded() is runner
    runner.read()
    room.post(runner, letter(2))
    assert not room.has_unloaded
    loaded(room, "VM-1")
    room.queue(runner)

    assert [("VM-1", [1, 2])] == numbers(room.take(10, 10))


def test_a_machine_that_was_dropped_while_it_stood_in_the_queue_is_loaded_first() -> None:
    """Its batch was not saved and its later letters wait."""
    room = mailboxes()
    runner = loaded(room, "VM-1")
    room.post(runner, letter(1))
    runner.forget()

    assert [] == room.take(10, 10)
    assert room.has_unloaded


def test_a_halted_machine_is_not_read() -> None:
    """Neither as one that is ready nor as one that must be loaded."""
    room = mailboxes()
    runner = room.runner(MachineId("VM-1"))
    runner.halt("a defect")
    room.post(runner, letter(1))

    assert (False, False) == (room.has_unloaded, room.has_work)


def test_rooms_are_bounded() -> None:
    """Each machine's, and all together."""
    room = mailboxes(per_machine_max=2, letters_max=3)
    one, two = loaded(room, "VM-1"), loaded(room, "VM-2")
    room.post(
        one,
        Letter(
            event=FrameReceived(
                stream_id=StreamId("s"), seq=1, fact=CashSold(column="A1", price_minor=1)
            )
        ),
    )
    assert room.has_room(one.machine_id)
    room.post(one, letter(2))
    assert not room.has_room(one.machine_id)
    assert room.has_room(two.machine_id)
    room.post(two, letter(3))
    assert not room.has_room(two.machine_id)
    assert not room.has_room(MachineId("VM-9"))
    assert 2 == len(room.empty(one))
    assert room.has_room(two.machine_id)


def test_the_wait_of_a_machine_s_first_letter_is_told() -> None:
    """Of what a batch left behind from then on; of what came back from a COMMIT that failed since
    it came first.
    """
    now, waited = [10.0], list[float]()
    room = mailboxes(time_s=lambda: now[0], waited=waited.append)
    runner = loaded(room, "VM-1")
    for number in range(3):
        room.post(runner, letter(number))
    now[0] = 12.0
    (_, letters), *_ = room.take(2, 10)
    now[0] = 15.0
    room.put_back(runner, letters)
    room.take(10, 10)

    assert [2.0, 3.0] == waited
