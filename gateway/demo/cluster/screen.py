"""What is seen of a running cluster, on one screen of 80 to 200 columns. Pure drawing.

Flows in: one moment, and the size of the terminal. Flows out: at most as many lines as it has, none
wider than it is: a line that is too long goes on in the next one.
"""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions
from rich.text import Text

from gateway.demo.cluster.look import Moment
from gateway.demo.cluster.parts import PartView, State
from gateway.demo.cluster.plan import Plan

STYLES = {
    State.UP: "green",
    State.STARTING: "yellow",
    State.DOWN: "bold red",
    State.FROZEN: "bold cyan",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterScene:
    """One moment of the cluster. ``title`` says what is going on; ``happened`` is what became of
    parts, the newest last.
    """

    plan: Plan
    moment: Moment
    parts: Sequence[PartView]
    happened: Sequence[str]
    title: str
    running_s: float


@dataclass(frozen=True, slots=True)
class ClusterPicture:
    """A moment that fits itself to the terminal, whatever its size is by then."""

    scene: ClusterScene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Draw for the size that there is now."""
        height = options.height or console.height
        yield Text("\n").join(lines(self.scene, options.max_width, height))


def lines(scene: ClusterScene, width: int, height: int) -> Sequence[Text]:
    """Return the whole screen: at most ``height`` lines of at most ``width`` columns."""
    head = [
        _title(scene, width),
        *_wrapped("sales", figures_line(scene.moment, len(scene.plan.machine_ids)), width),
    ]
    doors = [line for name, value in addresses(scene.plan) for line in _wrapped(name, value, width)]
    parts = [Text(_row("part", "pid", "state", "since", "restarts"), style="bold")]
    for part in scene.parts:
        row = Text(
            _row(part.name, _pid(part.pid), part.state, span(part.since_s), str(part.starts))
        )
        row.highlight_words([part.state.value], STYLES[part.state])
        parts.append(row)
    hosts = [Text(_row("host", "pid", "held", "epoch", "where"), style="bold")]
    for held in scene.moment.holders:
        told = (held.host, _pid(held.pid), str(held.partitions), str(held.epoch), held.node)
        hosts.append(Text(_row(*told)[:width]))
    if not scene.moment.holders:
        hosts.append(Text("nobody holds partitions", style="bold red"))
    # What is most wanted stays where there is little room: who lives before where the doors are.
    left = height - len(head) - len(parts) - len(hosts)
    doors = doors[: max(left, 0)]
    left -= len(doors)
    events = [line for one in scene.happened[-max(left, 1) :] for line in _wrapped("", one, width)]
    happened = (
        [Text("what happened", style="bold blue"), *events[-(left - 1) :]] if left > 1 else []
    )
    return [*head, *doors, *parts, *hosts, *happened][:height]


def figures_line(moment: Moment, machines: int) -> str:
    """Return what is counted, in one line."""
    balance = moment.balance
    ledger = (
        "" if balance is None else f", ledger {'balanced' if balance.ledger_balanced else 'BROKEN'}"
    )
    p99 = "-" if moment.p99_s is None else f"<= {moment.p99_s * 1_000:.0f} ms"
    return (
        f"{moment.sales:,}, {moment.vends_per_s:.1f} vends/s, p99 {p99}, "
        f"{moment.online} of {machines} machines online"
        f"{ledger if moment.database else ', the database does not answer'}"
    )


def addresses(plan: Plan) -> Sequence[tuple[str, str]]:
    """Return where everything can be reached, by what it is."""
    return (
        ("doors", f"machines {plan.balancer_machines}, Alipay {plan.balancer_http}"),
        ("admins", ", ".join(one.admin for one in plan.gateways)),
        ("metrics", " ".join(f"http://{one.health}/metrics" for one in plan.gateways)),
        ("pay", plan.alipay_url),
        ("sql", plan.database_url.replace("+asyncpg", "")),
        ("commands", f"vendgate hosts list --config {plan.settings_of(plan.gateways[0])}"),
    )


def span(seconds: float) -> str:
    """Return a span as a person reads it."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7_200 else f"{whole // 3_600} h"


def _title(scene: ClusterScene, width: int) -> Text:
    left = f"Vendgate cluster: {scene.title}, {span(scene.running_s)}"
    right = "Ctrl-C ends it"
    return Text(
        f"{left}{right:>{max(len(right) + 1, width - len(left))}}"[:width], style="bold blue"
    )


def _pid(pid: int) -> str:
    return str(pid) if pid else "-"


def _row(name: str, pid: str, third: str, fourth: str, fifth: str) -> str:
    return f"{name:<16}{pid:>8}  {third:<9}  {fourth:<8}  {fifth}"


def _wrapped(name: str, text: str, width: int) -> list[Text]:
    indent = f"{name:<10}" if name else ""
    wrapped = textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=" " * 10,
        break_on_hyphens=False,
    )
    return [Text(line) for line in wrapped]
