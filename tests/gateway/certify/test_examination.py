"""One examination from rule to rule: sound firmware passes, and each planted bug fails its rule."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.certify.examination import Examined
from gateway.certify.hands import HandAct, Hands
from gateway.certify.moments import RuleOutcome
from gateway.certify.reference import ReferenceHands
from gateway.certify.rules import RULES
from gateway.certify.rules_of_commands import OF_COMMANDS
from gateway.simulator.commands import Command
from gateway.simulator.connection import Connection
from gateway.simulator.line import Line
from gateway.simulator.machine import Machine
from gateway.simulator.memory import JournalLine
from gateway.simulator.orders import Orders
from gateway.v1 import machine_pb2 as pb
from gateway.v1 import machine_service_pb2 as service_pb
from tests.gateway.certify.examined import ExaminedMachine, MemoryLine, MemoryWire, examined
from tests.gateway.certify.planted_later import BUGS

pytestmark = pytest.mark.virtual_time
PASS = RuleOutcome.PASS


def names(examination: Examined, outcome: RuleOutcome) -> set[str]:
    return {each.rule.name for each in examination.findings if each.verdict.outcome is outcome}


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]
)
async def test_the_reference_machine_keeps_all_rules(tmp_path: Path, seed: int) -> None:
    """Our own machine passes, whatever its waits come to."""
    examination = await examined(tmp_path, seed=seed)

    assert {rule.name for rule in RULES} == names(examination, RuleOutcome.PASS)
    assert 0 == examination.status


class SlowBoard(ExaminedMachine):
    """Needs half a minute from a restart to its first line of code."""

    def power_on(self) -> None:
        asyncio.get_running_loop().call_later(30, super().power_on)


async def test_a_board_may_take_its_time_to_restart(tmp_path: Path) -> None:
    """Every restart that a rule wants comes half a minute later."""
    rules = (
        "lower-last-seq",
        "number-reused",
        "boot-reused",
        "reboot-once",
        "new-boot",
        "oldest-first",
        "test-vend-cut",
    )
    examination = await examined(tmp_path, *rules, machine=SlowBoard)

    assert set(rules) == names(examination, RuleOutcome.PASS)


FAR_S = 0.7


class FarLine(MemoryLine):
    """Each frame is for ``FAR_S`` on its way, in both directions."""

    async def _up(self, wire: MemoryWire) -> None:
        far = MemoryWire()
        await asyncio.gather(super()._up(far), _carried(far.up, wire.up))

    async def _down(
        self, wire: MemoryWire, received: Callable[[Line, service_pb.ConnectResponse], None]
    ) -> None:
        far = MemoryWire()
        await asyncio.gather(super()._down(far, received), _carried(wire.down, far.down))


async def _carried(begin: asyncio.Queue[Any], end: asyncio.Queue[Any]) -> None:
    loop = asyncio.get_running_loop()
    on_the_way: asyncio.Queue[tuple[float, Any]] = asyncio.Queue()

    async def arrive() -> None:
        while True:
            at, frame = await on_the_way.get()
            await asyncio.sleep(at - loop.time())
            end.put_nowait(frame)

    arriving = asyncio.create_task(arrive())
    try:
        while True:
            frame = await begin.get()
            on_the_way.put_nowait((loop.time() + FAR_S, frame))
    finally:
        arriving.cancel()


class Far(ExaminedMachine):
    """Sound, at the end of a slow network."""

    def _new_line(self) -> Line:
        return FarLine(self.desk)


@pytest.mark.parametrize(
    "far_s", [1.3, *(pytest.param(far_s, marks=pytest.mark.slow) for far_s in (0.7, 1.0))]
)
async def test_a_slow_network_is_no_fault_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, far_s: float
) -> None:
    """All that it does comes up to two and a half seconds later."""
    monkeypatch.setattr("tests.gateway.certify.test_examination.FAR_S", far_s)
    examination = await examined(tmp_path, machine=Far)

    whys = {each.rule.name: each.verdict.why for each in examination.findings}
    assert set() == names(examination, RuleOutcome.FAIL), whys
    assert {"cut-in-vend"} == names(examination, RuleOutcome.NOT_TRIED), whys
    assert "the approval was lost with the stream" in whys["cut-in-vend"]


async def test_many_heartbeats_are_no_fault_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each second one, which is more than frames that are two seconds on their way, one by one."""
    sound = Connection.welcomed

    def welcomed(self: Connection, *args: Any) -> Any:
        done = sound(self, *args)
        self._heartbeat_ms = 1_000
        return done

    monkeypatch.setattr(Connection, "welcomed", welcomed)
    monkeypatch.setattr("gateway.simulator.connection.SILENT_BEATS_MAX", 8)
    examination = await examined(tmp_path, "slow-network", "command-at-a-bad-time")

    assert {"slow-network", "command-at-a-bad-time"} == names(examination, PASS)


async def test_a_machine_may_end_a_stay_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sells one thing at a time asks for the rest behind each vend."""
    sound = Machine.written

    def written(self: Machine, line: JournalLine, now_ms: int) -> list[Command]:
        vend = self.vending.vend
        commands = sound(self, line, now_ms)
        ended = vend is not None and self.vending.vend is None and self.session is not None
        return [*commands, *self.complete(now_ms)] if ended else commands

    monkeypatch.setattr(Machine, "written", written)
    examination = await examined(tmp_path)

    assert {rule.name for rule in RULES} == names(examination, PASS)


async def test_a_slow_motor_is_no_fault_of_the_machine(tmp_path: Path) -> None:
    """Nor is it when a test vend turns it."""
    examination = await examined(tmp_path, motor_ms=50_000)

    assert {rule.name for rule in RULES} == names(examination, RuleOutcome.PASS)


@pytest.mark.parametrize(
    "kinds", [(), ("reboot",), ("report", "show_identity"), ("lock_column", "test_vend")]
)
async def test_a_machine_need_not_know_each_kind_of_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...]
) -> None:
    """What it does not know it does not answer, as the protocol says; that is not tried."""
    sound = Orders.received

    def received(self: Orders, order: pb.Command, *args: Any, **around: Any) -> list[Command]:
        known = order.WhichOneof("order") in kinds
        return sound(self, order, *args, **around) if known else []

    monkeypatch.setattr(Orders, "received", received)
    examination = await examined(tmp_path, *(rule.name for rule in OF_COMMANDS))

    assert set() == names(examination, RuleOutcome.FAIL)
    assert ("reboot" in kinds) == ("reboot-once" in names(examination, PASS))
    assert ("test_vend" in kinds) == ("test-vend-once" in names(examination, PASS))
    assert ("test_vend" in kinds) == ("test-vend-cut" in names(examination, PASS))
    assert ("lock_column" in kinds) == ("lock-once" in names(examination, PASS))


class Torn:
    """Hands at a machine whose network breaks a moment after the first ``times`` choices."""

    def __init__(self, hands: Hands, times: int) -> None:
        self.can, self.patience_ms, self.again_ms = hands.can, hands.patience_ms, hands.again_ms
        self.sure = hands.sure
        self._hands = hands
        self._left = times

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
        if act is HandAct.SELECT and self._left:
            self._left -= 1
            assert isinstance(self._hands, ReferenceHands)
            asyncio.get_running_loop().call_later(1, self._hands._client._redial)
        return await self._hands.do(act, column, in_vain=in_vain)

    async def turns(self) -> int | None:
        return await self._hands.turns()


@pytest.mark.parametrize(
    "rule", ["pay-first", "purchase-first", "slow-network", "repeated-after-result"]
)
async def test_a_network_that_breaks_off_is_no_fault_of_the_machine(
    tmp_path: Path, rule: str
) -> None:
    """The rule is played again; a machine that hangs up each time is at fault."""
    torn = await examined(tmp_path / "torn", rule, hands=lambda hands: Torn(hands, 1))
    assert {rule} == names(torn, RuleOutcome.PASS)
    always = await examined(tmp_path / "always", rule, hands=lambda hands: Torn(hands, 99))
    assert set() == names(always, RuleOutcome.PASS)


class Wired(ExaminedMachine):
    """A sound machine whose network can be cut."""

    def cut(self) -> None:
        for line in tuple(self._lines):
            line.hang_up()


class Unsteady(Wired):
    """Sound, behind a network that breaks every stream each ``every_s`` seconds."""

    every_s = 26.0

    async def run(self) -> None:
        breaking = asyncio.create_task(self._break_off())
        try:
            await super().run()
        finally:
            breaking.cancel()

    async def _break_off(self) -> None:
        while True:
            await asyncio.sleep(self.every_s)
            self.cut()


@pytest.mark.parametrize(
    "every_s",
    [
        3.4,
        26.0,
        *(pytest.param(each, marks=pytest.mark.slow) for each in (4.2, 7.3, 11.2, 40.0, 47.0)),
    ],
)
async def test_a_network_that_breaks_off_again_and_again_is_no_fault_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_s: float
) -> None:
    """What cannot be judged through it is not judged, and says why."""
    monkeypatch.setattr(Unsteady, "every_s", every_s)
    examination = await examined(tmp_path, machine=Unsteady)

    whys = {each.rule.name: each.verdict.why for each in examination.findings}
    assert set() == names(examination, RuleOutcome.FAIL), whys
    unjudged = names(examination, RuleOutcome.NOT_TRIED)
    assert "response-time" in unjudged
    assert all("the stream broke off in each of 3 plays" in whys[name] for name in unjudged), whys
    assert 3 == examination.status


class Impatient(ExaminedMachine):
    """Its network is the same; its firmware hangs up ten seconds after a choice, too."""

    def select(self, column: str) -> None:
        super().select(column)
        asyncio.get_running_loop().call_later(10, self._redial)


async def test_a_machine_that_hangs_up_by_itself_fails_on_a_network_that_holds(
    tmp_path: Path,
) -> None:
    """Left alone it stays, so it is the machine that hangs up in each of the three plays."""
    examination = await examined(tmp_path, "response-time", machine=Impatient)

    assert {"response-time"} == names(examination, RuleOutcome.FAIL)


class AlwaysTheSameBoot(ExaminedMachine):
    """Its boot_id is on no flash, and drawn from nothing."""

    def _new_boot_id(self, number: int) -> str:
        return "b7"


async def test_who_comes_back_as_the_same_boot_after_a_power_cut_is_at_fault(
    tmp_path: Path,
) -> None:
    """It looks as if the network had broken off, and breaks off again as the firmware restarts
    for numbers that it does not know; but somebody has pulled the plug.
    """
    examination = await examined(tmp_path, "pay-first", "new-boot", machine=AlwaysTheSameBoot)

    assert {"new-boot"} == names(examination, RuleOutcome.FAIL)


class BehindAProxy(Wired):
    """Sound, behind a proxy that gives up streams on which nothing was said for 15 seconds."""

    idle_s = 15.0

    async def run(self) -> None:
        watching = asyncio.create_task(self._give_up())
        try:
            await super().run()
        finally:
            watching.cancel()

    async def _give_up(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            now_ms = round(self._clock() * 1_000)
            for call in self.desk.calls:
                told = [each.at_ms for each in self.desk.moments if each.stream == call.number]
                if not call.over and told and now_ms - told[-1] > self.idle_s * 1_000:
                    self.cut()


async def test_a_proxy_that_gives_up_silent_streams_is_no_fault_of_the_machine(
    tmp_path: Path,
) -> None:
    """The machine is left alone for as long as the stream was silent before it broke off."""
    examination = await examined(tmp_path, "slow-welcome", machine=BehindAProxy)

    assert {"slow-welcome"} == names(examination, RuleOutcome.NOT_TRIED)


async def test_a_rule_of_all_frames_alone_looks_at_a_machine_at_rest(tmp_path: Path) -> None:
    """Nothing is played, and yet it is not judged on nothing."""
    examination = await examined(tmp_path, "numbers", "acknowledgements")

    assert {"numbers", "acknowledgements"} == names(examination, RuleOutcome.PASS)


SHOWN_ELSEWHERE = frozenset(
    {"obeys_what_is_over", "forgets_the_customer_at_a_cut", "counts_boots_on_flash_alone"}
)
"""The plays of other rules show these bugs."""


@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_fails_its_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    """Each bug of firmware is found where its rule is examined alone, but for a few."""
    BUGS[bug].plant(monkeypatch)

    rules = () if bug in SHOWN_ELSEWHERE else (BUGS[bug].rule,)
    examination = await examined(tmp_path, *rules)

    assert {BUGS[bug].rule} == names(examination, RuleOutcome.FAIL)


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
async def test_a_planted_bug_fails_its_rule_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    """In a whole examination each is found by the rule that it breaks alone."""
    BUGS[bug].plant(monkeypatch)

    examination = await examined(tmp_path)

    assert {BUGS[bug].rule} == names(examination, RuleOutcome.FAIL)
    assert 1 == examination.status


async def test_a_rule_alone_is_judged_like_among_others(tmp_path: Path) -> None:
    """The maker repeats what failed: what shows a rule of all frames is played for it."""
    alone = {}
    for rule in RULES:
        examination = await examined(tmp_path / rule.name, rule.name)
        alone[rule.name] = examination.findings[0].verdict

    assert {} == {name: each for name, each in alone.items() if each.outcome is not PASS}


class Handless:
    """Nobody is at the machine."""

    can: frozenset[HandAct] = frozenset()
    patience_ms = again_ms = 1_000
    sure = False

    def __init__(self, _hands: Hands) -> None:
        pass

    async def do(self, act: HandAct, column: str = "", *, in_vain: bool = False) -> bool:
        raise AssertionError(act)

    async def turns(self) -> int | None:
        return None


async def test_a_rule_alone_says_whom_it_needs(tmp_path: Path) -> None:
    """Without hands each rule is kept by a machine on the desk, or says what hands would do."""
    for rule in RULES:
        examination = await examined(tmp_path / rule.name, rule.name, hands=Handless)
        verdict = examination.findings[0].verdict
        if rule.needs:
            assert RuleOutcome.NOT_TRIED is verdict.outcome, rule.name
            assert all(act.value in verdict.why for act in rule.needs), verdict.why
        else:
            assert PASS is verdict.outcome, (rule.name, verdict.why)


class Absent(ExaminedMachine):
    """Never comes."""

    async def run(self) -> None:
        return


async def test_a_machine_that_does_not_come_is_not_waited_for_at_each_rule(
    tmp_path: Path,
) -> None:
    """A minute or so for each of fifty rules would be an hour."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    examination = await examined(tmp_path, machine=Absent)

    assert {rule.name for rule in RULES} == names(examination, RuleOutcome.NOT_TRIED)
    assert loop.time() - began < 5 * 60
