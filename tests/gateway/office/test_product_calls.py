"""A request about a product is checked whole before anything is asked of the catalogue."""

from gateway.office.fields import OfficeFields
from gateway.office.product_calls import content_of
from gateway.office.v1 import product_pb2
from gateway.v1 import money_pb2
from storage.office.products import ProductContent


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
