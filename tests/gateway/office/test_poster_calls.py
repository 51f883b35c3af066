"""How a gateway draws: within bounds, and never at the streams' expense."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from gateway.fleet.act import Act
from gateway.fleet.errors import CallRefused
from gateway.office import poster_calls
from gateway.office.poster_calls import PosterCalls, PostersAMinute
from gateway.office.v1 import poster_service_pb2 as wire
from gateway.office.v1 import selector_pb2
from gateway.posters import looks
from gateway.posters.child import DrawnPosters, Job, drawn
from gateway.process.sections import Posters
from storage.office.poster_lines import PosterLine, Printed
from storage.office.posters import PosterBooks
from tests.gateway.posters.pages import line, settings
from tests.support.edge import FixedClock

ANN = Act(actor="ann", within_s=30.0)
ALL = selector_pb2.Selector(all=True)


class Books:
    """A database in which all machines can have posters but for those of ``special``."""

    def __init__(self, *special: PosterLine, count: int = 3) -> None:
        self.ids = [f"VM-{number:03}" for number in range(count)]
        self._special = {one.machine_id: one for one in special}
        self.noted: list[Printed] = []

    async def held(self, *_: object, limit: int) -> list[str]:
        return self.ids[:limit]

    async def lines(self, machine_ids: Sequence[str], _now_ms: int) -> list[PosterLine]:
        return [self._special.get(one) or line(one) for one in machine_ids]

    async def note(self, printed: Sequence[Printed], **_: object) -> None:
        self.noted += printed


async def _here(job: Job) -> DrawnPosters:
    return drawn(job)


def _calls(books: Books, section: Posters | None = None, **more: Any) -> PosterCalls:
    return PosterCalls(
        **{"draw": _here} | more,
        section=section or settings(languages=["en"]),
        books=cast("PosterBooks", books),
        clock=FixedClock(),
    )


async def _refused(call: Any) -> tuple[str, str]:
    with pytest.raises(CallRefused) as refused:
        await call
    return refused.value.refusal.reason, refused.value.refusal.message


def _one(machine_id: str = "VM-000") -> wire.GetPosterRequest:
    return wire.GetPosterRequest(machine_id=machine_id)


async def test_each_reason_is_told_with_its_machine() -> None:
    """A constant for programs, a sentence for people, and no row of the audit log."""
    for special, reason in (
        (line("VM-000", status="STOPPED"), "CODE_NOT_READY"),
        (line("VM-000", retired=True), "MACHINE_RETIRED"),
        (line("VM-000", place="中環"), "GLYPH_MISSING"),
        (line("VM-000", place="\u202e"), "TEXT_NOT_PRINTABLE"),
    ):
        books = Books(special)
        found, said = await _refused(_calls(books).get(_one(), ANN))
        assert reason == found
        assert said.startswith("machine VM-000: ")
        assert [] == books.noted


async def test_a_gateway_that_cannot_draw_says_why(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings, or what is not installed: nothing that sells stands still for it."""
    broken = settings(font_file=tmp_path / "none.ttf")
    assert "POSTER_SETTINGS" == (await _refused(_calls(Books(), broken).get(_one(), ANN)))[0]
    monkeypatch.setattr(looks, "PARTS", ("no_such_package",))
    found, said = await _refused(_calls(Books()).get(_one(), ANN))
    assert "POSTER_EXTRA_MISSING" == found
    assert "pip install 'vendgate[poster]'" in said


async def test_an_answer_has_so_many_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so many bytes; above either the command is named that has no such bound."""
    request = wire.ExportPostersRequest(selector=ALL)
    made = await _calls(Books(count=50)).export(request, ANN)
    assert 50 == len(made.posters)
    assert poster_calls.BYTES_MAX > 2 * len(made.pdf)
    books = Books(count=51)
    found, said = await _refused(_calls(books).export(request, ANN))
    assert "TOO_MANY_MACHINES" == found
    assert "vendgate poster" in said
    monkeypatch.setattr(poster_calls, "BYTES_MAX", 1_000)
    found, said = await _refused(_calls(books).get(_one(), ANN))
    assert "POSTER_TOO_LARGE" == found
    assert "vendgate poster" in said
    assert [] == books.noted


async def test_a_refusal_of_many_stays_short() -> None:
    """A status has room for little."""
    books = Books(*(line(f"VM-{number:03}", status="STOPPED") for number in range(50)), count=50)
    found, said = await _refused(
        _calls(books).export(wire.ExportPostersRequest(selector=ALL, skip=True), ANN)
    )
    assert "POSTERS_REFUSED" == found
    assert "; and 45 more" in said
    assert 1_500 > len(said)


def test_a_minute_has_so_many_posters() -> None:
    """For each caller, and for all; what was refused is not counted, and the next minute begins
    anew.
    """
    allowance = PostersAMinute(caller_max=10, all_max=15)
    allowance.take("ann", 10, 0)
    with pytest.raises(CallRefused, match="as many posters a minute"):
        allowance.take("ann", 1, 59_999)
    with pytest.raises(CallRefused):
        allowance.take("ben", 6, 0)
    allowance.take("ben", 5, 0)
    with pytest.raises(CallRefused):
        allowance.take("cy", 1, 0)
    allowance.take("ann", 10, 60_000)


async def test_a_caller_who_loops_is_stopped() -> None:
    """Before anything is drawn: neither the processor nor the audit log is filled by one person."""
    books = Books()
    calls = _calls(books, allowance=PostersAMinute(caller_max=1))
    await calls.get(_one(), ANN)
    assert "TOO_MANY_POSTERS" == (await _refused(calls.get(_one(), ANN)))[0]
    assert 1 == len(books.noted)


async def test_one_is_drawn_after_the_other() -> None:
    """However many ask: no more than one process draws for a gateway, and one that is given up
    lets the next one draw.
    """
    under_way: list[Job] = []
    go_on = asyncio.Event()

    async def slow(job: Job) -> DrawnPosters:
        under_way.append(job)
        await go_on.wait()
        return drawn(job)

    calls = _calls(Books(), draw=slow)
    asked = [asyncio.create_task(calls.get(_one(f"VM-00{one}"), ANN)) for one in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)
    assert 1 == len(under_way)
    asked[0].cancel()
    go_on.set()
    first, *rest = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert all(isinstance(one, wire.GetPosterResponse) for one in rest)
    assert ["VM-000", "VM-001", "VM-002"] == [job.lines[0].machine_id for job in under_way]
