"""Sets the demo's stage: a folder, settings with short waits, keys, and machines that are taken into the fleet over the admin service.

Flows in: the folder and the addresses that the children told. Flows out: a settings file for ``vendgate serve`` and registered machines.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import grpc.aio

from gateway.v1 import fleet_pb2, fleet_service_pb2, fleet_service_pb2_grpc, machine_pb2

CURRENCY = "HKD"
PARTNER = "2088000000000001"
POLICY = {
    "idle_refund_ms": 8_000,
    "payment_wait_ms": 4_000,
    "unavailable_grace_ms": 4_000,
    "vend_result_ms": 8_000,
    "doubt_window_ms": 10_000,
    "late_watch_ms": 8_000,
    "refund_retry_ms": [1_000, 2_000, 4_000, 8_000],
    "code_retry_ms": [1_000, 2_000, 4_000],
}
"""The business's waits, shortened, so that a visitor sees each of them run out."""

PRODUCTS = (("A1", "Cola", 850), ("A2", "Oolong tea", 700), ("A3", "Water", 500), ("B1", "Crisps", 1_200), ("B2", "Chocolate", 1_000))
STOCK = 9_999


def write_settings(folder: Path, *, alipay_url: str, keys: Path, ray: bool) -> Path:
    """Write the settings file of the demo's gateway and return its path."""
    path = folder / "vendgate.toml"
    sections: dict[str, dict[str, object]] = {
        "database": {"url": f"sqlite:///{folder / 'vendgate.db'}"},
        "machines": {"listen": "127.0.0.1:0"},
        "admin": {"listen": "127.0.0.1:0"},
        "http": {"listen": "127.0.0.1:0"},
        "alipay": {
            "environment": f"{alipay_url}/gateway.do",
            "partner": PARTNER,
            "sign_type": "RSA2",
            "private_key_file": str(keys / "merchant_private_key.pem"),
            "public_key_file": str(keys / "alipay_public_key.pem"),
            "connect_timeout_ms": 1_000,
            "read_timeout_ms": 3_000,
        },
        "alipay.merchant": {
            "secondary_merchant_id": "demo_vending",
            "secondary_merchant_name": "Demo Vending Ltd",
            "secondary_merchant_industry": "5499",
        },
        "ray": {"mode": "local" if ray else "none"},
        "policy": dict(POLICY),
        "limits": {"reconnect_initial_ms": 500, "reconnect_max_ms": 3_000, "heartbeat_interval_ms": 5_000, "silent_after_ms": 15_000},
        "logs": {"level": "info", "format": "json"},
    }
    lines = ["# Made by the demo. JSON strings, numbers and lists are TOML as well.", f"payer_salt = {json.dumps('demo-' + 'x' * 27)}"]
    for name, values in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    path.write_text("\n".join(lines) + "\n")
    return path


def machine_names(count: int) -> tuple[str, ...]:
    """Return the demo's machine ids."""
    return tuple(f"VM-{number:04}" for number in range(1, count + 1))


def _mode(number: int) -> "machine_pb2.Mode.ValueType":
    modes = (machine_pb2.MODE_AUTHORIZATION_FIRST, machine_pb2.MODE_SELECTION_FIRST, machine_pb2.MODE_BOTH)
    return modes[number % len(modes)]


async def register(channel: grpc.aio.Channel, machine_ids: Sequence[str]) -> None:
    """Take the machines into the fleet, as an administrator would."""
    fleet = fleet_service_pb2_grpc.FleetServiceStub(channel)
    columns = [
        fleet_pb2.Column(column=column, product=product, price_minor=price, capacity=STOCK, stock=STOCK)
        for column, product, price in PRODUCTS
    ]
    await asyncio.gather(
        *(
            fleet.RegisterMachine(
                fleet_service_pb2.RegisterMachineRequest(
                    machine_id=machine_id,
                    store_name=f"Demo machine {machine_id}",
                    currency=CURRENCY,
                    country_code="HK",
                    address="1 Queens Road Central, Hong Kong",
                    mode=_mode(number),
                    columns=columns,
                ),
                metadata=(("x-actor", "demo"),),
                timeout=60,
            )
            for number, machine_id in enumerate(machine_ids)
        )
    )
