"""However the demo ends, and whoever ends it: no process of it is left."""

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.demo import stage
from tests.support.patience import HANGS_AFTER_S
from tests.support.processes import alive, command_line, descendants, gone

ROOT = Path(__file__).resolve().parents[2]
VENDGATE = [sys.executable, "-m", "gateway"]
GONE_WITHIN_S = 120
LIKE_MAKE = ("sh", "-c", 'trap : HUP; "$@"; :', "make")
"""It leads a session, and tells those whom it runs nothing of a SIGHUP that it gets."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


@dataclass(frozen=True)
class Running:
    """A program in a session of its own, with whatever it has started."""

    process: "subprocess.Popen[bytes]"
    family: Sequence[int]


@asynccontextmanager
async def running(
    folder: Path,
    arguments: Sequence[str],
    *,
    until: Callable[[], bool],
    terminal: int | None = None,
    below: Sequence[str] = (),
) -> AsyncIterator[Running]:
    """Start ``vendgate`` and wait until something is so. What it writes goes to files, or to a
    terminal that is its own, or that of the program ``below`` which it runs.
    """
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = subprocess.Popen(  # noqa: ASYNC220 - it does not wait for the program
            [
                *(["setsid", "--ctty", "--wait"] if terminal is not None else []),
                *below,
                *VENDGATE,
                *arguments,
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=out if terminal is None else terminal,
            stderr=err if terminal is None else terminal,
            start_new_session=True,
        )
    family: list[int] = []
    try:
        async with asyncio.timeout(HANGS_AFTER_S):
            while not until():
                assert process.poll() is None, (folder / "err").read_text()
                await asyncio.sleep(0.05)
        family = [process.pid, *descendants(process.pid)]
        yield Running(process, family)
    finally:
        for pid in family or [process.pid, *descendants(process.pid)]:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def demo(folder: Path, *, ray: bool = False) -> list[str]:
    """A small demo that goes on until somebody ends it."""
    return [
        "demo",
        *(() if ray else ("--no-ray",)),
        "--json",
        "--machines",
        "1",
        "--keep",
        str(folder),
    ]


def selling(folder: Path) -> Callable[[], bool]:
    """Whether a motor has turned."""
    return lambda: any("turn" in shelf.read_text() for shelf in folder.glob("machines/*/shelf.log"))


@pytest.mark.slow  # Ctrl-C and, with Ray, SIGKILL are in the suite
@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGQUIT, signal.SIGKILL])
async def test_a_signal_leaves_no_process(tmp_path: Path, how: signal.Signals) -> None:
    """Closing a terminal, Ctrl-backslash and kill -9 end the children, too."""
    async with running(tmp_path, demo(tmp_path), until=selling(tmp_path)) as it:
        assert 3 <= len(it.family) - 1
        it.process.send_signal(how)

        assert [] == await gone(it.family, GONE_WITHIN_S)
        assert it.process.wait() in ({-how} if how is signal.SIGKILL else {0, 130})


@pytest.mark.slow
async def test_a_signal_to_everybody_at_once_ends_it(tmp_path: Path) -> None:
    """SIGTERM to the demo and to its children: their end is no reason to wait for them."""
    async with running(tmp_path, demo(tmp_path), until=selling(tmp_path)) as it:
        for pid in it.family:
            os.kill(pid, signal.SIGTERM)

        assert [] == await gone(it.family, GONE_WITHIN_S)
        assert 130 == it.process.wait()


@pytest.mark.slow
async def test_a_child_that_dies_ends_it_with_a_sentence(tmp_path: Path) -> None:
    """Whoever kills one of the processes reads which one it was; the others end."""
    async with running(tmp_path, demo(tmp_path), until=selling(tmp_path)) as it:
        (victim,) = [pid for pid in it.family if b"machines" in command_line(pid).split(b"\0")]
        os.kill(victim, signal.SIGKILL)

        assert [] == await gone(it.family, GONE_WITHIN_S)
        assert 1 == it.process.wait()
        assert (
            "machines was killed by signal 9, and the demo ends with it; see "
            in (tmp_path / "err").read_text()
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    "below", [pytest.param((), id="by itself"), pytest.param(LIKE_MAKE, id="below make")]
)
async def test_a_terminal_that_goes_away_ends_it(tmp_path: Path, below: Sequence[str]) -> None:
    """With its screen in a terminal whose window is closed, and nobody to draw for, everything
    ends; also when the window ran make alone, which is the only one to hear of it.
    """
    ours, its = os.openpty()
    words = [word for word in demo(tmp_path) if word != "--json"]
    seen = bytearray()

    def drawn() -> bool:
        while select.select([ours], [], [], 0)[0]:
            seen.extend(os.read(ours, 65_536))
        return selling(tmp_path)() and b"ENABLED" in seen

    try:
        async with running(tmp_path, words, until=drawn, terminal=its, below=below) as it:
            os.close(its)
            os.close(ours)
            ours = -1

            assert [] == await gone(it.family, GONE_WITHIN_S)
    finally:
        if ours >= 0:
            os.close(ours)


@pytest.mark.slow
async def test_a_reader_that_has_read_enough_ends_it(tmp_path: Path) -> None:
    """As ``head`` does: in order, with all it had started, and without a traceback."""
    words = [word for word in demo(tmp_path) if word != "--json"]
    shell = ["bash", "-c", 'set -o pipefail; "$@" | head -n 2', "shell", *VENDGATE, *words]
    done = await asyncio.to_thread(
        subprocess.run, shell, cwd=ROOT, capture_output=True, text=True, timeout=HANGS_AFTER_S
    )

    assert (0, "") == (done.returncode, done.stderr)
    assert 2 == len(done.stdout.splitlines())


@pytest.mark.ray
@pytest.mark.parametrize("victim", ["demo", pytest.param("serve", marks=pytest.mark.slow)])
async def test_kill_9_leaves_nothing_of_ray_either(tmp_path: Path, victim: str) -> None:
    """Of the demo: the gateway notices, and ends its Ray. Of the gateway: the demo notices, and
    ends what is left of Ray.
    """
    async with running(tmp_path, demo(tmp_path, ray=True), until=selling(tmp_path)) as it:
        assert any(b"raylet" in command_line(pid) for pid in it.family)
        os.kill(
            next(pid for pid in it.family if victim.encode() in command_line(pid).split(b"\0")),
            signal.SIGKILL,
        )

        assert [] == await gone(it.family, GONE_WITHIN_S)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Running]:
    """A gateway with a Ray of its own that is ready."""
    ports = stage.free_ports()
    subprocess.run(  # noqa: ASYNC221 - nothing else runs yet
        [*VENDGATE, "init", str(folder)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    settings = stage.write_settings(folder, ports, keys=folder, ray=True)
    async with running(
        folder,
        ["serve", "--config", str(settings), "--json-ready"],
        until=lambda: (folder / "out").read_text().endswith("\n"),
    ) as it:
        yield it


def said(folder: Path) -> list[dict[str, str]]:
    """The lines that the gateway's own process wrote down."""
    lines = (folder / "err").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


@pytest.mark.ray
@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.slow
async def test_a_signal_to_the_gateways_whole_group_is_an_orderly_stop(
    tmp_path: Path, how: signal.Signals
) -> None:
    """A closed terminal and a supervisor tell Ray's processes as well: they leave the end to the
    gateway, and none of them is left. From start to end there is nothing to warn of.
    """
    async with serving(tmp_path) as it:
        os.killpg(it.process.pid, how)

        assert [] == await gone(it.family, GONE_WITHIN_S)
        assert 0 == it.process.wait()
        assert "asking machines to move" in [line["message"] for line in said(tmp_path)]
        assert [] == [line for line in said(tmp_path) if line["level"] != "info"]


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("victim", [b"gcs/gcs_server", b"raylet/raylet"])
async def test_a_gateway_that_loses_its_ray_says_so_and_ends(tmp_path: Path, victim: bytes) -> None:
    """It could welcome no machine any more. Status 75 tells a supervisor to start it again."""
    async with serving(tmp_path) as it:
        (pid,) = [pid for pid in it.family if command_line(pid).split(b"\0")[0].endswith(victim)]
        os.kill(pid, signal.SIGKILL)

        assert 75 == await asyncio.to_thread(it.process.wait, GONE_WITHIN_S)
        assert [] == await gone(it.family, 0)  # no agent of Ray's is left for its minute
        assert "this gateway's Ray is lost, and so it ends" in [
            line["message"] for line in said(tmp_path)
        ]
        told = (tmp_path / "err").read_text()
        assert "This gateway cannot go on: its Ray is lost" in told
        assert "Traceback" not in told
