"""The plays of vends: what each shows of a sound machine."""

from pathlib import Path

import pytest

from gateway.certify import judges_of_vends, plays_of_vends
from gateway.certify.moments import MomentKind, Recording
from gateway.certify.rules import RULES
from gateway.v1 import machine_pb2 as pb
from tests.gateway.certify.examined import examined

pytestmark = pytest.mark.virtual_time


async def test_the_power_fails_while_the_motor_turns(tmp_path: Path) -> None:
    """The tail that the judge reads says MOTOR_ON: the play meets the moment that it is about."""
    examination = await examined(tmp_path, "journal-motor-on")

    hello = Recording(examination.moments).hellos()[-1].said_by_machine.hello
    assert [pb.JOURNAL_STAGE_MOTOR_ON] == [entry.stage for entry in hello.journal_tail]


async def test_the_stream_is_cut_before_the_result(tmp_path: Path) -> None:
    """What the next Hello says is a vend under way."""
    examination = await examined(tmp_path, "cut-in-vend")

    seen = Recording(examination.moments)
    cut = seen.of(MomentKind.ENDED)[-1]
    assert [] == seen.before(cut).heard("vend_success")
    assert [] != list(seen.after(cut).hellos()[0].said_by_machine.hello.journal_tail)


def test_each_play_has_its_judge() -> None:
    """Rules take both by name from the same two rooms."""
    played = {rule.play or rule.shows for rule in RULES}
    judged = {rule.judge for rule in RULES}
    for module, known in ((plays_of_vends, played), (judges_of_vends, judged)):
        own = {
            value
            for name, value in vars(module).items()
            if getattr(value, "__module__", "") == module.__name__ and not name.startswith("_")
        }
        assert set() == {each.__name__ for each in own - known}
