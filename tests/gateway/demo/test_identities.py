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


def test_its_commands_name_files_that_are_there(tmp_path: Path) -> None:
    """As a shell reads them, whatever the folder is called."""
    identities = Identities.made(tmp_path / "a demo", now=NOW)
    for options in (identities.grpcurl(), identities.qr()):
        files = [Path(word) for word in shlex.split(options) if not word.startswith("-")]
        assert [True] * 3 == [file.is_file() for file in files]
    told = identities.fleet_arguments(stage.free_ports())
    assert ["--ca", "--enrol", "--token-file"] == told[::2]
