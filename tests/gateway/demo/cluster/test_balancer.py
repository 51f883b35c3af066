"""The balancer's configuration: HAProxy's own judge finds nothing, and every door leads to both
gateways.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.demo.cluster import balancer
from gateway.demo.cluster.balancer import Server, configuration, program

SERVERS = [
    Server(
        name=f"gateway-{number}",
        machines=f"127.0.0.1:{number}7443",
        http=f"127.0.0.1:{number}8080",
        health=f"127.0.0.1:{number}8081",
    )
    for number in (1, 2)
]


def made() -> str:
    """A configuration of two gateways."""
    return configuration(machines="127.0.0.1:7443", http="127.0.0.1:8080", servers=SERVERS)


def test_each_door_leads_to_both_gateways() -> None:
    """And asks each of them whether it is ready, at its own port of health."""
    text = made()
    machines, _, notifications = text.partition("listen notifications")
    for server in SERVERS:
        port = server.health.rpartition(":")[2]
        assert f"server {server.name} {server.machines} check port {port} " in machines
        assert f"server {server.name} {server.http} check port {port} " in notifications
    assert "uri /readyz" in text


@pytest.mark.skipif(program() is None, reason=balancer.INSTALL)
def test_haproxy_takes_it(tmp_path: Path) -> None:
    """Its own check of a configuration."""
    path = tmp_path / "haproxy.cfg"
    path.write_text(made())
    done = subprocess.run([str(program()), "-c", "-f", str(path)], capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr


def test_it_is_found_beside_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Debian keeps it where only root looks; where it is nowhere that is said."""
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr(balancer, "_FOLDERS", (str(tmp_path / "none"), str(tmp_path)))
    assert program() is None
    (tmp_path / "haproxy").touch()
    assert str(tmp_path / "haproxy") == program()
