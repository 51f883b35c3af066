"""What forms of offers ask for: the fields of a form become one call.

Flows in: the fields. Flows out: a request for ``asking``. People write amounts and percents as they
say them; what is wrong with an offer the call itself says.
"""

import re

from google.protobuf.message import Message

from alipay_client.currencies import exponent
from gateway.office.v1 import offer_pb2
from gateway.office.v1 import offer_service_pb2 as wire
from gateway.v1 import money_pb2
from gateway.web.door import FormRefused
from gateway.web.fields import Fields, filled_in, given, request_id
from gateway.web.screen_acts import selector_of, until

OFFERS = "/offers"
OFFER = (
    *("code", "name", "currency", "discount", "percent", "budget", "uses", "until"),
    *("all", "machines", "district", "tag", "product"),
)
"""The fields of the form of a new offer that an address may fill in."""
CHANGE = ("budget", "uses", "until")
"""Those of the form that changes one: what is left empty stays as it is."""
ANSWERS = {"CONFIRM": "confirm", "DECLINE": "decline"}
_AMOUNT = re.compile(r"([0-9]{1,13})(?:\.([0-9]{1,4}))?")
_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?")
_WHOLE = re.compile(r"[0-9]{1,6}")


def create_offer(of: Fields) -> Message:
    """Return CreateOffer of a form: an offer that begins now."""
    currency = of.get("currency", "").strip().upper()
    discount, percent = (of.get(name, "").strip() for name in ("discount", "percent"))
    if bool(discount) is bool(percent):
        raise FormRefused("Say how much is off each price, or how many per cent, and not both.")
    made = offer_pb2.OfferContent(
        name=of.get("name", "").strip(),
        selector=selector_of(of),
        tag=of.get("tag", "").strip(),
        product=of.get("product", "").strip(),
        discount=_money(discount, currency, "off each price") if discount else None,
        basis_points=_basis_points(percent),
        currency=currency,
        budget=_money(of.get("budget", "").strip(), currency, "the budget"),
        uses_per_payer=_uses(of),
    )
    made.ends_at.FromDatetime(until(of, "the offer holds"))
    return wire.CreateOfferRequest(code=given(of, "code"), content=made, request_id=request_id(of))


def change_offer(of: Fields) -> Message:
    """Return UpdateOffer of a form, for the offer as it was drawn."""
    asked = wire.UpdateOfferRequest(
        code=given(of, "offer"),
        etag=given(of, "etag"),
        uses_per_payer=_uses(of),
        request_id=request_id(of),
    )
    if budget := of.get("budget", "").strip():
        asked.budget.CopyFrom(_money(budget, given(of, "currency"), "the budget"))
    if of.get("until", "").strip():
        asked.ends_at.FromDatetime(until(of, "the offer holds"))
    if not (asked.uses_per_payer or asked.HasField("budget") or asked.HasField("ends_at")):
        raise FormRefused("Say what is to be another: the budget, the uses of each or the end.")
    return asked


def end_offer(of: Fields) -> Message:
    """Return EndOffer of a form."""
    return wire.EndOfferRequest(
        code=given(of, "offer"),
        etag=given(of, "etag"),
        reason=of.get("reason", ""),
        request_id=request_id(of),
    )


def answer_offer(of: Fields) -> Message:
    """Return what a second person says of what waits: ConfirmOffer or DeclineOffer."""
    code, proposal = given(of, "offer"), given(of, "proposal")
    match of.get("answer", ""):
        case "CONFIRM" if of.get("reason", "").strip():
            raise FormRefused(
                "Nothing was done: a reason is for who declines it, and you said that you confirm "
                "it. Say that you decline it, or leave the reason empty."
            )
        case "CONFIRM":
            return wire.ConfirmOfferRequest(code=code, proposal=proposal, request_id=request_id(of))
        case "DECLINE":
            return wire.DeclineOfferRequest(
                code=code,
                proposal=proposal,
                reason=of.get("reason", ""),
                request_id=request_id(of),
            )
    raise FormRefused("Say whether you confirm it or decline it.")


def offer_filled_in(of: Fields) -> str:
    """Return the address of the form of a new offer with these fields."""
    return filled_in(of, OFFER, f"{OFFERS}#new")


def change_filled_in(of: Fields) -> str:
    """Return the address of the form that changes an offer, with these fields."""
    return filled_in(of, ("offer", *CHANGE), f"{OFFERS}#act-change-offer")


def _money(text: str, currency: str, what: str) -> money_pb2.Money:
    """Return an amount that people wrote, such as 12.50."""
    try:
        digits = exponent(currency)
    except ValueError:
        digits = -1
    found = _AMOUNT.fullmatch(text)
    if digits < 0:
        raise FormRefused("Say the currency by its three letters, such as HKD.")
    if found is None or len(found[2] or "") > digits:
        example = "12.50" if digits else "12"
        raise FormRefused(f"Write how much {what} is as a number, such as {example}.")
    return money_pb2.Money(
        currency=currency, minor=int(found[1] + (found[2] or "").ljust(digits, "0"))
    )


def _basis_points(text: str) -> int:
    """Return hundredths of a per cent; 0 if nothing is said."""
    if not text:
        return 0
    if (found := _PERCENT.fullmatch(text)) is None:
        raise FormRefused("Write per cent off as a number, such as 10 or 12.5.")
    return int(found[1] + (found[2] or "").ljust(2, "0"))


def _uses(of: Fields) -> int:
    """Return how often each payer may use it; 0 if nothing is said."""
    text = of.get("uses", "").strip()
    if not text:
        return 0
    if not _WHOLE.fullmatch(text) or not (uses := int(text)):  # Of a call 0 says nothing.
        raise FormRefused("Say how often each payer may use it as a whole number: 1 to 1000.")
    return uses
