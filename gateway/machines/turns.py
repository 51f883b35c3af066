"""Which streams wait until their machine's host may hear of them, and which do no longer.

Flows in: streams whose Hello is heard. Flows out: their turn, or why they end. A host takes the
Hello that comes to it last for the newest. So whoever says Hello again does not wait beside an
older one of its own: that would take over from it, with a journal from before what happened since.
"""

from collections.abc import Callable

from actors.machine.ids import MachineId
from gateway.links.batched_link import BatchedLink
from gateway.machines import commanding
from gateway.machines.admission import Admission
from gateway.machines.stream import Stream
from gateway.machines.translate import Greeting
from gateway.rpc import statuses
from gateway.rpc.limits import EdgeLimits


class Turns:
    """Of one gateway. ``spread`` returns a random time of at most so many milliseconds."""

    def __init__(
        self, admission: Admission, *, limits: EdgeLimits, spread: Callable[[int], int]
    ) -> None:
        self._admission = admission
        self._limits = limits
        self._spread = spread
        # Of each machine whose Hello waits, the stream of its last one.
        self._waiting: dict[MachineId, Stream] = {}
        # Over which link those went that are not welcome yet.
        self._admitted_over: dict[Stream, int] = {}

    @property
    def waiting(self) -> int:
        """How many Hellos wait for their turn."""
        return self._admission.waiting

    async def of(self, stream: Stream, greeting: Greeting, link: BatchedLink) -> None:
        """Return once the machine's host should hear of it, or the stream ends. What a host that is
        away would be told waits in its link. It is ``over`` in any case.
        """
        machine_id = greeting.machine_id
        older = self._waiting.get(machine_id)
        if older is not None:
            older.end(statuses.SUPERSEDED.about(machine_id=machine_id))
        self._waiting[machine_id] = stream
        try:
            if link.attached:
                await self._comes(stream, greeting, link.host)
        finally:
            if self._waiting.get(machine_id) is stream:
                del self._waiting[machine_id]

    async def _comes(self, stream: Stream, greeting: Greeting, host: int) -> None:
        journalled = bool(greeting.journal)
        if await self._admission.turn(host, greeting.machine_id, urgent=journalled):
            self._admitted_over[stream] = host
        else:
            spread_ms = commanding.comeback_ms(self._limits, self._admission.waiting)
            stream.end(statuses.TOO_MANY_AT_ONCE.retry_after(self._spread(spread_ms)))

    def over(self, stream: Stream) -> None:
        """It is welcome, or gone."""
        host = self._admitted_over.pop(stream, None)
        if host is not None:
            self._admission.over(host)
