"""The proof that a world can fail: bugs that are planted on purpose are all found, the dear ones in
``make soak``.

A planted bug that is not found is a hole in the world. The seeds and times as last measured stand
in docs/reliability.md.
"""

import contextlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.simulation.checker import DOES_NOT_FIT
from tests.simulation.hunting import Planted, hunt
from tests.simulation.planted import PLANTED
from tests.simulation.steers import STEERS
from tests.simulation.world import live

RELIABILITY = Path(__file__).parents[2] / "docs" / "reliability.md"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(one, id=one.name, marks=[pytest.mark.slow] if one.dear else [])
        for one in PLANTED
    ],
)
def test_a_planted_bug_is_found(planted: Planted) -> None:
    """Within a bounded number of seeds the world says which truth the bug breaks."""
    outcome = hunt(planted)

    assert outcome is not None, f"no world of {planted.within} found: {planted.sentence}"
    assert outcome.failure is not None
    assert outcome.failure.truth
    assert DOES_NOT_FIT != outcome.failure.truth, outcome.failure.detail


def test_what_is_dear_is_not_alone() -> None:
    """A truth that such a bug breaks is broken by another one in the suite, as the table of
    docs/reliability.md says.
    """
    told = {}
    for line in RELIABILITY.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        told[cells[0].partition(" ")[0]] = cells[-1]
    suite = {told[one.name] for one in PLANTED if not one.dear}
    assert set() == {told[one.name] for one in PLANTED if one.dear} - suite


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_what_is_planted_is_called_as_what_it_replaces(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever cannot be called breaks the product somewhere else than the bug would: at a host or
    a gateway too, where the world finds it, and where no halt says what it was.
    """
    patched: Any = type(mock.patch.object(mock, "patch"))
    plant = patched.__enter__

    def fitting(self: Any) -> Any:
        was = getattr(self.getter(), self.attribute)
        if inspect.isroutine(was) and inspect.isroutine(self.new):
            _check_calls(was, self.new)
        return plant(self)

    monkeypatch.setattr(patched, "__enter__", fitting)
    with planted.bug():
        pass


def _check_calls(was: Callable[..., Any], now: Callable[..., Any]) -> None:
    """Raise TypeError if a call of the one, with or without what may be left out, is none of the
    other.
    """
    taken = [
        one
        for one in inspect.signature(was).parameters.values()
        if one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}
    ]
    for given in (taken, [one for one in taken if one.default is one.empty]):
        named = {one.name: None for one in given if one.kind is one.KEYWORD_ONLY}
        inspect.signature(now).bind(*[None] * (len(given) - len(named)), **named)


def test_what_is_planted_is_taken_out_again() -> None:
    """After a hunt the product is as it was."""
    for planted in PLANTED:
        with planted.bug():
            pass

    assert live(0).failure is None


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("steer", STEERS)
def test_no_bug_is_found_where_none_is_planted(steer: str) -> None:
    """The worlds find nothing without them, wherever they are steered; in the suite one of each
    stands among the seeds.
    """
    nothing = Planted(
        name="none",
        sentence="Nothing is wrong.",
        bug=contextlib.nullcontext,
        steer=STEERS[steer],
        halts=True,
        within=40,
    )

    assert hunt(nothing) is None
