"""What chaos has shown, as a table of 80 columns or less. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.demo.cluster.blows import GOALS, BlowKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One blow and what became of it. ``seconds`` None: it did not come back while we waited;
    ``load`` is how many processes wanted to run meanwhile; ``note`` says more.
    """

    kind: BlowKind
    seconds: float | None
    pause_s: float
    load: float
    note: str = ""

    @property
    def within(self) -> bool:
        """Whether the goal was met."""
        return self.seconds is not None and self.seconds <= GOALS[self.kind].seconds


def lines(found: Sequence[Measured]) -> list[str]:
    """Return the table, each kind's blows together, and below it what is counted."""
    rows = [f"{'what happens':<38}{'goal':>6}{'ours':>8}{'pause':>8}{'load':>7}  met"]
    kinds = [kind for kind in BlowKind if any(one.kind is kind for one in found)]
    for kind in kinds:
        for one in found:
            if one.kind is kind:
                ours = "never" if one.seconds is None else f"{one.seconds:.1f} s"
                rows.append(
                    f"{kind.value:<38}{GOALS[kind].seconds:>4g} s{ours:>8}"
                    f"{one.pause_s:>6.1f} s{one.load:>7.1f}  {'yes' if one.within else 'no'}"
                )
    rows += ["", "ours is counted until:"]
    rows += [f"  {kind.value}: {GOALS[kind].counted}" for kind in kinds]
    rows.append("pause is the longest time in which no machine at all got goods.")
    notes = [f"{one.kind.value}: {one.note}" for one in found if one.note]
    return [*rows, *([""] if notes else []), *notes]
