"""Which streams are let in by the certificate of whoever opens them, before they have said a word.

Flows in: a call's authentication context. Flows out: the machine that its certificate names, or why
the call ends. How many streams one certificate has at once is bounded, and how many it opens,
whatever it says or does not say on them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from actors.machine.ids import MachineId
from gateway.machines.allowances import Allowances
from gateway.rpc import identity, statuses
from gateway.rpc.denylist import Denylist
from gateway.rpc.limits import EdgeLimits
from gateway.rpc.peers import serial_of
from gateway.rpc.statuses import Refusal


@dataclass(slots=True, kw_only=True)
class CertifiedStreams:
    """Those of one gateway. ``offends`` is told which machine was held to a bound, and why."""

    limits: EdgeLimits
    spiffe_domain: str
    denied: Denylist
    allowances: Allowances
    monotonic: Callable[[], float]
    offends: Callable[[str, str], None]
    _open: Counter[MachineId] = field(default_factory=Counter)

    def lets_in(self, auth: Mapping[str, Iterable[bytes]]) -> MachineId | Refusal | None:
        """Return the machine that the certificate names (None without TLS), or why not."""
        try:
            machine_id = identity.certified_machine(auth, spiffe_domain=self.spiffe_domain)
        except identity.NotIdentified:
            return statuses.NOT_IDENTIFIED
        if machine_id is None:
            return None
        if self.denied.machine(machine_id, serial_of(auth)):
            return statuses.DENIED
        now, refusal = self.monotonic(), None
        if not self.allowances.of(machine_id, now).opens(now):
            refusal = statuses.TOO_MANY_HELLOS
        elif self._open[machine_id] >= self.limits.streams_per_machine_max:
            refusal = statuses.TOO_MANY_OF_MACHINE
        if refusal is None:
            return machine_id
        self.offends(machine_id, refusal.reason)
        return refusal.about(machine_id=machine_id)

    def began(self, machine_id: MachineId | None) -> None:
        """A stream of this certificate is open."""
        if machine_id is not None:
            self._open[machine_id] += 1

    def ended(self, machine_id: MachineId | None) -> None:
        """It is open no more."""
        if machine_id is not None:
            self._open -= Counter([machine_id])
