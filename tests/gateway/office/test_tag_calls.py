"""What cannot be a tag is refused before anything is made."""

import pytest

from gateway.office.v1 import tag_service_pb2 as wire
from tests.gateway.office.tagging import create, tags_of
from tests.support.fleet_calls import refusal
from tests.support.site import Site

WRONG = (
    (create("some"), "tag"),
    (create("_X"), "tag"),
    (create("X" * 33), "tag"),
    (create(rule=""), "rule.rule"),
    (create(rule="{"), "rule.rule"),
    (create(rule=" " * 8_001), "rule.rule"),
    (create(purchases_min=-1), "rule.purchases_min"),
    (create(currency="HKD"), "rule.currency"),
    (create(rule='{"feature":"money_7","at_least":1}'), "rule.currency"),
    (wire.CreateTagRequest(tag="BIG_BASKET", reason="x"), "rule.currency"),
    (wire.CreateTagRequest(tag="NEW"), "reason"),
)


async def test_what_cannot_be_a_tag_is_refused(site: Site, subtests: pytest.Subtests) -> None:
    """With the field that is wrong."""
    for number, (wanted, field) in enumerate(WRONG):
        with subtests.test(number=number, field=field):
            code, reason, message = await refusal(tags_of(site).CreateTag(wanted))
            assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (code.name, reason)
            assert field in message
