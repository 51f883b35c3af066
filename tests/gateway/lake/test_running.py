"""Words of a command line become a question, and a proof becomes sentences."""

from dataclasses import replace

import pytest

from gateway.lake.running import AskedOfLake, _told, bounds_of
from gateway.process.settings import Settings
from storage.insight.sales import Beside, By
from storage.lake.duck import Bounds, LakeError
from storage.lake.proving import LakeProof

ASKED = AskedOfLake(
    by="weekday-hour",
    first=20260101,
    last=20260107,
    beside="same_weekdays",
    machine_ids=(),
    district="",
    site_type="office",
)


def test_words_become_a_question() -> None:
    """In either case of letters; a word that is none is told with those that are."""
    wanted = ASKED.wanted()
    expected = (By.WEEKDAY_HOUR, Beside.SAME_WEEKDAYS, "OFFICE")
    assert expected == (wanted.by, wanted.beside, wanted.site_type)
    with pytest.raises(LakeError, match="'colour' is none of day, hour"):
        AskedOfLake(
            by="colour",
            first=1,
            last=2,
            beside="period_before",
            machine_ids=(),
            district="",
            site_type="",
        ).wanted()


def test_a_type_of_site_is_one_of_those_that_there_are() -> None:
    """What is written wrongly would look like a type at which nothing was sold."""
    with pytest.raises(LakeError, match="'ofice' is none of office, factory"):
        replace(ASKED, site_type="ofice").wanted()
    assert "" == replace(ASKED, site_type="").wanted().site_type


def test_a_proof_is_told_in_sentences() -> None:
    """What is wrong, and what to do."""
    clean = _told(LakeProof(position=7, files=1, facts=2, sums={"HKD": 5}))
    assert "Each fact is there once, and they add up to the ledger." == clean.splitlines()[-1]
    wrong = _told(LakeProof(position=7, files=1, findings=["a is not there"]))
    assert "WRONG: a is not there." in wrong
    assert "vendgate lake export --again" in wrong


def test_a_task_of_rays_has_one_processor() -> None:
    """Whatever one DuckDB may have here."""
    settings = Settings.model_validate({"lake": {"threads": 8, "memory_mb": 200}})
    assert Bounds(threads=8, memory_mb=200) == bounds_of(settings)
    assert Bounds(threads=1, memory_mb=200) == bounds_of(settings, on_ray=True)
