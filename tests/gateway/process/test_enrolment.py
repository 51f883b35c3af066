"""What is wrong with the settings of a gateway that enrols machines."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from gateway.process.configs import Configs, certificate_problems, configs
from gateway.process.refusals import SettingsRefused
from gateway.process.settings import load
from gateway.trust import authority_files
from gateway.trust.authority import DAYS, Profile
from tests.alipay_client.wire import Pair
from tests.support import installed

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def tables(tmp_path: Path, pair: Pair) -> dict[str, Any]:
    """Settings that are right."""
    authority_files.make(tmp_path / "ca", "vending.example", now=NOW)
    authority_files.issue(
        authority_files.issuer_of(tmp_path / "ca", Profile.GATEWAY),
        tmp_path,
        profile=Profile.GATEWAY,
        name="gw",
        days=DAYS[Profile.GATEWAY],
        names=("localhost",),
        now=NOW,
    )
    pair_of_files = {"certificate_file": "gw.pem", "private_key_file": "gw_key.pem"}
    return {
        **installed.good(tmp_path, pair),
        "machines": {**pair_of_files, "client_ca_file": "ca/machines_ca.pem"},
        "enrolment": {
            **pair_of_files,
            "enabled": True,
            "listen": "0.0.0.0:7446",
            "ca_certificate_file": "ca/machines_ca.pem",
            "ca_private_key_file": "ca/machines_ca_key.pem",
            "gateway": "gw.example:7443",
        },
    }


def made(folder: Path, tables: dict[str, Any]) -> Configs:
    return configs(load(installed.write(folder, tables)))


def test_it_is_off_unless_somebody_wants_it(tmp_path: Path, tables: dict[str, Any]) -> None:
    """And then it is whole, and its certificates are judged as the others."""
    given = made(tmp_path, tables)
    assert given.enrolment is not None
    assert ("0.0.0.0:7446", 30) == (given.enrolment.public_address, given.enrolment.days)
    assert given.enrolment.tls is not None
    assert "PRIVATE" not in repr(given)
    late = int((NOW + dt.timedelta(days=91)).timestamp() * 1_000)
    said = certificate_problems(given, now_ms=late)
    assert any(one.startswith("enrolment.certificate_file") for one in said)
    tables["enrolment"]["enabled"] = False
    assert made(tmp_path, tables).enrolment is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ca_certificate_file": None}, "nothing issues certificates"),
        ({"ca_private_key_file": None}, "nothing issues certificates"),
        ({"ca_sign_command": ["sign"]}, "exclude each other"),
        ({"client_ca_file": "ca/machines_ca.pem"}, "leave it out"),
        ({"certificate_file": None, "private_key_file": None}, "there is no TLS"),
        ({"ca_certificate_file": "ca/gateways_ca.pem"}, "does not hold enrolment.ca_certificate"),
        ({"listen": "127.0.0.1:7443"}, "have the same port 7443"),
        ({"ca_private_key_file": "gone.pem"}, "cannot be read"),
        ({"gateway": "nowhere"}, "enrolment.gateway"),
    ],
)
def test_what_cannot_work_is_told(
    tmp_path: Path, tables: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    """Before anything listens."""
    table = tables["enrolment"] | change
    tables["enrolment"] = {name: value for name, value in table.items() if value is not None}
    with pytest.raises(SettingsRefused) as refused:
        made(tmp_path, tables)
    assert any(said in one for one in refused.value.problems), refused.value.problems


def test_machines_must_show_certificates(tmp_path: Path, tables: dict[str, Any]) -> None:
    """Else nobody would ask for what is issued."""
    tables["machines"] = {}
    with pytest.raises(SettingsRefused, match="machines show no certificates"):
        made(tmp_path, tables)
