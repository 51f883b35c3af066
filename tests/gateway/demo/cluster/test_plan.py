"""What is started, where, and with which settings."""

import signal
from pathlib import Path

from gateway.demo import stage
from gateway.demo.cluster import plan as module
from gateway.demo.cluster.plan import HEAD_IP, Plan, balanced, planned, recipes, tables
from gateway.process.settings import load


def made(folder: Path) -> Plan:
    """A plan of three machines."""
    return planned(folder, machines=3, seed=7, pace_s=2.5)


def test_every_door_is_another_one(tmp_path: Path) -> None:
    """No two parts want the same port, and nobody listens where others could come in."""
    plan = made(tmp_path)
    doors = [
        *(
            door
            for one in plan.gateways
            for door in (one.machines, one.admin, one.http, one.health)
        ),
        *(plan.balancer_machines, plan.balancer_http),
    ]
    ports = [int(door.rpartition(":")[2]) for door in doors]
    ports += [plan.alipay_port, plan.database_port, plan.head_port, *plan.node_ports.values()]
    nodes = [module.node_ip(name) for name in plan.node_ports]

    assert len(ports) == len(set(ports))
    assert len({*nodes, HEAD_IP, module.LOOPBACK}) == len(nodes) + 2
    assert all(door.startswith("127.0.0.1:") for door in doors)
    assert all(address.startswith("127.0.") for address in nodes)


def test_the_gateways_settings_are_accepted(tmp_path: Path) -> None:
    """Both have their own doors and ways into Ray, and one address for Alipay: the balancer's."""
    plan = made(tmp_path)
    read = []
    for gateway in plan.gateways:
        plan.settings_of(gateway).parent.mkdir()
        ports = stage.Ports(machines=0, admin=0, http=0, health=0, alipay=plan.alipay_port)
        path = stage.write_settings(
            plan.settings_of(gateway).parent,
            ports,
            keys=plan.keys,
            ray=True,
            others=tables(plan, gateway),
        )
        assert plan.settings_of(gateway) == path
        read.append(load(path))

    assert {f"http://{plan.balancer_http}"} == {one.public_url for one in read}
    assert [one.node_ip for one in plan.gateways] == [one.ray.node_ip for one in read]
    assert {("cluster", module.HOSTS, f"{HEAD_IP}:{plan.head_port}")} == {
        (one.ray.mode, one.ray.hosts, one.ray.address) for one in read
    }


def test_parts_stand_in_the_order_of_their_starts(tmp_path: Path) -> None:
    """Whoever is needed comes before; the head and the gateways' nodes have no place for hosts."""
    plan = made(tmp_path)
    parts = recipes(plan, postgres=tmp_path / "bin", haproxy="/haproxy", owner="postgres")
    names = [one.name for one in parts]
    by_name = {one.name: list(one.arguments) for one in parts}

    assert [
        *("alipay", "postgres", "ray-head", "ray-1", "ray-2", "ray-gateway-1", "ray-gateway-2"),
        *("gateway-1", "gateway-2", "balancer", "machines"),
    ] == names
    for one in parts:
        assert all(names.index(needed) < names.index(one.name) for needed in one.needs)
    without = [name for name, words in by_name.items() if "--num-cpus=0" in words]
    assert ["ray-head", "ray-gateway-1", "ray-gateway-2"] == without
    assert "127.0.2.1" in " ".join(by_name["ray-1"])
    assert signal.SIGINT.name in by_name["postgres"]
    assert "postgres" == by_name["postgres"][by_name["postgres"].index("--user") + 1]
    assert "rocksdb" == parts[2].environment["RAY_gcs_storage"]
    assert "2.5" == by_name["machines"][by_name["machines"].index("--pace") + 1]


def test_the_balancer_knows_both(tmp_path: Path) -> None:
    """By their names."""
    text = balanced(made(tmp_path))
    assert 4 == text.count("  server gateway-")
