"""What a host is given: what it needs of the world, and its bounds."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from actors.host.calls import Performs
from actors.host.loop import TurnLimits
from actors.host.sweeps import SweepLimits
from actors.host.tenure import LeaseLimits
from actors.machine.policy import Policy
from actors.ports import Clock, Leases, MachineStore
from actors.spans import Tell


async def _nobody_is_asked() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class HostServices:
    """What a host needs of the world. ``close`` ends it all once the host has stopped."""

    store: MachineStore
    leases: Leases
    performer: Performs
    clock: Clock
    policy: Policy
    partition_count: int
    ahead_ms: Callable[[], int | None] = lambda: None
    """By how much ``clock`` is ahead of Alipay's; None: nobody knows."""
    ask_time: Callable[[], Awaitable[None]] = _nobody_is_asked
    """Ask Alipay for the time, before the first payment is judged; takes seconds at most and raises
    nothing.
    """
    tell: Tell | None = None
    """Takes what there is to be seen of purchases; None: nobody wants to know."""
    close: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLimits:
    """Bounds of a host. Times in seconds of the loop's clock."""

    mailbox_max: int = 64
    """Letters of one machine; the edge lets no more frames be unacknowledged than half of it."""
    letters_max: int = 20_000
    outbox_max: int = 20_000
    attachments_max: int = 64
    streams_max: int = 8
    """Streams of one machine that are not over yet."""
    reloads_max: int = 64
    """Machines that are being loaded again because an administrator asked for it."""
    exchange_max_s: float = 5.0
    listen_idle_s: float = 10.0
    reattach_s: float = 30.0
    """A stream may go without a gateway that announces it for this long, after the host started or
    its gateway attached again.
    """
    stop_s: float = 5.0
    turns: TurnLimits = field(default_factory=TurnLimits)
    sweeps: SweepLimits = field(default_factory=SweepLimits)
    lease: LeaseLimits = field(default_factory=LeaseLimits)
