"""Parts that end are started again, and what becomes of them is told."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.demo.children import ChildFailed, Children
from gateway.demo.cluster import parts as module
from gateway.demo.cluster.parts import KeptParts, State
from gateway.demo.cluster.plan import Recipe
from tests.support.patience import until
from tests.support.processes import alive

READY = "import json, os, time; print(json.dumps({'pid': os.getpid()}), flush=True); "
PYTHON = (sys.executable, "-c")


def recipe(name: str, program: str = READY + "time.sleep(600)", **more: object) -> Recipe:
    """A part that is a Python program."""
    return Recipe(name=name, program=PYTHON, arguments=[program], back_after_s=0.0, **more)  # type: ignore[arg-type]


@asynccontextmanager
async def parts(folder: Path) -> AsyncIterator[KeptParts]:
    """Parts of which none is left."""
    children = Children(folder)
    made = KeptParts(children)
    try:
        yield made
    finally:
        await made.close()
        await children.stop()


async def test_who_is_killed_comes_back(tmp_path: Path) -> None:
    """As another process; the story is told, and how often it was."""
    async with parts(tmp_path) as those:
        await those.start(recipe("one"))
        pid = those.part("one").pid
        those.kill("one")
        await until(lambda: those.part("one").pid not in {0, pid})
        (view,) = those.views()

        assert not alive(pid)
        assert ("one", State.UP, 1) == (view.name, view.state, view.starts)
        assert ["one ended (signal 9)", "one is back"] == [
            line.partition(" ")[2] for line in those.happened
        ]


async def test_who_needs_another_waits_for_it(tmp_path: Path) -> None:
    """It is not started before that one is back."""
    gate = tmp_path / "gate"
    slow = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.01)\n"
    async with parts(tmp_path) as those:
        gate.touch()
        await those.start(recipe("first", slow + READY + "time.sleep(600)"))
        await those.start(recipe("second", needs=("first",)))
        gate.unlink()
        those.kill("first")
        await until(lambda: those.part("first").state is State.STARTING)
        those.kill("second")
        await until(lambda: those.part("second").state is State.DOWN)
        assert 0 == those.part("second").pid
        gate.touch()
        await until(lambda: those.part("second").state is State.UP)
        assert State.UP is those.part("first").state


async def test_who_does_not_start_again_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is told, and nobody gives up."""
    monkeypatch.setattr(module, "AGAIN_AFTER_S", 0.0)
    broken = tmp_path / "broken"
    program = f"import os\nif os.path.exists({str(broken)!r}): exit('no such money')\n"
    async with parts(tmp_path) as those:
        await those.start(recipe("one", program + READY + "time.sleep(600)"))
        broken.touch()
        those.kill("one")
        await until(lambda: any("no such money" in line for line in those.happened))
        broken.unlink()
        await until(lambda: those.part("one").state is State.UP)


async def test_who_never_starts_is_a_failure(tmp_path: Path) -> None:
    """At first nobody tries again: something is wrong here."""
    async with parts(tmp_path) as those:
        with pytest.raises(ChildFailed, match="no such money"):
            await those.start_together([recipe("one", "exit('no such money')")])


async def test_who_is_frozen_says_so_and_is_thawed_at_the_end(tmp_path: Path) -> None:
    """A stopped process would hear no SIGTERM."""
    async with parts(tmp_path) as those:
        await those.start(recipe("one"))
        those.freeze("one")
        assert State.FROZEN is those.views()[0].state
        those.thaw("one")
        assert State.UP is those.views()[0].state
        those.freeze("one")
    assert not those.part("one").pid


async def test_all_end_in_the_order_of_the_plan(tmp_path: Path) -> None:
    """The last one first, even if another was started again since; nobody comes back, and nothing
    is told of it.
    """
    ends = tmp_path / "ends"
    tell = (
        "import signal, sys\n"
        "def end(*_):\n    open({path!r}, 'a').write({name!r}); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
    )
    async with parts(tmp_path) as those:
        for name in "abc":
            program = tell.format(path=str(ends), name=name) + READY + "time.sleep(600)"
            await those.start(recipe(name, program))
        those.kill("a")
        await until(lambda: len(those.happened) == 2)
        await those.close()

        assert "cba" == ends.read_text()
        assert [0, 0, 0] == [those.part(name).pid for name in "abc"]
        assert 2 == len(those.happened)
