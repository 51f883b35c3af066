"""What is kept of an experiment is read as it was said."""

from storage.experiments.content import Result, kept, read, result_of
from storage.office.selectors import Selector
from tests.storage.experiments.fleets import content, priced


def test_it_is_read_as_it_was_said() -> None:
    """Whatever is tried, on whichever machines; and the same content is the same text."""
    labelled = Selector(machine_ids=("VM-1", "VM-2"), labels={"b": "1", "a": "2"})
    for one in (content(), priced(tag="NEW"), content(selector=labelled, forced="to learn")):
        assert one == read(kept(one))
    other = Selector(machine_ids=("VM-1", "VM-2"), labels={"a": "2", "b": "1"})
    assert kept(content(selector=labelled)) == kept(content(selector=other))
    assert kept(content()) != kept(content(days=21))


def test_a_result_is_read_as_it_was_written() -> None:
    """And there is none in nothing."""
    result = Result(
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
    assert result == result_of(result.kept())
    assert result_of("") is None
