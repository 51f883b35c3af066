"""What a visitor of the demo sees: the machines, the money, the last things that happened, and
grpcurl lines to try. Pure drawing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.demo.report import Report
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
EVENT_WIDTH = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One moment of the demo."""

    machines: Sequence[MachineView]
    events: Sequence[EventView]
    report: Report
    sales_wanted: int
    admin_address: str
    control_url: str
    stopping: bool


def draw(scene: Scene) -> RenderableType:
    """Return the whole screen."""
    return Group(_money(scene), _machines(scene), _events(scene), _try_it(scene))


def _amount(minor: int) -> str:
    return f"{minor // 100:,}.{minor % 100:02}"


def _money(scene: Scene) -> RenderableType:
    report = scene.report
    table = Table.grid(padding=(0, 3))
    table.add_row(
        f"money in [bold]{_amount(report.money_in)}[/]",
        f"sold [bold green]{_amount(report.money_sold)}[/]",
        f"refunded [bold cyan]{_amount(report.money_refunded)}[/]",
        f"held [bold yellow]{_amount(report.money_held)}[/]",
        f"due back [bold magenta]{_amount(report.money_due_back)}[/]",
        f"ledger [bold]{'balanced' if report.ledger_balanced else 'NOT BALANCED'}[/]",
    )
    wanted = f" of {scene.sales_wanted}" if scene.sales_wanted else ""
    table.add_row(
        f"top-ups {report.topups}",
        f"sales {report.vends_succeeded}{wanted}",
        f"refunds {report.refunds}",
        f"failed {report.vends_failed}",
        f"denied {report.vends_denied}",
        f"{report.duration_s:.0f} s",
    )
    title = (
        "Vendgate demo: nobody new comes, the rest goes back"
        if scene.stopping
        else "Vendgate demo (HKD)"
    )
    return Panel(table, title=title, border_style="blue")


def _machines(scene: Scene) -> RenderableType:
    table = Table(expand=True, show_edge=False, pad_edge=False)
    for heading in ("machine", "mode", "phase", "session", "funds", "refunds open", "code"):
        table.add_column(
            heading,
            justify="right" if heading in {"funds", "refunds open"} else "left",
            no_wrap=True,
        )
    for machine in scene.machines:
        table.add_row(
            machine.machine_id,
            machine.mode.lower().replace("_", " "),
            Text(machine.phase, style=PHASE_STYLE.get(machine.phase, "")),
            machine.session_id,
            _amount(machine.funds_minor) if machine.session_id else "",
            str(machine.open_refund_count or ""),
            machine.qr_payload,
        )
    return table


def _events(scene: Scene) -> RenderableType:
    lines = Text()
    for event in scene.events:
        lines.append(f"{event.machine_id} ", style="bold")
        lines.append(f"{event.text[:EVENT_WIDTH]}\n")
    return Panel(lines, title="what happens", border_style="dim")


def _try_it(scene: Scene) -> RenderableType:
    return Text(
        "\n".join(
            (*grpcurl_lines(scene.admin_address), f"pay a code by hand: {scene.control_url}")
        ),
        style="dim",
    )


def grpcurl_lines(admin_address: str) -> Sequence[str]:
    """Return lines that can be pasted into another terminal while the demo runs."""
    call, services = f"grpcurl -plaintext {admin_address}", "gateway.fleet.v1"
    of_one = f'grpcurl -plaintext -d \'{{"machine_id":"VM-0001"}}\' {admin_address}'
    return (
        f"{call} {services}.FleetService/ListMachines",
        f"{of_one} {services}.FleetService/GetMachine",
        f"{call} {services}.TradeService/GetBalances",
        f"{call} {services}.EventService/WatchEvents",
    )
