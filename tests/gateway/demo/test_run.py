"""What the demo's story is told with."""

import sys
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.demo import run
from gateway.demo.report import Report

REPORT = Report(
    vends_succeeded=0,
    vends_failed=0,
    vends_denied=0,
    topups=0,
    refunds=0,
    money_in=0,
    money_sold=0,
    money_refunded=0,
    money_held=0,
    money_due_back=0,
    goods_written_off=0,
    refunds_written_off=0,
    ledger_balanced=True,
    books_agree=False,
    audit_clean=True,
    duration_s=1.0,
    seed=1,
    ray=False,
)


@pytest.mark.parametrize("count", [0, 2, 3, 7, 9])
async def test_a_book_of_any_length_is_read_whole(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Page by page, the newest first, with the sums of the whole."""
    monkeypatch.setattr(run, "PAGE", 3)
    made = [{"trade_no": f"t{number}"} for number in range(count)]

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        end = int(asked["before"].removeprefix("t")) if asked["before"] else count
        page = made[max(0, end - int(asked["limit"])) : end]
        return httpx.Response(200, json={"trades": page, "totals": {"HKD": {}}})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(base_url="http://alipay.test", transport=transport) as http:
        book = await run.whole_book(http)

    assert sorted(map(str, made)) == sorted(map(str, book["trades"]))
    assert {"HKD": {}} == book["totals"]


@pytest.mark.parametrize(
    ("said", "looks", "agree"),
    [([True], 1, True), ([False, False, True], 3, True), ([False] * 20, run.PROOF_LOOKS, False)],
)
async def test_books_that_move_are_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, said: list[bool], looks: int, *, agree: bool
) -> None:
    """A refund that ends between the two looks is no difference; what stays one is told."""
    monkeypatch.setattr(run, "LOOK_EVERY_S", 0)
    seen: list[Report] = []

    async def look() -> Report:
        seen.append(replace(REPORT, books_agree=said[len(seen)]))
        return seen[-1]

    assert agree == (await run.agreed(look)).books_agree
    assert looks == len(seen)


def test_the_program_is_named_as_the_shell_finds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its name where that finds it; else by its path, from here if it is below."""
    ours = tmp_path / "bin" / "vendgate"
    ours.parent.mkdir()
    ours.write_text("#!/bin/sh\n")
    ours.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(ours.with_name("python")))
    monkeypatch.setenv("PATH", str(ours.parent))
    assert "vendgate" == run.vendgate_in_shell()

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert "bin/vendgate" == run.vendgate_in_shell()
    monkeypatch.chdir("/")
    assert str(ours.relative_to("/")) == run.vendgate_in_shell()
    monkeypatch.chdir(ours.parent)
    monkeypatch.chdir(Path(__file__).parent)
    assert str(ours) == run.vendgate_in_shell()


def test_the_proof_at_the_end_has_longer_than_one_look(tmp_path: Path) -> None:
    """It is one read of every line there is: a demo of an hour has more of them than half a minute
    is enough for.
    """
    assert run.PROOF_TIMEOUT_S > run.ANSWER_TIMEOUT_S
    assert run.PROOF_TIMEOUT_S * 1_000 == run.books_in(tmp_path).read_timeout_ms
