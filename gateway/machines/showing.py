"""What machines say of their screens, from the wire to values, past the core.

Flows in: frames about screens, which bear no number: they are telemetry, of which no sale depends.
Flows out: the same to whoever keeps the screens (``ScreenPort``), at once and without waiting; and
from there what a machine is to show.
"""

from collections.abc import Sequence

from gateway.machines import fields
from gateway.machines.bounds import BYTES_MAX, COUNT_MAX, SHA256_BYTES
from gateway.machines.fields import FieldWrong
from gateway.screens.saying import (
    ManifestApplied,
    ManifestRejected,
    PlayCounted,
    Plays,
    Said,
    ScreenPort,
    ScreenStream,
)
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse

KINDS = frozenset({"screen_applied", "screen_rejected", "play_counts"})
"""The payloads that are about screens."""
ITEM_MAX = 1_023
_REASONS = fields.names_of(wire.ScreenRejectedReason.items(), "SCREEN_REJECTED_REASON")


class Showing:
    """What one stream knows of its machine's screen: whether there is one, and who keeps it."""

    __slots__ = ("_manifest", "_open", "_screens", "_shows")

    def __init__(self, screens: ScreenPort) -> None:
        self._screens = screens
        self._shows, self._manifest, self._open = False, "", False

    def greeted(self, *, shows: bool, manifest: str) -> None:
        """The machine said Hello."""
        self._shows, self._manifest = shows, manifest

    def welcomes(self, response: ConnectResponse) -> None:
        """Say in a Welcome what must not be shown any more."""
        if self._shows and response.HasField("welcome"):
            told = (wire.RecalledAsset(sha256=one) for one in self._screens.recalled())
            response.welcome.recalled.extend(told)

    def welcomed(self, screen: ScreenStream) -> None:
        """The machine was welcomed, so it is told what to show."""
        if self._shows and not self._open:
            self._open = True
            self._screens.opened(screen, self._manifest)

    def heard(self, screen: ScreenStream, said: Said) -> None:
        """The machine said something; before its Welcome, and without a screen, it counts for
        nothing.
        """
        if self._open:
            self._screens.said(screen.machine_id, said)

    def left(self, screen: ScreenStream) -> None:
        """The stream is over."""
        if self._open:
            self._screens.closed(screen)


def said_of(kind: str, request: ConnectRequest) -> Said:
    """Return what a frame about screens says. Raises FieldWrong."""
    match kind:
        case "screen_applied":
            path = "screen_applied.manifest_sha256"
            return ManifestApplied(manifest=manifest(path, request.screen_applied.manifest_sha256))
        case "screen_rejected":
            said = request.screen_rejected
            return ManifestRejected(
                manifest=manifest("screen_rejected.manifest_sha256", said.manifest_sha256),
                reason=fields.name_or_number(said.reason, _REASONS) or "UNSPECIFIED",
                detail=fields.text(
                    "screen_rejected.detail",
                    said.detail,
                    bytes_max=BYTES_MAX["ScreenRejected.detail"],
                ),
            )
        case _:
            return Plays(counts=_counts(request.play_counts.counts))


def manifest(field: str, value: str) -> str:
    """Return the name of a manifest, which is one of ours or of none. Raises FieldWrong."""
    return fields.identifier(field, value, bytes_max=SHA256_BYTES)


def _counts(counts: Sequence[wire.PlayCount]) -> tuple[PlayCounted, ...]:
    most = COUNT_MAX["PlayCounts.counts"]
    if len(counts) > most:
        raise FieldWrong("play_counts.counts", f"expected at most {most} entries")
    return tuple(_count(f"play_counts.counts[{n}]", one) for n, one in enumerate(counts))


def _count(path: str, one: wire.PlayCount) -> PlayCounted:
    return PlayCounted(
        manifest=manifest(f"{path}.manifest_sha256", one.manifest_sha256),
        item=fields.number(f"{path}.item", one.item, most=ITEM_MAX),
        day=fields.number(f"{path}.day", one.day, least=20_000_101, most=21_991_231),
        hour=fields.number(f"{path}.hour", one.hour, most=23),
        times=fields.number(f"{path}.times", one.times),
        shown_ms=fields.number(f"{path}.shown_ms", one.shown_ms),
    )
