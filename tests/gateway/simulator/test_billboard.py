"""What machines show is told to the page."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from gateway.simulator import billboard
from gateway.simulator.billboard import Billboard, told_of
from gateway.simulator.screen import DARK, Screen, Show
from tests.support.patience import HANGS_AFTER_S

READY = Screen(show=Show.READY, text="Scan to top up, or choose", qr_payload="qr", currency="HKD")
PAY = Screen(
    show=Show.PAY,
    text="Scan to pay for A1",
    qr_payload="qr",
    amount_minor=850,
    funds_minor=0,
    currency="HKD",
    left_ms=20_000,
)


@dataclass
class Front:
    """As much of a machine as somebody sees who stands before it."""

    sticker: str = "qr"
    screen: Screen = READY


@dataclass
class Listener:
    """A phone that keeps what it was told."""

    listens: bool = True
    told: list[list[Mapping[str, object]]] = field(default_factory=list)

    async def show(self, screens: Sequence[Mapping[str, object]]) -> bool:
        self.told.append(list(screens))
        return self.listens


def board(*fronts: Front, listener: Listener) -> Billboard:
    """A billboard before these machines."""
    return Billboard(fronts, listener)  # type: ignore[arg-type]  # doubles at the edge


def test_a_screen_as_the_page_takes_it() -> None:
    """Text with the credit, what is asked for in the major unit, and how long it stands."""
    assert {
        "qrcode": "qr",
        "text": "Scan to pay for A1 (credit 0.00)",
        "amount": "8.50",
        "left_ms": 20_000,
    } == told_of(Front(screen=PAY))  # type: ignore[arg-type]
    assert {
        "qrcode": "qr",
        "text": "The screen is dark.",
        "amount": "",
        "left_ms": None,
    } == told_of(Front(screen=DARK))  # type: ignore[arg-type]


async def test_only_changes_are_told() -> None:
    """Once each, although the time that is left passes; a machine without a code has no place."""
    front, listener = Front(), Listener()
    shown = board(front, Front(sticker=""), listener=listener)
    assert await shown.tell(0.0)
    assert await shown.tell(1.0)
    front.screen = PAY
    assert await shown.tell(2.0)
    front.screen = Screen(
        **{**{name: getattr(PAY, name) for name in PAY.__slots__}, "left_ms": 19_000}
    )
    assert await shown.tell(3.0)

    assert [["Scan to top up, or choose"], ["Scan to pay for A1 (credit 0.00)"]] == [
        [one["text"] for one in screens] for screens in listener.told
    ]


async def test_who_did_not_listen_is_told_again() -> None:
    """All of it, once somebody does."""
    listener = Listener(listens=False)
    shown = board(Front(), listener=listener)
    assert not await shown.tell(0.0)
    listener.listens = True
    assert await shown.tell(1.0)

    assert 2 == len(listener.told)


async def test_many_machines_are_told_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No call holds more than the bound."""
    monkeypatch.setattr(billboard, "SCREENS_MAX", 2)
    listener = Listener()
    assert await board(*(Front(f"qr{n}") for n in range(5)), listener=listener).tell(0.0)

    assert [2, 2, 1] == [len(screens) for screens in listener.told]


@pytest.mark.virtual_time
async def test_what_stays_is_told_now_and_then() -> None:
    """So that who has forgotten it shows it again; after a refusal it waits longer."""
    listener = Listener()
    keeping = asyncio.create_task(board(Front(), listener=listener).keep())
    await asyncio.sleep(25)
    assert 3 == len(listener.told)
    listener.listens = False
    async with asyncio.timeout(HANGS_AFTER_S):
        while len(listener.told) < 5:
            await asyncio.sleep(1)
    keeping.cancel()
