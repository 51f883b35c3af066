"""The demo's settings are ones that the gateway accepts."""

from pathlib import Path
from types import SimpleNamespace

import grpc.aio
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from gateway.demo import stage
from gateway.demo.children import ChildFailed
from gateway.fleet.v1 import fleet_service_pb2, machine_pb2
from gateway.past import plan
from gateway.process.configs import configs
from gateway.process.development import make_keys
from gateway.process.settings import load
from tests.support.site import Site


@pytest.mark.parametrize("ray", [True, False])
def test_the_demos_settings_are_accepted(tmp_path: Path, ray: bool) -> None:
    """They load, pass every rule, and shorten the waits."""
    make_keys(tmp_path / "alipay")
    path = stage.write_settings(tmp_path, stage.free_ports(), keys=tmp_path / "alipay", ray=ray)

    made = configs(load(path))

    assert 8_000 == made.policy.idle_refund_ms
    assert stage.PARTNER == made.alipay.partner
    assert tmp_path / "lake" == load(path).lake.folder


@pytest.mark.parametrize(("past", "zone"), [(True, plan.ZONE), (False, "UTC")])
def test_today_of_the_console_is_that_of_machines_with_a_past(
    tmp_path: Path, past: bool, zone: str
) -> None:
    """Else the page's day is another than that of what it tells, for eight hours of each day."""
    make_keys(tmp_path / "alipay")
    ports = stage.free_ports()
    others = {"console": stage.console_table(ports, past=past)}
    path = stage.write_settings(tmp_path, ports, keys=tmp_path / "alipay", ray=False, others=others)
    assert zone == str(load(path).console.time_zone)


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


async def test_a_folder_that_was_kept_goes_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has is left as it is, also if somebody has changed it; anything else that is refused
    is told.
    """
    machine_ids = stage.machine_names(1)
    for now_s in (1_900_000_000, 1_900_000_009):
        # Its own clock alone: gRPC reckons the deadlines of calls with the process's.
        monkeypatch.setattr(stage, "time", SimpleNamespace(time=lambda now_s=now_s: now_s))
        await stage.register(site.channel, machine_ids)
        await stage.show_pictures(site.channel)
        await site.fleet.UpdateMachine(
            fleet_service_pb2.UpdateMachineRequest(
                machine=machine_pb2.Machine(machine_id=machine_ids[0], store_name="Pier 7"),
                update_mask=FieldMask(paths=["store_name"]),
            )
        )
    view = await site.queries.machine(machine_ids[0])
    assert view is not None
    assert "Pier 7" == view.store_name
    with pytest.raises(grpc.aio.AioRpcError, match="INVALID_ARGUMENT"):
        await stage.register(site.channel, [""])


def test_payments_are_told_where_the_codes_of_a_kept_folder_say(tmp_path: Path) -> None:
    """Else who pays before the codes have another address pays for nothing."""
    first = stage.ports_for(tmp_path)
    stage.write_settings(tmp_path, first, keys=tmp_path, ray=False)
    assert first.http == stage.ports_for(tmp_path).http


def test_ports_differ() -> None:
    """Four servers, four ports."""
    ports = stage.free_ports()

    assert 4 == len({ports.machines, ports.admin, ports.http, ports.alipay})
