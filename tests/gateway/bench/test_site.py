"""What is measured: the product with its own settings, but for a few."""

from pathlib import Path

from gateway.bench.site import BenchSite, RunningGateway, Setting, machine_names
from gateway.demo import stage
from gateway.process.configs import configs
from gateway.process.development import make_keys
from gateway.process.settings import load

PLAIN = Setting(name="no-ray", ray=False)


def test_the_settings_are_accepted_and_the_products_own(tmp_path: Path) -> None:
    """Customers do not wait for nothing; logs and waits are what an operator has."""
    make_keys(tmp_path / "alipay")
    site = BenchSite(tmp_path, payment_wait_ms=25_000)

    loaded = load(site.write_settings(PLAIN))

    made = configs(loaded)
    assert 3_600_000 == made.policy.idle_refund_ms
    assert 25_000 == made.policy.payment_wait_ms
    assert ("info", "json") == (loaded.logs.level, loaded.logs.format)
    assert stage.PARTNER == made.alipay.partner
    assert 20_000 == loaded.limits.heartbeat_interval_ms


def test_a_setting_may_name_a_database(tmp_path: Path) -> None:
    """Else it is a file in the site's folder."""
    make_keys(tmp_path / "alipay")
    site = BenchSite(tmp_path, payment_wait_ms=25_000)
    url = "postgresql://vendgate@127.0.0.1:5432/postgres"

    named = load(site.write_settings(Setting(name="postgres", ray=False, database_url=url)))
    own = load(site.write_settings(PLAIN))

    assert url == named.database.url.get_secret_value()
    assert f"sqlite:///{tmp_path / 'vendgate.db'}" == own.database.url.get_secret_value()


def test_a_host_in_the_gateways_process_is_counted_once() -> None:
    """And one in a process of its own by itself."""

    def running(*host_pids: int) -> RunningGateway:
        return RunningGateway(
            setting=PLAIN,
            machines="",
            admin="",
            began_s=0.0,
            ready_s=0.0,
            gateway_pid=7,
            host_pids=host_pids,
        )

    assert {"gateway": [7]} == running(7).pids
    assert {"gateway": [7], "host": [8, 9]} == running(8, 9).pids


def test_machines_have_names_of_one_length() -> None:
    """So that their frames are equally long."""
    assert ["B-000000", "B-000001"] == machine_names(2)
