"""A host on a stage: in-memory store, Alipay that answers what the test says, one gateway that
keeps all it is told.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from actors.host.host import Host
from actors.host.runner import Core
from actors.host.services import HostLimits, HostServices
from actors.link import (
    AdminEvent,
    CommandDone,
    Commanded,
    Delivery,
    FromHost,
    FromMachine,
    LinkBroken,
    Notified,
    Reload,
    StreamClosed,
    ToHost,
    ToMachine,
)
from actors.machine.code import Says
from actors.machine.effects import (
    ChangeCodeStatus,
    CreateCode,
    DeleteCode,
    DenyVend,
    MachineCommand,
    ModifyCode,
    ProviderCall,
    QueryRefund,
    SendRefund,
)
from actors.machine.events import (
    CodeCreated,
    CodeDeleted,
    CodeModified,
    CodeStatusChanged,
    Connected,
    Disconnected,
    Event,
    FrameReceived,
    MachineFact,
    RefundSucceeded,
    TopUpPaid,
    VendRequested,
    VendTurnedAway,
)
from actors.machine.ids import BootId, Currency, MachineId, RequestId, StreamId, TradeId
from actors.machine.offer import Offered
from actors.machine.policy import Policy
from actors.machine.state import Column, DenyReason
from actors.ports import InboxItem, Place
from actors.spans import Tell
from tests.support.memory_store import MemoryStore
from tests.support.virtual_time import LoopClock

COLUMNS = (Column(column="A1", product="Water", price_minor=500, capacity=10, stock=10),)


def answer_well(call: ProviderCall) -> Event:
    """Alipay on a good day."""
    match call:
        case SendRefund() | QueryRefund():
            return RefundSucceeded(refund_id=call.refund_id)
        case CreateCode():
            return CodeCreated(qr_payload="https://qr.alipay.com/test")
        case ChangeCodeStatus():
            return CodeStatusChanged(status=call.status)
        case ModifyCode():
            return CodeModified(says=Says())
        case DeleteCode():
            return CodeDeleted()


class Provider:
    """Stands in for the performer. ``gate`` holds answers back."""

    def __init__(self) -> None:
        self.calls: list[tuple[MachineId, ProviderCall]] = []
        self.places: list[Place] = []
        self.answer: Callable[[ProviderCall], Event] = answer_well
        self.gate: asyncio.Event | None = None

    async def perform(self, call: ProviderCall, place: Place, currency: Currency) -> Event:
        """Note the call and answer it."""
        self.calls.append((place.machine_id, call))
        self.places.append(place)
        if self.gate is not None:
            await self.gate.wait()
        event = self.answer(call)
        if isinstance(event, CodeModified) and place.says is not None:
            return CodeModified(says=place.says)
        return event

    def of(self, kind: type[ProviderCall]) -> list[ProviderCall]:
        """Return the calls of one kind."""
        return [call for _, call in self.calls if isinstance(call, kind)]


@dataclass(eq=False)
class Gateway:
    """One gateway: gives messages, keeps deliveries. ``stage.host`` may be replaced under it."""

    stage: "Stage"
    gateway_id: str = "gw-1"
    attachment: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    broken: str = ""
    seqs: dict[StreamId, int] = field(default_factory=dict)

    async def attach(self) -> None:
        """Open the link, again if need be."""
        self.attachment = await self.stage.host.attach(self.gateway_id)
        self.broken = ""

    async def give(self, *messages: ToHost) -> list[FromHost]:
        """Give the host a batch and return what comes back with it."""
        delivery = await self.stage.host.exchange(self.attachment, messages)
        self.deliveries.append(delivery)
        return list(delivery.messages)

    async def hear(self) -> list[FromHost]:
        """Return what a listen brings."""
        delivery = await self.stage.host.listen(self.attachment)
        self.deliveries.append(delivery)
        return list(delivery.messages)

    async def keep_listening(self) -> None:
        """Listen until the link breaks."""
        try:
            while True:
                await self.hear()
        except LinkBroken as error:
            self.broken = str(error)

    @property
    def heard(self) -> list[FromHost]:
        """Return everything, in the order of its numbers."""
        return [
            message
            for delivery in sorted(self.deliveries, key=lambda delivery: delivery.number)
            for message in delivery.messages
        ]

    def commands(self, machine_id: str = "VM-1") -> list[MachineCommand]:
        """Return all commands that a machine was told."""
        return [
            command
            for message in self.heard
            if isinstance(message, ToMachine) and message.machine_id == machine_id
            for command in message.commands
        ]

    # --- messages ---

    def hello(
        self,
        machine_id: str = "VM-1",
        *,
        stream: str = "",
        boot: str = "boot-1",
        planogram_version: int = 1,
    ) -> FromMachine:
        """A stream of the machine said Hello."""
        stream_id = StreamId(stream or f"{machine_id}-stream")
        self.seqs.setdefault(stream_id, 0)
        event = Connected(
            stream_id=stream_id,
            opened_at_ms=self.stage.clock.now_ms(),
            boot_id=BootId(boot),
            planogram_version=planogram_version,
        )
        return FromMachine(machine_id=MachineId(machine_id), event=event)

    def frame(
        self,
        fact: MachineFact,
        machine_id: str = "VM-1",
        *,
        stream: str = "",
        seq: int | None = None,
    ) -> FromMachine:
        """The machine's next frame, or the one that ``seq`` says."""
        stream_id = StreamId(stream or f"{machine_id}-stream")
        if seq is None:
            seq = self.seqs[stream_id] = self.seqs.get(stream_id, 0) + 1
        return FromMachine(
            machine_id=MachineId(machine_id),
            event=FrameReceived(stream_id=stream_id, seq=seq, fact=fact),
        )

    def bye(self, machine_id: str = "VM-1", *, stream: str = "") -> FromMachine:
        """The stream is gone."""
        return FromMachine(
            machine_id=MachineId(machine_id),
            event=Disconnected(stream_id=StreamId(stream or f"{machine_id}-stream")),
        )

    def command(
        self, event: AdminEvent | Reload, machine_id: str = "VM-1", *, command_id: str = "c-1"
    ) -> Commanded:
        """An administrator's act."""
        return Commanded(machine_id=MachineId(machine_id), command_id=command_id, event=event)

    def paid(self, trade: str, amount_minor: int = 1_000, machine_id: str = "VM-1") -> Notified:
        """A payment: its notification is saved, and this is the wake-up."""
        return Notified(item=self.stage.pays(trade, amount_minor, machine_id))


class Stage:
    """``start`` builds a host on the store that is there; it may be called again for the next host
    of the same name.
    """

    def __init__(
        self,
        *,
        limits: HostLimits | None = None,
        core: Core | None = None,
        policy: Policy | None = None,
        partitions: Sequence[int] | None = None,
    ) -> None:
        self.store = MemoryStore()
        self.provider = Provider()
        self.clock = LoopClock()
        self.ahead_ms: int | None = None
        """By how much that clock is ahead of Alipay's, as far as is known."""
        self.asked_time: list[int] = []
        """How many partitions had an owner, each time that Alipay was asked for the time."""
        self.tell: Tell | None = None
        """Takes what the next host tells of purchases."""
        self.limits = limits
        self.core = core
        self.policy = policy or Policy()
        self.partitions = range(self.store.partition_count) if partitions is None else partitions
        self.fatal: list[str] = []
        self.host: Host = self.new_host()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.gateway = Gateway(stage=self)

    def new_host(self) -> Host:
        """Return a host that has not started."""

        async def close() -> None:
            return

        async def ask_time() -> None:
            self.asked_time.append(len(self.store.epochs))

        services = HostServices(
            store=self.store,
            leases=self.store,
            performer=self.provider,
            clock=self.clock,
            policy=self.policy,
            partition_count=self.store.partition_count,
            ahead_ms=lambda: self.ahead_ms,
            ask_time=ask_time,
            tell=self.tell,
            close=close,
        )
        return Host(
            name="host-0",
            services=services,
            partitions=self.partitions,
            limits=self.limits,
            core=self.core,
            rng=random.Random(len(self.store.epochs) + len(self.fatal)),
            on_fatal=self.fatal.append,
            home="stage",
        )

    async def start(self, *machines: str) -> None:
        """Register machines, start the host and attach the gateway."""
        for machine_id in machines:
            self.store.register(machine_id, columns=COLUMNS)
        await self._start_host()
        await self.gateway.attach()

    async def restart(self) -> None:
        """A new process: the old host is simply gone."""
        old = self._tasks
        self.host = self.new_host()
        await self._start_host()
        for task in old:
            task.cancel()
        await asyncio.gather(*old, return_exceptions=True)
        await self.gateway.attach()

    async def _start_host(self) -> None:
        others = asyncio.all_tasks()
        await self.host.start()
        self._tasks = asyncio.all_tasks() - others

    def pays(
        self,
        trade: str,
        amount_minor: int = 1_000,
        machine_id: str = "VM-1",
        offers: tuple[Offered, ...] = (),
    ) -> InboxItem:
        """A customer paid and the notification is saved; nobody was woken."""
        now_ms = self.clock.now_ms()
        event = TopUpPaid(
            trade_id=TradeId(trade),
            partner_trans_id=f"out-{trade}",
            amount_minor=amount_minor,
            currency=Currency("HKD"),
            paid_at_ms=now_ms,
            payer_id="payer-1",
            offers=offers,
        )
        return self.store.notify(machine_id, event, received_at_ms=now_ms)


def request(request_id: str = "r-1", column: str = "A1", price_minor: int = 500) -> VendRequested:
    """The customer chose."""
    return VendRequested(
        request_id=RequestId(request_id),
        column=column,
        price_minor=price_minor,
        planogram_version=1,
    )


def acks(messages: list[FromHost]) -> list[int | None]:
    """Return the acknowledgements, in order."""
    return [message.ack for message in messages if isinstance(message, ToMachine)]


def closings(messages: list[FromHost]) -> list[tuple[str, str]]:
    """Return the streams that were closed, each with its reason."""
    return [
        (message.stream_id, message.reason)
        for message in messages
        if isinstance(message, StreamClosed)
    ]


def denials(stage: Stage) -> list[tuple[DenyReason, int]]:
    """Return the denials that VM-1 was sent: why, and the funds that it may show."""
    return [
        (command.reason, command.funds_minor)
        for command in stage.gateway.commands()
        if isinstance(command, DenyVend)
    ]


def vends_saved(stage: Stage) -> list[str]:
    """Return what became of each vend request of VM-1, as saved."""
    facts = [event.fact for event in stage.store.events("VM-1") if isinstance(event, FrameReceived)]
    return [
        type(fact).__name__ for fact in facts if isinstance(fact, VendRequested | VendTurnedAway)
    ]


def answers(messages: list[FromHost]) -> dict[str, str]:
    """Return each command's refusal, empty if it was done."""
    return {
        message.command_id: message.refusal
        for message in messages
        if isinstance(message, CommandDone)
    }
