"""What would break machines in the field is refused; what they survive is not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from protos import compatibility

ROOT = Path(__file__).resolve().parents[2]
MACHINE = Path("protos/gateway/v1/machine.proto")
SERVICE = Path("protos/gateway/v1/machine_service.proto")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the protos that may be spoiled."""
    shutil.copytree(ROOT / "protos", tmp_path / "protos")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    """Put other words into a file that has the old ones."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the check as ``make`` does."""
    command = [
        sys.executable,
        str(ROOT / "protos" / "compatibility.py"),
        *arguments,
        "--root",
        str(project),
    ]
    return subprocess.run(command, capture_output=True, text=True)


BREAKS = (
    (
        MACHINE,
        "string boot_id = 2;",
        "string boot_id = 12;",
        '"2" with name "boot_id" on message "Hello" was deleted',
    ),
    (
        MACHINE,
        "uint32 valid_for_ms = 5;",
        "uint64 valid_for_ms = 5;",
        'changed type from "uint32" to "uint64"',
    ),
    (MACHINE, "int64 price_minor = 3;", "int64 price = 3;", 'from "price_minor" to "price"'),
    (
        MACHINE,
        "VEND_DENIED_REASON_FUNDS = 1;",
        "VEND_DENIED_REASON_MONEY = 1;",
        "VEND_DENIED_REASON",
    ),
    (
        MACHINE,
        'java_package = "vendgate.gateway.v1"',
        'java_package = "elsewhere.v1"',
        "java_package",
    ),
    (SERVICE, "rpc Connect(stream", "rpc Talk(stream", 'RPC "Connect"'),
    (
        compatibility.OPTIONS,
        "ShowQr.qr_payload max_length:256",
        "ShowQr.qr_payload max_length:257",
        "ShowQr.qr_payload: may not grow",
    ),
    (
        compatibility.OPTIONS,
        "PlanogramUpdate.columns max_count:128",
        "PlanogramUpdate.columns max_count:256",
        "may not grow from 128",
    ),
    (
        compatibility.OPTIONS,
        "Fault.detail max_length:256",
        "Fault.detail max_length:255",
        "Fault.detail: may not shrink",
    ),
    (
        compatibility.OPTIONS,
        "gateway.v1.Hello.firmware max_length:64\n",
        "",
        "Hello.firmware: had the bound 64 and has none",
    ),
)


def test_what_machines_do_not_survive(project: Path) -> None:
    """Each such change is named and refused, also as a new release, which stays unwritten. All are
    made at once: to look at the protos is a program's work.
    """
    for file, old, new, _ in BREAKS:
        change(project / file, old, new)
    checked = run(project, "--check")
    assert 1 == checked.returncode
    assert [] == [says for *_, says in BREAKS if says not in checked.stdout], checked.stdout
    released = (project / compatibility.IMAGE).read_bytes()
    assert 1 == run(project).returncode
    assert released == (project / compatibility.IMAGE).read_bytes()


def test_what_machines_survive(project: Path) -> None:
    """Another field, another comment, and a bound that moves the harmless way are free, and can
    be released.
    """
    for file, old, new in (
        (
            MACHINE,
            "  bool journal_lost = 9;\n",
            "  bool journal_lost = 9;\n  // New.\n  bool door_open = 12;\n",
        ),
        (MACHINE, "The machine's identity", "How the machine is called"),
        (
            compatibility.OPTIONS,
            "ShowQr.qr_payload max_length:256",
            "ShowQr.qr_payload max_length:200",
        ),
        (compatibility.OPTIONS, "Fault.detail max_length:256", "Fault.detail max_length:300"),
    ):
        change(project / file, old, new)
    assert 0 == run(project, "--check").returncode
    assert 0 == run(project).returncode
    assert 0 == run(project, "--check").returncode


def test_the_administrators_protos_are_not_held(project: Path) -> None:
    """No firmware has them: whatever becomes of them breaks no machine."""
    for package in ("fleet", "office"):
        shutil.rmtree(project / MACHINE.parents[1] / package)
    assert 0 == run(project, "--check").returncode


def test_the_first_release_needs_none_before_it(project: Path) -> None:
    """Without a release there is nothing to break; written twice, it is the same."""
    shutil.rmtree(project / compatibility.IMAGE.parent)
    assert 0 == run(project).returncode
    assert 0 == run(project, "--check").returncode
    again = (project / compatibility.IMAGE).read_bytes()
    assert 0 == run(project).returncode
    assert again == (project / compatibility.IMAGE).read_bytes()


@pytest.mark.parametrize(
    "line",
    [
        "gateway.v1.Hello.firmware max_size:65",
        "gateway.v1.* max_length:64",
        "Hello.firmware max_length:64",
    ],
)
def test_options_that_say_no_bound(line: str) -> None:
    """A line that the checks do not understand is refused, never skipped; so is a field that has
    two bounds.
    """
    with pytest.raises(ValueError, match="expected gateway"):
        compatibility.bounds(line)
    good = "# comment\n\ngateway.v1.Hello.firmware max_length:64\n"
    assert {"Hello.firmware": 64} == compatibility.bounds(good)
    with pytest.raises(ValueError, match="once"):
        compatibility.bounds(good + good)
