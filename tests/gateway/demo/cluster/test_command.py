"""``vendgate cluster`` says what is missing before it starts anything."""

import pytest

from gateway.demo.children import ChildFailed
from gateway.demo.cluster import command


def test_without_its_programs_it_starts_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sentence and status 1."""
    monkeypatch.setattr(command, "wanting", lambda: ["install it", "and that"])
    assert 1 == command.cluster(machines=1, seed=1, pace=1.0, chaos_s=0, keep=None)
    assert "install it\nand that\n" == capsys.readouterr().err


@pytest.mark.parametrize("fails", [False, True])
def test_its_status_is_whether_it_ran(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fails: bool
) -> None:
    """A part that does not start is a sentence, not a traceback."""

    async def play(*_: object, **__: object) -> None:
        if fails:
            raise ChildFailed("ray-1 was not ready")

    monkeypatch.setattr(command, "wanting", list)
    monkeypatch.setattr(command, "play", play)
    assert (1 if fails else 0) == command.cluster(
        machines=1, seed=1, pace=1.0, chaos_s=0, keep=None
    )
    assert ("ray-1 was not ready\n" if fails else "") == capsys.readouterr().err
