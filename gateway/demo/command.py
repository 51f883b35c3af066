"""``vendgate demo``: arguments in, a screen or one JSON object out, and an exit status that says
whether the books agree.
"""

import asyncio
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from gateway.demo.children import ChildFailed
from gateway.demo.report import Report
from gateway.demo.run import Demo, play
from gateway.demo.terminal import Terminal

INTERRUPTED = 130


def demo(
    *,
    sales: int,
    seed: int,
    as_json: bool,
    ray: bool,
    machines: int,
    keep: Path | None,
    tls: bool = True,
    weeks: int = 0,
) -> int:
    """Run the demo and return the exit status: 0 if all money is where it should be."""
    console = None if as_json else Terminal()
    try:
        report = asyncio.run(
            play(
                Demo(
                    sales=sales,
                    seed=seed,
                    ray=ray,
                    machines=machines,
                    keep=keep,
                    tls=tls,
                    weeks=weeks,
                ),
                console=console,
            )
        )
    except ChildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    if report is None:
        return INTERRUPTED
    if console is None:
        print(json.dumps(report.as_json()))
    else:
        _say(console, report)
    # Without a number of sales it is Ctrl-C that ends the demo, perhaps with customers in the
    # middle of something.
    return 0 if report.good or (sales == 0 and report.sound) else 1


def _say(console: Console, report: Report) -> None:
    for sentence in report.past:
        console.print(Text(sentence))
    if report.books_agree:
        console.print(
            "[bold green]Our ledger and the pretend Alipay's own book agree to the last cent.[/]"
        )
    elif report.money_held or report.money_due_back:
        console.print(
            "[yellow]Ended while customers were still there: what they had paid is on its way "
            "back.[/]"
        )
    if report.audit_clean:
        console.print("[green]Every invariant of our database holds.[/]")
    for difference in (*report.findings[:20], *report.differences[:20]):
        console.print(
            Text(difference, style="yellow")
        )  # what stands in a database is data, never markup
