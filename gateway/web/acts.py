"""What a form may do: each act is a call of administrators, made of the form's fields.

Flows in: the fields. Flows out: a request for ``asking``. All checks are the call's own; here it is
only refused what is no such form. A form has the id of its request from when it was drawn, so that
whoever sends it twice does it once.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from google.protobuf.message import Message

from gateway.fleet.v1 import (
    fleet_service_pb2,
    session_service_pb2,
    trade_service_pb2,
    work_item_service_pb2,
)
from gateway.office.v1 import (
    goods_service_pb2,
    offer_pb2,
    offer_service_pb2,
    screen_pb2,
    screen_service_pb2,
)
from gateway.web import offer_acts, screen_acts
from gateway.web.door import FormRefused
from gateway.web.fields import Fields, filled_in, given, request_id
from gateway.web.tables import place_of

REFILL = ("quantity", "from", "lot", "reason")
"""What a person writes who refills a column."""
_QUANTITY_MAX = 10_000
_WHOLE = re.compile(r"[0-9]{1,6}")


def _close_work_item(of: Fields) -> Message:
    return work_item_service_pb2.CloseWorkItemRequest(
        item_id=given(of, "item_id"), reason=of.get("reason", ""), request_id=request_id(of)
    )


def _retry_refund(of: Fields) -> Message:
    return trade_service_pb2.RetryRefundRequest(
        refund_id=given(of, "refund_id"), reason=of.get("reason", ""), request_id=request_id(of)
    )


def _settle_vend(of: Fields) -> Message:
    outcomes = session_service_pb2.VendOutcome
    word = given(of, "outcome")
    if word not in outcomes.keys():  # noqa: SIM118 - an enum of the wire is no mapping
        raise FormRefused("Say whether the customer has the goods.")
    return session_service_pb2.SettleVendRequest(
        vend_id=given(of, "vend_id"),
        outcome=outcomes.Value(word),
        reason=of.get("reason", ""),
        request_id=request_id(of),
    )


def _disable_machine(of: Fields) -> Message:
    return fleet_service_pb2.DisableMachineRequest(
        machine_id=given(of, "machine_id"),
        etag=of.get("etag", ""),
        reason=of.get("reason", ""),
        request_id=request_id(of),
    )


def _enable_machine(of: Fields) -> Message:
    return fleet_service_pb2.EnableMachineRequest(
        machine_id=given(of, "machine_id"), etag=of.get("etag", ""), request_id=request_id(of)
    )


def _refill(of: Fields) -> Message:
    quantity = of.get("quantity", "").strip()
    if not (_WHOLE.fullmatch(quantity) and 0 < int(quantity) <= _QUANTITY_MAX):
        raise FormRefused("Say how many as a whole number from 1 on.")
    return goods_service_pb2.LoadColumnRequest(
        machine_id=given(of, "machine_id"),
        column=given(of, "column"),
        product=given(of, "product"),
        lot=of.get("lot", "").strip(),
        quantity=int(quantity),
        reason=of.get("reason", ""),
        request_id=request_id(of),
        **{"from": given(of, "from")},  # type: ignore[arg-type]  # a word of Python's
    )


def _refill_filled_in(of: Fields) -> str:
    """Return the address of a column's form with these fields; empty if it names none."""
    machine, column = (quote(of.get(name, ""), safe="") for name in ("machine_id", "column"))
    page = f"/machines/{machine}#refill-{column}"
    return filled_in(of, ("column", *REFILL), page) if machine and column else ""


def _recall_asset(of: Fields) -> Message:
    return screen_service_pb2.RecallAssetRequest(
        sha256=given(of, "sha256"), reason=of.get("reason", ""), request_id=request_id(of)
    )


def asset_request(of: Fields, content: bytes) -> Message:
    """Return the request of a form that brings a picture. Raises FormRefused."""
    if not content:
        raise FormRefused("Choose a picture: PNG, JPEG or WebP.")
    return screen_service_pb2.AddAssetRequest(
        content=content, name=of.get("name", "").strip(), request_id=request_id(of)
    )


SECOND_PERSON = "SECOND_PERSON_NEEDED"
ANSWER_OFFER = "answer-offer"
OFFER_OF_NOBODY = "create-offer-of-nobody"
DECLINED = "answer-offer-declined"
ADD_ASSET = "add-asset"
"""The act that brings a file."""
CALLS: Mapping[str, type[Message]] = {
    "close-work-item": work_item_service_pb2.CloseWorkItemRequest,
    "retry-refund": trade_service_pb2.RetryRefundRequest,
    "settle-vend": session_service_pb2.SettleVendRequest,
    "disable-machine": fleet_service_pb2.DisableMachineRequest,
    "enable-machine": fleet_service_pb2.EnableMachineRequest,
    "refill": goods_service_pb2.LoadColumnRequest,
    "recall-asset": screen_service_pb2.RecallAssetRequest,
    "create-playlist": screen_service_pb2.CreatePlaylistRequest,
    "change-playlist": screen_service_pb2.UpdatePlaylistRequest,
    "create-plan": screen_service_pb2.CreateScreenPlanRequest,
    "end-plan": screen_service_pb2.EndScreenPlanRequest,
    "create-offer": offer_service_pb2.CreateOfferRequest,
    "change-offer": offer_service_pb2.UpdateOfferRequest,
    "end-offer": offer_service_pb2.EndOfferRequest,
    ANSWER_OFFER: offer_service_pb2.ConfirmOfferRequest,
    ADD_ASSET: screen_service_pb2.AddAssetRequest,
}
"""Which call each act makes: who may not make it is shown no form of it. Whoever may confirm an
offer may decline it.
"""
ACTS: Mapping[str, Callable[[Fields], Message]] = {
    "close-work-item": _close_work_item,
    "retry-refund": _retry_refund,
    "settle-vend": _settle_vend,
    "disable-machine": _disable_machine,
    "enable-machine": _enable_machine,
    "refill": _refill,
    "recall-asset": _recall_asset,
    "create-playlist": screen_acts.create_playlist,
    "change-playlist": screen_acts.change_playlist,
    "create-plan": screen_acts.create_plan,
    "end-plan": screen_acts.end_plan,
    "create-offer": offer_acts.create_offer,
    "change-offer": offer_acts.change_offer,
    "end-offer": offer_acts.end_offer,
    ANSWER_OFFER: offer_acts.answer_offer,
}
PLAN_OF_NOBODY = "create-plan-of-nobody"
AGAIN: Mapping[str, Callable[[Fields], str]] = {
    "refill": _refill_filled_in,
    "create-plan": screen_acts.plan_filled_in,
    "create-offer": offer_acts.offer_filled_in,
    "change-offer": offer_acts.change_filled_in,
}
"""Where those forms stand with what somebody had filled in that are too long to fill in twice."""
ADDS = frozenset({"refill"})
"""Each of these that is sent adds something: where nobody knows whether it was done, it is not
filled in to be sent as another one.
"""
WAITS = f"{offer_acts.OFFERS}#{place_of('waiting')}"
"""Where it stands what waits for a second person."""
FOCUS: Mapping[str, Callable[[Fields], str]] = {
    "change-playlist": screen_acts.focus_after,
    "create-playlist": lambda _: place_of("playlists"),
    "create-plan": lambda _: place_of("plans"),
    "create-offer": lambda _: place_of("offers"),
    "change-offer": lambda _: place_of("facts"),
    "disable-machine": lambda _: "act-enable-machine",
    "enable-machine": lambda _: "act-disable-machine",
}
"""What in its page a person goes on from once an act is done, where that is another thing than the
page said when it drew the form.
"""
DONE = {
    "close-work-item": "The work item is closed.",
    "retry-refund": "The refund is tried again.",
    "settle-vend": "The vend is settled.",
    "disable-machine": "The machine is disabled.",
    "enable-machine": "The machine is enabled.",
    "refill": "The goods are in the column.",
    "recall-asset": "The picture is recalled. Machines that still show it are listed.",
    "create-playlist": "The playlist is made: open it to give it pictures.",
    "change-playlist": "The playlist is changed. Machines that show it fetch it.",
    "create-plan": "The plan is made. The machines that it means fetch what they are to show.",
    PLAN_OF_NOBODY: "The plan is made, and means no machine today. If that is not what you want: a "
    "model or a label may not be written as theirs, or nobody stands there; end it, and make "
    "another.",
    "end-plan": "The plan has ended.",
    "create-offer": "The offer is made, and runs.",
    OFFER_OF_NOBODY: "The offer is made, and means no machine of its currency today.",
    "change-offer": "The offer is changed.",
    "end-offer": "The offer has ended.",
    ANSWER_OFFER: "You were the second person: what was proposed is done.",
    DECLINED: "It is declined, and waits no longer. The offer is as it was.",
    ADD_ASSET: "The picture is taken in.",
}
"""What is said when it was done."""


def again(act: str, form: Fields, back: str, *, reason: str = "", perhaps: bool = False) -> str:
    """Return where somebody goes on whose form was refused: to the form with what they had filled
    in, or back. ``perhaps``: nobody knows whether it was done; ``reason``: what the refusal is for
    programs. What waits for a second person is not filled in to be sent once more.
    """
    if reason == SECOND_PERSON:
        return WAITS
    is_filled_in = act in AGAIN and not (perhaps and act in ADDS)
    return (AGAIN[act](form) if is_filled_in else "") or back


def landing(act: str, form: Fields, back: str) -> str:
    """Return where the browser goes once an act is done: back, to where the person was in the page.
    Who uses a keyboard would else begin at its top each time.
    """
    if act not in FOCUS:
        return back
    return f"{back.partition('#')[0]}#{FOCUS[act](form)}"


def outcome_of(act: str, response: Message) -> str:
    """Return what is said of an act, as a word of ``DONE``."""
    match response:
        case screen_service_pb2.CreateScreenPlanResponse(plan=plan) if _means_nobody(plan):
            return PLAN_OF_NOBODY
        case offer_service_pb2.CreateOfferResponse(offer=offer) if _means_nobody(offer):
            return OFFER_OF_NOBODY
        case offer_service_pb2.DeclineOfferResponse():
            return DECLINED
    return act


def _means_nobody(of: screen_pb2.ScreenPlan | offer_pb2.Offer) -> bool:
    return of.HasField("machines_meant") and not of.machines_meant


def request_of(act: str, form: Fields) -> Message:
    """Return the request of a form. Raises FormRefused."""
    if act not in ACTS:
        raise FormRefused("There is no such act.")
    return ACTS[act](form)
