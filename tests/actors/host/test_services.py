"""What a host is given."""

from actors.host.services import HostLimits
from gateway.links.batched_link import LinkLimits
from gateway.rpc.limits import EdgeLimits


def test_the_bounds_of_a_host_fit_those_of_its_gateways() -> None:
    """It answers before they give it up, and takes more frames of a machine than they let be
    unacknowledged.
    """
    host, link, edge = HostLimits(), LinkLimits(), EdgeLimits()
    assert host.exchange_max_s < link.exchange_timeout_s
    assert host.listen_idle_s < link.listen_timeout_s
    assert 2 * edge.unacked_max <= host.mailbox_max
    assert host.turns.commit_slow_s <= edge.answer_timeout_s
