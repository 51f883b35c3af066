"""Runs of a day's file and what they found, for tests."""

from dataclasses import replace

from storage.reconciliation.runs import Difference, DifferenceStatus, NewRun, Total

NOW_MS = 1_768_500_000_000


RUN = NewRun(
    day="2026-01-15",
    file_sha256="a" * 64,
    file_name="2088000000000001_transaction_20260115.txt",
    row_count=2,
    totals=(Total(currency="HKD", alipay_paid_minor=500),),
    day_was_over=True,
)


NEWER = replace(RUN, file_sha256="b" * 64, row_count=3)


def difference(
    subject: str, *, status: DifferenceStatus = DifferenceStatus.OPEN, kind: str = "AMOUNT_DIFFERS"
) -> Difference:
    """Something that differs."""
    return Difference(
        kind=kind,
        subject=subject,
        status=status,
        trade_id=subject,
        refund_id="",
        machine_id="VM-1",
        currency="HKD",
        alipay_minor=500,
        ours_minor=None,
        said="It differs.",
        cause="It was told wrong.",
        advice="Look.",
    )


def standing(differences: tuple[Difference, ...]) -> list[tuple[str, str, int | None]]:
    """Subject, status and when it was resolved, of each."""
    return [(one.subject, one.status.value, one.resolved_at_ms) for one in differences]
