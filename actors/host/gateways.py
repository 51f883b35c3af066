"""Which gateways are attached to a host, and through which of them each stream of a machine is
reached.

Flows in: attachments, and streams that say Hello through them. Flows out: messages into the right
attachment, and the streams that no gateway announces: their gateway attached again without them, or
has made no call for too long.
"""

import asyncio
from collections import OrderedDict

from actors.host.attachment import Attachment
from actors.host.runner import Route, Runner
from actors.link import FromHost, LinkBroken
from actors.machine.events import Connected
from actors.machine.ids import MachineId, StreamId


class Gateways:
    """The attachments of one start of a host; ``name`` tells it from all others."""

    def __init__(
        self, *, name: str, outbox_max: int, attachments_max: int, reattach_s: float
    ) -> None:
        self._name = name
        self._outbox_max = outbox_max
        self._attachments_max = attachments_max
        self._reattach_s = reattach_s
        self._made = 0
        self._attachments: dict[str, Attachment] = {}
        self._touched: set[Attachment] = set()
        self._missing: OrderedDict[tuple[MachineId, StreamId], float] = OrderedDict()
        self.undelivered = 0

    def __len__(self) -> int:
        return len(self._attachments)

    def attach(self, gateway_id: str) -> Attachment:
        """Open the link for a gateway and break its older attachment, whose streams the gateway
        must announce again. Raises LinkBroken if too many gateways are attached.
        """
        for old in [
            attachment
            for attachment in self._attachments.values()
            if attachment.gateway_id == gateway_id
        ]:
            self._break(old)
        if len(self._attachments) >= self._attachments_max:
            raise LinkBroken(f"{self._attachments_max} gateways are attached already")
        self._made += 1
        attachment = Attachment(
            name=f"{self._name}/{self._made}",
            gateway_id=gateway_id,
            messages_max=self._outbox_max,
            now_s=asyncio.get_running_loop().time(),
        )
        self._attachments[attachment.name] = attachment
        return attachment

    def find(self, name: str) -> Attachment:
        """Return the attachment. Raises LinkBroken if it is not one of this host's, or broken."""
        attachment = self._attachments.get(name)
        if attachment is None:
            raise LinkBroken(f"this host does not know attachment {name}")
        return attachment

    def enter(self, runner: Runner, attachment: Attachment, connected: Connected) -> None:
        """Reach the stream through this attachment from now on."""
        self.leave(runner, connected.stream_id)
        runner.routes[connected.stream_id] = Route(attachment=attachment, connected=connected)
        attachment.streams.add((runner.machine_id, connected.stream_id))
        self._missing.pop((runner.machine_id, connected.stream_id), None)

    def leave(self, runner: Runner, stream_id: StreamId) -> None:
        """Forget the route to a stream that is over."""
        route = runner.routes.pop(stream_id, None)
        if route is not None:
            route.attachment.streams.discard((runner.machine_id, stream_id))

    def send(self, attachment: Attachment | None, message: FromHost) -> None:
        """Put a message into the attachment's outbox; call ``announce`` once all are in. A message
        without a way is counted; the state owes it.
        """
        if attachment is None or attachment.broken:
            self.undelivered += 1
        elif attachment.put(message):
            self._touched.add(attachment)
        else:
            self._break(attachment)

    def announce(self) -> None:
        """Wake the gateways that listen."""
        for attachment in self._touched:
            attachment.announce()
        self._touched.clear()

    def tell(self, message: FromHost) -> None:
        """Tell all gateways that are attached."""
        for attachment in list(self._attachments.values()):
            self.send(attachment, message)
        self.announce()

    def expect(self, machine_id: MachineId, stream_id: StreamId) -> None:
        """Wait for a gateway to announce the stream, which was alive when we last heard of it."""
        self._missing.pop(
            (machine_id, stream_id), None
        )  # so that the order of entries stays the order of times
        self._missing[machine_id, stream_id] = asyncio.get_running_loop().time() + self._reattach_s

    def given_up(self) -> list[tuple[MachineId, StreamId]]:
        """Take out and return the streams that no gateway has announced in time."""
        now_s = asyncio.get_running_loop().time()
        gone: list[tuple[MachineId, StreamId]] = []
        while self._missing and next(iter(self._missing.values())) <= now_s:
            gone.append(self._missing.popitem(last=False)[0])
        return gone

    def fallen_silent(self, silent_s: float) -> list[tuple[MachineId, StreamId]]:
        """Break the attachments of gateways that had no call here for ``silent_s`` seconds, and
        return their streams.
        """
        now_s = asyncio.get_running_loop().time()
        silent = [
            attachment
            for attachment in self._attachments.values()
            if attachment.silent_for_s(now_s) > silent_s
        ]
        gone = [stream for attachment in silent for stream in attachment.streams]
        for attachment in silent:
            self._break(attachment, expect=False)
        return gone

    def close(self) -> None:
        """Break all attachments."""
        for attachment in list(self._attachments.values()):
            self._break(attachment, expect=False)

    def _break(self, attachment: Attachment, *, expect: bool = True) -> None:
        attachment.close()
        self._attachments.pop(attachment.name, None)
        if expect:
            for machine_id, stream_id in attachment.streams:
                self.expect(machine_id, stream_id)
