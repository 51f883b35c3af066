"""A pretend Alipay for demos, tests and firmware engineers: real HTTP, real signatures, pretend
money.

It shares the documented wire with the client beside it and none of its code, so that a misreading
in one of them shows.
"""

from alipay_client.simulator.app import SimulatedAlipay, build
from alipay_client.simulator.config import Faults, Limits, Quirks, SimulatorConfig
from alipay_client.simulator.control import application

__all__ = [
    "Faults",
    "Limits",
    "Quirks",
    "SimulatedAlipay",
    "SimulatorConfig",
    "application",
    "build",
]
