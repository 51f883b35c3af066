"""Where a page of goods begins."""

import pytest

from gateway.fleet.errors import CallRefused
from gateway.office import goods_views as views
from storage.fleet.positions import InvalidPosition
from storage.office.balances import GoodsBalanceView


def test_a_page_begins_behind_the_last_row() -> None:
    """Whatever is in its names."""
    view = GoodsBalanceView(
        place="VAN:7", product='tea, "green"', lot="", machine_id="", quantity=3
    )
    assert view.key == views.key(views.position_of(view))
    assert ("", "", "") == views.key("")
    assert (None, 7) == (views.position(""), views.position("7"))
    message = views.balance(view)
    assert ('tea, "green"', 3) == (message.product, message.quantity)


@pytest.mark.parametrize(
    "text", ["x", "[]", '["a", "b"]', '["a", "b", 1]', "{}", "9" * 19, "9" * 700, "²", "٣"]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    """Also what looks like one of another list."""
    with pytest.raises(CallRefused):
        views.key(text)
    with pytest.raises(InvalidPosition):
        views.position(text)


@pytest.mark.parametrize("letter", [r"\ud800", r"\u0000"])
def test_a_letter_that_no_database_takes_is_refused(letter: str) -> None:
    """It comes past the check of the token, for it is escaped twice."""
    with pytest.raises(CallRefused):
        views.key(f'["{letter}", "", ""]')
