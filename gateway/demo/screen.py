"""What a visitor of the demo sees: addresses first, then the money, the machines and the last
things that happened. Pure drawing.

Flows in: one moment, and the size of the terminal. Flows out: as many lines as the terminal has, of
which none is cut from 80 columns on: a table leaves columns out, long lines go on in the next one,
and what has no room is counted. Only of a newest event that is longer than all the room the end is
left out, and three dots say so.
"""

import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rich.console import Console, ConsoleOptions
from rich.text import Text

from gateway.demo.report import Report
from gateway.process.texts import plain
from storage.fleet.views import EventView, MachineView

PHASE_STYLE = {
    "ENABLED": "green",
    "SESSION_IDLE": "cyan",
    "VEND_AWAITING_PAYMENT": "yellow",
    "VEND_APPROVED": "bold magenta",
    "VEND_IN_DOUBT": "bold red",
    "DISABLED": "dim",
    "INACTIVE": "red",
}
MODES = {"AUTHORIZATION_FIRST": "pay first", "SELECTION_FIRST": "choose first", "BOTH": "both"}
EVENT_LINES_MIN = 3
EVENT_LINES_GOOD = 8
"""So many come before more lines to try."""
_GAP = "  "
_INDENT = " " * 10
_GOES_ON = " ..."


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One moment of the demo. ``console_link`` signs a visitor in at the console, once.
    ``vendgate`` is how this program is called in the visitor's shell;
    ``processes`` are the ids of those that may be killed, by name.
    """

    machines: Sequence[MachineView]
    events: Sequence[EventView]
    report: Report
    sales_wanted: int
    calling: "Calling"
    control_url: str
    vendgate: str
    processes: Mapping[str, Sequence[int]]
    stopping: bool
    console_link: str = ""
    screen_url: str = ""
    """The page of the first machine's screen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """How the visitor's shell calls as an administrator: the options and the address of grpcurl,
    and the options of ``vendgate qr``.
    """

    grpcurl: str
    address: str
    qr: str

    @classmethod
    def plain(cls, address: str) -> Self:
        """Return the way to a listener that asks for no proof."""
        return cls(grpcurl="-plaintext", address=address, qr=f"--admin {address}")


_WORD = re.compile(r"(?:'[^']*'|[^ ])+")
"""Of a command, as a shell reads it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A moment that fits itself to the terminal, whatever its size is by then."""

    scene: Scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Draw for the size that there is now."""
        height = options.height or console.height
        yield Text("\n").join(lines(self.scene, options.max_width, height))


def lines(scene: Scene, width: int, height: int) -> Sequence[Text]:
    """Return the whole screen: at most ``height`` lines of at most ``width`` columns."""
    head = [_title(scene, width), *_addresses(scene, width), *_money(scene.report, width)]
    extras = _extras(scene, width)
    left = height - len(head) - 1 - EVENT_LINES_MIN
    table = _machines(scene.machines, width, max(left, 2))
    left = height - len(head) - len(table)
    if left < len(extras) + 1 + EVENT_LINES_GOOD:
        extras = []
    happened = _events(scene.events, width, left - len(extras) - 1)
    heading = Text("what happens", style="bold blue")
    return [*head, *extras, *table, heading, *happened][:height]


def _title(scene: Scene, width: int) -> Text:
    wanted = f", until {scene.sales_wanted} sales" if scene.sales_wanted else ""
    what = (
        "nobody new comes, the rest goes back"
        if scene.stopping
        else f"{len(scene.machines)} machines, HKD, {scene.report.duration_s:.0f} s{wanted}"
    )
    left, right = f"Vendgate demo: {what}", "Ctrl-C ends it"
    return Text(f"{left}{right:>{max(len(right) + 1, width - len(left))}}", style="bold blue")


def _addresses(scene: Scene, width: int) -> list[Text]:
    first = scene.machines[0].machine_id if scene.machines else "VM-0001"
    qr = f"{scene.vendgate} qr {first} {scene.calling.qr}"
    code, *goes_on = _continued(qr, width - 13)
    told = [
        *_address("pay by hand", scene.control_url, width),
        *_address("a screen", scene.screen_url, width),
        f"{'a QR code':<13}{code.strip()}",
        *goes_on,
        *_address("console", scene.console_link, width),
    ]
    return [*map(Text, told), *_commands(_grpcurl(scene)[:1], width)]


def _address(name: str, url: str, width: int) -> list[str]:
    return _wrapped(url, width, indent=f"{name:<13}") if url else []


def _extras(scene: Scene, width: int) -> list[Text]:
    named = ", ".join(
        f"{name} {' '.join(map(str, pids))}" for name, pids in scene.processes.items() if pids
    )
    killing = _wrapped(
        f"{named} (kill one and look: another takes over)", width, indent=f"{'processes':<13}"
    )
    return [
        *(Text(line) for one in scene.report.past for line in _wrapped(one, width, indent="")),
        *_commands(_grpcurl(scene)[1:], width),
        *(map(Text, killing if named else [])),
    ]


def _commands(commands: Sequence[str], width: int) -> list[Text]:
    return [
        Text(line, style="dim") for command in commands for line in _continued(command, width - 2)
    ]


def _continued(command: str, width: int) -> list[str]:
    """Return a command that can be pasted, on as many lines as it needs. A word is never cut: it is
    better too long than wrong.
    """
    told, words = [" "], _WORD.findall(command)
    for number, word in enumerate(words, start=1):
        # Only the last line needs no room for the sign that it goes on.
        room = width + 2 if number == len(words) else width
        if len(told[-1]) + 1 + len(word) > room and told[-1].strip():
            told[-1] += " \\"
            told.append("     ")
        told[-1] += f" {word}"
    return told


def _amount(minor: int) -> str:
    sign = "-" if minor < 0 else ""
    return f"{sign}{abs(minor) // 100:,}.{abs(minor) % 100:02}"


def _money(report: Report, width: int) -> list[Text]:
    parts = (
        ("paid", _amount(report.money_in), f"{report.topups} top-ups", "bold"),
        ("sold", _amount(report.money_sold), f"{report.vends_succeeded} sales", "bold green"),
        ("refunded", _amount(report.money_refunded), f"{report.refunds} refunds", "bold cyan"),
        ("held", _amount(report.money_held), "", "bold yellow"),
        ("due back", _amount(report.money_due_back), "", "bold magenta"),
        ("failed", f"{report.vends_failed}", "", ""),
        ("denied", f"{report.vends_denied}", "", ""),
        (
            "ledger",
            "balanced" if report.ledger_balanced else "NOT BALANCED",
            "",
            "bold" if report.ledger_balanced else "bold red",
        ),
    )
    flown: list[Text] = []
    for name, value, note, style in parts:
        part = Text.assemble(f"{name} ", (value, style), f" ({note})" if note else "")
        if flown and len(flown[-1]) + len(_GAP) + len(part) <= width:
            flown[-1] = Text(_GAP).join([flown[-1], part])
        else:
            flown.append(part)
    return flown


_COLUMNS: Sequence[tuple[str, int, Callable[[MachineView], str]]] = (
    ("machine", 0, lambda one: one.machine_id),
    ("phase", max(map(len, PHASE_STYLE)), lambda one: one.phase),
    ("funds", len("999.99"), lambda one: _amount(one.funds_minor) if one.session_id else ""),
    ("session", len("VM-0001-s999-05e6bf12"), lambda one: one.session_id),
    ("code", 0, lambda one: one.qr_payload),
    ("refunds open", 0, lambda one: str(one.open_refund_count or "")),
    ("mode", 0, lambda one: MODES.get(one.mode, one.mode.lower())),
)
"""Heading, least width (a table that jumps cannot be read) and value; the most important first:
what has no room is left out.
"""
_RIGHT = {"funds", "refunds open"}


def _machines(machines: Sequence[MachineView], width: int, height: int) -> list[Text]:
    """Return a heading and one line for each machine, at most ``height``; the last one counts those
    that have no room.
    """
    shown = machines if len(machines) < height else machines[: height - 2]
    columns = []
    left = width
    for name, least, value in _COLUMNS:
        cells = [plain(value(machine)) for machine in shown]
        needed = max(least, *map(len, (name, *cells)))
        if needed <= left:
            columns.append((name, needed, cells))
            left -= needed + len(_GAP)
    table = [Text(_GAP.join(_cell(name, name, size) for name, size, _ in columns), style="bold")]
    for number, machine in enumerate(shown):
        cells = [_cell(name, found[number], size) for name, size, found in columns]
        row = Text(_GAP.join(cells).rstrip())
        row.highlight_words([machine.phase], PHASE_STYLE.get(machine.phase, ""))
        table.append(row)
    if len(shown) < len(machines):
        table.append(Text(f"and {len(machines) - len(shown)} more", style="dim"))
    return table


def _cell(name: str, text: str, size: int) -> str:
    return text.rjust(size) if name in _RIGHT else text.ljust(size)


def _events(events: Sequence[EventView], width: int, height: int) -> list[Text]:
    """Return the newest events that have room, the newest last, each of them whole. Of one that is
    longer than all the room its beginning is better than nothing.
    """
    told: list[Text] = []
    for event in reversed(events):
        block = [
            Text(line)
            for line in _wrapped(
                plain(event.text), width, indent=f"{event.machine_id} ", then=_INDENT
            )
        ]
        block[0].stylize("bold", 0, len(event.machine_id))
        if len(told) + len(block) > height:
            return told or _beginning(block, width, height)
        told = block + told
    return told


def _beginning(block: list[Text], width: int, height: int) -> list[Text]:
    """Return as much of a long event as there is room for, and a sign that it goes on."""
    begun = block[: max(height, 0)]
    if begun:
        begun[-1].truncate(width - len(_GOES_ON))
        begun[-1].append(_GOES_ON)
    return begun


def _wrapped(text: str, width: int, *, indent: str, then: str | None = None) -> list[str]:
    later = " " * len(indent) if then is None else then
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=later, break_on_hyphens=False
    ) or [indent.rstrip()]


def _grpcurl(scene: Scene) -> Sequence[str]:
    return grpcurl_lines(scene.calling)


def grpcurl_lines(calling: Calling) -> Sequence[str]:
    """Return lines that can be pasted into another terminal while the demo runs."""
    call, services = f"grpcurl {calling.grpcurl} {calling.address}", "gateway.fleet.v1"
    of_one = f'grpcurl {calling.grpcurl} -d \'{{"machine_id":"VM-0001"}}\' {calling.address}'
    return (
        f"{call} {services}.FleetService/ListMachines",
        f"{of_one} {services}.FleetService/GetMachine",
        f"{call} {services}.TradeService/GetBalances",
        f"{call} {services}.EventService/WatchEvents",
    )
