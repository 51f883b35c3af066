"""The demo's settings when everybody proves who they are are ones that the gateway accepts."""

import datetime as dt
import shlex
from pathlib import Path

from gateway.demo import stage
from gateway.demo.identities import Identities
from gateway.process.configs import certificate_problems, configs
from gateway.process.development import make_keys
from gateway.process.settings import load
from gateway.rpc.roles import Role

NOW = dt.datetime.now(dt.UTC)


def test_its_settings_are_accepted(tmp_path: Path) -> None:
    """Machines and people are asked for certificates, machines without one for a token."""
    make_keys(tmp_path / "alipay")
    identities, ports = Identities.made(tmp_path, now=NOW), stage.free_ports()
    path = stage.write_settings(
        tmp_path, ports, keys=tmp_path / "alipay", ray=False, others=identities.tables(ports)
    )
    made = configs(load(path))
    assert made.machines_tls is not None
    assert made.admin_tls is not None
    assert made.enrolment is not None
    assert ({"owner": frozenset({Role.OWNER})}, frozenset()) == (
        made.roles.names,
        made.roles.unproven,
    )
    assert [] == certificate_problems(made, now_ms=int(NOW.timestamp() * 1_000))


def test_a_folder_that_was_kept_has_its_ca(tmp_path: Path) -> None:
    """Machines that enrolled there trust no other."""
    first = Identities.made(tmp_path, now=NOW)
    seen = {path: path.read_bytes() for path in first.folder.iterdir()}
    assert first == Identities.made(tmp_path, now=NOW + dt.timedelta(days=1))
    assert seen == {path: path.read_bytes() for path in first.folder.iterdir()}


def test_its_commands_name_files_that_are_there(tmp_path: Path) -> None:
    """As a shell reads them, whatever the folder is called."""
    identities = Identities.made(tmp_path / "a demo", now=NOW)
    way = identities.calling("127.0.0.1:1")
    for options in (way.grpcurl, way.qr.removeprefix("--admin 127.0.0.1:1 ")):
        files = [Path(word) for word in shlex.split(options) if not word.startswith("-")]
        assert [True] * 3 == [file.is_file() for file in files]
    assert "127.0.0.1:1" == way.address
    assert "socket_file" not in identities.tables(stage.free_ports())["admin"]
    told = identities.fleet_arguments(stage.free_ports())
    assert ["--ca", "--enrol", "--token-file"] == told[::2]


def test_a_visitor_comes_through_a_socket_where_it_can_be_named() -> None:
    """So that no line names certificates; the settings serve the socket that the lines name."""
    identities = Identities(folder=Path("/tmp/vg-x/tls"))
    way = identities.calling("127.0.0.1:1")
    assert ("-plaintext", "unix:/tmp/vg-x/admin.sock") == (way.grpcurl, way.address)
    assert "--admin unix:/tmp/vg-x/admin.sock" == way.qr
    assert (
        way.address.removeprefix("unix:")
        == identities.tables(stage.free_ports())["admin"]["socket_file"]
    )
