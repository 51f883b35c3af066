"""The order of what a host says."""

from actors.link import Delivery
from gateway.links.delivery_order import DeliveryOrder


def test_what_comes_too_early_waits() -> None:
    """What comes too early is handed on behind what was before it."""
    order = DeliveryOrder()
    deliveries = [Delivery(number=number, messages=()) for number in range(1, 4)]
    assert [] == order.take(deliveries[2], ())
    assert order.waiting
    assert [(deliveries[0], ())] == order.take(deliveries[0], ())
    assert [(deliveries[1], ()), (deliveries[2], ())] == order.take(deliveries[1], ())
    assert (4, False) == (order.expected, order.waiting)
