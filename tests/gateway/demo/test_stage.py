"""The demo's settings are ones that the gateway accepts."""

from pathlib import Path

import pytest

from gateway.demo import stage
from gateway.demo.children import ChildFailed
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


@pytest.mark.parametrize("name", ["😀", "a b", 'a"b', "a\\b", "a\x7fb", "ключ"])
def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    """Whatever characters its name has, the settings that are written are the ones that are
    read.
    """
    folder = tmp_path / name
    make_keys(folder / "alipay")
    path = stage.write_settings(folder, stage.free_ports(), keys=folder / "alipay", ray=False)

    assert f"sqlite:///{folder / 'vendgate.db'}" == load(path).database.url.get_secret_value()


@pytest.mark.parametrize("name", ["why?", "\udcff"])
def test_a_folder_that_no_url_can_name_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is made in it, with a sentence."""
    with pytest.raises(ChildFailed, match="choose another folder with --keep"):
        stage.check_folder(tmp_path / name)
    stage.check_folder(tmp_path / "😀")


def test_ports_differ() -> None:
    """Four servers, four ports."""
    ports = stage.free_ports()

    assert 4 == len({ports.machines, ports.admin, ports.http, ports.alipay})
