"""What all tests of the host share: no machine's life goes where its table does not lead."""

from collections.abc import Iterator

import pytest

from actors.host import runner
from actors.host.life import IllegalMove, Life, moved
from actors.machine.ids import MachineId


@pytest.fixture(autouse=True)
def illegal_moves(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Fail a test in which a life made an illegal move, whoever caught the error. A test that makes
    one on purpose takes it out of this list.
    """
    found: list[str] = []

    def watched(machine_id: MachineId, before: Life, after: Life) -> Life:
        try:
            return moved(machine_id, before, after)
        except IllegalMove as error:
            found.append(str(error))
            raise

    monkeypatch.setattr(runner, "moved", watched)
    yield found
    assert [] == found
