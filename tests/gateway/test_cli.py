"""The command line: what people and scripts see."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer
from rich import markup
from typer.testing import CliRunner, Result

from gateway import cli
from gateway.serving import greeting
from storage.database import migrate
from tests.alipay_client.wire import Pair
from tests.support import installed

ROOT = Path(__file__).parents[2]
LOADED = """
import runpy, signal, sys

class Watch:
    def find_spec(self, name, *_):
        if name == "gateway.cli":
            print(repr(signal.getsignal(signal.SIGINT)), file=sys.stderr)

sys.meta_path.insert(0, Watch())
signal.signal(signal.SIGINT, signal.{before})
sys.argv = ["vendgate", "--version"]
try:
    runpy.run_module("gateway", run_name="__main__")
finally:
    print(repr(signal.getsignal(signal.SIGINT)), file=sys.stderr)
"""


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def test_help_lists_the_commands() -> None:
    """Without arguments the program says what it can do."""
    told = _run("--help").output
    for command in ("serve", "init", "db", "config", "simulate"):
        assert command in told


def test_the_command_line_waits_for_no_database() -> None:
    """Each program, and each child of the demo, begins with it: SQL, gRPC and Ray are loaded by
    those that need them.
    """
    probe = "import sys, gateway.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert set() == {"sqlalchemy", "alembic", "grpc", "ray"} & set(loaded)


def _commands(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    yield " ".join(path), command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, *path, name)


def test_no_help_loses_what_stands_in_brackets() -> None:
    """Rich takes "[health]" for a colour and says nothing of it, unless the bracket is escaped."""
    seen = 0
    for path, command in _commands(typer.main.get_command(cli.app), "vendgate"):
        for text in [command.help, *(getattr(one, "help", None) for one in command.params)]:
            shown = markup.render(text or "").plain
            assert (text or "").replace("\\[", "[") == shown, path
            seen += 1

    assert 100 < seen


def test_help_breaks_its_lines_where_the_terminal_does() -> None:
    """Each command's first sentence stands in the list; all of them where it is asked for."""
    words = " ".join(_run("--help").output.replace("│", " ").split())
    assert "serve Run the gateway until SIGTERM, SIGHUP, SIGQUIT or Ctrl-C; a second one" in words
    assert "Status 0" not in words
    asked = " ".join(_run("serve", "--help").output.split())
    assert "a second one hurries it. Status 0: stopped in order; 1, 2: cannot start; 69:" in asked


def test_the_version_is_that_of_the_package() -> None:
    """One line, and nothing is started."""
    assert f"vendgate {metadata.version('vendgate')}\n" == _run("--version").stdout


def test_a_taken_port_of_the_pretend_alipay_is_a_sentence(tmp_path: Path) -> None:
    """Status 1, and which option it is."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = _run("simulate", "alipay", "--state-dir", str(tmp_path), "--port", str(port))
    assert 1 == told.exit_code
    assert told.stderr.startswith(f"the address of --host and --port is 127.0.0.1:{port}, and ")


def test_a_code_of_nobody_is_a_sentence() -> None:
    """Where nobody answers, status 1 and who it was."""
    told = _run("qr", "VM-0001", "--admin", "127.0.0.1:9")
    assert 1 == told.exit_code
    assert told.stderr.startswith("127.0.0.1:9 answers UNAVAILABLE: ")


def test_the_machine_that_serve_names_is_that_of_the_readme() -> None:
    """Who registers it by both commands is not told that it is another one."""
    readme = Path(__file__).parents[2] / "README.md"
    assert f"-d '{greeting.DESK}'" in readme.read_text(encoding="utf-8")


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path, pair: Pair) -> None:
    """Its name and what is wrong, without the number of an error."""
    settings = installed.write(tmp_path, installed.good(tmp_path, pair))
    missing = tmp_path / "none.txt"
    told = _run("reconcile", str(missing), "--config", settings)
    assert (2, f"{missing} cannot be used (No such file or directory).\n") == (
        told.exit_code,
        told.stderr,
    )


def test_a_good_configuration_is_shown(tmp_path: Path, pair: Pair) -> None:
    """Every setting, secrets hidden, status 0."""
    tables = installed.good(tmp_path, pair)
    tables["database"]["url"] = "postgresql://app:geheim@db/vendgate"
    result = _run("config", "check", "--config", installed.write(tmp_path, tables))
    assert 0 == result.exit_code, result.output
    assert 'database.url = "postgresql://app:***@db/vendgate"' in result.stdout
    assert "geheim" not in result.output


def test_a_bad_configuration_is_a_list_of_sentences(tmp_path: Path, pair: Pair) -> None:
    """Status 2, one sentence for each problem on standard error, no traceback."""
    tables = installed.good(tmp_path, pair)
    tables["alipay"]["partner"] = "1"
    tables["machines"]["listen"] = "0.0.0.0:7443"
    for name in ("http", "health"):  # serve binds them before it looks further
        tables[name]["listen"] = "127.0.0.1:0"
    tables["http"]["public_url"] = "http://127.0.0.1:8080"
    for command in (["config", "check"], ["serve", "--no-ray"]):
        result = _run(*command, "--config", installed.write(tmp_path, tables))
        assert 2 == result.exit_code
        first, second = result.stderr.splitlines()
        assert first.startswith("alipay.partner must be")
        assert second.startswith("machines.listen is 0.0.0.0:7443")


@pytest.mark.parametrize(
    "command", [("config", "check"), ("serve", "--no-ray"), ("db", "upgrade")], ids=" ".join
)
def test_a_database_that_cannot_be_made_is_refused_alike(
    tmp_path: Path, pair: Pair, command: tuple[str, ...]
) -> None:
    """By the check too, which makes nothing."""
    tables = installed.good(tmp_path, pair)
    tables["database"]["url"] = f"sqlite:///{tmp_path}/salt/no/v.db"
    for name in ("http", "health"):
        tables[name]["listen"] = "127.0.0.1:0"
    tables["http"]["public_url"] = "http://127.0.0.1:8080"
    result = _run(*command, "--config", installed.write(tmp_path, tables))
    assert (2, f"{tmp_path}/salt is no folder.") == (
        result.exit_code,
        result.stderr.strip().partition("cannot be made: ")[2],
    )


def test_no_password_of_any_url_is_shown(tmp_path: Path, pair: Pair) -> None:
    """Neither among the settings nor in what is wrong with them."""
    tables = installed.good(tmp_path, pair)
    tables["http"]["public_url"] = "https://me:geheim@pay.example"
    tables["alipay"]["environment"] = "https://me:geheim@host/gateway.do"
    tables["alipay"]["backup_url"] = "me:geheim@host/gateway.do"
    tables["ray"] |= {"mode": "cluster", "address": "ray://me:geheim@host:10001"}
    result = _run("config", "check", "--config", installed.write(tmp_path, tables))
    assert 2 == result.exit_code
    assert 'http.public_url = "https://me:***@pay.example"' in result.stdout
    assert 'alipay.environment = "https://me:***@host/gateway.do"' in result.stdout
    assert "alipay.environment: 'https://host/gateway.do' is not a gateway's URL" in result.stderr
    assert "geheim" not in result.output


def test_an_expired_certificate_is_refused(tmp_path: Path, pair: Pair) -> None:
    """By the check; a gateway that starts says so and goes on, because refunds need none."""
    tables = installed.good(tmp_path, pair)
    certificate, key = installed.certificate(tmp_path, "server", days=1)
    tables["machines"] = {
        "certificate_file": certificate,
        "private_key_file": key,
        "client_ca_file": certificate,
    }
    result = _run("config", "check", "--config", installed.write(tmp_path, tables))
    assert 2 == result.exit_code
    assert [
        "machines.certificate_file: CN=server has expired on 2026-01-02; renew it.",
        "machines.client_ca_file: CN=server has expired on 2026-01-02; renew it.",
        (
            "machines.client_ca_file: CN=server is no CA, so that nobody whose certificate it "
            "signed can connect; give the CA's own certificate."
        ),
    ] == result.stderr.splitlines()


def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path, pair: Pair) -> None:
    """With the command that mends it."""
    tables = installed.good(tmp_path, pair)
    (tmp_path / "merchant.pem").chmod(0o644)
    result = _run("config", "check", "--config", installed.write(tmp_path, tables))
    assert 2 == result.exit_code
    assert "merchant.pem may be read or changed by others (mode 0644); chmod 600 it" in (
        result.stderr
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("init", "file"), "is a file"),
        (("simulate", "alipay", "--state-dir", "file"), "is a file"),
        (("simulate", "machines", "--state-dir", "file"), "is a file"),
        (("simulate", "machines", "--state-dir", "new", "--ca", "none"), "does not exist"),
        (("demo", "--keep", "file"), "is a file"),
        (("qr", "VM-1", "--ca", "none"), "does not exist"),
        (("qr", "VM-1", "--cert", "none"), "does not exist"),
        (("qr", "VM-1", "--key", "."), "is a directory"),
        (("bench", "--keep", "file"), "is a file"),
        (("bench", "--out", "file"), "is a file"),
        (("bench", "--check", "none"), "does not exist"),
        (("archive", "--before", "2026-03", "--to", "file"), "is a file"),
        (("archive", "--before", "2026-03", "--to", "file", "--dry-run"), "is a file"),
        (("archive", "--before", "2026-13", "--to", "new"), "'2026-13' is no month"),
        (("archive", "--before", "March", "--to", "new"), "'March' is no month"),
    ],
    ids=" ".join,
)
def test_an_option_that_can_name_nothing_is_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    """Before anything is begun: a file for a folder, one that is not there, what is no month."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    result = _run(*options)
    assert (2, "") == (result.exit_code, result.stdout)
    assert said in " ".join(result.stderr.split())
    assert ["file"] == [path.name for path in tmp_path.iterdir()]


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """Status 2 too, and what to do."""
    result = _run("db", "upgrade", "--config", str(tmp_path / "none.toml"))
    assert 2 == result.exit_code
    assert "name another with --config" in result.stderr


def test_the_database_is_upgraded(tmp_path: Path, pair: Pair) -> None:
    """Made the first time, left alone the second; only the database's own settings have to be
    right.
    """
    tables = installed.good(tmp_path, pair)
    del tables["alipay"]
    path = installed.write(tmp_path, tables)
    assert (
        f"the database has schema {migrate.head()} (before: none)\n"
        == _run("db", "upgrade", "--config", path).stdout
    )
    assert (
        f"the database has schema {migrate.head()}\n"
        == _run("db", "upgrade", "--config", path).stdout
    )


def test_a_database_that_does_not_answer_is_a_sentence(tmp_path: Path, pair: Pair) -> None:
    """Status 1 and the database's own words."""
    tables = installed.good(tmp_path, pair)
    (tmp_path / "vendgate.db").write_bytes(b"this is no database" * 100)
    result = _run("db", "upgrade", "--config", installed.write(tmp_path, tables))
    assert 1 == result.exit_code
    assert "cannot be read or upgraded" in result.stderr


def test_init_says_how_to_go_on(tmp_path: Path) -> None:
    """The next commands can be copied; a second time nothing is written."""
    result = _run("init", str(tmp_path / "run"))
    assert 0 == result.exit_code
    assert f"vendgate serve --config {tmp_path}/run/vendgate.toml" in result.stdout
    assert _run("init", str(tmp_path / "run")).stdout.startswith("kept")


def test_init_where_nothing_can_be_written_is_a_sentence(tmp_path: Path) -> None:
    """Status 1, no traceback."""
    (tmp_path / "file").write_text("")
    result = _run("init", str(tmp_path / "file" / "run"))
    assert 1 == result.exit_code
    assert "Not a directory" in result.stderr


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """What no person can mend keeps its traceback."""
    monkeypatch.setattr("gateway.process.settings.load", lambda path: 1 // 0)
    assert isinstance(_run("config", "check").exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("before", "meanwhile"),
    [("default_int_handler", "SIG_DFL"), ("SIG_IGN", "SIG_IGN")],
)
def test_ctrl_c_while_it_is_loaded_is_no_traceback(before: str, meanwhile: str) -> None:
    """It ends by the signal, unless that is ignored; afterwards it is heard as before."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(before=before)], capture_output=True, text=True
    )
    assert "vendgate" in done.stdout
    first, last = done.stderr.splitlines()
    assert (True, True) == (meanwhile in first, before in last)
