"""What is kept of an experiment is read as it was said."""

from dataclasses import replace

from storage.experiments.content import Result, kept, read, result_of
from storage.office.selectors import Selector
from tests.storage.experiments.customers import offered
from tests.storage.experiments.fleets import content, priced

RESULT = Result(
    lift_permille=-3,
    low_permille=-20,
    high_permille=15,
    p_permille=700,
    blocks=9,
    significant=False,
    cost_minor=5,
    cost_currency="HKD",
    excluded={"VM-1": "NOT_ACKNOWLEDGED"},
)


def test_it_is_read_as_it_was_said() -> None:
    """Whatever is tried, on whichever machines; and the same content is the same text."""
    labelled = Selector(machine_ids=("VM-1", "VM-2"), labels={"b": "1", "a": "2"})
    forced = content(selector=labelled, forced="to learn")
    for one in (content(), priced(tag="NEW"), forced, offered()):
        assert one == read(kept(one))
    other = Selector(machine_ids=("VM-1", "VM-2"), labels={"a": "2", "b": "1"})
    assert kept(content(selector=labelled)) == kept(content(selector=other))
    assert kept(content()) != kept(content(days=21))
    assert kept(offered()) != kept(offered("other"))


def test_what_is_not_there_is_not_written() -> None:
    """So hashes of plans of before are what they were, and programs of before read results."""
    assert "offer" not in kept(content())
    assert "payers" not in RESULT.kept()
    assert "used_up" not in RESULT.kept()


def test_a_result_is_read_as_it_was_written() -> None:
    """And there is none in nothing."""
    of_payers = replace(RESULT, treated_payers=300, control_payers=100, used_up=True)
    for result in (RESULT, of_payers):
        assert result == result_of(result.kept())
    assert result_of("") is None
