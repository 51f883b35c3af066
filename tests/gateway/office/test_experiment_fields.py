"""What cannot be an experiment is refused before anything is looked at, field by field."""

import pytest

from gateway.fleet.errors import CallRefused
from gateway.office.experiment_fields import ExperimentFields
from gateway.office.v1 import experiment_pb2 as wire
from gateway.office.v1 import selector_pb2
from storage.experiments.content import Channel, Design, Measure, TriedPrice
from tests.gateway.office.offering import of_offer
from tests.gateway.office.trying import of_prices, wanted

SWITCHBACK = wire.EXPERIMENT_DESIGN_SWITCHBACK
TEA = wire.TriedPrice(product="tea", price_minor=5)


def wrong(content: wire.ExperimentContent) -> list[str]:
    """The fields in which something is wrong."""
    fields = ExperimentFields()
    fields.content(content)
    return [one.field for one in fields.problems]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (wanted(hypothesis=""), "hypothesis"),
        (wanted(hypothesis="x" * 201), "hypothesis"),
        (wanted(channel=0), "channel"),
        (wanted(design=0), "design"),
        (wanted(measure=9), "measure"),
        (wanted(selector=None), "selector"),
        (wanted(playlist=""), "playlist"),
        (wanted(control_playlist="a b"), "control_playlist"),
        (wanted(control_playlist="all"), "control_playlist"),
        (wanted(prices=[TEA]), "prices"),
        (wanted(measure=wire.EXPERIMENT_MEASURE_SALES), "currency"),
        (wanted(currency="XXX"), "currency"),
        (wanted(days=6), "days"),
        (wanted(days=8), "days"),
        (wanted(days=63), "days"),
        (wanted(days=21, design=SWITCHBACK), "days"),
        (wanted(pre_days=13), "pre_days"),
        (wanted(sought_permille=9), "sought_permille"),
        (wanted(acknowledged_within_h=25), "acknowledged_within_h"),
        (wanted(forced_reason="x" * 501), "forced_reason"),
        (wanted(tag="a\0b"), "tag"),
        (wanted(tag="X" * 33), "tag"),
        (of_prices(currency=""), "currency"),
        (of_prices(playlist="all"), "playlist"),
        (of_prices(prices=[]), "prices"),
        (of_prices(prices=[TEA, TEA]), "prices"),
        (of_prices(0), "prices[0].price_minor"),
        (of_prices(prices=[wire.TriedPrice(price_minor=5)]), "prices[0].product"),
        (wanted(offer="tea"), "offer"),
        (wanted(design=wire.EXPERIMENT_DESIGN_PAYERS), "design"),
        (of_offer(design=SWITCHBACK), "design"),
        (of_offer(offer=""), "offer"),
        (of_offer(offer="a b"), "offer"),
        (of_offer(measure=wire.EXPERIMENT_MEASURE_UNITS), "measure"),
        (of_offer(selector=selector_pb2.Selector(all=True)), "selector"),
        (of_offer(tag="NEW"), "tag"),
        (of_offer(currency="HKD"), "currency"),
        (of_offer(acknowledged_within_h=3), "acknowledged_within_h"),
        (of_offer(playlist="all"), "playlist"),
        (of_offer(prices=[TEA]), "prices"),
        (of_offer(days=8), "days"),
        (of_offer(pre_days=13), "pre_days"),
    ],
)
def test_each_field_has_its_bounds(content: wire.ExperimentContent, field: str) -> None:
    """And nothing else is said to be wrong."""
    assert [f"content.{field}"] == wrong(content)


def test_what_is_right_is_read() -> None:
    """With what is usual where nothing is said."""
    of = ExperimentFields().content(of_prices(design=SWITCHBACK, prices=[TEA]))
    assert (Channel.PRICE, Design.SWITCHBACK, Measure.UNITS) == (of.channel, of.design, of.measure)
    assert (28, 28, 3) == (of.days, of.pre_days, of.acknowledged_within_h)
    assert (TriedPrice(product="tea", price_minor=5),) == of.prices
    assert 24 == ExperimentFields().content(wanted()).acknowledged_within_h
    offer = ExperimentFields().content(of_offer())
    assert (Channel.OFFER, Design.PAYERS, Measure.SALES) == (
        offer.channel,
        offer.design,
        offer.measure,
    )
    assert ("tea", "", "", 0, 28) == (
        offer.offer,
        offer.tag,
        offer.currency,
        offer.acknowledged_within_h,
        offer.days,
    )
    assert offer.selector.is_empty


@pytest.mark.parametrize("code", ["", "a b", "x" * 41, "ä"])
def test_a_code_is_short(code: str) -> None:
    """Of letters, digits and little else."""
    with pytest.raises(CallRefused):
        ExperimentFields().experiment(code).done()
    ExperimentFields().experiment("Summer-2026_a.b").done()
