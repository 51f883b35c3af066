"""What is asked of the fields of requests about experiments."""

import re

from google.protobuf.descriptor import EnumDescriptor

from alipay_client.currencies import SETTLED
from gateway.fleet import enums
from gateway.office.place_fields import PlaceFields
from gateway.office.v1 import experiment_pb2 as wire
from gateway.office.v1 import selector_pb2
from storage.experiments.content import Channel, Content, Design, Measure, TriedPrice
from storage.lift.assignment import FORTNIGHT
from storage.office.selectors import Selector

HYPOTHESIS_LENGTH_MAX = 200
DAYS, DAYS_USUAL = (7, 56), 28
PRE_DAYS, PRE_DAYS_USUAL = (14, 84), 28
SOUGHT_PERMILLE = (10, 1_000)
WITHIN_H_MAX = 24
WITHIN_H_USUAL = {Design.PAIRED: 24, Design.SWITCHBACK: 3}
PRICES_MAX = 20
NO_MACHINES = Selector()
PRICE_MINOR_MAX = 99_999_999
_CODE = re.compile(r"[A-Za-z0-9._-]{1,40}")
_CHANNEL = enums.descriptor_of(wire.ExperimentChannel)
_DESIGN = enums.descriptor_of(wire.ExperimentDesign)
_MEASURE = enums.descriptor_of(wire.ExperimentMeasure)


class ExperimentFields(PlaceFields):
    """Collects what is wrong with the fields of one request about experiments."""

    def experiment(self, value: str) -> "ExperimentFields":
        """Check an experiment's code."""
        if not _CODE.fullmatch(value):
            self.wrong("code", "must be 1 to 40 letters, digits, '.', '_' and '-'")
        return self

    def content(self, given: wire.ExperimentContent) -> Content:
        """Return what somebody wants to know; what is wrong with it is noted."""
        self.line("content.hypothesis", given.hypothesis, least=1, most=HYPOTHESIS_LENGTH_MAX)
        channel = Channel(self._word("channel", _CHANNEL, given.channel) or Channel.PLAYLIST)
        design = Design(self._word("design", _DESIGN, given.design) or Design.PAIRED)
        measure = Measure(self._word("measure", _MEASURE, given.measure) or Measure.UNITS)
        self._of_channel(channel, given)
        offered = channel is Channel.OFFER
        if (design is Design.PAYERS) is not offered:
            self.wrong("content.design", "must be of payers for an offer, and for nothing else")
        if offered:
            self._of_offer(measure, given)
        elif channel is Channel.PRICE or measure is Measure.SALES:
            self.currency(given.currency, field="content.currency")
        elif given.currency and given.currency not in SETTLED:
            self.wrong("content.currency", "must be empty, or one that Alipay settles")
        days = given.days or DAYS_USUAL
        unit = FORTNIGHT if design is Design.SWITCHBACK else 7
        if not DAYS[0] <= days <= DAYS[1] or days % unit:
            self.wrong("content.days", f"must be {unit} to {DAYS[1]}, in steps of {unit}")
        pre_days = given.pre_days or PRE_DAYS_USUAL
        self._between("pre_days", pre_days, *PRE_DAYS)
        self._between("sought_permille", given.sought_permille, *SOUGHT_PERMILLE)
        within_h = given.acknowledged_within_h or WITHIN_H_USUAL.get(design, 0)
        if design is not Design.PAYERS:
            self._between("acknowledged_within_h", within_h, 1, WITHIN_H_MAX)
        self.reason(given.forced_reason, field="content.forced_reason")
        self.tag(given.tag, field="content.tag", needed=False)
        return Content(
            hypothesis=given.hypothesis,
            channel=channel,
            design=design,
            measure=measure,
            currency=given.currency,
            selector=NO_MACHINES
            if offered
            else self.selector(given.selector, field="content.selector"),
            tag=given.tag,
            days=days,
            pre_days=pre_days,
            sought_permille=given.sought_permille,
            acknowledged_within_h=within_h,
            playlist=given.playlist,
            control_playlist=given.control_playlist,
            prices=tuple(
                TriedPrice(product=one.product, price_minor=one.price_minor)
                for one in sorted(given.prices, key=lambda one: one.product)
            ),
            forced=given.forced_reason,
            offer=given.offer,
        )

    def _of_offer(self, measure: Measure, given: wire.ExperimentContent) -> None:
        """Check what an offer says itself, or has not."""
        if not _CODE.fullmatch(given.offer):
            self.wrong("content.offer", "must be an offer's code")
        if measure is not Measure.SALES:
            self.wrong("content.measure", "must be EXPERIMENT_MEASURE_SALES: what payers spent")
        if given.HasField("selector") and given.selector != selector_pb2.Selector():
            self.wrong("content.selector", "must be empty: the offer says for which machines it is")
        for name in ("tag", "currency"):
            if getattr(given, name):
                self.wrong(f"content.{name}", "must be empty: that of the offer counts")
        if given.acknowledged_within_h:
            self.wrong(
                "content.acknowledged_within_h", "must be 0: no machine has to have anything"
            )

    def _of_channel(self, channel: Channel, given: wire.ExperimentContent) -> None:
        if channel is not Channel.OFFER and given.offer:
            self.wrong("content.offer", "must be empty: no offer is tried")
        if channel is Channel.PLAYLIST:
            self.code("content.playlist", given.playlist)
            self.code("content.control_playlist", given.control_playlist, needed=False)
            if given.prices:
                self.wrong("content.prices", "must be empty: a playlist is tried")
            if given.control_playlist and given.control_playlist == given.playlist:
                self.wrong("content.control_playlist", "must be another one than playlist")
            return
        if given.playlist or given.control_playlist:
            self.wrong("content.playlist", "must be empty: something else is tried")
        if channel is Channel.OFFER:
            if given.prices:
                self.wrong("content.prices", "must be empty: an offer is tried")
            return
        if not 1 <= len(given.prices) <= PRICES_MAX:
            self.wrong("content.prices", f"must be 1 to {PRICES_MAX}")
        if len({one.product for one in given.prices}) < len(given.prices):
            self.wrong("content.prices", "must name each product once")
        for index, one in enumerate(given.prices[: PRICES_MAX + 1]):
            self.product(one.product, field=f"content.prices[{index}].product")
            self._between(f"prices[{index}].price_minor", one.price_minor, 1, PRICE_MINOR_MAX)

    def _word(self, name: str, enum: EnumDescriptor, number: int) -> str:
        word = enums.word_of(enum, number)
        if not word:
            self.wrong(f"content.{name}", f"must be one of {', '.join(enums.names_of(enum))}")
        return word

    def _between(self, name: str, value: int, least: int, most: int) -> None:
        if not least <= value <= most:
            self.wrong(f"content.{name}", f"must be {least} to {most}")
