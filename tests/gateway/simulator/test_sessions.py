"""A customer's stay, as the backend tells of it."""

from typing import Any

import pytest

from gateway.simulator import sessions
from gateway.simulator.commands import Tell
from gateway.simulator.happenings import (
    FundsChanged,
    NotNow,
    SessionBegan,
    SessionEnded,
    TurnedAway,
)
from gateway.simulator.sessions import Session
from gateway.v1 import machine_pb2 as pb
from tests.gateway.simulator.bench import Bench, happenings, kinds

STAY = Session(session_id="s1", funds_minor=900, expires_at_ms=300_000)


def test_a_session_lives_from_begin_to_end() -> None:
    """Funds are shown as told; updates of other sessions change nothing."""
    bench = Bench()
    bench.connect()

    commands = bench.say(
        begin_session=pb.BeginSession(session_id="s1", funds_minor=900, expires_in_ms=300_000)
    )
    assert [SessionBegan(session_id="s1", funds_minor=900, expires_in_ms=300_000)] == happenings(
        commands
    )
    assert [] == happenings(bench.say(funds_update=pb.FundsUpdate(session_id="s0", funds_minor=1)))
    commands = bench.say(
        funds_update=pb.FundsUpdate(session_id="s1", funds_minor=400, expires_in_ms=9)
    )
    assert [FundsChanged(session_id="s1", funds_minor=400, expires_in_ms=9)] == happenings(commands)
    assert ["session_complete"] == kinds(bench.machine.complete(0))
    commands = bench.say(
        end_session=pb.EndSession(
            session_id="s1", reason=pb.END_SESSION_REASON_COMPLETE, refund_minor=400
        )
    )
    assert [
        SessionEnded(session_id="s1", reason=pb.END_SESSION_REASON_COMPLETE, refund_minor=400)
    ] == happenings(commands)
    assert bench.machine.session is None
    assert [Tell(TurnedAway(reason=NotNow.NO_SESSION))] == bench.machine.complete(0)


@pytest.mark.parametrize("resumed", ["same", "other", "none"])
def test_welcome_says_what_goes_on(resumed: str) -> None:
    """After a lost stream the session goes on, was replaced, or ended unseen."""
    bench = Bench()
    bench.connect()
    bench.say(
        begin_session=pb.BeginSession(session_id="s1", funds_minor=900, expires_in_ms=300_000)
    )
    bench.machine.connection.lost()
    session: dict[str, Any] = {
        "same": pb.ResumedSession(session_id="s1", funds_minor=400),
        "other": pb.ResumedSession(session_id="s2", funds_minor=5),
    }
    commands = bench.connect(**({"session": session[resumed]} if resumed in session else {}))
    ended = SessionEnded(
        session_id="s1", reason=pb.END_SESSION_REASON_UNSPECIFIED, refund_minor=None
    )

    expected = {
        "same": [],
        "other": [ended, SessionBegan(session_id="s2", funds_minor=5, expires_in_ms=None)],
        "none": [ended],
    }
    assert happenings(commands)[1:] == expected[resumed]
    now = bench.machine.session
    assert (now.funds_minor if now is not None else None) == {
        "same": 400,
        "other": 5,
        "none": None,
    }[resumed]


def test_a_resumed_stay_keeps_its_end() -> None:
    """Welcome tells the funds and not the time, so the time that was told before still stands."""
    welcome = pb.Welcome(session=pb.ResumedSession(session_id="s1", funds_minor=400))

    assert (
        Session(session_id="s1", funds_minor=400, expires_at_ms=300_000),
        [],
    ) == sessions.resumed(STAY, welcome)
    assert (Session(session_id="s1", funds_minor=400), 1) == (
        (resumed := sessions.resumed(None, welcome))[0],
        len(resumed[1]),
    )


def test_the_end_of_another_stay_is_shown_and_ends_nothing() -> None:
    """A refund of an earlier stay is news, but the present stay goes on."""
    end = pb.EndSession(session_id="s0", reason=pb.END_SESSION_REASON_IDLE, refund_minor=5)

    seen = SessionEnded(session_id="s0", reason=pb.END_SESSION_REASON_IDLE, refund_minor=5)
    assert (STAY, [Tell(seen)]) == sessions.ended(STAY, end)


def test_news_of_another_stay_change_nothing() -> None:
    """Funds belong to the stay that they name, and to nobody without one."""
    update = pb.FundsUpdate(session_id="s0", funds_minor=1, expires_in_ms=5)

    assert (STAY, []) == sessions.funds_changed(STAY, update, 0)
    assert (None, []) == sessions.funds_changed(None, update, 0)
