"""Signals that ask for an end."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.process.signals import early_signals, stop_signals
from tests.support.patience import until

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP])
async def test_the_first_stops_and_the_next_hurries(first: signal.Signals) -> None:
    """Ctrl-C twice is understood, a closed terminal too; who listened before listens again."""
    before = signal.getsignal(first)
    stop, hurry = asyncio.Event(), asyncio.Event()
    with stop_signals(stop, hurry):
        os.kill(os.getpid(), first)
        await until(stop.is_set)
        assert not hurry.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        await until(hurry.is_set)
    assert before == signal.getsignal(first)


async def test_nohup_is_obeyed() -> None:
    """A SIGHUP that whoever started us has switched off stays off."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop, hurry = asyncio.Event(), asyncio.Event()
    try:
        with stop_signals(stop, hurry) as listen:
            listen()
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            await until(stop.is_set)
            await asyncio.sleep(0)
            assert not hurry.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_a_handler_that_was_replaced_comes_back() -> None:
    """A library may put its own there; ours is asked for again."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    with stop_signals(stop, hurry) as listen:
        signal.signal(signal.SIGTERM, lambda *_: None)
        listen()
        os.kill(os.getpid(), signal.SIGTERM)
        await until(stop.is_set)


async def test_another_thread_listens_to_nothing() -> None:
    """Only the main thread may; elsewhere the gateway runs without."""

    async def enter() -> None:
        with stop_signals(asyncio.Event(), asyncio.Event()) as listen:
            listen()

    await asyncio.to_thread(asyncio.run, enter())


async def test_a_signal_before_the_loop_listens_is_not_lost() -> None:
    """Whether it comes before there is an event to set or after; who listened before listens
    again.
    """
    before = signal.getsignal(signal.SIGTERM)
    for follows_first in (False, True):
        stop = asyncio.Event()
        with early_signals() as early:
            if follows_first:
                early.follow(stop)
            signal.raise_signal(signal.SIGTERM)
            assert early.asked
            early.follow(stop)
            await until(stop.is_set)
    assert before == signal.getsignal(signal.SIGTERM)


def test_a_second_early_signal_ends_the_program() -> None:
    """Something may hang while it is loaded."""
    twice = (
        "import signal\n"
        "from gateway.process.signals import early_signals\n"
        "with early_signals():\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    print('still here')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", twice], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (-signal.SIGTERM, "") == (ended.returncode, ended.stdout)


def test_a_gateway_that_is_still_being_loaded_ends_in_order(tmp_path: Path) -> None:
    """The signal comes while it reads its settings: status 0, and nothing was begun."""
    loading = (
        "import signal, sys\n"
        "from gateway import cli\n"
        "load = cli.settings_module.load\n"
        "def asked(file):\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    return load(file)\n"
        "cli.settings_module.load = asked\n"
        "sys.argv[1:] = ['serve', '--no-ray', '--config', sys.argv[1]]\n"
        "cli.main()\n"
    )
    (tmp_path / "empty.toml").write_text("")
    ended = subprocess.run(
        [sys.executable, "-c", loading, str(tmp_path / "empty.toml")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (ended.returncode, ended.stderr)
    assert ["empty.toml"] == [path.name for path in tmp_path.iterdir()]
