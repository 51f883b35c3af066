"""The rules between settings: each refusal is a sentence that says what to change."""

import errno
import importlib.util
import os
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from alipay_client.config import PRODUCTION_BACKUP_URL, PRODUCTION_URL, SANDBOX_URL
from gateway.process import configs, settings
from gateway.process.refusals import SettingsRefused
from gateway.process.sections import ConsolePages
from tests.alipay_client.wire import Pair, public_pem
from tests.support import installed

Tables = dict[str, Any]


@pytest.fixture
def tables(tmp_path: Path, pair: Pair) -> Tables:
    """Give a configuration that is accepted."""
    return installed.good(tmp_path, pair)


def _problems(folder: Path, tables: Tables) -> tuple[str, ...]:
    with pytest.raises(SettingsRefused) as refused:
        configs.configs(settings.load(installed.write(folder, tables)))
    return refused.value.problems


def _made(folder: Path, tables: Tables) -> configs.Configs:
    return configs.configs(settings.load(installed.write(folder, tables)))


def test_a_good_configuration_is_converted(tmp_path: Path, tables: Tables) -> None:
    """Every room gets its part; secrets are read from their files, without the line's end."""
    made = _made(tmp_path, tables)
    assert f"sqlite:///{tmp_path}/vendgate.db" == made.storage.url
    assert "http://127.0.0.1:8188/gateway.do" == made.alipay.gateway_url
    assert installed.SALT.encode() == made.payer_salt
    assert "Corner Vending" == made.merchant.secondary_merchant_name
    assert made.machines_tls is None
    assert "salt that" not in repr(made)
    assert "PRIVATE" not in repr(made)


def test_payers_are_forgotten_after_thirteen_months(tmp_path: Path, tables: Tables) -> None:
    """Unless the file says otherwise; no day at all is no span."""
    assert 396 == _made(tmp_path, tables).payer_unused_days
    assert 30 == _made(tmp_path, {"payer_unused_days": 30, **tables}).payer_unused_days
    (problem,) = _problems(tmp_path, {"payer_unused_days": 0, **tables})
    assert problem.startswith("payer_unused_days")


@pytest.mark.parametrize(
    ("environment", "urls"),
    [("sandbox", (SANDBOX_URL, "")), ("production", (PRODUCTION_URL, PRODUCTION_BACKUP_URL))],
)
def test_environments_are_names_of_gateways(
    tmp_path: Path, tables: Tables, environment: str, urls: tuple[str, str]
) -> None:
    """From sandbox to production the name changes, and nothing else."""
    tables["alipay"]["environment"] = environment
    tables["http"]["public_url"] = "https://pay.example"
    made = _made(tmp_path, tables)
    assert urls == (made.alipay.gateway_url, made.alipay.backup_url)


@pytest.mark.parametrize(
    ("table", "name", "value", "says"),
    [
        ("alipay", "partner", "1234", "alipay.partner must be the 16 digits"),
        (
            "alipay",
            "environment",
            "live",
            "alipay.environment: 'live' is neither sandbox, production nor a URL",
        ),
        ("alipay", "private_key_file", "absent.pem", "alipay.private_key_file: "),
        ("alipay", "private_key_file", "salt", "alipay: "),
        ("alipay", "public_key_file", "empty", "is empty, too large or not text"),
        ("alipay", "public_key_file", "own.pem", "alipay: "),
        ("alipay", "sign_type", "MD5", "alipay.md5_key_file is needed for MD5"),
        (
            "alipay",
            "environment",
            "https://mapi.alipaydev.com/gateway.do?x=1",
            "alipay.environment: ",
        ),
        (
            "alipay",
            "environment",
            "http://openapi.alipaydev.com/gateway.do",
            "alipay.environment: 'http://openapi.alipaydev.com/gateway.do' would send money orders",
        ),
        ("alipay", "environment", "https://host:port/", "alipay.environment: 'https://host:port/'"),
        ("alipay", "environment", "ftp://host/", "alipay.environment: 'ftp://host/'"),
        ("alipay", "backup_url", "intlmapi.alipay.com/gateway.do", "alipay.backup_url: "),
        ("alipay", "backup_url", "http://intlmapi.alipay.com./", "alipay.backup_url: "),
        ("database", "url", "mysql://host/name", "database.url: No support for mysql"),
        ("database", "url", "", "database.url: The database URL cannot be read"),
        ("database", "url", "postgresql://u@h/d?sslmode=require", "write ssl= for sslmode="),
        ("database", "url", "postgresql://u@h/d?connect_timeout=5", "database.busy_timeout_ms"),
        ("database", "url", "postgresql://u@h:port/d", "database.url: The database URL cannot be"),
        ("database", "url_file", "absent", "database.url_file: "),
        ("alipay", "notify_amount_field", "currency", "'currency' is read as something else"),
        ("alipay", "notify_amount_field", "sign", "'sign' is read as something else"),
        ("alipay", "notify_currency_field", "total_fee", "'total_fee' is read as something else"),
        ("ray", "mode", "cluster", "SQLite is a file of one computer and ray.mode is cluster"),
        (
            "policy",
            "write_off_second_person_above_minor",
            400,
            "policy.write_off_second_person_above_minor wants two people, and nobody proves who",
        ),
        (
            "offers",
            "budget_second_person_above_minor",
            400,
            "offers.budget_second_person_above_minor wants two people, and nobody proves who",
        ),
        (
            "machines",
            "listen",
            "0.0.0.0:7443",
            "machines.listen is 0.0.0.0:7443, which others can reach, and there is no TLS",
        ),
        (
            "machines",
            "listen",
            "127.example:7443",
            "machines.listen is 127.example:7443, which others can reach, and there is no TLS",
        ),
        (
            "admin",
            "listen",
            "[::]:7444",
            "admin.listen is [::]:7444, which others can reach, and there is no TLS",
        ),
        (
            "admin",
            "listen",
            "127.0.0.1:8080",
            "admin.listen and http.listen have the same port 8080; give each its own.",
        ),
        (
            "machines",
            "certificate_file",
            "own.pem",
            "machines: certificate_file and private_key_file belong together",
        ),
        (
            "admin",
            "client_ca_file",
            "own.pem",
            "admin.client_ca_file asks for client certificates, which needs TLS",
        ),
        (
            "http",
            "public_url",
            "pay.example",
            "http.public_url: 'pay.example' is not an http or https URL",
        ),
        ("alipay", "backup_url", "https://intlmapi.alipay.com/gateway.do?", "in ASCII, without"),
        ("http", "public_url", "https://pay.example?x=1", "without a query"),
        ("http", "public_url", "https://pay.example:0", "is not an http or https URL"),
        ("screens", "public_url", "https://ann:pw@pay.example", "'https://ann:***@pay.example'"),
        ("screens", "public_url", "https://pay.example:99999", "is not an http or https URL"),
        ("http", "public_url", "https://pay.example/?", "without a query"),
        ("http", "public_url", "https://pay.example/#", "without a query"),
        ("http", "public_url", "https://pay .example", "in ASCII"),
        ("http", "public_url", "https://pay.example\\x", "in ASCII"),
        ("http", "public_url", "https://pay.example/\u202e", "in ASCII"),
        (
            "http",
            "public_url",
            "https://ann:pw@pay.example",
            "'https://ann:***@pay.example'",
        ),
        ("admin", "listen", "localhost:8080", "admin.listen and http.listen have the same port"),
        ("http", "listen", "[::]:7443", "machines.listen and http.listen have the same port"),
        (
            "limits",
            "reconnect_initial_ms",
            600_000,
            "limits.reconnect_initial_ms (600000) must be at most limits.reconnect_max_ms (60000)",
        ),
        ("http", "public_url", f"https://pay.example/{'x' * 150}", "http.public_url is too long"),
        ("limits", "silent_after_ms", 30_000, "limits.silent_after_ms must be at least twice"),
        (
            "limits",
            "reconnect_max_ms",
            200_000,
            "policy.report_wait_ms (120000) must be at least limits.reconnect_max_ms (200000)",
        ),
        (
            "policy",
            "vend_result_ms",
            12_000,
            "policy.vend_result_ms (12000) must be at least approval_valid_ms (30000)",
        ),
    ],
)
def test_each_mistake_is_one_sentence(
    tmp_path: Path, tables: Tables, pair: Pair, table: str, name: str, value: object, says: str
) -> None:
    """A wrong setting is refused with what to change, and nothing else is complained about."""
    (tmp_path / "empty").write_text("")
    (tmp_path / "own.pem").write_text(public_pem(pair.merchant))
    tables.setdefault(table, {})[name] = value
    if table == "ray":
        tables["ray"]["token_file"] = "salt"
    (problem,) = _problems(tmp_path, tables)
    assert says in problem


@pytest.mark.parametrize("hidden", ["\u202e", "\n", "\u200b"])
def test_a_merchant_has_a_name_that_can_be_shown(
    tmp_path: Path, tables: Tables, hidden: str
) -> None:
    """It stands in wallets and in Alipay's books."""
    tables["alipay"]["merchant"]["secondary_merchant_name"] = f"Corner{hidden}Vending"
    (problem,) = _problems(tmp_path, tables)
    assert problem.startswith("alipay.merchant.secondary_merchant_name must be")


@pytest.mark.parametrize("environment", ["production", PRODUCTION_URL, PRODUCTION_BACKUP_URL])
def test_production_needs_https(tmp_path: Path, tables: Tables, environment: str) -> None:
    """Notifications of real money do not travel in the clear, however it is named."""
    tables["alipay"]["environment"] = environment
    (problem,) = _problems(tmp_path, tables)
    assert problem.startswith("http.public_url must begin with https://")


def test_a_cluster_without_a_token_is_refused(tmp_path: Path, tables: Tables) -> None:
    """Whoever reaches it could run what he likes beside the keys."""
    tables["ray"]["mode"] = "cluster"
    tables["database"]["url"] = "postgresql://app@db/vendgate"
    (problem,) = _problems(tmp_path, tables)
    assert problem.startswith("ray.token_file is needed for ray.mode = cluster")
    (tmp_path / "token").touch(mode=0o600)
    tables["ray"]["token_file"] = "token"
    (problem,) = _problems(tmp_path, tables)
    assert problem.startswith("ray.token_file: ")
    tables["ray"]["token_file"] = "salt"
    assert _made(tmp_path, tables).storage.url.startswith("postgresql")


def test_hosts_elsewhere_must_know_the_public_url(tmp_path: Path, tables: Tables) -> None:
    """A port that the system chooses is known to processes that the gateway starts, not to those of
    a cluster.
    """
    tables["http"]["listen"] = "127.0.0.1:0"
    assert "" == _made(tmp_path, tables).alipay.backup_url
    tables["ray"] = {"mode": "cluster", "token_file": "salt"}
    tables["database"]["url"] = "postgresql://app@db/vendgate"
    (problem,) = _problems(tmp_path, tables)
    assert problem.startswith("http.public_url must be given")


def test_all_problems_are_told_at_once(tmp_path: Path, tables: Tables) -> None:
    """An operator does not have to start the program once for each mistake."""
    tables["alipay"]["partner"] = ""
    tables["alipay"]["merchant"] = {}
    del tables["alipay"]["private_key_file"]
    del tables["payer_salt_file"]
    problems = _problems(tmp_path, tables)
    assert 6 == len(problems)
    assert any(
        problem.startswith("payer_salt must have at least 16 characters") for problem in problems
    )


def test_a_place_where_something_else_stands_is_named(tmp_path: Path, tables: Tables) -> None:
    """Neither a Ray nor the log of hosts could have it. What is to be made is no mistake."""

    def problems(run_dir: str, hosts_file: str) -> list[str]:
        tables["ray"] = {"mode": "local", "run_dir": f"{tmp_path}/{run_dir}"}
        tables["logs"] = {"hosts_file": f"{tmp_path}/{hosts_file}"}
        return configs.place_problems(settings.load(installed.write(tmp_path, tables)))

    assert [] == problems("new/ray", "hosts.log")
    assert [] == problems("", "salt")
    for below in ("salt", "salt/ray"):
        (problem,) = problems(below, "hosts.log")
        assert problem.startswith(f"ray.run_dir: {tmp_path}/salt is no folder")
    (problem,) = problems("ray", "")
    assert problem.startswith(f"logs.hosts_file: {tmp_path} is a folder")
    (problem,) = problems("ray", "new/hosts.log")
    assert problem.startswith(f"logs.hosts_file: {tmp_path}/new is no folder")
    tables["ray"] = {"mode": "none", "run_dir": f"{tmp_path}/salt"}
    del tables["logs"]
    tables["screens"] = {"listen": "127.0.0.1:8082"}
    tables["admin"]["socket_file"] = tables["screens"]["folder"] = f"{tmp_path}/salt"
    of_socket, of_screens = configs.place_problems(settings.load(installed.write(tmp_path, tables)))
    assert f"admin.socket_file: {tmp_path}/salt is something else; name another path." == of_socket
    assert of_screens.startswith(f"screens.folder: {tmp_path}/salt is no folder")
    del tables["admin"]["socket_file"], tables["screens"]["listen"]
    assert [] == configs.place_problems(settings.load(installed.write(tmp_path, tables)))


def test_a_place_that_this_user_cannot_write_is_named(
    tmp_path: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused with a sentence before a Ray, or a host, fails on it."""

    def problems(run_dir: str, hosts_file: str) -> list[str]:
        tables["ray"] = {"mode": "local", "run_dir": run_dir}
        tables["logs"] = {"hosts_file": hosts_file}
        return configs.place_problems(settings.load(installed.write(tmp_path, tables)))

    of_ray, of_logs = problems("/proc/new/ray", "/proc/hosts.log")
    assert "ray.run_dir: /proc keeps no files; name another place." == of_ray
    assert "logs.hosts_file: /proc keeps no files; name another place." == of_logs
    _, of_logs = problems("/proc", "/proc/version")
    assert "logs.hosts_file: /proc keeps no files; name another place." == of_logs
    (tmp_path / "old.log").write_text("")
    ours = (f"{tmp_path}/ray", f"{tmp_path}/hosts.log")
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda *_: False)
        for file in ("hosts.log", "old.log"):
            of_ray, of_logs = problems(ours[0], f"{tmp_path}/{file}")
            assert of_ray.startswith(f"ray.run_dir: {tmp_path} cannot be written by this user")
            assert "cannot be written by this user" in of_logs

    def refuses(path: Path, **_: object) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "exists", refuses)
        for problem in problems(*ours):
            assert "cannot be reached by this user (Permission denied)" in problem
    assert [] == problems(*ours)


def test_a_salt_that_cannot_be_read_is_told_of_once(tmp_path: Path, tables: Tables) -> None:
    """How long it must be is no news to whoever named a folder."""
    tables["payer_salt_file"] = str(tmp_path)
    (problem,) = _problems(tmp_path, tables)
    assert problem.startswith("payer_salt_file: ")


def test_tls_is_read_and_must_be_a_pair(tmp_path: Path, tables: Tables) -> None:
    """A listener that others reach has a certificate, its own key and a CA of its callers."""
    certificate, key = installed.certificate(tmp_path, "server")
    _, other_key = installed.certificate(tmp_path, "other")
    tables["machines"] = {
        "listen": "0.0.0.0:7443",
        "certificate_file": certificate,
        "private_key_file": key,
    }
    assert "asks nobody who they are" in _problems(tmp_path, tables)[0]
    tables["machines"]["client_ca_file"] = certificate
    made = _made(tmp_path, tables).machines_tls
    assert made is not None
    assert made.client_ca == made.certificate
    tables["machines"]["private_key_file"] = other_key
    assert (
        "machines.private_key_file does not belong to machines.certificate_file; give the pair.",
    ) == _problems(tmp_path, tables)
    tables["machines"]["private_key_file"] = "salt"
    assert ("machines.private_key_file is not an unencrypted PEM private key.",) == _problems(
        tmp_path, tables
    )
    tables["machines"]["certificate_file"] = "salt"
    assert "machines.certificate_file is not a PEM certificate" in _problems(tmp_path, tables)[0]


def test_a_database_url_may_be_a_mounted_secret(tmp_path: Path, tables: Tables) -> None:
    """A URL with a password in it comes from a file."""
    (tmp_path / "url").write_text("postgresql://app:pw@db/vendgate\n")
    (tmp_path / "url").chmod(0o600)
    tables["database"] = {"url_file": "url"}
    loaded = settings.load(installed.write(tmp_path, tables))
    assert "postgresql://app:pw@db/vendgate" == configs.storage_config(loaded).url


@pytest.mark.parametrize(
    "part", ["opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"]
)
def test_traces_need_what_sends_them(
    tmp_path: Path, tables: Tables, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Where a part is not installed, what to install is said at the start; without an endpoint
    nobody asks.
    """
    endpoint = "http://127.0.0.1:4318/v1/traces"
    tables["trace"] = {"endpoint": endpoint}
    assert endpoint == _made(tmp_path, tables).trace.endpoint
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        if part == "opentelemetry" and name.startswith(part):
            raise ModuleNotFoundError(name)
        return None if name == part else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    (sentence,) = _problems(tmp_path, tables)
    assert "trace.endpoint is set" in sentence
    assert "pip install 'vendgate[trace]'" in sentence
    del tables["trace"]
    assert "" == _made(tmp_path, tables).trace.endpoint


def test_the_key_of_screens_is_long_and_nobody_elses(tmp_path: Path, tables: Tables) -> None:
    """It is read from its file, and no log shows it; without one there is none."""
    assert b"" == _made(tmp_path, tables).screens_key
    key = tmp_path / "screens.key"
    key.write_text("k" * 32 + "\n")
    key.chmod(0o600)
    tables["screens"] = {"listen": "127.0.0.1:8082", "key_file": str(key)}
    made = _made(tmp_path, tables)
    assert b"k" * 32 == made.screens_key
    assert "kkk" not in repr(made)
    key.write_text("short")
    (problem,) = _problems(tmp_path, tables)
    assert "openssl rand" in problem
    key.write_text("k" * 32)
    key.chmod(0o644)
    assert "chmod 600" in _problems(tmp_path, tables)[0]


def test_files_for_screens_have_a_port_of_their_own(tmp_path: Path, tables: Tables) -> None:
    """Not that of payments."""
    tables["http"] = {**tables.get("http", {}), "listen": "127.0.0.1:8080"}
    tables["screens"] = {"listen": "127.0.0.1:8080"}
    assert "http.listen and screens.listen" in _problems(tmp_path, tables)[0]


def _told(folder: Path, tables: Tables, **console: object) -> tuple[str, ...]:
    """What is refused of these settings of the console."""
    path = installed.write(folder, {**tables, "console": console})
    try:
        configs.configs(settings.load(path))
    except SettingsRefused as refused:
        return refused.problems
    return ()


def test_the_console_counts_when_it_is_on(tmp_path: Path, tables: Tables) -> None:
    """A port of another door is refused then, and so is one that others reach without TLS; whom it
    asks for a certificate is the operator's choice, because links sign people in.
    """
    assert () == _told(tmp_path, tables, listen="127.0.0.1:7444")
    assert () == _told(tmp_path, tables, enabled=True)
    (same,) = _told(tmp_path, tables, enabled=True, listen="127.0.0.1:7444")
    assert "admin.listen and console.listen have the same port 7444" in same
    (plain,) = _told(tmp_path, tables, enabled=True, listen="0.0.0.0:7445")
    assert "console.listen is 0.0.0.0:7445, which others can reach, and there is no TLS" in plain
    (zone,) = _told(tmp_path, tables, time_zone="Mars/Olympus")
    assert "console.time_zone: 'Mars/Olympus' is no time zone" in zone
    (name,) = _told(tmp_path, tables, names=["https://console.example.com/"])
    assert "console.names" in name


def test_the_console_knows_its_names() -> None:
    """With the port that the system chose; on loopback by all names of this computer."""
    here = ConsolePages(listen="127.0.0.1:0", names=("Console.Example.com",))
    assert {"127.0.0.1:5", "localhost:5", "[::1]:5", "console.example.com"} == here.hosts(5)
    assert {"0.0.0.0:7"} == ConsolePages(listen="0.0.0.0:0").hosts(7)
