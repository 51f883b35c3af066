"""Sets the demo's stage: a folder, settings with short waits, keys, and machines that are taken
into the fleet over the admin service.

Flows in: the folder and free ports. Flows out: a settings file for ``vendgate serve`` and
registered machines.
"""

import asyncio
import contextlib
import json
import socket
import time
import tomllib
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.demo.children import ChildFailed
from gateway.demo.pictures import gradient
from gateway.fleet.v1 import fleet_service_pb2, fleet_service_pb2_grpc
from gateway.fleet.v1 import machine_pb2 as fleet_wire
from gateway.office.v1 import (
    screen_pb2,
    screen_service_pb2,
    screen_service_pb2_grpc,
    selector_pb2,
)
from gateway.v1 import machine_pb2

CURRENCY = "HKD"
PARTNER = "2088000000000001"
PAST_ZONE = "Asia/Hong_Kong"
"""Where the machines of a demo with a past stand (``gateway.past.plan``)."""
POLICY = {
    "idle_refund_ms": 8_000,
    "payment_wait_ms": 4_000,
    "unavailable_grace_ms": 4_000,
    "approval_valid_ms": 5_000,
    "vend_result_ms": 8_000,
    "report_wait_ms": 8_000,
    "doubt_window_ms": 10_000,
    "late_watch_ms": 8_000,
    "refund_retry_ms": [1_000, 2_000, 4_000, 8_000],
    "code_retry_ms": [1_000, 2_000, 4_000],
}
"""The business's waits, shortened, so that a visitor sees each of them run out."""

LIMITS = {
    "reconnect_initial_ms": 500,
    "reconnect_max_ms": 3_000,
    "heartbeat_interval_ms": 5_000,
    "silent_after_ms": 15_000,
    "move_notice_ms": 0,
}
"""Of the streams; the demo has no balancer that must notice an end."""

PRODUCTS = (
    ("A1", "Cola", 850),
    ("A2", "Oolong tea", 700),
    ("A3", "Water", 500),
    ("B1", "Crisps", 1_200),
    ("B2", "Chocolate", 1_000),
)
STOCK = 9_999
SALT_FILE = "payer_salt"
SETTINGS_FILE = "vendgate.toml"
FLEET_FOLDER = "machines"
PICTURES = {
    "Morning": ((255, 214, 130), (214, 84, 62)),
    "Sea": ((140, 220, 230), (12, 74, 110)),
}
"""What machines show between customers: from which colour to which."""
PICTURES_FOR_S = 7 * 86_400
DIRECT = (("grpc.enable_http_proxy", 0),)
"""Options of a channel to this computer: a proxy that the environment names could not reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the demo's servers listen, on loopback. Fixed, so that each can be killed and come back
    where it was.
    """

    machines: int
    admin: int
    http: int
    health: int
    alipay: int
    console: int = 0
    screen: int = 0
    """The page of a machine's screen."""
    files: int = 0
    """What machines show."""
    enrolment: int = 0
    """Where machines get their first certificates."""


def free_ports() -> Ports:
    """Return ports that nobody listens on now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(9)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        machines, admin, http, health, alipay, console, screen, files, enrolment = (
            one.getsockname()[1] for one in sockets
        )
    return Ports(
        machines=machines,
        admin=admin,
        http=http,
        health=health,
        alipay=alipay,
        console=console,
        screen=screen,
        files=files,
        enrolment=enrolment,
    )


def ports_for(folder: Path) -> Ports:
    """Return ports that nobody listens on now; in a folder that was kept, the one to which Alipay
    sends what is paid with the codes that stand there. Elsewhere it would not be heard of.
    """
    ports = free_ports()
    try:
        kept = tomllib.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ports
    return replace(ports, http=int(kept["http"]["listen"].rpartition(":")[2]))


def check_folder(folder: Path) -> None:
    """Refuse a folder that the URL of a database in it cannot name. Raises ChildFailed."""
    if "?" in str(folder) or not _is_text(str(folder)):
        raise ChildFailed(
            f"{str(folder)!r} cannot be named in the URL of a database: choose another folder "
            "with --keep"
        )


def make_folder(folder: Path) -> None:
    """Make the folder if there is none. Raises ChildFailed, as ``check_folder`` does."""
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_settings(
    folder: Path,
    ports: Ports,
    *,
    keys: Path,
    ray: bool,
    others: Mapping[str, Mapping[str, object]] | None = None,
) -> Path:
    """Write the settings file of the demo's gateway and return its path. ``others`` are tables that
    take the place of the demo's.
    """
    path, salt = folder / SETTINGS_FILE, folder / SALT_FILE
    salt.write_text("demo-" + "x" * 27 + "\n", encoding="ascii")
    salt.chmod(0o600)
    sections: dict[str, Mapping[str, object]] = {
        "database": {"url": f"sqlite:///{folder / 'vendgate.db'}"},
        "machines": {"listen": f"127.0.0.1:{ports.machines}"},
        "admin": {"listen": f"127.0.0.1:{ports.admin}"},
        "http": {"listen": f"127.0.0.1:{ports.http}"},
        "health": {"listen": f"127.0.0.1:{ports.health}"},
        "alipay": {
            "environment": f"http://127.0.0.1:{ports.alipay}/gateway.do",
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
        "lake": {"folder": str(folder / "lake")},
        "ray": {"mode": "local" if ray else "none"},
        "policy": dict(POLICY),
        "limits": dict(LIMITS),
        "logs": {"level": "info", "format": "json"},
        **(_screens(folder, ports) if ports.files else {}),
        **(others or {}),
    }
    lines = ["# Made by the demo.", f"payer_salt_file = {_toml(str(salt))}"]
    for name, values in sections.items():
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def console_table(ports: Ports, *, past: bool) -> dict[str, object]:
    """Return the settings of the console. Machines with a past stand at sites, and what they sold
    has the days and hours of these: a page whose today is another day tells of another day.
    """
    table: dict[str, object] = {"enabled": True, "listen": f"127.0.0.1:{ports.console}"}
    return {**table, "time_zone": PAST_ZONE} if past else table


def _screens(folder: Path, ports: Ports) -> dict[str, Mapping[str, object]]:
    return {"screens": {"listen": f"127.0.0.1:{ports.files}", "folder": str(folder / "assets")}}


def _toml(value: object) -> str:
    """Return a value as TOML has it: JSON, but for what JSON escapes as halves of a character, and
    for DEL, which only TOML escapes.
    """
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


async def show_pictures(channel: grpc.aio.Channel) -> None:
    """Let all machines show some pictures between customers, as an administrator would."""
    screens = screen_service_pb2_grpc.ScreenServiceStub(channel)
    actor = (("x-actor", "demo"),)
    items = []
    for name, colours in PICTURES.items():
        add = screen_service_pb2.AddAssetRequest(content=gradient(*colours), name=name)
        asset = (await screens.AddAsset(add, metadata=actor, timeout=60)).asset
        items.append(screen_pb2.PlaylistItem(sha256=asset.sha256, duration_ms=5_000))
    playlist = screen_pb2.Playlist(code="demo", name="Some colours", items=items)
    await _unless_there(
        screens.CreatePlaylist(
            screen_service_pb2.CreatePlaylistRequest(playlist=playlist), metadata=actor, timeout=60
        )
    )
    plan = screen_pb2.ScreenPlan(
        code="demo",
        selector=selector_pb2.Selector(all=True),
        playlist="demo",
        not_after=Timestamp(seconds=int(time.time()) + PICTURES_FOR_S),
    )
    await _unless_there(
        screens.CreateScreenPlan(
            screen_service_pb2.CreateScreenPlanRequest(plan=plan), metadata=actor, timeout=60
        )
    )


async def _unless_there(call: Awaitable[object]) -> None:
    """Wait until something is made. In a folder that was kept it is there already, and perhaps was
    changed since.
    """
    try:
        await call
    except grpc.aio.AioRpcError as refused:
        if refused.code() is not grpc.StatusCode.ALREADY_EXISTS:
            raise


def alipay_arguments(keys: Path, ports: Ports) -> list[str]:
    """Return the command line of the pretend Alipay; it makes the keys of both sides in
    ``keys``.
    """
    return [
        "simulate",
        "alipay",
        "--state-dir",
        str(keys),
        "--port",
        str(ports.alipay),
        "--quick",
        "--json-ready",
    ]


def machine_names(count: int) -> tuple[str, ...]:
    """Return the demo's machine ids."""
    return tuple(f"VM-{number:04}" for number in range(1, count + 1))


def _mode(number: int) -> "machine_pb2.Mode.ValueType":
    modes = (
        machine_pb2.MODE_AUTHORIZATION_FIRST,
        machine_pb2.MODE_SELECTION_FIRST,
        machine_pb2.MODE_BOTH,
    )
    return modes[number % len(modes)]


async def register(channel: grpc.aio.Channel, machine_ids: Sequence[str]) -> None:
    """Take the machines into the fleet, as an administrator would."""
    fleet = fleet_service_pb2_grpc.FleetServiceStub(channel)
    await asyncio.gather(
        *(
            _unless_there(
                fleet.RegisterMachine(
                    registration(machine_id, number), metadata=(("x-actor", "demo"),), timeout=60
                )
            )
            for number, machine_id in enumerate(machine_ids)
        )
    )


def registration(machine_id: str, number: int) -> fleet_service_pb2.RegisterMachineRequest:
    """Return what takes a machine into the fleet."""
    columns = [
        fleet_wire.Column(
            column=column, product=product, price_minor=price, capacity=STOCK, stock=STOCK
        )
        for column, product, price in PRODUCTS
    ]
    return fleet_service_pb2.RegisterMachineRequest(
        machine_id=machine_id,
        store_name=f"Demo machine {machine_id}",
        currency=CURRENCY,
        country_code="HK",
        address="1 Queens Road Central, Hong Kong",
        mode=_mode(number),
        columns=columns,
    )
