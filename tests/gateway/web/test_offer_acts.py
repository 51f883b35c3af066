"""Forms of offers become calls: amounts and percents as people write them."""

from typing import Any

import pytest

from gateway.office.v1 import offer_service_pb2 as wire
from gateway.web.door import FormRefused
from gateway.web.offer_acts import (
    answer_offer,
    change_filled_in,
    change_offer,
    create_offer,
    offer_filled_in,
)

NEW = {
    "request_id": "q-1",
    "code": "tea",
    "name": "Tea",
    "currency": "hkd",
    "discount": "2.5",
    "budget": "1000",
    "until": "2027-01-31T22:00",
    "zone": "UTC",
    "all": "1",
}
CHANGE = {"request_id": "q-1", "offer": "tea", "etag": "3", "currency": "HKD", "zone": "UTC"}


def _content(**words: str) -> Any:
    return create_offer({**NEW, **words}).content  # type: ignore[attr-defined]  # it is CreateOfferRequest


@pytest.mark.parametrize(
    ("words", "minor", "budget", "basis_points"),
    [
        ({}, 250, 100_000, 0),
        ({"discount": "0.05", "budget": "0.1"}, 5, 10, 0),
        ({"currency": "JPY", "discount": "5", "budget": "700"}, 5, 700, 0),
        ({"discount": "", "percent": "10"}, 0, 100_000, 1_000),
        ({"discount": "", "percent": "12.5"}, 0, 100_000, 1_250),
        ({"discount": "", "percent": "0.05"}, 0, 100_000, 5),
    ],
)
def test_amounts_are_exact(
    words: dict[str, str], minor: int, budget: int, basis_points: int
) -> None:
    """In minor units of the currency that is written beside them."""
    made = _content(**words)
    assert (minor, budget, basis_points) == (
        made.discount.minor,
        made.budget.minor,
        made.basis_points,
    )
    assert bool(minor) is made.HasField("discount")
    assert words.get("currency", "HKD") == made.currency == made.budget.currency


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"discount": ""}, "how much is off each price, or how many per cent, and not both"),
        ({"percent": "5"}, "and not both"),
        ({"discount": "2.555"}, "how much off each price is as a number, such as 12.50"),
        ({"discount": "2,5"}, "such as 12.50"),
        ({"discount": "-2"}, "such as 12.50"),
        ({"currency": "JPY", "discount": "2.5"}, r"such as 12\."),
        ({"budget": ""}, "how much the budget is"),
        ({"currency": ""}, "currency by its three letters"),
        ({"currency": "ZZZ"}, "currency by its three letters"),
        ({"discount": "", "percent": "ten"}, "per cent off as a number"),
        ({"uses": "1.5"}, "how often each payer may use it"),
        ({"uses": "0"}, "how often each payer may use it"),
        ({"until": "soon"}, "until when the offer holds"),
        ({"code": ""}, "no code"),
    ],
)
def test_what_is_no_amount_is_a_sentence(words: dict[str, str], sentence: str) -> None:
    """And nothing is asked."""
    with pytest.raises(FormRefused, match=sentence):
        _content(**words)


def test_what_is_left_empty_stays_as_it_is() -> None:
    """A form in which nothing is filled in asks for nothing."""
    for words, fields in (
        ({"budget": "5"}, {"budget"}),
        ({"uses": "3"}, {"uses_per_payer"}),
        ({"until": "2027-01-31T22:00"}, {"ends_at"}),
    ):
        made = change_offer({**CHANGE, **words})
        there = {field.name for field, _ in made.ListFields()}
        assert {"code", "etag", "request_id", *fields} == there
    with pytest.raises(FormRefused, match="what is to be another"):
        change_offer(CHANGE)
    with pytest.raises(FormRefused, match="how often each payer may use it"):
        change_offer({**CHANGE, "budget": "5", "uses": "0"})


def test_a_second_person_confirms_or_declines() -> None:
    """One of both must be said."""
    form = {"request_id": "q-1", "offer": "tea", "proposal": "p", "reason": "too dear"}
    declined = wire.DeclineOfferRequest(
        code="tea", proposal="p", reason="too dear", request_id="q-1"
    )
    assert declined == answer_offer({**form, "answer": "DECLINE"})
    yes = {**form, "answer": "CONFIRM", "reason": " "}
    assert isinstance(answer_offer(yes), wire.ConfirmOfferRequest)
    with pytest.raises(FormRefused, match="a reason is for who declines it"):
        answer_offer({**form, "answer": "CONFIRM"})
    for wrong in "", "PERHAPS":
        with pytest.raises(FormRefused, match="confirm it or decline it"):
            answer_offer({**form, "answer": wrong})


def test_who_is_refused_finds_the_form_filled_in() -> None:
    """With all that was written, and nothing that the page itself had put there."""
    address = offer_filled_in({**NEW, "form_key": "k"})
    assert address.startswith("/offers?code=tea&name=Tea&")
    assert address.endswith("#new")
    assert "k" not in address.partition("?")[2].split("&")
    assert "request_id" not in address
    expected = "/offers?offer=tea&budget=5#act-change-offer"
    assert expected == change_filled_in({**CHANGE, "budget": "5"})
