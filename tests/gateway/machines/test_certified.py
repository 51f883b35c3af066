"""Streams that are let in by a certificate, or not."""

from typing import Any

from actors.machine.ids import MachineId
from gateway.machines.allowances import Allowances
from gateway.machines.certified import CertifiedStreams
from gateway.rpc.denylist import Denylist
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.statuses import Refusal


class Door:
    """A gateway's, with a clock that stands still, and who offended at it."""

    def __init__(self, **limits: Any) -> None:
        self.limits = EdgeLimits(**limits)
        self.denied = Denylist()
        self.offended: list[tuple[str, str]] = []
        self.now = 0.0
        self.certified = CertifiedStreams(
            limits=self.limits,
            spiffe_domain="x",
            denied=self.denied,
            allowances=Allowances(limits=self.limits),
            monotonic=lambda: self.now,
            offends=lambda name, reason: self.offended.append((name, reason)),
        )

    def comes(self, machine_id: str) -> str:
        """Somebody opens a stream with this machine's certificate; return how it went."""
        uri = f"spiffe://x/machine/{machine_id}".encode()
        let_in = self.certified.lets_in({"transport_security_type": [b"ssl"], "peer_uri": [uri]})
        return let_in.reason if isinstance(let_in, Refusal) else str(let_in)


def test_a_machine_opens_streams_at_a_rate_whatever_it_says_on_them() -> None:
    """Twice as many as Hellos; others are not kept from theirs, and it is named."""
    door = Door(hellos_per_minute=3)
    assert ["VM-1"] * 12 + ["TOO_MANY_HELLOS"] == [door.comes("VM-1") for _ in range(13)]
    assert [("VM-1", "TOO_MANY_HELLOS")] == door.offended
    assert "VM-2" == door.comes("VM-2")
    door.now += 10
    assert ["VM-1", "TOO_MANY_HELLOS"] == [door.comes("VM-1") for _ in range(2)]


def test_a_machine_has_a_few_streams_at_once_and_is_named_for_more() -> None:
    """Until one is over."""
    door = Door(streams_per_machine_max=2)
    for _ in range(2):
        door.certified.began(MachineId(door.comes("VM-1")))
    assert "TOO_MANY_OF_MACHINE" == door.comes("VM-1")
    assert [("VM-1", "TOO_MANY_OF_MACHINE")] == door.offended
    door.certified.ended(MachineId("VM-1"))
    assert "VM-1" == door.comes("VM-1")


def test_who_is_denied_or_nobody_is_turned_away_and_without_tls_anybody_comes() -> None:
    """None of it is held against an allowance."""
    door = Door(hellos_per_minute=1)
    door.denied.set([("MACHINE", "VM-1", "")])
    assert {"DENIED"} == {door.comes("VM-1") for _ in range(9)}
    assert {"NOT_IDENTIFIED"} == {door.comes("no id") for _ in range(9)}
    assert door.certified.lets_in({}) is None
    door.certified.began(None)
    door.certified.ended(None)
    assert [] == door.offended
