"""What the kernel counts of processes."""

import os
import subprocess
import sys
import time

from gateway.demo import processes


def test_processor_time_grows_with_work_and_not_with_sleep() -> None:
    """It is what this process used, as the process itself knows it."""
    me = [os.getpid()]
    before, own = processes.cpu_s(me), time.process_time()
    while time.process_time() - own < 0.2:
        pass
    assert 0.15 <= processes.cpu_s(me) - before


def test_memory_is_counted_in_bytes() -> None:
    """A Python takes more than a megabyte."""
    assert 1_000_000 < processes.resident_bytes([os.getpid()])


def test_a_process_that_is_gone_costs_nothing() -> None:
    """It is no error that one of several has ended."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert 0 == processes.cpu_s([gone.pid])
    assert 0 == processes.resident_bytes([gone.pid])


def test_those_below_a_process_are_found() -> None:
    """Its children, and theirs."""
    program = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
        "'print(1, flush=True); input()']).wait()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdout.readline()  # the grandchild runs
    try:
        found = processes.with_descendants(os.getpid())
        assert {os.getpid(), child.pid} < set(found)
        assert 2 == len(processes.with_descendants(child.pid))
    finally:
        child.stdin.close()
        child.wait()
        child.stdout.close()


def test_this_system_counts() -> None:
    """Where the tests run there is a /proc."""
    assert processes.counts_are_there()
    assert 0 <= processes.load()
