"""What no form goes without, and the way back to it."""

import pytest

from gateway.web.door import FormRefused
from gateway.web.fields import filled_in, given, request_id


def test_a_field_is_there_or_its_absence_is_a_sentence() -> None:
    """White space is none."""
    assert "x" == given({"a": " x "}, "a")
    assert "q-1" == request_id({"request_id": "q-1"})
    for of in {}, {"a": " "}:
        with pytest.raises(FormRefused, match="no a: load its page"):
            given(of, "a")
    with pytest.raises(FormRefused, match="no request_id"):
        request_id({})


def test_a_form_is_filled_in_by_an_address() -> None:
    """With the fields that are named; what is too long for an address is none of it."""
    of = {"a": " x&y ", "b": "", "c": "z"}
    assert "/p?a=x%26y#new" == filled_in(of, ("a", "b"), "/p#new")
    for long in {"a": "x" * 201}, {str(number): "ä" * 190 for number in range(9)}:
        assert "/p#new" == filled_in(long, long, "/p#new")
