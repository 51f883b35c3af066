"""What all tests share: which event loop they run on, and a guard against Rays that nobody asked
for.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import NoReturn

import pytest
import structlog

from tests.support import compiled, costs, dealing, keys_once, quick_disk, templates_once
from tests.support.virtual_time import VirtualTimeLoop


def pytest_configure(config: pytest.Config) -> None:
    """Forget the proxies of whoever runs the tests: all that is called here is on this computer,
    and nothing of it could be reached by way of them. And hear SIGHUP, which ``nohup`` has every
    child ignore: some are to be ended by it. And look for garbage seldom: to load the tests makes
    millions of objects, none of which is any, and what a test makes is freed as it ends.
    """
    gc.set_threshold(200_000, 50, 100)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    config.pluginmanager.register(costs.Costs(), "costs")
    config.option.loadscopereorder = False  # they are dealt in our own order (``dealing``)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests that are marked ``virtual_time`` on a loop whose clock jumps when idle."""
    if item.get_closest_marker("virtual_time") is not None:
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.new_event_loop}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give tests of one ``xdist_group``, all that start processes of their own, and those of one
    file to one worker, which runs them one after the other (``dealing``).

    pytest-xdist tells its scheduler of groups by a suffix to the tests' ids, and 3.8 writes it
    where pytest 9.2 reads no more.
    """
    if not config.getoption("loadgroup", default=False):
        return
    groups = []
    for item in items:
        group = item.get_closest_marker("xdist_group")
        name = "" if group is None else group.args[0]
        if item.get_closest_marker("e2e") is not None or item.get_closest_marker("ray") is not None:
            name = "processes"
        groups.append(dealing.group_of(item.nodeid, name))
        if not item.nodeid.endswith(f"@{groups[-1]}"):
            item._id = type(item.id).parse(f"{item.nodeid}@{groups[-1]}")
            assert item.nodeid.endswith(f"@{groups[-1]}"), "pytest keeps ids elsewhere now"
    items[:] = [items[place] for place in dealing.dealt(groups)]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage while tests are loaded, and leave alone what lives until the end: with
    thousands of tests in memory the collector of cycles takes a fifth of the processor's time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def _no_stray_ray(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray takes seconds to start, and a bare one joins strangers' clusters: only tests that are
    marked ``ray`` may have one.
    """
    if request.node.get_closest_marker("ray") is not None:
        return

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("mark the test with 'ray' if it needs a Ray")

    monkeypatch.setattr("ray.init", refuse)


@pytest.fixture(autouse=True, scope="session")
def _each_key_is_read_once() -> Iterator[None]:
    """For all tests of the process."""
    with keys_once.read_once():
        yield


@pytest.fixture(autouse=True, scope="session")
def _each_statement_is_compiled_once() -> Iterator[None]:
    """For all databases of the suite."""
    with compiled.shared():
        yield


@pytest.fixture(autouse=True, scope="session")
def _each_template_is_compiled_once() -> Iterator[None]:
    """For all pages of the suite."""
    with templates_once.compiled_once():
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_disk_is_waited_for() -> Iterator[None]:
    """Who asks what is durable takes ``quick_disk.AS_BUILT``."""
    with quick_disk.not_waited_for():
        yield


@pytest.fixture(autouse=True, scope="session")
def _tracebacks_are_plain() -> None:
    """Each exception that is logged would take seconds of processor: structlog draws tables of all
    local variables, if nobody says otherwise.
    """
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    *before, _ = structlog.get_config()["processors"]
    structlog.configure(processors=[*before, console])
