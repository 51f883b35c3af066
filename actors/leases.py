"""Who may take partitions, and from whom: the rules of a lease. Pure.

Flows in: what the database says of the holder that is in the way, who claims, and how the holder's
beat looked each time that the claimant looked. Flows out: why the claim is granted, or None.

A holder raises its beat, a counter, three times in each lease. Nobody compares the clocks of two
computers: a lease has run out for who saw the same beat for its whole length, by a clock of their
own that never jumps. A lease only decides who may try; what keeps a frozen owner from writing once
it has been superseded is the epoch that each COMMIT proves.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from actors.placement import place_of

LEASE_MS = 6_000
BEATS_IN_A_LEASE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """One start of a host that holds partitions. ``home`` names the place that may replace its own
    dead, ``node`` where the process is, for people. ``host`` is empty for a takeover that a person
    has ordered and the home has not made use of yet: it stands for any host there. ``program`` is
    the schema that it was written for, as far as it is known.
    """

    holder: str
    host: str
    home: str
    node: str = ""
    beat: int = 0
    lease_ms: int = LEASE_MS
    since_at_ms: int = 0
    program: str = ""


Ended = Callable[[Holder], Awaitable[None]]
"""Returns once the home of a holder says that its process has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """One start of a host that wants partitions. ``host_count``: the layout that they are of; None:
    they are of none, and none is compared.

    ``place``: its index, if it follows the layout; what other places of its home hold it leaves to
    them. ``goes_on``: it claimed before, and must not come back once it was superseded. ``ended``:
    holders of which its home told it that their processes have ended.
    """

    holder: str
    host: str
    home: str
    node: str = ""
    lease_ms: int = LEASE_MS
    host_count: int | None = None
    place: int | None = None
    goes_on: bool = False
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What SQL said at one moment: how many hosts the layout has (None: there is none yet), who
    beats, and who has each partition. ``owner`` is the host's name, which stays when it is dead,
    and is empty while the partition is on its way.
    """

    host_count: int | None
    version: int
    holders: Sequence[Holder]
    held: Mapping[int, "Held"]


@dataclass(frozen=True, slots=True)
class Held:
    """One partition. ``holder`` may be one that holds nothing any more: then it is anybody's."""

    owner: str
    holder: str
    epoch: int


class Grant(StrEnum):
    """Why a claim is granted."""

    FREE = "FREE"
    """Nobody holds it: it was given up, or never taken."""
    SAME_PLACE = "SAME_PLACE"
    """Its holder was the same host of the same home, which has started it again."""
    ENDED = "ENDED"
    """Its holder was another host of the same place, and their home says that its process ended."""
    LEASE_OVER = "LEASE_OVER"
    """The claimant has watched the holder's beat stand still for its lease."""


def grant(held: Holder | None, claimant: Claimant, still: Mapping[str, int]) -> Grant | None:
    """Return why the claimant may take what ``held`` holds, or None if it may not.

    ``still`` maps holders to the beat at which the claimant saw them stand still for their lease.
    """
    if held is None:
        return Grant.FREE
    if held.home == claimant.home and held.host in {claimant.host, ""}:
        return Grant.SAME_PLACE
    if held.holder in claimant.ended and shares_place(held, claimant):
        return Grant.ENDED
    if still.get(held.holder) == held.beat:
        return Grant.LEASE_OVER
    return None


def hands_over(held: Holder, claimant: Claimant) -> bool:
    """Return whether ``held`` is another place of the claimant's home, which gives up by itself
    what the layout gives to the claimant.
    """
    there = place_of(held.host)
    return (
        claimant.place is not None
        and held.home == claimant.home
        and there is not None
        and there != claimant.place
    )


def shares_place(held: Holder, claimant: Claimant) -> bool:
    """Return whether ``held`` is another host of the claimant's own place, which is in its way
    though it may have nothing: gateways attach to one host of a place.
    """
    return (
        claimant.place is not None
        and (held.home, place_of(held.host)) == (claimant.home, claimant.place)
        and held.host != claimant.host
    )


def in_the_way(held: Holder, claimant: Claimant) -> bool:
    """Return whether who begins must have ``held`` out of the way, whatever that one holds: another
    host of its own place, or one of another home. A home has all machines or none; two that had
    some each would leave the gateways of both with machines that they cannot reach.
    """
    return held.home != claimant.home or shares_place(held, claimant)


@dataclass(frozen=True, slots=True)
class _Seen:
    beat: int
    since_s: float
    lease_s: float
    beaten: bool


class LeaseWatch:
    """What one claimant saw of holders' beats. Times are seconds of its own clock, which must never
    be set.

    Whoever has not looked for longer than a beat takes knows nothing of the time in between, in
    which the database may have been away for everybody: the watch begins again.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._looked_s: float | None = None

    def look(self, holders: Iterable[Holder], now_s: float) -> None:
        """Note the beats of all that hold something now. Who is not among them is forgotten."""
        before = {} if self._looked_s is None else self._seen
        since_s = now_s if self._looked_s is None else self._looked_s
        seen: dict[str, _Seen] = {}
        for each in holders:
            lease_s = each.lease_ms / 1_000
            known = before.get(each.holder)
            if now_s - since_s > lease_s / BEATS_IN_A_LEASE:
                known = None
            still = known is not None and known.beat == each.beat
            began_s = known.since_s if known is not None and still else now_s
            beaten = known is not None and (known.beaten or not still)
            seen[each.holder] = _Seen(each.beat, began_s, lease_s, beaten)
        self._seen, self._looked_s = seen, now_s

    def alive(self) -> set[str]:
        """Return the holders that were seen to beat, and not to stand still for a lease since."""
        still = self.still()
        return {
            holder for holder, seen in self._seen.items() if seen.beaten and holder not in still
        }

    def still(self) -> dict[str, int]:
        """Return the holders whose beat, which comes with each, stood still for a whole lease when
        it was last looked at.
        """
        now_s = self._looked_s
        return {
            holder: seen.beat
            for holder, seen in self._seen.items()
            if now_s is not None and now_s - seen.since_s >= seen.lease_s
        }
