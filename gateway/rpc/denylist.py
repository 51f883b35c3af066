"""Who is denied, as this gateway knows it: what every call and every stream is held against.

Flows in: the names that SQL has, from time to time. Flows out: yes or no, at once and without a
question to anybody.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

Snapshot = tuple[frozenset[str], frozenset[tuple[str, str]], frozenset[str], frozenset[str]]


@dataclass(slots=True)
class Denylist:
    """The denials that are in force. It is one object for the gateway's life; ``set`` changes it.
    Serial numbers are hexadecimal, in lower case. ``certificates`` are denied whoever shows them,
    ``of_machines`` as those of one machine: of another CA the number may be somebody else's.
    """

    certificates: frozenset[str] = field(default_factory=frozenset)
    of_machines: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    machines: frozenset[str] = field(default_factory=frozenset)
    people: frozenset[str] = field(default_factory=frozenset)

    def set(self, denied: Iterable[tuple[str, str, str]]) -> bool:
        """Take over what is denied from now on, by kind, name and the machine whose alone it is (of
        a certificate, else empty); return whether it is something else than before.
        """
        names: defaultdict[str, set[str]] = defaultdict(set)
        of_machines = set()
        for kind, name, machine_id in denied:
            if machine_id:
                of_machines.add((machine_id, name))
            else:
                names[kind].add(name)
        before = self._taken()
        self.certificates = frozenset(names["CERTIFICATE"])
        self.of_machines = frozenset(of_machines)
        self.machines = frozenset(names["MACHINE"])
        self.people = frozenset(names["PERSON"])
        return before != self._taken()

    def _taken(self) -> Snapshot:
        return self.certificates, self.of_machines, self.machines, self.people

    def machine(self, machine_id: str, serial: str = "") -> bool:
        """Return whether a machine with this certificate is turned away."""
        return (
            machine_id in self.machines
            or serial in self.certificates
            or (machine_id, serial) in self.of_machines
        )

    def person(self, *names: str, serial: str = "") -> bool:
        """Return whether somebody who has one of these names, or this certificate, is turned
        away.
        """
        return not self.people.isdisjoint(names) or serial in self.certificates
