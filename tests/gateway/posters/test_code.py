"""The text of a code becomes squares."""

from hashlib import sha256

import pytest
import segno

from gateway.posters.code import code_id, modules_of
from gateway.posters.refusals import PosterRefused
from tests.gateway.posters.pages import PAYLOAD


def test_the_runs_are_the_dark_modules() -> None:
    """Each dark module once, no bright one, of a code with the highest correction."""
    code = segno.make(PAYLOAD, error="h", boost_error=False, version=10)
    assert "H" == code.error
    wanted = {
        (column, row)
        for row, modules in enumerate(code.matrix)
        for column, dark in enumerate(modules)
        if dark
    }
    drawn = [
        (run.column + more, run.row)
        for run in modules_of(PAYLOAD).runs
        for more in range(run.length)
    ]
    assert len(wanted) == len(drawn)
    assert wanted == set(drawn)
    assert len(code.matrix) == modules_of(PAYLOAD).count


def test_a_long_text_has_a_larger_code() -> None:
    """As many modules as it needs."""
    assert 57 == modules_of("x" * 119).count
    assert 61 == modules_of("x" * 120).count


def test_a_text_that_no_code_holds_is_refused() -> None:
    """With a sentence, not with a defect."""
    with pytest.raises(PosterRefused, match="its code cannot be drawn"):
        modules_of("x" * 10_000)


def test_a_codes_name_is_made_of_its_text() -> None:
    """As anybody can count it with sha256sum."""
    assert sha256(PAYLOAD.encode()).hexdigest().startswith(code_id(PAYLOAD))
    assert 12 == len(code_id(PAYLOAD))
    assert code_id(PAYLOAD) != code_id(PAYLOAD + "x")
