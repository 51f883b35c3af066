"""The screen that greets everybody can be read in a terminal of 80 to 200 columns."""

import io
import re
import shlex
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from actors.machine.policy import PolicyOverrides
from gateway.demo.report import Report
from gateway.demo.screen import Calling, Picture, Scene, grpcurl_lines
from storage.fleet.views import EventView, MachineView

ADMIN, CONTROL = Calling.plain("127.0.0.1:65535"), "http://127.0.0.1:65534"
CONSOLE = "http://127.0.0.1:65533/login/" + "x" * 32
QR = f".venv/bin/vendgate qr VM-0001 {ADMIN.qr}"
SIZES = [(80, 24), (100, 30), (120, 40), (160, 45), (200, 50)]
PHASES = ("ENABLED", "VEND_AWAITING_PAYMENT", "SESSION_IDLE", "VEND_IN_DOUBT")


def machine(number: int) -> MachineView:
    """One with something in every column."""
    return MachineView(
        machine_id=f"VM-{number:04}",
        store_name="Lobby",
        currency="HKD",
        country_code="HK",
        address="1 Queens Road",
        enabled=True,
        mode=("AUTHORIZATION_FIRST", "SELECTION_FIRST", "BOTH")[number % 3],
        overrides=PolicyOverrides(),
        planogram_version=1,
        columns=(),
        code_status="ACTIVE",
        qr_payload=f"https://qr.alipay.com/bax{number:020}",
        qr_image_url="",
        code_error="",
        phase=PHASES[number % 4],
        online=True,
        connection_changed_at_ms=None,
        firmware="sim",
        session_id=f"VM-{number:04}-s{number * 97}",
        funds_minor=1_234_560 + number,
        open_refund_count=number,
        last_fault="",
        host="host-0",
        partition=0,
        registered_at_ms=0,
        revision=1,
        retired_at_ms=None,
    )


def event(number: int) -> EventView:
    """One as long as they come, with its number at its end."""
    words = " ".join(f"word{number}x{index}" for index in range(18))
    return EventView(
        position=number,
        version=1,
        at_ms=0,
        machine_id="VM-0007",
        kind="Noted",
        text=f"{words} end{number}",
        session_id="",
    )


def scene(machines: int = 12) -> Scene:
    """A busy moment."""
    report: dict[str, Any] = {
        **dict.fromkeys(("vends_succeeded", "vends_failed", "vends_denied"), 123_456),
        **dict.fromkeys(("topups", "refunds"), 654_321),
        **dict.fromkeys(("money_in", "money_sold", "money_refunded"), 123_456_789),
        **dict.fromkeys(
            ("money_held", "money_due_back", "goods_written_off", "refunds_written_off"), 98_765_432
        ),
    }
    return Scene(
        machines=[machine(number) for number in range(1, machines + 1)],
        events=[event(number) for number in range(1, 101)],
        report=Report(
            **report,
            ledger_balanced=True,
            books_agree=False,
            audit_clean=False,
            duration_s=86_400.0,
            seed=1,
            ray=True,
        ),
        sales_wanted=200_000,
        calling=ADMIN,
        control_url=CONTROL,
        vendgate=".venv/bin/vendgate",
        processes={"hosts": [4_194_304]},
        stopping=False,
    )


def drawn(shown: Scene, width: int, height: int) -> list[str]:
    """What a terminal of that size shows, as a person reads it."""
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    with console.capture() as captured:
        console.print(Picture(shown))
    return captured.get().splitlines()


def commands(lines: list[str]) -> list[str]:
    """The commands that can be copied, put together as a shell does."""
    text = re.sub(r" \\\n +", " ", "\n".join(lines))
    return [line.strip() for line in text.splitlines() if line.startswith("  grpcurl")]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_nothing_is_cut(width: int, height: int) -> None:
    """Addresses, ids, amounts, commands and events stand whole, and nothing is wider or higher than
    the terminal.
    """
    lines = drawn(scene(), width, height)
    text = "\n".join(lines)

    assert height >= len(lines)
    assert [] == [line for line in lines if len(line) > width]
    assert "…" not in text
    assert [CONTROL, QR] == [line.partition("  ")[2].strip() for line in lines[1:3]]
    for number in range(1, 13):
        (row,) = [
            line for line in lines if line.startswith(f"VM-{number:04} ") and "word" not in line
        ]
        found = row.split()
        assert PHASES[number % 4] in found
        assert f"12,{345 + (60 + number) // 100}.{(60 + number) % 100:02}" in found
        assert f"VM-{number:04}-s{number * 97}" in found
        assert "https" not in row or machine(number).qr_payload in found
    assert commands(lines) == list(grpcurl_lines(ADMIN))[: len(commands(lines))]
    assert commands(lines)
    assert "paid 1,234,567.89 (654321 top-ups)" in text
    assert "ledger balanced" in text


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_newest_events_stand_whole(width: int, height: int) -> None:
    """The last line is the end of the newest one, and none begins without its end."""
    lines = drawn(scene(), width, height)
    happened = lines[lines.index("what happens") + 1 :]

    assert happened[-1].endswith("end100")
    begun = [line for line in happened if line.startswith("VM-0007 ")]
    assert len(begun) == len([line for line in happened if re.search(r"end\d+$", line)])


def test_a_larger_terminal_shows_more() -> None:
    """The codes from 120 columns on; all commands and the processes from 40 lines on."""
    small, middle = drawn(scene(), 80, 24), drawn(scene(), 120, 40)

    assert machine(1).qr_payload not in "\n".join(small)
    assert machine(1).qr_payload in "\n".join(middle)
    assert list(grpcurl_lines(ADMIN)) == commands(middle)
    assert "processes    hosts 4194304 (kill one and look: another takes over)" in middle
    for command in commands(middle):
        assert "grpcurl" == shlex.split(command)[0]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_machines_without_room_are_counted(width: int, height: int) -> None:
    """Two hundred machines leave room for the addresses and for what happens."""
    lines = drawn(scene(200), width, height)
    shown = [line for line in lines if re.match(r"VM-0\d\d\d  ", line)]

    assert height >= len(lines)
    assert f"and {200 - len(shown)} more" in lines
    assert shown
    assert QR in lines[2]
    assert lines[-1].endswith("end100")


def test_what_was_lived_before_stands_whole_where_there_is_room() -> None:
    """Beneath the addresses; in a small terminal it is told before and behind."""
    told = ("Lived 10 weeks.", "Kwun Tong is HOT since 2026-11-03. " + "The truth: " * 9)
    shown = scene()
    shown = replace(shown, report=replace(shown.report, past=told))
    large = " ".join(" ".join(drawn(shown, 160, 60)).split())
    assert all(" ".join(one.split()) in large for one in told)
    assert not any("Lived" in line for line in drawn(shown, 80, 24))


def test_a_tiny_terminal_shows_the_addresses() -> None:
    """Too few lines leave the rest out."""
    lines = drawn(scene(), 80, 5)

    assert 5 == len(lines)
    assert CONTROL in lines[1]


def test_before_anything_happened() -> None:
    """No machine and no event are no trouble."""
    lines = drawn(replace(scene(0), events=(), processes={}, stopping=True), 80, 24)

    assert lines[0].startswith("Vendgate demo: nobody new comes, the rest goes back")
    assert "what happens" == lines[-1]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_an_event_longer_than_the_room_is_begun(width: int, height: int) -> None:
    """Rather than nothing said at all, as long as it is the newest."""
    long = replace(event(101), text=" ".join(f"long{number}" for number in range(2_000)))
    shown = scene()
    lines = drawn(replace(shown, events=[*shown.events, long]), width, height)
    happened = lines[lines.index("what happens") + 1 :]

    assert happened[0].startswith("VM-0007 long0 long1 ")
    assert happened[-1].endswith(" ...")
    assert height >= len(lines)
    assert [] == [line for line in lines if len(line) > width]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_consoles_link_is_whole(width: int, height: int) -> None:
    """It can be clicked in any terminal, and what gives way to it is counted."""
    lines = drawn(replace(scene(), console_link=CONSOLE), width, height)
    assert f"console      {CONSOLE}" in lines
    assert height >= len(lines)
    shown = [line for line in lines if re.match(r"VM-00\d\d  ", line)]
    assert 12 == len(shown) or f"and {12 - len(shown)} more" in lines


PROVEN = Calling(
    grpcurl="-cacert '/tmp/a demo/root.pem' -cert /tmp/d/tls/owner.pem -key /tmp/d/owner_key.pem",
    address=ADMIN.address,
    qr="--admin unix:/tmp/a-folder-that-is-kept/admin.sock",
)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_long_commands_can_be_pasted_too(width: int) -> None:
    """On as many lines as they need, none too wide, no word cut, whatever a folder is called."""
    shown = replace(scene(), calling=PROVEN)
    lines = drawn(shown, width, 60)
    assert list(grpcurl_lines(PROVEN)) == commands(lines)
    code = re.sub(r" \\\n +", " ", "\n".join(lines)).partition("a QR code    ")[2].splitlines()[0]
    assert f".venv/bin/vendgate qr VM-0001 {PROVEN.qr}" == code
    assert [] == [line for line in lines if len(line) > width]
