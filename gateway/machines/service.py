"""``MachineService``: takes machines' streams in, one for each machine, and sees them out. Decides
nothing about money.

Flows in: calls of ``Connect``. Flows out: facts to the hosts' links. The handler's coroutine reads,
one task writes; a third one looks at all streams from time to time. A stream's state is in
:mod:`gateway.machines.stream`; here are the rules among streams: identity, takeover, how many, and
the drain.
"""

import asyncio
import math
import random as random_module
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import structlog

from actors.link import CloseReason
from actors.machine.ids import MachineId, StreamId
from actors.ports import Clock
from gateway.links.links import HostLinks
from gateway.machines import admission
from gateway.machines.admission import Admission
from gateway.machines.allowances import Allowances
from gateway.machines.certified import CertifiedStreams
from gateway.machines.moving import Moving
from gateway.machines.outbox import Context
from gateway.machines.registered import Look, Registered
from gateway.machines.stream import Stream
from gateway.machines.token_bucket import TokenBucket
from gateway.machines.translate import Greeting
from gateway.machines.turns import Turns
from gateway.machines.waits import Looks
from gateway.process.works import process_works
from gateway.rpc import statuses
from gateway.rpc.denylist import Denylist
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.peers import Peer, peer_of
from gateway.rpc.statuses import Refusal
from gateway.screens.saying import NO_SCREENS, ScreenPort
from gateway.v1 import machine_service_pb2

SERVICE_NAME: str = machine_service_pb2.DESCRIPTOR.services_by_name["MachineService"].full_name

log = structlog.get_logger()


def new_token() -> str:
    """Return what a machine returns in its next Hello; nobody can guess it."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeStats:
    """The service in numbers; all but the first three count from the start. ``ended`` counts
    streams by the reason they ended for.
    """

    streams: int
    machines: int
    draining: bool
    opened: int
    frames_received: int
    frames_written: int
    ended: dict[str, int]
    taken_over: dict[str, int] = field(default_factory=dict)
    """How often a stream took over from one that lived, by whose it was."""
    held_back: dict[str, int] = field(default_factory=dict)
    """How often machines were held to their allowances, by how."""
    selling: int = 0
    """So many machines are in the middle of a vend."""
    closed_selling: int = 0
    """So many still were when the drain's time was up, and were closed."""
    hellos_waiting: int = 0
    """So many machines said Hello and wait until their host is told."""
    drain_left_s: float = 0.0
    """When the drain closes what is left; 0 without one."""


class MachineService:
    """The servicer. ``start`` before and ``stop`` after the server; streams belong to this gateway
    alone. ``answered`` is told what each request for goods was answered first, and after how many
    seconds; ``came`` the machine, its certificate and the address of a Hello;
    ``offends`` a machine that was held to a bound, and why.
    """

    def __init__(
        self,
        links: HostLinks,
        *,
        gateway_id: str,
        clock: Clock,
        limits: EdgeLimits | None = None,
        spiffe_domain: str = "",
        registered: Look | None = None,
        busy: admission.Look | None = None,
        denied: Denylist | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
        tokens: Callable[[], str] = new_token,
        answered: Callable[[str, float], None] = lambda _answer, _seconds: None,
        screens: ScreenPort = NO_SCREENS,
        came: Callable[[str, Peer, str], None] = lambda _machine, _peer, _address: None,
        offends: Callable[[str, str], None] = lambda _machine, _reason: None,
    ) -> None:
        self.limits = limits or EdgeLimits()
        self._links = links
        self._gateway_id = gateway_id
        self._clock = clock
        self._monotonic = monotonic
        self._random = random
        self._tokens = tokens
        self._answered = answered
        self._denied = denied or Denylist()
        # The serial number of the certificate that each stream came with.
        self._serials: dict[Stream, str] = {}
        self._screens = screens
        self._came, self._offends = came, offends
        self._handlers: dict[Stream, asyncio.Task[Any]] = {}
        self._writers: dict[Stream, asyncio.Task[None]] = {}
        self._by_machine: dict[MachineId, Stream] = {}
        # The stream that one which is not welcome yet would take over from.
        self._older: dict[Stream, Stream] = {}
        self._closers: set[asyncio.Task[None]] = set()
        self._watcher: asyncio.Task[None] | None = None
        # When each stream is looked at next.
        self._looks: Looks[Stream] = Looks()
        self._empty = asyncio.Event()
        # Of the drain: until when machines are still welcome, and when what is left is closed.
        self._open_until = math.inf
        self._drain_ends_at: float | None = None
        self._closed_selling = 0
        # What each machine has used up, and whether machines that were not here are registered.
        self._allowances = Allowances(limits=self.limits)
        self._registered = None if registered is None else Registered(registered)
        self._unasked = TokenBucket(
            rate=self.limits.strangers_per_s, burst=self.limits.strangers_per_s, now=monotonic()
        )
        self._certified = CertifiedStreams(
            limits=self.limits,
            spiffe_domain=spiffe_domain,
            denied=self._denied,
            allowances=self._allowances,
            monotonic=monotonic,
            offends=offends,
        )
        # Whose Hello goes to its host next.
        waits = Admission(
            at_once=self.limits.hellos_at_once,
            wait_s=self.limits.hello_wait_s,
            remembered_max=self.limits.streams_max,
            busy=busy,
        )
        self._turns = Turns(waits, limits=self.limits, spread=self._spread)
        self._opened = 0
        self._frames_received = 0
        self._frames_written = 0
        self._ended: Counter[str] = Counter()
        self._taken_over: Counter[str] = Counter()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return the method table. Frames go in and out as bytes, so that one that cannot be parsed
        does not end its stream.
        """
        connect: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(
            self.connect
        )
        return grpc.method_handlers_generic_handler(SERVICE_NAME, {"Connect": connect})

    async def start(self) -> None:
        """Begin to look after the streams."""
        self._watcher = process_works().begin("stream-watch", self._look_after_streams)

    async def stop(self) -> None:
        """Stop looking after the streams; the server must have been stopped before."""
        tasks = [*self._closers, *([self._watcher] if self._watcher is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._watcher = None

    def stats(self) -> EdgeStats:
        """Return the service in numbers."""
        return EdgeStats(
            streams=len(self._handlers),
            machines=len(self._by_machine),
            draining=self._drain_ends_at is not None,
            selling=sum(1 for stream in self._by_machine.values() if stream.moving.vend_open),
            closed_selling=self._closed_selling,
            hellos_waiting=self._turns.waiting,
            drain_left_s=max(0.0, (self._drain_ends_at or 0.0) - self._monotonic()),
            opened=self._opened,
            frames_received=self._frames_received
            + sum(stream.received for stream in self._handlers),
            frames_written=self._frames_written + sum(stream.written for stream in self._handlers),
            ended=dict(self._ended),
            taken_over=dict(self._taken_over),
            held_back=dict(self._allowances.counts),
        )

    # --- one call ---

    async def connect(self, _requests: object, context: Context) -> None:
        """The handler of one stream: reads it to its end. Whatever ends it, its host hears of it
        once.
        """
        certified = await self._admitted(context)
        peer = peer_of(context.auth_context())
        self._opened += 1
        stream_id = StreamId(f"{self._gateway_id}-{self._opened}")
        stream = Stream(
            context,
            stream_id=stream_id,
            limits=self.limits,
            clock=self._clock,
            monotonic=self._monotonic,
            moving=Moving(
                window_s=self.limits.move_window_ms / 1000,
                monotonic=self._monotonic,
                ages_at=self._monotonic() + self._lifetime_s(),
            ),
            on_welcome=self._is_welcome,
            look=self._looks.ask,
            answered=self._answered,
            machines=self._by_machine.__len__,
            screens=self._screens,
        )
        stream.ask_for_look()
        writer = asyncio.create_task(stream.write())
        self._handlers[stream] = _current_task()
        self._writers[stream] = writer
        self._serials[stream] = "" if peer is None else peer.serial
        self._certified.began(certified)
        try:
            greeting = await stream.hello()
            if greeting is not None and await self._is_heard(stream, greeting, certified):
                if peer is not None and peer.serial:
                    self._came(greeting.machine_id, peer, context.peer())
                self._take_in(stream, greeting)
                await stream.read()
            stream.finish()
            await writer
        finally:
            self._forget(stream)
            self._certified.ended(certified)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def _admitted(self, context: Context) -> MachineId | None:
        """Return the certificate's machine (None without TLS), or end the call: draining, full, or
        not identified.
        """
        refusal: Refusal | None = None
        certified: MachineId | None = None
        if self._monotonic() >= self._open_until:
            refusal = self._draining()
        elif len(self._handlers) >= self.limits.streams_max:
            refusal = statuses.TOO_MANY_STREAMS.retry_after(
                self._spread(self.limits.reconnect_max_ms)
            )
        else:
            let_in = self._certified.lets_in(context.auth_context())
            if isinstance(let_in, Refusal):
                refusal = let_in
            else:
                certified = let_in
        if refusal is not None:
            self._ended[refusal.reason] += 1
            await statuses.abort(context, refusal)
        return certified

    def _draining(self) -> Refusal:
        return statuses.DRAINING.retry_after(self._spread(self.limits.reconnect_initial_ms))

    def _leaving(self) -> Refusal:
        """Why a stream whose machine was asked to move ends."""
        if self._drain_ends_at is not None:
            return self._draining()
        return statuses.TIME_TO_MOVE.retry_after(self._spread(self.limits.reconnect_initial_ms))

    def _lifetime_s(self) -> float:
        """How old a stream gets; not all alike, since all may have come in one second."""
        return self.limits.stream_age_max_ms / 1000 * (0.9 + 0.2 * self._random())

    def _spread(self, range_ms: int) -> int:
        return 1 + int(self._random() * range_ms)

    def _forget(self, stream: Stream) -> None:
        del self._handlers[stream], self._writers[stream], self._serials[stream]
        self._looks.forget(stream)
        reason = stream.ending.reason if stream.ending is not None else statuses.GONE
        self._ended[reason] += 1
        if reason in statuses.AT_A_BOUND:
            self._offends(stream.machine_id, reason)
        self._frames_received += stream.received
        self._frames_written += stream.written
        self._turns.over(stream)
        older = self._older.pop(stream, None)
        if self._by_machine.get(stream.machine_id) is stream:
            del self._by_machine[stream.machine_id]
            if older in self._handlers:  # The host did not let this one take over.
                self._by_machine[stream.machine_id] = older
        stream.leave(reason)
        if not self._handlers:
            self._empty.set()

    async def _is_heard(
        self, stream: Stream, greeting: Greeting, certified: MachineId | None
    ) -> bool:
        """Return whether the Hello goes on to the machine's host; if not, the stream ends. What is
        found out here costs the host, and the books, nothing.
        """
        machine_id, now = greeting.machine_id, self._monotonic()
        if not self._is_machine(stream, greeting, certified):
            return False
        if self._denied.machine(machine_id, self._serials[stream]):
            stream.end(statuses.DENIED)
            return False
        if (
            self._registered is not None
            and machine_id not in self._allowances
            and not self._unasked.take(now)
            and not await self._registered.has(machine_id)
        ):
            stream.end(statuses.UNKNOWN_MACHINE.about(machine_id=machine_id))
            return False
        allowance = self._allowances.of(machine_id, now)
        stream.allow(allowance)
        if not allowance.hears_hello(now, len(greeting.journal)):
            stream.end(statuses.TOO_MANY_HELLOS.about(machine_id=machine_id))
        return stream.ending is None and await self._has_turn(stream, greeting)

    async def _has_turn(self, stream: Stream, greeting: Greeting) -> bool:
        """Return once the machine's host should hear of it; False if the stream ends before."""
        machine_id = greeting.machine_id
        await self._turns.of(stream, greeting, self._links.of(machine_id).link)
        # Of one that waited nobody could tell yet whose stream it is when it was denied.
        if self._denied.machine(machine_id, self._serials[stream]):
            stream.end(statuses.DENIED)
        return stream.ending is None

    def _is_machine(self, stream: Stream, greeting: Greeting, certified: MachineId | None) -> bool:
        """Return whether the caller may speak for the machine; if not, the stream ends."""
        if certified in {None, greeting.machine_id}:
            return True
        self._offends(str(certified), statuses.CERTIFICATE_MISMATCH.reason)
        log.warning(
            "certificate of another machine",
            machine_id=greeting.machine_id,
            certified_machine_id=certified,
        )
        stream.end(
            statuses.CERTIFICATE_MISMATCH.about(
                certified_machine_id=str(certified), machine_id=greeting.machine_id
            )
        )
        return False

    def _take_in(self, stream: Stream, greeting: Greeting) -> None:
        """Join a machine's stream to its host. Whether it takes over from an older one the host
        decides.
        """
        older = self._by_machine.get(greeting.machine_id)
        self._by_machine[greeting.machine_id] = stream
        if older is not None:
            self._older[stream] = older
        stream.join(
            self._links.of(greeting.machine_id),
            greeting,
            opened_at_ms=self._clock.now_ms(),
            token=self._tokens(),
        )

    def _is_welcome(self, stream: Stream) -> None:
        """End the older stream of a machine in this gateway: first the newer one is welcome, so
        that the host never sees the machine go away in between.
        """
        self._turns.over(stream)
        if stream.taken_over_by is not None:
            self._taken_over[stream.taken_over_by] += 1
        older = self._older.pop(stream, None)
        if older is not None:
            older.close(CloseReason.SUPERSEDED)
        self._ask_to_move(stream)

    # --- looking after, draining ---

    async def _look_after_streams(self) -> None:
        while True:
            await asyncio.sleep(self.limits.watch_interval_s)
            self.look_after()

    def look_after(self) -> None:
        """Look at each stream that asked for a look by now: end those whose time is up, break those
        that do not let themselves be ended.
        """
        for stream in self._looks.due(self._monotonic()):
            writer = self._writers.get(stream)
            if writer is None:
                continue  # It asked while it went.
            stream.examine()
            if stream.overstays():
                stream.end(self._leaving())
            stream.ask_for_look()
            if not stream.stuck() or writer.cancelling():
                continue
            stream.end(statuses.SLOW_READER, flush=False)
            closer = asyncio.create_task(self._break(stream, writer))
            self._closers.add(closer)
            closer.add_done_callback(self._closers.discard)

    async def _break(self, stream: Stream, writer: asyncio.Task[None]) -> None:
        """End a call whose writes do not come back: leave the status with gRPC, which tells the
        machine should it ever read again.
        """
        log.warning("stream broken off", machine_id=stream.machine_id, stream_id=stream.stream_id)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        with suppress(TimeoutError, grpc.aio.BaseError):
            async with asyncio.timeout(min(1.0, self.limits.write_timeout_s)):
                await stream.abort()
        handler = self._handlers.get(stream)
        if handler is not None:
            handler.cancel()

    def close_denied(self) -> None:
        """End the streams of machines and certificates that are denied by now, in the middle of
        whatever they do: what they say is not read any more.
        """
        for stream in tuple(self._handlers):
            if self._denied.machine(stream.machine_id, self._serials[stream]):
                stream.end(statuses.DENIED, flush=False)

    def showing(self, serial: str) -> set[str]:
        """Return the machines that are here with a certificate of this number."""
        return {str(one.machine_id) for one, of in self._serials.items() if of == serial} - {""}

    async def drain(self, *, within_ms: int | None = None) -> None:
        """Send every machine elsewhere: MoveRequest to all, not in the middle of a vend. For the
        notice (``move_notice_ms``) new streams are welcome, then refused. Whoever has not gone in
        its time, because there is nowhere else, is closed.

        Returns once no stream is left, at latest ``move_deadline_ms`` and the time for closing
        after the notice. ``within_ms``: without notice, and within this.
        """
        limits = self.limits
        notice_s, span_s = limits.move_notice_ms / 1000, limits.move_deadline_ms / 1000
        if within_ms is not None:
            notice_s, span_s = 0.0, within_ms / 1000
        self._open_until = self._monotonic() + notice_s
        self._drain_ends_at = self._open_until + span_s
        for stream in tuple(self._handlers):  # Also one whose newer stream is not welcome yet.
            self._ask_to_move(stream)
        await asyncio.sleep(notice_s)
        await self._emptied(span_s)
        self._closed_selling = self.stats().selling
        for stream in tuple(self._handlers):
            stream.end(self._draining())
        await self._emptied(2 * limits.write_timeout_s + 2 * limits.watch_interval_s)

    async def _emptied(self, within_s: float) -> None:
        self._empty.clear()
        if not self._handlers:
            return
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            log.info("streams are left", streams=len(self._handlers))

    def _ask_to_move(self, stream: Stream) -> None:
        """Give the machine a time of its own to come back, within the first half of what is left,
        so that not all come at once. A few need not be spread far.
        """
        ends_at = self._drain_ends_at
        if ends_at is None:
            return
        from_at = max(self._monotonic(), self._open_until)
        spread_s = min(
            self.limits.move_spread_ms / 1000,
            len(self._by_machine) / self.limits.moves_per_s,
            max(0.0, ends_at - from_at) / 2,
        )
        stream.ask_to_move(from_at + self._random() * spread_s, ends_at)


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "gRPC runs each handler in a task of its own"
    return task
