"""What machines say of their screens, as values, and whoever keeps the screens, as streams see
them.

Flows in: what ``gateway.machines.showing`` made of frames. Flows out: what a machine is to show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from actors.machine.ids import MachineId
from gateway.v1 import machine_pb2 as wire


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestApplied:
    """The machine shows this manifest; empty: none."""

    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestRejected:
    """The machine does not show this manifest. ``reason`` is the wire's word, or its number if it
    is newer than this backend.
    """

    manifest: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayCounted:
    """How often an item was shown within one hour of the machine's own day, as totals. ``day`` is
    yyyymmdd.
    """

    manifest: str
    item: int
    day: int
    hour: int
    times: int
    shown_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plays:
    """What the machine counted."""

    counts: tuple[PlayCounted, ...]


Said = ManifestApplied | ManifestRejected | Plays


class ScreenStream(Protocol):
    """A stream, for whoever keeps the screens."""

    machine_id: MachineId

    def show(self, update: wire.ScreenUpdate) -> bool:
        """Tell the machine what to show. False if there is no room for it now: say it again."""


class ScreenPort(Protocol):
    """Whoever keeps the screens. Nothing here waits or raises."""

    def recalled(self) -> Sequence[str]:
        """Return the hashes of the files that were recalled last, as many as a Welcome holds."""

    def opened(self, screen: ScreenStream, manifest: str) -> None:
        """A machine with a screen was welcomed; this is what it shows."""

    def said(self, machine_id: MachineId, said: Said) -> None:
        """A machine said something of its screen."""

    def closed(self, screen: ScreenStream) -> None:
        """A stream ended."""


class _NoScreens:
    def recalled(self) -> Sequence[str]:
        return ()

    def opened(self, screen: ScreenStream, manifest: str) -> None:
        pass

    def said(self, machine_id: MachineId, said: Said) -> None:
        pass

    def closed(self, screen: ScreenStream) -> None:
        pass


NO_SCREENS: ScreenPort = _NoScreens()
"""A gateway that keeps no screens: machines are told nothing."""
