"""All mailboxes of a host and the order in which they are read.

Flows in: letters. Flows out: batches of them, machine by machine in turn; letters of one machine
stay in the order in which they came. ``has_room`` bounds what may be refused. Letters that must not
be lost (answers to our own calls, timers, the end of a stream) are always taken: there are only as
many as there are calls, deadlines and streams.
"""

from collections import deque
from collections.abc import Callable, Sequence

from actors.host.life import READING
from actors.host.runner import Core, Letter, Runner
from actors.machine.ids import MachineId
from actors.machine.policy import Policy


def needs_place(runner: Runner) -> bool:
    """Return whether the machine must stand in line: it has mail, stands nowhere and may decide."""
    return (
        bool(runner.mailbox)
        and not runner.in_line
        and not runner.halted
        and runner.life not in READING
    )


class Mailboxes:
    """The runners of a host, and which of them have mail. ``waited`` is told of each machine that
    gets a turn how many seconds, by ``time_s``, its first letter stood in its mailbox.
    """

    def __init__(
        self,
        *,
        core: Core,
        policy: Policy,
        per_machine_max: int,
        letters_max: int,
        time_s: Callable[[], float],
        waited: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._time_s = time_s
        self._waited = waited
        self.runners: dict[MachineId, Runner] = {}
        self.size = 0
        self._core = core
        self._policy = policy
        self._per_machine_max = per_machine_max
        self._letters_max = letters_max
        self._ready: deque[Runner] = deque()
        self._unloaded: deque[Runner] = deque()

    @property
    def has_work(self) -> bool:
        """Whether some machine has mail and can take a turn."""
        return bool(self._ready)

    @property
    def has_unloaded(self) -> bool:
        """Whether some machine has mail and must be loaded first."""
        return bool(self._unloaded)

    def runner(self, machine_id: MachineId) -> Runner:
        """Return the machine's runner, a new one if there is none."""
        runner = self.runners.get(machine_id)
        if runner is None:
            runner = self.runners[machine_id] = Runner(
                machine_id=machine_id, core=self._core, fleet_policy=self._policy
            )
        return runner

    def has_room(self, machine_id: MachineId) -> bool:
        """Return whether there is room for one more letter that may be refused."""
        runner = self.runners.get(machine_id)
        return self.size < self._letters_max and (
            runner is None or len(runner.mailbox) < self._per_machine_max
        )

    def post(self, runner: Runner, letter: Letter, now_s: float | None = None) -> None:
        """Put a letter at the end of the machine's mailbox. ``now_s``: for who has the time."""
        if not runner.mailbox:
            runner.waits_since_s = self._time_s() if now_s is None else now_s
        runner.mailbox.append(letter)
        self.size += 1
        self.queue(runner)

    def put_back(self, runner: Runner, letters: Sequence[Letter]) -> None:
        """Put letters at the front of the machine's mailbox, in their order."""
        runner.mailbox.extendleft(reversed(letters))
        self.size += len(letters)
        self.queue(runner)

    def queue(self, runner: Runner) -> None:
        """Give the machine a place in line if it has mail and needs one. One that is being read has
        none until ``queue`` is called again.
        """
        if not needs_place(runner):
            return
        runner.in_line = True
        (self._ready if runner.loaded else self._unloaded).append(runner)

    def next_unloaded(self) -> Runner:
        """Take the next machine that must be loaded out of its line."""
        runner = self._unloaded.popleft()
        runner.in_line = False
        return runner

    def take(self, limit: int, per_machine: int) -> list[tuple[Runner, list[Letter]]]:
        """Take up to ``limit`` letters, at most ``per_machine`` of one machine. An isolated machine
        gets a batch of its own.
        """
        batch: list[tuple[Runner, list[Letter]]] = []
        taken, now_s = 0, self._time_s()
        for _ in range(len(self._ready)):
            if taken >= limit or (batch and self._ready[0].isolated):
                break
            runner = self._ready.popleft()
            runner.in_line = False
            if runner.loaded and runner.reload_wanted:
                # Batches are taken while nothing is being saved, so nothing is lost.
                runner.forget()
            if not runner.loaded:
                self.queue(runner)
                continue
            mailbox = runner.mailbox
            letters = [
                mailbox.popleft() for _ in range(min(len(mailbox), per_machine, limit - taken))
            ]
            taken += len(letters)
            if letters:
                batch.append((runner, letters))
                self._waited(now_s - runner.waits_since_s)
                runner.waits_since_s = now_s
            self.queue(runner)
            if runner.isolated:
                break
        self.size -= taken
        return batch

    def empty(self, runner: Runner) -> list[Letter]:
        """Take all letters of one machine out; its place in line stays and finds nothing."""
        letters = list(runner.mailbox)
        runner.mailbox.clear()
        self.size -= len(letters)
        return letters

    def drop(self, runner: Runner) -> None:
        """Forget the machine altogether."""
        self.runners.pop(runner.machine_id, None)
