"""Thousands of machines in one process, and the gateways' way to them.

Flows in: batches from gateways. Flows out: deliveries to gateways, after the COMMIT that justifies
them. A host claims its partitions, starts two tasks, ``loop`` and ``sweeps``, and from then on only
puts what comes in into mailboxes. The same class runs in a Ray actor, in the gateway's own process
and on a virtual clock: all waiting goes through the loop's time.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

import structlog

from actors.host.attachment import Attachment, Receipt
from actors.host.figures import Figures
from actors.host.gateways import Gateways
from actors.host.loop import TurnLoop
from actors.host.mailboxes import Mailboxes
from actors.host.moves import Moves
from actors.host.runner import Core, Letter, Runner
from actors.host.services import HostLimits, HostServices
from actors.host.store_health import StoreHealth
from actors.host.sweeps import Sweeps
from actors.host.tenure import Tenure
from actors.host.wishes import Wishes
from actors.leases import Claimant, Ended
from actors.link import (
    MOVED,
    CloseReason,
    CommandDone,
    Commanded,
    Delivery,
    Figure,
    FromMachine,
    HostLink,
    LinkBroken,
    Notified,
    PartitionsMoved,
    Reload,
    StreamClosed,
    ToHost,
)
from actors.machine import values
from actors.machine.events import (
    ConfigurationChanged,
    Connected,
    Disconnected,
    Event,
    FrameReceived,
    PlanogramAcknowledged,
    TimePassed,
    TopUpPaid,
)
from actors.machine.ids import MachineId
from actors.ports import InboxItem, Ownership, StaleOwner, Unreadable

log = structlog.get_logger()


def _loop_time_s() -> float:
    return asyncio.get_running_loop().time()


class Host(HostLink):
    """Owns the machines of ``partitions``. ``on_fatal`` gets the reason, once, when this host must
    not go on: another one owns its machines, or it has a defect.

    ``home`` names the place that may replace its own dead; ``host_count`` is the layout's that the
    partitions are of, None if they are of none; ``node`` tells people where this is. ``place``: its
    index, if it follows the layout; then that gives it its partitions, now and later. ``ended``
    tells a host that waits for another one of its place when that one's process has ended.
    """

    def __init__(
        self,
        *,
        name: str,
        services: HostServices,
        partitions: Sequence[int],
        on_fatal: Callable[[str], None],
        home: str,
        host_count: int | None = None,
        place: int | None = None,
        node: str = "",
        ended: Ended | None = None,
        limits: HostLimits | None = None,
        core: Core | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._name = name
        self._services = services
        self._partitions = tuple(partitions)
        self._limits = limits or HostLimits()
        self._on_fatal = on_fatal
        self._rng = rng or random.SystemRandom()
        # Unique for each start, so that a claim by the same host after a restart is another
        # holder's.
        self._holder = f"{name}-{self._rng.getrandbits(64):016x}"
        self._over = "the host has not started"
        self._ended = False
        self._tasks: list[asyncio.Task[None]] = []
        self._reloads: set[asyncio.Task[None]] = set()
        self._follows = place is not None
        # The partitions of machines that the present exchange has here by mistake.
        self._strays: set[int] = set()
        self._overloads = 0
        self._figures = Figures(counted=self.stats, clock=services.clock, tell=services.tell)
        self._mailboxes = Mailboxes(
            core=core or Core(),
            policy=services.policy,
            per_machine_max=self._limits.mailbox_max,
            letters_max=self._limits.letters_max,
            time_s=_loop_time_s,
            waited=self._figures.mailbox_delay_s,
        )
        self._gateways = Gateways(
            name=self._holder,
            outbox_max=self._limits.outbox_max,
            attachments_max=self._limits.attachments_max,
            reattach_s=self._limits.reattach_s,
        )
        self._loop = TurnLoop(
            store=services.store,
            performer=services.performer,
            clock=services.clock,
            mailboxes=self._mailboxes,
            gateways=self._gateways,
            figures=self._figures,
            wishes=Wishes(
                clock=services.clock, rng=self._rng, every_ms=services.policy.code_modify_every_ms
            ),
            limits=self._limits.turns,
            rng=self._rng,
            fatal=self._die,
            partition_count=services.partition_count,
        )
        self._tenure = Tenure(
            claimant=Claimant(
                holder=self._holder,
                host=name,
                home=home,
                node=node,
                lease_ms=self._limits.lease.lease_ms,
                host_count=host_count,
                place=place,
            ),
            partitions=self._partitions,
            partition_count=services.partition_count,
            store=services.store,
            leases=services.leases,
            clock=services.clock,
            limits=self._limits.lease,
            fatal=self._die,
            ended=ended,
        )
        self._sweeps = Sweeps(
            store=services.store,
            mailboxes=self._mailboxes,
            gateways=self._gateways,
            loop=self._loop,
            limits=self._limits.sweeps,
            notified=self._notified,
            fatal=self._die,
        )
        self._moves = Moves(
            name=name,
            tenure=self._tenure,
            loop=self._loop,
            gateways=self._gateways,
            sweeps=self._sweeps,
            take_in=self._take_in,
            every_s=self._limits.lease.moves_s,
            fatal=self._die,
        )

    # --- life ---

    async def start(self, *, waits: bool = True) -> None:
        """Claim the partitions, load the machines that have something open, take up what was
        missed; then serve. Waits for a store that is away, and for others who hold the partitions,
        unless ``waits`` is False: then it raises ClaimRefused. Raises StaleOwner if it was
        superseded meanwhile.
        """
        health = StoreHealth(
            first_s=self._limits.turns.retry_first_s,
            longest_s=self._limits.turns.retry_longest_s,
            rng=self._rng,
            time_s=asyncio.get_running_loop().time,
        )
        await self._services.ask_time()
        await self._tenure.hold(self._take_over, health=health, waits=waits)
        if self._ended:
            raise StaleOwner(self._over)
        self._over = ""
        self._tasks += [
            asyncio.create_task(self._guarded(self._loop.run)),
            asyncio.create_task(self._guarded(self._sweeps.run)),
        ]
        if self._follows:
            self._tasks.append(asyncio.create_task(self._guarded(self._moves.run)))
        log.info(
            "host serves",
            host=self._name,
            partitions=self._loop.partitions,
            machines=len(self._mailboxes.runners),
        )

    async def stop(self) -> None:
        """Take no more, save what is here if that is quick, and end. What is not done is owed, and
        the next owner takes it up.
        """
        if not self._over:
            self._over, self._ended = "the host stops", True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.stop_s):
                    await self._loop.done()
        self._end("the host stopped")
        await asyncio.gather(*self._tasks, *self._reloads, return_exceptions=True)
        await self._loop.close()
        await self._tenure.give_up()

    async def _take_over(self) -> None:
        ownership = await self._tenure.claim()
        if not self._tasks:  # from here on, however long the loading takes
            self._tasks = [asyncio.create_task(self._guarded(self._tenure.beat))]
        # A try before this one may have loaded machines that this claim does not bring.
        self._loop.leaving.everything()
        self._loop.ownership = replace(ownership, epochs={})
        self._loop.resuming.now("the host started")
        await self._take_in(ownership)
        await self._sweeps.inbox()

    async def _take_in(self, gained: Ownership) -> None:
        """Own these partitions beside the others, and take up what their machines owe. Raises
        StoreError, and then owns what it owned.
        """
        found = await self._services.store.load_active(gained)
        served = self._loop.ownership
        assert served is not None, "somebody has claimed"
        self._loop.ownership = replace(served, epochs={**served.epochs, **gained.epochs})
        for loaded in found:
            if isinstance(loaded, Unreadable):
                if not self._mailboxes.runner(loaded.machine_id).halted:
                    self._loop.halt(
                        self._mailboxes.runner(loaded.machine_id), loaded.error, fact=""
                    )
            elif loaded.state.machine_id not in self._mailboxes.runners:
                self._loop.adopt(loaded)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            log.exception("host broke", host=self._name)
            self._die(f"{type(error).__name__}: {error}")

    def _die(self, reason: str) -> None:
        if self._ended or not self._tasks:
            return
        log.error("host ends at once", host=self._name, reason=reason)
        self._end(reason)
        self._on_fatal(reason)

    def _end(self, reason: str) -> None:
        self._over, self._ended = reason, True
        self._gateways.close()
        for receipt in list(self._loop.receipts):
            receipt.release()
        for task in [*self._tasks, *self._reloads]:
            task.cancel()

    # --- link ---

    @property
    def holder(self) -> str:
        """The name of this start in the database."""
        return self._holder

    @property
    def serves(self) -> bool:
        """Whether gateways may attach: it owns its machines, and is not ending."""
        return not self._over

    async def attach(self, gateway_id: str) -> str:
        """Open the link for this gateway, again if need be, and return the attachment's name."""
        self._serving()
        attachment = self._gateways.attach(gateway_id)
        log.info(
            "gateway attached", host=self._name, gateway_id=gateway_id, attachment=attachment.name
        )
        return attachment.name

    async def exchange(self, attachment: str, messages: Sequence[ToHost]) -> Delivery:
        """Take a batch; return what is ready for the gateway once the batch is saved or refused, or
        the store is away, or it takes too long.
        """
        self._serving()
        found = self._gateways.find(attachment)
        receipt = Receipt()
        self._loop.receipts.add(receipt)
        try:
            with found.call():
                for message in messages:
                    self._take(message, found, receipt)
                self._tell_strays(found)
                self._gateways.announce()
                if self._loop.saves:
                    await receipt.wait(self._limits.exchange_max_s)
        finally:
            self._loop.receipts.discard(receipt)
        return self._delivery(found)

    async def listen(self, attachment: str) -> Delivery:
        """Wait some seconds for something that is ready for this gateway, and return it."""
        self._serving()
        found = self._gateways.find(attachment)
        with found.call():
            await found.wait(self._limits.listen_idle_s)
        return self._delivery(found)

    async def figures(self) -> list[Figure]:
        """Return what was counted and timed, and what there is now, for Prometheus."""
        return self._figures.told()

    def stats(self) -> dict[str, int]:
        """Return counts: what there is now, and what was done since the start."""
        return {
            **self._loop.counts,
            "machines": len(self._mailboxes.runners),
            "letters": self._mailboxes.size,
            "timers": self._loop.timers,
            "calls": len(self._loop.calls),
            "attachments": len(self._gateways),
            "undelivered": self._gateways.undelivered,
            "overloads": self._overloads,
            "saves": int(self._loop.saves and self._tenure.beats),
        }

    def _serving(self) -> None:
        if self._over:
            raise LinkBroken(self._tenure.waits_for or self._over)

    @staticmethod
    def _delivery(attachment: Attachment) -> Delivery:
        if attachment.broken:
            raise LinkBroken(f"attachment {attachment.name} is over")
        return attachment.take()

    # --- what comes in ---

    def _take(self, message: ToHost, attachment: Attachment, receipt: Receipt) -> None:
        match message:
            case FromMachine():
                self._from_machine(message.machine_id, message.event, attachment, receipt)
            case Notified():
                self._notified(message.item, receipt)
            case Commanded():
                self._commanded(message, attachment, receipt)

    def _from_machine(
        self,
        machine_id: MachineId,
        event: Connected | Disconnected | PlanogramAcknowledged | FrameReceived,
        attachment: Attachment,
        receipt: Receipt,
    ) -> None:
        """Take what happened on a stream. A full mailbox closes the stream: the machine keeps what
        was not acknowledged. The end of a known stream is always taken.
        """
        refusal = self._refusal(machine_id)
        runner = self._mailboxes.runners.get(machine_id)
        if refusal == MOVED:
            self._strays.add(self._loop.partition_of(machine_id))
            return
        if isinstance(event, Disconnected):
            if refusal and (
                runner is None or runner.halted or event.stream_id not in runner.routes
            ):
                self._overloads += 1
                return
        elif refusal or (
            isinstance(event, Connected)
            and runner is not None
            and len(runner.routes) >= self._limits.streams_max
        ):
            self._overloads += 1
            reason = refusal or CloseReason.OVERLOADED
            self._gateways.send(
                attachment,
                StreamClosed(machine_id=machine_id, stream_id=event.stream_id, reason=reason),
            )
            return
        runner = self._mailboxes.runner(machine_id)
        if isinstance(event, Connected):
            self._gateways.enter(runner, attachment, event)
        receipt.expect()
        self._loop.post(runner, Letter(event=event, attachment=attachment, receipt=receipt))

    def _tell_strays(self, attachment: Attachment) -> None:
        """Tell the gateway that it knows an old place of some machines; it repeats at the new one
        what is dropped here.
        """
        if self._strays:
            self._gateways.send(attachment, PartitionsMoved(left=tuple(sorted(self._strays))))
            self._strays.clear()

    def _notified(self, item: InboxItem, receipt: Receipt | None = None) -> bool:
        """Take a notification; return False if there is no room now: the row stays untaken, and
        the sweep brings it again.
        """
        if item.inbox_id in self._loop.refusals.inbox_waiting:
            return True
        if refusal := self._refusal(item.machine_id):
            self._overloads += refusal != MOVED  # its new host takes it: nothing is short here
            return False
        if receipt is not None:
            receipt.expect()
        self._loop.post(
            self._mailboxes.runner(item.machine_id),
            Letter(
                event=self._dated(item.event),
                inbox_id=item.inbox_id,
                received_at_ms=item.received_at_ms,
                receipt=receipt,
            ),
        )
        return True

    def _dated(self, event: Event) -> Event:
        """Say with a payment how far our clock is from the one by which it was paid."""
        if isinstance(event, TopUpPaid) and (ahead_ms := self._services.ahead_ms()):
            return values.replace(event, clock_ahead_ms=ahead_ms)
        return event

    def _commanded(self, message: Commanded, attachment: Attachment, receipt: Receipt) -> None:
        """Take an administrator's act. A reload is accepted for a halted machine too, which is its
        purpose; it waits for the database outside the exchange, which serves others.
        """
        event = message.event
        refusal = self._refusal(message.machine_id)
        if isinstance(event, Reload) and refusal in {"", CloseReason.HALTED}:
            refusal = (
                CloseReason.OVERLOADED
                if len(self._reloads) >= self._limits.reloads_max
                # Its code is being stopped at this moment: what it wants of it must come after.
                or self._loop.halts.stops(message.machine_id)
                else ""
            )
        if not self._loop.saves:
            refusal = refusal or "STORE_UNAVAILABLE"
        if refusal:
            self._gateways.send(
                attachment, CommandDone(command_id=message.command_id, refusal=refusal)
            )
            return
        runner = self._mailboxes.runner(message.machine_id)
        if isinstance(event, Reload):
            last = Letter(
                event=TimePassed(),
                attachment=attachment,
                command_id=message.command_id,
                forced=True,
            )
            task = asyncio.get_running_loop().create_task(self._reload(runner, last))
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)
            return
        if isinstance(event, ConfigurationChanged):
            # The place of the machine, which Alipay gets, may be new too; it is read beside it.
            runner.reload_wanted = True
        receipt.expect()
        self._loop.post(
            runner,
            Letter(
                event=event, attachment=attachment, command_id=message.command_id, receipt=receipt
            ),
        )

    async def _reload(self, runner: Runner, last: Letter) -> None:
        await self._guarded(partial(self._sweeps.reload, [runner], last))

    def _refusal(self, machine_id: MachineId) -> str:
        """Return why nothing can be taken for this machine now; empty if it can."""
        runner = self._mailboxes.runners.get(machine_id)
        if runner is not None and runner.halted:
            return CloseReason.HALTED
        if runner is None and not self._loop.owns(machine_id):
            if self._follows:
                return MOVED
            # The gateway routes by another layout; its machines come back to where they belong.
            log.error("not this host's machine", host=self._name, machine_id=machine_id)
            return CloseReason.OVERLOADED
        return "" if self._mailboxes.has_room(machine_id) else CloseReason.OVERLOADED
