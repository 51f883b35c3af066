"""The demo's settings are ones that the gateway accepts."""

from pathlib import Path

import pytest

from gateway.demo import stage
from gateway.process.configs import configs
from gateway.process.development import make_keys
from gateway.process.settings import load


@pytest.mark.parametrize("ray", [True, False])
def test_the_demos_settings_are_accepted(tmp_path: Path, ray: bool) -> None:
    """They load, pass every rule, and shorten the waits."""
    make_keys(tmp_path / "alipay")
    path = stage.write_settings(tmp_path, stage.free_ports(), keys=tmp_path / "alipay", ray=ray)

    made = configs(load(path))

    assert 8_000 == made.policy.idle_refund_ms
    assert stage.PARTNER == made.alipay.partner


def test_ports_differ() -> None:
    """Four servers, four ports."""
    ports = stage.free_ports()

    assert 4 == len({ports.machines, ports.admin, ports.http, ports.alipay})
