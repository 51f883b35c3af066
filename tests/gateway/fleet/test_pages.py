"""Pages of lists: sizes and opaque tokens."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fleet import pages
from gateway.fleet.errors import CallRefused


def _rows(wanted: pages.PageAsked) -> list[str]:
    everything = [f"{number:03}" for number in range(120)]
    return [row for row in everything if row > wanted.position][: wanted.rows]


@pytest.mark.parametrize(("size", "limit"), [(0, 50), (1, 1), (500, 500), (9_999, 500)])
def test_a_page_has_a_bound(size: int, limit: int) -> None:
    """Nothing is asked for: 50; too much: 500."""
    assert limit == pages.asked(size, "").limit


def test_a_page_that_ends_the_list_has_no_token() -> None:
    """Exactly the last rows: no empty page follows."""
    wanted = pages.asked(60, "")
    first = pages.page(_rows(wanted), wanted, str)
    wanted = pages.asked(60, first.next_page_token)
    second = pages.page(_rows(wanted), wanted, str)
    assert ("060", "119", "") == (second.rows[0], second.rows[-1], second.next_page_token)


@given(st.text(max_size=40))
def test_a_made_up_token_is_refused(token: str) -> None:
    """Whatever is sent for a token is the page before's, nothing, or refused."""
    if token:
        with pytest.raises(CallRefused) as refused:
            pages.asked(1, token)
        assert ["page_token"] == [one.field for one in refused.value.refusal.problems]


@pytest.mark.parametrize("content", [[], ["x", "y"], ["", 1], {"a": 1}, "text", 7, ["x"] * 3])
def test_a_token_of_another_shape_is_refused(content: object) -> None:
    """Well-formed inside and still not ours."""
    token = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
    with pytest.raises(CallRefused):
        pages.asked(1, token)


def test_a_position_may_be_any_text() -> None:
    """What a list is continued behind comes back as it was."""
    wanted = pages.asked(1, "", "list", "ü")
    made = pages.page(["1:ü/ö", "2"], wanted, str)
    assert "1:ü/ö" == pages.asked(1, made.next_page_token, "list", "ü").position
    with pytest.raises(CallRefused):
        pages.asked(1, made.next_page_token, "list", "other")


@pytest.mark.parametrize("text", ["9" * 19, "9" * 700, "\N{ARABIC-INDIC DIGIT THREE}", "-1"])
def test_a_number_that_no_database_holds_is_refused(text: str) -> None:
    """It would be an error of ours."""
    wanted = pages.PageAsked(limit=1, position=text, filters="")
    with pytest.raises(CallRefused):
        pages.number(wanted)
