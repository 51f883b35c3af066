"""A request about a product is checked whole before anything is asked of the catalogue."""

from google.protobuf.field_mask_pb2 import FieldMask

from gateway.office.fields import OfficeFields
from gateway.office.product_calls import PATHS, change_of, content_of
from gateway.office.v1 import product_pb2
from gateway.v1 import money_pb2
from storage.office.product_content import PLAIN, ProductContent


def test_what_is_not_given_is_not_there() -> None:
    """No cost is not a cost of 0."""
    fields = OfficeFields()
    assert ProductContent() == content_of(fields, product_pb2.Product())
    free = product_pb2.Product(unit_cost=money_pb2.Money(minor=0, currency="HKD"))
    assert ProductContent(unit_cost_minor=0, unit_cost_currency="HKD") == content_of(fields, free)
    assert [] == fields.problems


def test_a_cost_needs_its_currency() -> None:
    """An amount alone says nothing."""
    fields = OfficeFields()
    content_of(fields, product_pb2.Product(unit_cost=money_pb2.Money(minor=5)))
    assert ["product.unit_cost.currency"] == [one.field for one in fields.problems]


def test_every_field_can_be_changed() -> None:
    """What is kept of a product and set at its creation can be set later."""
    fields = OfficeFields()
    change = change_of(fields, product_pb2.Product(), FieldMask(paths=PATHS))
    assert [] == fields.problems
    assert set(PLAIN) == set(change.plain)
    assert {} == change.names
