"""A form becomes one request, or a sentence."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

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
    selector_pb2,
)
from gateway.v1 import money_pb2
from gateway.web.acts import (
    ACTS,
    ADD_ASSET,
    CALLS,
    DECLINED,
    DONE,
    OFFER_OF_NOBODY,
    PLAN_OF_NOBODY,
    WAITS,
    again,
    asset_request,
    outcome_of,
    request_of,
)
from gateway.web.door import FormRefused

ALL = {
    "request_id": "q-1",
    "reason": "because",
    "item_id": "i-1",
    "refund_id": "r-1",
    "vend_id": "v-1",
    "outcome": "VEND_OUTCOME_NOT_DELIVERED",
    "machine_id": "VM-1",
    "etag": "7",
    "column": "A1",
    "product": "cola",
    "quantity": "5",
    "from": "VAN:7",
    "lot": "L1",
    "sha256": "a" * 64,
    "name": " Summer ",
    "code": "summer",
    "playlist": "summer",
    "items": f"{'b' * 64}:8000",
    "plan": "noon",
    "all": "1",
    "until": "2027-01-31T22:00",
    "zone": "Asia/Hong_Kong",
    "offer": "tea",
    "proposal": "p-1",
    "answer": "DECLINE",
    "currency": "HKD",
    "discount": "0.50",
    "budget": "60",
}
LOAD = {
    "machine_id": "VM-1",
    "column": "A1",
    "product": "cola",
    "quantity": 5,
    "from": "VAN:7",
    "lot": "L1",
    "reason": "because",
    "request_id": "q-1",
}
EXPECTED = {
    "close-work-item": work_item_service_pb2.CloseWorkItemRequest(
        item_id="i-1", reason="because", request_id="q-1"
    ),
    "retry-refund": trade_service_pb2.RetryRefundRequest(
        refund_id="r-1", reason="because", request_id="q-1"
    ),
    "settle-vend": session_service_pb2.SettleVendRequest(
        vend_id="v-1",
        outcome=session_service_pb2.VEND_OUTCOME_NOT_DELIVERED,
        reason="because",
        request_id="q-1",
    ),
    "disable-machine": fleet_service_pb2.DisableMachineRequest(
        machine_id="VM-1", etag="7", reason="because", request_id="q-1"
    ),
    "enable-machine": fleet_service_pb2.EnableMachineRequest(
        machine_id="VM-1", etag="7", request_id="q-1"
    ),
    "recall-asset": screen_service_pb2.RecallAssetRequest(
        sha256="a" * 64, reason="because", request_id="q-1"
    ),
    "create-playlist": screen_service_pb2.CreatePlaylistRequest(
        playlist=screen_pb2.Playlist(code="summer", name="Summer"), request_id="q-1"
    ),
    "change-playlist": screen_service_pb2.UpdatePlaylistRequest(
        playlist=screen_pb2.Playlist(
            code="summer",
            name="Summer",
            items=[screen_pb2.PlaylistItem(sha256="b" * 64, duration_ms=8_000)],
        ),
        etag="7",
        request_id="q-1",
    ),
    "create-plan": screen_service_pb2.CreateScreenPlanRequest(
        plan=screen_pb2.ScreenPlan(
            code="summer",
            playlist="summer",
            selector=selector_pb2.Selector(all=True),
            not_after=Timestamp(seconds=1_801_404_000),
        ),
        request_id="q-1",
    ),
    "end-plan": screen_service_pb2.EndScreenPlanRequest(plan="noon", request_id="q-1"),
    "create-offer": offer_service_pb2.CreateOfferRequest(
        code="summer",
        content=offer_pb2.OfferContent(
            name="Summer",
            selector=selector_pb2.Selector(all=True),
            product="cola",
            discount=money_pb2.Money(currency="HKD", minor=50),
            currency="HKD",
            budget=money_pb2.Money(currency="HKD", minor=6_000),
            ends_at=Timestamp(seconds=1_801_404_000),
        ),
        request_id="q-1",
    ),
    "change-offer": offer_service_pb2.UpdateOfferRequest(
        code="tea",
        etag="7",
        budget=money_pb2.Money(currency="HKD", minor=6_000),
        ends_at=Timestamp(seconds=1_801_404_000),
        request_id="q-1",
    ),
    "end-offer": offer_service_pb2.EndOfferRequest(
        code="tea", etag="7", reason="because", request_id="q-1"
    ),
    "answer-offer": offer_service_pb2.DeclineOfferRequest(
        code="tea", proposal="p-1", reason="because", request_id="q-1"
    ),
    "refill": goods_service_pb2.LoadColumnRequest(**LOAD),  # type: ignore[arg-type]  # a word of Python's
}


@pytest.mark.parametrize("act", sorted(ACTS))
def test_an_act_is_one_request(act: str) -> None:
    """Of what the form has; what was done is said."""
    assert EXPECTED[act] == request_of(act, ALL)
    assert DONE[act]


@pytest.mark.parametrize("act", sorted(ACTS))
def test_no_form_goes_without_an_id(act: str) -> None:
    """Sent twice it would be done twice."""
    with pytest.raises(FormRefused, match="no request_id"):
        request_of(act, {**ALL, "request_id": " "})


@pytest.mark.parametrize(
    ("act", "wrong", "sentence"),
    [
        ("moon", {}, "no such act"),
        ("settle-vend", {"outcome": "PERHAPS"}, "whether the customer"),
        ("settle-vend", {"outcome": ""}, "no outcome"),
        ("refill", {"quantity": "many"}, "how many"),
        ("refill", {"quantity": "0"}, "how many"),
        ("refill", {"quantity": "-1"}, "how many"),
        ("refill", {"quantity": "10001"}, "how many"),
        ("refill", {"quantity": "٣"}, "how many"),
        ("refill", {"quantity": "9" * 5_000}, "how many"),
        ("refill", {"from": ""}, "no from"),
        ("retry-refund", {"refund_id": ""}, "no refund_id"),
    ],
)
def test_what_is_no_form_is_a_sentence(act: str, wrong: dict[str, str], sentence: str) -> None:
    """And nothing is asked."""
    with pytest.raises(FormRefused, match=sentence):
        request_of(act, {**ALL, **wrong})


def test_a_picture_is_one_request() -> None:
    """With the content as it came; each act has its call and its word."""
    made = asset_request(ALL, b"\x00\xff")
    assert made == screen_service_pb2.AddAssetRequest(
        content=b"\x00\xff", name="Summer", request_id="q-1"
    )
    with pytest.raises(FormRefused, match="Choose a picture"):
        asset_request(ALL, b"")
    with pytest.raises(FormRefused, match="no request_id"):
        asset_request({}, b"x")
    words = DONE.keys() - {PLAN_OF_NOBODY, OFFER_OF_NOBODY, DECLINED}
    assert CALLS.keys() == words == {*ACTS, ADD_ASSET}


def test_what_is_said_of_a_plan_depends_on_whom_it_means() -> None:
    """Nobody is said; of one that ended meanwhile nothing is known."""
    for machines, word in ((0, PLAN_OF_NOBODY), (1, "create-plan"), (None, "create-plan")):
        plan = screen_pb2.ScreenPlan(machines_meant=machines)
        response = screen_service_pb2.CreateScreenPlanResponse(plan=plan)
        assert word == outcome_of("create-plan", response)
    for machines, word in ((0, OFFER_OF_NOBODY), (1, "create-offer"), (None, "create-offer")):
        offer = offer_pb2.Offer(machines_meant=machines)
        made = offer_service_pb2.CreateOfferResponse(offer=offer)
        assert word == outcome_of("create-offer", made)
    declined = offer_service_pb2.DeclineOfferResponse()
    assert DECLINED == outcome_of("answer-offer", declined)
    assert "end-plan" == outcome_of("end-plan", screen_service_pb2.EndScreenPlanResponse())


def test_who_is_refused_goes_on_with_what_they_wrote() -> None:
    """But not where it would be done a second time: what nobody knows of, and what is written down
    for a second person.
    """
    filled_in = "/machines/VM-1?column=A1&quantity=5&from=VAN%3A7&lot=L1&reason=because#refill-A1"
    assert filled_in == again("refill", ALL, "/back")
    assert "/back" == again("refill", ALL, "/back", perhaps=True)
    assert "/back" == again("refill", {**ALL, "column": ""}, "/back")
    assert "/back" == again("end-offer", ALL, "/back")
    assert WAITS == again("create-offer", ALL, "/back", reason="SECOND_PERSON_NEEDED")
