"""A run as a person reads it, and as JSON for scripts. Pure."""

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from alipay_client import amounts
from gateway.alipay.reconciliation.run import Outcome
from storage.reconciliation.runs import Difference, DifferenceStatus, RunView, Total

_WIDTH = 118
_STATUSES = {
    DifferenceStatus.OPEN: "open",
    DifferenceStatus.CLOSED: "closed",
    DifferenceStatus.PASSED_ON: "passed on to their machines",
    DifferenceStatus.RESOLVED: "resolved",
}


def as_text(outcome: Outcome) -> str:
    """Return the report: totals of both sides, then each difference in sentences."""
    return "\n".join(_lines(outcome))


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return the same as a JSON object. Amounts are minor units."""
    run = outcome.run
    return {
        "day": run.day,
        "run_id": run.run_id,
        "file": run.file_name,
        "sha256": run.file_sha256,
        "latest": run.latest,
        "day_is_over": outcome.day_is_over,
        "rows": run.row_count,
        "totals": [asdict(total) for total in run.totals],
        "open": outcome.open_count,
        "differences": [{**asdict(one), "status": one.status.value} for one in run.differences],
    }


def _lines(outcome: Outcome) -> Iterator[str]:
    run = outcome.run
    yield (
        f"Reconciliation of {run.day} (GMT+8): run {run.run_id}, {run.row_count} items in "
        f"{run.file_name}"
    )
    if not run.latest:
        yield (
            "A newer file of this day has been read since; this one changes nothing. The day "
            "stands as follows."
        )
    if not outcome.day_is_over:
        yield (
            "The day is not over in GMT+8: what is missing at Alipay was not looked for. Read the "
            "finished file tomorrow."
        )
    yield ""
    yield f"  {'':<14}{'Alipay':>18}{'ours':>18}"
    for total in run.totals:
        yield from _total(total)
    yield ""
    yield _summary(run)
    for difference in run.differences:
        yield ""
        yield from _difference(difference)


def _total(total: Total) -> Iterator[str]:
    pairs = (
        ("paid", total.alipay_paid_minor, total.ours_paid_minor),
        ("returned", total.alipay_back_minor, total.ours_back_minor),
    )
    for name, alipay_minor, ours_minor in pairs:
        alipay, ours = (
            amounts.to_text(amount, total.currency) for amount in (alipay_minor, ours_minor)
        )
        yield f"  {total.currency} {name:<10}{alipay:>18}{ours:>18}" + (
            "" if alipay_minor == ours_minor else "   differs"
        )


def _summary(run: RunView) -> str:
    if not run.differences:
        return "No differences."
    counts = [
        (sum(one.status is status for one in run.differences), text)
        for status, text in _STATUSES.items()
    ]
    return "Differences: " + ", ".join(f"{count} {text}" for count, text in counts if count) + "."


def _difference(difference: Difference) -> Iterator[str]:
    yield f"{difference.status} {difference.kind}"
    yield from textwrap.wrap(difference.said, _WIDTH, initial_indent="  ", subsequent_indent="  ")
    if difference.status is DifferenceStatus.CLOSED:
        closed = f"closed by {difference.closed_by}: {difference.closed_reason}"
        yield from textwrap.wrap(closed, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    elif difference.status is not DifferenceStatus.RESOLVED:
        yield from textwrap.wrap(
            f"Perhaps: {difference.cause}", _WIDTH, initial_indent="  ", subsequent_indent="    "
        )
        yield from textwrap.wrap(
            f"To do: {difference.advice}", _WIDTH, initial_indent="  ", subsequent_indent="    "
        )
