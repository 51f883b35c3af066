"""Who may take partitions from whom: every case of the rule, and what a watch knows."""

import itertools
from dataclasses import replace

import pytest

from actors.leases import BEATS_IN_A_LEASE, LEASE_MS, Claimant, Grant, Holder, LeaseWatch, grant

CLAIMANT = Claimant(holder="new", host="host-0", home="here")
LEASE_S = LEASE_MS / 1_000
BEAT_S = LEASE_S / BEATS_IN_A_LEASE


def holder(beat: int = 0, *, name: str = "old") -> Holder:
    """Somebody who is in the way."""
    return Holder(holder=name, host="host-0", home="there", beat=beat)


WATCHED = {
    "nothing": {},
    "this beat": {"old": 7},
    "an older beat": {"old": 6},
    "another holder's": {"older": 7},
}


def expected(
    *, held: bool, home: str, host: str, watched: str, place: int | None, ended: str
) -> Grant | None:
    """Nobody holds it; the same host of the same home did; a takeover for this home; another host
    of this place and home did, and its process has ended; the beat that is there now was watched
    for a lease.
    """
    if not held:
        return Grant.FREE
    if home == "here" and host in {"host-0", ""}:
        return Grant.SAME_PLACE
    if home == "here" and (host, place) in {("host-0-2", 0), ("host-1", 1)} and ended == "old":
        return Grant.ENDED
    return Grant.LEASE_OVER if watched == "this beat" else None


def test_a_claim_is_granted_in_five_cases_and_no_other() -> None:
    """Whatever comes together: who holds it, what was watched, and who asks."""
    wrong, seen = [], set()
    for held, home, host, watched, place, ended in itertools.product(
        (True, False),
        ("here", "there"),
        ("host-0", "host-0-2", "host-1", ""),
        WATCHED,
        (None, 0, 1),
        ("", "old", "another"),
    ):
        claimant = replace(CLAIMANT, place=place, ended=frozenset({ended}) - {""})
        there = Holder(holder="old", host=host, home=home, beat=7) if held else None
        granted = grant(there, claimant, WATCHED[watched])
        wanted = expected(
            held=held, home=home, host=host, watched=watched, place=place, ended=ended
        )
        seen.add(granted)
        if wanted != granted:
            wrong.append((held, home, host, watched, place, ended, granted))
    assert [] == wrong
    assert {None, Grant.FREE, Grant.SAME_PLACE, Grant.ENDED, Grant.LEASE_OVER} == seen


def test_a_lease_is_over_after_its_whole_length_of_looks() -> None:
    """Not a moment before, however often somebody looks."""
    watch = LeaseWatch()
    looks = int(LEASE_S / 0.5)
    for look in range(looks):
        watch.look([holder(3)], look * 0.5)
        assert {} == watch.still()
    watch.look([holder(3)], LEASE_S)
    assert {"old": 3} == watch.still()


def test_any_beat_begins_the_watch_again() -> None:
    """A holder that beats is never still, at whatever moment in its lease it beats."""
    for at in range(1, int(LEASE_S / 0.5) + 1):
        watch = LeaseWatch()
        for look in range(at + int(LEASE_S / 0.5)):
            watch.look([holder(1 if look < at else 2)], look * 0.5)
            assert {} == watch.still() or look - at >= LEASE_S / 0.5


def test_who_was_seen_to_beat_lives_for_a_lease() -> None:
    """A row alone proves nothing, nor does a beat of a time in which nobody looked."""
    watch = LeaseWatch()
    for look, beat in enumerate([3, 3, 4]):
        assert set() == watch.alive()
        watch.look([holder(beat)], look * 0.5)
    assert {"old"} == watch.alive()
    for look in range(3, 3 + int(LEASE_S / 0.5)):
        assert {"old"} == watch.alive()
        watch.look([holder(4)], look * 0.5)
    assert set() == watch.alive()
    watch.look([holder(9)], look * 0.5 + LEASE_S)
    assert set() == watch.alive()


@pytest.mark.parametrize("gap_s", [BEAT_S + 0.1, LEASE_S, 10 * LEASE_S])
def test_who_did_not_look_knows_nothing(gap_s: float) -> None:
    """A claimant that was frozen, or whose database was away, begins again: the holder may have
    been kept from beating by the same.
    """
    watch = LeaseWatch()
    watch.look([holder(3)], 0.0)
    watch.look([holder(3)], gap_s)
    assert {} == watch.still()
    for look in itertools.count(1):
        watch.look([holder(3)], gap_s + look * 0.5)
        if watch.still():
            break
    assert LEASE_S == look * 0.5


def test_each_holder_has_its_own_lease() -> None:
    """The length is the holder's, whoever watches."""
    watch = LeaseWatch()
    long = Holder(holder="long", host="h", home="there", lease_ms=4 * LEASE_MS)
    for look in range(int(LEASE_S / 0.5) + 1):
        watch.look([holder(1), long], look * 0.5)
    assert {"old": 1} == watch.still()


def test_who_came_back_is_watched_anew() -> None:
    """A holder that gave up between two looks is forgotten."""
    watch = LeaseWatch()
    for look in range(int(LEASE_S / 0.5) + 1):
        watch.look([holder(1)] if look != 2 else [], look * 0.5)
    assert {} == watch.still()


def test_a_watch_that_never_looked_knows_nobody() -> None:
    """So its first claim is granted by the other rules only."""
    assert {} == LeaseWatch().still()
