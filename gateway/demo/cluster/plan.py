"""What is started for the cluster, where each part listens and how it is called. Pure, but for the
look for ports that are free.

Flows in: a folder, how many machines, a seed. Flows out: one :class:`Recipe` for each part, in the
order of their starts, and the tables of the gateways' settings.

Each node of Ray has an address of its own on loopback, as it has a computer of its own in
production; a gateway speaks through a node without places for hosts, as in
``deploy/gateway-in-cluster.sh``.
"""

import contextlib
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from actors import ray_knobs
from gateway.demo import stage
from gateway.demo.children import VENDGATE
from gateway.demo.cluster import balancer, keeper
from gateway.demo.cluster.balancer import Server

SESSIONS = "r/head"
"""Below the cluster's folder: where Ray puts its sockets, whose names have a limit."""
HOSTS = 2
GATEWAYS = 2
LOOPBACK = "127.0.0.1"
HEAD_IP = "127.0.0.2"
DATABASE_BACK_S = 5.0
HEAD_BACK_S = 5.0
NODE_BACK_S = 30.0
"""How long those stay away that are killed: a node longer than its hosts need to start elsewhere,
so that it can be seen.
"""
BACK_S = 1.0
_OBJECT_STORE_BYTES = 80 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a part is started, and started again: its command line, what is added to its
    environment, and for how long it stays away when it has ended.
    """

    name: str
    program: Sequence[str]
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    back_after_s: float = BACK_S
    needs: Sequence[str] = ()
    """Parts that are ready before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayPlan:
    """Where the doors of one gateway are, host:port, and through which node it speaks to Ray."""

    name: str
    machines: str
    admin: str
    http: str
    health: str
    node_ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Where everything is."""

    folder: Path
    seed: int
    machine_ids: Sequence[str]
    pace_s: float
    alipay_port: int
    database_port: int
    head_port: int
    node_ports: Mapping[str, int]
    balancer_machines: str
    balancer_http: str
    gateways: Sequence[GatewayPlan]

    @property
    def alipay_url(self) -> str:
        """Where customers pay by hand, and whose book it is."""
        return f"http://{LOOPBACK}:{self.alipay_port}"

    @property
    def database_url(self) -> str:
        """Our database, as the program names it."""
        return f"postgresql+asyncpg://vendgate@{LOOPBACK}:{self.database_port}/postgres"

    @property
    def data(self) -> Path:
        """PostgreSQL's folder, which is another user's if we are root."""
        return self.folder / "postgres"

    @property
    def keys(self) -> Path:
        """The keys of both sides of the pretend Alipay."""
        return self.folder / "alipay"

    @property
    def fleet(self) -> Path:
        """The machines' journals and shelves."""
        return self.folder / "machines"

    @property
    def token(self) -> Path:
        """The file of Ray's token."""
        return self.folder / "ray_token"

    def settings_of(self, gateway: GatewayPlan) -> Path:
        """The settings file of a gateway."""
        return self.folder / gateway.name / "vendgate.toml"


def node_ip(name: str) -> str:
    """Return the address of a node of Ray: ``ray-1`` and so on hold hosts, ``ray-gateway-1`` and so
    on a gateway's way in.
    """
    number = int(name.rpartition("-")[2])
    return f"127.0.{1 if 'gateway' in name else 2}.{number}"


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, on any address."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]


def planned(folder: Path, *, machines: int, seed: int, pace_s: float) -> Plan:
    """Return a plan with ports that are free now."""
    nodes = [f"ray-{number + 1}" for number in range(HOSTS)]
    ways = [f"ray-gateway-{number + 1}" for number in range(GATEWAYS)]
    ports = iter(free_ports(5 + len(nodes) + len(ways) + 4 * GATEWAYS))
    gateways = [
        GatewayPlan(
            name=f"gateway-{number + 1}",
            machines=f"{LOOPBACK}:{next(ports)}",
            admin=f"{LOOPBACK}:{next(ports)}",
            http=f"{LOOPBACK}:{next(ports)}",
            health=f"{LOOPBACK}:{next(ports)}",
            node_ip=node_ip(ways[number]),
        )
        for number in range(GATEWAYS)
    ]
    return Plan(
        folder=folder,
        seed=seed,
        machine_ids=stage.machine_names(machines),
        pace_s=pace_s,
        alipay_port=next(ports),
        database_port=next(ports),
        head_port=next(ports),
        node_ports={name: next(ports) for name in (*ways, *nodes)},
        balancer_machines=f"{LOOPBACK}:{next(ports)}",
        balancer_http=f"{LOOPBACK}:{next(ports)}",
        gateways=gateways,
    )


def tables(plan: Plan, gateway: GatewayPlan) -> dict[str, dict[str, object]]:
    """Return what a gateway's settings have in place of the demo's. Hosts read those of the gateway
    that makes them.
    """
    return {
        "database": {"url": plan.database_url},
        "machines": {"listen": gateway.machines},
        "admin": {"listen": gateway.admin},
        "http": {"listen": gateway.http, "public_url": f"http://{plan.balancer_http}"},
        "health": {"listen": gateway.health},
        "ray": {
            "mode": "cluster",
            "address": f"{HEAD_IP}:{plan.head_port}",
            "token_file": str(plan.token),
            "node_ip": gateway.node_ip,
            "hosts": HOSTS,
        },
        # Its balancer asks every second, and believes the second no.
        "limits": {**stage.LIMITS, "move_notice_ms": 3_000},
        "logs": {
            "level": "info",
            "format": "json",
            "hosts_file": str(plan.folder / "hosts.log"),
        },
    }


def balanced(plan: Plan) -> str:
    """Return the balancer's configuration."""
    servers = [
        Server(name=one.name, machines=one.machines, http=one.http, health=one.health)
        for one in plan.gateways
    ]
    return balancer.configuration(
        machines=plan.balancer_machines, http=plan.balancer_http, servers=servers
    )


def recipes(plan: Plan, *, postgres: Path, haproxy: str, owner: str | None) -> list[Recipe]:
    """Return all parts, in the order of their starts. ``postgres`` is the folder of its programs,
    ``owner`` the user as whom it runs, if it is another one.
    """
    ways = [name for name in plan.node_ports if "gateway" in name]
    nodes = [name for name in plan.node_ports if name not in ways]
    return [
        _alipay(plan),
        _postgres(plan, postgres, owner),
        _head(plan),
        *(_node(plan, name, cpus=2) for name in nodes),
        *(_node(plan, name, cpus=0) for name in ways),
        *(_gateway(plan, gateway, way) for gateway, way in zip(plan.gateways, ways, strict=True)),
        _balancer(plan, haproxy),
        _machines(plan),
    ]


def _alipay(plan: Plan) -> Recipe:
    ports = stage.Ports(machines=0, admin=0, http=0, health=0, alipay=plan.alipay_port)
    return Recipe(
        name="alipay", program=VENDGATE, arguments=stage.alipay_arguments(plan.keys, ports)
    )


def _postgres(plan: Plan, programs: Path, owner: str | None) -> Recipe:
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(plan.database_port),
        "unix_socket_directories": str(plan.data),
        "max_connections": "60",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Recipe(
        name="postgres",
        program=keeper.PROGRAM,
        arguments=keeper.arguments(
            [str(programs / "postgres"), "-D", str(plan.data / "data"), *options],
            ready=f"{LOOPBACK}:{plan.database_port}",
            stop=signal.SIGINT,  # the quick one: it ends its connections
            user=owner,
        ),
        back_after_s=DATABASE_BACK_S,
    )


def ray_environment(plan: Plan) -> dict[str, str]:
    """Return what every process of the cluster's Ray is told."""
    return ray_knobs.CLUSTER | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(plan.token),
        # Nobody but this computer.
        "RAY_ENABLE_RAY_CLUSTERS": "0",
    }


def _ray(*arguments: str) -> list[str]:
    ray = str(Path(sys.executable).with_name("ray"))
    store = f"--object-store-memory={_OBJECT_STORE_BYTES}"
    return [ray, "start", "--block", store, "--disable-usage-stats", *arguments]


def _head(plan: Plan) -> Recipe:
    place = plan.folder / SESSIONS
    return Recipe(
        name="ray-head",
        program=keeper.PROGRAM,
        arguments=keeper.arguments(
            _ray(
                "--head",
                f"--port={plan.head_port}",
                f"--node-ip-address={HEAD_IP}",
                "--num-cpus=0",
                "--include-dashboard=false",
                f"--temp-dir={place}",
            ),
            ready=f"{HEAD_IP}:{plan.head_port}",
            # With it Ray takes the nodes on this computer for a head that still runs.
            forget=place / "ray_current_cluster",
        ),
        environment=ray_environment(plan)
        | {
            # So a head that comes back knows the hosts.
            "RAY_gcs_storage": "rocksdb",
            "RAY_gcs_storage_path": str(plan.folder / "gcs"),
        },
        back_after_s=HEAD_BACK_S,
    )


def _node(plan: Plan, name: str, *, cpus: int) -> Recipe:
    address, port = node_ip(name), plan.node_ports[name]
    return Recipe(
        name=name,
        program=keeper.PROGRAM,
        arguments=keeper.arguments(
            _ray(
                f"--address={HEAD_IP}:{plan.head_port}",
                f"--node-ip-address={address}",
                f"--node-manager-port={port}",
                f"--num-cpus={cpus}",
                f"--temp-dir={plan.folder / 'r' / name.removeprefix('ray-')}",
            ),
            ready=f"{address}:{port}",
        ),
        environment=ray_environment(plan),
        back_after_s=NODE_BACK_S if cpus else BACK_S,
        needs=("ray-head",),
    )


def _gateway(plan: Plan, gateway: GatewayPlan, way: str) -> Recipe:
    return Recipe(
        name=gateway.name,
        program=VENDGATE,
        arguments=["serve", "--config", str(plan.settings_of(gateway)), "--json-ready"],
        environment=ray_environment(plan),
        needs=("postgres", way),
    )


def _balancer(plan: Plan, haproxy: str) -> Recipe:
    return Recipe(
        name="balancer",
        program=keeper.PROGRAM,
        arguments=keeper.arguments(
            [haproxy, "-db", "-f", str(plan.folder / "haproxy.cfg")],
            ready=plan.balancer_machines,
        ),
    )


def _machines(plan: Plan) -> Recipe:
    names = [word for machine_id in plan.machine_ids for word in ("--machine", machine_id)]
    return Recipe(
        name="machines",
        program=VENDGATE,
        arguments=[
            *("simulate", "machines", "--json-ready", "--seed", str(plan.seed)),
            *("--gateway", plan.balancer_machines, "--alipay", plan.alipay_url),
            *("--state-dir", str(plan.fleet), "--pace", f"{plan.pace_s:g}"),
            *names,
        ],
    )
