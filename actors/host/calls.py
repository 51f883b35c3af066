"""Calls to Alipay that are under way: bounded, and each made once.

Flows in: orders that are saved. Flows out: what became of each, as an event for the machine's
mailbox. A call that is ordered again while one about the same is under way (after a reload) is not
made; the other's answer serves both.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from actors.machine.effects import ProviderCall, subject
from actors.machine.events import Event
from actors.machine.ids import Currency, MachineId
from actors.ports import Place


class Performs(Protocol):
    """What a host needs of ``actors.performer.Performer``."""

    def perform(self, call: ProviderCall, place: Place, currency: Currency) -> Awaitable[Event]:
        """Make the call; whatever happens is an event."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """One call, and when it was ordered, in seconds of the loop's clock."""

    machine_id: MachineId
    call: ProviderCall
    place: Place
    currency: Currency
    ordered_at_s: float


class Calls:
    """``answered`` is given the machine, the call and the event of each call that ended, ``took``
    the call, the event and the seconds since it was ordered.
    """

    def __init__(
        self,
        performer: Performs,
        *,
        in_flight_max: int,
        answered: Callable[[MachineId, ProviderCall, Event], None],
        took: Callable[[ProviderCall, Event, float], None] = lambda _call, _event, _seconds: None,
    ) -> None:
        self._took = took
        self._performer = performer
        self._in_flight_max = in_flight_max
        self._answered = answered
        self._under_way: dict[tuple[MachineId, object], _Order] = {}
        self._machines: dict[MachineId, int] = {}
        self._waiting: deque[_Order] = deque()
        self._tasks: dict[asyncio.Task[None], _Order] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._under_way)

    def of(self, machine_id: MachineId) -> int:
        """Return how many calls of the machine are under way."""
        return self._machines.get(machine_id, 0)

    def start(
        self, machine_id: MachineId, call: ProviderCall, place: Place, currency: Currency
    ) -> None:
        """Make the call as soon as there is room, unless one about the same is under way
        already.
        """
        about = (machine_id, subject(call))
        if about in self._under_way:
            return
        order = _Order(machine_id, call, place, currency, asyncio.get_running_loop().time())
        self._under_way[about] = order
        self._machines[machine_id] = self._machines.get(machine_id, 0) + 1
        self._waiting.append(order)
        self._fill()

    def drop(self, machine_id: MachineId) -> None:
        """Abandon the machine's calls: the state owes them to whoever owns it next. None of them
        may be made from now on, because the next owner may be ordered otherwise.
        """
        if not self.of(machine_id):
            return
        self._waiting = deque(each for each in self._waiting if each.machine_id != machine_id)
        for order in [each for each in self._under_way.values() if each.machine_id == machine_id]:
            # At once: a task that has not begun never hears of its end, and the machine may come
            # back before one that has begun does.
            self._is_over(order)
        for task in [task for task, each in self._tasks.items() if each.machine_id == machine_id]:
            task.cancel()

    async def close(self) -> None:
        """Abandon what is under way: the state owes it, and it is made again under the same id
        after the next load.
        """
        self._closed = True
        self._waiting.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and len(self._tasks) < self._in_flight_max:
            order = self._waiting.popleft()
            task = asyncio.get_running_loop().create_task(self._make(order))
            self._tasks[task] = order
            task.add_done_callback(self._ended)

    async def _make(self, order: _Order) -> None:
        try:
            event = await self._performer.perform(order.call, order.place, order.currency)
        finally:
            self._is_over(order)
        took_s = asyncio.get_running_loop().time() - order.ordered_at_s
        self._took(order.call, event, took_s)
        self._answered(order.machine_id, order.call, event)

    def _is_over(self, order: _Order) -> None:
        about = (order.machine_id, subject(order.call))
        if self._under_way.get(about) is not order:
            return  # it was dropped
        del self._under_way[about]
        left = self._machines.pop(order.machine_id, 1) - 1
        if left:
            self._machines[order.machine_id] = left

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        if not task.cancelled():
            # A performer never raises; if it did, the event loop's exception handler would log it.
            task.result()
        if not self._closed:
            self._fill()
