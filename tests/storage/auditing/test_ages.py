"""What is allowed and takes too long is a warning."""

from collections.abc import Callable

from tests.storage.auditing.books import NOW_MS, audited


async def test_what_takes_too_long_is_a_warning(spoilt: Callable[..., str]) -> None:
    """A refund open for a day, a notification that waits for a minute, a doubt past its deadline:
    told, and not a finding.
    """
    statement = (
        "UPDATE inbox SET taken_at_ms = NULL, taken_version = NULL WHERE cause = "
        "'refund:VM-2-t2R1_1000'"
    )
    audit = await audited(spoilt(statement), now_ms=NOW_MS + 24 * 3_600_000)
    assert audit.clean, audit.sentences
    first, second = (warning.sentence for warning in audit.warnings)
    assert first.startswith(
        "refund VM-1-t3R1_1000 of 1000 HKD has been open for 25 hours: UNKNOWN time-out"
    )
    assert second.startswith("notification refund:VM-2-t2R1_1000 of machine VM-2 has waited for")
