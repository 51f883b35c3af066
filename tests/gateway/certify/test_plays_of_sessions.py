"""The plays of a customer's stay: what each shows of a sound machine."""

from pathlib import Path

import pytest

from gateway.certify import judges_of_sessions, plays_of_sessions
from gateway.certify.moments import Recording
from gateway.certify.rules_of_sessions import OF_SESSIONS
from tests.gateway.certify.examined import examined

pytestmark = pytest.mark.virtual_time


async def test_a_stream_is_cut_with_and_without_a_session(tmp_path: Path) -> None:
    """Welcome names the one that goes on, and none where the answer was lost."""
    examination = await examined(tmp_path, "session-resumed", "answer-lost")

    *_, resumed, alone = Recording(examination.moments).said("welcome")
    assert resumed.said_by_us.welcome.session.session_id
    assert not alone.said_by_us.welcome.HasField("session")


def test_each_play_has_its_judge() -> None:
    """Of the same name."""
    for module, known in (
        (plays_of_sessions, {rule.play.__name__ for rule in OF_SESSIONS if rule.play}),
        (judges_of_sessions, {rule.judge.__name__ for rule in OF_SESSIONS}),
    ):
        own = {
            name
            for name, value in vars(module).items()
            if getattr(value, "__module__", "") == module.__name__ and not name.startswith("_")
        }
        assert own == known == {rule.judge.__name__ for rule in OF_SESSIONS}
