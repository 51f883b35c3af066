"""A host that does what a test says, at the edge of the gateway: same ``HostLink``, no money, no
database.

By itself it welcomes every machine and acknowledges every frame in order. Tests replace ``answer``,
hold exchanges back, break the link, push what nobody asked for, or leave a delivery out.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

from actors.link import (
    CommandDone,
    Commanded,
    Delivery,
    Figure,
    FromHost,
    FromMachine,
    LinkBroken,
    Notified,
    ToHost,
    ToMachine,
)
from actors.machine.effects import MachineCommand, RejectFrame, Welcome
from actors.machine.events import Connected, FrameNotRead, FrameReceived
from actors.machine.ids import BootId, Currency, MachineId, StreamId
from actors.machine.incident import FaultsCounted
from actors.machine.state import Mode


def a_welcome(*, last_seq: int = 0) -> Welcome:
    """A machine that is free."""
    return Welcome(
        session_id=None,
        funds_minor=0,
        vend_id=None,
        planogram_version=1,
        last_seq=last_seq,
        currency=Currency("HKD"),
        qr_payload="https://qr.alipay.com/x",
        mode=Mode.BOTH,
        in_service=True,
    )


class ScriptedLink:
    """One host. ``batches`` is what it got, each exchange as one list; ``attachments`` counts how
    often the gateway attached.
    """

    def __init__(self) -> None:
        self.batches: list[list[ToHost]] = []
        self.attachments = 0
        self.in_flight_max = 0
        self.answer: Callable[[ToHost], Sequence[FromHost]] = self.obey
        self.open = asyncio.Event()
        """Exchanges wait for it."""
        self.open.set()
        self.reachable = asyncio.Event()
        """Attaching waits for it."""
        self.reachable.set()
        self.skip_numbers: set[int] = set()
        """Deliveries of these numbers are lost."""
        self.told: list[Figure] = []
        """Its figures."""
        self._in_flight = 0
        self._number = 0
        self._pushed: list[FromHost] = []
        self._something = asyncio.Event()
        self._broken = False
        self._attachment = ""
        self._last_seq: dict[tuple[MachineId, BootId], int] = defaultdict(int)
        self._boots: dict[StreamId, tuple[MachineId, BootId]] = {}

    # --- HostLink ---

    async def attach(self, gateway_id: str) -> str:
        """Open the link; deliveries count from 1 again."""
        await self.reachable.wait()
        self.attachments += 1
        self._attachment = f"{gateway_id}@{self.attachments}"
        self._number = 0
        self._pushed.clear()
        self._broken = False
        return self._attachment

    async def exchange(self, attachment: str, messages: Sequence[ToHost]) -> Delivery:
        """Take a batch and answer all of it."""
        self._check(attachment)
        self._in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self._in_flight)
        try:
            self.batches.append(list(messages))
            await self.open.wait()
            self._check(attachment)
            answers = [reply for message in messages for reply in self.answer(message)]
            return self._delivery(answers) if answers else Delivery(number=0, messages=())
        finally:
            self._in_flight -= 1

    async def listen(self, attachment: str) -> Delivery:
        """Wait for what tests push."""
        self._check(attachment)
        while True:
            await self._something.wait()
            self._something.clear()
            self._check(attachment)
            messages, self._pushed = self._pushed, []
            if messages:
                delivery = self._delivery(messages)
                if delivery.number in self.skip_numbers:
                    continue
                return delivery

    async def figures(self) -> Sequence[Figure]:
        """Tell what tests gave it, or nothing while it is broken."""
        if self._broken:
            raise LinkBroken("as scripted")
        await self.open.wait()
        return self.told

    def _delivery(self, messages: Sequence[FromHost]) -> Delivery:
        self._number += 1
        return Delivery(number=self._number, messages=tuple(messages))

    def _check(self, attachment: str) -> None:
        if self._broken or attachment != self._attachment:
            raise LinkBroken("as scripted")

    # --- the script ---

    def push(self, *messages: FromHost) -> None:
        """Say what nobody asked for."""
        self._pushed.extend(messages)
        self._something.set()

    def tell(self, machine_id: str, *commands: MachineCommand, ack: int | None = None) -> None:
        """Push commands to the machine's newest stream."""
        stream_id = [each for each, (machine, _) in self._boots.items() if machine == machine_id][
            -1
        ]
        self.push(
            ToMachine(
                machine_id=MachineId(machine_id), stream_id=stream_id, ack=ack, commands=commands
            )
        )

    def break_link(self) -> None:
        """Every call that is under way fails, until the gateway attaches again."""
        self._broken = True
        self._something.set()
        self.open.set()

    def obey(self, message: ToHost) -> Sequence[FromHost]:
        """Welcome every machine, acknowledge every frame that is in order, refuse what could not
        be read, do every command.
        """
        if isinstance(message, Commanded):
            return [CommandDone(command_id=message.command_id)]
        if isinstance(message, Notified):
            return []
        event = message.event
        if isinstance(event, Connected):
            boot = self._boots[event.stream_id] = (message.machine_id, event.boot_id)
            return [
                self.to_machine(
                    message, ack=None, commands=(a_welcome(last_seq=self._last_seq[boot]),)
                )
            ]
        if isinstance(event, FrameReceived):
            boot = self._boots[event.stream_id]
            said: tuple[MachineCommand, ...] = ()
            counted = isinstance(event.fact, FaultsCounted)
            if counted or event.seq == self._last_seq[boot] + 1:
                self._last_seq[boot] = event.seq
                if isinstance(event.fact, FrameNotRead):
                    said = (
                        RejectFrame(
                            code=event.fact.code,
                            seq=event.seq,
                            expected_seq=event.seq + 1,
                            detail=event.fact.detail,
                        ),
                    )
            return [self.to_machine(message, ack=self._last_seq[boot], commands=said)]
        return []

    @staticmethod
    def to_machine(
        message: FromMachine, *, ack: int | None, commands: tuple[MachineCommand, ...] = ()
    ) -> ToMachine:
        """An answer on the stream that a message came from."""
        return ToMachine(
            machine_id=message.machine_id,
            stream_id=message.event.stream_id,
            ack=ack,
            commands=commands,
        )

    def received(self) -> list[ToHost]:
        """All that came, in order."""
        return [message for batch in self.batches for message in batch]

    def frames(self) -> list[int]:
        """The numbers of all frames that came, in order."""
        return [
            message.event.seq
            for message in self.received()
            if isinstance(message, FromMachine) and isinstance(message.event, FrameReceived)
        ]
