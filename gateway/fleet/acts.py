"""All acts of administrators, as the services call them."""

from dataclasses import dataclass

from gateway.fleet.act import Act
from gateway.fleet.machine_acts import MachineActs
from gateway.fleet.money_acts import MoneyActs
from gateway.fleet.payer_acts import PayerActs

__all__ = ["Act", "FleetActs"]


@dataclass(frozen=True, kw_only=True)
class FleetActs(MachineActs, MoneyActs, PayerActs):
    """What administrators do with machines, with money and about persons, over one registry and one
    way to the actors.
    """
