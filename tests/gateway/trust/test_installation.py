"""A developer's folder in which everybody proves who they are."""

import datetime as dt
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app
from gateway.process.configs import certificate_problems, configs
from gateway.process.settings import load
from gateway.rpc.roles import Role
from gateway.trust import installation

NOW = dt.datetime.now(dt.UTC)


def test_its_settings_are_accepted_whole(tmp_path: Path) -> None:
    """Both listeners ask for certificates, each of its own CA, and the owner is one."""
    path, new = installation.make(tmp_path / "new", now=NOW)
    made = configs(load(path))
    assert new
    assert made.machines_tls is not None
    assert made.admin_tls is not None
    assert made.machines_tls.client_ca != made.admin_tls.client_ca
    assert made.enrolment is not None
    assert {"owner": frozenset({Role.OWNER})} == made.roles.names
    assert frozenset() == made.roles.unproven
    assert [] == certificate_problems(made, now_ms=int(NOW.timestamp()) * 1_000)


def test_a_folder_that_is_in_use_is_kept(tmp_path: Path) -> None:
    """With its configuration, and with certificates that machines in the field have."""
    installation.make(tmp_path, now=NOW)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert (tmp_path / "vendgate.toml", False) == installation.make(tmp_path, now=NOW)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_the_command_says_how_to_call(tmp_path: Path) -> None:
    """Each file that it names is there."""
    result = CliRunner().invoke(app, ["init", str(tmp_path / "dev")])
    assert 0 == result.exit_code
    assert "--cert '" in result.output
    assert f"-plaintext unix:{tmp_path}/dev/admin.sock list\n" in result.output
    words = result.output.replace("'", " ").replace("{machine_id}", "VM-0001").split()
    named = [Path(word) for word in words if word.endswith(".pem")]
    assert 7 == len(named)
    assert all(path.is_file() for path in named)


def test_a_folder_is_made_plain_for_whoever_wants_it(tmp_path: Path) -> None:
    """Then nobody is asked for a proof, and a second call of either kind changes nothing."""
    for asked in ("--plain", "--tls"):
        result = CliRunner().invoke(app, ["init", str(tmp_path), asked])
        assert (0, False) == (result.exit_code, "-cert" in result.output)
    made = configs(load(tmp_path / "vendgate.toml"))
    assert (None, None, None) == (made.machines_tls, made.admin_tls, made.enrolment)


def test_a_socket_that_cannot_be_named_is_left_out(tmp_path: Path) -> None:
    """The owner's certificate is there all the same."""
    for name, there in (("dev", True), ("my folder", False), ("x" * 100, False)):
        path, _ = installation.make(tmp_path / name, now=NOW)
        assert there is ("socket_file" in path.read_text())
        assert there is ("unix:" in installation.next_steps(tmp_path / name))
