"""The reading of settings: sources, spelling mistakes, secrets."""

from dataclasses import fields
from pathlib import Path

import pytest

from actors.machine.policy import Policy
from alipay_client.config import SignType
from gateway.process import settings
from gateway.process.refusals import SettingsRefused
from gateway.process.sections import Address, FleetPolicy, Limits
from gateway.rpc.limits import EdgeLimits


def _file(folder: Path, text: str) -> str:
    path = folder / "vendgate.toml"
    path.write_text(text)
    return str(path)


def _problems(path: str | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsRefused) as refused:
        settings.load(path)
    return refused.value.problems


def test_defaults_are_the_rooms_own() -> None:
    """Without file and environment every limit is what the room that applies it says."""
    loaded = settings.load()
    assert Policy() == Policy(**loaded.policy.model_dump())
    assert EdgeLimits() == EdgeLimits(**loaded.limits.model_dump())


def test_every_limit_of_the_core_can_be_set() -> None:
    """The fleet's policy has each field of the core's, and the stream limits have no field that is
    not the edge's.
    """
    assert {field.name for field in fields(Policy)} == set(FleetPolicy.model_fields)
    assert {field.name for field in fields(EdgeLimits)} >= set(Limits.model_fields)


def test_a_limit_that_is_off_can_be_switched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a word no doubt waits for a person, and one person writes off; a number in the file
    or the environment changes that.
    """
    off = {
        "policy.doubt_review_above_minor = null",
        "policy.write_off_second_person_above_minor = null",
    }
    assert off <= set(settings.shown(settings.load()))
    path = _file(
        tmp_path, "[policy]\ndoubt_review_above_minor = 2000\nshort_of_funds_sync_tries = 4\n"
    )
    loaded = settings.load(path)
    assert {
        "policy.doubt_review_above_minor = 2000",
        "policy.short_of_funds_sync_tries = 4",
    } <= set(settings.shown(loaded))
    assert (2_000, 4) == (
        (limits := Policy(**loaded.policy.model_dump())).doubt_review_above_minor,
        limits.short_of_funds_sync_tries,
    )
    monkeypatch.setenv("VENDGATE_POLICY__DOUBT_REVIEW_ABOVE_MINOR", "0")
    assert 0 == settings.load(path).policy.doubt_review_above_minor


def test_the_environment_stands_above_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable replaces one setting and leaves the others of its table as the file has them."""
    path = _file(tmp_path, '[alipay]\npartner = "2088000000000001"\nsign_type = "MD5"\n')
    monkeypatch.setenv("VENDGATE_ALIPAY__SIGN_TYPE", "RSA2")
    monkeypatch.setenv("VENDGATE_POLICY__REFUND_RETRY_MS", "[1, 2]")
    loaded = settings.load(path)
    assert ("2088000000000001", SignType.RSA2, (1, 2)) == (
        loaded.alipay.partner,
        loaded.alipay.sign_type,
        loaded.policy.refund_retry_ms,
    )


def test_the_file_may_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VENDGATE_CONFIG names the file when nobody else does."""
    path = _file(tmp_path, "[ray]\nhosts = 3\n")
    monkeypatch.setenv(settings.CONFIG_VARIABLE, path)
    assert 3 == settings.load().ray.hosts
    assert path == settings.config_path(None)


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    """Key files, folders and the SQLite file are found wherever the program is started."""
    path = _file(
        tmp_path,
        '[database]\nurl = "sqlite:///run/v.db"\n[alipay]\nprivate_key_file = "keys/m.pem"\n'
        '[lake]\nfolder = "sales"\n[screens]\nfolder = "../pictures"\n',
    )
    loaded = settings.load(path)
    assert f"sqlite:///{tmp_path}/run/v.db" == loaded.database.url.get_secret_value()
    assert tmp_path / "keys/m.pem" == loaded.alipay.private_key_file
    assert (tmp_path / "sales", tmp_path / "../pictures") == (
        loaded.lake.folder,
        loaded.screens.folder,
    )


def test_folders_that_nobody_names_are_beside_the_file(tmp_path: Path) -> None:
    """So that every command finds the same, wherever it is called."""
    loaded = settings.load(_file(tmp_path, '[database]\nurl = "sqlite:///v.db"\n'))
    assert [tmp_path / "ray", tmp_path / "lake", tmp_path / "assets"] == [
        loaded.ray.run_dir,
        loaded.lake.folder,
        loaded.screens.folder,
    ]


@pytest.mark.parametrize("url", ["sqlite:////abs/v.db", "postgresql://user@host/name"])
def test_other_database_urls_stay_as_they_are(tmp_path: Path, url: str) -> None:
    """Absolute SQLite files and servers are not touched."""
    assert (
        url
        == settings.load(
            _file(tmp_path, f'[database]\nurl = "{url}"\n')
        ).database.url.get_secret_value()
    )


def test_an_unknown_key_of_the_file_is_refused(tmp_path: Path) -> None:
    """A spelling mistake is named, with what was probably meant."""
    assert ("alipay.partnr is not a setting; did you mean 'partner'?",) == _problems(
        _file(tmp_path, '[alipay]\npartnr = "x"\n')
    )


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    """The known tables are listed."""
    (problem,) = _problems(_file(tmp_path, "[zzz]\na = 1\n"))
    assert problem.startswith("zzz is not a setting; known are database, machines,")


def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable with our prefix that means nothing is not passed over in silence."""
    monkeypatch.setenv("VENDGATE_ALIPY__PARTNER", "x")
    monkeypatch.setenv("VENDGATE_HTTP__LISTN", "x")
    assert (
        (
            "The environment has VENDGATE_ALIPY__PARTNER, and there is no setting or table "
            "'alipy'; did you mean 'alipay'?"
        ),
        "http.listn is not a setting; did you mean 'listen'?",
    ) == _problems()


def test_what_kubernetes_says_of_a_service_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names variables after the Services of the namespace, of which one may be called
    vendgate, or vendgate-machines.
    """
    for service in ("VENDGATE", "VENDGATE_MACHINES"):
        for name, value in {
            "PORT": "tcp://10.0.0.7:7443",
            "SERVICE_HOST": "10.0.0.7",
            "SERVICE_PORT": "7443",
            "SERVICE_PORT_GRPC_TLS": "7443",
            "PORT_7443_TCP": "tcp://10.0.0.7:7443",
            "PORT_7443_TCP_PROTO": "tcp",
            "PORT_7443_TCP_PORT": "7443",
            "PORT_7443_TCP_ADDR": "10.0.0.7",
        }.items():
            monkeypatch.setenv(f"{service}_{name}", value)
    assert 8080 == settings.load().http.address.port
    monkeypatch.setenv("VENDGATE_PORT", "8080")  # a person means something by that
    (problem,) = _problems()
    assert problem.startswith("The environment has VENDGATE_PORT, and there is no setting")


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        ("alipay", "payment_minor_max", "true"),
        ("alipay", "notify_amount_field", '""'),
        ("alipay", "notify_currency_field", '"a b"'),
        ("alipay", "refund_reason_field", '"x\\n"'),
        ("database", "busy_timeout_ms", "true"),
        ("limits", "hello_timeout_s", "true"),
        ("policy", "refund_retry_ms", "[true]"),
        ("policy", "doubt_review_above_minor", "false"),
    ],
)
def test_a_value_of_another_kind_is_refused(
    tmp_path: Path, table: str, name: str, value: str
) -> None:
    """A switch is no number: a largest payment of 1, or a field that no notification can have,
    would credit nobody.
    """
    (problem,) = _problems(_file(tmp_path, f"[{table}]\n{name} = {value}\n"))
    assert problem.startswith(f"{table}.{name}")


def test_a_switch_is_true_or_false(tmp_path: Path) -> None:
    """And stays one."""
    path = _file(tmp_path, "[alipay]\nconfirm_payments_by_query = true\n")
    assert settings.load(path).alipay.confirm_payments_by_query


def test_a_wrong_value_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what is expected and how the setting is spelt in the environment."""
    monkeypatch.setenv("VENDGATE_MACHINES__LISTEN", "7443")
    monkeypatch.setenv("VENDGATE_RAY__MODE", "swarm")
    monkeypatch.setenv("VENDGATE_POLICY__IDLE_REFUND_MS", "0")
    assert (
        (
            "machines.listen: '7443' is not an address; write host:port, for example "
            "127.0.0.1:7443 "
            "(in the environment: VENDGATE_MACHINES__LISTEN)."
        ),
        (
            "ray.mode: should be 'local', 'cluster' or 'none' (in the environment: "
            "VENDGATE_RAY__MODE)."
        ),
        (
            "policy.idle_refund_ms: should be greater than or equal to 1000 (in the environment: "
            "VENDGATE_POLICY__IDLE_REFUND_MS)."
        ),
    ) == _problems()


def test_a_variable_that_names_a_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is set for a service of that name: the sentence is about that."""
    monkeypatch.setenv("VENDGATE_ADMIN", "tcp://10.0.0.1:7444")
    (problem,) = _problems()
    assert problem.startswith("VENDGATE_ADMIN is a section, not a value: unset it")


@pytest.mark.parametrize("name", ["VENDGATE_POLICY", "vendgate_policy"])
def test_an_empty_variable_that_names_a_section_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """In our words, not in the library's, which say nothing of what is to be done."""
    monkeypatch.setenv(name, "")
    (problem,) = _problems()
    assert problem.startswith(f"{name} is a section, not a value: unset it")


def test_a_variable_in_small_letters_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is known is obeyed, so one that is not must be told of."""
    monkeypatch.setenv("vendgate_ray__hosts", "3")
    assert 3 == settings.load().ray.hosts
    monkeypatch.setenv("vendgate_rya__hosts", "3")
    (problem,) = _problems()
    assert problem.startswith("The environment has vendgate_rya__hosts, and there is no setting")


def test_utf_16_without_a_mark_is_named(tmp_path: Path) -> None:
    """With what to do, where "not TOML" would not say it."""
    path = tmp_path / "vendgate.toml"
    path.write_bytes("[ray]\nhosts = 3\n".encode("utf-16-le"))
    (problem,) = _problems(str(path))
    assert "as UTF-16 without a mark at its beginning has: save it as UTF-8" in problem


@pytest.mark.parametrize(
    "endpoint", ["http://:x", "http://:4318", "http://host:0/v1", "http://[::1"]
)
def test_an_address_of_traces_names_a_computer(
    monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    """Else nothing is ever told, and only the log would say so, at each purchase."""
    monkeypatch.setenv("VENDGATE_TRACE__ENDPOINT", endpoint)
    (problem,) = _problems()
    assert problem.startswith("trace.endpoint: ")
    assert "write http://host:port/path" in problem


def test_a_broken_list_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not JSON where a list is wanted is a sentence, not a traceback."""
    monkeypatch.setenv("VENDGATE_POLICY__REFUND_RETRY_MS", "1,2")
    (problem,) = _problems()
    assert problem.startswith("VENDGATE_POLICY__REFUND_RETRY_MS: lists are written as [1000, 2000]")


def test_a_section_within_a_section_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the variable that is wrong, not the table that it is in."""
    monkeypatch.setenv("VENDGATE_ALIPAY__MERCHANT", "Vending Ltd")
    (problem,) = _problems()
    assert problem.startswith("VENDGATE_ALIPAY__MERCHANT is a section, not a value")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The path and a way out are named."""
    (problem,) = _problems(str(tmp_path / "none.toml"))
    assert (
        f"The configuration file {tmp_path}/none.toml cannot be read (No such file or "
        "directory); name another with --config."
    ) == problem


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff[ray]\nhosts = 3\n".encode(),
        "[ray]\nhosts = 3\n".encode("utf-16"),
        "# für die Wäscherei\n[ray]\nhosts = 3 # Läufer\n".encode("latin-1"),
        "# 主机\r\n[ray]\r\nhosts = 3\r\n".encode("gbk"),
    ],
)
def test_a_file_is_read_whatever_wrote_it(tmp_path: Path, content: bytes) -> None:
    """Notepad's mark, PowerShell's UTF-16, a comment in an old code page."""
    path = tmp_path / "vendgate.toml"
    path.write_bytes(content)
    assert 3 == settings.load(path).ray.hosts


def test_a_value_in_an_old_code_page_is_refused(tmp_path: Path) -> None:
    """It would be another value than the one that was written."""
    path = tmp_path / "vendgate.toml"
    path.write_bytes('[alipay.merchant]\nsecondary_merchant_name = "Bär"\n'.encode("latin-1"))
    (problem,) = _problems(str(path))
    assert problem.endswith("is not UTF-8 in a value: save it as UTF-8.")


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    """The parser's own words say where."""
    (problem,) = _problems(_file(tmp_path, "alipay: yes\n"))
    assert "is not TOML" in problem


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://app:geheim@db/vendgate", "postgresql://app:***@db/vendgate"),
        (
            "postgresql://app:ge/he@im@db/vendgate?password=geheim",
            "postgresql://app:***@db/vendgate?***",
        ),
        ("geheim", "***"),
    ],
)
def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, url: str, shown: str) -> None:
    """Neither the printed settings nor their repr hold a password or the salt."""
    monkeypatch.setenv("VENDGATE_DATABASE__URL", url)
    monkeypatch.setenv("VENDGATE_PAYER_SALT", "geheim://x")
    loaded = settings.load()
    lines = settings.shown(loaded)
    assert f'database.url = "{shown}"' in lines
    assert 'payer_salt = "***"' in lines
    assert "geheim" not in repr(loaded) + "".join(lines)


def test_addresses_are_read_both_ways() -> None:
    """IPv6 keeps its brackets; loopback is known in each of its forms."""
    for text, loopback in {
        "127.0.0.1:1": True,
        "[::1]:2": True,
        "localhost:3": True,
        "0.0.0.0:4": False,
        "[::]:5": False,
        "127.example:6": False,
        "127.0.0.1.example:7": False,
        "LOCALHOST:8": True,
        "127.8.8.8:9": True,
    }.items():
        address = Address.parse(text)
        assert (text, loopback) == (str(address), address.loopback)


@pytest.mark.parametrize(
    "text",
    ["a b:1", "127.0.0.1 :1", "256.0.0.1:1", "http://127.0.0.1:1", "[::g]:1", "1.2.3:1", "[]:1"],
)
def test_what_can_be_no_host_is_no_address(text: str) -> None:
    """It is refused with the settings, and not when the gateway listens."""
    with pytest.raises(ValueError, match="is not an address; write host:port"):
        Address.parse(text)


def test_the_public_url_follows_the_listener(tmp_path: Path) -> None:
    """Who says nothing is reached where the server listens."""
    assert "http://127.0.0.1:8080" == settings.load().public_url
    assert (
        "https://pay.example"
        == settings.load(
            _file(tmp_path, '[http]\npublic_url = "https://pay.example/"\n')
        ).public_url
    )
