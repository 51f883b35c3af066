"""Worlds that are steered: what is rare is made less rare, so that few seeds show it.

Flows in: the name of a way to steer, and a seed. Flows out: what became of that world, which says
by which name it was steered.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import replace

from tests.simulation import movers, recallers
from tests.simulation.backend import HostSlot
from tests.simulation.world import Outcome, World, live

Steer = Callable[[World], None]
STEERLESS = "as it comes"
EACH = "each in turn"
AND = " and "
"""Between two names: the world is steered both ways, in this order."""


def as_it_comes(_: World) -> None:
    """The world is as its seed makes it."""


def review_every_doubt(world: World) -> None:
    """No vend is so cheap that it is voided without a person, and streams are lost."""
    cables_are_bad(world)
    world.policy = replace(
        world.policy,
        approval_valid_ms=2_000,
        vend_result_ms=20_000,
        report_wait_ms=2_000,
        doubt_window_ms=2_000,
        doubt_review_above_minor=0,
    )


def saving_fails_often(world: World) -> None:
    """SQL refuses every third time while deadlines come, and most machines never come back to cause
    a load.
    """
    world.faults.sql_refuses, world.leaves, world.machines_wanted = 0.3, 0.9, 3
    world.policy = replace(world.policy, idle_refund_ms=3_000, unavailable_grace_ms=3_000)


def nobody_waits_long(world: World) -> None:
    """Streams are lost in the middle of a vend, motors jam, and a doubt is over before the machine
    is back.
    """
    world.faults.power_cut, world.faults.jam, world.faults.unplug, world.faults.wire_cut = (
        0.0,
        0.8,
        0.9,
        0.1,
    )
    world.policy = replace(
        world.policy,
        approval_valid_ms=2_000,
        vend_result_ms=20_000,
        report_wait_ms=2_000,
        doubt_window_ms=2_000,
        doubt_review_above_minor=None,
    )


def saving_is_slow(world: World) -> None:
    """Results and doubts are waited for two seconds each, and SQL takes its time, though never so
    long that it counts as away. Sensors tell the truth: what a lie means after so short a doubt is
    another question.
    """
    world.faults.lies = 0.0
    world.faults.sql_stalls, world.faults.sql_stall_s = 0.6, 4.5
    world.policy = replace(
        world.policy,
        approval_valid_ms=2_000,
        vend_result_ms=2_000,
        report_wait_ms=2_000,
        doubt_window_ms=2_000,
        doubt_review_above_minor=None,
    )


def hosts_die_in_doubt(world: World) -> None:
    """Streams are lost, and the doubt is about to end when another host takes over."""
    cables_are_bad(world)
    world.leaves, world.faults.host_crash_every_s = 0.9, 20.0
    world.faults.host_crash_at_crossing = world.faults.host_crash_at_await = False
    world.policy = replace(
        world.policy,
        approval_valid_ms=20_000,
        vend_result_ms=20_000,
        report_wait_ms=20_000,
        doubt_window_ms=20_000,
        doubt_review_above_minor=None,
    )


def hosts_die_at_once(world: World) -> None:
    """Hosts die soon after each start, while a machine is away whose vend is in doubt."""
    hosts_die_in_doubt(world)
    world.faults.host_crash_every_s = 5.0


def clocks_are_set(world: World) -> None:
    """Somebody sets clocks every few seconds."""
    world.faults.clock_jump_every_s, world.clocks_jump = 10.0, True


def cables_are_bad(world: World) -> None:
    """Streams are lost, also in the middle of a vend."""
    world.faults.wire_cut, world.faults.unplug = 0.1, 0.5


def machines_leave(world: World) -> None:
    """Hosts die, and most machines never come back to remind them."""
    world.leaves, world.faults.host_crash_every_s, world.faults.host_crash_at_crossing = (
        0.9,
        60.0,
        True,
    )


def refunds_are_refused(world: World) -> None:
    """Alipay says no, and each write-off takes two people."""
    world.faults.alipay["refund_refused"] = 0.8
    world.policy = replace(world.policy, write_off_second_person_above_minor=0)


def sensors_know_better(world: World) -> None:
    """Firmware says of many vends what its sensors did not see, and motors jam."""
    world.faults.lies, world.faults.jam = 0.5, 0.3


def boots_come_back(world: World) -> None:
    """Power fails often, and the firmware takes boot ids that it had before."""
    world.faults.power_cut, world.faults.boots_come_back = 0.6, 0.6


def boots_always_come_back(world: World) -> None:
    """The same, with firmware that knows one boot id after its first."""
    world.faults.power_cut, world.faults.boots_come_back = 0.6, 1.0


def doubles_come(world: World) -> None:
    """A second device uses the identity of a machine, again and again, where people pay first."""
    world.faults.double_every_s, world.machines_wanted = 20.0, 1


def alipay_says_anything(world: World) -> None:
    """A refund is answered with any code, done or not, and a payment told in odd ways."""
    world.faults.alipay |= {"odd_code": 0.7, "notify_odd": 0.7}
    world.policy = replace(world.policy, write_off_second_person_above_minor=None)


def customers_complain(world: World) -> None:
    """Whatever was sold is soon given back, by people who click twice."""
    world.faults.given_back_every_s = 5.0


def people_ask_to_be_forgotten(world: World) -> None:
    """Every few seconds one of those who paid last."""
    world.faults.erased_every_s = 5.0


def people_insist(world: World) -> None:
    """Little is left behind, by people who go on choosing and for people who want more."""
    world.insistent = True
    world.policy = replace(world.policy, idle_refund_ms=20_000)


def administrators_change_their_minds(world: World) -> None:
    """Machines are disabled and enabled all the time, and Alipay's answers are lost."""
    world.faults.reconfigured_every_s = 8.0
    world.faults.alipay["no_answer_done"] = 0.5


def codes_are_rewritten(world: World) -> None:
    """Names, domains, tokens and whole codes change all the time, machines are disabled and
    enabled, and Alipay is slow, or does not answer, whether or not it did it.
    """
    world.faults.codes_changed_every_s, world.faults.reconfigured_every_s = 40.0, 40.0
    world.faults.alipay |= {"no_answer_done": 0.1, "no_answer_undone": 0.1, "slow": 0.6}


def codes_are_lost(world: World) -> None:
    """Now and then a code is to say something else, and Alipay does not answer, having done
    nothing.
    """
    world.faults.codes_changed_every_s, world.faults.reconfigured_every_s = 150.0, 0.0
    world.faults.alipay |= {"no_answer_done": 0.0, "no_answer_undone": 0.5}


def prices_change(world: World) -> None:
    """An administrator changes prices all the time, and customers stay long."""
    world.faults.repriced_every_s, world.insistent = 4.0, True


def people_move_goods(world: World) -> None:
    """Columns are loaded, counted and corrected all the time, while customers buy and hosts and
    gateways die.
    """
    world.faults.goods_moved_every_s = 6.0


def lots_are_recalled(world: World) -> None:
    """Columns are loaded by lots, which are recalled and released all the time, while customers buy
    and hosts and gateways die.
    """
    world.lots = recallers.LOTS
    world.faults.goods_moved_every_s, world.faults.recalled_every_s = 10.0, 6.0


def commands_are_ordered(world: World) -> None:
    """Machines are restarted, tested, locked and asked all the time, while customers buy and hosts
    and gateways die.
    """
    world.faults.commanded_every_s = 5.0


def planograms_are_applied(world: World) -> None:
    """Templates are written and applied to machines all the time, and some of it is stopped, while
    customers stay long, goods are moved, and hosts and gateways die.
    """
    world.templates, world.insistent = True, True
    world.faults.planned_every_s, world.faults.goods_moved_every_s = 6.0, 20.0


def prices_change_between(world: World) -> None:
    """Planograms are applied, others set prices by hand in between, and gateways die over lines."""
    planograms_are_applied(world)
    world.faults.repriced_every_s, world.faults.gateway_crash_every_s = 4.0, 15.0


def limits_are_disputed(world: World) -> None:
    """Two people want now this limit and now that one, again and again."""
    world.faults.limits_wished_every_s = 3.0
    world.policy = replace(world.policy, doubt_review_above_minor=400)


def a_backup_is_put_back(world: World) -> None:
    """Now and then our database is as it was some minutes before. Administrators do nothing to
    codes: what they did since the backup Alipay goes by, and our books have forgotten.
    """
    world.faults.restored_every_s, world.faults.reconfigured_every_s = 150.0, 0.0


def partitions_move(world: World) -> None:
    """There shall be more hosts, or fewer, every few seconds, and hosts die on the way."""
    movers.make(world)
    world.faults.scaled_every_s = 15.0
    world.faults.host_crash_every_s, world.faults.host_crash_at_crossing = 60.0, True
    world.faults.host_crash_at_await = False


def partitions_move_in_peace(world: World) -> None:
    """The same, and nothing else happens to hosts, SQL and the way to them: who ends, and whoever
    is denied goods because nobody answers, is a defect.
    """
    movers.make(world)
    world.insistent, world.machines_wanted = True, 3
    world.faults.scaled_every_s = 3.0
    world.faults.sql_refuses = world.faults.link_loses = 0.0
    world.faults.link_delay_s = 0.2  # so that there is something to be repeated
    world.faults.slow_answers = False
    world.faults.host_crash_every_s = world.faults.host_stopped_every_s = 0.0
    world.faults.host_usurped_every_s = world.faults.host_frozen_every_s = 0.0
    world.faults.host_crash_at_crossing = world.faults.host_crash_at_await = False
    world.faults.sql_stalls = world.faults.sql_loses = world.faults.sql_outage_every_s = 0.0


def partitions_move_and_machines_leave(world: World) -> None:
    """Partitions move all the time, and most machines never come back to remind them."""
    partitions_move_in_peace(world)
    world.leaves, world.machines_wanted = 0.9, 3


def offers_are_given(world: World) -> None:
    """Two hosts sell to a few regulars, who use up what is given; motors jam, and hosts die."""
    world.gives, world.machines_wanted = True, 3
    world.slots = [HostSlot(world, index, 2) for index in range(2)]
    world.faults.jam = 0.3


def offers_run_out_at_once(world: World) -> None:
    """The same regulars press while they pay, and a COMMIT takes so long that both, and what others
    do, come into the next one together.
    """
    offers_are_given(world)
    world.quick, world.machines_wanted = True, 5
    world.faults.sql_stalls, world.faults.sql_stall_s = 0.9, 2.0


STEERS: dict[str, Steer] = {  # no name holds AND, which would be read as two
    STEERLESS: as_it_comes,
    "review every doubt": review_every_doubt,
    "saving fails often": saving_fails_often,
    "nobody waits long": nobody_waits_long,
    "cables are bad": cables_are_bad,
    "machines leave": machines_leave,
    "refunds are refused": refunds_are_refused,
    "sensors know better": sensors_know_better,
    "boots come back": boots_come_back,
    "doubles come": doubles_come,
    "alipay says anything": alipay_says_anything,
    "customers complain": customers_complain,
    "people ask to be forgotten": people_ask_to_be_forgotten,
    "people insist": people_insist,
    "limits are disputed": limits_are_disputed,
    "people move goods": people_move_goods,
    "lots are recalled": lots_are_recalled,
    "prices change": prices_change,
    "commands are ordered": commands_are_ordered,
    "planograms are applied": planograms_are_applied,
    "codes are rewritten": codes_are_rewritten,
    "codes are lost": codes_are_lost,
    "administrators change their minds": administrators_change_their_minds,
    "saving is slow": saving_is_slow,
    "hosts die in doubt": hosts_die_in_doubt,
    "hosts die at once": hosts_die_at_once,
    "clocks are set": clocks_are_set,
    "partitions move": partitions_move,
    "partitions move in peace": partitions_move_in_peace,
    "partitions move while machines leave": partitions_move_and_machines_leave,
    "a backup is put back": a_backup_is_put_back,
    "offers are given": offers_are_given,
    "offers run out at once": offers_run_out_at_once,
}


def steer_of(seed: int, steer: str) -> str:
    """Return how the world of a seed is steered: so, or by what its seed comes to."""
    return list(STEERS)[seed % len(STEERS)] if steer == EACH else steer


def live_steered(seed: int, steer: str, *, traced: bool = False) -> Outcome:
    """Run the world of this seed, steered so, and return what became of it. ``steer``: EACH, or
    names of STEERS with AND between them. Raises KeyError for a name that there is not.
    """
    steer = steer_of(seed, steer)
    ways = [STEERS[name] for name in steer.split(AND)]

    def prepare(world: World) -> None:
        for way in ways:
            way(world)

    outcome = live(seed, traced=traced, prepare=prepare)
    return dataclasses.replace(outcome, steer="" if steer == STEERLESS else steer)
