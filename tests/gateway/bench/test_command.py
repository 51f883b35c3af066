"""``vendgate bench``: its files and its exit status."""

import json
import os
import tempfile
from pathlib import Path

import pytest

from gateway.bench import command
from gateway.bench.figures import ECHO, PLAIN, RATE_SHARE, Figure, Results
from gateway.bench.options import QUICK, BenchOptions
from gateway.demo import processes


def measured(*, vends_s: float, failures: tuple[str, ...] = ()) -> Results:
    """What a run found, with an echo of 1000."""
    results = Results(made={"cores": 2})
    results.add(PLAIN, Figure(name=RATE_SHARE, value=vends_s, unit="1/s"))
    results.add(ECHO, Figure(name=RATE_SHARE, value=1_000.0, unit="1/s"))
    results.failures.extend(failures)
    return results


def run(
    monkeypatch: pytest.MonkeyPatch,
    results: Results,
    *,
    out: Path | None = None,
    check: Path | None = None,
) -> int:
    """Run the command over results that nobody has to wait for."""

    async def known(_options: BenchOptions, _keep: Path | None) -> Results:
        return results

    monkeypatch.setattr(command, "_measured", known)
    return command.run(QUICK, out=out, keep=None, check=check, margin=None)


def test_a_run_writes_what_a_later_one_is_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """JSON and a drawing; the same figures again are not slower, half of them are."""
    assert 0 == run(monkeypatch, measured(vends_s=400.0), out=tmp_path / "new")
    written = tmp_path / "new" / "bench.json"
    assert "<svg" in (tmp_path / "new" / "bench.svg").read_text()
    assert 2 == json.loads(written.read_text())["made"]["cores"]

    assert 0 == run(monkeypatch, measured(vends_s=390.0), check=written)
    assert "nothing got slower than the margin allows" in capsys.readouterr().out

    assert 1 == run(monkeypatch, measured(vends_s=200.0), check=written)
    assert "slower: vends/s, no-ray : echo: 0.2, recorded 0.4" in capsys.readouterr().out


def test_a_run_that_could_not_measure_everything_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is not taken for good."""
    assert 1 == run(monkeypatch, measured(vends_s=400.0, failures=("ray did not start",)))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (BenchOptions(only=frozenset({"speed"})), "speed is no measurement; there are: regis"),
        (BenchOptions(settings=("cluster",)), "cluster is no setting; there are: no-ray, ray"),
        (BenchOptions(connected=10**9), "connections need as many open files"),
    ],
    ids=["measurement", "setting", "files"],
)
def test_what_cannot_be_measured_here_is_refused_first(
    options: BenchOptions, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is started, with a sentence that says what to do."""
    assert 1 == command.run(options, out=None, keep=None, check=None, margin=None)
    assert sentence in capsys.readouterr().err


def test_without_proc_nothing_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no other place where processor time is read."""
    monkeypatch.setattr(processes, "counts_are_there", lambda: False)
    assert 1 == command.run(QUICK, out=None, keep=None, check=None, margin=None)
    assert "/proc" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["check", "out", "keep"])
def test_what_cannot_be_used_is_said_at_once(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one sentence; nothing is started."""
    (tmp_path / "file").write_text("{", encoding="utf-8")
    named: dict[str, Path | None] = {"out": None, "keep": None, "check": None}
    named[name] = tmp_path / "file"
    assert 1 == command.run(QUICK, **named, margin=None)
    said = capsys.readouterr().err
    assert said.startswith("A file or folder that was named cannot be used: ")
    assert 1 == len(said.splitlines())


def test_a_run_removes_what_a_killed_one_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Never the folder of one that lives, nor a folder that has no lock."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (foreign := tmp_path / "vendgate-bench-foreign").mkdir()
    killed, lock_of_killed = command.new_folder()
    living, lock_of_living = command.new_folder()
    assert killed.exists()
    os.close(lock_of_killed)  # as the kernel does for a process that ends
    latest, lock_of_latest = command.new_folder()
    assert {foreign, living, latest} == set(tmp_path.iterdir())
    os.close(lock_of_living)
    os.close(lock_of_latest)
