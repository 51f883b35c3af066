"""What no form goes without."""

import pytest

from gateway.web.door import FormRefused
from gateway.web.fields import given, request_id


def test_a_field_is_there_or_its_absence_is_a_sentence() -> None:
    """White space is none."""
    assert "x" == given({"a": " x "}, "a")
    assert "q-1" == request_id({"request_id": "q-1"})
    for of in {}, {"a": " "}:
        with pytest.raises(FormRefused, match="no a: load its page"):
            given(of, "a")
    with pytest.raises(FormRefused, match="no request_id"):
        request_id({})
