"""Who is denied, as this gateway knows it: what every call and every stream is held against.

Flows in: the names that SQL has, from time to time. Flows out: yes or no, at once and without a
question to anybody.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Denylist:
    """The denials that are in force. It is one object for the gateway's life; ``set`` changes it.
    Serial numbers are hexadecimal, in lower case.
    """

    certificates: frozenset[str] = field(default_factory=frozenset)
    machines: frozenset[str] = field(default_factory=frozenset)
    people: frozenset[str] = field(default_factory=frozenset)

    def set(self, names: Iterable[tuple[str, str]]) -> bool:
        """Take over what is denied from now on, by kind and name; return whether it is something
        else than before.
        """
        by_kind: dict[str, set[str]] = {}
        for kind, name in names:
            by_kind.setdefault(kind, set()).add(name)
        before = (self.certificates, self.machines, self.people)
        self.certificates = frozenset(by_kind.get("CERTIFICATE", ()))
        self.machines = frozenset(by_kind.get("MACHINE", ()))
        self.people = frozenset(by_kind.get("PERSON", ()))
        return before != (self.certificates, self.machines, self.people)

    def machine(self, machine_id: str, serial: str = "") -> bool:
        """Return whether a machine with this certificate is turned away."""
        return machine_id in self.machines or serial in self.certificates

    def person(self, *names: str, serial: str = "") -> bool:
        """Return whether somebody who has one of these names, or this certificate, is turned
        away.
        """
        return not self.people.isdisjoint(names) or serial in self.certificates
