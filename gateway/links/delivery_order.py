"""What a host says, in its order, although answers and pushes come on two ways.

Flows in: deliveries as they arrive, each with the batch that it answers. Flows out: those whose
turn it is, by their numbers.
"""

from collections.abc import Sequence

from actors.link import Delivery, ToHost


class DeliveryOrder:
    """The deliveries of one attachment: what comes too early waits for what is before it."""

    __slots__ = ("_early", "expected")

    def __init__(self) -> None:
        self.expected = 1
        """The number of the delivery that is handed on next."""
        self._early: dict[int, tuple[Delivery, Sequence[ToHost]]] = {}

    @property
    def waiting(self) -> bool:
        """Whether something came too early."""
        return bool(self._early)

    def take(
        self, delivery: Delivery, batch: Sequence[ToHost]
    ) -> list[tuple[Delivery, Sequence[ToHost]]]:
        """Return what may be handed on now, in order, each with the batch that it answers."""
        self._early[delivery.number] = (delivery, batch)
        ready = []
        while self.expected in self._early:
            ready.append(self._early.pop(self.expected))
            self.expected += 1
        return ready
