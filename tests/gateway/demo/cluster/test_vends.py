"""When goods were approved, and how long nobody got any."""

import pytest

from gateway.demo.cluster import vends as module
from gateway.demo.cluster.vends import Vends
from storage.fleet.views import VendView


def vend(number: int, at_ms: int, machine_id: str = "a", status: str = "SUCCEEDED") -> VendView:
    """A vend that was asked for at that moment."""
    return VendView(
        position="",
        vend_id=f"v{number}",
        machine_id=machine_id,
        session_id="",
        request_id="",
        column="A1",
        product="",
        price_minor=1,
        currency="HKD",
        status=status,
        reason="",
        requested_at_ms=at_ms,
        ended_at_ms=None,
        list_price_minor=1,
        discount_minor=0,
        offer="",
    )


def test_the_first_after_a_moment_at_a_host_s_machines() -> None:
    """What was not approved is none, and nothing counts that was asked for before."""
    vends = Vends({"a": 0, "b": 1})
    vends.saw([vend(1, 100), vend(2, 300, "b"), vend(3, 200, "b", "DENIED"), vend(4, 400)])
    vends.saw([vend(3, 200, "b", "DENIED"), vend(2, 300, "b")])
    assert (300, 300, 400) == (vends.first(100), vends.first(0, [1]), vends.first(100, [0]))
    assert vends.first(300, [1]) is None


def test_the_longest_pause_counts_both_edges() -> None:
    """A span in which nobody bought is one pause."""
    vends = Vends({"a": 0})
    vends.saw([vend(1, 1_000), vend(2, 4_000), vend(3, 4_500)])
    assert (3.0, 5.5, 2.0) == (
        vends.pause_s(0, 5_000),
        vends.pause_s(4_200, 10_000),
        vends.pause_s(5_000, 7_000),
    )


def test_it_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it goes on."""
    monkeypatch.setattr(module, "VENDS_MAX", 2)
    vends = Vends({"a": 0})
    vends.saw([vend(number, number) for number in range(5)])
    assert 3 == vends.first(0)
