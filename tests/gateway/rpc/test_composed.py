"""A text has one form, wherever in a message it stands."""

import pytest

from gateway.fleet.v1 import fleet_service_pb2
from gateway.office.v1 import product_pb2, product_service_pb2, selector_pb2
from gateway.rpc.composed import MARKS_MAX, KeyTwice, MarksHeaped, compose, composed

APART, ONE = "Cafe\u0301", "Caf\u00e9"
DISORDERED = "\u0301\u0327"


def test_two_forms_of_a_text_are_one() -> None:
    """Which looks the same; what is in its form already stays as it is."""
    assert ONE == composed(APART) == composed(ONE)
    assert "\uff1d1" == composed("\uff1d1"), "which only looks alike"


def test_every_text_of_a_message_is_composed() -> None:
    """A field, one of many, keys and values of a map, and what stands deeper."""
    request = product_service_pb2.CreateProductRequest(
        product=product_pb2.Product(code=APART, names={"fr": APART}), request_id="r1"
    )
    compose(request)
    assert (ONE, {"fr": ONE}) == (request.product.code, dict(request.product.names))
    many = selector_pb2.Selector(machine_ids=[APART, "VM-1"], labels={APART: APART})
    compose(many)
    assert ([ONE, "VM-1"], {ONE: ONE}) == (list(many.machine_ids), dict(many.labels))


def test_nothing_else_is_touched() -> None:
    """Numbers, flags, and a count of 0 that is there."""
    request = fleet_service_pb2.SetStockRequest(machine_id="VM-1", column=APART, stock=0)
    compose(request)
    assert fleet_service_pb2.SetStockRequest(machine_id="VM-1", column=ONE, stock=0) == request


def test_two_keys_that_are_one_are_said() -> None:
    """Neither is dropped in silence."""
    with pytest.raises(KeyTwice, match="labels has 'Café' twice"):
        compose(selector_pb2.Selector(labels={APART: "1", ONE: "2"}))


def test_marks_heaped_upon_one_letter_are_refused() -> None:
    """Wherever the text stands, before anybody puts them in order, which takes the square of their
    number: half a million would keep the gateway from its machines for minutes.
    """
    most, heap = "a" + DISORDERED * (MARKS_MAX // 2), "a" + DISORDERED * 250_000
    assert composed(most + most).count("\u0327") == MARKS_MAX
    for request, field in (
        (product_service_pb2.GetProductRequest(product=heap), "product"),
        (
            product_service_pb2.CreateProductRequest(product=product_pb2.Product(code=heap)),
            "code",
        ),
        (selector_pb2.Selector(machine_ids=[heap]), "machine_ids"),
        (selector_pb2.Selector(labels={"route": heap}), "labels"),
        (selector_pb2.Selector(labels={heap: "7"}), "labels"),
    ):
        with pytest.raises(MarksHeaped, match="30 marks upon one letter") as refused:
            compose(request)
        assert field == refused.value.field
