"""Bugs that are planted on purpose, each by replacing one function of the product: the proof that
the world can find such a thing.

Flows in: a name. Flows out: a context in which the product has the bug. The product's own
assertions are off meanwhile, so that it is the world's books that must find it. ``hunt`` runs seeds
until one of them fails.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from actors.host import runner
from tests.simulation import (
    bugs,
    bugs_of_codes,
    bugs_of_commands,
    bugs_of_goods,
    bugs_of_moves,
    bugs_of_offers,
    bugs_of_planograms,
    bugs_of_recalls,
    bugs_of_refunds,
    bugs_of_time,
    steers,
)
from tests.simulation.world import Outcome, World, live

Bug = Callable[[], contextlib.AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """One bug. ``start``: from where the hunt begins, at a seed that found it or a little
    before; ``within``: this many seeds are enough.
    """

    name: str
    sentence: str
    bug: Bug
    start: int = 0
    within: int = 60
    core: Callable[[], runner.Core] = lambda: runner.Core(check=lambda *_: None)
    steer: steers.Steer = steers.as_it_comes
    """Makes what the bug needs less rare in its worlds."""
    dear: bool = False
    """It is hunted in ``make soak``: to find it takes a second or more, and another one, which is
    hunted in the suite, breaks the same truth sooner.
    """
    halts: bool = False
    """The product stops the machine, or the host, whatever its assertions say, and nothing else is
    ever seen of the bug.
    """


def hunt(planted: Planted) -> Outcome | None:
    """Return the first world that finds the bug, or None."""

    def blind(world: World) -> None:
        world.core = planted.core()
        world.checker.minds_halts = planted.halts
        planted.steer(world)

    with planted.bug():
        for seed in range(planted.start, planted.start + planted.within):
            outcome = live(seed, prepare=blind)
            if outcome.failure is not None:
                return outcome
    return None


"""All of them, by name."""

PLANTED = (
    Planted(
        name="new-id-on-retry",
        sentence="A refund is asked for again under a new id.",
        bug=bugs_of_refunds.new_id_on_retry,
    ),
    Planted(
        name="unknown-is-refused",
        sentence="A time-out counts as a refusal: the refund is dropped.",
        bug=bugs_of_refunds.unknown_is_refused,
        start=24,
    ),
    Planted(
        name="unknown-is-another",
        sentence="A time-out makes another refund, under another id.",
        bug=bugs_of_refunds.unknown_is_another_refund,
    ),
    Planted(
        name="unknown-is-done",
        sentence="A time-out counts as success.",
        bug=bugs_of_refunds.unknown_is_done,
        start=2,
    ),
    Planted(
        name="accepted-is-done",
        sentence="A refund that Alipay accepted counts as done.",
        bug=bugs_of_refunds.accepted_is_done,
        start=48,
    ),
    Planted(
        name="any-fail-is-final",
        sentence="A code that nobody knows counts as a definite no.",
        bug=bugs_of_refunds.any_fail_is_final,
        steer=steers.alipay_says_anything,
    ),
    Planted(
        name="no-is-not-asked-after",
        sentence="A no is believed, though it may be the echo of our own success.",
        bug=bugs_of_refunds.no_is_not_asked_after,
        start=99,
        steer=steers.alipay_says_anything,
    ),
    Planted(
        name="odd-notification-dropped",
        sentence="What Alipay signed and does not fit is refused and forgotten.",
        bug=bugs.odd_notification_dropped,
        steer=steers.alipay_says_anything,
    ),
    Planted(
        name="first-person-suffices",
        sentence="A large refund is written off by one person.",
        bug=bugs_of_refunds.first_person_suffices,
        start=5,
        steer=steers.refunds_are_refused,
    ),
    Planted(
        name="one-person-raises",
        sentence="A limit of a machine that guards money is raised by one person.",
        bug=bugs_of_refunds.one_person_raises,
        steer=steers.limits_are_disputed,
    ),
    Planted(
        name="cents-everywhere",
        sentence="Amounts of a currency without decimals are written and read with two.",
        bug=bugs_of_refunds.cents_everywhere,
        start=2,
    ),
    Planted(
        name="whole-payment-back",
        sentence="The whole payment goes back, not what is left of it.",
        bug=bugs_of_refunds.whole_payment_goes_back,
        dear=True,
    ),
    Planted(
        name="never-tried-again",
        sentence="A refund that failed is never tried again.",
        bug=bugs_of_refunds.refund_never_tried_again,
        start=34,
    ),
    Planted(
        name="done-is-unknown-again",
        sentence="A late time-out opens a refund that is done.",
        bug=bugs_of_refunds.done_is_unknown_again,
        start=5,
    ),
    Planted(
        name="stop-forgotten",
        sentence="A call about a code that fails after a change of mind is never over.",
        bug=bugs_of_refunds.stop_forgotten,
        start=98,
        steer=steers.administrators_change_their_minds,
    ),
    Planted(
        name="code-unknown-is-none",
        sentence="A call about a code that was not answered counts as not made.",
        bug=bugs_of_refunds.unknown_code_is_as_before,
        start=9,
        steer=steers.administrators_change_their_minds,
        dear=True,
    ),
    Planted(
        name="stop-behind-modify",
        sentence="The answer to a modification of a code counts for a STOP that is wanted by then.",
        bug=bugs_of_codes.stop_lost_behind_a_modification,
        start=27,
        steer=steers.codes_are_rewritten,
        dear=True,
    ),
    Planted(
        name="modify-unknown-is-done",
        sentence="A modification of a code that was not answered counts as confirmed.",
        bug=bugs_of_codes.unknown_modification_is_done,
        start=24,
        steer=steers.codes_are_lost,
        dear=True,
    ),
    Planted(
        name="old-token-dropped",
        sentence="What is told under a notify token that was replaced finds nobody.",
        bug=bugs_of_codes.old_token_is_dropped,
        start=2,
        steer=steers.codes_are_rewritten,
    ),
    Planted(
        name="old-code-left",
        sentence="A code that was replaced can be paid for ever.",
        bug=bugs_of_codes.old_code_is_left,
        start=3,
        steer=steers.codes_are_rewritten,
        dear=True,
    ),
    Planted(
        name="ack-before-commit",
        sentence="Frames are acknowledged before the COMMIT.",
        bug=bugs.ack_before_commit,
    ),
    Planted(
        name="refund-before-commit",
        sentence="Refunds are sent before the COMMIT.",
        bug=bugs.effects_before_commit,
        start=17,
    ),
    Planted(
        name="approval-before-commit",
        sentence="Approvals leave before the COMMIT.",
        bug=bugs.approval_before_commit,
    ),
    Planted(
        name="no-epoch-check",
        sentence="A commit does not prove its epoch.",
        bug=bugs.no_epoch_check,
        start=2,
    ),
    Planted(
        name="no-version-check",
        sentence="A state that may not be saved is decided upon, and no version is compared.",
        bug=bugs.no_version_check,
        start=8,
    ),
    Planted(
        name="success-without-row",
        sentence="A notification that could not be saved is answered success.",
        bug=bugs.success_without_row,
        start=5,
    ),
    Planted(
        name="inbox-not-swept",
        sentence="Notifications whose wake-up was lost are never taken.",
        bug=bugs.inbox_not_swept,
        dear=True,
    ),
    Planted(
        name="owed-forgotten",
        sentence="Calls that were ordered and not answered are forgotten at a restart.",
        bug=bugs.nothing_owed,
        start=1,
        core=bugs.owes_nothing,
        dear=True,
    ),
    Planted(
        name="open-not-loaded",
        sentence="A new owner does not load what is open.",
        bug=bugs.open_machines_not_loaded,
        start=2,
        steer=steers.machines_leave,
        dear=True,
    ),
    Planted(
        name="echo-is-credit",
        sentence="The echo of a refund is credited as a payment.",
        bug=bugs.echo_is_credit,
    ),
    Planted(
        name="paid-twice",
        sentence="A payment that is told twice is credited twice.",
        bug=bugs.paid_twice,
        start=6,
        halts=True,
    ),
    Planted(
        name="late-pays-for-next",
        sentence="A late payment pays for the next customer's choice.",
        bug=bugs.late_money_pays_for_the_next,
        start=7,
    ),
    Planted(
        name="older-piece-pays",
        sentence="Of what one payer paid in pieces, only the first is asked when it was paid.",
        bug=bugs.older_piece_pays_too,
        start=400302,
        dear=True,
    ),
    Planted(
        name="paid-in-the-session-before",
        sentence="Money that was paid in the last session, and is heard of later, opens another.",
        bug=bugs.money_of_the_session_before_opens_another,
        start=180,
    ),
    Planted(
        name="second-is-first",
        sentence="A second customer's money goes into the first one's session.",
        bug=bugs.second_customer_is_the_first,
        start=1,
    ),
    Planted(
        name="denied-choice-renews",
        sentence="Each choice that is denied begins the idle time again, without an end.",
        bug=bugs.denied_choice_renews,
        start=11,
        steer=steers.people_insist,
    ),
    Planted(
        name="next-pays-into-the-last",
        sentence="The next customer's money goes into the session of who left something behind.",
        bug=bugs.next_customer_pays_for_the_last,
        start=1,
        steer=steers.people_insist,
    ),
    Planted(
        name="signature-unchecked",
        sentence="The signature of a notification is not checked.",
        bug=bugs.signature_not_checked,
        start=14,
    ),
    Planted(
        name="buyer-kept",
        sentence="A notification's buyer is saved as he came.",
        bug=bugs.buyer_kept,
    ),
    Planted(
        name="payer-is-hash",
        sentence="The books know a payer by the buyer's hash.",
        bug=bugs.payer_is_the_hash,
    ),
    Planted(
        name="payer-not-erased",
        sentence="Whoever asks to be forgotten is told that they are, and is known.",
        bug=bugs.payer_is_not_erased,
        steer=steers.people_ask_to_be_forgotten,
    ),
    Planted(
        name="reservation-kept",
        sentence="The money of a vend that failed stays reserved.",
        bug=bugs.reservation_kept_on_failure,
        dear=True,
    ),
    Planted(
        name="doubt-is-success",
        sentence="A vend in doubt is sold.",
        bug=bugs.doubt_is_success,
    ),
    Planted(
        name="lost-stream-is-failure",
        sentence="A vend whose stream is lost counts as failed at once.",
        bug=bugs.doubt_is_failure_at_once,
        start=75,
        steer=steers.cables_are_bad,
    ),
    Planted(
        name="stock-taken-twice",
        sentence="A vend takes two items out of the stock.",
        bug=bugs.stock_taken_twice,
        start=16,
    ),
    Planted(
        name="sold-without-its-item",
        sentence="A vend is delivered and no move of goods says so.",
        bug=bugs.sold_without_its_item,
        start=2,
        dear=True,
    ),
    Planted(
        name="counted-against-now",
        sentence="A count is held against the present stock, not against that of its version.",
        bug=bugs_of_goods.counted_against_now,
        start=1,
        steer=steers.people_move_goods,
        dear=True,
    ),
    Planted(
        name="named-anew",
        sentence="A load that is asked for again is another one.",
        bug=bugs_of_goods.named_anew,
        steer=steers.people_move_goods,
    ),
    Planted(
        name="sales-are-found",
        sentence="What was sold out of a column stays in its stock.",
        bug=bugs_of_goods.sales_are_found,
        start=1,
        steer=steers.people_move_goods,
        dear=True,
    ),
    Planted(
        name="refused-and-kept",
        sentence="Goods that an actor refused stay on their way.",
        bug=bugs_of_goods.refused_and_kept,
        steer=steers.people_move_goods,
        dear=True,
    ),
    Planted(
        name="reversed-twice",
        sentence="A move is taken back as often as somebody asks.",
        bug=bugs_of_goods.reversed_twice,
        steer=steers.people_move_goods,
        halts=True,
    ),
    Planted(
        name="settled-twice",
        sentence="A result that is repeated is settled again.",
        bug=bugs.settled_twice,
        start=66,
    ),
    Planted(
        name="void-is-failure-later",
        sentence="A vend that was voided is called failed when its result comes late.",
        bug=bugs.void_is_failure_later,
        start=26,
        steer=steers.nobody_waits_long,
    ),
    Planted(
        name="approved-unpaid",
        sentence="A vend is approved for less than its price.",
        bug=bugs.approved_unpaid,
        start=4,
        halts=True,
    ),
    Planted(
        name="price-changes-at-once",
        sentence="A new price is in force while a customer has money in the machine.",
        bug=bugs.price_changes_at_once,
        steer=steers.prices_change,
    ),
    Planted(
        name="any-price-is-fine",
        sentence="A vend costs what the registry says, whatever the customer was shown.",
        bug=bugs.any_price_is_fine,
        start=66,
        steer=steers.prices_change,
    ),
    Planted(
        name="waiting-vend-goes-on",
        sentence="Who chose before a recall may still pay, and gets what was recalled.",
        bug=bugs_of_recalls.waiting_vend_goes_on,
        start=41,
        steer=steers.lots_are_recalled,
    ),
    Planted(
        name="lock-is-not-loaded",
        sentence="A machine that is loaded again sells what was recalled.",
        bug=bugs_of_recalls.lock_is_not_loaded,
        start=4,
        steer=steers.lots_are_recalled,
    ),
    Planted(
        name="lines-are-named-anew",
        sentence="A line of an application that is carried out again sets the planogram again.",
        bug=bugs_of_planograms.lines_are_named_anew,
        steer=steers.prices_change_between,
    ),
    Planted(
        name="lines-are-done-unread",
        sentence="A line of an application counts as done, and nobody has set its planogram.",
        bug=bugs_of_planograms.lines_are_done_unread,
        steer=steers.planograms_are_applied,
    ),
    Planted(
        name="columns-are-emptied",
        sentence="With a new planogram the goods of a column that stays leave the books.",
        bug=bugs_of_planograms.columns_are_emptied,
        steer=steers.planograms_are_applied,
        dear=True,
    ),
    Planted(
        name="template-is-read-again",
        sentence="An application that waits for its time gets what was written meanwhile.",
        bug=bugs_of_planograms.template_is_read_again,
        steer=steers.planograms_are_applied,
    ),
    Planted(
        name="nobody-need-agree",
        sentence="A planogram removes goods of which nobody said that they may be removed.",
        bug=bugs_of_planograms.nobody_need_agree,
        start=4,
        steer=steers.planograms_are_applied,
    ),
    Planted(
        name="sent-is-done",
        sentence="A command counts as done when it was sent.",
        bug=bugs_of_commands.sent_is_done,
        start=6,
        steer=steers.commands_are_ordered,
    ),
    Planted(
        name="reboots-at-once",
        sentence="A machine is restarted while a customer has money in it.",
        bug=bugs_of_commands.reboots_at_once,
        steer=steers.commands_are_ordered,
    ),
    Planted(
        name="tests-take-nothing",
        sentence="What a test vend dropped stays in the stock.",
        bug=bugs_of_commands.tests_take_nothing,
        steer=steers.commands_are_ordered,
    ),
    Planted(
        name="frame-applied-twice",
        sentence="A repeated frame is applied again.",
        bug=bugs.repeated_frame_applied,
    ),
    Planted(
        name="gap-accepted",
        sentence="A frame that leaves one out is applied.",
        bug=bugs.gap_accepted,
        start=25,
    ),
    Planted(
        name="due-work-forgotten",
        sentence="A machine whose timer met a failing commit is not loaded again.",
        bug=bugs.due_work_forgotten,
        start=17,
        steer=steers.saving_fails_often,
        dear=True,
    ),
    Planted(
        name="read-twice",
        sentence="A machine that is being read is read again beside it.",
        bug=bugs.machine_is_read_twice,
        start=0,
        halts=True,
    ),
    Planted(
        name="contradiction-sold",
        sentence="A result counts although the machine's own sensors deny it.",
        bug=bugs.contradiction_believed,
        start=2,
        steer=steers.sensors_know_better,
        dear=True,
    ),
    Planted(
        name="old-boot-comes-back",
        sentence="The frames of a boot that was superseded are applied from the first one again.",
        bug=bugs.old_boot_comes_back,
        steer=steers.boots_come_back,
    ),
    Planted(
        name="cancelled-though-begun",
        sentence="A request_id that is used again and cancelled takes back what it was used for.",
        bug=bugs.cancelled_though_begun,
        start=505_620,
        steer=steers.boots_always_come_back,
        dear=True,
    ),
    Planted(
        name="double-delivers",
        sentence="A second device gets what the machine's customer paid.",
        bug=bugs.double_is_the_machine,
        steer=steers.doubles_come,
    ),
    Planted(
        name="review-ends-by-silence",
        sentence="A vend in review is refunded because the machine has forgotten it.",
        bug=bugs.review_ends_by_silence,
        start=51,
        steer=steers.review_every_doubt,
    ),
    Planted(
        name="goodwill-of-old-rows",
        sentence="A sold vend is given back by what was read before the machine decided again.",
        bug=bugs_of_refunds.goodwill_of_old_rows,
        start=30,
        steer=steers.customers_complain,
        halts=True,
    ),
    Planted(
        name="goodwill-of-the-whole-payment",
        sentence="All that a payment bought is given back for one of its vends.",
        bug=bugs_of_refunds.goodwill_of_the_whole_payment,
        start=17,
        steer=steers.customers_complain,
    ),
    Planted(
        name="deadline-before-evidence",
        sentence="A vend's own deadline comes before the fact that settles it.",
        bug=bugs_of_time.deadline_before_evidence,
        start=21,
        steer=steers.saving_is_slow,
    ),
    Planted(
        name="takeover-voids-at-once",
        sentence="A new owner voids what was due before its machines can reach it.",
        bug=bugs_of_time.takeover_voids_at_once,
        start=27,
        steer=steers.hosts_die_in_doubt,
    ),
    Planted(
        name="each-start-costs-a-wait",
        sentence="Hosts that start every few seconds use up the time that machines have to report.",
        bug=bugs_of_time.each_start_costs_a_wait,
        start=97,
        steer=steers.hosts_die_at_once,
    ),
    Planted(
        name="ids-are-counted",
        sentence="Ids of vends and sessions are a counter alone, which a restore sets back.",
        bug=bugs.ids_are_counted,
        start=4,
        steer=steers.a_backup_is_put_back,
    ),
    Planted(
        name="goes-on-deciding",
        sentence="A host goes on deciding for a partition that it has given up.",
        bug=bugs_of_moves.goes_on_deciding,
        steer=steers.partitions_move_in_peace,
    ),
    Planted(
        name="not-said-again",
        sentence="A stream moves to its new host, and what the old one dropped is not said again.",
        bug=bugs_of_moves.frames_are_not_repeated,
        start=7,
        steer=steers.partitions_move_in_peace,
    ),
    Planted(
        name="owed-stays-behind",
        sentence="Who gets a partition waits for its machines to say something.",
        bug=bugs_of_moves.what_is_owed_stays_behind,
        start=17,
        steer=steers.partitions_move_and_machines_leave,
        dear=True,
    ),
    Planted(
        name="step-ends-waits",
        sentence="Waits are measured by a clock that somebody sets.",
        bug=bugs_of_time.step_ends_waits,
        start=4,
        steer=steers.clocks_are_set,
    ),
    Planted(
        name="budget-as-it-was",
        sentence="A use is counted by what its payment found, whoever used the offer since.",
        bug=bugs_of_offers.budget_is_what_was_read,
        steer=steers.offers_are_given,
    ),
    Planted(
        name="use-not-given-back",
        sentence="A vend that was not delivered stays a use of its offer.",
        bug=bugs_of_offers.use_is_not_given_back,
        steer=steers.offers_are_given,
    ),
    Planted(
        name="end-told-too-early",
        sentence="That an offer has run out is told before a payment that brings it anew.",
        bug=bugs_of_offers.end_is_told_too_early,
        start=7,
        steer=steers.offers_run_out_at_once,
    ),
    Planted(
        name="end-told-too-late",
        sentence="That an offer has run out is told before a cancellation that gives it back.",
        bug=bugs_of_offers.end_is_told_before_the_return,
        start=2,
        steer=steers.offers_run_out_at_once,
    ),
)
