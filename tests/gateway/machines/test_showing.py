"""What machines say of their screens goes past the core, to whoever keeps the screens."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from actors.machine.ids import MachineId
from gateway.machines import translate
from gateway.machines.showing import KINDS, Showing
from gateway.machines.translate import BadFrame, OfScreen
from gateway.screens.saying import (
    NO_SCREENS,
    ManifestApplied,
    ManifestRejected,
    PlayCounted,
    Plays,
    ScreenStream,
)
from gateway.v1 import machine_pb2 as wire
from gateway.v1.machine_service_pb2 import ConnectRequest, ConnectResponse

A = "a" * 64
COUNT: dict[str, Any] = {
    "manifest_sha256": A,
    "item": 3,
    "day": 20261129,
    "hour": 23,
    "times": 5,
    "shown_ms": 40_000,
}


@dataclass
class Keeper:
    """Keeps what it is told."""

    told: list[object] = field(default_factory=list)

    def recalled(self) -> list[str]:
        return [A]

    def opened(self, screen: ScreenStream, manifest: str) -> None:
        self.told.append(("opened", screen.machine_id, manifest))

    def said(self, machine_id: MachineId, said: object) -> None:
        self.told.append((machine_id, said))

    def closed(self, screen: ScreenStream) -> None:
        self.told.append(("closed", screen.machine_id))


@dataclass
class OneScreen:
    """A stream of a machine with a screen."""

    machine_id: MachineId = MachineId("VM-1")

    def show(self, update: wire.ScreenUpdate) -> bool:
        return True


def read(seq: int = 0, ack: int = 0, **payload: Any) -> translate.Frame:
    return translate.from_wire(ConnectRequest(seq=seq, ack=ack, **payload))


def test_each_frame_becomes_what_it_says() -> None:
    """With its acknowledgement of ours; a reason that is newer is kept as its number."""
    applied = wire.ScreenApplied(manifest_sha256=A)
    assert OfScreen(said=ManifestApplied(manifest=A), ack=7) == read(ack=7, screen_applied=applied)
    rejected = wire.ScreenRejected(
        manifest_sha256=A, reason=wire.SCREEN_REJECTED_REASON_NO_ROOM, detail="full"
    )
    said = ManifestRejected(manifest=A, reason="NO_ROOM", detail="full")
    assert OfScreen(said=said) == read(screen_rejected=rejected)
    newer = wire.ScreenRejected(manifest_sha256=A, reason=77)  # type: ignore[arg-type]
    assert OfScreen(said=ManifestRejected(manifest=A, reason="77", detail="")) == read(
        screen_rejected=newer
    )
    counted = PlayCounted(manifest=A, item=3, day=20261129, hour=23, times=5, shown_ms=40_000)
    plays = wire.PlayCounts(counts=[wire.PlayCount(**COUNT)])
    assert OfScreen(said=Plays(counts=(counted,))) == read(play_counts=plays)


@pytest.mark.parametrize(
    ("payload", "field_name"),
    [
        ({"screen_applied": wire.ScreenApplied(manifest_sha256="/" * 64)}, "manifest_sha256"),
        ({"screen_rejected": wire.ScreenRejected(manifest_sha256=A + "a")}, "manifest_sha256"),
        (
            {"screen_rejected": wire.ScreenRejected(manifest_sha256=A, detail="x" * 129)},
            "screen_rejected.detail",
        ),
        *(
            ({"play_counts": wire.PlayCounts(counts=[wire.PlayCount(**(COUNT | wrong))])}, name)
            for wrong, name in (
                ({"hour": 24}, "hour"),
                ({"day": 5}, "day"),
                ({"item": 1_024}, "item"),
                ({"shown_ms": 2**63}, "shown_ms"),
                ({"manifest_sha256": ""}, "manifest_sha256"),
            )
        ),
        ({"play_counts": wire.PlayCounts(counts=[wire.PlayCount(**COUNT)] * 17)}, "counts"),
        ({"seq": 1, "screen_applied": wire.ScreenApplied(manifest_sha256=A)}, "seq"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(payload: dict[str, Any], field_name: str) -> None:
    """And the frame has no number that the core would have to use up."""
    bad = read(**payload)
    assert isinstance(bad, BadFrame)
    assert not bad.numbered
    assert field_name in bad.field


def test_hello_says_what_is_shown() -> None:
    """And that there is a screen."""
    hello = wire.Hello(
        machine_id="VM-1",
        boot_id="b",
        manifest_sha256=A,
        capabilities=wire.Capabilities(screens=True),
    )
    greeting = read(hello=hello)
    assert isinstance(greeting, translate.Greeting)
    assert (True, A) == (greeting.shows, greeting.manifest)


def test_a_machine_with_a_screen_is_opened_heard_and_closed() -> None:
    """Once, after its Welcome, which says what was recalled."""
    keeper, screen = Keeper(), OneScreen()
    showing = Showing(keeper)
    showing.greeted(shows=True, manifest=A)
    showing.heard(screen, ManifestApplied(manifest=A))
    assert [] == keeper.told
    welcome = ConnectResponse(welcome=wire.Welcome())
    showing.welcomes(welcome)
    assert [A] == [one.sha256 for one in welcome.welcome.recalled]
    showing.welcomes(ConnectResponse())
    showing.welcomed(screen)
    showing.welcomed(screen)
    showing.heard(screen, ManifestApplied(manifest=A))
    showing.left(screen)
    assert [
        ("opened", "VM-1", A),
        ("VM-1", ManifestApplied(manifest=A)),
        ("closed", "VM-1"),
    ] == keeper.told


def test_a_machine_without_a_screen_is_told_nothing() -> None:
    """Nor is what it says heard, and a gateway without screens keeps nothing."""
    keeper, screen = Keeper(), OneScreen()
    showing = Showing(keeper)
    welcome = ConnectResponse(welcome=wire.Welcome())
    showing.welcomes(welcome)
    showing.welcomed(screen)
    showing.heard(screen, ManifestApplied(manifest=A))
    showing.left(screen)
    assert ([], 0) == (keeper.told, len(welcome.welcome.recalled))
    nobody = Showing(NO_SCREENS)
    nobody.greeted(shows=True, manifest="")
    nobody.welcomes(welcome)
    nobody.welcomed(screen)
    nobody.heard(screen, ManifestApplied(manifest=A))
    nobody.left(screen)
    assert 0 == len(welcome.welcome.recalled)
    assert {"screen_applied", "screen_rejected", "play_counts"} == KINDS
