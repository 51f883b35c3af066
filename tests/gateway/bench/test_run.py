"""The story of a run: what cannot be measured is told, and the rest goes on."""

from pathlib import Path

import pytest

from gateway.bench import run as module
from gateway.bench.figures import CPU_SHARE, PLAIN, RATE, RATE_SHARE, Latency
from gateway.bench.load import LoadFailed, Span
from gateway.bench.options import BenchOptions
from gateway.bench.run import Run
from gateway.demo import processes
from gateway.demo.children import ChildFailed


class Story(Run):
    """A run whose parts do what a test says."""

    fails: Exception | None = None
    told: list[str]

    async def _floor(self) -> None:
        self.told.append("floor")

    async def _sqlite(self) -> None:
        self.told.append("sqlite")
        if self.fails is not None:
            raise self.fails

    async def _postgres(self) -> None:
        self.told.append("postgres")

    async def _baselines(self) -> None:
        self.told.append("baselines")


def story(folder: Path) -> Story:
    """A run that starts an echo and nothing else."""
    made = Story(BenchOptions(machines=1, connected=1), folder, say=lambda _: None)
    made.told = []
    return made


@pytest.mark.e2e
@pytest.mark.parametrize(
    "failure",
    [LoadFailed("no answer"), pytest.param(ChildFailed("it ended"), marks=pytest.mark.slow)],
)
async def test_what_failed_is_told_and_the_rest_is_measured(
    tmp_path: Path, failure: Exception
) -> None:
    """An hour's figures are not thrown away for one of them."""
    run = story(tmp_path)
    run.fails = failure

    results = await run.measure()

    assert ["floor", "sqlite", "postgres", "baselines"] == run.told
    assert [f"SQLite could not be measured to the end: {failure}"] == results.failures


def span(*, vends: int, cpu_us: dict[str, float]) -> Span:
    """What a second of selling gave."""
    times = Latency.of([0.001])
    return Span(seconds=1.0, vends=vends, approvals=times, results=times, denied=0, cpu_us=cpu_us)


def test_a_setting_is_held_against_its_own_echoes(tmp_path: Path) -> None:
    """The client's processor time is nobody's cost, and the middle of the turns counts."""
    run = story(tmp_path)
    echoes = [
        span(vends=vends, cpu_us={"gateway": 100.0, "client": 50.0}) for vends in (1, 400, 900)
    ]
    mine = [span(vends=100, cpu_us={"gateway": 300.0, "host": 200.0, "client": 70.0})]

    run._add_shares(PLAIN, mine, echoes)

    assert 0.25 == run.results.value(PLAIN, RATE_SHARE)
    assert 5.0 == run.results.value(PLAIN, CPU_SHARE)


@pytest.mark.e2e
async def test_a_busy_computer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the figures later does not know what else ran."""
    monkeypatch.setattr(processes, "load", lambda: module.BUSY_LOAD + 1)
    (remark,) = (await story(tmp_path).measure()).remarks
    assert "measured on a busy computer: load 2.5 before the run began" == remark


@pytest.mark.e2e
async def test_without_postgres_a_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no failure."""
    monkeypatch.setattr(processes, "load", lambda: 0.0)
    monkeypatch.setattr(module, "programs", lambda: None)
    run = Run(
        BenchOptions(
            machines=1, connected=1, settings=("postgres",), only=frozenset({"saturated"})
        ),
        tmp_path,
        say=lambda _: None,
    )

    results = await run.measure()

    assert [] == results.failures
    (remark,) = results.remarks
    assert remark.startswith("PostgreSQL was not measured: initdb is not installed")
    assert results.value(PLAIN, RATE) is None
